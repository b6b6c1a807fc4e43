"""Assigning to fields: one counted copy of the right dtype and shape, or an error that names both."""

from __future__ import annotations

import array
import gc
import weakref
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts
from records import Image, Tokens
from test_alias import DTYPES, NUMPY, TORCH, Everything, field

VALUES = [[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [1, 1, 1, 0, 0]]


@pytest.fixture
def record() -> Everything:
    return Everything.empty(1)


def numbers(source: tb.Field) -> Any:
    return source.torch().to(torch.complex128).real.squeeze(0).int().tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_torch(record: Everything, dtype: str) -> None:
    target = field(record, f"{dtype}_a")
    value = torch.tensor(VALUES).to(TORCH[dtype])
    target[:] = value[None]
    assert numbers(target) == VALUES and target.present
    target[...] = value.T.contiguous().T[None]
    assert numbers(target) == VALUES
    target[0] = torch.zeros_like(value)
    target[0, 1:] = value[1:]
    assert numbers(target) == [[0] * 5, *VALUES[1:]]
    target[:] = torch.ones((), dtype=TORCH[dtype])
    assert numbers(target) == [[1] * 5] * 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_lists_and_numbers(record: Everything, dtype: str) -> None:
    target = field(record, f"{dtype}_a")
    target[:] = [VALUES]
    assert numbers(target) == VALUES
    target[:] = 1
    assert numbers(target) == [[1] * 5] * 3
    target[0, 2, 1:4] = 0
    assert numbers(target) == [[1] * 5, [1] * 5, [1, 0, 0, 0, 1]]
    record[f"{dtype}_s"] = [1]
    assert field(record, f"{dtype}_s").item() == 1
    assert target.tolist()[0][0] == [1] * 5


@pytest.mark.parametrize("dtype", list(NUMPY))
def test_from_numpy(record: Everything, dtype: str) -> None:
    target = field(record, f"{dtype}_a")
    value = np.array(VALUES).astype(NUMPY[dtype])
    for layout in (
        value,
        np.asfortranarray(value),
        value[::-1, ::-1].copy()[::-1, ::-1],
        np.stack([value] * 2, -1)[..., 0],
    ):
        target[:] = 0
        target[:] = layout[None]
        assert numbers(target) == VALUES
    target[0, [2, 0]] = value[[1, 1]]
    assert numbers(target) == [VALUES[1], VALUES[1], VALUES[1]]
    target[0, value.astype(bool)] = NUMPY[dtype](0)
    assert target[0, 0].tolist() == [0, 0, 0, 0, 1]
    target[0, 0, 0] = value[0, 0]
    assert target[0, 0, 0] == 1


def test_from_other_buffers_and_fields() -> None:
    record = Everything.empty(1)
    record["u8_a"] = memoryview(bytes(range(15))).cast("B", (1, 3, 5))
    assert field(record, "u8_a").numpy().ravel().tolist() == list(range(15))
    record["f64_a"] = memoryview(array.array("d", range(15))).cast("B").cast("d", (1, 3, 5))
    assert field(record, "f64_a")[0, 2, 4] == 14
    other = Everything.empty(1)
    other["f64_a"] = record["f64_a"]
    assert field(other, "f64_a")[0, 2, 4] == 14
    shape = field(record, "bf16_a").shape
    record["bf16_a"] = torch.arange(15, dtype=torch.bfloat16).reshape(shape)
    other["bf16_a"] = record["bf16_a"]
    assert field(other, "bf16_a").torch().flatten()[14] == 14


def test_from_dlpack_alone() -> None:
    class Foreign:
        def __init__(self, tensor: torch.Tensor) -> None:
            self.tensor = tensor

        def __dlpack__(self, **options: Any) -> Any:
            return self.tensor.__dlpack__(**options)

        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

    image = Image.empty(1)
    image.pixels[:] = Foreign(torch.full((1, 3, 4, 5), 2.0))
    assert image.pixels.numpy().min() == 2.0


def test_from_tensors_that_are_more_than_memory() -> None:
    record = Everything.empty(1)
    weights = torch.full((1, 3, 5), 2.0, requires_grad=True)
    record["f32_a"] = weights
    assert field(record, "f32_a")[0, 0, 0] == 2.0
    complex_ones = torch.full((1, 3, 5), 1 + 2j)
    record["c64_a"] = complex_ones.conj()
    assert field(record, "c64_a")[0, 0, 0] == 1 - 2j
    record["f32_a"] = complex_ones.conj().imag
    assert field(record, "f32_a")[0, 0, 0] == -2.0
    record["f32_a"] = torch.ones(1, 3, 1).expand(1, 3, 5)
    assert field(record, "f32_a").numpy().sum() == 15
    for odd in (torch.ones(1, 3, 5).to_sparse(), torch.ones(1, 3, 5, device="meta")):
        with pytest.raises(tb.Error) as caught:
            record["f32_a"] = odd
        assert caught.value.code in ("TB407", "TB409")


def test_an_overlapping_value_is_read_before_it_is_written() -> None:
    image = Image.empty(2)
    image.pixels[:] = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    image.pixels[1] = image.pixels.torch()[0]
    assert image.pixels[1].ravel().tolist() == list(range(60))
    image.pixels[0, :, :, 1:] = image.pixels.numpy()[0, :, :, :-1]
    assert image.pixels[0, 0, 0].tolist() == [0, 0, 1, 2, 3]


def test_large_values_are_copied_whole() -> None:
    class Large(tb.Record, name="test.large"):
        data = tb.f32(1000, 1000)

    record = Large.empty(1)
    value = torch.rand(1, 1000, 1000)
    for source in (value, value.transpose(1, 2).contiguous().transpose(1, 2), value.numpy()):
        record.data[:] = 0
        before = tb.copied()["assigned"]
        record.data[:] = source
        assert torch.equal(record.data.torch(), value)
        assert tb.copied()["assigned"] - before == 4_000_000


def test_no_alias_stays_behind() -> None:
    image = Image.empty(1)
    value = torch.ones(1, 3, 4, 5)
    gone = weakref.ref(value)
    image.pixels[:] = value
    image.pixels[0] = value[0]
    del value
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("field_name", "value", "code", "words"),
    [
        ("f32_a", torch.ones(1, 3, 5, dtype=torch.float64), "TB407", ["f32", "f64"]),
        ("f32_a", np.ones((1, 3, 5)), "TB407", ["f32", "f64"]),
        ("bf16_a", np.ones((1, 3, 5), np.uint16), "TB407", ["bf16", "u16"]),
        ("f32_a", np.ones((1, 3, 5), ">f4"), "TB407", ["f32", ">f"]),
        ("f32_a", np.ones((1, 3, 5), [("x", "f4")]), "TB407", ["f32", "T{"]),
        ("f32_a", torch.ones(3, 5), "TB408", ["[1, 3, 5]", "[3, 5]"]),
        ("f32_a", [[1.0, 2.0]], "TB408", ["[1, 3, 5]", "[1, 2]"]),
        ("f32_a", [[1.0], [2.0, 3.0]], "TB408", ["[1, 3, 5]", "no array"]),
        ("f32_a", "text", "TB407", ["f32", "a str"]),
        ("f32_a", None, "TB407", ["f32", "None"]),
        ("f32_a", [["a"]], "TB407", ["f32", "lists of"]),
        ("f32_a", object(), "TB407", ["f32", "a object"]),
        ("f32_a", 1j, "TB407", ["f32", "complex"]),
        ("u8_a", 256, "TB407", ["u8", "256"]),
        ("u8_a", -1, "TB407", ["u8", "-1"]),
        ("u8_a", 1.5, "TB407", ["u8", "1.5"]),
        ("u8_a", np.float32(1.5), "TB407", ["u8", "1.5"]),
        ("u8_a", [[1, 300]], "TB407", ["u8", "300"]),
        ("i64_a", 2**63, "TB407", ["i64", str(2**63)]),
        ("i64_a", 2**200, "TB407", ["i64", str(2**200)]),
        ("bool_a", 2, "TB407", ["bool", "2"]),
        ("f8_e5m2_a", [[1j]], "TB407", ["f8_e5m2", "complex"]),
    ],
)
def test_what_does_not_fit_is_named(
    record: Everything, field_name: str, value: Any, code: str, words: list[str]
) -> None:
    with pytest.raises(tb.Error) as caught:
        record[field_name] = value
    assert caught.value.code == code
    text = str(caught.value)
    assert field_name in text and all(word in text for word in words), text
    assert not record.present[field_name], "a value that was refused is not written"


