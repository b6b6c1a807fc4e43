"""A line of a curve: `python curve.py clients|resnet LINE --seconds S`. Prints a line of JSON for each point.

clients: calls in a second, from 1 to 64 client processes that write a request anew for each call. resnet: nanoseconds that a call
of ResNet-50 takes, with the way to get there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from systems import NETWORK, VALUES, How, best_two, model, written_request

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SYSTEMS = {
    "tensorbridge, adaptive": "ours:adaptive",
    "tensorbridge, blocking": "ours:block",
    "iceoryx2, blocking": "iceoryx",
    "ZeroMQ": "zeromq",
    "raw HTTP, uvicorn": "http_bytes:uvicorn",
    "gRPC": "grpc_bytes",
    "Mosec": "mosec_http",
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
    try:
        with module.connect(address, how) as calls:
            calls.written(1.0)
            start.wait()
            count, begin = 0, time.monotonic()
            while time.monotonic() < begin + seconds:
                value = VALUES[count % len(VALUES)]
                if (found := calls.written(value)) != value:
                    raise ValueError(f"sent {value}, was answered {found}")
                count += 1
            done.put((count, time.monotonic() - begin))
    except BaseException as error:
        # Nobody waits for a client that is gone.
        start.abort()
        done.put(f"{type(error).__name__}: {error}")
        raise


def clients(line: str, seconds: float) -> None:
    module, how = module_of(line)
    # Forked before this process has threads or connections: 64 interpreters would take longer to start than to measure.
    context = multiprocessing.get_context("fork")
    with module.listening(how) as address:
        for number in CLIENTS:
            start, done = context.Barrier(number), context.Queue()
            arguments = (module, address, how, start, seconds, done)
            processes = [context.Process(target=call_for, args=arguments, daemon=True) for _ in range(number)]
            for process in processes:
                process.start()
            told = [done.get(timeout=120) for _ in processes]
            for process in processes:
                process.join()
            if failures := [words for words in told if isinstance(words, str)]:
                raise SystemExit(f"{number} clients: {failures[0]}")
            # The last call of each is waited for, and counts.
            tell(line, number, sum(count for count, _ in told) / max(took for _, took in told))


WITHIN = 1e-4
"""How far an answer of the network may be from another, of its own size: what another way to add up makes of it."""


def median_ns(call: Callable[[float], float], answers: dict[float, float], seconds: float) -> float:
    durations, turn = [], list(answers)
    call(turn[0])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or len(durations) < 5:
        value = turn[len(durations) % len(turn)]
        start = time.perf_counter_ns()
        found = call(value)
        durations.append(time.perf_counter_ns() - start)
        if not math.isclose(found, answers[value], rel_tol=WITHIN):
            raise SystemExit(f"sent {value}, the network says {answers[value]}, was answered {found}")
    return statistics.median(durations)


def resnet(line: str, seconds: float) -> None:
    """Every answer is what the same network says here to the same request."""
    os.environ[NETWORK] = "1"
    answers = {}
    for value in (-1.0, -2.0):
        best, second = best_two(written_request(value))
        if math.isclose(best, second, rel_tol=10 * WITHIN):
            raise SystemExit(f"two labels are as good for {value}: {best}, {second}")
        answers[value] = best
    if math.isclose(answers[-1.0], answers[-2.0], rel_tol=10 * WITHIN):
        raise SystemExit(f"the network says the same to both requests: {answers}")
    if line == "the model alone":
        pixels = {value: written_request(value) for value in answers}
        tell(line, 1, median_ns(lambda value: model(pixels[value]), answers, 4 * seconds))
        return
    module, how = module_of(line)
    with module.open(how) as calls:
        tell(line, 1, median_ns(calls.written, answers, 4 * seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curve", choices=["clients", "resnet"])
    parser.add_argument("line")
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    {"clients": clients, "resnet": resnet}[options.curve](options.line, options.seconds)


if __name__ == "__main__":
    main()
