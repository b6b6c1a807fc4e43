//! The C structures of DLPack 1.3: what every framework agrees on. Names and layout are the standard's.

use std::ffi::{c_char, c_int, c_void};

/// The device type of ordinary memory.
pub(crate) const CPU: i32 = 1;

/// The device type of ordinary memory that is pinned for CUDA.
pub(crate) const CUDA_HOST: i32 = 3;

/// The newest version of the standard that this file describes.
pub(crate) const VERSION: DLPackVersion = DLPackVersion { major: 1, minor: 3 };

/// Bit of [`DLManagedTensorVersioned::flags`]: the consumer must not write.
pub(crate) const READ_ONLY: u64 = 1;

/// Bit of [`DLManagedTensorVersioned::flags`]: the consumer alone has the memory.
pub(crate) const IS_COPIED: u64 = 2;

/// Version of the structures.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DLPackVersion {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// Where memory is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DLDevice {
    pub(crate) device_type: i32,
    pub(crate) device_id: i32,
}

/// The type of an element.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DLDataType {
    pub(crate) code: u8,
    pub(crate) bits: u8,
    pub(crate) lanes: u16,
}

/// A tensor without an owner.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct DLTensor {
    pub(crate) data: *mut c_void,
    pub(crate) device: DLDevice,
    pub(crate) ndim: i32,
    pub(crate) dtype: DLDataType,
    pub(crate) shape: *mut i64,
    pub(crate) strides: *mut i64,
    pub(crate) byte_offset: u64,
}

/// A tensor with an owner, as it was before version 1.
#[repr(C)]
pub(crate) struct DLManagedTensor {
    pub(crate) dl_tensor: DLTensor,
    pub(crate) manager_ctx: *mut c_void,
    pub(crate) deleter: Option<unsafe extern "C" fn(*mut DLManagedTensor)>,
}

/// A tensor with an owner.
#[repr(C)]
pub(crate) struct DLManagedTensorVersioned {
    pub(crate) version: DLPackVersion,
    pub(crate) manager_ctx: *mut c_void,
    pub(crate) deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    pub(crate) flags: u64,
    pub(crate) dl_tensor: DLTensor,
}

/// The functions a framework offers to C, found in a capsule at `__dlpack_c_exchange_api__` of its tensor type.
#[repr(C)]
pub(crate) struct DLPackExchangeAPI {
    pub(crate) version: DLPackVersion,
    pub(crate) prev_api: *mut c_void,
    pub(crate) managed_tensor_allocator: Option<AllocateTensor>,
    pub(crate) managed_tensor_from_py_object_no_sync:
        Option<unsafe extern "C" fn(*mut c_void, *mut *mut DLManagedTensorVersioned) -> c_int>,
    pub(crate) managed_tensor_to_py_object_no_sync:
        Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned, *mut *mut c_void) -> c_int>,
    pub(crate) dltensor_from_py_object_no_sync:
        Option<unsafe extern "C" fn(*mut c_void, *mut DLTensor) -> c_int>,
    pub(crate) current_work_stream: Option<unsafe extern "C" fn(i32, i32, *mut *mut c_void) -> c_int>,
}

// SAFETY: a framework makes the table once and never changes it.
unsafe impl Sync for DLPackExchangeAPI {}

/// Never called here; it keeps its place in the table.
type AllocateTensor = unsafe extern "C" fn(
    *mut DLTensor,
    *mut *mut DLManagedTensorVersioned,
    *mut c_void,
    Option<unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char)>,
) -> c_int;

const _: () = assert!(size_of::<DLTensor>() == 48 && size_of::<DLManagedTensor>() == 64);
const _: () = assert!(size_of::<DLManagedTensorVersioned>() == 80 && size_of::<DLPackExchangeAPI>() == 56);
