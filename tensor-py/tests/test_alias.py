"""Tensors and arrays on a record's memory: the same address, and a write on one side seen on the other."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts
from records import Image, Tokens

TORCH = {
    "bool": torch.bool,
    "u8": torch.uint8,
    "u16": torch.uint16,
    "u32": torch.uint32,
    "u64": torch.uint64,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": torch.float32,
    "f64": torch.float64,
    "c64": torch.complex64,
    "c128": torch.complex128,
    "f8_e4m3fn": torch.float8_e4m3fn,
    "f8_e5m2": torch.float8_e5m2,
}
NUMPY: dict[str, Any] = {
    "bool": np.bool_,
    "u8": np.uint8,
    "u16": np.uint16,
    "u32": np.uint32,
    "u64": np.uint64,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
    "c64": np.complex64,
    "c128": np.complex128,
}
DTYPES = list(TORCH)


class Everything(tb.Record, name="test.everything"):
    """A field of every dtype, with dimensions and without."""

    bool_a, bool_s = tb.bool_(3, 5), tb.bool_()
    u8_a, u8_s = tb.u8(3, 5), tb.u8()
    u16_a, u16_s = tb.u16(3, 5), tb.u16()
    u32_a, u32_s = tb.u32(3, 5), tb.u32()
    u64_a, u64_s = tb.u64(3, 5), tb.u64()
    i8_a, i8_s = tb.i8(3, 5), tb.i8()
    i16_a, i16_s = tb.i16(3, 5), tb.i16()
    i32_a, i32_s = tb.i32(3, 5), tb.i32()
    i64_a, i64_s = tb.i64(3, 5), tb.i64()
    f16_a, f16_s = tb.f16(3, 5), tb.f16()
    bf16_a, bf16_s = tb.bf16(3, 5), tb.bf16()
    f32_a, f32_s = tb.f32(3, 5), tb.f32()
    f64_a, f64_s = tb.f64(3, 5), tb.f64()
    c64_a, c64_s = tb.c64(3, 5), tb.c64()
    c128_a, c128_s = tb.c128(3, 5), tb.c128()
    f8_e4m3fn_a, f8_e4m3fn_s = tb.f8_e4m3fn(3, 5), tb.f8_e4m3fn()
    f8_e5m2_a, f8_e5m2_s = tb.f8_e5m2(3, 5), tb.f8_e5m2()


def field(record: tb.Record, name: str) -> tb.Field:
    found = record[name]
    assert found is not None
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_and_the_other_side_share_memory(hosts: Hosts, name: str, dtype: str) -> None:
    hosts.channel(name, Everything)
    with tb.Sender(name, Everything) as sender, tb.Receiver(name, Everything) as receiver:
        record = sender.loan()
        for other in record:
            record[other] = 0
        array, scalar = field(record, f"{dtype}_a").torch(), field(record, f"{dtype}_s").torch()
        assert array.dtype == scalar.dtype == TORCH[dtype]
        assert array.shape == (3, 5) and scalar.shape == ()
        assert array.data_ptr() == field(record, f"{dtype}_a").data_ptr
        assert scalar.data_ptr() == field(record, f"{dtype}_s").data_ptr
        array[1, 2], scalar[()] = 1, 1
        record.send()

        got = receiver.receive()
        theirs, their_scalar = field(got, f"{dtype}_a").torch(), field(got, f"{dtype}_s").torch()
        assert theirs.data_ptr() == field(got, f"{dtype}_a").data_ptr
        assert theirs.data_ptr() != array.data_ptr(), "two endpoints map the arena twice"
        assert theirs.to(torch.complex128).sum() == 1 and their_scalar.to(torch.complex128) == 1
        # The sender's alias is still on the very same memory; a program should not do this.
        array[2, 4] = 1
        assert theirs[2, 4].to(torch.complex128) == 1
        got.release()


@pytest.mark.parametrize("dtype", list(NUMPY))
def test_numpy_and_the_other_side_share_memory(hosts: Hosts, name: str, dtype: str) -> None:
    hosts.channel(name, Everything)
    with tb.Sender(name, Everything) as sender, tb.Receiver(name, Everything) as receiver:
        record = sender.loan()
        for other in record:
            record[other] = 0
        source = field(record, f"{dtype}_a")
        by_buffer, by_dlpack = source.numpy(), np.from_dlpack(source)
        scalar = field(record, f"{dtype}_s").numpy()
        for array in (by_buffer, by_dlpack):
            assert array.dtype == NUMPY[dtype] and array.shape == (3, 5) and array.flags.writeable
            assert array.ctypes.data == source.data_ptr
        assert scalar.ctypes.data == field(record, f"{dtype}_s").data_ptr and scalar.shape == ()
        by_buffer[1, 2], by_dlpack[0, 0], scalar[...] = 1, 1, 1
        assert memoryview(source).shape == (3, 5) and memoryview(source).nbytes == source.nbytes
        record.send()

        got = receiver.receive()
        theirs = field(got, f"{dtype}_a").numpy()
        assert theirs.ctypes.data == field(got, f"{dtype}_a").data_ptr
        assert theirs.sum(dtype=np.complex128) == 2 and field(got, f"{dtype}_s").item() == 1
        assert not theirs.flags.writeable and not np.from_dlpack(field(got, f"{dtype}_a")).flags.writeable
        by_buffer[2, 4] = 1
        assert theirs[2, 4] == 1
        got.release()


@pytest.mark.parametrize("dtype", ["bf16", "f8_e4m3fn", "f8_e5m2"])
def test_what_numpy_lacks_is_said(dtype: str) -> None:
    record = Everything.empty(1)
    source = field(record, f"{dtype}_a")
    try:
        import ml_dtypes  # noqa: F401
    except ImportError:
        with pytest.raises(tb.NeedsCopy, match="ml_dtypes") as caught:
            source.numpy()
        assert caught.value.code == "TB409" and isinstance(caught.value, BufferError)
        with pytest.raises(tb.NeedsCopy):
            np.asarray(source)
    else:
        assert source.numpy().ctypes.data == source.data_ptr
    with pytest.raises(tb.NeedsCopy, match="the buffer protocol has no"):
        memoryview(source)


def test_dlpack_in_every_form() -> None:
    pixels = Image.empty(2).pixels
    assert pixels.__dlpack_device__() == (1, 0)
    for versions in (None, (0, 8), (1, 0), (1, 3), (2, 0)):
        tensor = torch.from_dlpack(pixels.__dlpack__(max_version=versions))
        assert tensor.data_ptr() == pixels.data_ptr and tensor.shape == (2, 3, 4, 5)
    assert torch.from_dlpack(pixels).data_ptr() == pixels.data_ptr
    assert torch.from_dlpack(pixels.__dlpack__(dl_device=(1, 0), stream=None, copy=False)).numel() == 120
    with pytest.raises(tb.NeedsCopy, match="device"):
        pixels.__dlpack__(dl_device=(2, 0))
    with pytest.raises(tb.NeedsCopy, match="stream"):
        pixels.__dlpack__(stream=7)


def test_a_copy_is_one_when_it_is_asked_for() -> None:
    pixels = Image.empty(2).pixels
    pixels[:] = 3.0
    before = tb.copied()["requested"]
    copy = torch.from_dlpack(pixels, copy=True)
    assert copy.data_ptr() != pixels.data_ptr and copy.data_ptr() % 64 == 0
    assert copy.eq(3).all() and copy.shape == (2, 3, 4, 5)
    assert tb.copied()["requested"] - before == pixels.nbytes
    assert np.array(pixels, copy=True).ctypes.data != pixels.data_ptr
    assert np.asarray(pixels).ctypes.data == pixels.data_ptr


def test_aliases_copy_nothing() -> None:
    image = Image.empty(2)
    before = tb.copied()
    for alias in (image.pixels.torch(), image.pixels.numpy(), memoryview(image.pixels), np.from_dlpack(image.pixels)):
        del alias
    assert tb.copied() == before


def test_torch_functions_take_fields(hosts: Hosts, name: str) -> None:
    pixels = Image.empty(1).pixels
    pixels[:] = 2.0
    assert torch.as_tensor(pixels).data_ptr() == pixels.data_ptr
    flat = torch.frombuffer(pixels, dtype=torch.float32)
    assert flat.data_ptr() == pixels.data_ptr and flat.numel() == 60


def test_results_can_be_written_in_place() -> None:
    scores = Image.empty(1)
    torch.add(torch.ones(1, 3, 4, 5), 1, out=scores.pixels.torch())
    assert scores.present["pixels"] and scores.pixels.numpy().min() == 2.0


def test_an_array_that_was_made_read_only_can_be_written_again(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Tokens, slots=2)
    with tb.Sender(name, Tokens) as sender, tb.Receiver(name, Tokens) as receiver:
        loan = sender.loan()
        loan.seq = 2
        loan.ids[:] = [1, 2]
        ids = loan.ids.numpy()
        ids.flags.writeable = False
        ids.flags.writeable = True
        ids[0] = 3
        del ids
        loan.send()
        received = receiver.receive().ids.numpy()
        assert received.tolist() == [3, 2]
        with pytest.raises(ValueError, match="WRITEABLE"):
            received.flags.writeable = True


def test_a_shorter_symbolic_dimension_keeps_the_strides() -> None:
    tokens = Tokens.empty(3)
    with pytest.raises(tb.DimUnset, match="seq"):
        tokens.ids.torch()
    tokens.seq = 5
    assert tokens.ids.shape == (3, 5) and tokens.ids.strides == (16, 1)
    assert tokens["grid"].shape == (3, 2, 5, 3) and tokens["grid"].strides == (96, 48, 3, 1)
    grid = tokens["grid"]
    assert grid.torch().stride() == grid.strides and grid.torch().shape == grid.shape
    assert grid.numpy().strides == tuple(4 * stride for stride in grid.strides)
    assert np.from_dlpack(grid).ctypes.data == grid.data_ptr
    # Whoever does not ask for strides would read the gaps between the rows.
    with pytest.raises(tb.NeedsCopy, match="rows are apart"):
        zlib.crc32(grid)
    with pytest.raises(RuntimeError, match="contiguous"):
        torch.frombuffer(grid, dtype=torch.float32)
    assert len(bytes(memoryview(grid))) == grid.nbytes


def test_buffers_are_only_given_as_they_are() -> None:
    image = Image.empty(1)
    view = memoryview(image.pixels)
    assert (view.format, view.itemsize, view.ndim, view.strides) == ("f", 4, 4, (240, 80, 20, 4))
    assert view.c_contiguous and not view.readonly
    scalar = memoryview(image.id)
    assert (scalar.format, scalar.shape) == ("L", (1,))
    assert zlib.crc32(image.pixels) == zlib.crc32(bytes(240))
    image.release()
    with pytest.raises(tb.Released):
        image.pixels.numpy()
    with pytest.raises(tb.Released):
        np.asarray(image.pixels)
    assert view[0, 0, 0, 0] == 0.0, "an alias outlives the record"
