"""Answers the benchmark's calls: opens the pixels in one framework, anew for each call, and replies with their first number."""

import sys

import tensorbridge as tb


class Image(tb.Record, name="bench.image"):
    pixels = tb.f32(3, 224, 224)


class Number(tb.Record, name="bench.number"):
    value = tb.f32()


def main() -> None:
    opened, wait = sys.argv[1:]

    @tb.service("bench", Image, Number, wait=wait)
    class First:
        def __call__(self, image: Image, number: Number) -> None:
            if opened == "torch":
                number.value[:] = image.pixels.torch()[0, 0, 0, 0]
            elif opened == "numpy":
                number.value[:] = image.pixels.numpy()[0, 0, 0, 0]
            else:
                number.value[:] = 2.0

    tb.serve(First)


if __name__ == "__main__":
    main()
