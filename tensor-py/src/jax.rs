//! JAX: arrays made through capsules, by the function that its own `from_dlpack` calls where that is there to be had.
//!
//! JAX computes in the background and keeps the memory it reads until it is done, so the record's slot is held for as long.

use std::sync::{Mutex, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tensor_core::dynamic::FieldView;
use tensor_core::schema::DType;

use crate::copied::{Reason, count};
use crate::dlpack::abi::{CPU, DLPackVersion};
use crate::dlpack::export::{Owner, Private, capsule};
use crate::hand_over::HandOver;
use crate::modules::import_framework;

/// What is looked up in JAX once.
pub(crate) struct Jax {
    from_dlpack: Py<PyAny>,
    canonicalize_dtype: Py<PyAny>,
    direct: Option<Direct>,
}

/// What `from_dlpack` itself calls, which takes a tenth of its time.
struct Direct {
    import: Py<PyAny>,
    device: Py<PyAny>,
}

static JAX: PyOnceLock<Jax> = PyOnceLock::new();

/// JAX, imported when it was not yet.
///
/// # Errors
/// `ImportError` that says what to install.
pub(crate) fn jax(py: Python<'_>) -> PyResult<&Jax> {
    JAX.get_or_try_init(py, || {
        let jax = import_framework(py, "jax", "JAX", "jax")?;
        Ok(Jax {
            from_dlpack: py.import("jax.dlpack")?.getattr("from_dlpack")?.unbind(),
            canonicalize_dtype: py.import("jax.dtypes")?.getattr("canonicalize_dtype")?.unbind(),
            direct: Direct::find(&jax).ok().flatten(),
        })
    })
}

impl Direct {
    /// The function, if it does with a piece of memory of ours what it should.
    fn find(jax: &Bound<'_, PyAny>) -> PyResult<Option<Direct>> {
        let py = jax.py();
        let import =
            py.import("jax._src.lib")?.getattr("_jax")?.getattr("dlpack_managed_tensor_to_buffer")?;
        let device = jax.call_method1("local_devices", (py.None(), "cpu"))?.get_item(0)?;
        let found = Direct { import: import.unbind(), device: device.unbind() };
        let mut owner = Owner::Copy(Private::zeroed(DType::U8, vec![2, 64]));
        let address = owner.address();
        let array = found.import(py, owner)?;
        let is_array = array.is_instance(&jax.getattr("Array")?)?;
        let same = array.call_method0("unsafe_buffer_pointer")?.extract::<usize>()? == address;
        let shape: Vec<i64> = array.getattr("shape")?.extract()?;
        let right_dtype = array.getattr("dtype")?.eq("uint8")?;
        Ok((is_array && same && shape == [2, 64] && right_dtype).then_some(found))
    }

    fn import<'py>(&self, py: Python<'py>, owner: Owner) -> PyResult<Bound<'py, PyAny>> {
        let capsule = capsule(py, owner, None)?;
        // The stream and whether to copy, then the kind of device.
        let arguments = (capsule, self.device.bind(py), py.None(), py.None(), CPU);
        self.import.bind(py).call1(arguments)
    }
}

impl Jax {
    /// An array on the memory of a field, or on a copy of it where JAX cannot use that.
    ///
    /// # Errors
    /// As [`HandOver::compact`].
    pub(crate) fn array<'py>(
        &self,
        py: Python<'py>,
        to: &HandOver<'_>,
        view: FieldView,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(narrower) = self.narrower(py, view.dtype())? {
            // It converts by itself.
            let dtype = view.dtype();
            to.allow_copy(|| {
                format!("without jax_enable_x64 it has no {dtype} and converts to {narrower}; set jax.config.update(\"jax_enable_x64\", True)")
            })?;
            count(&view, Reason::DType, view.len() * dtype.size());
            return self.public(py, to.compact(py, view)?);
        }
        let owner = to.compact(py, view)?;
        match &self.direct {
            Some(direct) => direct.import(py, owner),
            None => self.public(py, owner),
        }
    }

    /// The name of the dtype that JAX makes of one that it is set up not to use.
    fn narrower(&self, py: Python<'_>, dtype: DType) -> PyResult<Option<String>> {
        let name = match dtype {
            DType::I64 => intern!(py, "int64"),
            DType::U64 => intern!(py, "uint64"),
            DType::F64 => intern!(py, "float64"),
            DType::C128 => intern!(py, "complex128"),
            _ => return Ok(None),
        };
        // It depends on the thread too.
        let found = self.canonicalize_dtype.bind(py).call1((name,))?;
        match found.eq(name)? {
            true => Ok(None),
            false => Ok(Some(found.str()?.to_string())),
        }
    }

    fn public<'py>(&self, py: Python<'py>, owner: Owner) -> PyResult<Bound<'py, PyAny>> {
        let parcel = Parcel { owner: Mutex::new(Some(owner)) };
        self.from_dlpack.bind(py).call1((parcel,))
    }
}

/// Memory to be taken by a function that wants an object with DLPack's two methods.
#[pyclass(frozen, module = "tensorbridge._core")]
struct Parcel {
    owner: Mutex<Option<Owner>>,
}

#[pymethods]
impl Parcel {
    #[pyo3(signature = (**keywords))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        keywords: Option<&Bound<'py, pyo3::types::PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let max_version = keywords.map(|keywords| keywords.get_item("max_version")).transpose()?.flatten();
        let max_version: Option<(u32, u32)> =
            max_version.map(|version| version.extract()).transpose()?.flatten();
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner).take();
        let owner = owner.ok_or_else(|| pyo3::exceptions::PyBufferError::new_err("it was taken before"))?;
        capsule(py, owner, max_version.map(|(major, minor)| DLPackVersion { major, minor }))
    }

    fn __dlpack_device__(&self) -> (i32, i32) {
        (CPU, 0)
    }
}
