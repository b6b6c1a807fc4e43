//! Assigning a value to a field: one counted copy, no alias left behind, and no silent conversion between dtypes.
//!
//! Arrays and tensors must have the field's dtype and shape; one element fills the whole field. Python's own numbers and
//! lists of them have no dtype and are converted, where that loses nothing but precision.

use pyo3::prelude::*;
use tensor_core::Error;
use tensor_core::dynamic::{DynRecord, MAX_VIEW_RANK};

use crate::copied::{Reason, count};
use crate::element;
use crate::errors::raise;
use crate::field::Field;
use crate::record::Held;
use crate::source::{Source, Value, is_number};
use crate::{strided, torch};

/// Copies `value` into field `index` and marks it as present.
///
/// # Errors
/// [`Error::Released`], [`Error::ReadOnly`], [`Error::DimUnset`], [`Error::WrongDType`], [`Error::WrongShape`].
pub(crate) fn assign(py: Python<'_>, handle: &Held, index: usize, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let declared = handle.declared(index)?;
    if let Some(assigned) = assign_number(py, handle, index, value) {
        return assigned;
    }
    let (dtype, shape) = handle.with(py, |record| {
        writable(handle, index)?;
        let view = record.field(index)?;
        Ok((view.dtype(), view.shape().to_vec()))
    })?;
    let name = declared.name();
    let bytes = shape.iter().product::<i64>() as usize * dtype.size();
    let value = Value::of(value, name, dtype, &shape)?;
    if let Value::Elsewhere(tensor) = &value {
        // Torch alone can read it; it writes through an alias that is gone when this returns.
        check_shape(name, &shape, &tensor.getattr("shape")?.extract::<Vec<i64>>()?).map_err(raise)?;
        let alias = torch::torch(py)?.alias(py, handle.view(py, index)?)?;
        alias.call_method1("copy_", (tensor,))?;
        return written(py, handle, index, bytes);
    }
    let source = value.source();
    let copy = |record: &mut DynRecord| {
        let view = record.field(index)?;
        let target = Target {
            ptr: view.ptr().as_ptr(),
            size: dtype.size(),
            shape: view.shape(),
            strides: view.strides(),
        };
        // SAFETY: the field is writable, checked above, and its elements are valid while `view` lives. The record is locked
        // meanwhile, so no other thread can send it or assign to it.
        unsafe { write(&target, name, &source) }?;
        count(&view, Reason::Assigned, bytes);
        record.mark_present(index);
        Ok(())
    };
    match bytes < strided::LARGE {
        true => handle.with(py, copy)?,
        // Other Python threads may run meanwhile.
        false => handle.with_detached(py, copy)?,
    }
    Ok(())
}

/// Notes that `bytes` of field `index` were written.
fn written(py: Python<'_>, handle: &Held, index: usize, bytes: usize) -> PyResult<()> {
    handle.with(py, |record| {
        count(record, Reason::Assigned, bytes);
        record.mark_present(index);
        Ok(())
    })
}

/// As [`assign`] of a Python number to a field of one element, which is what most answers are: nothing is looked at twice. `None`
/// when it is something else.
fn assign_number(
    py: Python<'_>,
    handle: &Held,
    index: usize,
    value: &Bound<'_, PyAny>,
) -> Option<PyResult<()>> {
    let declared = &handle.schema().fields()[index];
    let is_one = declared.shape().rank() == 0 && handle.run().is_none_or(|records| records == 1);
    if !is_one || !is_number(value) {
        return None;
    }
    let (dtype, size) = (declared.dtype(), declared.dtype().size());
    let bytes = element::encode(declared.name(), dtype, value);
    Some(handle.with(py, |record| {
        writable(handle, index)?;
        let (element, bytes) = (record.only_element(index).expect("looked at above"), bytes?);
        // SAFETY: the field is writable, and its one element is valid for the bytes of its dtype while the record is borrowed. It
        // is locked meanwhile, so no other thread can send it or assign to it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), element.as_ptr(), size) };
        count(record, Reason::Assigned, size);
        record.mark_present(index);
        Ok(())
    }))
}

fn writable(handle: &Held, index: usize) -> Result<(), Error> {
    match handle.is_writable() {
        true => Ok(()),
        false => Err(Error::ReadOnly { field: handle.schema().fields()[index].name().to_owned() }),
    }
}

/// A shape in an error's words.
fn text(shape: &[i64]) -> String {
    format!("{shape:?}")
}

fn check_shape(field: &str, expected: &[i64], found: &[i64]) -> Result<(), Error> {
    if found.is_empty() || found == expected {
        return Ok(());
    }
    Err(Error::WrongShape { field: field.to_owned(), expected: text(expected), found: text(found) })
}

/// Elements to be written.
struct Target<'a> {
    ptr: *mut u8,
    size: usize,
    shape: &'a [i64],
    /// In elements.
    strides: &'a [i64],
}

