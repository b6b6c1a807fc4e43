//! What `record.field` and `record.field = value` go through, on the way of every call.

use std::sync::atomic::{AtomicIsize, Ordering};

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use pyo3::{ffi, intern};

use crate::record::Handle;
use crate::schema::Schema;
use crate::wait::timeout as seconds;

/// What instances of record classes are made of. Only attributes that the class has can be set.
#[pyclass(frozen, subclass, weakref, module = "tensorbridge._core")]
pub(crate) struct Base {
    /// The record.
    #[pyo3(get, name = "_handle")]
    handle: Py<Handle>,
    /// The class of the reply to a call with it.
    #[pyo3(get, name = "_reply")]
    reply: Option<Py<PyType>>,
    /// Where its fields and dimensions begin in the record, for a nested one.
    #[pyo3(get, name = "_place")]
    place: Option<(usize, usize)>,
}

/// A record of class `class`, whose calls give records of class `reply`. As `class._wrap(handle, reply)`, which takes twice as long.
///
/// # Errors
/// `TypeError` when it is no class of records, `MemoryError`.
pub(crate) fn record<'py>(
    handle: Handle,
    class: &Bound<'py, PyType>,
    reply: Option<&Bound<'py, PyType>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let base = py.get_type::<Base>();
    if !class.is_subclass(&base)? {
        return Err(PyTypeError::new_err(format!("expected a tb.Record class, found {class}")));
    }
    let arguments = (Bound::new(py, handle)?, reply).into_pyobject(py)?;
    // SAFETY: the slot is that of a class with a `#[new]`, so it is such a function. It makes instances of any class whose
    // base it is, checked above: all that Python code can add to it is a dictionary. What it gives is new.
    unsafe {
        let slot = ffi::PyType_GetSlot(base.as_type_ptr(), ffi::Py_tp_new);
        let make: ffi::newfunc = std::mem::transmute(slot);
        let made = make(class.as_type_ptr(), arguments.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, made)
    }
}

impl Base {
    pub(crate) fn handle(&self) -> &Handle {
        self.handle.get()
    }
}

#[pymethods]
impl Base {
    #[new]
    #[pyo3(signature = (handle, reply = None, place = None))]
    fn new(handle: Py<Handle>, reply: Option<Py<PyType>>, place: Option<(usize, usize)>) -> Base {
        Base { handle, reply, place }
    }

    /// Calls with it and waits for the reply, for as long as the client says (`own`) or for `timeout`.
    fn _call<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>, own: bool) -> PyResult<Bound<'py, PyAny>> {
        let (py, base) = (slf.py(), slf.get());
        if base.place.is_some() {
            slf.call_method0(intern!(py, "_check_whole"))?;
        }
        let handle = base.handle();
        // Before the call: a request whose reply cannot be given must not be run.
        let Some(class) = &base.reply else { return Err(handle.refuse_call()) };
        let timeout = if own { handle.own_timeout() } else { seconds(timeout)? };
        let reply = handle.call_for(py, timeout)?;
        record(reply, class.bind(py), None)
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
            let schema = slf.getattr(intern!(py, "schema"))?;
            return Err(schema.cast::<Schema>()?.get().unknown_field(name.to_string()));
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
    /// Its number among the fields of the whole record.
    fn place(&self, record: &Base) -> PyResult<usize> {
        let index = usize::try_from(self.index.load(Ordering::Relaxed))
            .map_err(|_| PyTypeError::new_err("the field belongs to no record class"))?;
        // Further than a number goes there is no field.
        Ok(record.place.map_or(0, |(first, _)| first).saturating_add(index))
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
        let record = record.cast::<Base>()?.get();
        match Handle::field(record.handle.bind(slf.py()), slf.get().place(record)?)? {
            Some(field) => Ok(Bound::new(slf.py(), field)?.into_any()),
            None => Ok(slf.py().None().into_bound(slf.py())),
        }
    }

    fn __set__(&self, record: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let base = record.cast::<Base>()?.get();
        crate::assign::assign(record.py(), base.handle.get(), self.place(base)?, value)
    }

    fn __delete__(&self, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = record.get_type().getattr(intern!(record.py(), "__name__"))?;
        Err(PyAttributeError::new_err(format!("a field of {name} cannot be deleted")))
    }
}
