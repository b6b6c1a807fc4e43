//! The loop of a server: it waits, makes the record objects, calls the handler and sends what it filled.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyType;
use pyo3::{ffi, intern};
use tensor_core::dynamic::{Batching, Copied, DynExchange, DynServer, LookAround};

use crate::attributes::{Base, Blank};
use crate::copied::{Reason, count, note};
use crate::endpoint::exchange;
use crate::errors::raise;
use crate::modules::is_loaded;
use crate::port::Port;
use crate::record::Held;
use crate::wait::detached;

/// What a server calls.
#[derive(FromPyObject)]
pub(crate) struct Handler<'py> {
    /// With each run of requests and the replies to fill.
    handle: Bound<'py, PyAny>,
    /// Instead of that in a program that has imported OpenTelemetry.
    handle_traced: Bound<'py, PyAny>,
    /// With both runs and what the handler raised; tells the callers.
    fail: Bound<'py, PyAny>,
    /// Before a handler in a program that has imported torch, until it gives true.
    enter_inference: Bound<'py, PyAny>,
}

/// Requests, and the replies to fill.
type Runs<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Answers calls until the port is stopped. The handler's exceptions are for its callers, unless `fail` raises one.
///
/// # Errors
/// [`Error::Closed`](tensor_core::Error::Closed) at the beginning; [`Error::HostDied`](tensor_core::Error::HostDied); [`Error::Corrupt`](tensor_core::Error::Corrupt) when a peer garbled a
/// slot, after which the others can be served; what `fail` or a signal handler raises.
pub(crate) fn serve(
    port: &Arc<Port<DynServer>>,
    batching: Batching,
    (request, reply): (&Bound<'_, PyType>, &Bound<'_, PyType>),
    handler: &Handler<'_>,
) -> PyResult<()> {
    let py = request.py();
    let (torch, tracing) = (intern!(py, "torch"), intern!(py, "opentelemetry.trace"));
    let mut entered = false;
    // One that was closed before cannot serve; closing it from now on is as good as stopping it.
    port.get()?;
    loop {
        // What a signal asks for is done between two calls rather than in the next one.
        py.check_signals()?;
        let Some((request, reply)) = receive(port, batching, request, reply)? else { return Ok(()) };
        if !entered && is_loaded(torch) {
            entered = handler.enter_inference.call0()?.extract()?;
        }
        let handle = if is_loaded(tracing) { &handler.handle_traced } else { &handler.handle };
        // What a handler returns may keep an alias, so it goes before the answer.
        match call(handle, &request, &reply).map(drop) {
            Ok(()) => answer(py, request.cast::<Base>()?.get(), reply.cast::<Base>()?.get())?,
            Err(error) => handler.fail.call1((&request, &reply, error.into_value(py))).map(drop)?,
        }
        // Nothing of this call lives on while the next one is waited for.
    }
}

/// Calls a function with two arguments. A tuple of them would cost as much as the call.
fn call<'py>(
    function: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    second: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let end = std::ptr::null_mut::<ffi::PyObject>();
    // SAFETY: all three are live objects, the list of arguments has its end, and what comes back is new or null with an exception.
    unsafe {
        let given =
            ffi::PyObject_CallFunctionObjArgs(function.as_ptr(), first.as_ptr(), second.as_ptr(), end);
        Bound::from_owned_ptr_or_err(function.py(), given)
    }
}

/// The next requests and the replies to fill, both runs; `None` once the port is stopped.
fn receive<'py>(
    port: &Arc<Port<DynServer>>,
    batching: Batching,
    request_class: &Bound<'py, PyType>,
    reply_class: &Bound<'py, PyType>,
) -> PyResult<Option<Runs<'py>>> {
    // Closing it stops it first.
    let Some(server) = port.open().filter(|_| !port.is_stopping()) else { return Ok(None) };
    // Before the wait, so that nobody waits for them.
    let (asked, filled) = (Blank::new(request_class)?, Blank::new(reply_class)?);
    let wait = |look: LookAround<'_>| server.receive_many(batching, None, look);
    match detached(request_class.py(), || port.glance(), wait) {
        Ok(DynExchange { request, reply, gathered }) => {
            count(&request, Reason::Padded, request.filled_bytes());
            note(Reason::Hole, gathered);
            let request = asked.fill(Held::exchanged(request, port), None)?;
            Ok(Some((request, filled.fill(Held::exchanged(reply, port), None)?)))
        }
        Err(_) if port.is_stopping() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends the answer. Both records are released.
fn answer(py: Python<'_>, request: &Base, reply: &Base) -> PyResult<()> {
    let exchange = exchange(py, request, reply)?;
    let mut copied = Copied::default();
    // Detached where there may be something to copy.
    let writes = exchange.reply.run() != Some(1) || exchange.copies();
    let result =
        if writes { py.detach(|| exchange.answer(&mut copied)) } else { exchange.answer(&mut copied) };
    note(Reason::Padded, copied.padded);
    note(Reason::Hole, copied.hole);
    result.map_err(raise)
}
