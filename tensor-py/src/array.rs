//! NumPy arrays, made through NumPy's C functions: `np.asarray` takes twice as long.

use std::ffi::{c_int, c_void};

use numpy::npyffi::{NPY_ARRAY_WRITEABLE, NPY_TYPES, NpyTypes, PY_ARRAY_API, get_type_object};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tensor_core::dynamic::FieldView;
use tensor_core::schema::DType;

use crate::buffer::Lender;
use crate::modules::import_framework;

static IMPORTED: PyOnceLock<()> = PyOnceLock::new();

/// An array on the memory of a field whose dtype NumPy has under the number `number`.
///
/// # Errors
/// `ImportError`, `MemoryError`.
pub(crate) fn array(py: Python<'_>, view: FieldView, number: NPY_TYPES) -> PyResult<Bound<'_, PyAny>> {
    // The functions below panic when there is no NumPy to look them up in.
    IMPORTED.get_or_try_init(py, || import_framework(py, "numpy", "NumPy", "numpy").map(drop))?;
    let (data, rank) = (view.ptr().as_ptr().cast::<c_void>(), view.shape().len() as c_int);
    let flags = if view.is_writable() { NPY_ARRAY_WRITEABLE } else { 0 };
    let lender = Bound::new(py, Lender::whole(view))?;
    let (shape, strides) = lender.get().dimensions();
    // SAFETY: the data, for this shape and these strides, is the field's memory, valid while the lender is, of which the array owns
    // a reference from here on. NumPy copies shape and strides, takes the reference to the dtype, and derives the other
    // flags. It only writes through an array that is writeable, which a view that may not be written is not.
    unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            PY_ARRAY_API.PyArray_DescrFromType(py, number as c_int),
            rank,
            shape.as_ptr().cast_mut(),
            strides.as_ptr().cast_mut(),
            data,
            flags,
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        match PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), lender.into_any().into_ptr()) {
            0 => Ok(array),
            _ => Err(PyErr::fetch(py)),
        }
    }
}

/// NumPy's number for a dtype, if it has the dtype.
pub(crate) fn number(dtype: DType) -> Option<NPY_TYPES> {
    Some(match dtype {
        DType::Bool => NPY_TYPES::NPY_BOOL,
        DType::U8 => NPY_TYPES::NPY_UBYTE,
        DType::U16 => NPY_TYPES::NPY_USHORT,
        DType::U32 => NPY_TYPES::NPY_UINT,
        DType::U64 => NPY_TYPES::NPY_ULONG,
        DType::I8 => NPY_TYPES::NPY_BYTE,
        DType::I16 => NPY_TYPES::NPY_SHORT,
        DType::I32 => NPY_TYPES::NPY_INT,
        DType::I64 => NPY_TYPES::NPY_LONG,
        DType::F16 => NPY_TYPES::NPY_HALF,
        DType::F32 => NPY_TYPES::NPY_FLOAT,
        DType::F64 => NPY_TYPES::NPY_DOUBLE,
        DType::C64 => NPY_TYPES::NPY_CFLOAT,
        DType::C128 => NPY_TYPES::NPY_CDOUBLE,
        _ => return None,
    })
}
