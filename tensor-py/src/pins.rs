//! Who holds slots, as Python sees it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use tensor_core::Holder;

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
            pin.call1((arena, pid, how, slots, oldest.as_secs_f64(), pyo3::types::PyTuple::new(py, fields)?))
        })
        .collect()
}
