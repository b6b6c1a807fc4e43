"""Awaiting loans, calls and records."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import tensorbridge as tb
from conftest import Hosts, Program, answering, eventually
from records import Number
from test_processes import in_child

PATIENCE = 30.0

Runner = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run_async(request: pytest.FixtureRequest) -> Runner:
    """Runs a coroutine in a loop of its own."""
    factory = pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(work)

    return run


def triple(number: Number, answer: Number) -> None:
    answer.value = number.value.torch() * 3 + 1


def test_two_thousand_calls_are_under_way_from_one_thread(hosts: Hosts, name: str, run_async: Runner) -> None:
    service = hosts.service(name, Number, Number, slots=2048)
    with tb.Client(name, Number, Number, timeout=PATIENCE) as client:

        async def work() -> None:
            calls = [asyncio.create_task(client.call_async(value=value)) for value in range(2000)]
            await asyncio.sleep(0)
            # All of them before anybody answers.
            assert service.free_slots == 48
            threads = len(os.listdir("/proc/self/task"))
            with answering(name, triple):
                answers = await asyncio.gather(*calls)
                # The server's, and a few at most that libraries may have started.
                assert len(os.listdir("/proc/self/task")) <= threads + 8
            assert [answer.value.item() for answer in answers] == [value * 3 + 1 for value in range(2000)]

        run_async(work())


def test_more_tasks_than_slots_wait_their_turn(hosts: Hosts, name: str, run_async: Runner) -> None:
    hosts.service(name, Number, Number, slots=8)
    with answering(name, triple), tb.Client(name, Number, Number, timeout=PATIENCE) as client:

        async def call(value: int) -> None:
            with await client.loan_async() as number:
                number.value = value
                answer = await number.call_async()
            assert answer.value.item() == value * 3 + 1

        async def work() -> None:
            await asyncio.gather(*(call(value) for value in range(500)))

        run_async(work())


def test_a_task_that_is_cancelled_anywhere_gives_its_slot_back(hosts: Hosts, name: str, run_async: Runner) -> None:
    chance = random.Random(7)
    hosts.service(name, Number, Number, slots=64)
    with answering(name, triple), tb.Client(name, Number, Number, timeout=PATIENCE) as client:

        async def call(value: int) -> int:
            return int((await client.call_async(value=value)).value.item())

        async def work() -> None:
            for _ in range(20):
                # Twice as many as there are slots: some wait for one, some for an answer.
                calls = [asyncio.create_task(call(value)) for value in range(128)]
                await asyncio.sleep(chance.random() * 0.003)
                cancelled = [task for task in calls if chance.random() < 0.5]
                for task in cancelled:
                    task.cancel()
                for value, task in enumerate(calls):
                    try:
                        assert await task == value * 3 + 1
                    except asyncio.CancelledError:
                        assert task in cancelled
            assert await call(2) == 7

        run_async(work())


def test_records_are_iterated_until_the_host_is_gone(hosts: Hosts, name: str, run_async: Runner) -> None:
    channel = hosts.channel(name, Number, slots=4)
    with (
        tb.Sender(name, Number, timeout=PATIENCE) as sender,
        tb.Receiver(name, Number, timeout=PATIENCE) as receiver,
    ):

        received: list[int] = []

        async def receive() -> None:
            async for number in receiver:
                received.append(number.value.item())

        async def work() -> None:
            task = asyncio.create_task(receive())
            for value in range(200):
                with await sender.loan_async() as number:
                    number.set(value=value).send()
            while len(received) < 200:
                await asyncio.sleep(0.01)
            channel.close()
            await task
            assert received == list(range(200))

        run_async(work())


def test_a_receive_that_is_cancelled_takes_no_record(hosts: Hosts, name: str, run_async: Runner) -> None:
    hosts.channel(name, Number, slots=4)
    with tb.Sender(name, Number) as sender, tb.Receiver(name, Number, timeout=PATIENCE) as receiver:

        async def work() -> None:
            for value in range(100):
                receive = asyncio.create_task(receiver.receive_async())
                await asyncio.sleep(0)
                sender.send(value=value)
                if value % 2:
                    # The watching thread has woken the loop, and the task has not run since.
                    time.sleep(0.002)
                receive.cancel()
                try:
                    got = await receive
                except asyncio.CancelledError:
                    got = await receiver.receive_async()
                assert got.value.item() == value

        run_async(work())


def test_loops_of_several_threads_share_a_client(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=16)
    failures: list[BaseException] = []
    with answering(name, triple), tb.Client(name, Number, Number, timeout=PATIENCE) as client:

        async def call(value: int) -> int:
            return int((await client.call_async(value=value)).value.item())

        async def work(first: int) -> None:
            answers = await asyncio.gather(*(call(first + more) for more in range(100)))
            assert answers == [(first + more) * 3 + 1 for more in range(100)]

        def run(first: int) -> None:
            try:
                asyncio.run(work(first))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(first * 1000,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert not failures


def test_closing_ends_calls_under_way(hosts: Hosts, name: str, run_async: Runner) -> None:
    hosts.service(name, Number, Number, slots=2)
    client = tb.Client(name, Number, Number, timeout=None)

    async def work() -> None:
        # Two wait for an answer, two for a slot.
        calls = [asyncio.create_task(client.call_async(value=value)) for value in range(4)]
        await asyncio.sleep(0.01)
        client.close()
        for call in calls:
            with pytest.raises(tb.Closed):
                await call
        with pytest.raises(tb.Closed):
            await client.call_async(value=1)

    run_async(work())


def test_timeouts_and_the_end_of_the_host_are_typed(hosts: Hosts, name: str, run_async: Runner) -> None:
    service = hosts.service(name, Number, Number, slots=2)
    with tb.Client(name, Number, Number, timeout=PATIENCE) as client:

        async def work() -> None:
            with pytest.raises(tb.Timeout):
                await client.call_async(timeout=0.02, value=1)
            with pytest.raises(tb.MissingField):
                await client.call_async()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.call_async(value=1)
            held = [client.loan(), client.loan()]
            with pytest.raises(tb.Full):
                await client.loan_async(timeout=0.02)
            for loan in held:
                loan.release()
            call = asyncio.create_task(client.call_async(value=1))
            await asyncio.sleep(0.01)
            service.close()
            with pytest.raises(tb.HostDied):
                await call

        run_async(work())


def test_an_exception_of_the_worker_reaches_the_task(hosts: Hosts, name: str, run_async: Runner) -> None:
    def refuse(number: Number, answer: Number) -> None:
        raise ValueError("not this one")

    hosts.service(name, Number, Number, slots=2)
    with answering(name, refuse), tb.Client(name, Number, Number, timeout=PATIENCE) as client:

        async def work() -> None:
            with pytest.raises(tb.RemoteError, match="not this one"):
                await client.call_async(value=1)

        run_async(work())


def test_a_forked_child_awaits_only_what_it_connects_to_itself(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=8)
    with tb.Client(name, Number, Number, timeout=PATIENCE) as client:
        under_way = threading.Event()
        answers: list[int] = []

        async def work() -> None:
            calls = [asyncio.create_task(client.call_async(value=value)) for value in range(4)]
            await asyncio.sleep(0.01)
            under_way.set()
            answers.extend([answer.value.item() for answer in await asyncio.gather(*calls)])

        parent = threading.Thread(target=lambda: asyncio.run(work()))
        parent.start()
        under_way.wait(PATIENCE)
        assert in_child(lambda: asyncio.run(client.call_async(value=9))) == "TB506"

        def again() -> None:
            with tb.Client(name, Number, Number, timeout=PATIENCE) as mine:
                assert asyncio.run(mine.call_async(value=9)).value.item() == 28

        with answering(name, triple):
            assert in_child(again) == "fine"
            parent.join(PATIENCE)
        assert answers == [1, 4, 7, 10]


def test_ctrl_c_ends_the_wait(hosts: Hosts, name: str, run: Callable[..., Program]) -> None:
    hosts.service(name, Number, Number, slots=2)
    program = run("waits.py", "await_", name, "adaptive")
    assert program.line() == "waiting"
    time.sleep(0.15)
    program.signal(signal.SIGINT)
    status, output, errors = program.finish()
    assert (status, output) == (3, "interrupted\n"), errors


def test_a_loop_that_is_closed_while_a_call_is_under_way_leaves_nothing(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=2)
    with tb.Client(name, Number, Number, timeout=PATIENCE) as client:
        loop = asyncio.new_event_loop()
        # Nobody else has the task.
        loop.create_task(client.call_async(value=1))
        loop.run_until_complete(asyncio.sleep(0.01))
        gc.collect()
        assert service.free_slots == 1, "a task that waits goes on"
        loop.close()
        closed = weakref.ref(loop)
        del loop
        gc.collect()
        assert closed() is None
        assert eventually(lambda: service.free_slots == 2)


def test_the_watching_thread_ends_when_nothing_waits(hosts: Hosts, name: str) -> None:
    def threads() -> list[str]:
        names = []
        for path in Path("/proc/self/task").glob("*/comm"):
            # It may end while it is looked at.
            with suppress(OSError):
                names.append(path.read_text().strip())
        return names

    hosts.service(name, Number, Number, slots=2)
    with answering(name, triple), tb.Client(name, Number, Number, timeout=PATIENCE) as client:

        assert asyncio.run(client.call_async(value=1)).value.item() == 4
        assert eventually(lambda: "tensorbridge-as" not in threads())
        assert asyncio.run(client.call_async(value=1)).value.item() == 4