def test_parts_that_do_not_fit_are_named(record: Everything) -> None:
    with pytest.raises(tb.WrongShape, match=r"shape \[5\], the value has shape \[4\]"):
        field(record, "f32_a")[0, 1] = np.ones(4, np.float32)
    with pytest.raises(tb.WrongDType, match="f64"):
        field(record, "f32_a")[0, 1] = np.ones(5)
    with pytest.raises(IndexError):
        field(record, "f32_a")[7] = 1
    tokens = Tokens.empty(1)
    tokens.seq = 3
    tokens.ids[:] = [[1, 2, 3]]
    with pytest.raises(tb.WrongShape, match=r"\[1, 3\]"):
        tokens.ids[:] = [[1, 2, 3, 4]]


def test_what_was_refused_does_not_count_as_written(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image)
    with tb.Sender(name, Image) as sender, sender.loan() as image:
        image.id = 1
        whole, pixels = np.ones((2, 2), np.float32), image.pixels
        for key, value in [
            (slice(None), whole),
            (0, whole),
            ([0, 2], whole),
            ((0, 0), np.ones(5)),
            (7, 1),
            ("name", 1),
            ((0, 0, 0), "text"),
        ]:
            with pytest.raises((tb.WrongShape, tb.WrongDType, IndexError)):
                pixels[key] = value  # type: ignore[assignment]
            assert not pixels.present, f"{key}"
        assert pixels.shape == (3, 4, 5) and len(pixels.tolist()) == 3
        with pytest.raises(tb.MissingField, match="pixels"):
            image.send()
        pixels[0, 0] = 1.0
        assert pixels.present


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_part_that_is_written_counts_as_written(record: Everything, dtype: str) -> None:
    target = field(record, f"{dtype}_a")
    with pytest.raises(IndexError):
        target[0, 3] = 1
    assert not target.present.any()  # type: ignore[union-attr]
    target[0, [0, 2]] = 1
    assert target.present.all()  # type: ignore[union-attr]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_tensor_of_a_gpu_that_does_not_fit_is_not_written() -> None:
    image = Image.empty(1)
    with pytest.raises(tb.WrongShape):
        image.pixels = torch.ones(2, 2, device="cuda")
    assert not image.present["pixels"]
    image.pixels = torch.ones(1, 3, 4, 5, device="cuda")
    assert image.present["pixels"] and image.pixels[0, 2, 3, 4] == 1


