//! Requests that are answered together.

use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::arena::{Claim, ClaimRun, Half};
use crate::channel::{Records, adopted_requests, each, parts_of};
use crate::error::{Error, RemoteError};
use crate::tally::CopyReason;
use crate::trace::TraceContext;
use crate::view::fill::pad;
use crate::view::run::common;
use crate::view::{RawParts, RawRun, Record, RowMut};

/// Requests that this process answers together. Dropping it unanswered tells every caller so.
pub struct RequestRun<Req: Record, Rep: Record> {
    // The views before the claims: nothing may lead to the memory once they are gone.
    requests: Records<Req, [(); 0]>,
    replies: Replies<Rep, [(); 0]>,
    claims: ClaimRun,
}

impl<Req: Record, Rep: Record> RequestRun<Req, Rep> {
    /// # Errors
    /// [`Error::Corrupt`] when a caller does not state a complete request: it is refused, and the others are put back.
    ///
    /// # Safety
    /// `Req::SCHEMA` and `Rep::SCHEMA` must be the schemas of the claims' arena.
    pub(super) unsafe fn adopt(claims: ClaimRun) -> Result<Self, Error> {
        // SAFETY: the caller vouches for both schemas, and the claims are kept beside the views. They are on neighbouring
        // slots in their order, and their slots are this process's alone while they are claimed: a caller that waits for its
        // answer has no view beyond the lengths it sent. The two halves of a slot are different bytes.
        unsafe {
            let requests = adopted_requests(&claims)?;
            let replies = claims.iter().map(|claim| parts_of(claim, Half::Reply)).collect();
            Ok(RequestRun { requests: Records::new(requests), replies: Replies::new(replies), claims })
        }
    }

    /// How many requests there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a run is never empty")]
    pub fn len(&self) -> usize {
        self.claims.len()
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
        self.claims.iter().map(Claim::trace)
    }

    pub(super) fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// How long the first of the callers to give up goes on waiting, a few milliseconds more or less; `None` when all wait
    /// for ever.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.claims.iter().filter_map(|claim| claim.time_left()).min()
    }

    /// Sends each caller its answer. What is beyond a reply's own lengths is filled with the field's pad, up to the longest.
    /// A reply that lacks a required field, and only that one, reaches its caller as [`Error::Remote`]; so does one that was
    /// said to have failed ([`Replies::fail`]).
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`]; the other callers have their answers then.
    pub fn reply(self) -> Result<(), Error> {
        let rows = self.replies.rows();
        // SAFETY: no view of the replies is used any more, and their slots are this process's alone until they are answered.
        let padded = unsafe { pad(Rep::SCHEMA, &rows, &common(&rows)) };
        self.claims[0].arena().note_copied(CopyReason::Padded, padded);
        each(&self.claims, |row, claim| {
            if let Some(failure) = self.replies.failure(row) {
                return claim.fail(failure, false, 0);
            }
            let parts = &rows[row];
            match parts.check_complete(Rep::SCHEMA) {
                Ok(()) => claim.answer(parts.presence(), |dim| parts.dim(dim), false, 0),
                Err(error) => claim.fail(&failure(error.name(), &error), false, 0),
            }
        })
    }

    /// Tells every caller that its request failed.
    ///
    /// # Errors
    /// As [`RequestRun::reply`].
    pub fn fail(self, type_name: &str, message: &str) -> Result<(), Error> {
        let failure = failure(type_name, &message);
        each(&self.claims, |_, claim| claim.fail(&failure, false, 0))
    }
}

impl<Req: Record, Rep: Record> Drop for RequestRun<Req, Rep> {
    fn drop(&mut self) {
        self.claims[0].arena().note_copied(CopyReason::Padded, self.requests.filled_bytes());
    }
}

fn failure(type_name: &str, message: &dyn Display) -> RemoteError {
    RemoteError { type_name: type_name.to_owned(), message: message.to_string(), traceback: String::new() }
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
    /// Those that failed, by their number.
    failures: Vec<(usize, RemoteError)>,
    _tail: T,
}

impl<R: Record> Replies<R, [(); 0]> {
    /// # Safety
    /// The contract of [`RawRun::new`], and that this process may write the records.
    unsafe fn new(rows: Vec<RawParts>) -> Self {
        // SAFETY: passed on to the caller.
        let view = R::__run_mut_store(unsafe { RawRun::unpadded(rows) });
        Replies { view, failures: Vec::new(), _tail: [] }
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
        self.failures.retain(|(failed, _)| *failed != row);
        self.failures.push((row, failure(std::any::type_name::<E>(), &error)));
    }

    fn failure(&self, row: usize) -> Option<&RemoteError> {
        self.failures.iter().find(|(failed, _)| *failed == row).map(|(_, failure)| failure)
    }

    /// What is known of each reply.
    fn rows(&self) -> Vec<RawParts> {
        let run = R::__raw_run(R::__run_of(&self.view));
        (0..run.len()).map(|row| run.row_parts(row)).collect()
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
