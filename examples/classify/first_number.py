"""A worker without a model: it reads one number of the photo, so that a call costs what the bridge costs."""

from __future__ import annotations

import tensorbridge as tb
from records import Number, Photo


@tb.service("first_number", Photo, Number)
class FirstNumber:
    def __call__(self, photo: Photo, number: Number) -> None:
        number.value[:] = photo.pixels.torch()[:, 0, 0, 0]


if __name__ == "__main__":
    tb.serve(FirstNumber)
