"""Assigning the framework's tensors: one counted copy of the right dtype and shape, or an error that names both."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
from conftest import Hosts, answering
from framework import DTYPES, FRAMEWORK, Picture

VALUES = [[[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [1, 1, 1, 0, 0]]]


def declare() -> type[tb.Record]:
    fields: dict[str, Any] = {name: getattr(tb, name)(3, 5) for name in DTYPES}
    return type(tb.Record)("Everything", (tb.Record,), fields, name="test.all_dtypes")


Everything = declare()


def numbers(field: tb.Field | None) -> Any:
    assert field is not None
    return field.numpy().astype(np.complex128).real.astype(int).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_taken_with_one_copy(dtype: str) -> None:
    record = Everything.empty(1)
    field = record[dtype]
    assert field is not None
    with FRAMEWORK.switched_on(dtype):
        value = FRAMEWORK.make(dtype, VALUES)
        before = tb.copied()["assigned"]
        field[:] = value
        assert tb.copied()["assigned"] - before == field.nbytes
        assert numbers(field) == VALUES and record.present[dtype]
        record[dtype] = 0
        record[dtype] = value
        assert numbers(field) == VALUES
        field[0, 1] = value[0, 0]
        assert numbers(field)[0][1] == VALUES[0][0]
        # One element fills the field.
        field[:] = value[0, 0, 0]
        assert numbers(field) == [[[1] * 5] * 3]


@pytest.mark.parametrize("dtype", ["f32", "u8", "bf16", "f8_e5m2", "c64"])
def test_what_does_not_fit_is_named(dtype: str) -> None:
    record = Everything.empty(1)
    other = "f16" if dtype != "f16" else "f32"
    for value, code, words in (
        (FRAMEWORK.make(dtype, VALUES[0]), "TB408", ["[1, 3, 5]", "[3, 5]"]),
        (FRAMEWORK.make(dtype, np.ones((1, 0, 5))), "TB408", ["[1, 3, 5]", "[1, 0, 5]"]),
        (FRAMEWORK.make(other, VALUES), "TB407", [dtype, other]),
        (FRAMEWORK.make("i32", VALUES), "TB407", [dtype, "i32"]),
    ):
        with pytest.raises(tb.Error) as caught:
            record[dtype] = value
        text = str(caught.value)
        assert caught.value.code == code and dtype in text and all(word in text for word in words), text
        assert not record.present[dtype], "a value that was refused is not written"


def test_no_alias_of_a_value_stays_behind() -> None:
    picture = Picture.empty(1)
    value = FRAMEWORK.make("f32", np.ones((1, 3, 4, 16)))
    gone = weakref.ref(value)
    picture.pixels[:] = value
    picture.pixels[0] = value[0]
    del value
    gc.collect()
    assert gone() is None


def test_a_field_takes_an_alias_of_itself() -> None:
    picture = Picture.empty(2)
    picture.pixels[:] = np.arange(384, dtype=np.float32).reshape(2, 3, 4, 16)
    tensor = FRAMEWORK.open(picture.pixels)
    picture.pixels[1] = tensor[0]
    assert picture.pixels[1].ravel().tolist() == list(range(192))


def test_a_call_takes_and_gives_tensors(hosts: Hosts, name: str) -> None:
    def handler(request: Picture, reply: Picture) -> None:
        opened = FRAMEWORK.open(request.pixels)
        reply.pixels[:] = opened + opened
        reply.id = int(request.id) + 1

    service = hosts.service(name, Picture, Picture, slots=2)
    with answering(name, handler), tb.Client(name, Picture, Picture) as client:
        value = FRAMEWORK.make("f32", np.full((3, 4, 16), 3.0))
        for _ in range(4):
            before = tb.copied()
            reply = client.call(pixels=value, id=7)
            copied = {reason: now - before[reason] for reason, now in tb.copied().items()}
            assert (FRAMEWORK.numbers(FRAMEWORK.open(reply.pixels)) == 6).all() and reply.id.item() == 8
            # In and out once each, with the two numbers.
            assert {reason: bytes for reason, bytes in copied.items() if bytes} == {"assigned": 2 * (768 + 8)}
        del reply
    assert service.free_slots == 2
