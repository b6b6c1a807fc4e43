"""Measures one system: `python measure.py SYSTEM --wait spinning|blocking --seconds S --into DIRECTORY`.

Four cases: the request lies ready or is written anew, and the server reads one number of it or all. Each is a line of JSON; the
durations of its calls, in nanoseconds as 64-bit words, are in the file that the line names, one slice after the other: whoever
reads them knows how the machine was while a slice lasted.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import processes
from systems import VALUES, How, expected, pin_client

SLICES = 20
"""Parts of a case, of equal length."""
MOST = 200_000
"""Calls of a case."""
WARMING = 5
"""Calls at least before them."""


def repeat(call: Callable[[float], float], turns: Iterator[tuple[float, float]], seconds: float, least: int, most: int) -> array[int]:
    """Times calls one by one, and checks every answer."""
    clock, durations = time.perf_counter_ns, array("Q")
    deadline = clock() + int(seconds * 1e9)
    for number, (value, wanted) in enumerate(itertools.islice(turns, most), 1):
        start = clock()
        answer = call(value)
        end = clock()
        if answer != wanted:
            raise SystemExit(f"sent {value}, expected {wanted}, was answered {answer}")
        durations.append(end - start)
        if end > deadline and number >= least:
            break
    return durations


def case(call: Callable[[float], float], written: bool, touched: bool, seconds: float) -> tuple[dict[str, Any], array[int]]:
    values = [-value if touched else value for value in VALUES]
    turns = itertools.cycle([(value, expected(value, written)) for value in values])
    repeat(call, turns, seconds / 4, WARMING, MOST)
    others = processes.descendants(os.getpid())
    durations, slices = array("Q"), []
    for _ in range(SLICES):
        theirs, mine, began = processes.cpu_ns(others), time.process_time_ns(), time.monotonic_ns()
        part = repeat(call, turns, seconds / SLICES, 1, MOST // SLICES)
        ended = time.monotonic_ns()
        durations += part
        slices.append({
            "began": began,
            "ended": ended,
            "calls": len(part),
            "client_cpu_ns": time.process_time_ns() - mine,
            "server_cpu_ns": processes.cpu_ns(others) - theirs,
        })
    return {
        "table": "written" if written else "ready",
        "touched": touched,
        "slices": slices,
        "client": processes.memory([os.getpid()]),
        "server": processes.memory(others),
        "processes": 1 + len(others),
    }, durations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", help="a module of `systems`, or module:variant")
    parser.add_argument("--wait", choices=["spinning", "blocking"], required=True)
    parser.add_argument("--seconds", type=float, default=1.0, help="the longest time for each case")
    parser.add_argument("--case", action="append", help="only this case, as ready-untouched; may be repeated")
    parser.add_argument("--into", type=Path, required=True, help="a directory for the durations")
    options = parser.parse_args()
    pin_client()
    module, _, variant = options.system.partition(":")
    system = importlib.import_module(f"systems.{module}")
    with system.open(How(options.wait == "spinning", variant)) as calls:
        for written in (False, True):
            for touched in (False, True):
                name = f"{'written' if written else 'ready'}-{'touched' if touched else 'untouched'}"
                if options.case and name not in options.case:
                    continue
                figures, durations = case(calls.written if written else calls.ready, written, touched, options.seconds)
                path = options.into / f"{name}.durations"
                path.write_bytes(durations.tobytes())
                print(json.dumps(figures | {"durations": path.name}), flush=True)


if __name__ == "__main__":
    main()
