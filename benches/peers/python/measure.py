"""Measures one system: `python measure.py SYSTEM --wait spinning|blocking --seconds S --into DIRECTORY`.

Four cases: the request lies ready or is written anew, and the server reads one number of it or all. Each is a line of JSON; the
durations of its calls, in nanoseconds as 64-bit words, are in the file that the line names.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
from systems import VALUES, How, expected, pin_client

LEAST = 5
MOST = 200_000


def repeat(call: Callable[[float], float], values: list[float], answers: list[float], seconds: float, most: int) -> array[int]:
    """Times calls one by one, and checks every answer."""
    clock, durations, turn = time.perf_counter_ns, array("Q"), len(values)
    deadline = clock() + int(seconds * 1e9)
    for number in range(most):
        value = values[number % turn]
        start = clock()
        answer = call(value)
        end = clock()
        if answer != answers[number % turn]:
            raise SystemExit(f"sent {value}, expected {answers[number % turn]}, was answered {answer}")
        durations.append(end - start)
        if end > deadline and number + 1 >= LEAST:
            break
    return durations


def case(call: Callable[[float], float], written: bool, touched: bool, seconds: float) -> tuple[dict[str, Any], array[int]]:
    values = [-value if touched else value for value in VALUES]
    answers = [expected(value, written) for value in values]
    repeat(call, values, answers, seconds / 4, MOST)
    others = processes.descendants(os.getpid())
    theirs, mine = processes.cpu_ns(others), time.process_time_ns()
    durations = repeat(call, values, answers, seconds, MOST)
    mine, theirs = time.process_time_ns() - mine, processes.cpu_ns(others) - theirs
    return {
        "table": "written" if written else "ready",
        "touched": touched,
        "client_cpu_ns": mine // len(durations),
        "server_cpu_ns": theirs // len(durations),
        "client": processes.memory([os.getpid()]),
        "server": processes.memory(others),
        "processes": 1 + len(others),
    }, durations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", help="a module of `systems`, or module:variant")
    parser.add_argument("--wait", choices=["spinning", "blocking"], required=True)
    parser.add_argument("--seconds", type=float, default=1.0, help="the longest time for each case")
    parser.add_argument("--into", type=Path, required=True, help="a directory for the durations")
    options = parser.parse_args()
    pin_client()
    module, _, variant = options.system.partition(":")
    system = importlib.import_module(f"systems.{module}")
    with system.open(How(options.wait == "spinning", variant)) as calls:
        for written in (False, True):
            # Everything is read before nothing is: the sum also checks what a written request left behind.
            for touched in (False, True):
                figures, durations = case(calls.written if written else calls.ready, written, touched, options.seconds)
                path = options.into / f"{figures['table']}-{'touched' if touched else 'untouched'}.durations"
                path.write_bytes(durations.tobytes())
                print(json.dumps(figures | {"durations": path.name}), flush=True)


if __name__ == "__main__":
    main()
