//! Handing a field out: the owned tensors of DLPack, legacy and versioned.
//!
//! The owner behind such a tensor is plain Rust: it may be dropped on any thread, without the GIL, and while the
//! interpreter shuts down.

use std::ffi::{CStr, c_void};
use std::mem::MaybeUninit;

use pyo3::ffi;
use pyo3::prelude::*;
use tensor_core::dynamic::FieldView;
use tensor_core::schema::DType;

use super::abi::{
    CPU, DLDevice, DLManagedTensor, DLManagedTensorVersioned, DLPackVersion, DLTensor, IS_COPIED, READ_ONLY,
    VERSION,
};
use crate::copied::{Reason, count};
use crate::{dtype, strided};

const LEGACY: &CStr = c"dltensor";
const VERSIONED: &CStr = c"dltensor_versioned";

/// What keeps the memory of a tensor that was handed out.
pub(crate) enum Owner {
    /// The record's own memory.
    Alias(FieldView),
    /// A copy that the consumer asked for.
    Copy(Private),
}

/// Compact elements of the consumer's own.
pub(crate) struct Private {
    lines: Box<[MaybeUninit<Line>]>,
    dtype: DType,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

/// A cache line, for its alignment.
#[repr(C, align(64))]
struct Line([u8; 64]);

impl Private {
    /// Compact elements that are all zero.
    pub(crate) fn zeroed(dtype: DType, shape: Vec<i64>) -> Private {
        let bytes = shape.iter().product::<i64>() as usize * dtype.size();
        let lines = (0..bytes.div_ceil(size_of::<Line>())).map(|_| MaybeUninit::new(Line([0; 64]))).collect();
        Private { lines, dtype, strides: strided::compact(&shape), shape }
    }

    fn of(view: &FieldView) -> Private {
        let (shape, dtype) = (view.shape().to_vec(), view.dtype());
        let strides = strided::compact(&shape);
        let mut lines = Box::new_uninit_slice((view.len() * dtype.size()).div_ceil(size_of::<Line>()));
        let from = (view.ptr().as_ptr().cast_const(), view.strides());
        // SAFETY: the view's elements are valid while it lives; the lines are new and hold as many compact elements.
        unsafe { strided::copy(&shape, dtype.size(), from, (lines.as_mut_ptr().cast(), &strides)) };
        Private { lines, dtype, shape, strides }
    }
}

impl Owner {
    /// A copy of a field, counted; its address is a multiple of 64 bytes. The record is let go of.
    pub(crate) fn copy_of(py: Python<'_>, view: FieldView, reason: Reason) -> Owner {
        let bytes = view.len() * view.dtype().size();
        count(&view, reason, bytes);
        match bytes < strided::LARGE {
            true => Owner::Copy(Private::of(&view)),
            false => py.detach(|| Owner::Copy(Private::of(&view))),
        }
    }

    /// Where the first element is.
    pub(crate) fn address(&mut self) -> usize {
        self.tensor().data as usize
    }

    fn flags(&self) -> u64 {
        match self {
            Owner::Alias(view) if view.is_writable() => 0,
            Owner::Alias(_) => READ_ONLY,
            Owner::Copy(_) => IS_COPIED,
        }
    }

