"""Batches: a server takes the requests that lie side by side as one run, and each caller gets its own reply."""

from __future__ import annotations

import gc
import random
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, Program, answering, eventually
from programs.batching import Numbers, Sum, add_up, check_calls
from records import Number

Run = Callable[..., Program]
Gather = Literal["auto", "never", "always"]

# So long that a run is waited for until it is whole, however slow the machine is.
PATIENT = 60.0


class Mixed(tb.Record, name="test.mixed"):
    """Fields of several dtypes, each of a multiple of 64 bytes."""

    pixels = tb.f32(16)
    bytes = tb.u8(2, 32)
    ids = tb.i64(8)


class Text(tb.Record, name="test.text"):
    """A text of any length up to 8."""

    seq = tb.Dim(1, 8)
    ids = tb.i64(seq, pad=-100)
    mask = tb.bool_(seq, optional=True)


class Tags(tb.Record, name="test.tags"):
    """A tag for each token."""

    seq = tb.Dim(1, 8)
    tags = tb.i64(seq)


class Calls:
    """Calls that are made at the same time, each in a thread."""

    def __init__(self, name: str, requests: list[dict[str, Any]]) -> None:
        self.results: list[Any] = [None] * len(requests)
        self.client: tb.Client[Any, Any] = tb.Client(name, timeout=60.0)
        self.threads = [
            threading.Thread(target=self._call, args=(at, request)) for at, request in enumerate(requests)
        ]
        for thread in self.threads:
            thread.start()

    def _call(self, at: int, request: dict[str, Any]) -> None:
        try:
            with self.client.call(**request) as reply:
                found = {name: field.numpy().copy() for name, field in reply.items()}
                self.results[at] = {name: value.tolist() for name, value in found.items()}
        except tb.Error as error:
            self.results[at] = error

    def end(self) -> list[Any]:
        for thread in self.threads:
            thread.join(90)
        self.client.close()
        return self.results


def numbers(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"value": number} for number in range(first, first + count)]


def test_a_batch_of_32_is_one_pointer_a_field_and_copies_nothing(hosts: Hosts, name: str) -> None:
    hosts.service(name, Mixed, Mixed, slots=32, ring_order=True)
    seen: list[tuple[Any, ...]] = []

    def handler(asked: Mixed, answer: Mixed) -> None:
        before = tb.copied()
        for run in (asked, answer):
            for field in (run.pixels, run.bytes, run.ids):
                tensor, array = field.torch(), field.numpy()
                seen.append((tuple(tensor.shape), tensor.is_contiguous(), array.flags.c_contiguous))
                seen.append((tensor.data_ptr() == array.ctypes.data == field.data_ptr,))
        torch.add(asked.pixels.torch(), 1, out=answer.pixels.torch())
        np.bitwise_not(asked.bytes.numpy(), out=answer.bytes.numpy())
        np.negative(asked.ids.numpy(), out=answer.ids.numpy())
        seen.append((tb.copied() == before,))

    requests = [
        {
            "pixels": np.full(16, at, np.float32),
            "bytes": np.full((2, 32), at, np.uint8),
            "ids": np.arange(at, at + 8),
        }
        for at in range(32)
    ]
    calls = Calls(name, requests)
    with answering(name, handler, Mixed, Mixed, max_batch=32, max_wait=PATIENT):
        results = calls.end()
    shapes = [(32, 16), (32, 2, 32), (32, 8)]
    assert seen == [row for shape in shapes * 2 for row in ((shape, True, True), (True,))] + [(True,)]
    for at, result in enumerate(results):
        assert result["pixels"] == [at + 1.0] * 16
        assert result["bytes"] == [[255 - at] * 32] * 2
        assert result["ids"] == [-at - number for number in range(8)]


