"""NumPy's own ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
from framework import Picture


def test_results_are_written_in_place() -> None:
    picture = Picture.empty(2)
    before = tb.copied()
    ones = np.ones((2, 3, 4, 16), np.float32)
    np.add(ones, ones, out=picture.pixels.numpy())
    assert tb.copied() == before and picture.present["pixels"]
    assert (np.asarray(picture.pixels) == 2).all()


def test_small_floats_keep_their_strides_and_may_be_read_only(hosts: Any, name: str) -> None:
    class Small(tb.Record, name="test.small"):
        seq = tb.Dim(1, 16)
        half = tb.bf16(2, seq)
        byte = tb.f8_e4m3fn(2, seq)

    hosts.channel(name, Small)
    with tb.Sender(name, Small) as sender, tb.Receiver(name, Small) as receiver:
        record = sender.loan()
        record.seq = 5
        for field, size in ((record.half, 2), (record.byte, 1)):
            array = field.numpy()
            array[:] = 1.5
            assert array.strides == (16 * size, size) and array.flags.writeable
            assert (np.asarray(field).astype(np.float32) == 1.5).all()
            del array
        record.send()
        with receiver.receive() as got:
            for field in (got.half, got.byte):
                assert not field.numpy().flags.writeable and (field.numpy().astype(np.float32) == 1.5).all()
                assert field.numpy().ctypes.data == field.data_ptr


@pytest.mark.parametrize("kind", ["reversed", "transposed", "Fortran", "broadcast", "structured", "read-only"])
def test_arrays_of_any_layout(kind: str) -> None:
    picture = Picture.empty(1)
    base = np.arange(192, dtype=np.float32).reshape(1, 3, 4, 16)
    fields = np.zeros((1, 3, 4, 16), [("a", "u1"), ("b", "f4")])
    fields["b"] = base
    frozen = base.copy()
    frozen.flags.writeable = False
    values: dict[str, Any] = {
        "reversed": base[..., ::-1],
        "transposed": np.ascontiguousarray(base.transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1),
        "Fortran": np.asfortranarray(base),
        "broadcast": np.broadcast_to(base[..., :1], (1, 3, 4, 16)),
        "structured": fields["b"],
        "read-only": frozen,
    }
    before = tb.copied()["assigned"]
    picture.pixels = values[kind]
    assert np.array_equal(picture.pixels.numpy(), np.asarray(values[kind]))
    assert tb.copied()["assigned"] - before == 768


def test_what_dlpack_lacks_for_numpy_is_an_error() -> None:
    class Small(tb.Record, name="test.small"):
        half = tb.bf16(4)

    half = Small.empty(1).half
    with pytest.raises((RuntimeError, BufferError)):
        np.from_dlpack(half)
    with pytest.raises(tb.NeedsCopy, match="no bf16"):
        memoryview(half)
    assert np.asarray(half).dtype == "bfloat16"
