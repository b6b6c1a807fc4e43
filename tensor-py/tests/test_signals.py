"""Ctrl-C ends every wait, and waits leave the GIL to others."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from itertools import product

import pytest
import tensorbridge as tb
from conftest import Hosts, Program, answering
from records import Number

SERVICES = ("call", "serve")


# Connecting waits in one way only.
@pytest.mark.parametrize(
    ("what", "wait"),
    [("connect", "adaptive"), *product(["loan", "receive", "iterate", "call", "serve"], ["adaptive", "spin", "block"])],
)
def test_ctrl_c_ends_the_wait(hosts: Hosts, name: str, run: Callable[..., Program], what: str, wait: str) -> None:
    if what in SERVICES:
        hosts.service(name, Number, Number, slots=2)
    else:
        hosts.channel(name, Number, slots=2)
    program = run("waits.py", what, name, wait)
    assert program.line() == "waiting"
    time.sleep(0.15)
    sent = time.monotonic()
    program.signal(signal.SIGINT)
    status, output, errors = program.finish()
    assert (status, output) == (3, "interrupted\n"), errors
    assert time.monotonic() - sent < 5


def test_a_handler_of_the_programs_own_may_end_the_wait(hosts: Hosts, name: str) -> None:
    class Enough(Exception):
        pass

    def handle(number: int, frame: object) -> None:
        raise Enough

    hosts.channel(name, Number)
    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with tb.Receiver(name, Number, timeout=None) as receiver:
            timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
            with pytest.raises(Enough):
                timer.start()
                receiver.receive()
            timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_that_returns_does_not_end_the_wait(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number)
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with tb.Receiver(name, Number) as receiver, tb.Sender(name, Number) as sender:

            def later() -> None:
                time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(0.2)
                sender.send(value=1)

            thread = threading.Thread(target=later)
            thread.start()
            assert receiver.receive().value.item() == 1
            assert heard == [signal.SIGUSR1]
            thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("wait", ["adaptive", "spin", "block"])
def test_waits_let_other_threads_run(hosts: Hosts, name: str, wait: str) -> None:
    hosts.service(name, Number, Number, slots=2)
    hosts.channel(f"{name}.c", Number, slots=2)
    with (
        tb.Client(name, Number, Number, wait=wait) as client,
        tb.Receiver(f"{name}.c", Number, wait=wait) as receiver,
        tb.Sender(f"{name}.c", Number, wait=wait) as sender,
    ):
        held = [sender.loan(), sender.loan()]
        waits: list[Callable[[], object]] = [
            lambda: receiver.receive(timeout=0.3),
            lambda: client.call(value=1, timeout=0.3),
            lambda: sender.loan(timeout=0.3),
            lambda: tb.Client("nobody.there", timeout=0.3),
        ]
        for work in waits:
            done = threading.Event()

            def attempt(work: Callable[[], object] = work, done: threading.Event = done) -> None:
                with pytest.raises((tb.Timeout, tb.Full, tb.NotFound)):
                    work()
                done.set()

            thread = threading.Thread(target=attempt)
            thread.start()
            rounds = 0
            while not done.is_set():
                time.sleep(0.005)
                rounds += 1
            thread.join()
            assert rounds > 5, "this thread stood still while the other waited"
        for record in held:
            record.release()


def test_a_large_assignment_lets_other_threads_run() -> None:
    class Large(tb.Record, name="test.gil"):
        data = tb.u8(1 << 26)

    record = Large.empty(1)
    value = bytes(1 << 26)
    ticks: list[float] = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    for _ in range(5):
        record.data[0] = value
        record.data[:] = memoryview(value).cast("B", (1, 1 << 26))
    end = time.perf_counter()
    stop.set()
    thread.join()
    assert sum(start < moment < end for moment in ticks) >= 5


def test_a_call_that_is_interrupted_gives_its_slot_back(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=2)
    started, finish = threading.Event(), threading.Event()

    def slow(number: Number, answer: Number) -> None:
        started.set()
        finish.wait(10)
        answer.value = 1

    def interrupt() -> None:
        started.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    with answering(name, slow), tb.Client(name, Number, Number) as client:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            client.call(value=1)
        thread.join()
        finish.set()
        assert client.call(value=1).value.item() == 1
    assert service.free_slots == 2
