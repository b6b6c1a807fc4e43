"""No wait outlives its deadline, whatever a peer does. Whoever is stopped is not taken for dead, and goes on when it may."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import tensorbridge as tb
from conftest import Hosts, Program, answering, eventually
from records import Number

SHORT = 0.2


@pytest.fixture
def part(run: Callable[..., Program], name: str) -> Callable[[str], Program]:
    """Starts a part of `stopped.py` and waits until it is in the middle of it."""

    def start(part: str) -> Program:
        program = run("stopped.py", part, name)
        assert program.line() == "ready"
        return program

    return start


@pytest.fixture
def socket_is_removed(name: str, meeting_directory: Path) -> Any:
    """Removes the socket of somebody who was killed."""
    yield
    (meeting_directory / f"{name}.sock").unlink(missing_ok=True)


def ends_with(error: type[tb.Error], work: Callable[[], object]) -> None:
    """That an operation ends at all, while somebody is stopped, is what the tests are about."""
    with pytest.raises(error):
        work()


def awaited(work: Callable[[], Awaitable[Any]]) -> Any:
    """The result of something that is awaited in a loop of its own."""

    async def run() -> Any:
        return await work()

    return asyncio.run(run())


def test_hosting_ends_at_its_deadline_while_another_process_is_stopped_in_it(
    part: Callable[[str], Program], name: str
) -> None:
    stopped = part("lock")
    stopped.stop()
    for make in (
        lambda: tb.Service(name, Number, Number, timeout=SHORT),
        lambda: tb.Channel(name, Number, timeout=0.0),
    ):
        with pytest.raises(tb.NameBusy, match="if it is stopped") as caught:
            make()
        error = caught.value
        assert (error.code, error.name, error.pid) == ("TB210", name, stopped.process.pid)
        assert isinstance(error, TimeoutError) and error.waited >= 0
    tb.Channel(f"{name}.other", Number, timeout=0.0).close()
    # It goes on, and is killed: either way the lock ends with it.
    stopped.signal(signal.SIGKILL)
    tb.Service(name, Number, Number).close()


def test_ctrl_c_ends_the_wait_for_another_process_that_takes_the_name(
    part: Callable[[str], Program], name: str
) -> None:
    part("lock")
    timer = Timer(SHORT, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        tb.Service(name, Number, Number, timeout=None)
    timer.join()


@pytest.mark.usefixtures("socket_is_removed")
def test_whoever_accepts_and_never_answers_keeps_nobody(part: Callable[[str], Program], name: str) -> None:
    mute = part("mute")
    for kind in (tb.Client, tb.Server):
        with pytest.raises(tb.Timeout, match="handshake"):
            kind(name, Number, Number, timeout=SHORT)
        assert mute.line() == "accepted"
    for kind in (tb.Sender, tb.Receiver):
        with pytest.raises(tb.Timeout, match="handshake"):
            kind(name, Number, timeout=0.0)
    with pytest.raises(tb.NameTaken) as caught:
        tb.Service(name, Number, Number)
    assert caught.value.pid == mute.process.pid


def calls_end_with(error: type[tb.Error], client: tb.Client[Number, Number]) -> None:
    ends_with(error, lambda: client.call(value=1, timeout=SHORT))
    ends_with(error, lambda: awaited(lambda: client.call_async(value=1, timeout=SHORT)))


def calls_are_answered(client: tb.Client[Number, Number]) -> None:
    assert int(client.call(value=1).value) == 2
    assert int(awaited(lambda: client.call_async(value=2)).value) == 3


@pytest.mark.usefixtures("socket_is_removed")
def test_waits_for_a_stopped_host_end_and_all_goes_on_with_it(part: Callable[[str], Program], name: str) -> None:
    host, worker = part("host"), part("worker")
    with tb.Client(name, Number, Number) as client:
        calls_are_answered(client)
        worker.stop()
        host.stop()
        ends_with(tb.Timeout, lambda: tb.Client(name, timeout=SHORT))
        ends_with(tb.NameTaken, lambda: tb.Service(name, Number, Number))
        calls_end_with(tb.Timeout, client)
        # Calls do not go through the host.
        worker.signal(signal.SIGCONT)
        calls_are_answered(client)
        with client.loan(), client.loan():
            ends_with(tb.Full, lambda: client.loan(timeout=SHORT))
            ends_with(tb.Full, lambda: awaited(lambda: client.loan_async(timeout=SHORT)))
        assert client.connected
        host.signal(signal.SIGCONT)
        tb.Client(name, Number, Number).close()
        calls_are_answered(client)
        # Killed while it is stopped, it is dead.
        host.stop()
        host.signal(signal.SIGKILL)
        assert eventually(lambda: not client.connected) and worker.finish()[0] == 0
        calls_end_with(tb.HostDied, client)


def test_a_call_to_a_stopped_worker_ends_and_the_worker_is_not_taken_for_dead(
    hosts: Hosts, part: Callable[[str], Program], name: str
) -> None:
    service = hosts.service(name, Number, Number, slots=8)
    worker = part("worker")
    with tb.Client(name, Number, Number) as client:
        calls_are_answered(client)
        worker.stop()
        calls_end_with(tb.Timeout, client)
        calls_end_with(tb.Timeout, client)
        assert service._host.recoveries() == (0, 0, 0)
        # Another one that is not stopped answers meanwhile.
        other = part("worker")
        calls_are_answered(client)
        worker.signal(signal.SIGCONT)
        other.signal(signal.SIGTERM)
        other.finish()
        calls_are_answered(client)
    assert eventually(lambda: service.free_slots == 8), service.pins()
    service.close()
    assert worker.finish()[0] == 0


def test_a_stopped_client_keeps_its_slots_and_its_request_is_not_begun_after_its_deadline(
    hosts: Hosts, part: Callable[[str], Program], name: str
) -> None:
    service = hosts.service(name, Number, Number, slots=3)
    stopped = part("client")
    assert eventually(lambda: any(pin.how == "waiting to be received" for pin in service.pins()))
    # Whether the stop or the deadline comes first, nobody begins with the request after the deadline.
    stopped.stop()
    time.sleep(5.5)
    begun: list[int] = []

    def answer(number: Number, answer: Number) -> None:
        begun.append(int(number.value))
        answer.value = number.value.numpy() + 1

    with answering(name, answer), tb.Client(name, Number, Number) as client:
        calls_are_answered(client)
        calls_are_answered(client)
        assert begun == [1, 2, 1, 2]
        stopped.signal(signal.SIGCONT)
        assert stopped.line() == "timeout"
        # It still has the other slot.
        assert eventually(lambda: service.free_slots == 2) and service._host.recoveries() == (0, 0, 0)


def test_the_timeout_of_a_call_is_that_of_its_slot_and_its_answer_together(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=2)
    with tb.Client(name, Number, Number) as client:

        def full_at_first(call: Callable[[], object]) -> None:
            held = [client.loan(), client.loan()]
            timer = Timer(SHORT, held[0].release)
            timer.start()
            with pytest.raises(tb.Timeout) as caught:
                call()
            timer.join()
            held[1].release()
            # What was left when the slot was there.
            assert 0 < caught.value.after < 20 * SHORT

        full_at_first(lambda: client.call(value=1, timeout=20 * SHORT))
        full_at_first(lambda: awaited(lambda: client.call_async(value=1, timeout=20 * SHORT)))
