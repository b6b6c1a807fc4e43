"""A line of a curve: `python curve.py clients|resnet LINE --seconds S`. Prints a line of JSON for each point.

clients: calls in a second, from 1 to 64 client processes that write a request anew for each call. resnet: nanoseconds that a call
of ResNet-50 takes, with the way to get there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from systems import NETWORK, VALUES, How

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SYSTEMS = {
    "tensorbridge": "ours:adaptive",
    "tensorbridge, blocking": "ours:block",
    "ZeroMQ": "zeromq",
    "raw HTTP, uvicorn": "http_bytes:uvicorn",
    "gRPC": "grpc_bytes",
    "JSON, FastAPI with orjson": "http_json:fast",
    "JSON, FastAPI as its tutorial": "http_json:tutorial",
    "embedded interpreter, copying": "embedded_call",
    "embedded interpreter, list": "embedded_call:list",
}


def tell(line: str, x: float, value: float) -> None:
    print(json.dumps({"line": line, "x": x, "value": value}), flush=True)


def module_of(line: str) -> tuple[Any, How]:
    name, _, variant = SYSTEMS[line].partition(":")
    return importlib.import_module(f"systems.{name}"), How(False, variant)


def call_for(module: Any, address: str, how: How, start: Any, seconds: float, done: Any) -> None:
    """One client: connects, waits for the others, and counts its calls."""
    with module.connect(address, how) as calls:
        calls.written(1.0)
        start.wait()
        count, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = VALUES[count % len(VALUES)]
            if calls.written(value) != value:
                raise SystemExit("a wrong answer")
            count += 1
        done.put(count)


def clients(line: str, seconds: float) -> None:
    module, how = module_of(line)
    seconds *= 4
    # Forked before this process has threads or connections: 64 interpreters would take longer to start than to measure.
    context = multiprocessing.get_context("fork")
    with module.listening(how) as address:
        for number in CLIENTS:
            start, done = context.Barrier(number), context.Queue()
            arguments = (module, address, how, start, seconds, done)
            processes = [context.Process(target=call_for, args=arguments, daemon=True) for _ in range(number)]
            for process in processes:
                process.start()
            counts = [done.get(timeout=60) for _ in processes]
            for process in processes:
                process.join()
            tell(line, number, sum(counts) / seconds)


def median_ns(call: Callable[[float], float], seconds: float) -> float:
    durations = []
    call(-1.0)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or len(durations) < 5:
        start = time.perf_counter_ns()
        call(-1.0)
        durations.append(time.perf_counter_ns() - start)
    return statistics.median(durations)


def resnet(line: str, seconds: float) -> None:
    os.environ[NETWORK] = "1"
    if line == "the model alone":
        from systems import model, request

        pixels = request(-1.0)
        tell(line, 1, median_ns(lambda _: model(pixels), 4 * seconds))
        return
    module, how = module_of(line)
    with module.open(how) as calls:
        tell(line, 1, median_ns(calls.written, 4 * seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curve", choices=["clients", "resnet"])
    parser.add_argument("line")
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    {"clients": clients, "resnet": resnet}[options.curve](options.line, options.seconds)


if __name__ == "__main__":
    main()
