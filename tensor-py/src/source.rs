//! What a program assigns to a field, as memory to copy from.

use pyo3::buffer::PyUntypedBuffer;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyComplex, PyFloat, PyInt, PyList, PyRange, PyTuple};
use tensor_core::Error;
use tensor_core::dynamic::FieldView;
use tensor_core::schema::DType;

use crate::dlpack::abi::{CPU, CUDA_HOST, DLTensor};
use crate::dlpack::import::Imported;
use crate::element::{self, Bytes};
use crate::errors::{raise, raise_from};
use crate::field::Field;
use crate::{dtype, numbers, strided, tensorflow, torch};

/// A value of the field's dtype, and what keeps its memory.
pub(crate) enum Value<'py> {
    /// One element.
    Element(Bytes),
    /// A tensor, kept by the object it belongs to.
    Tensor(Layout, #[expect(dead_code, reason = "keeps the memory")] Bound<'py, PyAny>),
    /// A tensor out of a capsule.
    Imported(Layout, #[expect(dead_code, reason = "keeps the memory")] Imported),
    /// A buffer.
    Buffer(Layout, PyUntypedBuffer),
    /// Another field.
    Field(FieldView),
    /// Numbers, converted one by one; compact.
    Own(Vec<u8>, Vec<i64>, Vec<i64>),
    /// A torch tensor on a device that only torch can read.
    Elsewhere(Bound<'py, PyAny>),
}

/// Where elements are.
pub(crate) struct Layout {
    ptr: *const u8,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

/// Elements to copy from; no dimensions means one element.
pub(crate) struct Source<'a> {
    pub(crate) ptr: *const u8,
    pub(crate) shape: &'a [i64],
    /// In elements.
    pub(crate) strides: &'a [i64],
}

// SAFETY: an address and plain numbers; whatever owns the memory is borrowed for as long, and only read.
unsafe impl Sync for Source<'_> {}

/// The field a value is for, to be named in errors.
#[derive(Clone, Copy)]
struct Goal<'a> {
    field: &'a str,
    dtype: DType,
    shape: &'a [i64],
}

impl Goal<'_> {
    fn wrong_dtype(self, found: String) -> Error {
        Error::WrongDType { field: self.field.to_owned(), expected: self.dtype.name().to_owned(), found }
    }

    /// # Errors
    /// [`Error::WrongDType`] unless the dtype is the field's.
    fn check(self, found: Result<DType, String>) -> PyResult<()> {
        match found {
            Ok(found) if found == self.dtype => Ok(()),
            Ok(other) => Err(raise(self.wrong_dtype(other.name().to_owned()))),
            Err(other) => Err(raise(self.wrong_dtype(other))),
        }
    }
}

impl<'py> Value<'py> {
    /// Reads a value as elements of a field's dtype. The shape is what an error names; whether it fits is for
    /// whoever copies to say.
    ///
    /// # Errors
    /// [`Error::WrongDType`], [`Error::WrongShape`] for lists that are no array, [`Error::NeedsCopy`] for memory of
    /// another device.
    pub(crate) fn of(
        value: &Bound<'py, PyAny>,
        field: &str,
        dtype: DType,
        shape: &[i64],
    ) -> PyResult<Value<'py>> {
        let goal = Goal { field, dtype, shape };
        // Torch first: its tensors are what a handler assigns.
        if torch::is_plain_tensor(value) {
            return of_torch(value, goal);
        }
        if is_number(value) {
            return element::encode(field, dtype, value).map(Value::Element).map_err(raise);
        }
        if let Ok(field) = value.cast::<Field>() {
            let view = field.get().view(value.py())?;
            goal.check(Ok(view.dtype()))?;
            return Ok(Value::Field(view));
        }
        if numbers::is_numpy_scalar(value) {
            let number = value.call_method0(intern!(value.py(), "item"))?;
            return element::encode(field, dtype, &number).map(Value::Element).map_err(raise);
        }
        if value.is_instance_of::<PyList>()
            || value.is_instance_of::<PyTuple>()
            || value.is_instance_of::<PyRange>()
        {
            return of_list(value, goal);
        }
        if torch::is_tensor(value) {
            return of_torch(value, goal);
        }
        if let Some(tensor) = tensorflow::tensor_of(value)? {
            return of_tensorflow(&tensor, goal);
        }
        if let Some(raw) = numbers::raw_bits(value, dtype)? {
            return of_ndarray(&raw, Some(dtype), None, goal);
        }
        if let Ok(buffer) = PyUntypedBuffer::get(value) {
            let found = dtype::from_format(&buffer.format().to_string_lossy(), buffer.item_size());
            return of_buffer(value, buffer, found, goal);
        }
        if value.hasattr(intern!(value.py(), "__dlpack__"))? {
            return of_dlpack(value, goal);
        }
        of_array(value, goal)
    }

    /// The elements.
    pub(crate) fn source(&self) -> Source<'_> {
        match self {
            Value::Element(bytes) => Source { ptr: bytes.as_ptr(), shape: &[], strides: &[] },
            Value::Tensor(layout, _) | Value::Imported(layout, _) | Value::Buffer(layout, _) => {
                Source { ptr: layout.ptr, shape: &layout.shape, strides: &layout.strides }
            }
            Value::Field(view) => {
                Source { ptr: view.ptr().as_ptr(), shape: view.shape(), strides: view.strides() }
            }
            Value::Own(bytes, shape, strides) => Source { ptr: bytes.as_ptr(), shape, strides },
            // Whoever asks has handled this one before.
            Value::Elsewhere(_) => Source { ptr: std::ptr::null(), shape: &[0], strides: &[1] },
        }
    }
}

