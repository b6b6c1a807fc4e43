//! Taking a tensor in: from a capsule, owned until it is dropped.

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;

use super::abi::{DLManagedTensor, DLManagedTensorVersioned, DLTensor};

/// A tensor that was taken out of a capsule. Dropping it gives it back to its framework, with the GIL held.
pub(crate) enum Imported {
    Versioned(*mut DLManagedTensorVersioned),
    Legacy(*mut DLManagedTensor),
}

impl Imported {
    /// Takes over what is in a capsule; `None` when it is not a tensor's, or was taken before.
    pub(crate) fn take(capsule: &Bound<'_, PyAny>) -> Option<Imported> {
        let pointer = |name: &CStr, used: &CStr| {
            // SAFETY: any object may be asked whether it is a capsule of that name. Renaming it is how DLPack says that the
            // tensor has a new owner: the capsule's destructor no longer deletes it.
            unsafe {
                if ffi::PyCapsule_IsValid(capsule.as_ptr(), name.as_ptr()) == 0 {
                    return None;
                }
                let pointer = ffi::PyCapsule_GetPointer(capsule.as_ptr(), name.as_ptr());
                (ffi::PyCapsule_SetName(capsule.as_ptr(), used.as_ptr()) == 0).then_some(pointer)
            }
        };
        pointer(c"dltensor_versioned", c"used_dltensor_versioned")
            .map(|pointer| Imported::Versioned(pointer.cast()))
            .or_else(|| pointer(c"dltensor", c"used_dltensor").map(|found| Imported::Legacy(found.cast())))
    }

    /// The tensor; `None` when it is of a version that may have another layout.
    pub(crate) fn tensor(&self) -> Option<&DLTensor> {
        // SAFETY: the pointers are those of capsules of that name, so they point to such a structure, which lives until its
        // deleter is called; the version comes first in every version.
        unsafe {
            match self {
                Imported::Versioned(managed) => {
                    ((**managed).version.major == 1).then(|| &(**managed).dl_tensor)
                }
                Imported::Legacy(managed) => Some(&(**managed).dl_tensor),
            }
        }
    }
}

impl Drop for Imported {
    fn drop(&mut self) {
        // SAFETY: this is the owner, and the tensor is not used after; the deleter stays where it is in every version.
        unsafe {
            match self {
                Imported::Versioned(managed) => {
                    if let Some(deleter) = (**managed).deleter {
                        deleter(*managed);
                    }
                }
                Imported::Legacy(managed) => {
                    if let Some(deleter) = (**managed).deleter {
                        deleter(*managed);
                    }
                }
            }
        }
    }
}
