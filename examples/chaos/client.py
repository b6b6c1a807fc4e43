"""A client: calls until it is told to end, or is killed. `src/client.rs` does the same in Rust."""

import random
import sys
import threading
import time

import tensorbridge as tb
from model import answer_to, numbers
from records import Answer, Question

REPORT = 0.05
"""Seconds between two lines with the counts."""


class Line:
    """A line to one of the services."""

    def __init__(self, name: str, may_die: bool) -> None:
        self.client = tb.Client(name, Question, Answer, timeout=60.0)
        self.may_die = may_die
        self.kept = None

    def call(self) -> bool:
        """Whether the call was answered."""
        if random.random() < 0.08:
            self.client.loan().release()
        identity = random.getrandbits(64)
        try:
            answer = self.client.call(id=identity, numbers=numbers(identity))
        except tb.WorkerDied as error:
            if not self.may_die or error.attempts != 1:
                raise
            return False
        expected, total = answer_to(numbers(identity))
        found = answer.numbers.numpy()
        assert (found == expected).all(), f"numbers of the answer to {identity}"
        assert (int(answer.id), int(answer.sum)) == (identity, total), f"id and sum of the answer to {identity}"
        if random.random() < 0.2:
            self.let_go()
            # An alias, which is read again later, when much else has happened.
            self.kept = (found, expected)
        return True

    def let_go(self) -> None:
        """Reads the answer that was kept once more: nobody may have touched it."""
        if self.kept is not None:
            found, expected = self.kept
            assert (found == expected).all(), "of an answer that was kept"
            self.kept = None


def call_until_told(run: str) -> None:
    told = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), told.set()), daemon=True).start()
    lines = [Line(f"{run}.repeatable", False), Line(f"{run}.mutating", True)]
    answered = died = 0
    reported = time.monotonic()
    while not told.is_set():
        if random.choice(lines).call():
            answered += 1
        else:
            died += 1
        if time.monotonic() - reported >= REPORT:
            print(answered, died, flush=True)
            reported = time.monotonic()
    for line in lines:
        line.let_go()
    print(answered, died, flush=True)


if __name__ == "__main__":
    random.seed(int(sys.argv[2]))
    try:
        call_until_told(sys.argv[1])
    except Exception as error:
        print("wrong", f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)
        raise
