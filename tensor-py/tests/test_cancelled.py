"""Callers that leave a batch: what nobody has taken is not run, what somebody has is answered to nobody, and the others of the
run do not notice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import tensorbridge as tb
from conftest import Hosts, answering, eventually
from records import Number

Leave = Callable[[str, Callable[[], bool]], None]

MANY = 8
# Long enough to be taken in, also where the server's thread has to wait for its turn.
SHORT = 3.0


def by_timeout(name: str, sent: Callable[[], bool]) -> None:
    """A thread that waits so long and no longer."""
    with tb.Client(name, Number, Number) as client, pytest.raises(tb.Timeout):
        client.call(value=-1, timeout=SHORT)
    assert sent()


def while_awaited(
    name: str,
    sent: Callable[[], bool],
    leave: Callable[[tb.Client[Number, Number], asyncio.Task[Number]], object],
    error: type[BaseException],
) -> None:
    async def main() -> None:
        with tb.Client(name, Number, Number) as client:
            call = asyncio.create_task(client.call_async(value=-1))
            while not sent():
                await asyncio.sleep(0.001)
            leave(client, call)
            with pytest.raises(error):
                await call

    asyncio.run(main())


def by_cancelling(name: str, sent: Callable[[], bool]) -> None:
    """A task that is cancelled."""
    while_awaited(name, sent, lambda _, call: call.cancel(), asyncio.CancelledError)


def by_closing(name: str, sent: Callable[[], bool]) -> None:
    """A client that is closed while it is called with."""
    while_awaited(name, sent, lambda client, _: client.close(), tb.Closed)


leaving = pytest.mark.parametrize("leave", [by_timeout, by_cancelling, by_closing])


def start_call(client: tb.Client[Number, Number], value: int, replies: dict[int, int]) -> threading.Thread:
    def call() -> None:
        with client.call(value=value) as reply:
            replies[value] = reply.value.item()

    thread = threading.Thread(target=call)
    thread.start()
    return thread


def ready(service: tb.Service) -> int:
    return sum(pin.how == "waiting to be received" for pin in service.pins())


@leaving
def test_a_request_whose_caller_left_is_not_run(hosts: Hosts, name: str, leave: Leave) -> None:
    service = hosts.service(name, Number, Number, slots=MANY, ring_order=True)
    seen: list[int] = []

    def handler(asked: Number, answer: Number) -> None:
        seen.extend(asked.value.numpy().tolist())
        answer.value = asked.value.numpy() * 10

    replies: dict[int, int] = {}
    with tb.Client(name, Number, Number, timeout=60.0) as client:
        threads = []
        for value in range(4):
            threads.append(start_call(client, value, replies))
            assert eventually(lambda value=value: ready(service) == value + 1)  # type: ignore[misc]
            if value == 1:
                # Between two that stay.
                leave(name, lambda: True if leave is by_timeout else ready(service) == 3)
                assert ready(service) == 2
        with answering(name, handler, Number, Number, max_batch=MANY):
            for thread in threads:
                thread.join(60)
    assert sorted(seen) == [0, 1, 2, 3]
    assert replies == {value: value * 10 for value in range(4)}


@leaving
def test_the_reply_of_a_caller_that_left_is_dropped(hosts: Hosts, name: str, leave: Leave) -> None:
    service = hosts.service(name, Number, Number, slots=MANY, ring_order=True)
    runs: list[list[int]] = []
    began, go_on = threading.Event(), threading.Event()

    def handler(asked: Number, answer: Number) -> None:
        runs.append(asked.value.numpy().tolist())
        if -1 in runs[-1]:
            began.set()
            assert go_on.wait(60)
        answer.value = asked.value.numpy() * 10

    replies: dict[int, int] = {}
    with tb.Client(name, Number, Number, timeout=60.0) as client:
        threads = [start_call(client, value, replies) for value in range(3)]
        assert eventually(lambda: ready(service) == 3)
        # The run is whole with the caller that leaves.
        with answering(name, handler, Number, Number, max_batch=4, max_wait=60.0):
            leave(name, lambda: began.wait(0.0) if leave is not by_timeout else began.wait(60))
            # Its slot is the worker's until it is done.
            assert sum(pin.how == "received" for pin in service.pins()) == 4
            go_on.set()
            for thread in threads:
                thread.join(60)
            assert eventually(lambda: service.free_slots == MANY)
        with answering(name, handler, Number, Number, max_batch=4):
            with client.call(value=7, timeout=60.0) as reply:
                assert reply.value.item() == 70
    assert sorted(runs[0]) == [-1, 0, 1, 2]
    assert replies == {value: value * 10 for value in range(3)}


def test_everybody_may_leave_and_the_worker_goes_on(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=4, ring_order=True)
    began, go_on = threading.Event(), threading.Event()
    sizes: list[Any] = []

    def handler(asked: Number, answer: Number) -> None:
        sizes.append(asked.records)
        began.set()
        assert go_on.wait(60)
        answer.value = asked.value.numpy()

    async def main() -> None:
        with tb.Client(name, Number, Number) as client:
            calls = [asyncio.create_task(client.call_async(value=value)) for value in range(4)]
            while not began.is_set():
                await asyncio.sleep(0.001)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert service.free_slots == 0
            go_on.set()

    with answering(name, handler, Number, Number, max_batch=4, max_wait=60.0):
        asyncio.run(main())
        assert eventually(lambda: service.free_slots == 4)
    with answering(name, handler, Number, Number, max_batch=4), tb.Client(name, Number, Number) as client:
        with client.call(value=5) as reply:
            assert reply.value.item() == 5
    assert sizes == [4, 1]
