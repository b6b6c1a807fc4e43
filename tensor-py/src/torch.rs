//! PyTorch: tensors made and read through its C functions, which cost a third of what its Python functions do.

use std::ffi::c_void;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{ffi, intern};
use tensor_core::dynamic::FieldView;

use crate::dlpack::abi::{DLDataType, DLDevice, DLPackExchangeAPI, DLTensor, VERSION};
use crate::dlpack::export::{Owner, versioned};
use crate::modules::{import_framework, is_loaded};

/// What is looked up in torch once.
pub(crate) struct Torch {
    tensor_type: Py<PyAny>,
    api: Option<&'static DLPackExchangeAPI>,
    from_dlpack: Py<PyAny>,
}

static TORCH: PyOnceLock<Torch> = PyOnceLock::new();

/// Torch, imported when it was not yet.
pub(crate) fn torch(py: Python<'_>) -> PyResult<&Torch> {
    TORCH.get_or_try_init(py, || {
        let torch = import_framework(py, "torch", "PyTorch", "torch")?;
        let tensor_type = torch.getattr("Tensor")?;
        Ok(Torch {
            api: exchange_api(&tensor_type),
            from_dlpack: torch.getattr("from_dlpack")?.unbind(),
            tensor_type: tensor_type.unbind(),
        })
    })
}

/// Torch, if this process has imported it: no tensor can exist before.
fn loaded(py: Python<'_>) -> Option<&Torch> {
    TORCH.get(py).or_else(|| is_loaded(intern!(py, "torch")).then(|| torch(py).ok()).flatten())
}

/// The table of C functions, if this torch has one of a version that is known here.
fn exchange_api(tensor_type: &Bound<'_, PyAny>) -> Option<&'static DLPackExchangeAPI> {
    let capsule = tensor_type.getattr("__dlpack_c_exchange_api__").ok()?;
    let name = c"dlpack_exchange_api";
    // SAFETY: the capsule is asked for its name first. By the standard its pointer is to a table that lives as long as the
    // process; the version in front decides whether the rest of it is as declared here.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule.as_ptr(), name.as_ptr()) == 0 {
            return None;
        }
        let table = ffi::PyCapsule_GetPointer(capsule.as_ptr(), name.as_ptr()).cast::<DLPackExchangeAPI>();
        table.as_ref().filter(|table| table.version.major == VERSION.major)
    }
}

impl Torch {
    /// A tensor on the memory of a field.
    pub(crate) fn alias<'py>(&self, py: Python<'py>, view: FieldView) -> PyResult<Bound<'py, PyAny>> {
        let Some(import) = self.api.and_then(|api| api.managed_tensor_to_py_object_no_sync) else {
            let capsule = crate::dlpack::export::capsule(py, Owner::Alias(view), Some(VERSION))?;
            return self.from_dlpack.bind(py).call1((capsule,));
        };
        let managed = versioned(Owner::Alias(view), VERSION);
        let mut object: *mut c_void = std::ptr::null_mut();
        // SAFETY: the function is torch's own for this purpose; the GIL is held, as `py` says. It takes the tensor over.
        let status = unsafe { import(managed, &mut object) };
        if status != 0 {
            // The standard says that the tensor is taken over, not whether that holds for a failure too: rather keep the
            // record for good than delete it twice.
            return Err(PyErr::fetch(py));
        }
        // SAFETY: on success the function gives a new reference to a tensor.
        unsafe { Bound::from_owned_ptr_or_err(py, object.cast()) }
    }
}

/// Address, dtype, shape and strides of a torch tensor, for as long as it is not changed; `None` when it is none, or its torch has
/// no such function.
///
/// # Errors
/// What torch raises for a tensor that DLPack cannot describe: a sparse one, one that needs a gradient.
pub(crate) fn describe(value: &Bound<'_, PyAny>) -> Option<PyResult<DLTensor>> {
    if !is_tensor(value) {
        return None;
    }
    let describe = loaded(value.py())?.api.and_then(|api| api.dltensor_from_py_object_no_sync)?;
    let mut tensor = DLTensor {
        data: std::ptr::null_mut(),
        device: DLDevice { device_type: 0, device_id: 0 },
        ndim: 0,
        dtype: DLDataType { code: 0, bits: 0, lanes: 0 },
        shape: std::ptr::null_mut(),
        strides: std::ptr::null_mut(),
        byte_offset: 0,
    };
    // SAFETY: the function is torch's own for this purpose, the object is a torch tensor, the GIL is held.
    let status = unsafe { describe(value.as_ptr().cast(), &mut tensor) };
    Some(if status == 0 { Ok(tensor) } else { Err(PyErr::fetch(value.py())) })
}

/// Whether a value is a torch tensor and of no subclass.
pub(crate) fn is_plain_tensor(value: &Bound<'_, PyAny>) -> bool {
    loaded(value.py()).is_some_and(|torch| value.get_type().is(torch.tensor_type.bind(value.py())))
}

/// Whether a value is a torch tensor. Torch's own check of a type is Python code and takes a while.
pub(crate) fn is_tensor(value: &Bound<'_, PyAny>) -> bool {
    is_plain_tensor(value)
        || loaded(value.py())
            .is_some_and(|torch| value.is_instance(torch.tensor_type.bind(value.py())).unwrap_or(false))
}
