"""Element types, and the fields that are declared with them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, SupportsIndex, TypeAlias, TypeVar, overload

from . import _core
from ._core import Field

if TYPE_CHECKING:
    from typing import Protocol

    from typing_extensions import Buffer

    from ._record import Record

    class SupportsDLPack(Protocol):
        def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...

    Writable: TypeAlias = bool | int | float | complex | Field | Buffer | SupportsDLPack | SupportsIndex | Sequence[Any]
    """What can be assigned to a field: a number, a list, a tensor or an array of any framework."""

F = TypeVar("F", bound="Field | None")


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

    def __set__(self, record: Record, length: int) -> None:
        record._handle.set_dim(record._first[1] + self.index, length)

    def _described(self) -> str:
        return f"A symbolic dimension: {self.min} to {self.max}."

    def __repr__(self) -> str:
        return f"tb.Dim({self.min}, {self.max})"


class Column(_core.Descriptor, Generic[F]):
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
        def __set__(self, record: Record, value: Writable) -> None: ...

    def _extents(self) -> str:
        return ", ".join(extent.name if isinstance(extent, Dim) else str(extent) for extent in self.shape)

    def _described(self) -> str:
        facts = [f"{self.dtype} [{self._extents()}]", self.unit, "optional" if self.optional else ""]
        head = ", ".join(fact for fact in facts if fact)
        return f"{head}\n\n{self.doc}" if self.doc else head

    def __repr__(self) -> str:
        return f"<tb.{self.dtype}({self._extents()}) {self.name!r}>"


class DType(str):
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

    @overload
    def __call__(
        self,
        *shape: int | Dim,
        optional: Literal[False] = False,
        align: int = 0,
        pad: float | None = None,
        unit: str = "",
        doc: str = "",
    ) -> Column[Field]: ...
    @overload
    def __call__(
        self,
        *shape: int | Dim,
        optional: Literal[True],
        align: int = 0,
        pad: float | None = None,
        unit: str = "",
        doc: str = "",
    ) -> Column[Field | None]: ...
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


def _dtype(name: str) -> DType:
    return DType(name, _SIZES[name])


bool_ = _dtype("bool")
u8 = _dtype("u8")
u16 = _dtype("u16")
u32 = _dtype("u32")
u64 = _dtype("u64")
i8 = _dtype("i8")
i16 = _dtype("i16")
i32 = _dtype("i32")
i64 = _dtype("i64")
f16 = _dtype("f16")
bf16 = _dtype("bf16")
f32 = _dtype("f32")
f64 = _dtype("f64")
c64 = _dtype("c64")
c128 = _dtype("c128")
f8_e4m3fn = _dtype("f8_e4m3fn")
f8_e5m2 = _dtype("f8_e5m2")
