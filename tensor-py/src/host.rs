//! Hosting an arena.

use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tensor_core::Error;
use tensor_core::dynamic::{DynHost, HostSettings};
use tensor_core::service::{Restarts, WorkerCommand, report_to_stderr};

use crate::errors::raise;
use crate::metrics::Metrics;
use crate::pins;
use crate::schema::Schema;
use crate::wait::{budget, detached, timeout as seconds};
use crate::worker::{Health, Worker, health};

/// Hosts an arena until it is closed.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Host {
    host: Mutex<Option<DynHost>>,
    name: String,
}

impl Host {
    fn with<T>(&self, work: impl FnOnce(&DynHost) -> T) -> PyResult<T> {
        // The lock is let go of before an exception is made: that may run Python code.
        let result = self.host.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(work);
        result.ok_or_else(|| raise(Error::Closed { what: "host" }))
    }
}

#[pymethods]
impl Host {
    /// Takes the name. With a reply it is a service, else a one-way channel.
    #[new]
    #[pyo3(signature = (name, request, reply = None, *, slots, sparse = false, mutates_request = false, ring_order = false, max_attempts = 3, timeout = None, slots_per_client = None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python function")]
    fn new(
        py: Python<'_>,
        name: String,
        request: &Schema,
        reply: Option<&Schema>,
        slots: usize,
        sparse: bool,
        mutates_request: bool,
        ring_order: bool,
        max_attempts: u32,
        timeout: Option<f64>,
        slots_per_client: Option<i64>,
    ) -> PyResult<Host> {
        let timeout = seconds(timeout)?;
        let slots_per_client = budget("slots_per_client", slots_per_client)?;
        let settings = HostSettings {
            name: name.clone(),
            slots,
            sparse,
            mutates_request,
            ring_order,
            max_attempts,
            timeout,
            slots_per_client,
        };
        let schema = |schema: &Schema| (*schema.inner).clone();
        let (request, reply) = (schema(request), reply.map(schema));
        // Making the memory takes a while when there is much of it.
        let host = detached(py, || Ok(()), |look| DynHost::create(&settings, request, reply, look))?;
        Ok(Host { host: Mutex::new(Some(host)), name })
    }

    /// How many slots nobody holds at this moment.
    #[getter]
    fn free_slots(&self) -> PyResult<usize> {
        self.with(DynHost::free_slots)
    }

    /// What has happened in the arena so far, in numbers.
    fn metrics(&self) -> PyResult<Metrics> {
        self.with(DynHost::metrics).map(Metrics::from)
    }

    /// Who holds slots at this moment, most first.
    fn pins<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        pins::to_python(py, &self.name, self.with(DynHost::pins)?)
    }

    /// Starts a worker and does not wait until it is ready. What happens to it is said on standard error.
    fn start(
        &self,
        command: Vec<OsString>,
        restarts: Option<u32>,
        backoff: f64,
        grace: f64,
        start_timeout: f64,
    ) -> PyResult<Worker> {
        let mut settings = WorkerCommand::new(command);
        settings.restarts = restarts.map_or(Restarts::always(), Restarts::at_most);
        let time = |name: f64| seconds(Some(name)).map(|time| time.unwrap_or(Duration::MAX));
        settings.restarts = settings.restarts.delay(time(backoff)?, time(backoff * 100.0)?);
        settings.grace = time(grace)?;
        settings.start_timeout = time(start_timeout)?;
        settings.report = |text| {
            report_to_stderr(&format!("tensorbridge: {text}"));
        };
        self.with(|host| host.start(settings))?.map(Worker::new).map_err(raise)
    }

    /// How the workers are doing that were started here.
    fn workers(&self) -> PyResult<Vec<Health>> {
        Ok(self.with(DynHost::workers)?.into_iter().map(health).collect())
    }

    /// Deaths, records handed out again, and requests given up.
    fn recoveries(&self) -> PyResult<(u64, u64, u64)> {
        let counts = self.with(DynHost::recoveries)?;
        Ok((counts.deaths, counts.redelivered, counts.given_up))
    }

    /// Whether process `pid` is ready to receive.
    fn is_attached(&self, pid: u32) -> PyResult<bool> {
        self.with(|host| host.is_attached(pid))
    }

    /// Gives the name back and closes nothing: for a process that is about to end.
    fn leave(&self, py: Python<'_>) {
        py.detach(|| {
            let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
            host.iter_mut().for_each(DynHost::leave);
        });
    }

    #[getter]
    fn closed(&self) -> bool {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Gives the name back. Records that somebody holds stay valid.
    fn close(&self, py: Python<'_>) {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(host));
    }
}
