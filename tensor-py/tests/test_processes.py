"""Forked children, spawned processes and endpoints that travel there."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorbridge as tb
from conftest import PROGRAMS, Hosts, answering, eventually
from records import Image, Number


def in_child(work: Callable[[], object]) -> str:
    """What happens in a forked child: the code of its error, or `fine`."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = "?"
        # One that waits for a thread of its parent's would wait for good.
        signal.alarm(60)
        try:
            work()
            said = "fine"
        except tb.Error as error:
            said = error.code
        except BaseException:
            said = traceback.format_exc()
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def test_a_forked_child_connects_for_itself(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Number, slots=4)
    with tb.Sender(name, Number) as sender, tb.Receiver(name, Number) as receiver:
        loan = sender.loan().set(value=1)
        works: list[Callable[[], object]] = [
            sender.loan,
            sender.try_loan,
            receiver.try_receive,
            lambda: receiver.receive(timeout=5),
            loan.send,
        ]
        for work in works:
            assert in_child(work) == "TB506"

        def again() -> None:
            with tb.Sender(name, Number) as mine:
                mine.send(value=5)

        assert in_child(again) == "fine"
        assert receiver.receive().value.item() == 5
        loan.send()
        assert receiver.receive().value.item() == 1
        assert channel.free_slots == 4


def test_what_a_forked_child_drops_changes_nothing(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=4)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=2.0, id=1)
        image, loan = receiver.receive(), sender.loan()
        held: list[Any] = [image.pixels.torch(), image.pixels.numpy(), loan.pixels.torch(), image.pixels.__dlpack__(max_version=(1, 0))]

        def drop() -> None:
            held.clear()
            image.release()
            loan.release()
            sender.close()
            receiver.close()

        assert in_child(drop) == "fine"
        assert channel.free_slots == 2
        assert held[0].min() == 2.0
        held.clear()
        image.release()
        loan.release()
        assert channel.free_slots == 4


def test_a_forked_childs_aliases_stay_readable(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=2.0, id=1)
        image = receiver.receive()
        aliases = [image.pixels.numpy()]

        def look() -> None:
            assert aliases[0].min() == 2.0 and image.pixels.numpy().max() == 2.0

        assert in_child(look) == "fine"
        aliases.clear()
        image.release()


def test_a_host_in_a_forked_child(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Number, slots=2)
    in_child(channel.close)
    with tb.Sender(name, Number) as sender, tb.Receiver(name, Number) as receiver:
        sender.send(value=1)
        assert receiver.receive().value.item() == 1


def raised() -> int:
    """What has been written to the eventfds of this process and nobody has read."""
    texts = [path.read_text() for path in Path("/proc/self/fdinfo").iterdir() if path.exists()]
    lines = [line.split() for text in texts for line in text.splitlines() if line.startswith("eventfd-count:")]
    return sum(int(count, 16) for _, count in lines)


def test_a_service_with_workers_in_a_forked_child(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_SERVICE", name)
    monkeypatch.setenv("TEST_NOTES", str(tmp_path / "notes"))
    with tb.Service(name, Number, Number, slots=4) as service:
        service.spawn([sys.executable, str(PROGRAMS / "services.py"), "worker", "1"])
        before = raised()

        def leave() -> None:
            with service:
                sys.exit()

        assert "SystemExit" in in_child(leave)
        assert raised() == before, "the supervisor was not woken"
        (health,) = service.workers()
        assert health == tb.WorkerHealth("ready", health.pid, 0, None)
        with tb.Client(name, Number, Number) as client:
            assert int(client.call(value=0).value) == health.pid


def test_a_probe_in_a_forked_child(hosts: Hosts, name: str, tmp_path: Path) -> None:
    hosts.channel(name, Number)
    file = tmp_path / "seen.jsonl"
    with tb.Probe(name, file, interval=0.01) as probe:
        assert eventually(lambda: file.exists() and file.read_text().count("\n") > 1)
        assert in_child(probe.stop) == "fine"
        lines = file.read_text().count("\n")
        assert eventually(lambda: file.read_text().count("\n") > lines)


def spawned(client: tb.Client[Number, Number], sender: Any, queue: Any) -> None:
    assert client.call(value=20).value.item() == 40
    sender.send(value=9)
    queue.put((repr(client), client.slots))
    client.close()


def test_endpoints_travel_to_spawned_processes(hosts: Hosts, name: str) -> None:
    def double(number: Number, answer: Number) -> None:
        answer.value[:] = number.value.numpy() * 2

    hosts.service(name, Number, Number)
    hosts.channel(f"{name}.c", Number)
    context = multiprocessing.get_context("spawn")
    with (
        answering(name, double),
        tb.Client(name, Number, Number) as client,
        tb.Sender(f"{name}.c") as sender,
        tb.Receiver(f"{name}.c", Number) as receiver,
    ):
        queue = context.Queue()
        process = context.Process(target=spawned, args=(client, sender, queue))
        process.start()
        assert queue.get(timeout=60) == (f"<Client of {name!r}>", 4)
        process.join(60)
        assert process.exitcode == 0
        assert receiver.receive().value.item() == 9
        queue.close()
        queue.join_thread()
        process.close()


def test_endpoints_are_pickled_as_what_they_expect(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)

    class Local(tb.Record, name="test.number"):
        """The same record, by a class that no other process can import."""

        value = tb.i64()

    with tb.Sender(name, Local, timeout=2.0, wait="block") as sender:
        data = pickle.dumps(sender)
        assert len(data) < 1000
        again = pickle.loads(data)
        assert again.timeout == 2.0 and not again.closed
        with again, again.loan() as record:
            assert type(record) is not Local and record.schema == Local.schema
    with pytest.raises(ValueError, match="closed"):
        pickle.dumps(sender)
    lazy = pickle.loads(data)
    assert not [pin for pin in tb.pins() if pin.arena == name]
    lazy.close()
    assert lazy.closed
    with pytest.raises(tb.Closed, match="this sender is closed"):
        lazy.loan()


def test_closing_an_endpoint_out_of_a_pickle_does_not_connect_it(name: str) -> None:
    with tb.Channel(name, Number, slots=2), tb.Sender(name, timeout=5.0) as sender:
        data = pickle.dumps(sender)
    # Nobody hosts the name any more.
    pickle.loads(data).close()
    with pickle.loads(data) as lazy:
        pass
    assert lazy.closed


def test_an_endpoint_out_of_a_pickle_still_checks_the_schema(name: str) -> None:
    with tb.Channel(name, Number, slots=2), tb.Sender(name) as sender:
        data = pickle.dumps(sender)
    with tb.Channel(name, Image, slots=2), pytest.raises(tb.SchemaMismatch, match=r"test\.image"):
        pickle.loads(data).loan()


@pytest.mark.parametrize("copier", [pickle.dumps, copy.copy, copy.deepcopy])
def test_records_are_not_pickled(copier: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match=r"numpy\(\)\.copy\(\)"):
        copier(Number.empty(1))
    for other in (Number.empty(1).value, Number.empty(1)._handle):
        with pytest.raises(TypeError):
            copier(other)


def test_errors_survive_a_pickle() -> None:
    with pytest.raises(tb.NotFound) as caught:
        tb.Client("nobody.there", timeout=0.0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is tb.NotFound and again.name == "nobody.there" and str(again) == str(caught.value)
    assert pickle.loads(pickle.dumps(Image.schema)) == Image.schema
