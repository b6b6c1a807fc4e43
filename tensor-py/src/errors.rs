//! One Python exception class for each row of the error table, and how a Rust error becomes its instance.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use tensor_core::{Error, Full};

use crate::pins;

/// The classes, in the order of the table.
static CLASSES: PyOnceLock<Vec<Py<PyType>>> = PyOnceLock::new();

/// What the base class says of itself.
const BASE_DOC: &str = "The base of everything that tensorbridge raises.

`code` is stable and the same in Rust: `TB303`. What belongs to the one case is there as attributes: `NotFound.name`,
`Full.holders`, `Remote.traceback`. `tensorbridge.errors()` lists all classes.";

/// Makes the classes and puts them into the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let base = class(py, "Error", BASE_DOC, "", &[py.get_type::<PyException>().into_any()])?;
    module.add("Error", &base)?;
    let builtins = py.import("builtins")?;
    let mut classes = Vec::with_capacity(Error::TABLE.len());
    for (code, name, builtin) in Error::TABLE {
        let mut bases = vec![base.clone().into_any(), builtins.getattr(*builtin)?];
        if *name == "UnknownField" {
            // `record["nope"]` is a mapping's lookup, which fails with a KeyError.
            bases.push(builtins.getattr("KeyError")?);
        }
        let made = class(py, name, doc(name), code, &bases)?;
        module.add(*name, &made)?;
        classes.push(made.unbind());
    }
    CLASSES.set(py, classes).map_err(|_| PyException::new_err("the module was initialised twice"))
}

fn class<'py>(
    py: Python<'py>,
    name: &str,
    doc: &str,
    code: &str,
    bases: &[Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyType>> {
    let body = PyDict::new(py);
    body.set_item("__module__", "tensorbridge")?;
    body.set_item("__doc__", doc)?;
    body.set_item("code", code)?;
    // Some builtins print more than their text, or less.
    body.set_item("__str__", py.get_type::<pyo3::exceptions::PyBaseException>().getattr("__str__")?)?;
    let made = py.get_type::<PyType>().call1((name, PyTuple::new(py, bases)?, body))?;
    Ok(made.cast_into::<PyType>()?)
}

/// When an error is raised, in one sentence.
fn doc(name: &str) -> &'static str {
    match name {
        "InvalidSchema" => "A schema breaks a rule: a bad name, a dimension of 0, too many fields.",
        "SchemaForm" => "Bytes that should be a schema are not one.",
        "SchemaMismatch" => {
            "The two sides mean different records. The text shows both and the first difference."
        }
        "NotFound" => "Nobody hosts this name within the timeout.",
        "NameTaken" => "A living process, `pid`, hosts this name already.",
        "NameBusy" => "Another process, `pid`, is just taking this name and has not finished.",
        "InvalidName" => "A name is 1 to 63 of `a-z`, `0-9`, `_`, `.`, and begins with a letter.",
        "NotTensorbridge" => "Something else listens at the socket of this name.",
        "AbiMismatch" => "The two builds lay shared memory out differently.",
        "BadSegment" => "The memory that was handed over is cut short, unsealed or not an arena.",
        "WrongUser" => "The other process, or the meeting directory, belongs to another user.",
        "Refused" => "The host turned this process away.",
        "InvalidSlots" => "An arena cannot have this many slots; the text says how many it can.",
        "BadDirectory" => "The meeting directory is missing, not private or not writable.",
        "OutOfMemory" => "The arena does not fit into memory.",
        "TooManyFiles" => "No file descriptors are left.",
        "Full" => {
            "Every slot was in use for the whole timeout. `holders` says who holds them, and since when.\n\n\
             `budget` is None, or how many slots this client may hold at once, when it is those that were in use."
        }
        "Unsupported" => "The platform or the kernel lacks something.",
        "Io" => "The system refused something that has no code of its own.",
        "MissingField" => {
            "A record was sent although a required field was never written. It can be repaired and sent."
        }
        "DimUnset" => "A symbolic dimension has no length yet.",
        "DimOutOfRange" => "A length is outside the bounds of its dimension.",
        "Released" => "The record was sent, called or released already; it belongs to somebody else now.",
        "Aliased" => "With `strict`: a tensor that aliases a field was alive when the record was sent.",
        "UnknownField" => "The schema has no field of this name.",
        "WrongDType" => "The value has another dtype than the field.",
        "WrongShape" => "The value has another shape than the field.",
        "NeedsCopy" => "A consumer cannot use this memory as it is: device, alignment, strides or dtype.",
        "ReadOnly" => "A received record cannot be written.",
        "StaleDescriptor" => "The record that a descriptor was made of is gone.",
        "BadDescriptor" => "A descriptor names no field of the arena.",
        "PartlyPresent" => "Some records of a run have an optional field and some lack it.",
        "BadTraceparent" => "A text is no W3C trace context.",
        "WrongKind" => "Something was asked of an arena, or of a record, of another kind than offers it.",
        "Timeout" => "A wait reached its deadline.",
        "HostDied" => "The process that hosts the arena is gone. What is held stays valid.",
        "WorkerDied" => {
            "A worker died with the request and nobody else may answer it. `attempts` is how many had taken it."
        }
        "Remote" => {
            "The worker's own code raised an exception; the worker lives on.\n\n\
             `type_name`, `message` and `traceback` are those of the worker's exception."
        }
        "Corrupt" => "A word in shared memory has a value that no honest peer writes.",
        "Forked" => "An endpoint from before fork() was used in the child.",
        "Closed" => "The endpoint was closed.",
        "WorkerExited" => "A worker process could not be started or ended early.",
        "Interrupted" => "A signal ended the wait, for the program's own handler.",
        _ => "See the error table.",
    }
}

