"""PyTorch's own ways."""

from __future__ import annotations

import pytest
import tensorbridge as tb
import torch
from framework import Picture


def test_torch_functions_take_fields() -> None:
    picture = Picture.empty(2)
    picture.pixels = 2.0
    field = picture.pixels
    before = tb.copied()
    for tensor in (torch.as_tensor(field), torch.from_dlpack(field), torch.from_dlpack(field.__dlpack__())):
        assert tensor.data_ptr() == field.data_ptr and tensor.shape == field.shape
    assert torch.as_tensor(picture.id).dtype == torch.uint64
    assert tb.copied() == before
    assert torch.tensor(field).data_ptr() != field.data_ptr
    # It takes the bytes of any buffer as one line; so it does with a memoryview.
    line = torch.asarray(field)
    assert line.shape == (384,) and line.data_ptr() == field.data_ptr
    assert torch.asarray(memoryview(field)).shape == (384,)


def test_results_are_written_in_place() -> None:
    picture = Picture.empty(2)
    before = tb.copied()
    torch.mul(torch.full((2, 3, 4, 16), 3.0), 2, out=picture.pixels.torch())
    torch.nn.functional.relu_(picture.pixels.torch().sub_(5))
    assert tb.copied() == before and picture.present["pixels"]
    assert (picture.pixels.numpy() == 1).all()


@pytest.mark.parametrize("kind", ["negative", "conjugate", "gradient", "parameter", "expanded", "flipped", "channels last"])
def test_tensors_that_are_more_than_memory(kind: str) -> None:
    picture = Picture.empty(1)
    base = torch.arange(192.0).reshape(1, 3, 4, 16)
    values = {
        "negative": torch.complex(torch.zeros_like(base), base).conj().imag,
        "conjugate": torch.complex(base, base).conj().real,
        "gradient": (base.clone().requires_grad_() * 2),
        "parameter": torch.nn.Parameter(base.clone()),
        "expanded": base[..., :1].expand(1, 3, 4, 16),
        "flipped": base.flip(3),
        "channels last": base.to(memory_format=torch.channels_last),
    }
    value = values[kind]
    picture.pixels = value
    assert torch.equal(picture.pixels.torch(), value.detach().resolve_neg().resolve_conj().contiguous())
