//! Numbers that NumPy knows, on their way to a field's dtype.

use pyo3::buffer::PyBuffer;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use tensor_core::Error;
use tensor_core::schema::DType;

use crate::dtype::{ml_dtypes_name, to_format};
use crate::element;
use crate::errors::raise;
use crate::modules::is_loaded;

/// An array of numbers in a field's dtype.
pub(crate) enum Converted<'py> {
    /// As an array of NumPy's.
    Array(Bound<'py, PyAny>),
    /// As bytes, for a dtype that NumPy lacks; outermost dimension first.
    Bytes(Vec<u8>),
}

static GENERIC: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Whether a value is one of NumPy's scalars.
pub(crate) fn is_numpy_scalar(value: &Bound<'_, PyAny>) -> bool {
    let py = value.py();
    // The package needs NumPy, but a program that never uses it should not wait for its import.
    (GENERIC.get(py).is_some() || is_loaded(intern!(py, "numpy")))
        && GENERIC
            .import(py, "numpy", "generic")
            .and_then(|generic| value.is_instance(generic))
            .unwrap_or(false)
}

/// The bits of an array of an `ml_dtypes` type as unsigned integers, when it is the dtype wanted; `None` for any other
/// value.
pub(crate) fn raw_bits<'py>(value: &Bound<'py, PyAny>, wanted: DType) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    let Some(name) = ml_dtypes_name(wanted) else { return Ok(None) };
    let dtype = value.getattr(intern!(py, "dtype")).and_then(|dtype| dtype.getattr(intern!(py, "name")));
    let same = dtype.and_then(|dtype| dtype.eq(name)).unwrap_or(false);
    if !same || !value.hasattr(intern!(py, "__array__"))? {
        return Ok(None);
    }
    let bits = if wanted.size() == 2 { "uint16" } else { "uint8" };
    let array = py.import("numpy")?.call_method1("asarray", (value,))?;
    array.call_method1("view", (bits,)).map(Some)
}

/// Converts an array that NumPy made of Python's numbers. Integers have to fit; floats go into floats only.
///
/// # Errors
/// [`Error::WrongDType`].
pub(crate) fn convert<'py>(
    array: &Bound<'py, PyAny>,
    field: &str,
    wanted: DType,
) -> PyResult<Converted<'py>> {
    let found_dtype = array.getattr("dtype")?;
    let wrong = |found: String| {
        raise(Error::WrongDType { field: field.to_owned(), expected: wanted.name().to_owned(), found })
    };
    let kind: String = found_dtype.getattr("kind")?.extract()?;
    let empty = array.getattr("size")?.eq(0)?;
    // What each kind of number may become, from the narrowest to the widest.
    let rank = match kind.as_str() {
        _ if empty => 0,
        "b" => 0,
        "i" | "u" => 1,
        "f" => 2,
        "c" => 3,
        _ => return Err(wrong(format!("lists of {}", found_dtype.str()?))),
    };
    let allowed = match wanted {
        DType::C64 | DType::C128 => 3,
        dtype if dtype.is_float() => 2,
        _ => 1,
    };
    if rank > allowed {
        return Err(wrong(format!("lists of {}", found_dtype.str()?)));
    }
    if let (1, Some((least, most))) = (rank, wanted.integer_range()) {
        let bound = |name| array.call_method0(name).and_then(|bound| bound.call_method0("item"));
        for number in [bound("min")?, bound("max")?] {
            if !(least..=most).contains(&number.extract::<i128>()?) {
                return Err(wrong(element::describe(&number)));
            }
        }
    }
    if ml_dtypes_name(wanted).is_none() {
        let format = to_format(wanted).map(|format| format.to_string_lossy().into_owned());
        // NumPy's names for the two complex types are not those of the buffer protocol.
        let name = match wanted {
            DType::C64 => "c8".to_owned(),
            DType::C128 => "c16".to_owned(),
            _ => format.unwrap_or_default(),
        };
        return array.call_method1("astype", (name,)).map(Converted::Array);
    }
    let doubles = array.call_method1("astype", ("f8",))?;
    let doubles = doubles.call_method1("reshape", (-1,))?;
    let doubles = PyBuffer::<f64>::get(&doubles)?.to_vec(array.py())?;
    let mut bytes = Vec::with_capacity(doubles.len() * wanted.size());
    for number in doubles {
        let encoded = wanted.encode_float(number).ok_or_else(|| wrong("numbers".to_owned()))?;
        bytes.extend_from_slice(&encoded[..wanted.size()]);
    }
    Ok(Converted::Bytes(bytes))
}
