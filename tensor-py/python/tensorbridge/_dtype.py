"""Element types, and the fields that are declared with them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, overload

from . import _core

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import TypeVar, Unpack

    from ._core import Field
    from ._record import Record
    from ._typing import About, Extent, Rank0, Rank1, Rank2, Rank3, Rank4, RankAny, Writable

    F = TypeVar("F", bound="Field | None")
    Array = TypeVar("Array", bound="np.ndarray[Any, Any]", default=Any)
    Scalar = TypeVar("Scalar", bound="np.generic", default=Any)
else:
    from typing import TypeVar

    F, Array, Scalar = TypeVar("F"), TypeVar("Array"), TypeVar("Scalar")


class _Doc:
    """A class's documentation, and another for each of its instances: what `help` of a record class shows."""

    def __init__(self, text: str) -> None:
        self.text = inspect.cleandoc(text)

    def __get__(self, part: Any, owner: type) -> str:
        return self.text if part is None else part._described()


class Dim:
    __doc__ = _Doc("""A symbolic dimension: declared once with its bounds, its length is set for each record.

    Used by the name it has in the class::

        class Tokens(tb.Record, name="nlp.tokens"):
            seq = tb.Dim(1, 512)
            ids = tb.i64(seq)

        tokens.seq = 37  # from here on `ids` has the shape [37]

    Of a run it is the longest length; ``run.dims["seq"]`` has those of the records. ``run.seq = [3, 5, 2]`` gives each record of
    a run of replies a length of its own: the fields have the longest, and what is written beyond a record's own is not sent.

    Reading the length of a record whose dimension is not set raises `DimUnset`; setting one outside the bounds raises
    `DimOutOfRange`. Changing a length makes the fields that name it absent again.
    """)

    __slots__ = ("index", "max", "min", "name")

    def __init__(self, min: int, max: int) -> None:
        self.min = min
        self.max = max
        self.name = ""
        self.index = -1

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...
    @overload
    def __get__(self, record: Record, owner: type) -> int: ...
    def __get__(self, record: Record | None, owner: type) -> Self | int:
        if record is None:
            return self
        length = record._handle.dim(record._first[1] + self.index)
        if length is None:
            raise _core.dim_unset(record.schema.name, self.name)
        return length

    def __set__(self, record: Record, length: int | Iterable[int]) -> None:
        record._handle.set_dim(record._first[1] + self.index, length)

    def _described(self) -> str:
        return f"A symbolic dimension: {self.min} to {self.max}."

    def __repr__(self) -> str:
        return f"tb.Dim({self.min}, {self.max})"


class Column(_core.Descriptor, Generic[F, Array]):
    __doc__ = _Doc(
        "A field of a record class. On a record it gives the field; assigning to it copies a value in."
    )

    __slots__ = ("align", "doc", "dtype", "name", "optional", "pad", "shape", "unit")

    def __init__(
        self,
        dtype: str,
        shape: tuple[int | Dim, ...],
        *,
        optional: bool,
        align: int,
        pad: float | None,
        unit: str,
        doc: str,
    ) -> None:
        self.dtype = dtype
        self.shape = shape
        self.optional = optional
        self.align = align
        self.pad = pad
        self.unit = unit
        self.doc = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    if TYPE_CHECKING:

        @overload
        def __get__(self, record: None, owner: type) -> Self: ...
        @overload
        def __get__(self, record: Record, owner: type) -> F: ...
        def __get__(self, record: Record | None, owner: type) -> Self | F: ...
        def __set__(self, record: Record, value: Writable | Array) -> None: ...

    def _extents(self) -> str:
        return ", ".join(extent.name if isinstance(extent, Dim) else str(extent) for extent in self.shape)

    def _described(self) -> str:
        facts = [f"{self.dtype} [{self._extents()}]", self.unit, "optional" if self.optional else ""]
        head = ", ".join(fact for fact in facts if fact)
        return f"{head}\n\n{self.doc}" if self.doc else head

    def __repr__(self) -> str:
        return f"<tb.{self.dtype}({self._extents()}) {self.name!r}>"


