//! Who holds slots, as Python sees it.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use tensor_core::Holder;
use tensor_core::dynamic::Watch;

static PIN: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `tensorbridge.Pin` objects.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    arena: &str,
    holders: Vec<Holder>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let pin = PIN.import(py, "tensorbridge._pins", "Pin")?;
    holders
        .into_iter()
        .map(|Holder { pid, how, slots, oldest, fields }| {
            pin.call1((arena, pid, how, slots, oldest.as_secs_f64(), PyTuple::new(py, fields)?))
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
    let mut pins = Vec::new();
    for (name, holders) in watches.iter().filter_map(Watch::held) {
        pins.extend(to_python(py, &name, holders)?);
    }
    Ok(pins)
}
