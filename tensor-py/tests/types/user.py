"""What a user writes; mypy --strict and pyright accept all of it."""

from __future__ import annotations

import array
from collections.abc import Mapping
from typing import Any, assert_type

import jax
import numpy as np
import tensorbridge as tb
import torch
from numpy.typing import NDArray


class Image(tb.Record, name="vision.image", version=1):
    """A photo."""

    pixels = tb.f32(3, 224, 224, doc="RGB planes", unit="nit", align=64)
    id = tb.u64()
    sharp = tb.bool_(pad=0)
    blurred = tb.bool()


class Tokens(tb.Record, name="nlp.tokens"):
    seq = tb.Dim(1, 512)
    ids = tb.i64(seq)
    mask = tb.i64(seq, optional=True)


class Pose(tb.Record, name="geometry.pose"):
    points = tb.Dim(1, 8)
    position = tb.f32(3)
    outline = tb.f32(points, 2, optional=True)


class Scene(tb.Record, name="vision.scene"):
    pose = tb.nested(Pose)
    last = tb.nested(Pose, optional=True, doc="Where it was.")


def poses(scene: Scene) -> None:
    assert_type(scene.pose, Pose)
    assert_type(scene.last, Pose | None)
    assert_type(scene.pose.position.numpy(), NDArray[np.float32])
    outline: tb.Field | None = scene.pose.outline
    print(outline)
    assert_type(scene.pose.points, int)
    scene.pose.position[:] = 0.0
    scene.pose.points = 3
    scene.pose = {"position": [0.0, 0.0, 1.0]}
    scene.last = scene.pose
    scene.set(pose={"position": [0.0, 0.0, 1.0]})
    last = scene.last
    if last is not None:
        last.position = torch.zeros(3)
    print(scene["pose.position"])


class Scores(tb.Record, name="vision.scores"):
    logits = tb.f32(1000)


@tb.service("resnet50", Image, Scores, slots=8, max_batch=32, max_wait=500e-6)
class ResNet50:
    def __init__(self) -> None:
        self.model = torch.nn.Identity()

    def __call__(self, image: Image, scores: Scores) -> None:
        scores.logits[:] = self.model(image.pixels.torch())
        torch.add(image.pixels.torch(), 1, out=scores.logits.torch())


def call(planes: NDArray[np.float32]) -> float:
    with tb.Client("resnet50", Image, Scores, timeout=5.0, wait="spin", strict=True) as client:
        assert_type(client, tb.Client[Image, Scores])
        with client.loan() as image:
            assert_type(image, Image)
            image.pixels[:] = planes
            image.pixels = planes
            image.pixels = torch.ones(3, 224, 224)
            image.pixels = [[[0.5]]]
            image.pixels[0, 1:] = 0.0
            image.id = 7
            image.sharp = True
            scores: Scores = image.call(timeout=1.0)
        assert_type(client.call(pixels=planes, id=7), Scores)
        assert_type(client.call(image), Scores)
        assert_type(client.try_loan(), Image | None)
        pins: list[tb.Pin] = client.pins()
        for pin in pins:
            print(pin.arena, pin.pid, pin.how, pin.slot, pin.seconds, pin.fields)
        return float(scores.logits[0])


def fields(image: Image, tokens: Tokens) -> None:
    pixels: tb.Field = image.pixels
    anything: tb.Field[Any, Any] = image.pixels
    precise: tb.Field[Any, np.float32] = image.pixels
    shapes = (pixels.shape, anything.shape, precise.shape)
    assert_type(shapes[0], tuple[int, ...])
    assert_type(image.pixels.numpy(), NDArray[np.float32])
    assert_type(image.blurred.numpy(), NDArray[np.bool_])
    mask_before: tb.Field | None = tokens.mask
    print(mask_before)
    assert_type(image.pixels.torch(), torch.Tensor)
    assert_type(image.pixels.jax(), jax.Array)
    assert_type(image.pixels.jax(strict=True), jax.Array)
    assert_type(image.jax(), dict[str, jax.Array | None])
    image.pixels = image.pixels.jax() + 1
    image.pixels = image.pixels.tf(strict=False)
    print(image.tf()["pixels"])
    np.add(planes := image.pixels.numpy(), 1, out=planes)
    assert_type(image.pixels.shape, tuple[int, ...])
    assert_type(tokens.seq, int)
    column: tb.Column[Any] = Image.pixels
    print(column.doc, column.shape)
    assert_type(Tokens.seq, tb.Dim)
    assert_type(Image.schema, tb.Schema)
    tokens.seq = 37
    tokens.mask = np.ones(37, np.int64)
    mask = tokens.mask
    if mask is not None:
        mask[:] = 1
    number = int(image.id) + image.id.__index__()
    print(number, float(image.id), bool(image.sharp), memoryview(image.pixels), np.asarray(image.pixels))
    array: NDArray[Any] = image.pixels.numpy()
    tensor = np.from_dlpack(image.pixels)
    print(array, tensor, image.present["pixels"], image.dims, len(image.pixels), image.pixels.item())
    record: Mapping[str, tb.Field | None] = image
    print(record, image.torch(), image.numpy(), image["pixels"], list(image.keys()))


def values(image: Image, tokens: Tokens, scores: Scores) -> None:
    """Every kind of value that a field takes: of one record, and of a run, which has one more dimension."""
    image.pixels = np.zeros((3, 224, 224), np.float32)
    image.pixels = np.zeros((8, 3, 224, 224), np.float32)
    image.pixels[0] = np.zeros((3, 224, 224), np.float32)
    image.pixels = np.float32(0.5)
    image.pixels = torch.zeros(3, 224, 224)
    image.pixels = image.pixels
    scores.logits = memoryview(bytes(4000))
    scores.logits = bytearray(4000)
    scores.logits = array.array("f", [0.0] * 1000)
    scores.logits = [0.0] * 1000
    scores.logits = np.asarray(scores.logits)
    image.id = np.uint64(3)
    image.id = np.array([1, 2, 3], np.uint64)
    tokens.ids = np.ones(37, np.int64)


def channels() -> None:
    with (
        tb.Channel("camera", Image, slots=8) as channel,
        tb.Sender("camera", Image) as sender,
        tb.Receiver("camera", Image) as receiver,
    ):
        sender.send(pixels=0.0, id=1)
        assert_type(receiver.receive(timeout=None), Image)
        assert_type(receiver.try_receive(), Image | None)
        for image in receiver:
            assert_type(image, Image)
        print(channel.free_slots, sender.slots)


def anything() -> None:
    with tb.Client("resnet50") as client:
        print(client.call(pixels=0).logits.torch())


def errors() -> None:
    try:
        anything()
    except tb.RemoteError as error:
        print(error.code, error.type_name, error.message, error.traceback)
    except tb.Full as error:
        print(error.holders[0].pid)
    except (tb.Timeout, tb.HostDied, TimeoutError, tb.Error):
        pass
    for row in tb.errors():
        print(row.code, row.name, row.builtin, row.type)
    copied: dict[str, int] = tb.copied()
    print(copied, tb.pins())


if __name__ == "__main__":
    ResNet50()(Image.empty(4), Scores.empty(4))
    tb.serve(ResNet50, workers=2)
