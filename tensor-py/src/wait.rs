//! Waiting without the GIL, and with an ear for signals.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tensor_core::channel::WhenFull;
use tensor_core::dynamic::LookAround;
use tensor_core::{Error, WaitStrategy};

use crate::errors::raise;

/// Runs a wait without the GIL. Python's signal handlers run at least every 100 ms of it, in the thread they belong to;
/// an exception of theirs ends the wait. `glance` is looked at as often, and its error ends the wait likewise.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    glance: impl Fn() -> Result<(), Error> + Sync,
    wait: impl FnOnce(LookAround<'_>) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let mut raised: Option<PyErr> = None;
    let result = py.detach(|| {
        wait(&mut || {
            glance()?;
            // Python runs signal handlers in its main thread only; any other would fetch the GIL for nothing.
            if rustix::thread::gettid() != rustix::process::getpid() {
                return Ok(());
            }
            Python::attach(|py| py.check_signals()).map_err(|error| {
                raised = Some(error);
                Error::Interrupted
            })
        })
    });
    match raised {
        Some(error) => Err(error),
        None => result.map_err(raise),
    }
}

/// A timeout as Python states it: seconds, or `None` to wait for ever.
pub(crate) fn timeout(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else { return Ok(None) };
    if seconds.is_nan() || seconds < 0.0 {
        return Err(PyValueError::new_err(format!(
            "a timeout is a number of seconds, 0 or more, or None; found {seconds}"
        )));
    }
    // What exceeds the clock is for ever.
    Ok(Duration::try_from_secs_f64(seconds).ok().filter(|timeout| timeout.as_secs() < 1 << 32))
}

/// A timeout as a caller of a method states it.
pub(crate) enum Timeout {
    /// Not at all: that of the endpoint holds.
    Own,
    /// As [`timeout`] reads it.
    Stated(Option<Duration>),
}

impl<'py> FromPyObject<'_, 'py> for Timeout {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Timeout> {
        static DEFAULT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        if value.is(DEFAULT.import(value.py(), "tensorbridge._record", "DEFAULT")?) {
            return Ok(Timeout::Own);
        }
        timeout(value.extract()?).map(Timeout::Stated)
    }
}

/// A wait strategy as Python states it.
pub(crate) fn strategy(name: &str) -> PyResult<WaitStrategy> {
    match name {
        "adaptive" => Ok(WaitStrategy::default()),
        "spin" => Ok(WaitStrategy::Spin),
        "block" => Ok(WaitStrategy::Block),
        other => Err(PyValueError::new_err(format!(
            "wait is \"adaptive\", \"spin\" or \"block\"; found {other:?}"
        ))),
    }
}

/// What a loan does when no slot is free, as Python states it.
pub(crate) fn when_full(name: &str) -> PyResult<WhenFull> {
    match name {
        "block" => Ok(WhenFull::Block),
        "reject" => Ok(WhenFull::Reject),
        "drop_oldest" => Ok(WhenFull::DropOldest),
        other => Err(PyValueError::new_err(format!(
            "when_full is \"block\", \"reject\" or \"drop_oldest\"; found {other:?}"
        ))),
    }
}

/// How many slots a client may hold at once, as Python states it.
pub(crate) fn budget(what: &str, slots: Option<i64>) -> PyResult<Option<u32>> {
    let Some(slots) = slots else { return Ok(None) };
    if slots < 1 {
        return Err(PyValueError::new_err(format!("{what} is 1 or more, or None; found {slots}")));
    }
    Ok(Some(u32::try_from(slots).unwrap_or(u32::MAX)))
}
