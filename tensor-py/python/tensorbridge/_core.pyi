"""The extension module, as type checkers see it. The package's own modules say what is meant for users."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, Generic, Self, SupportsIndex, TypeAlias, final

import jax
import numpy as np
import tensorflow as tf  # type: ignore[import-untyped]
import torch
from numpy.typing import DTypeLike, NDArray
from typing_extensions import TypeVar, disjoint_base

from ._core_errors import *
from ._describe import Phases
from ._metrics import Recoveries
from ._pins import Pin
from ._record import _Default
from ._typing import Writable

__version__: str

_Rank = TypeVar("_Rank", bound=tuple[Any, ...], default=Any)
_Scalar = TypeVar("_Scalar", bound=np.generic, default=Any)

_R = TypeVar("_R", bound="Base")

_FieldParts: TypeAlias = tuple[str, str, list[int | str], int, int, float | None, str, str]

def error_table() -> list[tuple[str, str, str]]: ...
def dtypes() -> list[tuple[str, int]]: ...
def copied() -> dict[str, int]:
    """The bytes that this process has copied so far, by reason. Aliases copy nothing.

    ``assigned``: values assigned to fields; ``requested``: copies that a DLPack consumer asked for; ``padded``: what was
    written into a run where a record ends before others do, or lacks a field; ``hole``: records of a run copied side by
    side; ``alignment``, ``strides``, ``dtype``: what `Field.tf` and `Field.jax` had to copy, and why.
    """

def pins() -> list[Pin]:
    """What this process holds of every arena it is connected to, or was: loans, received records, tensors on them.

    A slot that does not come back is somewhere in here, or in another process: ``client.pins()`` names those.
    """

def describe(name: str, timeout: float | None) -> Any: ...
def metrics(name: str, timeout: float | None) -> Metrics: ...
def unknown_field(schema: Schema, field: str) -> UnknownField: ...
def closed(kind: str) -> Closed: ...
def dim_unset(schema: str, dim: str) -> DimUnset: ...
def follow_supervisor(identity: str, grace: float) -> bool: ...

@final
class Distribution:
    """How often which values were seen: seconds, or lengths of runs.

    Lengths below 128 and times below 128 ns are exact; larger values are kept to two significant figures, as an HDR
    histogram does: what is reported is within 0.8 % of the value. Times are told apart up to four and a half minutes.
    """

    @property
    def count(self) -> int:
        """How many values were seen."""
    @property
    def mean(self) -> float:
        """The mean; 0 when no value was seen."""
    @property
    def min(self) -> float | None:
        """The smallest value; None when none was seen."""
    @property
    def max(self) -> float | None:
        """The largest value; None when none was seen."""
    def quantile(self, quantile: float) -> float | None:
        """The value that a part `quantile` of all, 0.5 for the median, does not exceed; None when none was seen."""
    def values(self) -> list[tuple[float, int]]:
        """Each value that was seen, from the smallest on, and how often."""

@final
class Metrics:
    """What happened in an arena: since it was made, or between two readings.

    Counts are exact. Of a fast stream not every record is timed: records more than 50 microseconds apart are all timed,
    of faster ones one in up to 128, which counts for those that were not.
    """

    @property
    def name(self) -> str:
        """The name of the arena."""
    @property
    def kind(self) -> str:
        """``channel`` or ``service``."""
    @property
    def epoch(self) -> str:
        """32 hexadecimal digits that tell this arena from any other of the same name."""
    @property
    def at(self) -> float:
        """When this was read, in seconds of the machine's monotonic clock: ``time.monotonic()``."""
    @property
    def covers(self) -> float:
        """How long a time this covers, in seconds."""
    @property
    def slots(self) -> int:
        """How many records can exist at once."""
    @property
    def phases(self) -> Phases:
        """What the slots were doing when this was read."""
    @property
    def sent(self) -> int:
        """Requests, or records of a channel, that were sent."""
    @property
    def answered(self) -> int:
        """Requests that were answered; records of a channel that were received and given back."""
    @property
    def failed(self) -> int:
        """Requests whose server's own code failed: their callers got `Remote`."""
    @property
    def dropped(self) -> int:
        """Requests that a live server let go of without an answer; records that made room for later ones (``drop_oldest``)."""
    @property
    def expired(self) -> int:
        """Requests whose caller's deadline had passed when a server found them."""
    @property
    def errors(self) -> dict[str, int]:
        """How often loans, sends and calls ended with an error at their callers, by code; see docs/metrics.md."""
    @property
    def runs(self) -> Distribution:
        """Lengths of the runs that servers and receivers took. One alone counts when it is done with."""
    @property
    def round_trip(self) -> Distribution:
        """Seconds from sending a request to having its answer."""
    @property
    def waiting(self) -> Distribution:
        """Seconds from sending a record to its being taken."""
    @property
    def served(self) -> Distribution:
        """Seconds from taking a record to answering it; in a channel to giving it back."""
    @property
    def copied(self) -> dict[str, int]:
        """Bytes that were copied on the way into and out of records, by the reasons of `tb.copied`."""
    @property
    def recoveries(self) -> Recoveries:
        """What the host did for participants that died."""
    def since(self, earlier: Metrics) -> Metrics:
        """What happened after `earlier`, an earlier reading of the same arena; of another arena, everything."""
    def per_second(self, count: int) -> float:
        """How many of `count` there were in a second of the time that this covers."""
    def to_json(self) -> str:
        """All of it as one JSON object on one line. Times are in nanoseconds where the name says ``_ns``."""

