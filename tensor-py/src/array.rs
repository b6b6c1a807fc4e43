//! NumPy arrays, made through NumPy's C functions: `np.asarray` takes twice as long.

use std::ffi::{c_int, c_void};

use numpy::npyffi::{NPY_ARRAY_WRITEABLE, NPY_TYPES, NpyTypes, PY_ARRAY_API, get_type_object};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tensor_core::dynamic::{FieldAlias, FieldLayout, MAX_VIEW_RANK};
use tensor_core::schema::DType;

use crate::modules::import_framework;
use crate::record::Held;

static IMPORTED: PyOnceLock<()> = PyOnceLock::new();

/// What an array has as its base. It keeps the memory, and counts as an alias.
#[pyclass(frozen, module = "tensorbridge._core")]
struct Keeper {
    _alias: FieldAlias,
    writable: bool,
}

#[pymethods]
impl Keeper {
    /// A buffer of no bytes: NumPy asks for one that may be written before it lets an array be written again that was made read-only.
    ///
    /// # Safety
    /// Called by the interpreter, with a buffer to fill.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, buffer: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let readonly = c_int::from(!slf.get().writable);
        // SAFETY: the interpreter's own buffer, which gets a reference to this object and no memory.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(buffer, slf.as_ptr(), std::ptr::null_mut(), 0, readonly, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// An array on the memory of field `index`, whose dtype NumPy has under the number `number`. A writable one that is `handed_out`
/// makes the field count as written.
///
/// # Errors
/// Those of [`Held::export`], `ImportError`, `MemoryError`.
pub(crate) fn array<'py>(
    py: Python<'py>,
    held: &Held,
    index: usize,
    number: NPY_TYPES,
    handed_out: bool,
) -> PyResult<Bound<'py, PyAny>> {
    // The functions below panic when there is no NumPy to look them up in.
    IMPORTED.get_or_try_init(py, || import_framework(py, "numpy", "NumPy", "numpy").map(drop))?;
    let size = held.schema().fields()[index].dtype().size() as isize;
    let mut layout = FieldLayout::default();
    let (alias, data) = held.export_alias(py, index, &mut layout, handed_out)?;
    let keeper = Bound::new(py, Keeper { _alias: alias, writable: held.is_writable() })?;
    let (mut shape, mut strides) = ([0; MAX_VIEW_RANK], [0; MAX_VIEW_RANK]);
    let rank = layout.shape().len();
    for axis in 0..rank {
        shape[axis] = layout.shape()[axis] as isize;
        strides[axis] = layout.strides()[axis] as isize * size;
    }
    let flags = if held.is_writable() { NPY_ARRAY_WRITEABLE } else { 0 };
    // SAFETY: the data, for this shape and these strides, is the field's memory, valid while the alias is, of whose keeper the
    // array owns a reference from here on. NumPy copies shape and strides, takes the reference to the dtype, and derives the other
    // flags. It only writes through an array that is writeable, which one of a record that may not be written is not.
    unsafe {
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            PY_ARRAY_API.PyArray_DescrFromType(py, number as c_int),
            rank as c_int,
            shape.as_mut_ptr(),
            strides.as_mut_ptr(),
            data.as_ptr().cast::<c_void>(),
            flags,
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        match PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), keeper.into_any().into_ptr()) {
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