/// Whether it is a number of Python's own.
pub(crate) fn is_number(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyBool>()
        || value.is_instance_of::<PyComplex>()
}

/// Address, shape and strides of a DLPack tensor on the CPU.
fn layout_of(tensor: &DLTensor) -> Layout {
    let rank = usize::try_from(tensor.ndim).unwrap_or(0);
    let numbers = |array: *mut i64| {
        // SAFETY: DLPack promises `ndim` numbers at both, where they are not null.
        (!array.is_null()).then(|| unsafe { std::slice::from_raw_parts(array, rank) }.to_vec())
    };
    let shape = numbers(tensor.shape).unwrap_or_default();
    let strides = numbers(tensor.strides).unwrap_or_else(|| strided::compact(&shape));
    Layout { ptr: tensor.data.cast::<u8>().wrapping_add(tensor.byte_offset as usize), shape, strides }
}

fn of_torch<'py>(value: &Bound<'py, PyAny>, goal: Goal<'_>) -> PyResult<Value<'py>> {
    let py = value.py();
    // Torch leaves these two to be done later, and DLPack does not speak of them.
    let mut tensor = value.clone();
    if tensor.call_method0(intern!(py, "is_neg"))?.is_truthy()? {
        tensor = tensor.call_method0("resolve_neg")?;
    }
    if matches!(goal.dtype, DType::C64 | DType::C128) && tensor.call_method0("is_conj")?.is_truthy()? {
        tensor = tensor.call_method0("resolve_conj")?;
    }
    let cannot = |error: PyErr| {
        let found = format!("a tensor that cannot be read: {}", error.value(py));
        raise_from(py, goal.wrong_dtype(found), error)
    };
    let Some(described) = torch::describe(&tensor) else {
        // A torch without C functions. Its Python function refuses what needs a gradient.
        return of_dlpack(&tensor.call_method0(intern!(py, "detach"))?, goal);
    };
    let described = described.or_else(|_| {
        // It needs a gradient, or is none that has memory.
        tensor = tensor.call_method0("detach")?;
        torch::describe(&tensor).unwrap_or_else(|| Err(pyo3::exceptions::PyBufferError::new_err("")))
    });
    let described = described.map_err(cannot)?;
    goal.check(dtype::from_dlpack(described.dtype))?;
    match described.device.device_type {
        CPU | CUDA_HOST => Ok(Value::Tensor(layout_of(&described), tensor)),
        _ => Ok(Value::Elsewhere(tensor)),
    }
}

fn of_dlpack<'py>(value: &Bound<'py, PyAny>, goal: Goal<'_>) -> PyResult<Value<'py>> {
    let py = value.py();
    let cannot = |error: PyErr| {
        let found = format!("{} that cannot be read: {}", element::describe(value), error.value(py));
        raise_from(py, goal.wrong_dtype(found), error)
    };
    if let Ok((device, number)) =
        value.call_method0(intern!(py, "__dlpack_device__")).and_then(|pair| pair.extract::<(i32, i32)>())
        && !matches!(device, CPU | CUDA_HOST)
    {
        let reason = format!("the value is on DLPack device ({device}, {number}): move it to the CPU first");
        return Err(raise(Error::NeedsCopy { field: goal.field.to_owned(), reason }));
    }
    if let Ok(wait) = value.getattr(intern!(py, "block_until_ready")) {
        // JAX computes in the background; the memory is not written before it is done.
        wait.call0()?;
    }
    let capsule = match value.call_method0(intern!(py, "__dlpack__")) {
        Ok(capsule) => capsule,
        // One that lies in several pieces, say, which its framework can put together.
        Err(error) => return of_array(value, goal).map_err(|_| cannot(error)),
    };
    let no_tensor = || raise(goal.wrong_dtype(element::describe(value)));
    let imported = Imported::take(&capsule).ok_or_else(no_tensor)?;
    let (found, layout) = {
        let tensor = imported.tensor().ok_or_else(no_tensor)?;
        (dtype::from_dlpack(tensor.dtype), layout_of(tensor))
    };
    goal.check(found)?;
    Ok(Value::Imported(layout, imported))
}

