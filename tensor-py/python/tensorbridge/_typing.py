"""What type checkers know about fields; nothing here exists when a program runs."""

from __future__ import annotations

import array
from collections.abc import Hashable, Sequence
from typing import Any, Protocol, SupportsIndex, TypeAlias, TypedDict

import numpy as np
from typing_extensions import Buffer

from ._core import Field
from ._dtype import Dim

Extent: TypeAlias = int | Dim

Rank0: TypeAlias = tuple[()] | tuple[int]
Rank1: TypeAlias = tuple[int] | tuple[int, int]
Rank2: TypeAlias = tuple[int, int] | tuple[int, int, int]
Rank3: TypeAlias = tuple[int, int, int] | tuple[int, int, int, int]
Rank4: TypeAlias = tuple[int, int, int, int] | tuple[int, int, int, int, int]
RankAny: TypeAlias = tuple[Any, ...]
"""The shape of a field that is declared with so many extents: in one record, or in a run, which has one more."""


class About(TypedDict, total=False):
    """What a field is declared with beside its shape."""

    align: int
    pad: float | None
    unit: str
    doc: str


# NumPy's arrays are the only tensors whose type says what is in them. They are told from others by what they are not:
# hashable, or of JAX or TensorFlow. They have the protocols of tensors as well.


class HashableTensor(Hashable, Protocol):
    """A tensor of torch, ...: its type does not say what its elements are."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...


class JaxArray(Protocol):
    """An array of JAX, by what only it has."""

    def block_until_ready(self) -> Any: ...

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...


class TensorFlowTensor(Protocol):
    """A tensor of TensorFlow, by what only it has."""

    def get_shape(self) -> Any: ...


class HashableBuffer(Buffer, Hashable, Protocol):
    """Bytes and memoryviews."""


class HashableIndex(SupportsIndex, Hashable, Protocol):
    """A whole number."""


Writable: TypeAlias = (
    bool
    | int
    | float
    | complex
    | np.generic
    | Field[Any, Any]
    | HashableTensor
    | JaxArray
    | TensorFlowTensor
    | HashableBuffer
    | bytearray
    | array.array[Any]
    | HashableIndex
    | Sequence[Any]
)
"""What can be assigned to a field, beside NumPy arrays of its dtype and rank: numbers, lists, tensors, buffers."""
