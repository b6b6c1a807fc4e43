//! A record as Python holds it: until it is sent, called or let go of.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use tensor_core::dynamic::{DynClient, DynRecord, DynSender, FieldAlias, FieldLayout, FieldView, heap_run};
use tensor_core::trace::TraceContext;
use tensor_core::{Error, RemoteError};

use crate::errors::raise;
use crate::field::Field;
use crate::pending::{Mailbox, Pending};
use crate::port::Port;
use crate::schema::Schema;
use crate::wait::{detached, timeout as seconds};

/// A record, or a run of records, as everything shares it that leads to it: the record object, its fields, handles.
pub(crate) struct Held {
    state: Mutex<State>,
    schema: Arc<tensor_core::schema::Schema>,
    run: Option<usize>,
    writable: bool,
    /// Whether a copy on the way into a framework is an error.
    strict: bool,
    origin: Origin,
}

enum State {
    Live(DynRecord),
    /// It is no longer this program's, and how that came.
    Gone(&'static str),
}

impl State {
    fn work<T>(&mut self, work: impl FnOnce(&mut DynRecord) -> Result<T, Error>) -> Result<T, Error> {
        match self {
            State::Live(record) => work(record),
            State::Gone(how) => Err(Error::Released { how }),
        }
    }
}

/// Whom a record goes back to.
#[derive(Clone)]
pub(crate) enum Origin {
    /// Nobody: it was received, or is in this process's own memory.
    Nobody,
    /// It is half of an exchange, which alone lets go of it.
    Exchange,
    /// It was loaned, to be sent.
    Sender(Arc<Port<DynSender>>),
    /// It was loaned, to be called with.
    Client(Arc<Port<DynClient>>),
}

impl Held {
    pub(crate) fn new(record: DynRecord, origin: Origin) -> Arc<Held> {
        let strict = match &origin {
            Origin::Nobody | Origin::Exchange => false,
            Origin::Sender(port) => port.strict,
            Origin::Client(port) => port.strict,
        };
        Held::assemble(record, origin, strict)
    }

    /// A record that came through an endpoint.
    pub(crate) fn received<T>(record: DynRecord, port: &Port<T>) -> Arc<Held> {
        Held::assemble(record, Origin::Nobody, port.strict)
    }

    /// The requests of an exchange, or the replies, for a handler.
    pub(crate) fn exchanged<T>(record: DynRecord, port: &Port<T>) -> Arc<Held> {
        Held::assemble(record, Origin::Exchange, port.strict)
    }

    fn assemble(record: DynRecord, origin: Origin, strict: bool) -> Arc<Held> {
        Arc::new(Held {
            strict,
            schema: Arc::clone(record.schema()),
            run: record.run(),
            writable: record.is_writable(),
            state: Mutex::new(State::Live(record)),
            origin,
        })
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    pub(crate) fn schema(&self) -> &tensor_core::schema::Schema {
        &self.schema
    }

    pub(crate) fn run(&self) -> Option<usize> {
        self.run
    }

    /// Whoever has the lock must not run Python code, nor make an object: a collection could come back for the same lock.
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the record while no other thread can send or release it.
    ///
    /// # Errors
    /// [`Error::Released`], and those of `work`.
    pub(crate) fn with<T>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut DynRecord) -> Result<T, Error>,
    ) -> PyResult<T> {
        let result = self.lock(py).work(work);
        result.map_err(raise)
    }

