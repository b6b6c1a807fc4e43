"""What it costs to open a field as a tensor, beside the floor of the framework itself.

    python benches/open_field.py [--rounds 150] [--calls 200] [--json]

Prints the median over rounds of the mean over calls, in nanoseconds: opening, and letting go. The floors are what the
framework takes for memory that is described to it already. Nothing is read or written.
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
import torch


class Batch(tb.Record, name="bench.batch"):
    pixels = tb.f32(3, 224, 224)


def measure(work: Callable[[], Any], rounds: int, calls: int) -> tuple[float, float]:
    """Nanoseconds to make a thing, and to let go of it."""
    kept: list[Any] = [None] * calls
    opened, dropped = [], []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for index in range(calls):
            kept[index] = work()
        middle = time.perf_counter_ns()
        for index in range(calls):
            kept[index] = None
        end = time.perf_counter_ns()
        opened.append((middle - start) / calls)
        dropped.append((end - middle) / calls)
    return statistics.median(opened), statistics.median(dropped)


def floors(
    frameworks: list[str], field: Any, batch: Any
) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any], dict[str, Any]]]:
    """Of each framework that is wanted: how we open a field, and how the framework takes a capsule that is ready."""
    found: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], dict[str, Any]]] = {}
    if "torch" in frameworks:
        found["torch"] = (lambda: batch.pixels.torch(), torch._C._from_dlpack, {"max_version": (1, 0)})
    if "tf" in frameworks:
        import tensorflow as tf
        from tensorflow.python import pywrap_tfe
        from tensorflow.python.eager import context

        tf.constant(0)
        runtime = context.context()._handle
        found["tf"] = (lambda: batch.pixels.tf(), lambda ready: pywrap_tfe.TFE_FromDlpackCapsule(ready, runtime), {})
    if "jax" in frameworks:
        import jax
        from jax._src.lib import _jax

        device = jax.local_devices(backend="cpu")[0]
        take = _jax.dlpack_managed_tensor_to_buffer
        found["jax"] = (lambda: batch.pixels.jax(), lambda ready: take(ready, device, None, None, 1), {})
    return found


def compare(framework: str, field: Any, way: Any, rounds: int, calls: int) -> dict[str, float]:
    """Nanoseconds of `record.field.framework()` and of the floor, in turns; medians."""
    opening, floor, keywords = way
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(measure(opening, 1, calls)[0])
        ready = [field.__dlpack__(**keywords) for _ in range(calls)]
        theirs.append(measure(lambda: floor(ready.pop()), 1, calls)[0])  # noqa: B023
    median, limit = statistics.median(ours), statistics.median(theirs)
    return {"open_ns": median, "floor_ns": limit, "ratio": median / limit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--frameworks", nargs="*", default=[], choices=["torch", "tf", "jax"], help="beside their floors")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()

    batch = Batch.empty(32)
    field = batch.pixels
    tensor, array = field.torch(), field.numpy()
    view = memoryview(field)
    planes = torch.ones(32, 3, 224, 224)
    small = torch.ones(1)

    class Small(tb.Record, name="bench.small"):
        value = tb.f32()

    number = Small.empty(1)

    def assign_small() -> None:
        number.value[:] = small

    def assign_number() -> None:
        number.value = 2.5

    ways: dict[str, Callable[[], Any]] = {
        "an empty function": lambda: None,
        "record.field": lambda: batch.pixels,
        "field.torch()": field.torch,
        "record.field.torch()": lambda: batch.pixels.torch(),
        "  floor: torch, capsule ready": lambda: torch._C._from_dlpack(field.__dlpack__(max_version=(1, 0))),
        "  floor: tensor.detach()": tensor.detach,
        "  torch.from_dlpack(field)": lambda: torch.from_dlpack(field),
        "field.numpy()": field.numpy,
        "record.field.numpy()": lambda: batch.pixels.numpy(),
        "  floor: np.asarray(memoryview)": lambda: np.asarray(view),
        "  np.asarray(field)": lambda: np.asarray(field),
        "  floor: array.view()": array.view,
        "memoryview(field)": lambda: memoryview(field),
        "field.__dlpack__()": field.__dlpack__,
        "field[:] = tensor of one": assign_small,
        "record.field = number": assign_number,
        "field.item()": number.value.item,
    }
    gc.disable()
    if options.frameworks:
        # Nothing else: each framework is measured in a process that has imported no other but torch.
        ways.clear()
    beside = {
        f"record.field.{framework}()": compare(framework, field, way, options.rounds, options.calls)
        for framework, way in floors(options.frameworks, field, batch).items()
    }
    results = {name: measure(work, options.rounds, options.calls) for name, work in ways.items()}
    gc.enable()
    if options.frameworks:
        for name, row in beside.items():
            print(f"{name:22} {row['open_ns']:8.0f} ns   floor {row['floor_ns']:6.0f} ns   {row['ratio']:.2f}x")
        if options.json:
            print(json.dumps(beside))
        return
    if options.json:
        print(json.dumps({name.strip(): {"open_ns": a, "drop_ns": b} for name, (a, b) in results.items()}))
        return
    for name, (opened, dropped) in results.items():
        print(f"{name:34} {opened:8.0f} ns   let go {dropped:6.0f} ns")
    start = time.perf_counter()
    field[:] = planes
    seconds = time.perf_counter() - start
    print(f"field[:] = tensor of {field.nbytes >> 20} MiB: {field.nbytes / seconds / 1e9:.1f} GB/s")


if __name__ == "__main__":
    main()
