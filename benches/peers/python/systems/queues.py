"""Queues between processes: `multiprocessing.Queue` with NumPy arrays, `torch.multiprocessing.Queue` with a tensor whose
shared memory is used again for each call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import SHAPE, Calls, How, answer, pin_server, request


def serve_queue(asked: Any, answered: Any) -> None:
    pin_server()
    while (pixels := asked.get()) is not None:
        answered.put(answer(pixels if isinstance(pixels, np.ndarray) else pixels.numpy()))


@contextmanager
def open(how: How) -> Iterator[Calls]:
    if how.variant == "torch":
        import torch
        import torch.multiprocessing as multiprocessing

        torch.set_num_threads(1)
        shared = torch.from_numpy(request(1.0)).share_memory_()
        message, pixels = shared, shared.numpy()
    else:
        import multiprocessing

        message = pixels = request(1.0)
    context = multiprocessing.get_context("spawn")
    asked, answered = context.Queue(), context.Queue()
    process = context.Process(target=serve_queue, args=(asked, answered), daemon=True)
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