@final
class Probe:
    def __new__(cls, name: str, path: str | PathLike[str], interval: float, window: float) -> Self: ...
    def stop(self) -> None: ...

@final
class FieldInfo:
    """One field of a schema."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int | str, ...]:
        """Its shape in one record; a symbolic dimension is its name."""
    @property
    def optional(self) -> bool: ...
    @property
    def presence(self) -> int:
        """0 when every record has to have it, 1 when none has to.

        1 + n when it has to be there with any other field of its optional nested record, which the first n parts of its
        name are.
        """
    @property
    def align(self) -> int: ...
    @property
    def pad(self) -> float | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def doc(self) -> str: ...

@final
class Schema:
    """What a record is: its name, its fields with dtype and shape, its symbolic dimensions.

    Two schemas are equal when two processes may share records of them: docs, units and pads do not count.
    """

    def __new__(
        cls,
        name: str,
        fields: list[_FieldParts],
        dims: list[tuple[str, int, int]] = ...,
        version: int = 0,
        doc: str = "",
    ) -> Self: ...
    @staticmethod
    def decode(bytes: bytes) -> Schema:
        """The schema that `encode` wrote."""
    def encode(self) -> bytes:
        """The stable bytes that travel in an arena."""
    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that stand for everything two processes must agree on."""
    def difference(self, other: Schema) -> str | None:
        """The first difference in anything two processes must agree on, or None."""
    @property
    def name(self) -> str: ...
    @property
    def class_name(self) -> str:
        """What its class is called where nobody has named it: ``vision.image_pair`` is ``ImagePair``."""
    @property
    def version(self) -> int: ...
    @property
    def doc(self) -> str: ...
    @property
    def dims(self) -> list[tuple[str, int, int]]:
        """``(name, min, max)`` of each symbolic dimension."""
    @property
    def fields(self) -> list[FieldInfo]: ...
    def __hash__(self) -> int: ...

