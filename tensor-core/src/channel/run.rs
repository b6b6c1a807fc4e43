//! Records that were received together.

use std::fmt;
use std::ops::{Deref, DerefMut, Index};

use super::adopted_rows;
use crate::arena::{Claim, ClaimRun};
use crate::error::Error;
use crate::tally::CopyReason;
use crate::trace::TraceContext;
use crate::view::{RawParts, RawRun, Record};

/// Several records side by side in memory, to read: each field of all of them is one array.
///
/// It dereferences to the batch's view ([`Record::Run`]), which has for each field `x` an `x_array()` with the records as its
/// first dimension and, where the values are next to each other, `x()` as one slice. `run[i]` is record `i` alone, of its own
/// lengths. In an array every symbolic dimension has the longest length of the run, and what is beyond a record's own is
/// filled with the field's pad. Whoever has it `&mut` may fill what records lack, and nothing else.
///
/// `T` is as in [`RawView`](crate::view::RawView): two of them cannot be exchanged and parted from their memory.
pub struct Records<R: Record, T: ?Sized = [()]> {
    view: R::RunStore,
    _tail: T,
}

impl<R: Record> Records<R, [(); 0]> {
    /// Fills what is beyond each record's own lengths.
    ///
    /// # Safety
    /// The contract of [`RawRun::new`].
    pub(crate) unsafe fn new(rows: Vec<RawParts>) -> Self {
        // SAFETY: passed on to the caller.
        Records { view: R::__run_store(unsafe { RawRun::new(rows) }), _tail: [] }
    }
}

impl<R: Record, T: ?Sized> Records<R, T> {
    /// How many records there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a run is never empty")]
    pub fn len(&self) -> usize {
        R::__raw_run(&self.view).len()
    }

    /// The records one by one, each of its own lengths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &R::Ref> {
        R::__raw_run(&self.view).views().iter().map(R::__as_ref)
    }

    /// How many bytes were written here because records are of different lengths, or lack a field that was filled.
    #[must_use]
    pub fn filled_bytes(&self) -> usize {
        R::__raw_run(&self.view).written()
    }
}

impl<R: Record, T: ?Sized> Index<usize> for Records<R, T> {
    type Output = R::Ref;

    fn index(&self, record: usize) -> &R::Ref {
        R::__as_ref(&R::__raw_run(&self.view).views()[record])
    }
}

/// What the records are and how many; never their values.
impl<R: Record, T: ?Sized> fmt::Debug for Records<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(R::__raw_run(&self.view), f)
    }
}

impl<R: Record, T: ?Sized> Deref for Records<R, T> {
    type Target = R::Run;

    fn deref(&self) -> &R::Run {
        R::__as_run(&self.view)
    }
}

impl<R: Record, T: ?Sized> DerefMut for Records<R, T> {
    fn deref_mut(&mut self) -> &mut R::Run {
        R::__as_run_mut(&mut self.view)
    }
}

/// Records that were received together. Dropping it gives their slots back.
///
/// It dereferences to the [`Records`].
pub struct ReceivedRun<R: Record> {
    // The view before the claims: nothing may lead to the memory once they are gone.
    records: Records<R, [(); 0]>,
    claims: ClaimRun,
}

impl<R: Record> ReceivedRun<R> {
    /// # Errors
    /// [`Error::Corrupt`] when a sender does not state a complete record, which is lost; the others are put back.
    ///
    /// # Safety
    /// `R::SCHEMA` must be the request schema of the claims' arena, and the arena that of a one-way channel.
    pub(super) unsafe fn adopt(claims: ClaimRun) -> Result<Self, Error> {
        // SAFETY: the caller vouches for the schema, and the claims are kept beside the view.
        let rows = unsafe { adopted_rows(&claims, |_, _| {}) }?;
        // SAFETY: claims are on neighbouring slots in their order, and as long as they are held, the slots of a channel are
        // this process's alone.
        let records = unsafe { Records::new(rows) };
        Ok(ReceivedRun { records, claims })
    }

    /// The trace of each record, if its sender named one.
    pub fn traces(&self) -> impl ExactSizeIterator<Item = Option<TraceContext>> {
        self.claims.iter().map(Claim::trace)
    }
}

impl<R: Record> Drop for ReceivedRun<R> {
    fn drop(&mut self) {
        self.claims[0].arena().note_copied(CopyReason::Padded, self.filled_bytes());
    }
}

impl<R: Record> fmt::Debug for ReceivedRun<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReceivedRun").field(&self.records).finish()
    }
}

impl<R: Record> Deref for ReceivedRun<R> {
    type Target = Records<R>;

    fn deref(&self) -> &Records<R> {
        &self.records
    }
}

impl<R: Record> DerefMut for ReceivedRun<R> {
    fn deref_mut(&mut self) -> &mut Records<R> {
        &mut self.records
    }
}
