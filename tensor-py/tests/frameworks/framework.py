"""The framework that this process tests: what the tests need of each, under the same names."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import tensorbridge as tb

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
SMALL_FLOATS = {"bf16": "bfloat16", "f8_e4m3fn": "float8_e4m3fn", "f8_e5m2": "float8_e5m2"}
DTYPES = [name for name, _ in tb._core.dtypes()]
WIDE = ["i64", "u64", "f64", "c128"]
"""What JAX has with `jax_enable_x64` only."""


def numpy_dtype(dtype: str) -> Any:
    """The dtype as NumPy has it, by way of ml_dtypes."""
    if dtype in NUMPY:
        return np.dtype(NUMPY[dtype])
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, SMALL_FLOATS[dtype]))


class Framework:
    """One framework. Its tensors are Any here: each has its own."""

    label = "NumPy"
    """Its name for people."""

    may_copy = False
    """Whether it may need a copy where others alias."""

    def open(self, field: tb.Field, **options: Any) -> Any:
        return field.numpy(**options)

    def open_all(self, record: tb.Record) -> dict[str, Any]:
        return record.numpy()

    def address(self, tensor: Any) -> int:
        return int(tensor.ctypes.data)

    def array(self, tensor: Any) -> Any:
        """As a NumPy array, without a copy where there is a way."""
        return np.asarray(tensor)

    def numbers(self, tensor: Any) -> Any:
        return self.array(tensor).astype(np.complex128)

    def make(self, dtype: str, values: Any) -> Any:
        """A tensor of the framework's own."""
        return np.array(values).astype(numpy_dtype(dtype))

    def view(self, tensor: Any) -> Any:
        """Another tensor on the same memory, where the framework has such a thing."""
        return tensor.reshape(-1)[1:]

    def switched_on(self, dtype: str) -> AbstractContextManager[Any]:
        """Where the framework can be used with this dtype."""
        return nullcontext()


class Torch(Framework):
    label = "PyTorch"

    def open(self, field: tb.Field, **options: Any) -> Any:
        return field.torch(**options)

    def open_all(self, record: tb.Record) -> dict[str, Any]:
        return record.torch()

    def address(self, tensor: Any) -> int:
        return int(tensor.data_ptr())

    def array(self, tensor: Any) -> Any:
        return tensor.detach().numpy()

    def numbers(self, tensor: Any) -> Any:
        import torch

        return tensor.detach().to(torch.complex128).numpy()

    def make(self, dtype: str, values: Any) -> Any:
        import torch

        names = {"bool": "bool", **{name: np.dtype(found).name for name, found in NUMPY.items()}, **SMALL_FLOATS}
        return torch.tensor(values).to(getattr(torch, names[dtype]))


class TensorFlow(Framework):
    label = "TensorFlow"
    may_copy = True

    def open(self, field: tb.Field, **options: Any) -> Any:
        return field.tf(**options)

    def open_all(self, record: tb.Record) -> dict[str, Any]:
        return record.tf()

    def address(self, tensor: Any) -> int:
        return int(np.asarray(tensor).ctypes.data)

    def make(self, dtype: str, values: Any) -> Any:
        import tensorflow as tf

        return tf.constant(np.array(values).astype(numpy_dtype(dtype)))

    def view(self, tensor: Any) -> Any:
        import tensorflow as tf

        return tf.reshape(tensor, [-1])


class Jax(Framework):
    label = "JAX"
    may_copy = True

    def open(self, field: tb.Field, **options: Any) -> Any:
        return field.jax(**options)

    def open_all(self, record: tb.Record) -> dict[str, Any]:
        return record.jax()

    def address(self, tensor: Any) -> int:
        return int(tensor.unsafe_buffer_pointer())

    def make(self, dtype: str, values: Any) -> Any:
        import jax.numpy as jnp

        return jnp.asarray(np.array(values).astype(numpy_dtype(dtype)))

    def view(self, tensor: Any) -> Any:
        return np.asarray(tensor)

    def switched_on(self, dtype: str) -> AbstractContextManager[Any]:
        import jax

        enabled: AbstractContextManager[Any] = jax.enable_x64(True) if dtype in WIDE else nullcontext()
        return enabled




class Picture(tb.Record, name="test.picture"):
    """A field that every framework can alias in any slot."""

    pixels = tb.f32(3, 4, 16)
    id = tb.u64()


FRAMEWORK = {"numpy": Framework, "torch": Torch, "tensorflow": TensorFlow, "jax": Jax}[
    os.environ["TENSORBRIDGE_FRAMEWORK"]
]()
"""The one this process is about."""
