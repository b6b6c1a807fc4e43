//! The Python extension module: the runtime of `tensor-core`, with Python's rules about memory and threads.
//!
//! What users see is the package `tensorbridge` in `python/`; this module is what it is made of.

mod array;
mod assign;
mod attributes;
mod buffer;
mod copied;
mod describe;
mod dlpack;
mod dtype;
mod element;
mod endpoint;
mod errors;
mod field;
mod hand_over;
mod host;
mod jax;
mod loans;
mod metrics;
mod modules;
mod numbers;
mod pending;
mod pins;
mod port;
mod record;
mod schema;
mod serve;
mod source;
mod strided;
mod tensorflow;
mod torch;
mod wait;
mod worker;

/// The runtime of tensorbridge.
#[pyo3::pymodule]
mod _core {
    use pyo3::exceptions::PyBaseException;
    use pyo3::prelude::*;
    use pyo3::types::PyDict;
    use tensor_core::Error;
    use tensor_core::schema::DType;

    use crate::errors::raise;

    #[pymodule_export]
    use crate::attributes::{Base, Descriptor};
    #[pymodule_export]
    use crate::buffer::Lender;
    #[pymodule_export]
    use crate::endpoint::{Client, Receiver, Sender, Server};
    #[pymodule_export]
    use crate::field::Field;
    #[pymodule_export]
    use crate::host::Host;
    #[pymodule_export]
    use crate::loans::Loans;
    #[pymodule_export]
    use crate::metrics::{Distribution, Metrics, Probe};
    #[pymodule_export]
    use crate::pending::{Mailbox, Pending};
    #[pymodule_export]
    use crate::record::Handle;
    #[pymodule_export]
    use crate::schema::{FieldInfo, Schema};
    #[pymodule_export]
    use crate::worker::Worker;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::errors::register(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    /// `(code, name, builtin)` of every error.
    #[pyfunction]
    fn error_table() -> Vec<(&'static str, &'static str, &'static str)> {
        Error::TABLE.to_vec()
    }

    /// `(name, bytes)` of every dtype.
    #[pyfunction]
    fn dtypes() -> Vec<(&'static str, usize)> {
        DType::ALL.iter().map(|dtype| (dtype.name(), dtype.size())).collect()
    }

    /// The exception for a name that a schema has no field of.
    #[pyfunction]
    fn unknown_field(py: Python<'_>, schema: &Schema, field: String) -> Py<PyBaseException> {
        schema.unknown_field(field).into_value(py)
    }

    /// The exception for a symbolic dimension without a length.
    #[pyfunction]
    fn dim_unset(py: Python<'_>, schema: String, dim: String) -> Py<PyBaseException> {
        raise(Error::DimUnset { schema, dim }).into_value(py)
    }

    /// The exception for an endpoint of class `kind` that was closed.
    #[pyfunction]
    fn closed(py: Python<'_>, kind: &str) -> Py<PyBaseException> {
        raise(Error::Closed { what: crate::endpoint::lower(kind) }).into_value(py)
    }

    /// Ends this process `grace` seconds after the one that `identity` leads to; false when that one has ended already.
    #[pyfunction]
    fn follow_supervisor(identity: &str, grace: f64) -> PyResult<bool> {
        crate::endpoint::follow_supervisor(identity, grace)
    }

    /// What this process holds of every arena it is connected to, or was: `Pin` objects.
    #[pyfunction]
    fn pins(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
        crate::pins::held_here(py)
    }

    /// What an arena is and how it is doing: the parts of a `tensorbridge.Description`.
    #[pyfunction]
    fn describe<'py>(py: Python<'py>, name: &str, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        crate::describe::describe(py, name, timeout)
    }

    /// What has happened in the arena called `name`.
    #[pyfunction]
    fn metrics(py: Python<'_>, name: &str, timeout: Option<f64>) -> PyResult<Metrics> {
        crate::metrics::read(py, name, timeout)
    }

    /// The bytes that this process has copied so far, by reason. Aliases copy nothing.
    #[pyfunction]
    fn copied(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let totals = PyDict::new(py);
        for (reason, bytes) in crate::copied::totals() {
            totals.set_item(reason, bytes)?;
        }
        Ok(totals)
    }
}