class DType(str, Generic[Scalar]):
    """The type of an element. Called with a shape it declares a field::

        pixels = tb.f32(3, 224, 224, doc="RGB planes, normalised")
        id = tb.u64()
        mask = tb.i64(seq, optional=True)

    It is its own name: ``record.pixels.dtype == tb.f32 == "f32"``.
    """

    itemsize: int
    """Bytes of one element."""

    def __new__(cls, name: str, itemsize: int) -> Self:
        self = super().__new__(cls, name)
        self.itemsize = itemsize
        return self

    # A type checker knows the dtype of a field and, up to four dimensions, how many it has.
    @overload
    def __call__(
        self, *, optional: Literal[False] = False, **about: Unpack[About]
    ) -> Column[Field[Rank0, Scalar], np.ndarray[Rank0, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, *, optional: Literal[True], **about: Unpack[About]
    ) -> Column[Field[Rank0, Scalar] | None, np.ndarray[Rank0, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, /, *, optional: Literal[False] = False, **about: Unpack[About]
    ) -> Column[Field[Rank1, Scalar], np.ndarray[Rank1, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, /, *, optional: Literal[True], **about: Unpack[About]
    ) -> Column[Field[Rank1, Scalar] | None, np.ndarray[Rank1, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, b: Extent, /, *, optional: Literal[False] = False, **about: Unpack[About]
    ) -> Column[Field[Rank2, Scalar], np.ndarray[Rank2, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, b: Extent, /, *, optional: Literal[True], **about: Unpack[About]
    ) -> Column[Field[Rank2, Scalar] | None, np.ndarray[Rank2, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, b: Extent, c: Extent, /, *, optional: Literal[False] = False, **about: Unpack[About]
    ) -> Column[Field[Rank3, Scalar], np.ndarray[Rank3, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, b: Extent, c: Extent, /, *, optional: Literal[True], **about: Unpack[About]
    ) -> Column[Field[Rank3, Scalar] | None, np.ndarray[Rank3, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, b: Extent, c: Extent, d: Extent, /, *, optional: Literal[False] = False, **about: Unpack[About]
    ) -> Column[Field[Rank4, Scalar], np.ndarray[Rank4, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, a: Extent, b: Extent, c: Extent, d: Extent, /, *, optional: Literal[True], **about: Unpack[About]
    ) -> Column[Field[Rank4, Scalar] | None, np.ndarray[Rank4, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, *shape: Extent, optional: Literal[False] = False, **about: Unpack[About]
    ) -> Column[Field[RankAny, Scalar], np.ndarray[RankAny, np.dtype[Scalar]]]: ...
    @overload
    def __call__(
        self, *shape: Extent, optional: Literal[True], **about: Unpack[About]
    ) -> Column[Field[RankAny, Scalar] | None, np.ndarray[RankAny, np.dtype[Scalar]]]: ...
    def __call__(
        self,
        *shape: int | Dim,
        optional: bool = False,
        align: int = 0,
        pad: float | None = None,
        unit: str = "",
        doc: str = "",
    ) -> Column[Any]:
        """Declares a field.

        Args:
            shape: its extents in one record, each a number or a `Dim`; none for a single element.
            optional: whether a record may be sent without it.
            align: records' values are this many bytes apart or a multiple of it; 0 for as close as they fit.
            pad: what fills the rows of a batch beyond a record's own length.
            unit: its unit, for people.
            doc: what it is, for people.
        """
        return Column(str(self), shape, optional=optional, align=align, pad=pad, unit=unit, doc=doc)

    def __getnewargs__(self) -> tuple[str, int]:  # type: ignore[override]
        return (str(self), self.itemsize)

    def __repr__(self) -> str:
        return f"tb.{self!s}"


_SIZES = dict(_core.dtypes())


def _dtype(name: str) -> DType[Any]:
    return DType(name, _SIZES[name])


bool_: DType[np.bool_] = _dtype("bool")
u8: DType[np.uint8] = _dtype("u8")
u16: DType[np.uint16] = _dtype("u16")
u32: DType[np.uint32] = _dtype("u32")
u64: DType[np.uint64] = _dtype("u64")
i8: DType[np.int8] = _dtype("i8")
i16: DType[np.int16] = _dtype("i16")
i32: DType[np.int32] = _dtype("i32")
i64: DType[np.int64] = _dtype("i64")
f16: DType[np.float16] = _dtype("f16")
bf16: DType[Any] = _dtype("bf16")
f32: DType[np.float32] = _dtype("f32")
f64: DType[np.float64] = _dtype("f64")
c64: DType[np.complex64] = _dtype("c64")
c128: DType[np.complex128] = _dtype("c128")
f8_e4m3fn: DType[Any] = _dtype("f8_e4m3fn")
f8_e5m2: DType[Any] = _dtype("f8_e5m2")
