//! A field as Python holds it: a name for a place in a record. It keeps the record, but no alias; each export is one.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;

use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PySlice, PyTuple, PyType};
use pyo3::{ffi, intern};
use tensor_core::Error;
use tensor_core::dynamic::FieldView;
use tensor_core::schema::DType;

use crate::buffer::Lender;
use crate::copied::{Reason, count};
use crate::dlpack::abi::{CPU, DLPackVersion};
use crate::dlpack::export::{Owner, capsule};
use crate::errors::raise;
use crate::hand_over::{ALIGNMENT, HandOver, is_aligned};
use crate::record::Held;
use crate::source::Value;
use crate::{array, assign, buffer, dtype, element, jax, tensorflow, torch};

/// A field of a record, or of a run of records, which has one more dimension in front.
///
/// It is no alias itself: `.torch()`, `.numpy()`, `memoryview()` and DLPack make aliases of the record's memory, and the
/// record's slot is used again only after the last of them, in any process, is gone. Assigning copies.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Field {
    record: Arc<Held>,
    index: usize,
}

impl Field {
    pub(crate) fn new(record: Arc<Held>, index: usize) -> Field {
        Field { record, index }
    }

    fn declared(&self) -> &tensor_core::schema::Field {
        &self.record.schema().fields()[self.index]
    }

    /// A view to look at, not to hand out.
    pub(crate) fn view(&self, py: Python<'_>) -> PyResult<FieldView> {
        self.record.view(py, self.index)
    }

    fn export(&self, py: Python<'_>) -> PyResult<FieldView> {
        self.record.export(py, self.index)
    }

    /// The way into a framework that may need a copy.
    fn hand_over(&self, to: &'static str, strict: Option<bool>) -> HandOver<'_> {
        let strict = strict.unwrap_or_else(|| self.record.is_strict());
        HandOver { field: self.declared().name(), to, strict }
    }

    fn needs_copy(&self, reason: String) -> PyErr {
        raise(Error::NeedsCopy { field: self.declared().name().to_owned(), reason })
    }

    /// An alias as a NumPy array, which makes the field of a loan count as written when it is handed out.
    ///
    /// # Errors
    /// [`Error::NeedsCopy`] when NumPy lacks the dtype; those of [`Held::view`].
    pub(crate) fn array<'py>(slf: &Bound<'py, Self>, handed_out: bool) -> PyResult<Bound<'py, PyAny>> {
        let (py, field) = (slf.py(), slf.get());
        let dtype = field.declared().dtype();
        if let Some(number) = array::number(dtype) {
            return array::array(py, &field.record, field.index, number, handed_out);
        }
        match dtype::ml_dtypes_name(dtype) {
            Some(name) if handed_out => Field::ml_dtypes(slf, name, field.export(py)?),
            Some(name) => Field::ml_dtypes(slf, name, field.view(py)?),
            None => Err(field.needs_copy(format!("NumPy has no {dtype}: use .torch()"))),
        }
    }

    /// An alias that is not handed out, and whether it is a torch tensor, which it is for the dtypes that NumPy lacks, where there is
    /// torch; else a NumPy array.
    ///
    /// # Errors
    /// As [`Field::array`].
    pub(crate) fn kept<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, bool)> {
        let (py, field) = (slf.py(), slf.get());
        let torch = dtype::ml_dtypes_name(field.declared().dtype()).and_then(|_| torch::torch(py).ok());
        match torch {
            Some(torch) => Ok((torch.alias(py, field.view(py)?)?, true)),
            None => Ok((Field::array(slf, false)?, false)),
        }
    }

    /// A view as a NumPy array of a type that package `ml_dtypes` has.
    fn ml_dtypes<'py>(slf: &Bound<'py, Self>, name: &str, view: FieldView) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let field = slf.get();
        let Ok(ml_dtypes) = py.import("ml_dtypes") else {
            let dtype = field.declared().dtype();
            return Err(field.needs_copy(format!("NumPy has no {dtype}: use .torch(), or install ml_dtypes")));
        };
        let bits = Bound::new(py, Lender::bits(view))?;
        let array = py.import("numpy")?.call_method1("asarray", (bits,))?;
        array.call_method1("view", (ml_dtypes.getattr(name)?,))
    }

    /// Whether a subscript means all of the field: `[:]`, `[...]`, `[()]`.
    fn is_everything(key: &Bound<'_, PyAny>) -> bool {
        if !key.is_instance_of::<PySlice>() {
            return key.is(key.py().Ellipsis()) || key.cast::<PyTuple>().is_ok_and(|key| key.is_empty());
        }
        let (mut start, mut stop, mut step) = (0, 0, 0);
        // SAFETY: the key is a slice, and the three places are valid to be written.
        match unsafe { ffi::PySlice_Unpack(key.as_ptr(), &mut start, &mut stop, &mut step) } {
            0 => (start, stop, step) == (0, isize::MAX, 1),
            _ => {
                // No slice of numbers: NumPy says what is wrong with it.
                drop(PyErr::take(key.py()));
                false
            }
        }
    }

    /// The one element of a field that has one.
    fn scalar<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut bytes: element::Bytes = [0; 16];
        let dtype = self.declared().dtype();
        // SAFETY: both are asked for an element, which is at most 16 bytes, that is valid at that moment.
        let mut copy = |element: NonNull<u8>| unsafe {
            std::ptr::copy_nonoverlapping(element.as_ptr(), bytes.as_mut_ptr(), dtype.size());
        };
        let elements = self.record.with(py, |record| {
            if let Some(element) = record.only_element(self.index) {
                copy(element);
                return Ok(1);
            }
            let view = record.field(self.index)?;
            if view.len() == 1 {
                copy(view.ptr());
            }
            Ok(view.len())
        })?;
        if elements != 1 {
            let name = self.declared().name();
            return Err(PyValueError::new_err(format!(
                "`{name}` has {elements} elements: only a field with one can become a number"
            )));
        }
        element::decode(py, dtype, &bytes)
    }
}

