//! Waiting without the GIL, and with an ear for signals.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
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
    detached_with(py, glance, wait).map_err(|interrupted| match interrupted {
        Ended::Raised(error) => error,
        Ended::Failed(error) => raise(error),
    })
}

/// How a wait ended without its result.
pub(crate) enum Ended<E> {
    /// A signal handler raised an exception.
    Raised(PyErr),
    /// The wait itself failed.
    Failed(E),
}

/// As [`detached`], for waits that fail with more than an error.
pub(crate) fn detached_with<T: Send, E: Send>(
    py: Python<'_>,
    glance: impl Fn() -> Result<(), Error> + Sync,
    wait: impl FnOnce(LookAround<'_>) -> Result<T, E> + Send,
) -> Result<T, Ended<E>> {
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
        Some(error) => Err(Ended::Raised(error)),
        None => result.map_err(Ended::Failed),
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
