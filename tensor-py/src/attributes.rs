//! What `record.field` and `record.field = value` go through, on the way of every call.

use std::sync::atomic::{AtomicIsize, Ordering};

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use pyo3::{ffi, intern};
use tensor_core::Error;

use crate::errors::raise;
use crate::record::Handle;

/// What instances of record classes are made of. Only attributes that the class has can be set.
#[pyclass(frozen, subclass, weakref, module = "tensorbridge._core")]
pub(crate) struct Base {
    /// The record.
    #[pyo3(get, name = "_handle")]
    handle: Py<Handle>,
    /// The class of the reply to a call with it.
    #[pyo3(get, name = "_reply")]
    reply: Option<Py<PyType>>,
}

#[pymethods]
impl Base {
    #[new]
    #[pyo3(signature = (handle, reply = None))]
    fn new(handle: Py<Handle>, reply: Option<Py<PyType>>) -> Base {
        Base { handle, reply }
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = slf.py();
        // Anything but a data descriptor of the class would be a new attribute of this one object: a misspelt field.
        let settable = slf.get_type().getattr(name).is_ok_and(|attribute| {
            // SAFETY: the type is a live type object, and the slot is asked of it by its number.
            !unsafe { ffi::PyType_GetSlot(attribute.get_type().as_type_ptr(), ffi::Py_tp_descr_set) }
                .is_null()
        });
        if !settable {
            let schema = slf.get().handle.get().schema();
            let names: Vec<&str> = schema.fields().iter().map(|field| field.name()).collect();
            let (schema, known) = (schema.name().to_owned(), names.join(", "));
            return Err(raise(Error::UnknownField { schema, field: name.to_string(), known }));
        }
        // SAFETY: all three are live objects, and the GIL is held.
        match unsafe { ffi::PyObject_GenericSetAttr(slf.as_ptr(), name.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(py)),
        }
    }

    fn __delattr__(&self, name: &Bound<'_, PyString>) -> PyResult<()> {
        Err(PyAttributeError::new_err(format!("`{name}` cannot be deleted")))
    }
}

/// A field of a record class; its place is known once the class is complete.
#[pyclass(frozen, subclass, module = "tensorbridge._core")]
pub(crate) struct Descriptor {
    index: AtomicIsize,
}

impl Descriptor {
    fn place(&self) -> PyResult<usize> {
        usize::try_from(self.index.load(Ordering::Relaxed))
            .map_err(|_| PyTypeError::new_err("the field belongs to no record class"))
    }
}

#[pymethods]
impl Descriptor {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyAny>, _keywords: Option<&Bound<'_, PyAny>>) -> Descriptor {
        Descriptor { index: AtomicIsize::new(-1) }
    }

    /// Its number among the fields; -1 before the class is complete.
    #[getter]
    fn index(&self) -> isize {
        self.index.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_index(&self, index: isize) {
        self.index.store(index, Ordering::Relaxed);
    }

    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        record: Option<&Bound<'py, PyAny>>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(record) = record else { return Ok(slf.clone().into_any()) };
        let handle = record.cast::<Base>()?.get().handle.bind(slf.py());
        match Handle::field(handle, slf.get().place()?)? {
            Some(field) => Ok(Bound::new(slf.py(), field)?.into_any()),
            None => Ok(slf.py().None().into_bound(slf.py())),
        }
    }

    fn __set__(&self, record: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let handle = record.cast::<Base>()?.get().handle.get();
        crate::assign::assign(record.py(), handle, self.place()?, value)
    }

    fn __delete__(&self, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = record.get_type().getattr(intern!(record.py(), "__name__"))?;
        Err(PyAttributeError::new_err(format!("a field of {name} cannot be deleted")))
    }
}
