//! Workers that this process starts and supervises.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use tensor_core::Error;
use tensor_core::service;
use tensor_core::service::WorkerHealth;

use crate::errors::raise;

/// A worker process that is started again when it ends. Dropping it stops it.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Worker {
    worker: Mutex<Option<service::Worker>>,
}

impl Worker {
    pub(crate) fn new(worker: service::Worker) -> Worker {
        Worker { worker: Mutex::new(Some(worker)) }
    }

    fn with<T>(&self, work: impl FnOnce(&service::Worker) -> T) -> Option<T> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(work)
    }
}

/// State, process, restarts, and how the last process ended.
pub(crate) type Health = (&'static str, Option<u32>, u32, Option<String>);

pub(crate) fn health(health: WorkerHealth) -> Health {
    (health.state.name(), health.pid, health.restarts, health.last_end)
}

#[pymethods]
impl Worker {
    /// How it is doing; None once it was stopped.
    fn health(&self) -> Option<Health> {
        self.with(|worker| health(worker.health()))
    }

    /// The exception for why it is not started again, or None.
    fn failure(&self) -> Option<PyErr> {
        let failure = self.with(service::Worker::failure).flatten();
        failure.map(raise)
    }

    /// Asks it to finish what it is doing and stop, and does not wait for that. In a forked child it does nothing.
    fn ask_to_stop(&self) {
        let _ = self.with(service::Worker::ask_to_stop);
    }

    /// Stops it and waits for that; whether it stopped by itself. In a forked child it does nothing.
    fn stop(&self, py: Python<'_>) -> PyResult<bool> {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        match py.detach(|| worker.map(service::Worker::stop)) {
            // What a child closes changes nothing, and is no mistake of its.
            None | Some(Ok(_) | Err(Error::Forked)) => Ok(true),
            Some(Err(Error::WorkerExited { .. })) => Ok(false),
            Some(Err(error)) => Err(raise(error)),
        }
    }
}