#[pymethods]
impl Field {
    /// `Field[...]`, which annotations may say: what is in the brackets is for type checkers.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        item: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static ALIAS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        ALIAS.import(cls.py(), "types", "GenericAlias")?.call1((cls, item))
    }

    /// Called by IPython when it shows the field: see `_notebook.py`.
    #[pyo3(signature = (include = None, exclude = None))]
    fn _repr_mimebundle_<'py>(
        slf: &Bound<'py, Self>,
        include: Option<&Bound<'py, PyAny>>,
        exclude: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = (include, exclude);
        static SHOWN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        SHOWN.import(slf.py(), "tensorbridge._notebook", "shown")?.call1((slf,))
    }

    /// An alias as a torch tensor; torch is imported when it was not yet.
    fn torch<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let torch = torch::torch(py)?;
        torch.alias(py, self.export(py)?)
    }

    /// An alias as a NumPy array; read-only when the record was received.
    fn numpy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Field::array(slf, true)
    }

    /// A TensorFlow tensor on the record's memory, or on a counted copy where TensorFlow cannot use that.
    #[pyo3(signature = (*, strict = None))]
    fn tf<'py>(slf: &Bound<'py, Self>, strict: Option<bool>) -> PyResult<Bound<'py, PyAny>> {
        let (py, field) = (slf.py(), slf.get());
        let (tensorflow, to) = (tensorflow::tensorflow(py)?, field.hand_over("TensorFlow", strict));
        // Nobody can write through such a tensor, so the field does not count as written.
        let view = field.view(py)?;
        match dtype::ml_dtypes_name(view.dtype()).filter(|_| view.dtype().size() == 1) {
            None => tensorflow.tensor(py, &to, view),
            Some(name) => tensorflow.copy(py, &to, &view, || Field::ml_dtypes(slf, name, field.view(py)?)),
        }
    }

    /// A JAX array on the record's memory, or on a counted copy where JAX cannot use that.
    #[pyo3(signature = (*, strict = None))]
    fn jax<'py>(&self, py: Python<'py>, strict: Option<bool>) -> PyResult<Bound<'py, PyAny>> {
        let (jax, to) = (jax::jax(py)?, self.hand_over("JAX", strict));
        jax.array(py, &to, self.view(py)?)
    }

    /// What TensorFlow asks of the arguments of its functions.
    #[pyo3(signature = (dtype = None, name = None))]
    fn __tf_tensor__<'py>(
        slf: &Bound<'py, Self>,
        dtype: Option<&Bound<'py, PyAny>>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let tensor = Field::tf(slf, None)?;
        tensorflow::tensorflow(slf.py())?.convert(tensor, dtype, name)
    }

    /// What `jax.numpy.asarray` asks for.
    fn __jax_array__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.jax(py, None)
    }

    #[pyo3(signature = (dtype = None, copy = None))]
    fn __array__<'py>(
        slf: &Bound<'py, Self>,
        dtype: Option<&Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let array = match dtype::ml_dtypes_name(slf.get().declared().dtype()) {
            Some(name) => Field::ml_dtypes(slf, name, slf.get().export(py)?)?,
            // By way of a memoryview: NumPy comes here when it could not have the buffer, so it must not ask for it again.
            None => {
                let view = pyo3::types::PyMemoryView::from(slf.as_any())?;
                py.import("numpy")?.call_method1("asarray", (view,))?
            }
        };
        if dtype.is_none() && copy != Some(true) {
            return Ok(array);
        }
        let keywords = PyDict::new(py);
        keywords.set_item("dtype", dtype)?;
        keywords.set_item("copy", copy)?;
        py.import("numpy")?.getattr("array")?.call((array,), Some(&keywords))
    }

    #[pyo3(signature = (*, stream = None, max_version = None, dl_device = None, copy = None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<&Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some((device, number)) = dl_device.filter(|device| device.0 != CPU) {
            let reason =
                format!("the consumer wants it on DLPack device ({device}, {number}), it is on the CPU");
            return Err(self.needs_copy(reason));
        }
        if let Some(stream) = stream
            && !stream.extract::<i64>().is_ok_and(|number| number == -1)
        {
            return Err(self.needs_copy("the consumer names a stream, and the CPU has none".to_owned()));
        }
        let max_version = max_version.map(|(major, minor)| DLPackVersion { major, minor });
        let owner = match copy {
            Some(true) => Owner::copy_of(py, self.view(py)?, Reason::Requested),
            _ => {
                let view = self.view(py)?;
                if max_version.is_none_or(|version| version.major < 1) && !is_aligned(&view) {
                    // This is how TensorFlow's `from_dlpack` gets a tensor, and the process would end at its first use.
                    return Err(self.needs_copy(format!(
                        "its address is no multiple of {ALIGNMENT} bytes, and a consumer that names no DLPack version \
                         may count on that; use .tf(), .jax(), .torch() or .numpy(), or ask for copy=True"
                    )));
                }
                Owner::Alias(self.export(py)?)
            }
        };
        capsule(py, owner, max_version)
    }

    fn __dlpack_device__(&self) -> (i32, i32) {
        (CPU, 0)
    }

    /// # Safety
    /// Called by the interpreter, with a buffer to fill.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, buffer: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let (py, field) = (slf.py(), slf.get());
        let view = field.view(py)?;
        // SAFETY: the interpreter's own buffer.
        unsafe { buffer::lend(py, field.declared().name(), view, buffer, flags) }?;
        if field.record.is_writable() {
            // The buffer is out, so somebody may write.
            drop(field.export(py));
        }
        Ok(())
    }

    /// The number of elements along each dimension.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.view(py)?.shape())
    }

    /// The distance from one element to the next along each dimension, in elements.
    #[getter]
    fn strides<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.view(py)?.strides())
    }

    /// The number of dimensions.
    #[getter]
    fn ndim(&self) -> usize {
        self.declared().shape().rank() + usize::from(self.record.run().is_some())
    }

    /// The number of elements.
    #[getter]
    fn size(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.view(py)?.len())
    }

    /// The number of bytes of the elements.
    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<usize> {
        let view = self.view(py)?;
        Ok(view.len() * view.dtype().size())
    }

    /// The name of the dtype: `f32`.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.declared().dtype().name()
    }

    /// The field's name.
    #[getter]
    fn name(&self) -> &str {
        self.declared().name()
    }

    /// The address of the first element in this process.
    #[getter]
    fn data_ptr(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.view(py)?.ptr().as_ptr() as usize)
    }

    /// Whether it was written; of a run, an array that says so of each record.
    #[getter]
    fn present<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let handle = &self.record;
        let present: Vec<bool> =
            handle.with(py, |record| Ok(record.presence_by_row(self.index).collect()))?;
        match handle.run() {
            Some(_) => py.import("numpy")?.call_method1("array", (present, "bool")),
            None => Ok(PyBool::new(py, present == [true]).to_owned().into_any()),
        }
    }

    /// The same field of a run, with a value in the records that lack it.
    fn filled<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let (field, dtype) = (slf.get(), slf.get().declared().dtype());
        let value = Value::of(value, field.declared().name(), dtype, &[])?;
        let Value::Element(element) = value else {
            return Err(PyTypeError::new_err("one number fills a field: field.filled(0)"));
        };
        field.record.with(slf.py(), |record| {
            let lacking = !record.is_present(field.index) && !record.is_writable();
            if lacking {
                let written = record.fill_absent(field.index, &element[..dtype.size()]);
                count(record, Reason::Padded, written);
            }
            Ok(())
        })?;
        Ok(slf.clone())
    }

    /// Whether it may be written.
    #[getter]
    fn writable(&self) -> bool {
        self.record.is_writable()
    }

    /// The one element as a Python number.
    fn item<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.scalar(py)
    }

    /// The elements as nested lists of Python numbers.
    fn tolist<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let field = slf.get();
        if field.ndim() == 0 {
            return field.scalar(slf.py());
        }
        let (array, _) = Field::kept(slf)?;
        array.call_method0(intern!(slf.py(), "tolist"))
    }

    fn __int__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.get_type::<pyo3::types::PyInt>().call1((self.scalar(py)?,))
    }

    fn __float__(&self, py: Python<'_>) -> PyResult<f64> {
        self.scalar(py)?.extract()
    }

    fn __complex__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.get_type::<pyo3::types::PyComplex>().call1((self.scalar(py)?,))
    }

    fn __bool__(&self, py: Python<'_>) -> PyResult<bool> {
        self.scalar(py)?.is_truthy()
    }

    fn __index__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.declared().dtype() {
            dtype if dtype.is_float() || dtype == DType::Bool => {
                Err(PyTypeError::new_err(format!("a field of {dtype} is no index")))
            }
            _ => self.scalar(py),
        }
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        match self.view(py)?.shape().first() {
            Some(length) => Ok(*length as usize),
            None => Err(PyTypeError::new_err("a field without dimensions has no length")),
        }
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Field::numpy(slf)?.get_item(key)
    }

    fn __setitem__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let field = slf.get();
        if Field::is_everything(key) {
            return assign::assign(slf.py(), &field.record, field.index, value);
        }
        if field.ndim() == 0 {
            return Err(PyIndexError::new_err(
                "a field without dimensions has one element: field[...] = value",
            ));
        }
        assign::assign_part(slf, &field.record, field.index, key, value)
    }

    fn __richcmp__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        Field::numpy(slf)?.rich_compare(other, op)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let handle = &self.record;
        let (name, dtype) = (self.declared().name(), self.dtype());
        let record = handle.schema().name();
        match self.view(py) {
            Ok(view) => format!("<Field {name}: {dtype}{:?} of {record}>", view.shape()),
            Err(error) => format!("<Field {name}: {dtype} of {record}, {}>", error.value(py)),
        }
    }
}
