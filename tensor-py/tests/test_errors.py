"""The error table, and bad input of every kind: each a typed error with its code."""

from __future__ import annotations

import builtins
import os
import re
import socket
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
import tensorbridge as tb
from conftest import Hosts
from records import Image, Number, Tokens

REPOSITORY = Path(__file__).parents[2]


def test_every_row_is_a_class_with_its_code() -> None:
    rows = tb.errors()
    assert len({row.code for row in rows}) == len(rows) > 30
    for row in rows:
        assert row.type is getattr(tb, row.name) and row.type.__name__ == row.name
        assert row.type.__module__ == "tensorbridge" and row.type.code == row.code
        assert issubclass(row.type, tb.Error) and issubclass(row.type, getattr(builtins, row.builtin))
        assert row.type.__doc__ and "error table" not in row.type.__doc__, f"{row.name} lacks its sentence"
        assert str(row.type("what happened")) == "what happened"
        assert row.name in tb.__all__
    assert tb.RemoteError is tb.Remote


def test_the_documented_table_is_this_one() -> None:
    path = REPOSITORY / "docs" / "errors.md"
    if not path.exists():
        pytest.skip("the documents are not beside the package")
    documented = re.findall(r"^\| (TB\d+) \| `(\w+)` \| `(\w+)` \|", path.read_text(), re.M)
    assert documented == [(row.code, row.name, row.builtin) for row in tb.errors()]


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(tb.Error) as caught:
        work()
    return caught.value.code


def test_names() -> None:
    for name in ("", "Upper", "with space", "a/b", "../up", "x" * 64, "1st", "ä"):
        assert code_of(lambda name=name: tb.Channel(name, Number)) == "TB203"
        assert code_of(lambda name=name: tb.Sender(name, timeout=0.0)) == "TB203"
    with pytest.raises(TypeError):
        tb.Channel(7, Number)  # type: ignore[arg-type]


def test_nobody_hosts_the_name(name: str) -> None:
    with pytest.raises(tb.NotFound, match="start the host first") as caught:
        tb.Client(name, timeout=0.05)
    error = caught.value
    assert (error.code, error.name) == ("TB201", name) and error.waited >= 0.05
    assert name in str(error.path) and isinstance(error, FileNotFoundError)


