"""What it costs to open a field as a tensor, beside what the framework itself takes.

    python benches/open_field.py torch|tf|jax|numpy [--runs 3] [--rounds 100] [--calls 100]

One framework a process: they slow each other down. Opening is ``record.field.torch()``, as a program writes it; the floor is
what the framework takes for memory that is described to it already: a DLPack capsule that is ready, or for NumPy a
buffer, a shape and a dtype. Both are measured in turns, nothing is read or written, and a line of JSON has the median and the 99th
percentile over rounds of the mean over calls, in nanoseconds, of each run.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorbridge as tb

Way = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[], Any]]


class Batch(tb.Record, name="bench.batch"):
    pixels = tb.f32(3, 224, 224)


def with_torch(batch: Batch) -> Way:
    import torch

    return (
        lambda: batch.pixels.torch(),
        torch._C._from_dlpack,
        lambda: batch.pixels.__dlpack__(max_version=(1, 0)),
    )


def with_tf(batch: Batch) -> Way:
    import tensorflow as tf
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.eager import context

    tf.constant(0)
    runtime = context.context()._handle
    return (
        lambda: batch.pixels.tf(),
        lambda ready: pywrap_tfe.TFE_FromDlpackCapsule(ready, runtime),
        lambda: batch.pixels.__dlpack__(),
    )


def with_jax(batch: Batch) -> Way:
    import jax
    from jax._src.lib import _jax

    device = jax.local_devices(backend="cpu")[0]
    take = _jax.dlpack_managed_tensor_to_buffer
    return (
        lambda: batch.pixels.jax(),
        lambda ready: take(ready, device, None, None, 1),
        lambda: batch.pixels.__dlpack__(),
    )


def with_numpy(batch: Batch) -> Way:
    view, shape = memoryview(batch.pixels), batch.pixels.shape
    return lambda: batch.pixels.numpy(), lambda ready: np.ndarray(shape, np.float32, ready), lambda: view


FRAMEWORKS = {"torch": with_torch, "tf": with_tf, "jax": with_jax, "numpy": with_numpy}


def measure(work: Callable[[Any], Any], inputs: list[Any]) -> tuple[float, float]:
    """Nanoseconds to make a thing, and to let go of it: means over the inputs."""
    calls = len(inputs)
    kept: list[Any] = [None] * calls
    start = time.perf_counter_ns()
    for index in range(calls):
        kept[index] = work(inputs[index])
    middle = time.perf_counter_ns()
    for index in range(calls):
        kept[index] = None
    end = time.perf_counter_ns()
    return (middle - start) / calls, (end - middle) / calls


def percentiles(values: list[float]) -> dict[str, int]:
    ordered = sorted(values)
    return {"p50": round(statistics.median(ordered)), "p99": round(ordered[len(ordered) * 99 // 100])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=FRAMEWORKS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--calls", type=int, default=100)
    options = parser.parse_args()

    opening, floor, ready = FRAMEWORKS[options.framework](Batch.empty(32))
    runs = []
    gc.disable()
    for _ in range(options.runs):
        times: list[list[float]] = [[], [], [], []]
        for _ in range(options.rounds):
            ours = measure(lambda _: opening(), [None] * options.calls)
            theirs = measure(floor, [ready() for _ in range(options.calls)])
            for kept, value in zip(times, (*ours, *theirs), strict=True):
                kept.append(value)
        names = ("open", "let_go", "floor_open", "floor_let_go")
        runs.append({name: percentiles(values) for name, values in zip(names, times, strict=True)})
    gc.enable()
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
