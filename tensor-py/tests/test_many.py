"""Many rounds leave nothing behind, and threads that get in each other's way break nothing."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorbridge as tb
from conftest import Hosts, answering, eventually, open_files
from records import Number

ROUNDS = 20_000


def resident_kib() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


def test_many_rounds_leave_nothing_behind(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Number, slots=4)
    with tb.Sender(name, Number) as sender, tb.Receiver(name, Number) as receiver:

        def rounds(count: int) -> None:
            for number in range(count):
                with sender.loan() as record:
                    record.value.torch()[...] = number
                    record.send()
                with receiver.receive() as got:
                    assert got.value.torch().item() == number
                    assert got.value.numpy() == number

        rounds(2000)
        before, files = resident_kib(), len(open_files())
        rounds(ROUNDS)
        assert resident_kib() - before < 1024, "memory grows with the rounds"
        assert len(open_files()) == files and channel.free_slots == 4


def test_many_endpoints_leave_nothing_behind(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, slots=2)
    for _ in range(20):
        tb.Sender(name, Number).close()
    before = resident_kib()
    for _ in range(500):
        with tb.Sender(name, Number) as sender:
            sender.loan()
    assert resident_kib() - before < 4096


def test_failing_calls_leave_nothing_behind(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=2)

    def fail(number: Number, answer: Number) -> None:
        alias = number.value.numpy()
        raise ValueError(alias.shape)

    with answering(name, fail), tb.Client(name, Number, Number) as client:

        def rounds(count: int) -> None:
            for _ in range(count):
                try:
                    client.call(value=1)
                except tb.Remote:
                    continue

        rounds(200)
        before = resident_kib()
        rounds(1000)
        assert resident_kib() - before < 2048
    assert eventually(lambda: service.free_slots == 2)


def test_sending_while_another_thread_assigns(hosts: Hosts, name: str) -> None:
    class Large(tb.Record, name="test.race"):
        data = tb.u8(1 << 20)

    hosts.channel(name, Large, slots=4)
    ones, twos = np.full(1 << 20, 1, np.uint8), np.full(1 << 20, 2, np.uint8)
    late = 0
    with tb.Sender(name, Large) as sender, tb.Receiver(name, Large) as receiver:
        for _ in range(100):
            record = sender.loan()
            record.data[:] = ones
            started = threading.Event()

            def assign(record: Large = record, started: threading.Event = started) -> None:
                nonlocal late
                started.set()
                try:
                    record.data[:] = twos
                except tb.Released:
                    late += 1

            thread = threading.Thread(target=assign)
            thread.start()
            started.wait()
            record.send()
            with receiver.receive() as got:
                values = set(np.unique(got.data.numpy()).tolist())
            thread.join()
            assert values in ({1}, {2}), "half of an assignment was sent"


def test_releasing_while_another_thread_looks(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, slots=4)
    with tb.Sender(name, Number) as sender:
        for _ in range(200):
            record = sender.loan().set(value=3)

            def look(record: Number = record) -> None:
                try:
                    while True:
                        assert record.value.torch().item() == 3
                except tb.Released:
                    pass

            threads = [threading.Thread(target=look) for _ in range(2)]
            for thread in threads:
                thread.start()
            record.release()
            for thread in threads:
                thread.join()


def test_a_collection_may_come_back_to_the_same_record() -> None:
    """A finaliser that runs while an exception is made looks at the record that the exception is about."""
    record = Number.empty(1)
    field = record.value
    seen: list[str] = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            seen.append(repr(field))

    record.release()
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(50):
            Cycle()
            with pytest.raises(tb.Released):
                field.item()
            with pytest.raises(tb.Released):
                record.present  # noqa: B018
    finally:
        gc.set_threshold(*threshold)
    assert seen
