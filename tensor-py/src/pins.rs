//! Who holds slots, as Python sees it.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use tensor_core::dynamic::Watch;
use tensor_core::{Holder, Pin};

static PIN: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static HOLDER: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `tensorbridge.Pin` objects.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    arena: &str,
    pins: Vec<Pin>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let class = PIN.import(py, "tensorbridge._pins", "Pin")?;
    pins.into_iter()
        .map(|Pin { slot, side, pid, command, how, held, fields, .. }| {
            let fields = PyTuple::new(py, fields)?;
            class.call1((arena, slot, side, pid, command, how, held.as_secs_f64(), fields))
        })
        .collect()
}

/// `tensorbridge.Holder` objects.
pub(crate) fn holders<'py>(py: Python<'py>, holders: Vec<Holder>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let class = HOLDER.import(py, "tensorbridge._pins", "Holder")?;
    holders
        .into_iter()
        .map(|Holder { pid, command, how, slots, oldest, fields, .. }| {
            class.call1((pid, command, how, slots, oldest.as_secs_f64(), PyTuple::new(py, fields)?))
        })
        .collect()
}

/// The arenas that endpoints of this process were connected to.
static WATCHES: Mutex<Vec<Watch>> = Mutex::new(Vec::new());

/// Remembers an arena, and forgets those that are unmapped.
pub(crate) fn remember(watch: Watch) {
    let mut watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner);
    watches.retain(Watch::lives);
    watches.push(watch);
}

/// What this process holds, in all arenas.
pub(crate) fn held_here(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let watches = WATCHES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut found = Vec::new();
    for (name, pins) in watches.iter().filter_map(Watch::held) {
        found.extend(to_python(py, &name, pins)?);
    }
    Ok(found)
}
