"""Queues between processes: `multiprocessing.Queue` with NumPy arrays, `torch.multiprocessing.Queue` with a tensor whose
shared memory is used again for each call. Variant `torch` passes a descriptor for each message, which is torch's default; `torch-named`
tells the name of the memory, and the server holds the last message, so that torch finds the memory mapped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import SHAPE, Calls, How, answer, pin_server, request


def share_by_name() -> None:
    """Lets torch tell the other process the name of the memory instead of passing a descriptor."""
    import torch.multiprocessing

    torch.multiprocessing.set_sharing_strategy("file_system")


def serve_queue(asked: Any, answered: Any, named: bool) -> None:
    pin_server()
    if named:
        share_by_name()
    held = None
    while (pixels := asked.get()) is not None:
        answered.put(answer(pixels if isinstance(pixels, np.ndarray) else pixels.numpy()))
        held = pixels if named else None
    del held


@contextmanager
def open(how: How) -> Iterator[Calls]:
    named = how.variant == "torch-named"
    if how.variant.startswith("torch"):
        import torch
        import torch.multiprocessing as multiprocessing

        torch.set_num_threads(1)
        if named:
            share_by_name()
        shared = torch.from_numpy(request(1.0)).share_memory_()
        message, pixels = shared, shared.numpy()
    else:
        import multiprocessing

        message = pixels = request(1.0)
    context = multiprocessing.get_context("spawn")
    asked, answered = context.Queue(), context.Queue()
    process = context.Process(target=serve_queue, args=(asked, answered, named), daemon=True)
    process.start()

    def ready(value: float) -> float:
        pixels[0, 0, 0] = value
        asked.put(message)
        return answered.get()

    def written(value: float) -> float:
        pixels.fill(value)
        asked.put(message)
        return answered.get()

    assert pixels.shape == SHAPE
    yield Calls(ready, written)
    asked.put(None)
    process.join(5)