    /// The tensor; its pointers are good for as long as `self` lives where it is.
    fn tensor(&mut self) -> DLTensor {
        let (data, dtype, shape, strides) = match self {
            Owner::Alias(view) => {
                (view.ptr().as_ptr().cast(), view.dtype(), view.shape().as_ptr(), view.strides())
            }
            Owner::Copy(private) => (
                private.lines.as_mut_ptr().cast::<c_void>(),
                private.dtype,
                private.shape.as_ptr(),
                private.strides.as_slice(),
            ),
        };
        DLTensor {
            data,
            device: DLDevice { device_type: CPU, device_id: 0 },
            ndim: strides.len() as i32,
            dtype: dtype::to_dlpack(dtype),
            shape: shape.cast_mut(),
            strides: strides.as_ptr().cast_mut(),
            byte_offset: 0,
        }
    }
}

/// A managed tensor and its owner in one allocation. `manager_ctx` points to it.
struct Export<M> {
    managed: M,
    owner: Owner,
}

/// A tensor of version 1, owned by whoever calls its deleter.
pub(crate) fn versioned(owner: Owner, asked: DLPackVersion) -> *mut DLManagedTensorVersioned {
    let managed = DLManagedTensorVersioned {
        version: asked.min(VERSION),
        manager_ctx: std::ptr::null_mut(),
        deleter: Some(drop_versioned),
        flags: owner.flags(),
        dl_tensor: NOTHING,
    };
    let export = Box::into_raw(Box::new(Export { managed, owner }));
    // SAFETY: just made and not shared yet.
    unsafe {
        (*export).managed.manager_ctx = export.cast();
        (*export).managed.dl_tensor = (*export).owner.tensor();
        &raw mut (*export).managed
    }
}

/// A tensor as it was before version 1, owned by whoever calls its deleter. It cannot say that it is read-only.
fn legacy(owner: Owner) -> *mut DLManagedTensor {
    let managed =
        DLManagedTensor { dl_tensor: NOTHING, manager_ctx: std::ptr::null_mut(), deleter: Some(drop_legacy) };
    let export = Box::into_raw(Box::new(Export { managed, owner }));
    // SAFETY: just made and not shared yet.
    unsafe {
        (*export).managed.manager_ctx = export.cast();
        (*export).managed.dl_tensor = (*export).owner.tensor();
        &raw mut (*export).managed
    }
}

const NOTHING: DLTensor = DLTensor {
    data: std::ptr::null_mut(),
    device: DLDevice { device_type: CPU, device_id: 0 },
    ndim: 0,
    dtype: super::abi::DLDataType { code: 0, bits: 0, lanes: 0 },
    shape: std::ptr::null_mut(),
    strides: std::ptr::null_mut(),
    byte_offset: 0,
};

/// # Safety
/// `managed` must come from [`versioned`] and not have been deleted.
unsafe extern "C" fn drop_versioned(managed: *mut DLManagedTensorVersioned) {
    // SAFETY: by the contract, `manager_ctx` is the box that `versioned` made, given up for good.
    drop(unsafe { Box::from_raw((*managed).manager_ctx.cast::<Export<DLManagedTensorVersioned>>()) });
}

/// # Safety
/// `managed` must come from [`legacy`] and not have been deleted.
unsafe extern "C" fn drop_legacy(managed: *mut DLManagedTensor) {
    // SAFETY: by the contract, `manager_ctx` is the box that `legacy` made, given up for good.
    drop(unsafe { Box::from_raw((*managed).manager_ctx.cast::<Export<DLManagedTensor>>()) });
}

/// A capsule with a tensor in the newest form that the consumer takes; a consumer that names no version takes the legacy
/// one.
pub(crate) fn capsule(
    py: Python<'_>,
    owner: Owner,
    max_version: Option<DLPackVersion>,
) -> PyResult<Bound<'_, PyAny>> {
    let (pointer, name, destructor): (*mut c_void, &CStr, ffi::PyCapsule_Destructor) = match max_version {
        Some(asked) if asked.major >= 1 => {
            (versioned(owner, asked).cast(), VERSIONED, drop_versioned_capsule)
        }
        _ => (legacy(owner).cast(), LEGACY, drop_legacy_capsule),
    };
    // SAFETY: the name is static, the pointer is not null, and the destructor is the one for what it points to.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyCapsule_New(pointer, name.as_ptr(), Some(destructor))) }
}

/// # Safety
/// For [`capsule`] only.
unsafe extern "C" fn drop_versioned_capsule(capsule: *mut ffi::PyObject) {
    // SAFETY: the interpreter passes the capsule it destroys. A consumer renames what it has taken over, so a pointer under
    // the first name is still this capsule's to delete.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, VERSIONED.as_ptr()) == 1 {
            drop_versioned(ffi::PyCapsule_GetPointer(capsule, VERSIONED.as_ptr()).cast());
        }
    }
}

/// # Safety
/// For [`capsule`] only.
unsafe extern "C" fn drop_legacy_capsule(capsule: *mut ffi::PyObject) {
    // SAFETY: as in `drop_versioned_capsule`.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, LEGACY.as_ptr()) == 1 {
            drop_legacy(ffi::PyCapsule_GetPointer(capsule, LEGACY.as_ptr()).cast());
        }
    }
}
