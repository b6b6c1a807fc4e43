//! What this participant counts and measures of its own steps.
//!
//! A step counts what it did after the transition, when the other side has what it waited for already.

use super::Arena;
use super::shared::Shared;
use super::ticket::Ticket;
use crate::error::Error;
use crate::memory::precise_monotonic_ns;
use crate::sync::Ordering;
use crate::tally::{CopyReason, ROWS, Row, Scale};

impl Arena {
    /// The row in which this participant counts.
    #[inline]
    pub(super) fn tally(&self) -> Row<'_> {
        self.control.tally(usize::from(self.me) % ROWS)
    }

    /// Every row, each of which any participant may have used.
    pub(crate) fn tallies(&self) -> impl Iterator<Item = Row<'_>> {
        (0..ROWS).map(|row| self.control.tally(row))
    }

    /// How many records or requests were sent.
    pub(crate) fn sent(&self) -> u64 {
        Ticket::drawn(self.control.next_ticket().load(Ordering::Relaxed))
    }

    /// How many records that of a slot stands for, if it is timed.
    #[inline]
    fn timed(&self, slot: usize) -> Option<u64> {
        Ticket(self.control.ticket(slot).load(Ordering::Relaxed)).stands_for()
    }

    #[cold]
    #[inline(never)]
    fn time_take(&self, slot: usize, stands_for: u64) {
        let sent = self.control.block(slot).sent.load(Ordering::Relaxed);
        self.takes.time(slot, sent, precise_monotonic_ns(), stands_for);
    }

    #[cold]
    #[inline(never)]
    fn time_answer(&self, slot: usize, stands_for: u64) {
        let sent = self.control.block(slot).sent.load(Ordering::Relaxed);
        self.tally().measure(Scale::RoundTrip, precise_monotonic_ns().saturating_sub(sent), stands_for);
    }

    /// Notes that this process has taken the record of a slot.
    #[inline]
    pub(super) fn note_taken(&self, slot: usize) {
        if let Some(stands_for) = self.timed(slot) {
            self.time_take(slot, stands_for);
        }
    }

    /// Notes that this process has taken the records of these slots together; more than one.
    pub(super) fn note_run(&self, slots: impl ExactSizeIterator<Item = usize>) {
        self.tally().measure(Scale::Runs, slots.len() as u64, 1);
        for slot in slots {
            self.takes.in_run(slot);
            self.note_taken(slot);
        }
    }

    /// Counts an answer that its caller has.
    #[inline]
    pub(super) fn note_answer(&self, slot: usize) {
        if let Some(stands_for) = self.timed(slot) {
            self.time_answer(slot, stands_for);
        }
    }

    /// Counts an error that an operation on a record ended with. A forked child, which is nobody, counts nothing; and what
    /// is corrupt was counted where it was found.
    #[cold]
    pub(crate) fn note_error(&self, error: &Error) {
        if !matches!(error, Error::Corrupt { .. }) && !self.fork.in_child() {
            self.tally().count_error(error);
        }
    }

    /// The error for something in shared memory that no honest peer writes, counted.
    #[cold]
    pub(crate) fn corrupted(&self, what: String) -> Error {
        let error = Error::Corrupt { name: self.name.clone(), what };
        if !self.fork.in_child() {
            self.tally().count_error(&error);
        }
        error
    }

    /// Counts bytes that were copied.
    pub(crate) fn note_copied(&self, reason: CopyReason, bytes: usize) {
        if bytes > 0 && !self.fork.in_child() {
            self.tally().count_copied(reason, bytes as u64);
        }
    }
}
