"""tensorbridge, Python to Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import tensorbridge as tb

from . import HERE, SHAPE, Calls, How, answer


class Image(tb.Record, name="peers.image"):
    pixels = tb.f32(3, 224, 224)


class Number(tb.Record, name="peers.number"):
    value = tb.f64()


SLOTS = 8


def strategy(how: How) -> str:
    return how.variant or ("spin" if how.spinning else "block")


def serve(arguments: list[str]) -> None:
    """Answers calls, whoever hosts the service: also those of the Rust client."""
    (wait,) = arguments

    def handler(image: Image, number: Number) -> None:
        number.value[:] = answer(image.pixels.numpy())

    with tb.Server(os.environ["TENSORBRIDGE_SERVICE"], Image, Number, wait=wait) as server:
        server.serve(handler)


@contextmanager
def listening(how: How) -> Iterator[str]:
    name = f"peers.p{os.getpid()}"
    with tb.Service(name, Image, Number, slots=SLOTS) as service:
        service.spawn([sys.executable, str(HERE / "server.py"), "ours", strategy(how)])
        with tb.Client(name, Image, Number) as client:
            for image in [client.loan() for _ in range(SLOTS)]:
                image.pixels[:] = np.ones(SHAPE, np.float32)
            del image
        yield name


@contextmanager
def connect(name: str, how: How) -> Iterator[Calls]:
    with tb.Client(name, Image, Number, timeout=60.0, wait=strategy(how)) as client:

        def ready(value: float) -> float:
            image = client.loan()
            image.pixels.numpy()[0, 0, 0] = value
            return image.call().value.item()

        def written(value: float) -> float:
            image = client.loan()
            image.pixels.numpy().fill(value)
            return image.call().value.item()

        yield Calls(ready, written)


@contextmanager
def open(how: How) -> Iterator[Calls]:
    with listening(how) as name, connect(name, how) as calls:
        yield calls
