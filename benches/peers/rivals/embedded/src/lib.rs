//! Rust that calls Python in its own process and copies the request into a new NumPy array, or a list, for each call.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyList;

const COUNT: usize = 3 * 224 * 224;

/// A request in Rust's memory, and the Python function that answers it.
#[pyclass]
struct Caller {
    pixels: Vec<f32>,
    handler: Py<PyAny>,
    as_list: bool,
}

#[pymethods]
impl Caller {
    #[new]
    #[pyo3(signature = (handler, as_list = false))]
    fn new(handler: Py<PyAny>, as_list: bool) -> Caller {
        Caller { pixels: vec![1.0; COUNT], handler, as_list }
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
        if self.as_list {
            let copy = PyList::new(py, &self.pixels)?;
            return self.handler.call1(py, (copy,))?.extract(py);
        }
        let copy = PyArray1::from_slice(py, &self.pixels);
        self.handler.call1(py, (copy,))?.extract(py)
    }
}

#[pymodule]
fn embedded(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Caller>()
}