def test_dimensions_have_bounds() -> None:
    tokens = Tokens.empty(1)
    assert tokens.dims == {"seq": None}
    with pytest.raises(tb.DimUnset, match="seq"):
        _ = tokens.seq
    with pytest.raises(tb.DimUnset, match="seq"):
        tokens.ids = [[1]]
    for length in (0, 17, -1, 2**70):
        with pytest.raises(tb.DimOutOfRange, match=rf"cannot be {length}: expected 1\.\.=16") as caught:
            tokens.seq = length
        assert (caught.value.code, caught.value.found) == ("TB403", length)
    with pytest.raises(TypeError):
        tokens.seq = "long"  # type: ignore[assignment]
    tokens.set(ids=[[1, 2]], seq=2)
    assert tokens.seq == 2 and tokens.present["ids"]
    tokens.seq = 3
    assert not tokens.present["ids"], "another length makes the fields absent"


def test_one_element_becomes_a_number() -> None:
    image = Image.empty(1)
    image.id = 7
    assert (int(image.id), float(image.id), complex(image.id), bool(image.id)) == (7, 7.0, 7 + 0j, True)
    assert [10, 20, 30, 40, 50, 60, 70, 80][image.id] == 80
    assert image.id == 7 and (image.pixels == 0).all()
    with pytest.raises(ValueError, match="60 elements"):
        float(image.pixels)
    with pytest.raises(TypeError, match="no index"):
        [1][Everything.empty(1).f32_s]
    assert len(image.pixels) == 1 and list(image.id) == [7]


def test_small_floats_round_as_torch_does() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.cat([torch.randn(2000, generator=generator) * scale for scale in (1e-3, 1.0, 100.0)])
    exact = torch.arange(0, 256, dtype=torch.uint8)
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.float16):
        name = {torch.float16: "f16", torch.bfloat16: "bf16"}.get(dtype, str(dtype).replace("torch.float8", "f8"))
        record = Everything.empty(1)
        target = field(record, f"{name}_s")
        candidates = values
        if dtype.itemsize == 1:
            every = exact.view(dtype).float()
            middles = (every[:-1] + every[1:]) / 2
            candidates = torch.cat([values, every, middles])
            candidates = candidates[candidates.isfinite()]
        for value in candidates.tolist():
            expected = torch.tensor(value, dtype=torch.float64).to(torch.float32).to(dtype)
            target[:] = torch.tensor(value, dtype=torch.float64).to(torch.float32).item()
            assert target.torch().view(torch.int8 if dtype.itemsize == 1 else torch.int16)[0] == expected.view(
                torch.int8 if dtype.itemsize == 1 else torch.int16
            ), (dtype, value)
            assert target.item() == expected.float().item() or expected.isnan()
