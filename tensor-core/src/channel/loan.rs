//! A record to be filled and sent.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::{MutRecord, carry_current, in_slot, set_trace_method};
use crate::error::Error;
use crate::view::Record;

/// A slot in shared memory, to be filled and sent. Dropping it gives the slot back unsent.
///
/// It dereferences to the record's writable view ([`Record::Mut`]). The bytes are those of whatever was there before;
/// a field counts as present once it was touched through `field_mut()` or `set_field()`.
pub struct Loan<R: Record> {
    record: MutRecord<R>,
}

impl<R: Record> Loan<R> {
    pub(super) fn new(mut record: MutRecord<R>) -> Self {
        record.poison();
        Loan { record }
    }

    pub(super) fn zeroed(mut record: MutRecord<R>) -> Self {
        record.fill(0);
        Loan { record }
    }

    set_trace_method!("send");

    /// Sends the record: one receiver will have it, after those that were sent before.
    ///
    /// # Errors
    /// [`SendError`] gives the loan back: [`Error::MissingField`], [`Error::DimUnset`]; [`Error::Forked`],
    /// [`Error::Corrupt`].
    pub fn send(self) -> Result<(), SendError<Loan<R>>> {
        if let Err(error) = self.record.with_parts(|parts| parts.check_complete(R::SCHEMA)) {
            self.record.claim().arena().note_error(&error);
            return Err(SendError::new(error, Some(self)));
        }
        let claim = self.record.claim();
        carry_current(claim);
        let sent = self
            .record
            .with_parts(|parts| claim.publish(parts.presence(), |dim| parts.dim(dim), false, 0, None));
        sent.map_err(|error| SendError::new(error, None))
    }
}

in_slot!(Loan, Loan<R>, R, [R: Record], true);

impl<R: Record> Deref for Loan<R> {
    type Target = R::Mut;

    fn deref(&self) -> &R::Mut {
        &self.record
    }
}

impl<R: Record> DerefMut for Loan<R> {
    fn deref_mut(&mut self) -> &mut R::Mut {
        &mut self.record
    }
}

/// What went wrong with a send or a call, and the loan where it can be repaired and sent again.
pub struct SendError<L> {
    inner: Box<(Error, Option<L>)>,
}

impl<L> SendError<L> {
    pub(crate) fn new(error: Error, loan: Option<L>) -> SendError<L> {
        SendError { inner: Box::new((error, loan)) }
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.inner.0
    }

    /// The error alone; a loan that is still there goes back to the arena.
    #[must_use]
    pub fn into_error(self) -> Error {
        self.inner.0
    }

    /// The loan, when nothing was sent.
    #[must_use]
    pub fn into_loan(self) -> Option<L> {
        self.inner.1
    }
}

impl<L> From<SendError<L>> for Error {
    fn from(error: SendError<L>) -> Error {
        error.into_error()
    }
}

impl<L> fmt::Debug for SendError<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner.0, f)
    }
}

impl<L> fmt::Display for SendError<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner.0, f)
    }
}

impl<L> std::error::Error for SendError<L> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.0.source()
    }
}
