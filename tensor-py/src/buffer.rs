//! The buffer protocol: `memoryview(field)`, `np.asarray(field)`.

use std::ffi::{c_char, c_int, c_void};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use tensor_core::Error;
use tensor_core::dynamic::{FieldView, MAX_VIEW_RANK};

use crate::dtype::to_format;
use crate::errors::raise;

/// What one buffer keeps until it is released.
struct Export {
    view: FieldView,
    shape: [isize; MAX_VIEW_RANK],
    strides: [isize; MAX_VIEW_RANK],
}

/// Fills a buffer of field `name` for a consumer that asked for `flags`. `owner` must release it with [`release`].
///
/// A consumer that did not ask for strides gets contiguous memory or an error, and one that asked for a format gets it or an
/// error: it would read the elements wrongly otherwise.
///
/// # Safety
/// `buffer` must be the one the interpreter wants to have filled.
pub(crate) unsafe fn fill(
    owner: Bound<'_, PyAny>,
    name: &str,
    view: FieldView,
    buffer: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
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
    let format = to_format(view.dtype());
    if asked(ffi::PyBUF_FORMAT) && format.is_none() {
        return refuse(&format!("the buffer protocol has no {}; use .torch() or DLPack", view.dtype()));
    }
    let size = view.dtype().size() as isize;
    let mut export = Box::new(Export { shape: [0; MAX_VIEW_RANK], strides: [0; MAX_VIEW_RANK], view });
    for axis in 0..export.view.shape().len() {
        export.shape[axis] = export.view.shape()[axis] as isize;
        export.strides[axis] = export.view.strides()[axis] as isize * size;
    }
    let export = Box::into_raw(export);
    // SAFETY: the buffer is the caller's to fill. Its pointers lead into the export, which lives until `release`, and to the
    // field's memory, which the export's view keeps.
    unsafe {
        let (view, rank) = (&(*export).view, (*export).view.shape().len());
        let shaped = rank > 0 && asked(ffi::PyBUF_ND);
        let pointer = |array: *mut [isize; MAX_VIEW_RANK], wanted: bool| {
            if wanted { array.cast::<isize>() } else { std::ptr::null_mut() }
        };
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
        (*buffer).shape = pointer(&raw mut (*export).shape, shaped);
        (*buffer).strides = pointer(&raw mut (*export).strides, shaped && asked(ffi::PyBUF_STRIDES));
        (*buffer).suboffsets = std::ptr::null_mut();
        (*buffer).internal = export.cast();
        (*buffer).obj = owner.into_ptr();
    }
    Ok(())
}

/// Lets go of what [`fill`] kept.
///
/// # Safety
/// `buffer` must have been filled by [`fill`] and not been released.
pub(crate) unsafe fn release(buffer: *mut ffi::Py_buffer) {
    // SAFETY: by the contract `internal` is the box that `fill` gave away, given up for good.
    drop(unsafe { Box::from_raw((*buffer).internal.cast::<Export>()) });
}
