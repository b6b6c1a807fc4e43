//! What the program has imported: frameworks that it does not use are not imported for it.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

/// A framework, imported when it was not yet.
///
/// # Errors
/// `ImportError` that says what to install: `framework` is its name for people, `extra` ours for it.
pub(crate) fn import_framework<'py>(
    py: Python<'py>,
    module: &str,
    framework: &str,
    extra: &str,
) -> PyResult<Bound<'py, PyModule>> {
    py.import(module).map_err(|error| {
        let text = format!("this needs {framework}: pip install 'tensorbridge[{extra}]', or use .numpy()");
        let hint = PyImportError::new_err(text);
        hint.set_cause(py, Some(error));
        hint
    })
}

static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Whether the module has been imported. `None` in its place says that it must not be.
pub(crate) fn is_loaded(name: &Bound<'_, PyString>) -> bool {
    let py = name.py();
    let modules = MODULES.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?.unbind())
    });
    modules.is_ok_and(|modules| {
        modules.bind(py).get_item(name).is_ok_and(|found| found.is_some_and(|module| !module.is_none()))
    })
}
