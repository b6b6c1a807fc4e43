//! Requests that were taken together, and their replies.

use std::sync::Arc;

use super::scratch::{Scratch, Scratches};
use super::{adopted_requests, parts_of};
use crate::arena::{Claim, ClaimRun, Half};
use crate::error::{Error, RemoteError};
use crate::sync::step;
use crate::tally::CopyReason;
use crate::view::RawParts;
use crate::view::fill::pad;
use crate::view::run::common;

/// Claims on requests that are answered together, side by side or copied so.
pub(crate) struct Batch {
    claims: ClaimRun,
    /// Where the records are that do not lie side by side in the arena.
    scratch: Option<Arc<Scratch>>,
}

/// Bytes that were copied or written, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Beyond a record's own lengths, or where it lacks a field.
    pub padded: usize,
    /// Because the records do not lie side by side.
    pub hole: usize,
}

impl Batch {
    /// # Errors
    /// [`Error::InvalidSchema`] when `max` records exceed the address space; [`Error::OutOfMemory`]. The requests are put back for the
    /// next look then.
    pub(crate) fn new(claims: ClaimRun, scratches: &Scratches, max: usize) -> Result<Batch, Error> {
        let arena = claims[0].arena();
        // No run is longer than the arena, whatever a program allows.
        let max = max.min(arena.slots());
        let scratch = if claims.is_apart() { scratches.take(arena, max).map(Some) } else { Ok(None) };
        let scratch = scratch.inspect_err(|_| claims.iter().for_each(Claim::put_back))?;
        Ok(Batch { claims, scratch })
    }

    pub(crate) fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Whether the records are in this process's own memory.
    pub(crate) fn is_gathered(&self) -> bool {
        self.scratch.is_some()
    }

    /// What is asked, side by side, and how many bytes were copied for that. A request that is garbled is refused, and the
    /// others are put back for the next look.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a caller does not state a complete request.
    ///
    /// # Safety
    /// The result must not be used after the batch is gone, nor with another schema than that of the arena's requests; and
    /// no result of an earlier call is used.
    pub(crate) unsafe fn requests(&self) -> Result<(Vec<RawParts>, usize), Error> {
        // SAFETY: passed on to the caller.
        let mut rows = unsafe { adopted_requests(&self.claims) }?;
        let Some(scratch) = &self.scratch else { return Ok((rows, 0)) };
        let arena = self.claims[0].arena();
        let mut copied = 0;
        for (at, row) in rows.iter_mut().enumerate() {
            step();
            // SAFETY: the scratch memory is this batch's alone, and has columns for the schemas of this arena; the request is
            // this process's while it is claimed.
            unsafe {
                let mut here = scratch.parts(Half::Request, at);
                copied += here.copy_from(&arena.request().schema, row);
                *row = here;
            }
        }
        arena.note_copied(CopyReason::Hole, copied);
        Ok((rows, copied))
    }

    /// The first of the replies, of which nothing is present.
    ///
    /// # Safety
    /// As [`Batch::requests`], of the schema of the replies.
    pub(crate) unsafe fn reply(&self) -> RawParts {
        match &self.scratch {
            // SAFETY: the scratch memory is this batch's alone; the rest is passed on to the caller.
            Some(scratch) => unsafe { scratch.parts(Half::Reply, 0) },
            // SAFETY: passed on to the caller.
            None => unsafe { parts_of(&self.claims[0], Half::Reply) },
        }
    }