/// The Python exception for a Rust error.
pub(crate) fn raise(error: Error) -> PyErr {
    Python::attach(|py| {
        let class = CLASSES.get(py).and_then(|classes| {
            let row = Error::TABLE.iter().position(|row| row.0 == error.code())?;
            Some(classes[row].bind(py))
        });
        let Some(class) = class else { return PyException::new_err(error.to_string()) };
        match class.call1((error.to_string(),)) {
            Ok(exception) => match describe(&exception, error) {
                Ok(()) => PyErr::from_value(exception),
                Err(failed) => failed,
            },
            Err(failed) => failed,
        }
    })
}

/// As [`raise`], because of another exception.
pub(crate) fn raise_from(py: Python<'_>, error: Error, cause: PyErr) -> PyErr {
    let raised = raise(error);
    raised.set_cause(py, Some(cause));
    raised
}

/// What belongs to the one case, as attributes.
fn describe(exception: &Bound<'_, PyAny>, error: Error) -> PyResult<()> {
    macro_rules! set {
        ($($name:ident $(= $value:expr)?),*) => {{
            $(set!(@one $name $(, $value)?);)*
            Ok(())
        }};
        (@one $name:ident) => { exception.setattr(stringify!($name), $name)? };
        (@one $name:ident, $value:expr) => { exception.setattr(stringify!($name), $value)? };
    }
    match error {
        Error::SchemaMismatch(mismatch) => {
            set!(
                arena = mismatch.arena,
                what = mismatch.what,
                ours = mismatch.ours,
                theirs = mismatch.theirs,
                difference = mismatch.difference.to_string()
            )
        }
        Error::NotFound { name, waited, path } => set!(name, waited = waited.as_secs_f64(), path),
        Error::NameTaken { name, pid } => set!(name, pid),
        Error::NameBusy { name, pid, waited } => set!(name, pid, waited = waited.as_secs_f64()),
        Error::InvalidName { name } => set!(name),
        Error::NotTensorbridge { path, found } => set!(path, found),
        Error::AbiMismatch { ours, theirs } => set!(ours, theirs),
        Error::BadSegment { reason } => set!(reason),
        Error::WrongUser { what, found, expected } => set!(what, found, expected),
        Error::Refused { name, reason } | Error::WrongKind { name, reason } => set!(name, reason),
        Error::InvalidSlots { name, found, min, max } => set!(name, found, min, max),
        Error::BadDirectory { path, reason } => set!(path, reason),
        Error::OutOfMemory { bytes, reason } => set!(bytes, reason),
        Error::TooManyFiles { what } => set!(what, errno = libc::EMFILE),
        Error::Full(full) => {
            let Full { arena, slots, budget, waited, holders } = *full;
            let holders = pins::holders(exception.py(), holders)?;
            set!(arena, slots, budget, waited = waited.as_secs_f64(), holders)
        }
        Error::Unsupported { what, needs } => set!(what, needs),
        Error::Io { what, source } => set!(what, errno = source.raw_os_error()),
        Error::MissingField { schema, field } => set!(schema, field),
        Error::DimUnset { schema, dim } => set!(schema, dim),
        Error::DimOutOfRange { schema, dim, found, min, max } => set!(schema, dim, found, min, max),
        Error::Released { how } => set!(how),
        Error::Aliased { field, aliases } => set!(field, aliases),
        Error::UnknownField { schema, field, known } => set!(schema, field, known),
        Error::WrongDType { field, expected, found } => set!(field, expected, found),
        Error::WrongShape { field, expected, found } => set!(field, expected, found),
        Error::NeedsCopy { field, reason } => set!(field, reason),
        Error::ReadOnly { field } => set!(field),
        Error::StaleDescriptor { slot, generation } => set!(slot, generation),
        Error::BadDescriptor { reason } => set!(reason),
        Error::PartlyPresent { field, absent, records } => set!(field, absent, records),
        Error::BadTraceparent { found, reason } => set!(found, reason),
        Error::Timeout { what, after } => set!(what, after = after.as_secs_f64()),
        Error::HostDied { name, pid } => set!(name, pid),
        Error::WorkerDied { name, attempts, reason } => set!(name, attempts, reason),
        Error::Remote(remote) => {
            if !remote.traceback.is_empty() {
                let note = format!("The worker's traceback:\n{}", remote.traceback.trim_end());
                exception.call_method1("add_note", (note,))?;
            }
            set!(type_name = remote.type_name, message = remote.message, traceback = remote.traceback)
        }
        Error::Corrupt { name, what } => set!(name, what),
        Error::Closed { what } => set!(what),
        Error::WorkerExited { command, reason } => set!(command, reason),
        _ => Ok(()),
    }
}
