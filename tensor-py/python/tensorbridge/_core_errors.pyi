"""What the extension module raises, as type checkers see it. There is no module of this name: the classes are in `_core`."""

from ._pins import Holder

class Error(Exception):
    """The base of everything that tensorbridge raises."""

    code: str
    """Stable, and the same in Rust: ``TB303``."""

class InvalidSchema(Error, ValueError): ...
class SchemaForm(Error, ValueError): ...

class SchemaMismatch(Error, TypeError):
    arena: str
    what: str
    ours: str
    theirs: str
    difference: str

class NotFound(Error, FileNotFoundError):
    name: str
    waited: float
    path: str

class NameTaken(Error, FileExistsError):
    name: str
    pid: int

class NameBusy(Error, TimeoutError):
    name: str
    pid: int | None
    waited: float

class InvalidName(Error, ValueError):
    name: str

class InvalidSlots(Error, ValueError):
    name: str
    found: int
    min: int
    max: int

class NotTensorbridge(Error, ConnectionError):
    path: str
    found: str

class AbiMismatch(Error, ConnectionError):
    ours: int
    theirs: int

class BadSegment(Error, ConnectionError):
    reason: str

class WrongUser(Error, PermissionError):
    what: str
    found: int
    expected: int

class Refused(Error, ConnectionError):
    name: str
    reason: str

class BadDirectory(Error, OSError):
    path: str
    reason: str

class OutOfMemory(Error, MemoryError):
    bytes: int
    reason: str

class TooManyFiles(Error, OSError):
    what: str

class Full(Error, TimeoutError):
    arena: str
    slots: int
    budget: int | None
    waited: float
    holders: list[Holder]

class Unsupported(Error, OSError):
    what: str
    needs: str

class Io(Error, OSError):
    what: str

class MissingField(Error, ValueError):
    schema: str
    field: str

class DimUnset(Error, ValueError):
    schema: str
    dim: str

class DimOutOfRange(Error, ValueError):
    schema: str
    dim: str
    found: int
    min: int
    max: int

class Released(Error, BufferError):
    how: str

class Aliased(Error, BufferError):
    field: str
    aliases: int

class UnknownField(Error, AttributeError, KeyError):
    schema: str
    field: str
    known: str

class WrongDType(Error, TypeError):
    field: str
    expected: str
    found: str

class WrongShape(Error, ValueError):
    field: str
    expected: str
    found: str

class NeedsCopy(Error, BufferError):
    field: str
    reason: str

class ReadOnly(Error, BufferError):
    field: str

class StaleDescriptor(Error, BufferError):
    slot: int
    generation: int

class BadDescriptor(Error, ValueError):
    reason: str

class PartlyPresent(Error, ValueError):
    field: str
    absent: int
    records: int

class BadTraceparent(Error, ValueError):
    found: str
    reason: str

class WrongKind(Error, TypeError):
    name: str
    reason: str

class Timeout(Error, TimeoutError):
    what: str
    after: float

class HostDied(Error, ConnectionError):
    name: str
    pid: int

class WorkerDied(Error, ConnectionError):
    name: str
    attempts: int
    reason: str

class Remote(Error, RuntimeError):
    type_name: str
    message: str
    traceback: str

class Corrupt(Error, RuntimeError):
    name: str
    what: str

class Forked(Error, RuntimeError): ...

class Closed(Error, ValueError):
    what: str

class WorkerExited(Error, RuntimeError):
    command: str
    reason: str

class Interrupted(Error, InterruptedError): ...
