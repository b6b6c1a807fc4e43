"""Parts of tests of batches: workers that take runs, and clients that check what they are told."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import threading
import time
from typing import Any

import numpy as np
import tensorbridge as tb


class Numbers(tb.Record, name="test.numbers"):
    """What to add up."""

    caller = tb.u64()
    terms = tb.u64(8)


class Sum(tb.Record, name="test.sum"):
    """What it comes to, and in how large a run."""

    caller = tb.u64()
    total = tb.u64()
    together = tb.i64()


def add_up(numbers: Numbers, answer: Sum) -> None:
    """Sums without floats: each reply is either right or wrong."""
    answer.caller = numbers.caller.numpy()
    answer.total = numbers.terms.numpy().sum(axis=1, dtype=np.uint64)
    answer.together = np.full(len(numbers.caller), numbers.records)


def check_calls(name: str, threads: int, calls: int) -> list[int]:
    """Calls from several threads, some of which think between calls; the size of each call's run."""
    sizes: list[int] = []

    def caller(number: int) -> None:
        source = random.Random(number)
        with tb.Client(name, Numbers, Sum) as client:
            for _ in range(calls):
                terms = np.array([source.getrandbits(64) for _ in range(8)], np.uint64)
                loan = client.loan()
                loan.set(caller=number, terms=terms)
                if number % 2:
                    time.sleep(source.random() * 0.001)
                with loan.call() as answer:
                    assert int(answer.caller) == number
                    assert int(answer.total) == sum(terms.tolist()) % 2**64
                    sizes.append(int(answer.together))

    base = os.getpid() << 8
    callers = [threading.Thread(target=caller, args=(base + at,)) for at in range(threads)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    return sizes


@tb.service("batching", Numbers, Sum, slots=4, max_batch=4, max_wait=60.0)
class Worker:
    """Dies of a run with a 13."""

    def __call__(self, numbers: Numbers, answer: Sum) -> None:
        if (numbers.terms.numpy() == 13).any():
            os.kill(os.getpid(), signal.SIGKILL)
        add_up(numbers, answer)


def hold(numbers: Numbers, answer: Sum) -> None:
    """Never answers."""
    print(numbers.records, flush=True)
    time.sleep(1000)


def scribble(name: str, gather: Any, answered: str) -> None:
    """Answers so many runs, then no more; over the requests of each it has written something else."""
    runs = itertools.count()

    def handler(numbers: Numbers, answer: Sum) -> None:
        add_up(numbers, answer)
        numbers.terms.numpy()[:] = 2**64 - 1
        numbers.caller.numpy()[:] = 0
        if next(runs) >= int(answered) and numbers.records > 1:
            hold(numbers, answer)

    server = tb.Server(name, Numbers, Sum)
    server.serve(handler, max_batch=4, max_wait=0.001, gather=gather, mutates_request=True)


def main(part: str, name: str, *options: str) -> None:
    if part == "serve":
        tb.serve(Worker, name=name, backoff=0.01)
    elif part == "scribble":
        scribble(name, *options)
    elif part == "hold":
        tb.Server(name, Numbers, Sum).serve(hold, max_batch=4, max_wait=60.0)
    else:
        threads, calls = 2, 150
        assert len(check_calls(name, threads, calls)) == threads * calls
        print("right")


if __name__ == "__main__":
    main(*sys.argv[1:])
