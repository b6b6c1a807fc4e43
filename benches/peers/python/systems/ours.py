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
def open(how: How) -> Iterator[Calls]:
    name, wait = f"peers.p{os.getpid()}", strategy(how)
    with tb.Service(name, Image, Number, slots=SLOTS) as service:
        service.spawn([sys.executable, str(HERE / "server.py"), "ours", wait])
        with tb.Client(name, Image, Number, timeout=60.0, wait=wait) as client:
            for image in [client.loan() for _ in range(SLOTS)]:
                image.pixels[:] = np.ones(SHAPE, np.float32)
            del image

            def ready(value: float) -> float:
                image = client.loan()
                image.pixels[0, 0, 0] = value
                return image.call().value.item()

            def written(value: float) -> float:
                image = client.loan()
                image.pixels.numpy().fill(value)
                return image.call().value.item()

            yield Calls(ready, written)
