"""Services that tests start in processes of their own."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import tensorbridge as tb
from shared import Number

NAME = os.environ["TEST_SERVICE"]
NOTES = Path(os.environ.get("TEST_NOTES", "/nonexistent"))


def note(text: str) -> None:
    """Leaves a line for the test to read."""
    with NOTES.open("a") as notes:
        notes.write(f"{text} {os.getpid()}\n")


@tb.service(NAME, Number, Number, slots=8)
class Worker:
    """Answers with its process id, and does what a request tells it to."""

    def __init__(self) -> None:
        self.calls = 0
        note("made")

    def __call__(self, number: Number, answer: Number) -> None:
        self.calls += 1
        match int(number.value):
            case 0:
                answer.value = os.getpid()
            case 1:
                note("slow")
                time.sleep(1.0)
                answer.value = os.getpid()
                note("slow done")
            case 2:
                # Whoever sees the request first dies of it.
                first = NOTES.with_suffix(".killed")
                if not first.exists():
                    first.write_text("")
                    os.kill(os.getpid(), signal.SIGKILL)
                answer.value = os.getpid()
            case 3:
                note("stuck")
                while True:
                    time.sleep(1000)
            case 4:
                raise ValueError("four")
            case 5:
                answer.value = self.calls
            case 6:
                # Whoever sees the request dies of it.
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                answer.value = int("TENSORBRIDGE_SERVICE" in os.environ)


@tb.service(NAME, Number, Number)
class Broken:
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no weights")

    def __call__(self, number: Number, answer: Number) -> None: ...


@tb.service(NAME, Number, Number)
class Second(Worker):
    """Cannot be made a second time."""

    def __init__(self) -> None:
        first = NOTES.with_suffix(".second")
        if first.exists():
            raise RuntimeError("not again")
        first.write_text("")
        super().__init__()


@tb.service(NAME, Number, Number)
class Slow(Worker):
    """Takes for ever to be made."""

    def __init__(self) -> None:
        note("made")
        time.sleep(1000)


if __name__ == "__main__":
    kinds = {"worker": Worker, "broken": Broken, "second": Second, "slow": Slow}
    restarts = os.environ.get("TEST_RESTARTS", "10")
    tb.serve(kinds[sys.argv[1]], workers=int(sys.argv[2]), restarts=int(restarts), backoff=0.02, grace=2.0)
