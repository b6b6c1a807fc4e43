//! Operations that are polled until they are done. Dropping one takes it off its connection's table.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Waits;
use super::waits::{Turn, Waiting, Want};
use crate::arena::{Claim, Status, WhenFull};
use crate::error::Error;
use crate::wait::Look;

/// How long a caller looks for its answer before it leaves its waker: about a round trip to a worker that spins.
const GLANCE: Duration = Duration::from_micros(1);

/// An operation's place in its connection's table.
struct Place {
    waits: Arc<Waits>,
    /// The name in the table, once it has waited.
    ticket: Option<u64>,
    timeout: Option<Duration>,
    began: Option<Instant>,
}

impl Place {
    fn new(waits: &Arc<Waits>, timeout: Option<Duration>) -> Place {
        Place { waits: Arc::clone(waits), ticket: None, timeout, began: None }
    }

    /// Leaves a waker, unless there is no point in waiting.
    fn wait(&mut self, what: &'static str, want: Want, cx: &Context<'_>) -> Result<(), Error> {
        self.waits.arena().check_host()?;
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        let deadline = self.timeout.and_then(|timeout| began.checked_add(timeout));
        if let Some(after) = self.timeout.filter(|_| deadline.is_some_and(|deadline| deadline <= now)) {
            return Err(Error::Timeout { what, after });
        }
        let waiting = Waiting { waker: cx.waker().clone(), deadline };
        self.ticket = Some(self.waits.wait(want, waiting, self.ticket)?);
        Ok(())
    }

    /// Off the table; whether it has waited and was woken since.
    fn leave(&mut self, want: Want) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        // In a forked child the table is another process's, and may be locked for good.
        self.waits.arena().check_process().is_ok() && !self.waits.forget(want, ticket)
    }
}

/// Waits for the answer to a published request. It has to be dropped before the request's claim.
pub(crate) struct AnswerWait {
    place: Place,
    slot: usize,
}

impl AnswerWait {
    pub(crate) fn new(waits: &Arc<Waits>, claim: &Claim, timeout: Option<Duration>) -> AnswerWait {
        AnswerWait { place: Place::new(waits, timeout), slot: claim.slot() }
    }

    /// How the call ended.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::HostDied`], [`Error::Closed`], [`Error::Forked`], [`Error::Corrupt`], [`Error::Io`].
    pub(crate) fn poll(&mut self, claim: &Claim, cx: &Context<'_>) -> Poll<Result<Status, Error>> {
        self.look(claim, cx).transpose().map_or(Poll::Pending, Poll::Ready)
    }

    fn look(&mut self, claim: &Claim, cx: &Context<'_>) -> Result<Option<Status>, Error> {
        let arena = Arc::clone(self.place.waits.arena());
        arena.check_process()?;
        let mut found = claim.outcome()?;
        if found.is_none() && self.place.ticket.is_none() && !self.place.waits.is_busy() {
            found = glance(claim)?;
        }
        if found.is_none() {
            self.place.wait("the reply", Want::Answer { slot: self.slot }, cx)?;
            arena.sleep_on_bell(self.slot);
            found = claim.outcome()?;
        }
        Ok(found)
    }
}

/// Looks for the answer of a worker that is answering just now.
fn glance(claim: &Claim) -> Result<Option<Status>, Error> {
    let began = Instant::now();
    while began.elapsed() < GLANCE {
        for _ in 0..8 {
            std::hint::spin_loop();
            if let Some(status) = claim.outcome()? {
                return Ok(Some(status));
            }
        }
    }
    Ok(None)
}

impl Drop for AnswerWait {
    fn drop(&mut self) {
        self.place.leave(Want::Answer { slot: self.slot });
    }
}

/// Waits for a free slot.
pub(crate) struct LoanWait {
    place: Place,
}

impl LoanWait {
    pub(crate) fn new(waits: &Arc<Waits>, timeout: Option<Duration>) -> LoanWait {
        LoanWait { place: Place::new(waits, timeout) }
    }

    /// A slot. Those that ask first have theirs first.
    ///
    /// # Errors
    /// As [`AnswerWait::poll`].
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Claim, Error>> {
        self.look(cx).transpose().map_or(Poll::Pending, Poll::Ready)
    }

    fn look(&mut self, cx: &Context<'_>) -> Result<Option<Claim>, Error> {
        let waits = &self.place.waits;
        waits.arena().check_process()?;
        let looks = match self.place.ticket.map(|ticket| waits.turn(ticket)) {
            Some(Turn::Granted(claim)) => {
                self.place.ticket = None;
                return Ok(Some(claim));
            }
            Some(Turn::Queued) => false,
            // Whoever was woken without a slot sees for itself what is wrong.
            Some(Turn::Woken) => true,
            None => !waits.has_a_queue(),
        };
        if looks && let Some(claim) = waits.arena().try_loan(Look::Words)? {
            return Ok(Some(claim));
        }
        if waits.arena().when_full() == WhenFull::Reject {
            return Err(waits.arena().rejected());
        }
        let lacking = waits.lacking();
        self.place.wait(lacking, Want::Slot, cx)?;
        Ok(None)
    }
}

impl Drop for LoanWait {
    fn drop(&mut self) {
        if let Some(ticket) = self.place.ticket
            && self.place.leave(Want::Slot)
        {
            drop(self.place.waits.turn(ticket));
        }
    }
}

/// Waits for a record.
pub(crate) struct TakeWait {
    place: Place,
    what: &'static str,
}

impl TakeWait {
    pub(crate) fn new(waits: &Arc<Waits>, what: &'static str, timeout: Option<Duration>) -> TakeWait {
        TakeWait { place: Place::new(waits, timeout), what }
    }

    /// The record that was sent first.
    ///
    /// # Errors
    /// As [`AnswerWait::poll`].
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Claim, Error>> {
        self.look(cx).transpose().map_or(Poll::Pending, Poll::Ready)
    }

    fn look(&mut self, cx: &Context<'_>) -> Result<Option<Claim>, Error> {
        let arena = self.place.waits.arena();
        arena.check_process()?;
        if let Some(claim) = arena.try_take(Look::Words)? {
            self.place.leave(Want::Record);
            return Ok(Some(claim));
        }
        self.place.wait(self.what, Want::Record, cx)?;
        Ok(None)
    }
}

impl Drop for TakeWait {
    fn drop(&mut self) {
        if self.place.leave(Want::Record) {
            self.place.waits.pass_on();
        }
    }
}