/// By the buffer protocol, or as an array for what that lacks.
fn of_tensorflow<'py>(tensor: &Bound<'py, PyAny>, goal: Goal<'_>) -> PyResult<Value<'py>> {
    // Its own name for what it is says more than NumPy's: strings are objects there.
    let dtype = tensor.getattr("dtype")?.getattr("name")?;
    let found = format!("{} of {dtype}", element::describe(tensor));
    // Of one without dimensions its method for arrays makes a number, which NumPy then refuses.
    let array = match tensor.getattr("ndim").and_then(|ndim| ndim.eq(0)) {
        Ok(true) => tensor.call_method0("numpy"),
        _ => Ok(tensor.clone()),
    };
    let array = array.and_then(|array| tensor.py().import("numpy")?.call_method1("asarray", (array,)));
    let array = array.map_err(|error| raise_from(tensor.py(), goal.wrong_dtype(found.clone()), error))?;
    match numbers::raw_bits(&array, goal.dtype)? {
        Some(raw) => of_ndarray(&raw, Some(goal.dtype), None, goal),
        None => of_ndarray(&array, None, Some(&found), goal),
    }
}

fn of_buffer<'py>(
    value: &Bound<'py, PyAny>,
    buffer: PyUntypedBuffer,
    found: Result<DType, String>,
    goal: Goal<'_>,
) -> PyResult<Value<'py>> {
    goal.check(found)?;
    let size = buffer.item_size() as isize;
    let apart = buffer.strides().iter().any(|stride| stride % size != 0);
    if buffer.suboffsets().is_some() || apart {
        // Elements that lie at odd distances, in a field of a structured array say.
        let array = value.py().import("numpy")?.call_method1("ascontiguousarray", (value,))?;
        let buffer = PyUntypedBuffer::get(&array)?;
        return of_buffer(&array, buffer, Ok(goal.dtype), goal);
    }
    let shape = buffer.shape().iter().map(|length| *length as i64).collect();
    let strides = buffer.strides().iter().map(|stride| (stride / size) as i64).collect();
    Ok(Value::Buffer(Layout { ptr: buffer.buf_ptr().cast::<u8>(), shape, strides }, buffer))
}

/// What NumPy makes an array of.
fn of_array<'py>(value: &Bound<'py, PyAny>, goal: Goal<'_>) -> PyResult<Value<'py>> {
    let no_tensor = || goal.wrong_dtype(element::describe(value));
    if !value.hasattr(intern!(value.py(), "__array__"))? {
        return Err(raise(no_tensor()));
    }
    let array = value.py().import("numpy")?.call_method1("asarray", (value,))?;
    of_ndarray(&array, None, None, goal)
}

/// An array of NumPy's; its elements are of the dtype that its format says, unless another is known. `otherwise` is what an error
/// calls it when its format says nothing.
fn of_ndarray<'py>(
    array: &Bound<'py, PyAny>,
    known: Option<DType>,
    otherwise: Option<&str>,
    goal: Goal<'_>,
) -> PyResult<Value<'py>> {
    let py = array.py();
    // An array without dimensions has a buffer without a shape, which cannot be had.
    let scalar = array.getattr("ndim")?.eq(0)?;
    let line = match scalar {
        true => array.call_method1("reshape", (1,))?,
        false => array.clone(),
    };
    let buffer = PyUntypedBuffer::get(&line)
        .map_err(|error| raise_from(py, goal.wrong_dtype(element::describe(array)), error))?;
    let found = match known {
        Some(dtype) => Ok(dtype),
        None => dtype::from_format(&buffer.format().to_string_lossy(), buffer.item_size())
            .map_err(|format| otherwise.map_or(format, str::to_owned)),
    };
    match of_buffer(&line, buffer, found, goal)? {
        Value::Buffer(layout, buffer) if scalar => {
            Ok(Value::Buffer(Layout { shape: Vec::new(), strides: Vec::new(), ..layout }, buffer))
        }
        value => Ok(value),
    }
}

/// Numbers in lists: NumPy makes out what they are, then each is converted to the field's dtype.
fn of_list<'py>(value: &Bound<'py, PyAny>, goal: Goal<'_>) -> PyResult<Value<'py>> {
    let py = value.py();
    let array = py.import("numpy")?.call_method1("asarray", (value,)).map_err(|error| {
        let found = format!("lists that are no array: {}", error.value(py));
        let expected = format!("{:?}", goal.shape);
        raise_from(py, Error::WrongShape { field: goal.field.to_owned(), expected, found }, error)
    })?;
    let converted = numbers::convert(&array, goal.field, goal.dtype)?;
    let shape: Vec<i64> = array.getattr("shape")?.extract()?;
    let strides = strided::compact(&shape);
    match converted {
        numbers::Converted::Array(array) => {
            let buffer = PyUntypedBuffer::get(&array)?;
            of_buffer(&array, buffer, Ok(goal.dtype), goal)
        }
        numbers::Converted::Bytes(bytes) => Ok(Value::Own(bytes, shape, strides)),
    }
}
