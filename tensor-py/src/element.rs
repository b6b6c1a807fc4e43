//! Single elements: from Python's numbers to a dtype's bytes and back.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyFloat, PyInt};
use tensor_core::Error;
use tensor_core::schema::DType;

/// The bytes of one element; as many of them as the dtype has.
pub(crate) type Bytes = [u8; 16];

/// The Python number that these bytes stand for.
pub(crate) fn decode<'py>(py: Python<'py>, dtype: DType, bytes: &Bytes) -> PyResult<Bound<'py, PyAny>> {
    fn first<const N: usize>(bytes: &Bytes) -> [u8; N] {
        std::array::from_fn(|index| bytes[index])
    }
    let float = |value: f64| PyFloat::new(py, value).into_any();
    let complex = |re: f64, im: f64| PyComplex::from_doubles(py, re, im).into_any();
    Ok(match dtype {
        DType::Bool => PyBool::new(py, bytes[0] != 0).to_owned().into_any(),
        DType::U8 => PyInt::new(py, bytes[0]).into_any(),
        DType::U16 => PyInt::new(py, u16::from_ne_bytes(first(bytes))).into_any(),
        DType::U32 => PyInt::new(py, u32::from_ne_bytes(first(bytes))).into_any(),
        DType::U64 => PyInt::new(py, u64::from_ne_bytes(first(bytes))).into_any(),
        DType::I8 => PyInt::new(py, i8::from_ne_bytes(first(bytes))).into_any(),
        DType::I16 => PyInt::new(py, i16::from_ne_bytes(first(bytes))).into_any(),
        DType::I32 => PyInt::new(py, i32::from_ne_bytes(first(bytes))).into_any(),
        DType::I64 => PyInt::new(py, i64::from_ne_bytes(first(bytes))).into_any(),
        DType::C64 => {
            let [a, b, c, d, e, f, g, h] = first(bytes);
            complex(f32::from_ne_bytes([a, b, c, d]).into(), f32::from_ne_bytes([e, f, g, h]).into())
        }
        DType::C128 => {
            let imaginary = std::array::from_fn(|index| bytes[index + 8]);
            complex(f64::from_ne_bytes(first(bytes)), f64::from_ne_bytes(imaginary))
        }
        other => match other.decode_float(bytes) {
            Some(value) => float(value),
            None => unreachable!("the table lacks {other}"),
        },
    })
}

/// The bytes of a Python number. An integer has to fit the dtype; a float goes into floats only.
///
/// # Errors
/// [`Error::WrongDType`].
pub(crate) fn encode(field: &str, dtype: DType, value: &Bound<'_, PyAny>) -> Result<Bytes, Error> {
    let wrong = || Error::WrongDType {
        field: field.to_owned(),
        expected: dtype.name().to_owned(),
        found: describe(value),
    };
    if let Some((least, most)) = dtype.integer_range() {
        if !value.is_instance_of::<PyInt>() {
            return Err(wrong());
        }
        let number: i128 = value.extract().map_err(|_| wrong())?;
        if !(least..=most).contains(&number) {
            return Err(wrong());
        }
        let mut bytes = [0; 16];
        bytes[..dtype.size()].copy_from_slice(&number.to_ne_bytes()[..dtype.size()]);
        return Ok(bytes);
    }
    if matches!(dtype, DType::C64 | DType::C128) {
        let (re, im) = if let Ok(complex) = value.cast::<PyComplex>() {
            (complex.real(), complex.imag())
        } else {
            (real(value).ok_or_else(wrong)?, 0.0)
        };
        return Ok(match dtype {
            DType::C64 => pack([(re as f32).to_ne_bytes(), (im as f32).to_ne_bytes()]),
            _ => pack([re.to_ne_bytes(), im.to_ne_bytes()]),
        });
    }
    dtype.encode_float(real(value).ok_or_else(wrong)?).ok_or_else(wrong)
}

fn pack<const N: usize, const PARTS: usize>(parts: [[u8; N]; PARTS]) -> Bytes {
    let mut bytes = [0; 16];
    for (index, part) in parts.iter().enumerate() {
        bytes[index * N..][..N].copy_from_slice(part);
    }
    bytes
}

fn real(value: &Bound<'_, PyAny>) -> Option<f64> {
    let number = value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>();
    number.then(|| value.extract().ok()).flatten()
}

/// A value in an error's words: `300`, `a str`.
pub(crate) fn describe(value: &Bound<'_, PyAny>) -> String {
    let kind = value.get_type().name().map_or("?".to_owned(), |name| name.to_string());
    let number = value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyComplex>();
    match value.str() {
        Ok(text) if number => format!("the {kind} {text}"),
        _ if value.is_none() => "None".to_owned(),
        _ => format!("a {kind}"),
    }
}
