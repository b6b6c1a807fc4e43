"""Workers and callers of a crowd whose sums are integers: each reply is right to the last bit, or wrong."""

import os
import random
import sys
import threading
import time
from typing import Any

import numpy as np
import tensorbridge as tb

WORD = 2**64 - 1


def checksum(caller: int, number: int, terms: list[int]) -> int:
    total = caller * 31 + number & WORD
    for term in terms:
        rotated = (total << 5 | total >> 59) & WORD
        total = rotated * 0x9E3779B97F4A7C15 + term & WORD
    return total


def answer(asked: Any, answers: Any) -> None:
    rows = zip(asked.caller.numpy().tolist(), asked.number.numpy().tolist(), asked.terms.numpy().tolist(), strict=True)
    totals = [checksum(caller, number, terms) for caller, number, terms in rows]
    answers.caller = asked.caller.numpy()
    answers.number = asked.number.numpy()
    answers.total = np.array(totals, np.uint64)


def call(name: str, caller: int, times: int) -> None:
    dice = random.Random(caller)
    with tb.Client(name, timeout=60.0) as client:
        for number in range(times):
            terms = [dice.getrandbits(64) for _ in range(32)]
            with client.loan() as loan:
                loan.set(caller=caller, number=number)
                if dice.random() < 0.3:
                    time.sleep(dice.random() * 0.0003)
                loan.terms = np.array(terms, np.uint64)
                with loan.call() as reply:
                    found = int(reply.caller), int(reply.number), int(reply.total)
                    assert found == (caller, number, checksum(caller, number, terms)), found


def main(part: str, *rest: str) -> None:
    if part == "serve":
        with tb.Server(os.environ["TENSORBRIDGE_SERVICE"]) as server:
            server.serve(answer, max_batch=int(rest[0]), max_wait=float(rest[1]))
        return
    name, threads, times, first = rest[0], int(rest[1]), int(rest[2]), int(rest[3])
    failed: list[BaseException] = []

    def run(caller: int) -> None:
        try:
            call(name, caller, times)
        except BaseException as error:
            failed.append(error)
            raise

    callers = [threading.Thread(target=run, args=(caller,)) for caller in range(first, first + threads)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
