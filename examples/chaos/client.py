"""A client: calls until it is told to end, or is killed. `src/client.rs` does the same in Rust."""

import asyncio
import random
import sys
import threading
import time

import tensorbridge as tb
from model import answer_to, numbers
from records import Answer, Question

REPORT = 0.05
"""Seconds between two lines with the counts."""

ANSWERED, DIED, GIVEN_UP = range(3)
"""How a call ended, and where it is counted."""


def patience() -> float:
    """How many seconds a call may take: now and then fewer than it takes."""
    return random.random() * 0.02 if random.random() < 0.1 else 60.0


class Line:
    """A line to one of the services."""

    def __init__(self, name: str, may_die: bool) -> None:
        self.client = tb.Client(name, Question, Answer, timeout=60.0)
        self.may_die = may_die
        self.kept = None

    def call(self) -> int:
        """How the call ended."""
        if random.random() < 0.08:
            self.client.loan().release()
        identity, seconds = random.getrandbits(64), patience()
        try:
            answer = self.client.call(id=identity, numbers=numbers(identity), timeout=seconds)
        except tb.Error as error:
            return self.ended(error, seconds)
        return self.check(answer, identity)

    async def call_async(self, cancels: bool) -> int:
        """How the call ended. One that its caller cancels has no deadline that the worker knows of."""
        identity, seconds = random.getrandbits(64), patience()
        try:
            async with asyncio.timeout(seconds if cancels and seconds < 60.0 else None):
                answer = await self.client.call_async(
                    id=identity, numbers=numbers(identity), timeout=60.0 if cancels else seconds
                )
        except tb.Error as error:
            return self.ended(error, seconds)
        except TimeoutError:
            return GIVEN_UP
        return self.check(answer, identity)

    async def call_several(self) -> list[int]:
        calls = [self.call_async(random.random() < 0.5) for _ in range(random.randint(2, 6))]
        return await asyncio.gather(*calls)

    def ended(self, error: tb.Error, seconds: float) -> int:
        if isinstance(error, tb.WorkerDied) and self.may_die and error.attempts == 1:
            return DIED
        if isinstance(error, (tb.Timeout, tb.Full)) and seconds < 60.0:
            return GIVEN_UP
        raise error

    def check(self, answer: Answer, identity: int) -> int:
        expected, total = answer_to(numbers(identity))
        found = answer.numbers.numpy()
        assert (found == expected).all(), f"numbers of the answer to {identity}"
        assert (int(answer.id), int(answer.sum)) == (identity, total), f"id and sum of the answer to {identity}"
        if random.random() < 0.2:
            self.let_go()
            # An alias, which is read again later, when much else has happened.
            self.kept = (found, expected)
        return ANSWERED

    def let_go(self) -> None:
        """Reads the answer that was kept once more: nobody may have touched it."""
        if self.kept is not None:
            found, expected = self.kept
            assert (found == expected).all(), "of an answer that was kept"
            self.kept = None


def call_until_told(run: str) -> None:
    told = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), told.set()), daemon=True).start()
    lines = [Line(f"{run}.repeatable", False), Line(f"{run}.mutating", True), Line(f"{run}.batching", False)]
    counts = [0, 0, 0]
    reported = time.monotonic()
    with asyncio.Runner() as runner:
        while not told.is_set():
            line = random.choice(lines)
            ends = runner.run(line.call_several()) if random.random() < 0.1 else [line.call()]
            for end in ends:
                counts[end] += 1
            if time.monotonic() - reported >= REPORT:
                print(*counts, flush=True)
                reported = time.monotonic()
    for line in lines:
        line.let_go()
    print(*counts, flush=True)


if __name__ == "__main__":
    random.seed(int(sys.argv[2]))
    try:
        call_until_told(sys.argv[1])
    except Exception as error:
        print("wrong", f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)
        raise
