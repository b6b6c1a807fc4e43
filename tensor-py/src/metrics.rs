//! What has happened in an arena, as Python sees it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};
use tensor_core::{Error, metrics};

use crate::errors::raise;
use crate::wait::{detached, timeout as seconds};

static PHASES: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static RECOVERIES: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The metrics of the arena called `name`.
pub(crate) fn read(py: Python<'_>, name: &str, timeout: Option<f64>) -> PyResult<Metrics> {
    let timeout = seconds(timeout)?;
    detached(py, || Ok(()), |look| metrics::metrics_with(name, timeout, look)).map(Metrics::from)
}

/// What the values of a distribution are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Nanoseconds,
    Records,
}

impl Unit {
    /// A value as Python has it: seconds, or a number of records.
    fn value<'py>(self, py: Python<'py>, value: u64) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Unit::Nanoseconds => Ok((value as f64 / 1e9).into_pyobject(py)?.into_any()),
            Unit::Records => Ok(value.into_pyobject(py)?.into_any()),
        }
    }
}

/// How often which values were seen.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Distribution {
    metrics: Arc<metrics::Metrics>,
    of: fn(&metrics::Metrics) -> &metrics::Distribution,
    unit: Unit,
}

impl Distribution {
    fn seen(&self) -> &metrics::Distribution {
        (self.of)(&self.metrics)
    }

    fn maybe<'py>(&self, py: Python<'py>, value: Option<u64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        value.map(|value| self.unit.value(py, value)).transpose()
    }
}

#[pymethods]
impl Distribution {
    /// How many values were seen.
    #[getter]
    fn count(&self) -> u64 {
        self.seen().count()
    }

    /// The mean; 0 when no value was seen.
    #[getter]
    fn mean(&self) -> f64 {
        self.seen().mean() / if self.unit == Unit::Nanoseconds { 1e9 } else { 1.0 }
    }

    /// The smallest value; None when none was seen.
    #[getter]
    fn min<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.maybe(py, self.seen().min())
    }

    /// The largest value; None when none was seen.
    #[getter]
    fn max<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.maybe(py, self.seen().max())
    }

    /// The value that a part `quantile` of all values does not exceed; None when none was seen.
    fn quantile<'py>(&self, py: Python<'py>, quantile: f64) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !(0.0..=1.0).contains(&quantile) {
            return Err(PyValueError::new_err(format!("a quantile is between 0 and 1; found {quantile}")));
        }
        self.maybe(py, self.seen().quantile(quantile))
    }

    /// Each value that was seen, from the smallest on, and how often.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<(Bound<'py, PyAny>, u64)>> {
        self.seen().values().map(|(value, count)| Ok((self.unit.value(py, value)?, count))).collect()
    }

    fn __repr__(&self) -> String {
        let seen = self.seen();
        let at = |quantile| seen.quantile(quantile).unwrap_or_default();
        let (median, high) = (at(0.5), at(0.99));
        let unit = if self.unit == Unit::Nanoseconds { " ns" } else { "" };
        match seen.count() {
            0 => "<nothing seen>".to_owned(),
            count => format!("<{count} seen, p50 {median}{unit}, p99 {high}{unit}>"),
        }
    }
}

/// What happened in an arena: since it was made, or between two readings.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Metrics {
    inner: Arc<metrics::Metrics>,
}

impl From<metrics::Metrics> for Metrics {
    fn from(inner: metrics::Metrics) -> Metrics {
        Metrics { inner: Arc::new(inner) }
    }
}

impl Metrics {
    fn times(&self, of: fn(&metrics::Metrics) -> &metrics::Distribution) -> Distribution {
        Distribution { metrics: Arc::clone(&self.inner), of, unit: Unit::Nanoseconds }
    }
}