@final
class Field(Generic[_Rank, _Scalar]):
    """A field of a record, or of a run of records, which has one more dimension in front.

    It is no alias itself: `torch`, `numpy`, ``memoryview(field)`` and DLPack make aliases of the record's memory, and
    the record's slot is used again only after the last of them, in any process, is gone. A writable alias counts as
    writing the field.

    Assigning copies: ``field[:] = value``, or an index, from a tensor or array of any framework of the same dtype and
    shape, or from numbers and lists of them. One element fills the field. ``torch.add(a, b, out=field.torch())`` copies
    nothing.

    Type checkers know its dtype and rank: of ``tb.f32(3, 4)`` it is ``Field[Rank2, np.float32]``.

    After the record was sent, called or released, everything but its name raises `Released`; aliases stay valid.
    """

    def torch(self) -> torch.Tensor:
        """An alias as a torch tensor. Torch ignores that a received record is read-only: do not write to it.

        When torch shares it (``share_memory_``, a queue of ``torch.multiprocessing``, on the way out of a worker of a
        ``DataLoader``), torch moves it and its views into memory of torch's own: they are aliases no more, and hold
        nothing of the record.
        """
    def numpy(self) -> NDArray[_Scalar]:
        """An alias as a NumPy array; not writeable when the record was received.

        Raises:
            NeedsCopy: NumPy lacks the dtype, and package ``ml_dtypes`` is not installed.
        """
    def tf(self, *, strict: bool | None = None) -> tf.Tensor:
        """A TensorFlow tensor on the record's memory.

        TensorFlow takes compact memory at a multiple of 64 bytes only. Where the field is not so, or of an 8-bit float,
        the tensor is a copy, which `copied` counts; a field whose size per record is a multiple of 64 bytes, or that is
        declared with ``align=64``, is never copied as a single record.

        TensorFlow's functions take the field itself too, in the same way: ``tf.reduce_mean(image.pixels)``. A
        ``tf.Variable`` made of it keeps the slot until it is assigned to.

        Args:
            strict: whether a copy is an error; as the endpoint was made unless stated.

        Raises:
            NeedsCopy: strict, and TensorFlow cannot use the memory as it is; the error says why.
            ImportError: TensorFlow is not installed.
        """
    def jax(self, *, strict: bool | None = None) -> jax.Array:
        """A JAX array on the record's memory.

        As with `tf`, what is not compact or not at a multiple of 64 bytes is a copy, which `copied` counts. So are
        64-bit types while ``jax_enable_x64`` is off: JAX converts them to their 32-bit types.

        JAX computes in the background. The slot is held until that is done, even when the array and the record are
        gone before. Do not write to a loaned record's field while JAX may still read it: wait for the result with
        ``block_until_ready`` first.

        ``jax.numpy.asarray(field)`` gives the same array; a function of JAX's wants that, not the field.

        Args:
            strict: whether a copy is an error; as the endpoint was made unless stated.

        Raises:
            NeedsCopy: strict, and JAX cannot use the memory as it is; the error says why.
            ImportError: JAX is not installed.
        """
    @property
    def shape(self) -> tuple[int, ...]:
        """The number of elements along each dimension."""
    @property
    def strides(self) -> tuple[int, ...]:
        """The distance from one element to the next along each dimension, in elements."""
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int:
        """The number of elements."""
    @property
    def nbytes(self) -> int: ...
    @property
    def dtype(self) -> str:
        """The name of the dtype: ``"f32"``, which equals ``tb.f32``."""
    @property
    def name(self) -> str: ...
    @property
    def data_ptr(self) -> int:
        """The address of the first element in this process."""
    @property
    def present(self) -> bool | NDArray[np.bool_]:
        """Whether it was written; of a run, an array that says so of each record."""
    def filled(self, value: complex) -> Field:
        """The same field of a run, with `value` in the records that lack it: an optional field becomes one tensor.

        What is written is counted as ``padded``. A record alone, ``run.row(i)``, still lacks the field.
        """
    @property
    def writable(self) -> bool: ...
    def item(self) -> bool | int | float | complex:
        """The one element as a Python number."""
    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __complex__(self) -> complex: ...
    def __bool__(self) -> bool: ...
    def __index__(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any:
        """What NumPy gives for this subscript: an alias, or a number."""
    def __setitem__(self, key: Any, value: Writable | NDArray[_Scalar], /) -> None:
        """Copies a value in.

        Raises:
            WrongDType, WrongShape: the value is another; both are named.
            ReadOnly: the record was received.
            DimUnset: a symbolic dimension of the field has no length yet.
        """
    def __eq__(self, other: object, /) -> Any: ...
    def __ne__(self, other: object, /) -> Any: ...
    def __lt__(self, other: object, /) -> Any: ...
    def __le__(self, other: object, /) -> Any: ...
    def __gt__(self, other: object, /) -> Any: ...
    def __ge__(self, other: object, /) -> Any: ...
    __hash__: None  # type: ignore[assignment]
    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any: ...
    def __jax_array__(self) -> Any: ...
    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]: ...

@disjoint_base
class Base:
    """What instances of record classes are made of."""

    def __new__(cls, handle: Handle | None = None, reply: Any = None, place: tuple[int, int] | None = None) -> Self: ...
    @property
    def _handle(self) -> Handle: ...
    @property
    def _reply(self) -> type[Any] | None: ...
    @property
    def _place(self) -> tuple[int, int] | None: ...
    def call(self, *, timeout: float | None | _Default = ..., traceparent: str | None = None) -> Any: ...

@disjoint_base
class Descriptor:
    """A field of a record class."""

    def __new__(cls, *_arguments: Any, **_keywords: Any) -> Self: ...
    index: int
    """Its number among the fields; -1 before the class is complete."""

