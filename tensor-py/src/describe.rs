//! What an arena is and how it is doing, as Python sees it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use tensor_core::describe::{Description, describe_with};

use crate::pins;
use crate::schema::Schema;
use crate::wait::{detached, timeout as seconds};

static DESCRIPTION: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// A `tensorbridge.Description` of the arena called `name`.
pub(crate) fn describe<'py>(
    py: Python<'py>,
    name: &str,
    timeout: Option<f64>,
) -> PyResult<Bound<'py, PyAny>> {
    let timeout = seconds(timeout)?;
    let seen = detached(py, || Ok(()), |look| describe_with(name, timeout, look))?;
    let module = seen.python_module();
    let Description { name, kind, request, reply, slots, phases, host_pid, epoch, participants, .. } = seen;
    let schema = |schema| Schema { inner: Arc::new(schema) };
    let parts = PyDict::new(py);
    parts.set_item("name", &name)?;
    parts.set_item("kind", kind.name())?;
    parts.set_item("request", schema(request))?;
    parts.set_item("reply", reply.map(schema))?;
    parts.set_item("slots", slots)?;
    parts.set_item("phases", (phases.free, phases.loaned, phases.ready, phases.taken, phases.done))?;
    parts.set_item("host_pid", host_pid)?;
    parts.set_item("epoch", epoch)?;
    let participants = participants.into_iter().map(|participant| (participant.pid, participant.role));
    parts.set_item("participants", PyTuple::new(py, participants.collect::<Vec<_>>())?)?;
    parts.set_item("holders", pins::holders(py, seen.holders)?)?;
    parts.set_item("pins", pins::to_python(py, &name, seen.pins)?)?;
    parts.set_item("bytes", seen.bytes)?;
    parts.set_item("request_bytes", seen.request_bytes)?;
    parts.set_item("reply_bytes", seen.reply_bytes)?;
    parts.set_item("sparse", seen.sparse)?;
    parts.set_item("mutates_request", seen.mutates_request)?;
    parts.set_item("ring_order", seen.ring_order)?;
    parts.set_item("_module", module)?;
    DESCRIPTION.import(py, "tensorbridge._describe", "Description")?.call_method("_of", (), Some(&parts))
}
