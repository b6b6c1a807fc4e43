"""Answers the benchmark's calls: opens the pixels anew for each call and replies with their first number."""

import os
import sys

import tensorbridge as tb


class Image(tb.Record, name="bench.image"):
    pixels = tb.f32(3, 224, 224)


class Number(tb.Record, name="bench.number"):
    value = tb.f32()


def with_torch(image: Image, number: Number) -> None:
    number.value[:] = image.pixels.torch()[0, 0, 0, 0]


def with_numpy(image: Image, number: Number) -> None:
    number.value[:] = image.pixels.numpy()[0, 0, 0, 0]


def only_open(image: Image, number: Number) -> None:
    image.pixels.torch()
    number.value[:] = 2.0


def with_nothing(image: Image, number: Number) -> None:
    number.value[:] = 2.0


HANDLERS = {"torch": with_torch, "numpy": with_numpy, "torch, unread": only_open, "nothing": with_nothing}


def main() -> None:
    opened, wait = sys.argv[1:]
    if "torch" in opened:
        import torch  # noqa: F401

    with tb.Server(os.environ["TENSORBRIDGE_SERVICE"], Image, Number, wait=wait) as server:
        server.serve(HANDLERS[opened])


if __name__ == "__main__":
    main()