/// Writes the source into the target; one element fills it.
///
/// # Safety
/// The target's elements must be valid to be written, and nobody may touch them meanwhile.
unsafe fn write(target: &Target<'_>, name: &str, source: &Source<'_>) -> Result<(), Error> {
    let Target { ptr, size, shape, strides } = *target;
    check_shape(name, shape, source.shape)?;
    // A source of one element is every element, 0 bytes apart.
    let few = [0; MAX_VIEW_RANK];
    // A part of a field may have more dimensions than any field: a subscript adds as many as it likes.
    let many: Vec<i64>;
    let from = match (source.shape.is_empty(), few.get(..shape.len())) {
        (false, _) => (source.ptr, source.strides),
        (true, Some(filling)) => (source.ptr, filling),
        (true, None) => {
            many = vec![0; shape.len()];
            (source.ptr, &*many)
        }
    };
    let range = |at: *const u8, strides: &[i64]| {
        strided::reach(shape, strides, size)
            .map(|(low, high)| at.wrapping_offset(low) as usize..at.wrapping_offset(high) as usize)
    };
    let (Some(reads), Some(writes)) = (range(from.0, from.1), range(ptr, strides)) else { return Ok(()) };
    if reads.start >= writes.end || writes.start >= reads.end {
        // SAFETY: the source vouches for its elements, the caller for the target's, and the two do not overlap.
        unsafe { strided::copy(shape, size, from, (ptr, strides)) };
        return Ok(());
    }
    // The source is an alias of this very field, shifted perhaps: by way of a copy.
    let compact = strided::compact(shape);
    let mut between = vec![0u8; shape.iter().product::<i64>() as usize * size];
    // SAFETY: as above; the copy in between is new, holds all elements and overlaps neither.
    unsafe {
        strided::copy(shape, size, from, (between.as_mut_ptr(), &compact));
        strided::copy(shape, size, (between.as_ptr(), &compact), (ptr, strides));
    }
    Ok(())
}

/// Copies `value` into the part of a field that a subscript names, as NumPy reads it.
///
/// # Errors
/// As [`assign`], and NumPy's for the subscript.
pub(crate) fn assign_part(
    field: &Bound<'_, Field>,
    handle: &Held,
    index: usize,
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = field.py();
    let name = handle.schema().fields()[index].name();
    let view = handle.with(py, |record| {
        writable(handle, index)?;
        record.field(index)
    })?;
    let (dtype, size) = (view.dtype(), view.dtype().size());
    let (array, raw) = Field::kept(field)?;
    let part = array.get_item(key)?;
    let shape: Vec<i64> = part.getattr("shape").and_then(|shape| shape.extract())?;
    let value = Value::of(value, name, dtype, &shape)?;
    let bytes = shape.iter().product::<i64>() as usize * size;
    if let Value::Elsewhere(tensor) = &value {
        check_shape(name, &shape, &tensor.getattr("shape")?.extract::<Vec<i64>>()?).map_err(raise)?;
        let here = tensor.call_method0("cpu")?;
        return assign_part(field, handle, index, key, &here);
    }
    let place = Value::of(&part, name, dtype, &shape);
    let within = strided::reach(view.shape(), view.strides(), size).map_or(0, |(_, high)| high as usize);
    let field_bytes = view.ptr().as_ptr() as usize..view.ptr().as_ptr() as usize + within;
    if let Ok(place) = &place
        && !matches!(place, Value::Element(_))
        && field_bytes.contains(&(place.source().ptr as usize))
    {
        let at = place.source();
        let target = Target { ptr: at.ptr.cast_mut(), size, shape: at.shape, strides: at.strides };
        // SAFETY: the part is an array on the field's memory, which `view` keeps; the field is writable. That no other thread
        // writes there meanwhile is up to the program, as with any array.
        unsafe { write(&target, name, &value.source()) }.map_err(raise)?;
    } else {
        // Elements picked one by one: the array puts them where they belong.
        check_shape(name, &shape, value.source().shape).map_err(raise)?;
        let picked = private(&part, raw)?;
        let place = Value::of(&picked, name, dtype, &shape)?;
        let at = place.source();
        let target = Target { ptr: at.ptr.cast_mut(), size, shape: at.shape, strides: at.strides };
        // SAFETY: `picked` is an array that nobody else has yet.
        unsafe { write(&target, name, &value.source()) }.map_err(raise)?;
        array.set_item(key, picked)?;
    }
    written(py, handle, index, bytes)
}

/// A new array of the shape and dtype of `part`.
fn private<'py>(part: &Bound<'py, PyAny>, raw: bool) -> PyResult<Bound<'py, PyAny>> {
    let framework = part.py().import(if raw { "torch" } else { "numpy" })?;
    framework.call_method1("empty_like", (part,))
}