    /// As [`Held::with`], without the GIL.
    ///
    /// # Errors
    /// As [`Held::with`].
    pub(crate) fn with_detached<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut DynRecord) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        // Locked and unlocked while detached: coming back may run whatever others have left to be cleaned up.
        let result = py.detach(|| self.state.lock().unwrap_or_else(PoisonError::into_inner).work(work));
        result.map_err(raise)
    }

    /// Takes the record out, to be given away.
    ///
    /// # Errors
    /// [`Error::Released`].
    pub(crate) fn take(&self, py: Python<'_>, how: &'static str) -> PyResult<DynRecord> {
        let earlier = {
            let mut state = self.lock(py);
            match &*state {
                State::Live(_) => std::mem::replace(&mut *state, State::Gone(how)),
                State::Gone(earlier) => State::Gone(earlier),
            }
        };
        match earlier {
            State::Live(record) => Ok(record),
            State::Gone(earlier) => Err(raise(Error::Released { how: earlier })),
        }
    }

    /// A view of a field to be handed out. Whoever gets a writable one may write, so the field counts as written.
    ///
    /// # Errors
    /// As [`Held::view`].
    pub(crate) fn export(&self, py: Python<'_>, index: usize) -> PyResult<FieldView> {
        self.with(py, |record| record.field(index).inspect(|_| self.note_export(record, index)))
    }

    /// A view of a field to look at, or to write through before the field counts as written.
    ///
    /// # Errors
    /// [`Error::Released`], [`Error::DimUnset`].
    pub(crate) fn view(&self, py: Python<'_>, index: usize) -> PyResult<FieldView> {
        self.with(py, |record| record.field(index))
    }

    /// As [`Held::export`], or as [`Held::view`] unless it is `handed_out`, for whoever looks at the places of the elements once and
    /// keeps the alias alone.
    ///
    /// # Errors
    /// As [`Held::view`].
    #[inline]
    pub(crate) fn export_alias(
        &self,
        py: Python<'_>,
        index: usize,
        layout: &mut FieldLayout,
        handed_out: bool,
    ) -> PyResult<(FieldAlias, NonNull<u8>)> {
        self.with(py, |record| {
            let alias = record.alias(index, layout)?;
            if handed_out {
                self.note_export(record, index);
            }
            Ok(alias)
        })
    }

    fn note_export(&self, record: &mut DynRecord, index: usize) {
        if self.writable {
            record.mark_present(index);
        }
    }

    /// Field `index`; `None` when a received record lacks it.
    pub(crate) fn field(held: &Arc<Held>, py: Python<'_>, index: usize) -> PyResult<Option<Field>> {
        let declared = held.declared(index)?;
        if !held.writable && declared.may_be_absent() {
            let absent = held.with(py, |record| Ok(record.is_absent(index)))?;
            if absent {
                return Ok(None);
            }
        }
        Ok(Some(Field::new(Arc::clone(held), index)))
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// What is declared of field `index`.
    ///
    /// # Errors
    /// `IndexError`.
    pub(crate) fn declared(&self, index: usize) -> PyResult<&tensor_core::schema::Field> {
        let field = self.schema.fields().get(index);
        field.ok_or_else(|| PyIndexError::new_err(format!("{} has no field {index}", self.schema.name())))
    }

    /// What is declared of symbolic dimension `index`.
    ///
    /// # Errors
    /// `IndexError`.
    fn dimension(&self, index: usize) -> PyResult<&tensor_core::schema::Dim> {
        let dim = self.schema.dims().get(index);
        dim.ok_or_else(|| PyIndexError::new_err(format!("{} has no dimension {index}", self.schema.name())))
    }

    /// The row of a run that `row` stands for, which counts from the end when it is negative.
    fn row_at(&self, row: isize) -> PyResult<usize> {
        let records = self.run.ok_or_else(|| self.refusal("is a record alone: only a run has rows"))?;
        let from_end = if row < 0 { row + records as isize } else { row };
        usize::try_from(from_end)
            .ok()
            .filter(|at| *at < records)
            .ok_or_else(|| PyIndexError::new_err(format!("row {row} of a run of {records}")))
    }

    fn refusal(&self, reason: &str) -> PyErr {
        raise(Error::WrongKind { name: self.schema.name().to_owned(), reason: reason.to_owned() })
    }

    fn refuse(&self, what: &str) -> PyErr {
        self.refusal(&format!("was not loaned for that: only a record that was loaned {what}"))
    }

    /// What a call with any other record says.
    pub(crate) fn refuse_call(&self) -> PyErr {
        self.refuse("from a Client can be called")
    }
}

/// What may be done with a record, or a run of records, for the package's own code.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Handle {
    held: Arc<Held>,
}

impl Handle {
    pub(crate) fn of(held: Arc<Held>) -> Handle {
        Handle { held }
    }

    pub(crate) fn held(&self) -> &Arc<Held> {
        &self.held
    }
}

impl Deref for Handle {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

#[pymethods]
impl Handle {
    /// A run of `records` records in this process's own memory.
    #[staticmethod]
    fn empty(schema: &Schema, records: usize) -> PyResult<Handle> {
        let record = heap_run(Arc::clone(&schema.inner), records).map_err(raise)?;
        Ok(Handle::of(Held::new(record, Origin::Nobody)))
    }

    /// Field `index`; None when a received record lacks it.
    fn field(&self, py: Python<'_>, index: usize) -> PyResult<Option<Field>> {
        Held::field(&self.held, py, index)
    }