@final
class Lender:
    """What the buffers of fields belong to: ``memoryview(field).obj``."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Handle:
    @staticmethod
    def empty(schema: Schema, records: int) -> Handle: ...
    def field(self, index: int) -> Field | None: ...
    def assign(self, index: int, value: Any) -> None: ...
    def row(self, row: int) -> Handle: ...
    def lengths(self, index: int) -> list[int | None]: ...
    def dim(self, index: int) -> int | None: ...
    def set_dim(self, index: int, length: SupportsIndex | Iterable[SupportsIndex]) -> None: ...
    def fail(self, row: int, type_name: str, message: str, traceback: str) -> None: ...
    def present(self) -> list[bool]: ...
    def digests(self) -> list[int]: ...
    def traces(self) -> list[str | None]: ...
    def set_trace(self, traceparent: str | None) -> None: ...
    def release(self) -> None: ...
    def send(self) -> None: ...
    def call(self, timeout: float | None) -> Handle: ...
    def call_async(self, timeout: float | None, mailbox: Mailbox, token: int) -> Pending: ...
    @property
    def arena(self) -> str | None: ...
    @property
    def slot(self) -> int: ...
    @property
    def attempt(self) -> tuple[int, bool]: ...
    @property
    def gone(self) -> str | None: ...
    @property
    def records(self) -> int | None: ...
    @property
    def writable(self) -> bool: ...
    @property
    def timeout(self) -> float | None: ...

@final
class Mailbox:
    def fileno(self) -> int: ...
    def collect(self) -> list[int]: ...

@final
class Pending:
    def poll(self) -> Handle | None: ...
    def cancel(self) -> None: ...

class _Port:
    def __new__(
        cls,
        name: str,
        *,
        timeout: float | None,
        wait: str,
        strict: bool,
        request: Schema | None = None,
        reply: Schema | None = None,
        when_full: str = "block",
        max_slots: int | None = None,
    ) -> Self: ...
    @property
    def request_schema(self) -> Schema: ...
    @property
    def reply_schema(self) -> Schema | None: ...
    @property
    def slots(self) -> int: ...
    @property
    def connected(self) -> bool: ...
    def again(self, timeout: float | None) -> Self: ...
    def metrics(self) -> Metrics: ...
    def pins(self) -> list[Pin]: ...
    def close(self) -> None: ...

@final
class Sender(_Port):
    @property
    def dropped(self) -> int: ...
    def loan(self, timeout: float | None, record_class: type[_R]) -> _R: ...
    def loan_async(self, timeout: float | None, mailbox: Mailbox, token: int) -> Pending: ...
    def try_loan(self, record_class: type[_R]) -> _R | None: ...

@final
class Receiver(_Port):
    def receive(self, timeout: float | None, record_class: type[_R]) -> _R: ...
    def receive_async(self, timeout: float | None, mailbox: Mailbox, token: int) -> Pending: ...
    def try_receive(self, record_class: type[_R]) -> _R | None: ...
    def receive_many(self, max: int, timeout: float | None, record_class: type[_R]) -> _R: ...
    def try_receive_many(self, max: int, record_class: type[_R]) -> _R | None: ...

@final
class Client(_Port):
    def loan_async(self, timeout: float | None, mailbox: Mailbox, token: int) -> Pending: ...

@disjoint_base
class Loans:
    def __new__(cls, *_arguments: Any, **_keywords: Any) -> Self: ...
    def _loan_from(self, client: Client, request: type[Base], reply: type[Base]) -> None: ...
    def loan(self, *, timeout: float | None | _Default = ...) -> Any: ...
    def try_loan(self) -> Any: ...

@final
class Server(_Port):
    def serve(self, batching: tuple[int, float, str], classes: tuple[type[Base], type[Base]], handler: Any) -> None: ...
    def fail(self, request: Base, reply: Base, type_name: str, message: str, traceback: str) -> None: ...
    def stop(self) -> None: ...
    def follow_host(self, grace: float) -> None: ...

@final
class Host:
    def __new__(
        cls,
        name: str,
        request: Schema,
        reply: Schema | None = None,
        *,
        slots: int,
        sparse: bool = False,
        mutates_request: bool = False,
        ring_order: bool = False,
        max_attempts: int = 3,
        timeout: float | None = None,
        slots_per_client: int | None = None,
    ) -> Self: ...
    @property
    def free_slots(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    def metrics(self) -> Metrics: ...
    def pins(self) -> list[Pin]: ...
    def is_attached(self, pid: int) -> bool: ...
    def leave(self) -> None: ...
    def start(
        self, command: Sequence[str], restarts: int | None, backoff: float, grace: float, start_timeout: float
    ) -> Worker: ...
    def workers(self) -> list[tuple[str, int | None, int, str | None]]: ...
    def recoveries(self) -> tuple[int, int, int]: ...
    def close(self) -> None: ...

@final
class Worker:
    def health(self) -> tuple[str, int | None, int, str | None] | None: ...
    def failure(self) -> BaseException | None: ...
    def ask_to_stop(self) -> None: ...
    def stop(self) -> bool: ...
