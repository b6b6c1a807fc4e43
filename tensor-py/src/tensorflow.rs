//! TensorFlow: tensors made through raw capsules, the one form in which it takes memory without copying it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{ffi, intern};
use tensor_core::dynamic::FieldView;

use crate::copied::{Reason, count};
use crate::dlpack::export::capsule;
use crate::hand_over::HandOver;
use crate::modules::{import_framework, is_loaded};

/// What is looked up in TensorFlow once.
pub(crate) struct TensorFlow {
    from_dlpack: Py<PyAny>,
    direct: Option<Direct>,
    tensor_type: Py<PyAny>,
    variable_type: Py<PyAny>,
    constant: Py<PyAny>,
    convert_to_tensor: Py<PyAny>,
}

/// What `from_dlpack` itself calls, without the look at whether the runtime was started.
struct Direct {
    import: Py<PyAny>,
    /// The module that holds the runtime; a program may replace it with a new one.
    context: Py<PyAny>,
}

static TENSORFLOW: PyOnceLock<TensorFlow> = PyOnceLock::new();

/// TensorFlow, imported when it was not yet.
///
/// # Errors
/// `ImportError` that says what to install.
pub(crate) fn tensorflow(py: Python<'_>) -> PyResult<&TensorFlow> {
    TENSORFLOW.get_or_try_init(py, || {
        let tensorflow = import_framework(py, "tensorflow", "TensorFlow", "tensorflow")?;
        Ok(TensorFlow {
            from_dlpack: tensorflow
                .getattr("experimental")?
                .getattr("dlpack")?
                .getattr("from_dlpack")?
                .unbind(),
            direct: Direct::find(py),
            tensor_type: tensorflow.getattr("Tensor")?.unbind(),
            variable_type: tensorflow.getattr("Variable")?.unbind(),
            constant: tensorflow.getattr("constant")?.unbind(),
            convert_to_tensor: tensorflow.getattr("convert_to_tensor")?.unbind(),
        })
    })
}

impl Direct {
    fn find(py: Python<'_>) -> Option<Direct> {
        let import = py.import("tensorflow.python.pywrap_tfe").ok()?.getattr("TFE_FromDlpackCapsule").ok()?;
        let context = py.import("tensorflow.python.eager.context").ok()?.into_any();
        Some(Direct { import: import.unbind(), context: context.unbind() })
    }

    /// The runtime, once it has been started; `None` also when this TensorFlow keeps it elsewhere.
    fn runtime<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let context = self.context.bind(py).getattr(intern!(py, "_context")).ok()?;
        let runtime = context.getattr(intern!(py, "_context_handle")).ok()?;
        // SAFETY: any object may be asked whether it is a capsule.
        (unsafe { ffi::PyCapsule_CheckExact(runtime.as_ptr()) } == 1).then_some(runtime)
    }
}

impl TensorFlow {
    /// A tensor of a dtype that cannot come in as it is: a copy that TensorFlow makes of an array.
    ///
    /// # Errors
    /// [`Error::NeedsCopy`](tensor_core::Error::NeedsCopy) when it is strict.
    pub(crate) fn copy<'py>(
        &self,
        py: Python<'py>,
        to: &HandOver<'_>,
        view: &FieldView,
        array: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let dtype = view.dtype();
        to.allow_copy(|| {
            format!("it takes no {dtype} from outside; use .torch() or .jax(), which alias it")
        })?;
        count(view, Reason::DType, view.len() * dtype.size());
        self.constant.bind(py).call1((array()?,))
    }

    /// The tensor as an argument that should have this dtype and name.
    ///
    /// # Errors
    /// TensorFlow's, when the dtype is another.
    pub(crate) fn convert<'py>(
        &self,
        tensor: Bound<'py, PyAny>,
        dtype: Option<&Bound<'py, PyAny>>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(dtype) = dtype else { return Ok(tensor) };
        self.convert_to_tensor.bind(tensor.py()).call1((tensor, dtype, name))
    }

    /// A tensor on the memory of a field, or on a copy of it where TensorFlow cannot use that.
    ///
    /// # Errors
    /// As [`HandOver::compact`].
    pub(crate) fn tensor<'py>(
        &self,
        py: Python<'py>,
        to: &HandOver<'_>,
        view: FieldView,
    ) -> PyResult<Bound<'py, PyAny>> {
        let capsule = capsule(py, to.compact(py, view)?, None)?;
        if let Some(direct) = &self.direct
            && let Some(runtime) = direct.runtime(py)
        {
            return direct.import.bind(py).call1((capsule, runtime));
        }
        self.from_dlpack.bind(py).call1((capsule,))
    }
}

/// Whether a value is a tensor of TensorFlow's or one of its variables, as a tensor. Their `__dlpack__` ends the process for
/// tensors of strings, so it is not for them.
///
/// # Errors
/// TensorFlow's, for a variable that has no value.
pub(crate) fn tensor_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    if TENSORFLOW.get(py).is_none() && !is_loaded(intern!(py, "tensorflow")) {
        return Ok(None);
    }
    let Ok(tensorflow) = tensorflow(py) else { return Ok(None) };
    if value.is_instance(tensorflow.tensor_type.bind(py))? {
        return Ok(Some(value.clone()));
    }
    match value.is_instance(tensorflow.variable_type.bind(py))? {
        true => value.call_method0(intern!(py, "value")).map(Some),
        false => Ok(None),
    }
}
