//! Where a client's loans come from, on the way of every call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;
use tensor_core::dynamic::DynClient;

use crate::attributes::record;
use crate::endpoint::Client;
use crate::errors::raise;
use crate::port::Port;
use crate::record::{Held, Origin};
use crate::wait::{Timeout, detached, timeout as seconds};

/// What `tensorbridge.Client` is made of: the loans of whatever it is connected to.
#[pyclass(frozen, subclass, module = "tensorbridge._core")]
pub(crate) struct Loans {
    source: Mutex<Option<Arc<Source>>>,
}

/// A connected client, and the classes of its records.
struct Source {
    port: Arc<Port<DynClient>>,
    request: Py<PyType>,
    reply: Py<PyType>,
}

impl Loans {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Source>>> {
        // Held for a clone or a replacement only, never while Python code runs.
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where loans come from now; a client that came out of a pickle connects at first.
    fn source(slf: &Bound<'_, Self>) -> PyResult<Arc<Source>> {
        let connected = slf.get().lock().clone();
        if let Some(source) = connected {
            return Ok(source);
        }
        slf.call_method0(intern!(slf.py(), "_connect"))?;
        let connected = slf.get().lock().clone();
        connected.ok_or_else(|| pyo3::exceptions::PyTypeError::new_err("a client connects when it is made"))
    }
}

#[pymethods]
impl Loans {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyAny>, _keywords: Option<&Bound<'_, PyAny>>) -> Loans {
        Loans { source: Mutex::new(None) }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // A class may hold its client. Nobody has the lock now but a thread without the GIL, which holds what it needs itself.
        if let Ok(source) = self.source.try_lock()
            && let Some(source) = source.as_deref()
        {
            visit.call(&source.request)?;
            visit.call(&source.reply)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let source = self.lock().take();
        drop(source);
    }

    /// Says what loans come from, from now on.
    fn _loan_from(&self, client: &Client, request: Py<PyType>, reply: Py<PyType>) {
        let source = Arc::new(Source { port: Arc::clone(client.port()), request, reply });
        let earlier = self.lock().replace(source);
        drop(earlier);
    }

    /// A slot to fill. As a context manager it is given back at the end of the block, if it was not called with.
    ///
    /// Args:
    ///     timeout: seconds to wait for a slot, None for ever; the client's own unless stated.
    ///
    /// Raises:
    ///     Full: no slot is free within the timeout, or at once with ``when_full="reject"``; `holders` says who has them, and
    ///         `budget` is `max_slots` when this client itself holds as many as it may.
    #[pyo3(signature = (*, timeout = Timeout::Own))]
    fn loan<'py>(slf: &Bound<'py, Self>, timeout: Timeout) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let source = Loans::source(slf)?;
        let client = source.port.get()?;
        // At first without letting others run: mostly there is one.
        let loaned = match client.try_loan() {
            Ok(Some(loaned)) => loaned,
            _ => {
                let timeout = match timeout {
                    Timeout::Own => seconds(slf.getattr(intern!(py, "timeout"))?.extract()?)?,
                    Timeout::Stated(timeout) => timeout,
                };
                detached(py, || source.port.glance(), |look| client.loan(timeout, look))?
            }
        };
        let held = Held::new(loaned, Origin::Client(Arc::clone(&source.port)));
        record(held, source.request.bind(py), Some(source.reply.bind(py)))
    }

    /// A slot to fill, if one is free now.
    fn try_loan<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, source) = (slf.py(), Loans::source(slf)?);
        let Some(loaned) = source.port.get()?.try_loan().map_err(raise)? else { return Ok(None) };
        let held = Held::new(loaned, Origin::Client(Arc::clone(&source.port)));
        record(held, source.request.bind(py), Some(source.reply.bind(py))).map(Some)
    }
}
