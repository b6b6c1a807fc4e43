//! Fields for frameworks that take compact, aligned memory only: TensorFlow and JAX.
//!
//! Both read a tensor as rows that lie together, and both count on addresses that are a multiple of 64 bytes: TensorFlow ends
//! the process at the first operation on any other, JAX copies it without a word. So memory that is not as they need it never
//! reaches them: a copy does, which is counted, or an error says why.

use pyo3::prelude::*;
use tensor_core::Error;
use tensor_core::dynamic::FieldView;

use crate::copied::Reason;
use crate::dlpack::export::Owner;
use crate::errors::raise;

/// What TensorFlow and JAX expect addresses to be a multiple of, in bytes.
pub(crate) const ALIGNMENT: usize = 64;

/// A field on its way to a framework.
pub(crate) struct HandOver<'a> {
    /// The field's name.
    pub(crate) field: &'a str,
    /// The framework's name.
    pub(crate) to: &'static str,
    /// Whether a copy is an error.
    pub(crate) strict: bool,
}

impl HandOver<'_> {
    /// The field's own memory, or a copy where that cannot be used as it is.
    ///
    /// # Errors
    /// [`Error::NeedsCopy`] in place of a copy, when it is strict.
    pub(crate) fn compact(&self, py: Python<'_>, view: FieldView) -> PyResult<Owner> {
        let Some((reason, why)) = unfit(&view) else { return Ok(Owner::Alias(view)) };
        self.allow_copy(|| why)?;
        Ok(Owner::copy_of(py, view, reason))
    }

    /// # Errors
    /// [`Error::NeedsCopy`] when it is strict.
    pub(crate) fn allow_copy(&self, why: impl FnOnce() -> String) -> PyResult<()> {
        match self.strict {
            false => Ok(()),
            true => {
                let reason = format!("{} cannot use its memory: {}", self.to, why());
                Err(raise(Error::NeedsCopy { field: self.field.to_owned(), reason }))
            }
        }
    }
}

/// Whether TensorFlow and JAX can use memory at this address.
pub(crate) fn is_aligned(view: &FieldView) -> bool {
    view.is_empty() || (view.ptr().as_ptr() as usize).is_multiple_of(ALIGNMENT)
}

/// What is wrong with the memory of a field for those who want it compact and aligned.
fn unfit(view: &FieldView) -> Option<(Reason, String)> {
    if view.is_empty() {
        return None;
    }
    if !view.is_contiguous() {
        let (shape, strides) = (view.shape(), view.strides());
        let why = format!(
            "its rows are apart, shape {shape:?} with strides {strides:?}, and it takes them together only; use .torch() or \
             .numpy(), which alias it"
        );
        return Some((Reason::Strides, why));
    }
    if !is_aligned(view) {
        let beyond = view.ptr().as_ptr() as usize % ALIGNMENT;
        let why = format!(
            "its address is {beyond} bytes beyond a multiple of {ALIGNMENT}; declare the field with align={ALIGNMENT}, or with a \
             size that is a multiple of {ALIGNMENT} bytes"
        );
        return Some((Reason::Alignment, why));
    }
    None
}
