//! Requests that are answered together.

use std::fmt::{self, Debug, Display};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::arena::Claim;
use crate::channel::{Batch, Copied, Failures, Records, remote};
use crate::error::Error;
use crate::tally::CopyReason;
use crate::trace::TraceContext;
use crate::view::{RawParts, RawRun, Record, RowMut};

/// Requests that this process answers together. Dropping it unanswered tells every caller so.
pub struct RequestRun<Req: Record, Rep: Record> {
    // The views before the claims: nothing may lead to the memory once they are gone.
    requests: Records<Req, [(); 0]>,
    replies: Replies<Rep, [(); 0]>,
    batch: Batch,
    gathered: usize,
}

impl<Req: Record, Rep: Record> RequestRun<Req, Rep> {
    /// # Errors
    /// [`Error::Corrupt`] when a caller does not state a complete request: it is refused, and the others are put back.
    ///
    /// # Safety
    /// `Req::SCHEMA` and `Rep::SCHEMA` must be the schemas of the batch's arena.
    pub(super) unsafe fn adopt(batch: Batch) -> Result<Self, Error> {
        // SAFETY: the caller vouches for both schemas, and the batch is kept beside the views. Its records are side by side, and
        // this process's alone while they are claimed: a caller that waits for its answer has no view beyond the lengths it
        // sent. The two halves of a slot are different bytes.
        unsafe {
            let (requests, gathered) = batch.requests()?;
            let first = batch.reply();
            let replies = (0..requests.len()).map(|row| first.moved_by(row)).collect();
            let (requests, replies) = (Records::new(requests), Replies::new(replies));
            Ok(RequestRun { requests, replies, batch, gathered })
        }
    }

    /// How many requests there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a run is never empty")]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// What was asked.
    #[must_use]
    pub fn requests(&self) -> &Records<Req> {
        &self.requests
    }

    /// The answers so far.
    #[must_use]
    pub fn replies_mut(&mut self) -> &mut Replies<Rep> {
        &mut self.replies
    }

    /// What was asked, and the answers to be written.
    #[must_use]
    pub fn split(&mut self) -> (&mut Records<Req>, &mut Replies<Rep>) {
        (&mut self.requests, &mut self.replies)
    }

    /// The trace of each request, if its caller named one.
    pub fn traces(&self) -> impl ExactSizeIterator<Item = Option<TraceContext>> {
        self.batch.claims().iter().map(Claim::trace)
    }

    pub(super) fn claims(&self) -> &[Claim] {
        self.batch.claims()
    }

    /// How long the first of the callers to give up goes on waiting, a few milliseconds more or less; `None` when all wait
    /// for ever.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.batch.claims().iter().filter_map(|claim| claim.time_left()).min()
    }

    /// How many bytes were copied because the requests did not lie side by side.
    #[must_use]
    pub fn gathered_bytes(&self) -> usize {
        self.gathered
    }

    /// Sends each caller its answer. What is beyond a reply's own lengths is filled with the field's pad, up to the longest.
    /// A reply that lacks a required field, and only that one, reaches its caller as [`Error::Remote`]; so does one that was
    /// said to have failed ([`Replies::fail`]).
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`]; the other callers have their answers then.
    pub fn reply(self) -> Result<(), Error> {
        let mut rows = self.replies.rows();
        // SAFETY: the rows are those of the batch, and nobody has a view of them: `self` is here.
        unsafe { self.batch.answer(&mut rows, &self.replies.failures, None, &mut Copied::default()) }
    }

    /// Tells every caller that its request failed.
    ///
    /// # Errors
    /// As [`RequestRun::reply`].
    pub fn fail(self, type_name: &str, message: &str) -> Result<(), Error> {
        self.batch.fail(&remote(type_name, &message), None)
    }
}

impl<Req: Record, Rep: Record> Debug for RequestRun<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRun")
            .field("requests", &self.requests)
            .field("replies", &self.replies)
            .finish()
    }
}

impl<Req: Record, Rep: Record> Drop for RequestRun<Req, Rep> {
    fn drop(&mut self) {
        self.batch.claims()[0].arena().note_copied(CopyReason::Padded, self.requests.filled_bytes());
    }
}

/// The replies to requests that are answered together, to be written: each field of all of them is one array.
///
/// It dereferences to the batch's writable view ([`Record::RunMut`]), which has for each field `x` an `x_array_mut()` with the
/// replies as its first dimension and, where the values are next to each other, `x_mut()` as one slice. Writing a field marks
/// it as present in every reply; [`Replies::row_mut`] gives one reply alone.
///
/// `T` is as in [`RawView`](crate::view::RawView): two of them cannot be exchanged and parted from their memory.
pub struct Replies<R: Record, T: ?Sized = [()]> {
    view: R::RunMutStore,
    failures: Failures,
    _tail: T,
}

impl<R: Record> Replies<R, [(); 0]> {
    /// # Safety
    /// The contract of [`RawRun::new`], and that this process may write the records.
    unsafe fn new(rows: Vec<RawParts>) -> Self {
        // SAFETY: passed on to the caller.
        let view = R::__run_mut_store(unsafe { RawRun::unpadded(rows) });
        Replies { view, failures: Failures::default(), _tail: [] }
    }
}

impl<R: Record, T: ?Sized> Replies<R, T> {
    /// How many replies there are: one for each request.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a run is never empty")]
    pub fn len(&self) -> usize {
        R::__raw_run(R::__run_of(&self.view)).len()
    }

    /// Reply `row` alone, of lengths of its own.
    ///
    /// # Panics
    /// If there is no such reply.
    pub fn row_mut(&mut self, row: usize) -> RowMut<'_, R> {
        // SAFETY: `new` promises that this process may write the records.
        unsafe { RowMut::new(R::__raw_run_mut(R::__run_of_mut(&mut self.view)), row) }
    }

    /// Says that request `row` failed: its caller, and nobody else, gets [`Error::Remote`] with the name of the error's type
    /// and its text. Whatever was written to its reply is not sent.
    ///
    /// # Panics
    /// If there is no such request.
    pub fn fail<E: Display>(&mut self, row: usize, error: E) {
        assert!(row < self.len(), "request {row} of a run of {}", self.len());
        self.failures.note(row, remote(std::any::type_name::<E>(), &error));
    }

    /// What is known of each reply.
    fn rows(&self) -> Vec<RawParts> {
        let run = R::__raw_run(R::__run_of(&self.view));
        (0..run.len()).map(|row| run.row_parts(row)).collect()
    }
}

/// What the replies are and how many; never their values.
impl<R: Record, T: ?Sized> Debug for Replies<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(R::__raw_run(R::__run_of(&self.view)), f)
    }
}

impl<R: Record, T: ?Sized> Deref for Replies<R, T> {
    type Target = R::RunMut;

    fn deref(&self) -> &R::RunMut {
        R::__as_run_to_fill(&self.view)
    }
}

impl<R: Record, T: ?Sized> DerefMut for Replies<R, T> {
    fn deref_mut(&mut self) -> &mut R::RunMut {
        R::__as_run_to_fill_mut(&mut self.view)
    }
}