#[pymethods]
impl Metrics {
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.inner.kind.name()
    }

    #[getter]
    fn epoch(&self) -> &str {
        &self.inner.epoch
    }

    #[getter]
    fn at(&self) -> f64 {
        self.inner.at.as_secs_f64()
    }

    #[getter]
    fn covers(&self) -> f64 {
        self.inner.covers.as_secs_f64()
    }

    #[getter]
    fn slots(&self) -> usize {
        self.inner.slots
    }

    #[getter]
    fn phases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let phases = self.inner.phases;
        let counts = (phases.free, phases.loaned, phases.ready, phases.taken, phases.done);
        PHASES.import(py, "tensorbridge._describe", "Phases")?.call1(counts)
    }

    #[getter]
    fn sent(&self) -> u64 {
        self.inner.sent
    }

    #[getter]
    fn answered(&self) -> u64 {
        self.inner.answered
    }

    #[getter]
    fn failed(&self) -> u64 {
        self.inner.failed
    }

    #[getter]
    fn dropped(&self) -> u64 {
        self.inner.dropped
    }

    #[getter]
    fn expired(&self) -> u64 {
        self.inner.expired
    }

    /// By code.
    #[getter]
    fn errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let errors = PyDict::new(py);
        for error in &self.inner.errors {
            errors.set_item(error.code, error.count)?;
        }
        Ok(errors)
    }

    #[getter]
    fn runs(&self) -> Distribution {
        Distribution { metrics: Arc::clone(&self.inner), of: |seen| &seen.runs, unit: Unit::Records }
    }

    #[getter]
    fn round_trip(&self) -> Distribution {
        self.times(|seen| &seen.round_trip)
    }

    #[getter]
    fn waiting(&self) -> Distribution {
        self.times(|seen| &seen.waiting)
    }

    #[getter]
    fn served(&self) -> Distribution {
        self.times(|seen| &seen.served)
    }

    /// Bytes, by reason.
    #[getter]
    fn copied<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let copied = PyDict::new(py);
        for (reason, bytes) in &self.inner.copied {
            copied.set_item(reason.name(), bytes)?;
        }
        Ok(copied)
    }

    #[getter]
    fn recoveries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let done = self.inner.recoveries;
        let counts = (done.deaths, done.redelivered, done.given_up);
        RECOVERIES.import(py, "tensorbridge._metrics", "Recoveries")?.call1(counts)
    }

    fn since(&self, earlier: &Metrics) -> Metrics {
        self.inner.since(&earlier.inner).into()
    }

    fn per_second(&self, count: u64) -> f64 {
        self.inner.per_second(count)
    }

    fn to_json(&self) -> String {
        self.inner.to_json()
    }

    fn __repr__(&self) -> String {
        let seen = &self.inner;
        let (kind, covers) = (seen.kind.name(), seen.covers);
        format!(
            "<metrics of {kind} '{}' over {covers:.1?}: {} sent, {} answered, {} errors>",
            seen.name,
            seen.sent,
            seen.answered,
            seen.errors.iter().map(|error| error.count).sum::<u64>()
        )
    }
}

/// A thread that writes what happens in an arena to a file, as JSON lines.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Probe {
    inner: Mutex<Option<metrics::Probe>>,
}

#[pymethods]
impl Probe {
    #[new]
    fn new(name: &str, path: PathBuf, interval: f64, window: f64) -> PyResult<Probe> {
        let time = |text: f64| seconds(Some(text)).map(|time| time.unwrap_or(Duration::MAX));
        let probe = metrics::Probe::builder(name).interval(time(interval)?).window(time(window)?);
        Ok(Probe { inner: Mutex::new(Some(probe.append_to(path).map_err(raise)?)) })
    }

    /// Ends the stream. In a forked child it does nothing.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let probe = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        match py.detach(|| probe.map(|probe| probe.stop())) {
            // What a child closes changes nothing, and is no mistake of its.
            None | Some(Ok(()) | Err(Error::Forked)) => Ok(()),
            Some(Err(error)) => Err(raise(error)),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let probe = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // Its thread may be in the middle of something that lasts.
        let _ = Python::try_attach(|py| py.detach(|| drop(probe)));
    }
}
