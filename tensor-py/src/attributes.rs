//! What `record.field` and `record.field = value` go through, on the way of every call.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};
use pyo3::{ffi, intern};

use crate::modules::is_loaded;
use crate::record::{Handle, Held};
use crate::schema::Schema;
use crate::wait::Timeout;

/// What instances of record classes are made of. Only attributes that the class has can be set.
#[pyclass(frozen, subclass, weakref, module = "tensorbridge._core")]
pub(crate) struct Base {
    /// Set once, before anybody has the object but for who looks at everything that the interpreter has.
    made: OnceLock<Made>,
    /// Where its fields and dimensions begin in the record, for a nested one.
    #[pyo3(get, name = "_place")]
    place: Option<(usize, usize)>,
}

struct Made {
    held: Arc<Held>,
    /// The class of the reply to a call with it.
    reply: Option<Py<PyType>>,
}

/// A record object for a record that is still to come: it is made while that is waited for.
pub(crate) enum Blank<'py> {
    Made(Bound<'py, Base>),
    /// The class has a `__del__`, which must not see an object without a record: so the object is made with the record.
    Later(Bound<'py, PyType>),
}

impl<'py> Blank<'py> {
    /// Of class `class`.
    ///
    /// # Errors
    /// `TypeError` when it is no class of records, `MemoryError`.
    pub(crate) fn new(class: &Bound<'py, PyType>) -> PyResult<Blank<'py>> {
        let base = class.py().get_type::<Base>();
        // SAFETY: both are live types.
        if unsafe { ffi::PyType_IsSubtype(class.as_type_ptr(), base.as_type_ptr()) } == 0 {
            return Err(PyTypeError::new_err(format!("expected a tb.Record class, found {class}")));
        }
        // SAFETY: the class is a live type object, and the slot is asked of it by its number.
        let is_finalized =
            unsafe { !ffi::PyType_GetSlot(class.as_type_ptr(), ffi::Py_tp_finalize).is_null() };
        if is_finalized {
            Ok(Blank::Later(class.clone()))
        } else {
            Blank::make(&base, class).map(Blank::Made)
        }
    }

    /// An object of a class whose base is `Base`.
    fn make(base: &Bound<'py, PyType>, class: &Bound<'py, PyType>) -> PyResult<Bound<'py, Base>> {
        let py = class.py();
        // SAFETY: the slot is that of a class with a `#[new]`, so it is such a function. It makes instances of any class whose
        // base it is, which the only caller has checked: all that Python code can add to it is a dictionary. What it gives is new.
        let made = unsafe {
            let slot = ffi::PyType_GetSlot(base.as_type_ptr(), ffi::Py_tp_new);
            let make: ffi::newfunc = std::mem::transmute(slot);
            let made = make(class.as_type_ptr(), PyTuple::empty(py).as_ptr(), std::ptr::null_mut());
            Bound::from_owned_ptr_or_err(py, made)?
        };
        Ok(made.cast_into()?)
    }

    /// The object of a record, whose calls give records of class `reply`.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn fill(
        self,
        held: Arc<Held>,
        reply: Option<&Bound<'py, PyType>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let object = match self {
            Blank::Made(object) => object,
            Blank::Later(class) => Blank::make(&class.py().get_type::<Base>(), &class)?,
        };
        let reply = reply.map(|reply| reply.clone().unbind());
        object.get().made.get_or_init(|| Made { held, reply });
        Ok(object.into_any())
    }
}

/// A record of class `class`, whose calls give records of class `reply`. As `class._wrap(handle, reply)`, which takes much longer.
///
/// # Errors
/// As [`Blank::new`].
pub(crate) fn record<'py>(
    held: Arc<Held>,
    class: &Bound<'py, PyType>,
    reply: Option<&Bound<'py, PyType>>,
) -> PyResult<Bound<'py, PyAny>> {
    Blank::new(class)?.fill(held, reply)
}

impl Base {
    fn made(&self) -> PyResult<&Made> {
        self.made.get().ok_or_else(|| {
            PyTypeError::new_err("there is no record in this object yet: it is made while one is waited for")
        })
    }

