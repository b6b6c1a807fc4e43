//! The buffer protocol: `memoryview(field)`, `np.asarray(field)`.

use std::ffi::{c_char, c_int, c_void};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use tensor_core::Error;
use tensor_core::dynamic::{FieldView, MAX_VIEW_RANK};
use tensor_core::schema::DType;

use crate::dtype::to_format;
use crate::errors::raise;

/// What a buffer belongs to: an alias of a field, and nothing else, so that the record itself can be dropped before.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Lender {
    view: FieldView,
    /// What the elements are said to be.
    dtype: DType,
    shape: [isize; MAX_VIEW_RANK],
    /// In bytes.
    strides: [isize; MAX_VIEW_RANK],
}

#[pymethods]
impl Lender {
    /// # Safety
    /// Called by the interpreter, with a buffer to fill: a memoryview of a memoryview's owner, say.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, buffer: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        // SAFETY: the interpreter's own buffer.
        unsafe { fill(&slf, "?", buffer, flags) }
    }
}

impl Lender {
    fn new(view: FieldView, dtype: DType) -> Lender {
        let size = view.dtype().size() as isize;
        let (mut shape, mut strides) = ([0; MAX_VIEW_RANK], [0; MAX_VIEW_RANK]);
        for axis in 0..view.shape().len() {
            shape[axis] = view.shape()[axis] as isize;
            strides[axis] = view.strides()[axis] as isize * size;
        }
        Lender { view, dtype, shape, strides }
    }

    /// A field as it is.
    pub(crate) fn whole(view: FieldView) -> Lender {
        let dtype = view.dtype();
        Lender::new(view, dtype)
    }

    /// A field of a dtype that the buffer protocol lacks, as unsigned integers of its size.
    pub(crate) fn bits(view: FieldView) -> Lender {
        let dtype = if view.dtype().size() == 1 { DType::U8 } else { DType::U16 };
        Lender::new(view, dtype)
    }
}

/// Fills a buffer with field `name` for a consumer that asked for `flags`.
///
/// # Safety
/// `buffer` must be the one the interpreter wants to have filled.
pub(crate) unsafe fn lend(
    py: Python<'_>,
    name: &str,
    view: FieldView,
    buffer: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
    let lender = Bound::new(py, Lender::whole(view))?;
    // SAFETY: passed on to the caller.
    unsafe { fill(&lender, name, buffer, flags) }
}

/// A consumer that did not ask for strides gets contiguous memory or an error, and one that asked for a format gets it or an
/// error: it would read the elements wrongly otherwise.
///
/// # Safety
/// `buffer` must be the one the interpreter wants to have filled.
unsafe fn fill(
    lender: &Bound<'_, Lender>,
    name: &str,
    buffer: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
    let Lender { view, dtype, shape, strides } = lender.get();
    if buffer.is_null() {
        return Err(PyBufferError::new_err("no buffer to fill"));
    }
    // SAFETY: not null, and the caller vouches for it. A consumer must find no owner in a buffer that was refused.
    unsafe { (*buffer).obj = std::ptr::null_mut() };
    let asked = |flag: c_int| flags & flag == flag;
    let refuse =
        |reason: &str| Err(raise(Error::NeedsCopy { field: name.to_owned(), reason: reason.to_owned() }));
    if asked(ffi::PyBUF_WRITABLE) && !view.is_writable() {
        return Err(raise(Error::ReadOnly { field: name.to_owned() }));
    }
    let contiguous = view.is_contiguous();
    let any_order = asked(ffi::PyBUF_ANY_CONTIGUOUS) || asked(ffi::PyBUF_C_CONTIGUOUS);
    if !contiguous && (any_order || !asked(ffi::PyBUF_STRIDES)) {
        return refuse(
            "its rows are apart, at the capacity of a symbolic dimension, and the consumer wants them together",
        );
    }
    let many_columns = view.shape().iter().filter(|length| **length != 1).count() > 1;
    if asked(ffi::PyBUF_F_CONTIGUOUS) && !asked(ffi::PyBUF_ANY_CONTIGUOUS) && (many_columns || !contiguous) {
        return refuse("it is in C order and the consumer wants Fortran order");
    }
    let format = to_format(*dtype);
    if asked(ffi::PyBUF_FORMAT) && format.is_none() {
        return refuse(&format!("the buffer protocol has no {}; use .torch() or DLPack", view.dtype()));
    }
    let (size, rank) = (view.dtype().size() as isize, view.shape().len());
    let shaped = rank > 0 && asked(ffi::PyBUF_ND);
    let pointer = |array: &[isize; MAX_VIEW_RANK], wanted: bool| {
        if wanted { array.as_ptr().cast_mut() } else { std::ptr::null_mut() }
    };
    // SAFETY: the buffer is the caller's to fill. Its pointers lead into the lender, which the buffer owns a reference to, and to
    // the field's memory, which the lender's view keeps. No consumer writes to shape and strides.
    unsafe {
        (*buffer).buf = view.ptr().as_ptr().cast::<c_void>();
        (*buffer).len = view.len() as isize * size;
        (*buffer).itemsize = size;
        (*buffer).readonly = c_int::from(!view.is_writable());
        // Without shape and strides the consumer sees bytes in one dimension.
        (*buffer).ndim = if asked(ffi::PyBUF_ND) { rank as c_int } else { 1 };
        (*buffer).format = match format {
            Some(format) if asked(ffi::PyBUF_FORMAT) => format.as_ptr().cast_mut().cast::<c_char>(),
            _ => std::ptr::null_mut(),
        };
        (*buffer).shape = pointer(shape, shaped);
        (*buffer).strides = pointer(strides, shaped && asked(ffi::PyBUF_STRIDES));
        (*buffer).suboffsets = std::ptr::null_mut();
        (*buffer).internal = std::ptr::null_mut();
        (*buffer).obj = lender.clone().into_any().into_ptr();
    }
    Ok(())
}
