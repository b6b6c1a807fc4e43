"""Records within records: their fields are columns of the outer record, under dotted names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from . import _core
from ._core import Base
from ._dtype import _Doc

if TYPE_CHECKING:
    from ._record import Record

R = TypeVar("R", bound="Record | None")
Part = TypeVar("Part", bound="Record")


class Nested(Generic[R]):
    __doc__ = _Doc("""A field of a record class that is another record. On a record it gives that.

    A mapping assigned to it sets the fields that it names, and a record those that were written.
    """)

    __slots__ = ("doc", "first", "name", "optional", "record")

    def __init__(self, record: type[Record], *, optional: bool, doc: str) -> None:
        self.record = record
        self.optional = optional
        self.doc = doc
        self.name = ""
        self.first = (-1, -1)
        """Where its fields and its dimensions begin; set once the class is complete."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    def _part(self, record: Record) -> Record:
        (field, dim), (outer_field, outer_dim) = self.first, record._first
        return self.record._wrap(record._handle, place=(outer_field + field, outer_dim + dim))

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...
    @overload
    def __get__(self, record: Record, owner: type) -> R: ...
    def __get__(self, record: Record | None, owner: type) -> Any:
        if record is None:
            return self
        part = self._part(record)
        if self.optional and not record._handle.writable and all(field is None for field in part.values()):
            return None
        return part

    def __set__(self, record: Record, values: Record | Mapping[str, Any]) -> None:
        written = values._written() if isinstance(values, Base) else values
        self._part(record).set(**written)

    def columns(self) -> list[_core._FieldParts]:
        """The columns that it stands for, as parts of a schema."""
        return [
            (
                f"{self.name}.{field.name}",
                field.dtype,
                [f"{self.name}.{extent}" if isinstance(extent, str) else extent for extent in field.shape],
                _nested_presence(field.presence, self.optional),
                field.align,
                field.pad,
                field.unit,
                field.doc,
            )
            for field in self.record.schema.fields
        ]

    def dims(self) -> list[tuple[str, int, int]]:
        """Its symbolic dimensions, as parts of a schema."""
        return [(f"{self.name}.{name}", low, high) for name, low, high in self.record.schema.dims]

    def _described(self) -> str:
        head = self.record.__name__ + (", optional" if self.optional else "")
        return f"{head}\n\n{self.doc}" if self.doc else head

    def __repr__(self) -> str:
        return f"<tb.nested({self.record.__name__}) {self.name!r}>"


def _nested_presence(presence: int, optional: bool) -> int:
    """What `FieldInfo.presence` becomes in an outer record: one more name leads to the optional record."""
    if presence == 0:
        return 2 if optional else 0
    return presence if presence == 1 else presence + 1


@overload
def nested(record: type[Part], *, optional: Literal[False] = False, doc: str = "") -> Nested[Part]: ...
@overload
def nested(record: type[Part], *, optional: Literal[True], doc: str = "") -> Nested[Part | None]: ...
def nested(record: type[Record], *, optional: bool = False, doc: str = "") -> Nested[Any]:
    """Declares a field that is another record.

    Its fields become fields of the outer record, each a column of its own::

        class Image(tb.Record, name="vision.image"):
            pose = tb.nested(Pose)

        image.pose.position[:] = 0.0
        image["pose.position"]
        client.call(pose={"position": [0, 0, 1]})

    Args:
        record: the class of the record.
        optional: whether a record may be sent without it; then it is sent with all that it requires, or not at all, and
            reads as None when none of its fields was sent.
        doc: what it is, for people.
    """
    if not hasattr(record, "schema"):
        raise TypeError(f"{record!r} cannot be nested: expected a class with tb.Record as its base and a name")
    return Nested(record, optional=optional, doc=doc)