@pytest.mark.parametrize("slots", [16, 24])
def test_clients_that_call_again_at_once_fill_the_runs(hosts: Hosts, name: str, slots: int) -> None:
    hosts.service(name, Numbers, Sum, slots=slots, ring_order=True)
    sizes: list[int] = []

    def handler(asked: Numbers, answer: Sum) -> None:
        add_up(asked, answer)
        sizes.append(asked.records or 0)

    stop = threading.Event()

    def caller(number: int) -> None:
        with tb.Client(name, Numbers, Sum) as client:
            while not stop.is_set():
                with client.call(caller=number, terms=np.full(8, number, np.uint64)) as answer:
                    assert (int(answer.caller), int(answer.total)) == (number, number * 8)

    with answering(name, handler, Numbers, Sum, max_batch=8, max_wait=0.5):
        threads = [threading.Thread(target=caller, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        assert eventually(lambda: len(sizes) >= 100, 120)
        # Whoever ends makes the last runs short.
        counted = list(sizes)
        stop.set()
        for thread in threads:
            thread.join(60)
    assert max(counted) <= 8
    # How full they are to the last row is a matter of speed, for a benchmark: here it is no accident that they fill.
    assert sum(counted) / len(counted) >= 4, counted


def test_every_reply_of_threads_and_processes_is_right(hosts: Hosts, run: Run, name: str) -> None:
    hosts.service(name, Numbers, Sum, slots=12, ring_order=True)
    with answering(name, add_up, Numbers, Sum, max_batch=8), answering(
        name, add_up, Numbers, Sum, max_batch=3, max_wait=0.001
    ):
        programs = [run("batching.py", "call", name) for _ in range(2)]
        sizes = check_calls(name, 4, 150)
        assert len(sizes) == 600 and max(sizes) <= 8
        for program in programs:
            status, output, errors = program.finish()
            assert (status, output) == (0, "right\n"), errors


def test_an_exception_reaches_every_caller_of_the_run(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=3, ring_order=True)

    def handler(asked: Number, answer: Number) -> None:
        raise KeyError(f"{asked.records} at once")

    calls = Calls(name, numbers(3))
    with answering(name, handler, Number, Number, max_batch=3, max_wait=PATIENT):
        results = calls.end()
    assert [type(result) for result in results] == [tb.Remote] * 3
    assert all("3 at once" in str(result) for result in results)


def test_what_a_handler_keeps_keeps_every_slot_of_the_run(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=4, ring_order=True)
    kept: list[Any] = []

    def handler(asked: Number, answer: Number) -> None:
        answer.value = asked.value.numpy() * 2
        kept.append(asked.value.numpy())

    calls = Calls(name, numbers(4))
    with answering(name, handler, Number, Number, max_batch=4, max_wait=PATIENT):
        assert [result["value"] for result in calls.end()] == [0, 2, 4, 6]
        assert service.free_slots == 0
        assert sorted(kept[0].tolist()) == [0, 1, 2, 3]
        kept.clear()
        gc.collect()
        assert eventually(lambda: service.free_slots == 4)


def test_a_write_into_any_request_of_the_run_is_found(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=3, ring_order=True)

    def handler(asked: Number, answer: Number) -> None:
        answer.value = 1
        asked.value.torch()[-1] = 77

    calls = Calls(name, numbers(3))
    with answering(name, handler, Number, Number, max_batch=3, max_wait=PATIENT):
        results = calls.end()
    assert ["wrote into its request (value)" in str(result) for result in results] == [True] * 3


def test_requests_of_different_lengths_are_padded(hosts: Hosts, name: str) -> None:
    hosts.service(name, Text, Tags, slots=3, ring_order=True)
    seen: list[Any] = []

    def handler(asked: Text, answer: Tags) -> None:
        lengths = asked.dims["seq"]
        assert asked.mask is not None
        seen.append((sorted(lengths.tolist()), asked.ids.shape, asked.mask.present.sum()))
        # Filling what some lack is no write into a request.
        mask = asked.mask.filled(True).numpy()
        answer.set(seq=asked.ids.shape[1], tags=asked.ids.numpy() * 10 + mask)

    texts: list[dict[str, Any]] = [
        {"seq": 2, "ids": [1, 2], "mask": [False, False]},
        {"seq": 4, "ids": [3, 4, 5, 6]},
        {"seq": 1, "ids": [7]},
    ]
    before = tb.copied()["padded"]
    calls = Calls(name, texts)
    with answering(name, handler, Text, Tags, max_batch=3, max_wait=PATIENT):
        results = calls.end()
    assert seen == [([1, 2, 4], (3, 4), 1)]
    assert [result["tags"] for result in results] == [
        [10, 20, -1000, -1000],
        [31, 41, 51, 61],
        [71, -999, -999, -999],
    ]
    assert tb.copied()["padded"] > before


def test_each_reply_has_a_length_of_its_own(hosts: Hosts, name: str) -> None:
    hosts.service(name, Text, Tags, slots=3, ring_order=True)
    seen: list[Any] = []

    def handler(asked: Text, answer: Tags) -> None:
        for wrong in ([1, 2], [1, 2, 9], [1, 2, -1]):
            with pytest.raises((ValueError, tb.DimOutOfRange)):
                answer.seq = wrong
        answer.seq = asked.dims["seq"] * 2
        answer.tags[:] = np.repeat(asked.ids.numpy(), 2, axis=1)
        seen.append((answer.tags.shape, answer.row(0).tags.shape, answer.dims["seq"].tolist(), answer.present))

    calls = Calls(name, [{"seq": length, "ids": np.full(length, length)} for length in (1, 3, 2)])
    with answering(name, handler, Text, Tags, max_batch=3, max_wait=PATIENT):
        results = calls.end()
    [(shape, first, lengths, present)] = seen
    assert (shape, first, sorted(lengths), present) == ((3, 6), (lengths[0],), [2, 4, 6], {"tags": True})
    assert [result["tags"] for result in results] == [[1] * 2, [3] * 6, [2] * 4]


def test_one_request_of_a_run_can_fail_alone(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=3, ring_order=True)

    def handler(asked: Number, answer: Number) -> None:
        answer.value = asked.value.numpy() * 2
        for row, value in enumerate(asked.value.numpy()):
            if value == 1:
                answer.fail(row, KeyError("no such number"))
        with pytest.raises(IndexError):
            answer.fail(3, "there is no such row")
        with pytest.raises(tb.WrongKind):
            asked.fail(0, "a request does not fail")

    calls = Calls(name, numbers(3))
    with answering(name, handler, Number, Number, max_batch=3, max_wait=PATIENT):
        results = calls.end()
    failed = results.pop(1)
    assert isinstance(failed, tb.Remote) and failed.type_name == "KeyError" and "no such number" in str(failed)
    assert [result["value"] for result in results] == [0, 4]


@pytest.mark.parametrize("gather", ["auto", "never", "always"])
def test_requests_with_holes_between_them_are_gathered_or_not(hosts: Hosts, name: str, gather: Gather) -> None:
    hosts.service(name, Mixed, Mixed, slots=8, ring_order=True)
    seen: list[Any] = []
    kept: list[Any] = []

    def handler(asked: Mixed, answer: Mixed) -> None:
        seen.append((asked.records, asked.pixels.torch().is_contiguous(), asked.ids.shape))
        torch.add(asked.pixels.torch(), 1, out=answer.pixels.torch())
        answer.bytes[:] = asked.bytes
        answer.ids[:] = asked.ids
        kept.append(asked.ids.numpy())

    before = tb.copied()["hole"]
    with tb.Client(name, Mixed, Mixed, timeout=60.0) as client:
        loans, holes = [], []
        for at in range(4):
            loan = client.loan()
            loan.set(pixels=np.full(16, at, np.float32), bytes=np.full((2, 32), at, np.uint8), ids=np.full(8, at))
            loans.append(loan)
            holes.append(client.loan())
        results: list[Any] = [None] * 4

        def call(at: int) -> None:
            with loans[at].call() as reply:
                results[at] = (reply.pixels.numpy().tolist(), reply.bytes.numpy().tolist(), reply.ids.tolist())

        threads = [threading.Thread(target=call, args=(at,)) for at in range(4)]
        for thread in threads:
            thread.start()
        wait = 0.0 if gather == "never" else PATIENT
        with answering(name, handler, Mixed, Mixed, max_batch=4, max_wait=wait, gather=gather):
            for thread in threads:
                thread.join(60)
        for hole in holes:
            hole.release()
        assert results == [([at + 1.0] * 16, [[at] * 32] * 2, [at] * 8) for at in range(4)]
        # What a handler keeps of a run in its own memory keeps no slot.
        assert client.pins() == [] or gather == "never"
    shapes = [(1, True, (1, 8))] * 4 if gather == "never" else [(4, True, (4, 8))]
    assert seen == shapes
    assert sorted(row for array in kept for row in array[:, 0].tolist()) == [0, 1, 2, 3]
    assert tb.copied()["hole"] - before == (0 if gather == "never" else 4 * 2 * (64 + 64 + 64))


def test_the_requests_of_a_killed_worker_are_answered_one_by_one(hosts: Hosts, run: Run, name: str) -> None:
    service = hosts.service(name, Numbers, Sum, slots=4, ring_order=True)
    worker = run("batching.py", "hold", name)
    requests = [{"caller": at, "terms": np.arange(at, at + 8, dtype=np.uint64)} for at in range(4)]
    calls = Calls(name, requests)
    assert worker.line() == "4"
    worker.signal(signal.SIGKILL)
    worker.process.wait()
    with answering(name, add_up, Numbers, Sum, max_batch=4, max_wait=PATIENT):
        results = calls.end()
    assert results == [{"caller": at, "total": 8 * at + 28, "together": 1} for at in range(4)]
    assert eventually(lambda: service.free_slots == 4)


@pytest.mark.parametrize("gather", ["never", "always"])
def test_nobody_is_told_what_a_killed_worker_made_of_requests_that_it_may_write_into(
    hosts: Hosts, run: Run, name: str, gather: Gather
) -> None:
    service = hosts.service(name, Numbers, Sum, slots=16, ring_order=True, mutates_request=True)
    over, right = threading.Event(), threading.Semaphore(0)
    given_up: list[tb.WorkerDied] = []
    wrong: list[object] = []

    def caller(number: int) -> None:
        source = random.Random(number)
        with tb.Client(name, Numbers, Sum) as client:
            while not over.is_set():
                terms = np.array([source.getrandbits(64) for _ in range(8)], np.uint64)
                try:
                    with client.call(caller=number, terms=terms) as answer:
                        told = int(answer.caller), int(answer.total)
                except tb.WorkerDied as error:
                    given_up.append(error)
                    continue
                if told == (number, sum(terms.tolist()) % 2**64):
                    right.release()
                else:
                    wrong.append((number, terms, told))

    callers = [threading.Thread(target=caller, args=(1 + at,)) for at in range(6)]
    for thread in callers:
        thread.start()
    held = 0
    for answered in (0, 1, 5):
        worker = run("batching.py", "scribble", name, gather, str(answered))
        held += int(worker.line())
        worker.signal(signal.SIGKILL)
        worker.process.wait()
    with answering(name, add_up, Numbers, Sum, max_batch=4, mutates_request=True):
        for _ in range(200):
            assert right.acquire(timeout=60)
        over.set()
        for thread in callers:
            thread.join(60)
    assert not wrong
    assert len(given_up) == held == service.metrics().recoveries.given_up
    assert {error.attempts for error in given_up} == {1}
    assert eventually(lambda: service.free_slots == 16)


def test_a_poisonous_request_does_not_condemn_its_batch(run: Run, name: str) -> None:
    program = run("batching.py", "serve", name)
    program.until("serving")
    requests = [{"caller": at, "terms": np.full(8, 11 + at, np.uint64)} for at in range(4)]
    results = Calls(name, requests).end()
    poisonous = results.pop(2)
    assert isinstance(poisonous, tb.WorkerDied) and poisonous.attempts == 3, poisonous
    assert results == [{"caller": at, "total": 8 * (11 + at), "together": 1} for at in (0, 1, 3)]
    program.signal(signal.SIGTERM)
    assert program.finish()[0] == 0


def test_a_run_that_stays_short_is_answered_when_its_time_is_up(hosts: Hosts, name: str) -> None:
    hosts.service(name, Numbers, Sum, slots=8, ring_order=True)
    with (
        answering(name, add_up, Numbers, Sum, max_batch=4, max_wait=0.01),
        tb.Client(name, Numbers, Sum) as client,
    ):
        for _ in range(20):
            answer = client.call(caller=1, terms=np.ones(8, np.uint64))
            assert (int(answer.total), int(answer.together)) == (8, 1)
            answer.release()


def test_a_server_that_waits_for_more_stops_when_it_is_told_to(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=4, ring_order=True)
    calls = Calls(name, numbers(2, first=5))

    def double(asked: Number, answer: Number) -> None:
        answer.value = asked.value.numpy() * 2

    with answering(name, double, Number, Number, max_batch=3, max_wait=PATIENT):
        pass
    with answering(name, double, Number, Number, max_batch=2, max_wait=PATIENT):
        assert [result["value"] for result in calls.end()] == [10, 12]