    /// # Errors
    /// `TypeError` of an object that has no record yet.
    pub(crate) fn held(&self) -> PyResult<&Arc<Held>> {
        Ok(&self.made()?.held)
    }
}

#[pymethods]
impl Base {
    #[new]
    #[pyo3(signature = (handle = None, reply = None, place = None))]
    fn new(handle: Option<&Handle>, reply: Option<Py<PyType>>, place: Option<(usize, usize)>) -> Base {
        let made = handle.map(|handle| Made { held: Arc::clone(handle.held()), reply });
        Base { made: made.map_or_else(OnceLock::new, OnceLock::from), place }
    }

    /// The record.
    #[getter]
    fn _handle(&self) -> PyResult<Handle> {
        Ok(Handle::of(Arc::clone(self.held()?)))
    }

    /// The class of the reply to a call with it.
    #[getter]
    fn _reply<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyType>>> {
        Ok(self.made()?.reply.as_ref().map(|class| class.bind(py).clone()))
    }

    /// Calls with a record that a `Client` loaned; gives the reply, a record of the service's reply class.
    ///
    /// Args:
    ///     timeout: seconds to wait for the reply, None for ever; the client's own unless stated.
    ///     traceparent: the W3C trace context that the worker sees; that of the current OpenTelemetry span unless stated.
    ///
    /// Raises:
    ///     MissingField, DimUnset: something is missing; write it and call again.
    ///     Remote: the worker's code raised an exception.
    ///     Timeout, HostDied, WorkerDied: nobody answered.
    ///     Released: it was called with before.
    #[pyo3(signature = (*, timeout = Timeout::Own, traceparent = None))]
    fn call<'py>(
        slf: &Bound<'py, Self>,
        timeout: Timeout,
        traceparent: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, base) = (slf.py(), slf.get());
        if base.place.is_some() {
            slf.call_method0(intern!(py, "_check_whole"))?;
        }
        let Made { held, reply } = base.made()?;
        // Before the call: a request whose reply cannot be given must not be run.
        let Some(class) = reply else { return Err(held.refuse_call()) };
        let class = class.bind(py);
        if traceparent.is_some() {
            held.set_trace(py, traceparent)?;
        }
        let timeout = match timeout {
            Timeout::Own => held.own_timeout(),
            Timeout::Stated(timeout) => timeout,
        };
        if is_loaded(intern!(py, "opentelemetry.trace")) {
            let seconds = timeout.map(|timeout| timeout.as_secs_f64());
            let handle = slf.call_method1(intern!(py, "_call_traced"), (seconds,))?;
            return record(Arc::clone(handle.cast::<Handle>()?.get().held()), class, None);
        }
        let (reply, blank) = held.call_for(py, timeout, || Blank::new(class))?;
        blank.fill(reply, None)
    }

    /// What the class lacks. A method of Python's would make every attribute take longer.
    fn __getattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
        let (py, name) = (slf.py(), name.to_string_lossy().into_owned());
        let schema =
            if name.starts_with('_') { None } else { slf.get_type().getattr(intern!(py, "schema")).ok() };
        Err(match schema.as_ref().and_then(|schema| schema.cast::<Schema>().ok()) {
            Some(schema) => schema.get().unknown_field(name),
            None => {
                let class = slf.get_type().name().map(|class| class.to_string()).unwrap_or_default();
                PyAttributeError::new_err(format!("'{class}' object has no attribute '{name}'"))
            }
        })
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
        match Held::field(record.held()?, slf.py(), slf.get().place(record)?)? {
            Some(field) => Ok(Bound::new(slf.py(), field)?.into_any()),
            None => Ok(slf.py().None().into_bound(slf.py())),
        }
    }

    fn __set__(&self, record: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let base = record.cast::<Base>()?.get();
        crate::assign::assign(record.py(), base.held()?, self.place(base)?, value)
    }

    fn __delete__(&self, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = record.get_type().getattr(intern!(record.py(), "__name__"))?;
        Err(PyAttributeError::new_err(format!("a field of {name} cannot be deleted")))
    }
}