    /// As [`answer_each`], of replies that are where [`Batch::reply`] says.
    ///
    /// # Safety
    /// As [`answer_each`].
    pub(crate) unsafe fn answer(
        &self,
        rows: &mut [RawParts],
        failures: &Failures,
        aliased: Option<u64>,
        copied: &mut Copied,
    ) -> Result<(), Error> {
        let schema = &self.claims[0].arena().part(Half::Reply).schema;
        if self.scratch.is_some() {
            let mut bytes = 0;
            for (row, claim) in rows.iter_mut().zip(&*self.claims) {
                step();
                // SAFETY: the reply in the slot is this process's while it is claimed, and no view of it is out.
                unsafe {
                    let mut there = parts_of(claim, Half::Reply);
                    bytes += there.copy_from(schema, row);
                    *row = there;
                }
            }
            copied.hole += bytes;
            self.claims[0].arena().note_copied(CopyReason::Hole, bytes);
        }
        // Aliases lead to the scratch memory, not to the slots.
        let aliased = aliased.filter(|_| !self.is_gathered());
        // SAFETY: passed on to the caller.
        unsafe { answer_each(&self.claims, rows, failures, aliased, copied) }
    }

    /// Tells each caller that its request failed. `aliased` as in [`answer_each`].
    ///
    /// # Errors
    /// As [`answer_each`].
    pub(crate) fn fail(&self, failure: &RemoteError, aliased: Option<u64>) -> Result<(), Error> {
        let aliased = aliased.filter(|_| !self.is_gathered());
        each(&self.claims, |_, claim| claim.fail(failure, aliased.is_some(), aliased.unwrap_or(0)))
    }
}

/// Sends each caller its answer. What is beyond a reply's own lengths is filled with the field's pad, up to the longest. A reply
/// that lacks a required field reaches its caller as [`Error::Remote`], and so does one that failed. `aliased` are the fields of
/// which this process keeps views, one bit each; `None` when it keeps nothing.
///
/// # Errors
/// [`Error::Forked`], [`Error::Corrupt`]; the other callers have their answers then.
///
/// # Safety
/// The rows are the replies of the claims' slots, each as [`parts_of`] has it, and nobody reads or writes them meanwhile but
/// through views that are made to see the pad.
pub(crate) unsafe fn answer_each(
    claims: &[Claim],
    rows: &[RawParts],
    failures: &Failures,
    aliased: Option<u64>,
    copied: &mut Copied,
) -> Result<(), Error> {
    let arena = claims[0].arena();
    let schema = &arena.part(Half::Reply).schema;
    if rows.len() > 1 {
        // SAFETY: passed on to the caller; `pad` looks at each row for itself.
        let padded = unsafe { pad(schema, rows, &common(schema, rows)) };
        copied.padded += padded;
        arena.note_copied(CopyReason::Padded, padded);
    }
    let (keep, fields) = (aliased.is_some(), aliased.unwrap_or(0));
    each(claims, |at, claim| {
        if let Some(failure) = failures.of(at) {
            return claim.fail(failure, keep, fields);
        }
        let row = &rows[at];
        match row.check_complete(schema) {
            Ok(()) => claim.answer(row.presence(), |dim| row.dim(dim), keep, fields),
            Err(error) => claim.fail(&remote(error.name(), &error), keep, fields),
        }
    })
}

/// The requests of a batch that failed, by their number.
#[derive(Default)]
pub(crate) struct Failures(Vec<(usize, RemoteError)>);

impl Failures {
    /// Notes that request `row` failed, instead of what was noted before.
    pub(crate) fn note(&mut self, row: usize, failure: RemoteError) {
        self.0.retain(|(failed, _)| *failed != row);
        self.0.push((row, failure));
    }

    fn of(&self, row: usize) -> Option<&RemoteError> {
        self.0.iter().find(|(failed, _)| *failed == row).map(|(_, failure)| failure)
    }
}

/// A failure of Rust code.
pub(crate) fn remote(type_name: &str, message: &dyn std::fmt::Display) -> RemoteError {
    RemoteError { type_name: type_name.to_owned(), message: message.to_string(), traceback: String::new() }
}

/// Works on every claim, by its number, whatever becomes of the others; the first error.
fn each(claims: &[Claim], mut work: impl FnMut(usize, &Claim) -> Result<(), Error>) -> Result<(), Error> {
    let mut result = Ok(());
    for (row, claim) in claims.iter().enumerate() {
        let worked = work(row, claim);
        result = result.and(worked);
    }
    result
}