    /// Copies a value into field `index`.
    fn assign(&self, py: Python<'_>, index: usize, value: &Bound<'_, PyAny>) -> PyResult<()> {
        crate::assign::assign(py, self, index, value)
    }

    /// Record `row` of a run, alone and to be read. It keeps the whole run.
    fn row(&self, py: Python<'_>, row: isize) -> PyResult<Handle> {
        let row = self.row_at(row)?;
        let record = self.with(py, |record| Ok(record.row(row)))?;
        let record = record.ok_or_else(|| PyIndexError::new_err(format!("the run has no row {row}")))?;
        Ok(Handle::of(Held::assemble(record, Origin::Nobody, self.strict)))
    }

    /// The length of symbolic dimension `index` in each record of a run; None where it is not set.
    fn lengths(&self, py: Python<'_>, index: usize) -> PyResult<Vec<Option<u64>>> {
        self.dimension(index)?;
        self.with(py, |record| Ok(record.lengths_by_row(index).collect()))
    }

    /// The length of symbolic dimension `index`, of a run the longest; None before it is set.
    fn dim(&self, py: Python<'_>, index: usize) -> PyResult<Option<u64>> {
        self.dimension(index)?;
        self.with(py, |record| Ok(record.dim(index)))
    }

    /// Sets symbolic dimension `index`; of a run, also to a length for each of its records.
    fn set_dim(&self, py: Python<'_>, index: usize, length: &Bound<'_, PyAny>) -> PyResult<()> {
        let dim = self.dimension(index)?;
        let in_range = |length: i128| {
            u64::try_from(length).map_err(|_| Error::DimOutOfRange {
                schema: self.schema.name().to_owned(),
                dim: dim.name().to_owned(),
                found: length,
                min: dim.min(),
                max: dim.max(),
            })
        };
        if let (Some(records), Ok(lengths)) = (self.run, length.try_iter()) {
            let lengths = lengths.map(|length| length?.extract()).collect::<PyResult<Vec<i128>>>()?;
            if lengths.len() != records {
                let found = lengths.len();
                let text =
                    format!("`{}` needs a length for each of {records} records; found {found}", dim.name());
                return Err(PyValueError::new_err(text));
            }
            return self.with(py, |record| {
                let lengths = lengths.into_iter().map(in_range).collect::<Result<Vec<u64>, Error>>()?;
                record.set_dims(index, &lengths)
            });
        }
        let length: i128 = length.extract()?;
        self.with(py, |record| record.set_dim(index, in_range(length)?))
    }

    /// Notes that request `row` of the run failed to which this is the reply.
    fn fail(
        &self,
        py: Python<'_>,
        row: isize,
        type_name: String,
        message: String,
        traceback: String,
    ) -> PyResult<()> {
        if !self.writable || self.run.is_none() {
            return Err(self.refusal("only the replies of a handler can fail"));
        }
        let row = self.row_at(row)?;
        self.with(py, |record| {
            record.note_failure(row, RemoteError { type_name, message, traceback });
            Ok(())
        })
    }

    /// Whether each field was written.
    fn present(&self, py: Python<'_>) -> PyResult<Vec<bool>> {
        self.with(py, |record| Ok((0..self.schema.fields().len()).map(|f| record.is_present(f)).collect()))
    }

    /// A number for the bytes of each field, to find out which were written.
    fn digests(&self, py: Python<'_>) -> PyResult<Vec<u128>> {
        self.with(py, |record| {
            Ok((0..self.schema.fields().len()).map(|field| record.digest(field)).collect())
        })
    }

    /// The W3C trace context of each record of a run, or of the one record; None where its sender named none.
    fn traces(&self, py: Python<'_>) -> PyResult<Vec<Option<String>>> {
        let text = |trace: Option<TraceContext>| trace.map(|trace| trace.to_string());
        self.with(py, |record| Ok(record.traces().map(text).collect()))
    }

    /// Says which trace a loaned record belongs to.
    fn set_trace(&self, py: Python<'_>, traceparent: Option<&str>) -> PyResult<()> {
        self.held.set_trace(py, traceparent)
    }

    /// The arena that a loan is of.
    #[getter]
    fn arena(&self) -> Option<&str> {
        match &self.origin {
            Origin::Nobody | Origin::Exchange => None,
            Origin::Sender(port) => Some(&port.name),
            Origin::Client(port) => Some(&port.name),
        }
    }

    /// The slot that the record is in, or the first one of a run; 0 on the heap.
    #[getter]
    fn slot(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |record| Ok(record.location().map_or(0, |(slot, _)| slot)))
    }

