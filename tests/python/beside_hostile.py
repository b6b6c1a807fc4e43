"""A client beside a peer that scribbles over the arena: whatever it is told is an answer or one of tensorbridge's errors."""

import sys
import time

import tensorbridge as tb

DEADLINE = 0.05
HANGS = 10.0

name, seconds = sys.argv[1], float(sys.argv[2])
end = time.monotonic() + seconds
client = None
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
