"""What a user gets wrong; each line marked `error` has to be one."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorbridge as tb
from numpy.typing import NDArray
from user import Image, Scene, Scores, Tokens


def mistakes(image: Image, tokens: Tokens, ids: NDArray[np.int64], halves: NDArray[np.float16]) -> None:
    print(image.pixles)  # error
    image.pixles = 1.0  # error
    image.pixels = None  # error
    image.pixels[:] = object()  # error
    tokens.seq = "long"  # error
    image.pixels = np.zeros((3, 224), np.float32)  # error
    image.pixels = np.zeros((3, 224, 224), np.float64)  # error
    image.pixels[:] = halves  # error
    image.id = ids  # error
    tokens.mask = np.zeros((2, 3, 37), np.int64)  # error
    doubles: NDArray[np.float64] = image.pixels.numpy()  # error
    narrow: tb.Field[Any, np.int32] = tokens.ids  # error
    print(doubles, narrow)
    tokens.mask.torch()  # error
    Image()  # error
    tb.f32(3, optinal=True)  # error
    tb.f32("3")  # error
    tb.Client("name", Image, Scores, timeout="5")  # error
    tb.Client("name", Image, Scores, wait="sleep")  # error
    tb.Client("name", int, Scores)  # error
    tb.Client("name", Image)  # error
    tb.service("name", Image, str)  # error
    with tb.Client("name", Image, Scores) as client:
        client.call(7)  # error
        client.receive()  # error
        with client.loan() as loan:
            print(loan.logits)  # error


def nested(scene: Scene) -> None:
    print(scene.pose.positoin)  # error
    scene.pose.positoin = 1.0  # error
    print(scene.last.position)  # error
    scene.pose = 1.0  # error
    tb.nested(float)  # error
    tb.nested()  # error
