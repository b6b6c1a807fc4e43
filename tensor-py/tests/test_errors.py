"""The error table, and bad input of every kind: each a typed error with its code."""

from __future__ import annotations

import builtins
import os
import re
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorbridge as tb
from conftest import Hosts
from records import Image, Number

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
        with pytest.raises(tb.Error) as caught:
            tb.Channel(name, Number, slots=slots)
        assert caught.value.code in ("TB206", "TB301")
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
