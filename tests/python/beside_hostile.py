"""A client or a worker beside a peer that scribbles over the arena: whatever a client is told is an answer or one of
tensorbridge's errors, and nothing ends a worker but the end of its host."""

import sys
import threading
import time
from typing import Any

import tensorbridge as tb

DEADLINE = 0.05
HANGS = 10.0


def call(name: str, end: float) -> None:
    client: Any = None
    while (start := time.monotonic()) < end:
        try:
            if client is None:
                client = tb.Client(name, timeout=DEADLINE)
            with client.loan() as text:
                text.seq = 7
                text.ids[:] = [1] * 7
                seen = text.call()
            for field in seen:
                memoryview(seen[field]).tobytes()
        except tb.HostDied:
            client = None
        except tb.Error:
            pass
        elapsed = time.monotonic() - start
        assert elapsed < HANGS, f"a call took {elapsed} s"


def answer(text: Any, seen: Any) -> None:
    seen.count = 2
    seen.which[:] = [[1, 2]]
    seen.sum[:] = text.ids.numpy().astype("i8").sum() & 0xFF


def serve(name: str, end: float) -> None:
    while (left := end - time.monotonic()) > 0:
        try:
            server: Any = tb.Server(name, timeout=DEADLINE)
        except tb.Error:
            continue
        with server:
            timer = threading.Timer(left, server.stop)
            timer.start()
            server.serve(answer)
            timer.cancel()


name, seconds, role = sys.argv[1], float(sys.argv[2]), sys.argv[3]
{"client": call, "worker": serve}[role](name, time.monotonic() + seconds)
