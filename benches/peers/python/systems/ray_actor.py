"""A Ray actor on this machine; a request that lies ready is in Ray's object store."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import ray

from . import SHAPE, Calls, How, answer, requests


class Model:
    def answer(self, pixels: np.ndarray) -> float:
        return answer(pixels)


@contextmanager
def open(how: How) -> Iterator[Calls]:
    ray.init("local", num_cpus=2, include_dashboard=False, logging_level=logging.ERROR, object_store_memory=512 << 20)
    model = ray.remote(Model).remote()
    stored = {value: ray.put(pixels) for value, pixels in requests().items()}
    pixels = np.empty(SHAPE, np.float32)

    def ready(value: float) -> float:
        return ray.get(model.answer.remote(stored[value]))

    def written(value: float) -> float:
        pixels.fill(value)
        return ray.get(model.answer.remote(pixels))

    yield Calls(ready, written)
    ray.shutdown()
