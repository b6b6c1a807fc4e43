"""Typed tensor records in shared memory, between Python and Rust programs and among Python programs.

A record class says what is shared::

    import tensorbridge as tb

    class Image(tb.Record, name="vision.image"):
        pixels = tb.f32(3, 224, 224, doc="RGB planes, normalised")
        id = tb.u64()

    class Scores(tb.Record, name="vision.scores"):
        logits = tb.f32(1000)

A service is a plain class, and `serve` runs it in worker processes::

    @tb.service("resnet50", Image, Scores)
    class ResNet50:
        def __call__(self, image, scores):
            scores.logits[:] = self.model(image.pixels.torch())

    if __name__ == "__main__":
        tb.serve(ResNet50, workers=2)

Any program calls it::

    with tb.Client("resnet50", Image, Scores) as client:
        scores = client.call(pixels=planes, id=7)
        print(scores.logits.numpy())

`Channel`, `Sender` and `Receiver` move records one way. `describe` shows what an arena is and who holds its slots,
`metrics` what has happened in it.
`Field` says how tensors alias a record and for how long; `errors()` lists what can go wrong.
"""

from ._core import (
    AbiMismatch,
    Aliased,
    BadDescriptor,
    BadDirectory,
    BadSegment,
    BadTraceparent,
    Closed,
    Corrupt,
    DimOutOfRange,
    DimUnset,
    Distribution,
    Error,
    Field,
    FieldInfo,
    Forked,
    Full,
    HostDied,
    Interrupted,
    InvalidName,
    InvalidSchema,
    InvalidSlots,
    Io,
    Metrics,
    MissingField,
    NameBusy,
    NameTaken,
    NeedsCopy,
    NotFound,
    NotTensorbridge,
    OutOfMemory,
    PartlyPresent,
    ReadOnly,
    Refused,
    Released,
    Remote,
    Schema,
    SchemaForm,
    SchemaMismatch,
    StaleDescriptor,
    Timeout,
    TooManyFiles,
    UnknownField,
    Unsupported,
    WorkerDied,
    WorkerExited,
    WrongDType,
    WrongKind,
    WrongShape,
    WrongUser,
    __version__,
    copied,
)
from ._describe import Description, Participant, Phases, describe, pins
from ._dtype import (
    Column,
    Dim,
    DType,
    bf16,
    bool_,
    c64,
    c128,
    f8_e4m3fn,
    f8_e5m2,
    f16,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
)
from ._endpoint import Client, Receiver, Sender
from ._errors import ErrorRow, errors
from ._host import Channel, Service, WorkerHealth
from ._metrics import Probe, Recoveries, metrics
from ._nested import Nested, nested
from ._pins import Holder, Pin
from ._record import Record
from ._serve import serve
from ._service import service
from ._worker import Server

bool = bool_
"""The dtype, by the name it has everywhere else; `bool_` is for programs that import names one by one."""

RemoteError = Remote
"""An exception of a worker's own code, by the name it has in Rust."""

__all__ = [
    "AbiMismatch",
    "Aliased",
    "BadDescriptor",
    "BadDirectory",
    "BadSegment",
    "BadTraceparent",
    "Channel",
    "Client",
    "Closed",
    "Column",
    "Corrupt",
    "DType",
    "Description",
    "Dim",
    "DimOutOfRange",
    "DimUnset",
    "Distribution",
    "Error",
    "ErrorRow",
    "Field",
    "FieldInfo",
    "Forked",
    "Full",
    "Holder",
    "HostDied",
    "Interrupted",
    "InvalidName",
    "InvalidSchema",
    "InvalidSlots",
    "Io",
    "Metrics",
    "MissingField",
    "NameBusy",
    "NameTaken",
    "NeedsCopy",
    "Nested",
    "NotFound",
    "NotTensorbridge",
    "OutOfMemory",
    "Participant",
    "PartlyPresent",
    "Phases",
    "Pin",
    "Probe",
    "ReadOnly",
    "Receiver",
    "Record",
    "Recoveries",
    "Refused",
    "Released",
    "Remote",
    "RemoteError",
    "Schema",
    "SchemaForm",
    "SchemaMismatch",
    "Sender",
    "Server",
    "Service",
    "StaleDescriptor",
    "Timeout",
    "TooManyFiles",
    "UnknownField",
    "Unsupported",
    "WorkerDied",
    "WorkerExited",
    "WorkerHealth",
    "WrongDType",
    "WrongKind",
    "WrongShape",
    "WrongUser",
    "__version__",
    "bf16",
    "bool_",
    "c64",
    "c128",
    "copied",
    "describe",
    "errors",
    "f8_e4m3fn",
    "f8_e5m2",
    "f16",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "metrics",
    "nested",
    "pins",
    "serve",
    "service",
    "u8",
    "u16",
    "u32",
    "u64",
]