def test_the_name_is_taken(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    with pytest.raises(tb.NameTaken) as caught:
        tb.Service(name, Number, Number)
    assert caught.value.pid == os.getpid() and caught.value.code == "TB202"


def test_slots(name: str) -> None:
    for slots in (0, 1, 2**40):
        with pytest.raises(tb.InvalidSlots, match=f"`{name}` cannot have {slots} slots") as caught:
            tb.Channel(name, Number, slots=slots)
        assert caught.value.found == slots and caught.value.min == 2 and isinstance(caught.value, ValueError)
    with pytest.raises((OverflowError, TypeError)):
        tb.Channel(name, Number, slots=-1)


def test_there_is_not_enough_memory(name: str) -> None:
    class Huge(tb.Record, name="test.huge"):
        data = tb.u8(1 << 45)

    with pytest.raises(tb.OutOfMemory, match="sparse") as caught:
        tb.Channel(name, Huge, slots=2)
    assert caught.value.bytes > 1 << 45 and isinstance(caught.value, MemoryError)


def test_something_else_listens(meeting_directory: Path, name: str) -> None:
    path = meeting_directory / f"{name}.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        assert code_of(lambda: tb.Client(name, timeout=0.2)) == "TB204"
    path.unlink(missing_ok=True)


@pytest.fixture
def another_directory(tmp_path: Path) -> Iterator[Path]:
    before = os.environ["TENSORBRIDGE_DIR"]
    directory = tmp_path / "other"
    os.environ["TENSORBRIDGE_DIR"] = str(directory)
    yield directory
    os.environ["TENSORBRIDGE_DIR"] = before


def test_the_directory_has_to_be_private(another_directory: Path, name: str) -> None:
    another_directory.mkdir(mode=0o755)
    another_directory.chmod(0o755)
    assert code_of(lambda: tb.Channel(name, Number)) in ("TB207", "TB209")
    another_directory.rmdir()
    another_directory.write_text("a file")
    assert code_of(lambda: tb.Channel(name, Number)) == "TB209"
    another_directory.unlink()
    with tb.Channel(name, Number):
        assert stat.S_IMODE(another_directory.stat().st_mode) == 0o700, "it is made when it is missing"


def test_options_that_make_no_sense(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    for timeout in (-1.0, float("nan"), float("-inf")):
        with pytest.raises(ValueError, match="number of seconds"):
            tb.Sender(name, timeout=timeout)
    with pytest.raises(ValueError, match="adaptive"):
        tb.Sender(name, wait="sleep")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Record class"):
        tb.Sender(name, int)  # type: ignore[type-var]
    with tb.Sender(name, timeout=1e30) as sender, sender.loan(timeout=float("inf")) as record:
        assert record["value"] is not None
    with pytest.raises(TypeError):
        tb.Sender(name, timeout="1")  # type: ignore[call-overload]


def test_the_other_sides_schema_is_another(hosts: Hosts, name: str) -> None:
    class Image(tb.Record, name="test.image"):  # the same name, other fields
        pixels = tb.f16(3, 4, 5)
        id = tb.u64()

    hosts.service(name, Number, Number)
    with pytest.raises(tb.SchemaMismatch, match="the reply schema here is not the one in the arena") as caught:
        tb.Client(name, Number, Image)
    assert caught.value.what == "reply" and caught.value.arena == name
    assert "pixels: f16[3, 4, 5]" in caught.value.ours and "value: i64" in caught.value.theirs
    with pytest.raises(tb.SchemaMismatch, match="the request schema"):
        tb.Server(name, Image, Number)


def test_records_that_went_away(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        image = sender.loan().set(pixels=0.0, id=0)
        pixels, alias = image.pixels, image.pixels.torch()
        image.send()
        uses: list[Callable[[], object]] = [
            lambda: pixels.torch(),
            lambda: pixels.numpy(),
            lambda: pixels.__dlpack__(),
            lambda: memoryview(pixels),
            lambda: pixels.shape,
            lambda: pixels.item(),
            lambda: pixels[0],
            lambda: pixels.data_ptr,
            lambda: image.present,
            lambda: image.set(id=1),
            lambda: image.torch(),
            lambda: image.send(),
            lambda: pixels.__setitem__(..., 1.0),
            lambda: pixels.__setitem__(0, 1.0),
        ]
        for use in uses:
            assert code_of(use) == "TB404"
        assert (pixels.name, pixels.dtype, pixels.ndim) == ("pixels", "f32", 3), "what it is stays known"
        assert alias.shape == (3, 4, 5)
        receiver.receive().release()


def test_no_descriptors_are_left(name: str) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    held = []
    try:
        # Descriptors below the highest one may be free: take them all.
        with pytest.raises(OSError):
            while True:
                held.append(os.dup(0))
        assert code_of(lambda: tb.Channel(name, Number)) == "TB302"
        assert code_of(lambda: tb.Client(name, timeout=0.0)) == "TB302"
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_only_the_package_asks_of_the_extension_is_checked_too(hosts: Hosts, name: str) -> None:
    core = tb._core
    for index in (1, 3, 64, 2**63):
        tokens = Tokens.empty(2)
        for use in (tokens._handle.dim, tokens._handle.lengths, lambda at: tokens._handle.set_dim(at, 3)):
            with pytest.raises(IndexError, match="no dimension"):
                use(index)
        descriptor = core.Descriptor()
        for place, at in ((None, 3 + index % 2**40), ((index, 0), 3), ((2**64 - 1, 0), 3)):
            descriptor.index = at
            base = core.Base(tokens._handle, None, place)
            with pytest.raises(IndexError, match="no field"):
                type(descriptor).__get__(descriptor, base, None)  # type: ignore[attr-defined]
            with pytest.raises(IndexError, match="no field"):
                type(descriptor).__set__(descriptor, base, 1)  # type: ignore[attr-defined]
        with pytest.raises(IndexError, match="no field"):
            tokens._handle.assign(2 + index, 1)
    with pytest.raises(IndexError, match=r"test\.number has no field 1"):
        Image.id.__set__(Number.empty(1), 1)
    hosts.service(name, Number, Number)
    with tb.Client(name, Number, Number) as client:
        loan = client.loan().set(value=1)
        # It says so before anything is sent.
        assert code_of(lambda: core.Base(loan._handle).call()) == "TB415"
        # One whose record is still to come.
        for use in (lambda: core.Base()._handle, lambda: core.Base()._reply, core.Base().call):
            with pytest.raises(TypeError, match="no record in this object yet"):
                use()
        loan.release()


def test_a_run_that_no_memory_holds_is_an_error() -> None:
    for records in (2**42, 2**50, 2**62):
        with pytest.raises(tb.Error) as caught:
            Tokens.empty(records)
        assert caught.value.code in ("TB301", "TB101")


def test_a_subscript_may_add_as_many_dimensions_as_it_likes() -> None:
    number = Number.empty(3)
    number.value[(None,) * 20 + (slice(1, 3),)] = 7
    assert number.value.tolist() == [0, 7, 7]


def test_only_a_run_and_its_own_replies_are_an_answer(hosts: Hosts, name: str) -> None:
    # Nothing of the package's between the handler and the extension.
    hosts.service(name, Number, Number, slots=4, mutates_request=True)
    with tb.Client(name, Number, Number) as client:

        def mismatched(number: int) -> None:
            taken: Queue[tuple[Number, Number]] = Queue()
            told = Event()

            def keep(request: Number, reply: Number) -> None:
                taken.put((request, reply))
                told.wait(30)

            with tb.Server(name, Number, Number) as server, ThreadPoolExecutor(4) as threads:
                serving = [threads.submit(server.serve, keep, mutates_request=True) for _ in range(2)]
                calls = [threads.submit(client.call, value=at) for at in range(2)]
                (request, reply), (_, other), heap = taken.get(), taken.get(), Number.empty(1)
                pairs: list[tuple[tb.Record, tb.Record]] = [
                    (reply, request),
                    (request, other),
                    (heap, Number.empty(1)),
                    (request, heap),
                    (heap, reply),
                    (client.loan(), reply),
                    (request.row(0), reply),
                    (request, reply.row(0)),
                ]
                pair = pairs[number]
                assert code_of(lambda: server._connect().fail(*pair, "ValueError", "no", "")) == "TB415"
                del request, reply, other, _, pair
                pairs.clear()
                told.set()
                for call in calls:
                    # Nobody was told something that was not for him: at most that his own reply lacks its value.
                    code, error = code_of(call.result), call.exception()
                    assert code == "TB503" or (isinstance(error, tb.Remote) and error.type_name == "MissingField")
                server.stop()
                for served in serving:
                    # What was taken out of an exchange cannot be answered.
                    assert served.exception() is None or code_of(served.result) == "TB404"

        for number in range(8):
            mismatched(number)


def test_a_worker_of_no_program_cannot_be_started(name: str) -> None:
    host = tb._core.Host(name, Number.schema, Number.schema, slots=2)
    worker = host.start([], 0, 0.0, 1.0, 1.0)
    deadline = time.monotonic() + 10
    while (failure := worker.failure()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert isinstance(failure, tb.WorkerExited) and "cannot be started" in str(failure)
    worker.stop()
    host.close()
