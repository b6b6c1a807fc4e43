"""Records: classes that say what a record is, and instances that are one."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self

from . import _core, _notebook, _show, _trace
from ._async import settled
from ._core import Field, FieldInfo, Schema
from ._dtype import Column, Dim
from ._failure import told
from ._nested import Nested

if TYPE_CHECKING:
    import jax
    import numpy as np
    import tensorflow as tf  # type: ignore[import-untyped]
    import torch
    from numpy.typing import NDArray


class _Default:
    """Stands for the timeout that an endpoint was made with."""

    def __repr__(self) -> str:
        return "the endpoint's timeout"


DEFAULT: Final = _Default()
Timeout = float | None | _Default


class Record(_core.Base, Mapping[str, "Field | None"]):
    """What two programs share, field by field.

    A subclass says what its records are::

        class Image(tb.Record, name="vision.image"):
            '''A photo ready for the classifier.'''

            pixels = tb.f32(3, 224, 224, doc="RGB planes, normalised")
            id = tb.u64()

    Instances come from `Client.loan`, `Sender.loan`, `Receiver.receive` and calls, or from `empty` for tests. A field
    is an attribute and, because a record is a mapping, an item: ``image.pixels`` and ``image["pixels"]`` are the same.
    A field whose name the class has for something else, such as ``values``, is an item only.

    Assigning to a field copies the value in, and an optional field that was not sent reads as None.
    """

    schema: ClassVar[Schema]
    """What the records are."""

    _columns: ClassVar[dict[str, int]]
    _dims: ClassVar[dict[str, int]]
    _nested: ClassVar[dict[str, Nested[Any]]]
    _reply: type[Record] | None

    def __init_subclass__(cls, *, name: str | None = None, version: int = 0, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        declared = {key: value for key, value in vars(cls).items() if isinstance(value, Column | Dim | Nested)}
        inherited = getattr(cls, "schema", None)
        if name is None:
            if declared or inherited is None:
                raise TypeError(f'{cls.__name__} needs a name: class {cls.__name__}(tb.Record, name="...")')
            return
        if inherited is not None:
            raise TypeError(f"{cls.__name__} cannot extend the record {inherited.name}: declare all its fields")
        dims = [value for value in declared.values() if isinstance(value, Dim)]
        all_dims = [(dim.name, dim.min, dim.max) for dim in dims]
        columns: list[_core._FieldParts] = []
        for number, dim in enumerate(dims):
            _check_new(cls, dim.name, dim.index)
            dim.index = number
        for value in declared.values():
            if isinstance(value, Column):
                _check_new(cls, value.name, value.index)
                value.index = len(columns)
                columns.append(_field_parts(cls, value, dims))
            elif isinstance(value, Nested):
                _check_new(cls, value.name, value.first[0])
                value.first = len(columns), len(all_dims)
                columns.extend(value.columns())
                all_dims.extend(value.dims())
        doc = inspect.cleandoc(vars(cls).get("__doc__") or "")
        cls.schema = Schema(name, columns, all_dims, version, doc)
        cls._columns = {column[0]: number for number, column in enumerate(columns)}
        cls._dims = {dim_name: number for number, (dim_name, _, _) in enumerate(all_dims)}
        cls._nested = {key: value for key, value in declared.items() if isinstance(value, Nested)}
        for key in declared:
            if hasattr(Record, key):
                # Methods keep their names; the field is an item.
                delattr(cls, key)

    if TYPE_CHECKING:

        def __init__(self, *, loan_one_or_use_empty: NoReturn) -> None: ...

    else:

        def __new__(cls, *args, **kwargs):
            raise TypeError(
                f"{cls.__name__} is a place in memory: loan one from a Client or a Sender, or make "
                f"{cls.__name__}.empty(n)"
            )

    @classmethod
    def _wrap(
        cls, handle: _core.Handle, reply: type[Record] | None = None, place: tuple[int, int] | None = None
    ) -> Self:
        return _new(cls, handle, reply, place)

    @property
    def _first(self) -> tuple[int, int]:
        """Where its fields and dimensions begin in the whole record."""
        return self._place or (0, 0)

    def _check_whole(self) -> None:
        if self._place is not None:
            raise TypeError(f"{type(self).__name__} is nested in another record: it comes and goes with that one")

    @classmethod
    def empty(cls, n: int) -> Self:
        """A run of `n` records in this process's own memory, zeroed and with nothing present.

        Every field has a leading dimension of `n`, as in a service's handler::

            scores = Scores.empty(4)
            ResNet50()(Image.empty(4), scores)
        """
        return cls._wrap(_core.Handle.empty(cls.schema, n))

    def send(self) -> None:
        """Sends a record that a `Sender` loaned. Aliases of its fields keep its slot from being used again.

        Raises:
            MissingField, DimUnset: something is missing; write it and send again.
            Aliased: the sender is strict and an alias lives.
            Released: it was sent before.
        """
        self._check_whole()
        if _trace.in_use():
            with _trace.sending(self._handle):
                self._handle.send()
        else:
            self._handle.send()

    if TYPE_CHECKING:

        def call(self, *, timeout: Timeout = DEFAULT, traceparent: str | None = None) -> Any:
            """Calls with a record that a `Client` loaned; gives the reply, a record of the service's reply class.

            Args:
                timeout: seconds to wait for the reply, None for ever; the client's own unless stated.
                traceparent: the W3C trace context that the worker sees; that of the current OpenTelemetry span unless stated.

            Raises:
                MissingField, DimUnset: something is missing; write it and call again.
                Remote: the worker's code raised an exception.
                Timeout, HostDied, WorkerDied: nobody answered.
                Released: it was called with before.
            """

    def _call_traced(self, seconds: float | None) -> _core.Handle:
        """The reply to a call in a span."""
        with _trace.calling(self._handle) as answered:
            return answered(self._handle.call(seconds))

    async def call_async(self, *, timeout: Timeout = DEFAULT, traceparent: str | None = None) -> Any:
        """As `call`, awaited. A task that is cancelled leaves the call: its slot comes back when the worker lets go."""
        self._check_whole()
        seconds = self._handle.timeout if isinstance(timeout, _Default) else timeout
        if traceparent is not None:
            self._handle.set_trace(traceparent)
        begin = partial(self._handle.call_async, seconds)
        if _trace.in_use():
            with _trace.calling(self._handle) as answered:
                reply = answered(await settled(begin))
        else:
            reply = await settled(begin)
        assert self._reply is not None, "only a client's loans can be called"
        return self._reply._wrap(reply)

    def release(self) -> None:
        """Gives the record back, sent or not. Aliases of its fields stay valid. Does nothing the second time.

        Nor does it, or the end of a ``with``, in a handler: its records are its caller's answer, and are released when it
        returns.
        """
        self._check_whole()
        self._handle.release()

    def __enter__(self) -> Self:
        self._check_whole()
        return self

    def __exit__(self, *exception: object) -> None:
        self._handle.release()

    def torch(self) -> dict[str, torch.Tensor | None]:
        """Every field as a torch tensor on the record's memory; None for an optional one that was not sent."""
        return {name: None if field is None else field.torch() for name, field in self.items()}

    def numpy(self) -> dict[str, NDArray[np.generic] | None]:
        """Every field as a NumPy array on the record's memory; None for an optional one that was not sent."""
        return {name: None if field is None else field.numpy() for name, field in self.items()}

    def tf(self) -> dict[str, tf.Tensor | None]:
        """Every field as a TensorFlow tensor, as `Field.tf` makes it; None for an optional one that was not sent."""
        return {name: None if field is None else field.tf() for name, field in self.items()}

    def jax(self) -> dict[str, jax.Array | None]:
        """Every field as a JAX array, as `Field.jax` makes it; None for an optional one that was not sent."""
        return {name: None if field is None else field.jax() for name, field in self.items()}

    @property
    def present(self) -> dict[str, bool]:
        """Whether each field was written; of a run, in every one of its records."""
        first = self._first[0]
        return dict(zip(self._columns, self._handle.present()[first : first + len(self)], strict=True))

    @property
    def records(self) -> int | None:
        """How many records a run has; None for a record."""
        return self._handle.records

    def row(self, index: int) -> Self:
        """Record `index` of a run, alone and of its own lengths, to be read. It keeps the slots of the whole run.

        Raises:
            IndexError: the run has no such record.
            WrongKind: it is no run.
        """
        return self._wrap(self._handle.row(index), None, self._place)

    def fail(self, index: int, error: BaseException | str) -> None:
        """Says that request `index` of a run failed, in a service's handler, of the run of replies.

        Its caller, and nobody else, gets `Remote` with the error's type and text; what was written to its reply is not sent.

        Raises:
            IndexError: the run has no such record.
            WrongKind: it is not the replies of a handler.
        """
        self._check_whole()
        self._handle.fail(index, *told(error))

    @property
    def dims(self) -> dict[str, int | NDArray[np.int64] | None]:
        """The length of each symbolic dimension; None before it is set.

        Of a run, the lengths of its records as an array: 0 for a record that has none, because the optional fields that
        would need one are absent. Fields have the longest.
        """
        first = self._first[1]
        if self._handle.records is None:
            return {name: self._handle.dim(first + index) for name, index in self._dims.items()}
        import numpy as np

        lengths = {name: self._handle.lengths(first + index) for name, index in self._dims.items()}
        return {
            name: None if all(length is None for length in found) else np.array([length or 0 for length in found])
            for name, found in lengths.items()
        }

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that came with the record, or None; of a run, the first that any of its records has.

        Of a loan it may be assigned. In a program that has imported OpenTelemetry, what is sent or called carries that of
        the current span by itself, and a handler runs in a span of the caller's trace.

        Raises:
            BadTraceparent: what is assigned is none.
        """
        return next((trace for trace in self._handle.traces() if trace is not None), None)

    @traceparent.setter
    def traceparent(self, traceparent: str | None) -> None:
        self._handle.set_trace(traceparent)

    @property
    def traceparents(self) -> list[str | None]:
        """The W3C trace context of each record of a run; of a record, a list of one."""
        return self._handle.traces()

    def set(self, **values: Any) -> Self:
        """Assigns to several fields and dimensions at once, dimensions first: ``tokens.set(ids=ids, seq=37)``.

        A nested record takes a mapping of its own: ``image.set(pose={"position": [0, 0, 1]})``.

        Raises:
            UnknownField: the record has no such field or dimension.
        """
        first_field, first_dim = self._first
        for name, value in values.items():
            if name in self._dims:
                self._handle.set_dim(first_dim + self._dims[name], value)
            elif name not in self._columns and name not in self._nested:
                raise self._unknown(name)
        for name, value in values.items():
            if name in self._columns:
                self._handle.assign(first_field + self._columns[name], value)
            elif name in self._nested:
                self._nested[name].__set__(self, value)
        return self

    def _written(self) -> dict[str, Any]:
        """What was set of it, for another record to take over."""
        first = self._first[1]
        lengths = {name: self._handle.dim(first + index) for name, index in self._dims.items()}
        return {name: length for name, length in lengths.items() if length is not None} | {name: self[name] for name, present in self.present.items() if present}

    def __getitem__(self, name: str) -> Field | None:
        index = self._columns.get(name)
        if index is None:
            raise self._unknown(name)
        return self._handle.field(self._first[0] + index)

    def __setitem__(self, name: str, value: Any) -> None:
        index = self._columns.get(name)
        if index is None:
            raise self._unknown(name)
        self._handle.assign(self._first[0] + index, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._columns)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def _unknown(self, name: str) -> _core.Error:
        return _core.unknown_field(self.schema, name)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied: it is a place in this machine's memory. Send it "
            "through a Sender or a Client, or pickle a copy of a field: record.field.numpy().copy()"
        )

    def __repr__(self) -> str:
        return _show.as_text(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return _notebook.shown(self)

    def _repr_html_(self) -> str:
        return _show.as_html(self)


_new = _core.Base.__new__


def _check_new(cls: type, name: str, index: int) -> None:
    if index != -1:
        raise TypeError(f"`{name}` of {cls.__name__} belongs to another record: declare it anew")


def _field_parts(cls: type, column: Column[Any], dims: list[Dim]) -> _core._FieldParts:
    shape: list[int | str] = []
    for extent in column.shape:
        if isinstance(extent, Dim):
            if not any(extent is dim for dim in dims):
                raise TypeError(
                    f"`{column.name}` of {cls.__name__} uses a tb.Dim that the class does not declare: "
                    "give it a name in the class, seq = tb.Dim(...)"
                )
            shape.append(extent.name)
        elif isinstance(extent, int) and extent >= 0:
            shape.append(extent)
        else:
            raise TypeError(f"an extent of `{column.name}` is {extent!r}: expected a number or a tb.Dim")
    return (
        column.name,
        column.dtype,
        shape,
        int(column.optional),
        column.align,
        column.pad,
        column.unit,
        column.doc,
    )


@lru_cache(maxsize=256)
def _class_of_bytes(encoded: bytes) -> type[Record]:
    schema = Schema.decode(encoded)
    return _class_of_parts(schema.class_name, schema.name, schema.version, schema.doc, schema.dims, schema.fields, "")


def _class_of_parts(
    class_name: str,
    name: str,
    version: int,
    doc: str,
    all_dims: list[tuple[str, int, int]],
    fields: list[FieldInfo],
    prefix: str,
) -> type[Record]:
    """A class for the fields whose names begin with `prefix`, which all of `fields` do."""
    own = {dim[len(prefix) :]: Dim(low, high) for dim, low, high in all_dims if dim.startswith(prefix)}
    dims = {dim: value for dim, value in own.items() if "." not in dim}
    body: dict[str, Any] = {"__doc__": doc or None, "__module__": __name__, **dims}
    for part, group in groupby(fields, lambda field: field.name[len(prefix) :].partition(".")[0]):
        inner = list(group)
        if inner[0].name == prefix + part:
            body[part] = _column_of(inner[0], {prefix + dim: value for dim, value in dims.items()})
            continue
        depth = (prefix + part).count(".") + 1
        nested_name = f"{name}.{part}".lower()[:63]
        record = _class_of_parts(_class_name(part), nested_name, 0, "", all_dims, inner, f"{prefix}{part}.")
        optional = any(field.presence == 1 + depth for field in inner)
        body[part] = Nested(record, optional=optional, doc="")
    keywords = {"name": name, "version": version}
    return types.new_class(class_name, (Record,), keywords, lambda namespace: namespace.update(body))


def _column_of(field: FieldInfo, dims: dict[str, Dim]) -> Column[Any]:
    return Column(
        field.dtype,
        tuple(dims[extent] if isinstance(extent, str) else extent for extent in field.shape),
        optional=field.presence == 1,
        align=field.align,
        pad=field.pad,
        unit=field.unit,
        doc=field.doc,
    )


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def class_of(schema: Schema) -> type[Record]:
    """A record class for a schema that came without one."""
    return _class_of_bytes(schema.encode())


def is_importable(cls: type) -> bool:
    """Whether another process finds the class under its name."""
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cls
