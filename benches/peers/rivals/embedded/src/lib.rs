//! Rust that calls Python in its own process and copies the request into a new NumPy array for each call.

use numpy::PyArray1;
use pyo3::prelude::*;

const COUNT: usize = 3 * 224 * 224;

/// A request in Rust's memory, and the Python function that answers it.
#[pyclass]
struct Caller {
    pixels: Vec<f32>,
    handler: Py<PyAny>,
}

#[pymethods]
impl Caller {
    #[new]
    fn new(handler: Py<PyAny>) -> Caller {
        Caller { pixels: vec![1.0; COUNT], handler }
    }

    /// The request lies in Rust's memory.
    fn ready(&mut self, py: Python<'_>, value: f32) -> PyResult<f64> {
        self.pixels[0] = value;
        self.call(py)
    }

    /// The request is written anew.
    fn written(&mut self, py: Python<'_>, value: f32) -> PyResult<f64> {
        self.pixels.fill(value);
        self.call(py)
    }
}

impl Caller {
    fn call(&self, py: Python<'_>) -> PyResult<f64> {
        let copy = PyArray1::from_slice(py, &self.pixels);
        self.handler.call1(py, (copy,))?.extract(py)
    }
}

#[pymodule]
fn embedded(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Caller>()
}