    /// Which attempt at the request, or the first one of a run, this is, and whether a worker died with it.
    #[getter]
    fn attempt(&self, py: Python<'_>) -> PyResult<(u32, bool)> {
        self.with(py, |record| Ok(record.attempt()))
    }

    /// Gives the record back, if that has not happened and is not for somebody else to do. Aliases of its fields stay valid.
    fn release(&self, py: Python<'_>) {
        if let Origin::Exchange = self.origin {
            // Without both halves nobody could be answered.
            return;
        }
        let mut state = self.lock(py);
        if let State::Live(_) = *state {
            let record = std::mem::replace(&mut *state, State::Gone("released"));
            drop(state);
            drop(record);
        }
    }

    /// How the record was given away; None while it was not.
    #[getter]
    fn gone(&self, py: Python<'_>) -> Option<&'static str> {
        match &*self.lock(py) {
            State::Live(_) => None,
            State::Gone(how) => Some(how),
        }
    }

    /// The number of records of a run; None for a record.
    #[getter]
    fn records(&self) -> Option<usize> {
        self.run
    }

    #[getter]
    fn writable(&self) -> bool {
        self.writable
    }

    /// Sends the record. When it lacks something, it stays as it is and can be sent later.
    fn send(&self, py: Python<'_>) -> PyResult<()> {
        let Origin::Sender(port) = &self.origin else {
            return Err(self.refuse("from a Sender can be sent"));
        };
        let sender = port.get()?;
        let record = self.take(py, "sent")?;
        sender.send(record, port.strict).map_err(|failed| {
            let (error, record) = *failed;
            self.put_back(py, record);
            raise(error)
        })
    }

    /// Calls with the record and waits for the reply. When it lacks something, it stays as it is and can be called later.
    fn call(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Handle> {
        let (reply, ()) = self.call_for(py, seconds(timeout)?, || Ok(()))?;
        Ok(Handle::of(reply))
    }

    /// As `call`, under way; `mailbox` gets `token` when it is worth a look.
    fn call_async(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        mailbox: &Mailbox,
        token: u64,
    ) -> PyResult<Pending> {
        let Origin::Client(port) = &self.origin else {
            return Err(self.refuse_call());
        };
        let timeout = seconds(timeout)?;
        let client = port.get()?;
        let record = self.take(py, "called")?;
        match client.call_async(record, port.strict, timeout) {
            Ok(wait) => Ok(Pending::new(wait, Origin::Nobody, mailbox, token)),
            Err(failed) => {
                let (error, record) = *failed;
                self.put_back(py, record);
                Err(raise(error))
            }
        }
    }

    /// The timeout that a call of this record has unless it names one.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.own_timeout().map(|timeout| timeout.as_secs_f64())
    }
}

impl Held {
    /// As [`Handle::set_trace`].
    pub(crate) fn set_trace(&self, py: Python<'_>, traceparent: Option<&str>) -> PyResult<()> {
        let trace = traceparent.map(str::parse).transpose().map_err(raise)?;
        self.with(py, |record| record.set_trace(trace))
    }

    /// As [`Handle::timeout`].
    pub(crate) fn own_timeout(&self) -> Option<Duration> {
        match &self.origin {
            Origin::Nobody | Origin::Exchange => None,
            Origin::Sender(port) => port.timeout,
            Origin::Client(port) => port.timeout,
        }
    }

    /// As [`Handle::call`], for a timeout that was read. `prepare` makes what is needed for the reply, while it is on its way.
    pub(crate) fn call_for<T>(
        &self,
        py: Python<'_>,
        timeout: Option<Duration>,
        prepare: impl FnOnce() -> PyResult<T>,
    ) -> PyResult<(Arc<Held>, T)> {
        let Origin::Client(port) = &self.origin else {
            return Err(self.refuse_call());
        };
        let client = port.get()?;
        let record = self.take(py, "called")?;
        let call = client.call(record, port.strict, timeout).map_err(|failed| {
            let (error, record) = *failed;
            self.put_back(py, record);
            raise(error)
        })?;
        let prepared = prepare()?;
        let reply = detached(py, || Ok(()), |look| client.answer(call, timeout, look))?;
        Ok((Held::received(reply, port), prepared))
    }

    fn put_back(&self, py: Python<'_>, record: Option<DynRecord>) {
        if let Some(record) = record {
            *self.lock(py) = State::Live(record);
        }
    }
}
