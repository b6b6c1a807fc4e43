//! An endpoint that can be closed while other threads, and records it loaned, still lead to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tensor_core::Error;

use crate::errors::raise;

/// An endpoint until it is closed.
pub(crate) struct Port<T> {
    endpoint: Mutex<Option<Arc<T>>>,
    what: &'static str,
    pub(crate) name: String,
    pub(crate) timeout: Option<Duration>,
    /// Whether a copy, or a send that leaves aliases behind, is an error.
    pub(crate) strict: bool,
    stopping: AtomicBool,
}

impl<T> Port<T> {
    pub(crate) fn new(
        endpoint: T,
        what: &'static str,
        name: String,
        timeout: Option<Duration>,
        strict: bool,
    ) -> Arc<Port<T>> {
        let endpoint = Mutex::new(Some(Arc::new(endpoint)));
        Arc::new(Port { endpoint, what, name, timeout, strict, stopping: AtomicBool::new(false) })
    }

    /// A port like this one for another endpoint.
    pub(crate) fn with(&self, endpoint: T) -> Arc<Port<T>> {
        Port::new(endpoint, self.what, self.name.clone(), self.timeout, self.strict)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<T>>> {
        // Held for a clone or a replacement only, never while Python code runs.
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The endpoint.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn get(&self) -> PyResult<Arc<T>> {
        self.open().ok_or_else(|| raise(Error::Closed { what: self.what }))
    }

    /// The endpoint, unless it is closed.
    pub(crate) fn open(&self) -> Option<Arc<T>> {
        self.lock().clone()
    }

    /// What a wait looks at now and then: whether the endpoint was closed, or told to stop, meanwhile.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn glance(&self) -> Result<(), Error> {
        match self.is_stopping() {
            true => Err(Error::Closed { what: self.what }),
            false => Ok(()),
        }
    }

    /// Ends the waits for slots and records.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Closes it. Waits for slots and records end; a call that a thread waits for is finished. Gives the endpoint the first
    /// time.
    pub(crate) fn close(&self) -> Option<Arc<T>> {
        self.stop();
        self.lock().take()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_none()
    }
}
