//! What the holder of a slot can do with it, and what that leaves behind for the other side.

use std::ptr::NonNull;
use std::time::Duration;

use super::claim::{Claim, Side};
use super::header::RING_ORDER;
use super::mapped::{Half, Place, Status};
use super::ops;
use super::shared::Shared;
use super::word::{Phase, Word};
use crate::error::{Error, RemoteError};
use crate::memory::{monotonic_ns, precise_monotonic_ns};
use crate::sync::{AtomicU64, Ordering};
use crate::tally::Counter;

impl Claim {
    /// Where a record of the slot is.
    #[inline]
    pub(crate) fn place(&self, half: Half) -> Place {
        let columns = &self.arena().part(half).columns;
        Place {
            base: self.arena().data.base(),
            columns: NonNull::from(&**columns).cast(),
            index: self.slot(),
        }
    }

    #[inline]
    fn write_record(&self, half: Half, presence: u64, dims: impl Fn(usize) -> Option<u64>) {
        let arena = self.arena();
        let block = arena.control.block(self.slot());
        let (word, first) = match half {
            Half::Request => (&block.request_presence, 0),
            Half::Reply => (&block.reply_presence, arena.request.schema.dims().len()),
        };
        word.store(presence, Ordering::Relaxed);
        for dim in 0..arena.part(half).schema.dims().len() {
            let length = dims(dim).unwrap_or(u64::MAX);
            arena.control.dim(self.slot(), first + dim).store(length, Ordering::Relaxed);
        }
    }

    /// What the other side states of a record: presence bits, and a function for its dimensions. Read once.
    #[inline]
    pub(crate) fn read_record(&self, half: Half) -> (u64, impl Fn(usize) -> u64 + '_) {
        let arena = self.arena();
        let block = arena.control.block(self.slot());
        let (word, first) = match half {
            Half::Request => (&block.request_presence, 0),
            Half::Reply => (&block.reply_presence, arena.request.schema.dims().len()),
        };
        let presence = word.load(Ordering::Relaxed);
        (presence, move |dim| arena.control.dim(self.slot(), first + dim).load(Ordering::Relaxed))
    }

    /// LOANED -> READY. With `keep_hold` the claim stays good: for a call, or while aliases live. `aliased` are the
    /// fields that do, one bit each. `timeout` is how long the answer will be waited for; no worker begins with the
    /// request later than that.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    #[inline]
    pub(crate) fn publish(
        &self,
        presence: u64,
        dims: impl Fn(usize) -> Option<u64>,
        keep_hold: bool,
        aliased: u64,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let arena = self.arena();
        arena.check_process()?;
        self.write_record(Half::Request, presence, dims);
        let block = arena.control.block(self.slot());
        block.attempts.store(0, Ordering::Relaxed);
        block.note_only(0);
        arena.clear_reply(self.slot());
        store_if_new(&block.deadline, timeout.map_or(0, deadline_after));
        store_if_new(&block.sender_fields, aliased);
        // A batch of requests waits for others until its first one has waited long enough.
        if arena.header.flags & RING_ORDER != 0 && arena.reply.is_some() {
            block.sent.store(precise_monotonic_ns(), Ordering::Relaxed);
        }
        self.hand_over(keep_hold, || ops::publish(&arena.control, arena.me, self.slot(), keep_hold))?;
        arena.show_sent(self.slot());
        Ok(())
    }

    /// TAKEN -> DONE with a reply.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn answer(
        &self,
        presence: u64,
        dims: impl Fn(usize) -> Option<u64>,
        keep_hold: bool,
        aliased: u64,
    ) -> Result<(), Error> {
        // Before anything is written: what a forked child says must change nothing.
        self.arena().check_process()?;
        self.write_record(Half::Reply, presence, dims);
        self.finish(Status::Answered, keep_hold, aliased)
    }

    /// TAKEN -> DONE in a one-way channel, while aliases of the record live on: it was received for good, so that it is not
    /// handed to another receiver when this process ends. `aliased` are their fields, one bit each.
    pub(crate) fn received(&self, aliased: u64) {
        // A refusal means that a peer changed the word; letting go reports it.
        let _ = self.finish(Status::Answered, true, aliased);
    }

    /// TAKEN -> DONE with a failure.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn fail(&self, failure: &RemoteError, keep_hold: bool, aliased: u64) -> Result<(), Error> {
        self.arena().check_process()?;
        self.arena().write_failure(self.slot(), failure);
        self.finish(Status::Failed, keep_hold, aliased)
    }

    /// Whether the caller of this request has given up at `now`, or is about to.
    #[inline]
    pub(super) fn is_expired(&self, now: u64) -> bool {
        let deadline = self.arena().control.block(self.slot()).deadline.load(Ordering::Relaxed);
        deadline != 0 && deadline <= now
    }

    /// How long the caller of this request goes on waiting; `None` for ever.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let deadline = self.arena().control.block(self.slot()).deadline.load(Ordering::Relaxed);
        (deadline != 0).then(|| Duration::from_nanos(deadline.saturating_sub(monotonic_ns())))
    }

    /// TAKEN -> DONE without an answer, because nobody waits for one.
    pub(super) fn expire(&self) -> Result<(), Error> {
        self.finish(Status::Expired, false, 0)
    }

    /// TAKEN -> DONE with what is wrong with the request, which a peer garbled: its caller is told, others' are untouched.
    pub(crate) fn refuse(&self, wrong: &Error) {
        let (type_name, message) = (wrong.name().to_owned(), wrong.to_string());
        // If this fails too, letting go reports it.
        let _ = self.fail(&RemoteError { type_name, message, traceback: String::new() }, false, 0);
    }

    fn finish(&self, status: Status, keep_hold: bool, aliased: u64) -> Result<(), Error> {
        let arena = self.arena();
        arena.check_process()?;
        let block = arena.control.block(self.slot());
        block.status.store(status as u32, Ordering::Relaxed);
        store_if_new(&block.receiver_fields, aliased);
        let taken = arena.takes.end(self.slot());
        self.hand_over(keep_hold, || {
            ops::let_go(&arena.control, self.slot(), |word| word.finish(arena.me, keep_hold))
        })?;
        let how = match status {
            Status::Answered => Counter::EndedAlone,
            Status::Failed => Counter::Failed,
            Status::WorkerDied | Status::Dropped => Counter::Dropped,
            Status::Expired => Counter::Expired,
        };
        taken.count(arena.tally(), how, precise_monotonic_ns);
        Ok(())
    }

    /// Runs a transition that, unless `keep_hold`, gives this claim's hold away. A hold that is kept is kept even when a
    /// hostile word refuses the transition: aliases of the slot may live.
    #[inline]
    fn hand_over(
        &self,
        keep_hold: bool,
        transition: impl FnOnce() -> Result<Word, Word>,
    ) -> Result<(), Error> {
        let arena = self.arena();
        if !keep_hold {
            // Before the transition: after it another thread of this process may claim the slot.
            arena.claimed[self.slot()].store(0, Ordering::Release);
            self.settle();
        }
        transition().map(|_| ()).map_err(|word| arena.corrupt(self.slot(), word))
    }

    /// How the call ended, or `None` while it has not.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the slot is no longer this caller's.
    #[inline]
    pub(crate) fn outcome(&self) -> Result<Option<Status>, Error> {
        let arena = self.arena();
        let word = Word(arena.control.word(self.slot()).load(Ordering::Acquire));
        let mine = word.sender() == arena.me && word.generation() == self.generation();
        match word.phase() {
            Some(Phase::Ready | Phase::Taken) if mine => Ok(None),
            Some(Phase::Done) if mine => {
                match arena.control.block(self.slot()).status.load(Ordering::Relaxed) {
                    0 => Ok(Some(Status::Answered)),
                    1 => Ok(Some(Status::Failed)),
                    2 => Ok(Some(Status::WorkerDied)),
                    3 => Ok(Some(Status::Dropped)),
                    4 => Ok(Some(Status::Expired)),
                    other => Err(arena.corrupted(format!("the status of slot {} is {other}", self.slot()))),
                }
            }
            _ => Err(arena.corrupt(self.slot(), word)),
        }
    }

    /// Counts the answer: its caller has it, and holds the slot still.
    #[inline]
    pub(crate) fn note_answer(&self) {
        self.arena().note_answer(self.slot());
    }

    /// The caller gives up, while aliases may live on: a request that nobody took is withdrawn.
    pub(crate) fn leave(&self) {
        let arena = self.arena();
        // A refusal means that a peer changed the word; letting go reports it.
        let _ = ops::step(&arena.control, self.slot(), |word| word.leave(arena.me));
    }

    /// From here on the request may not be handed to another worker.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub(crate) fn mark_not_repeatable(&self) -> Result<(), Error> {
        let arena = self.arena();
        ops::step(&arena.control, self.slot(), |word| word.mark_not_repeatable(arena.me))
            .map(|_| ())
            .map_err(|word| arena.corrupt(self.slot(), word))
    }

    /// How many workers have died with the request alone, and whether one of them may have changed it.
    pub(crate) fn attempts(&self) -> (u32, bool) {
        let control = &self.arena().control;
        let word = Word(control.word(self.slot()).load(Ordering::Acquire));
        (control.block(self.slot()).attempts.load(Ordering::Relaxed), word.not_repeatable())
    }

    /// TAKEN -> READY: the request is another's to take, as if it had never been taken.
    pub(crate) fn put_back(&self) {
        let arena = self.arena();
        if arena.check_process().is_err() {
            return;
        }
        // Before the transition: after it another thread of this process may claim the slot.
        arena.takes.end(self.slot());
        arena.claimed[self.slot()].store(0, Ordering::Release);
        self.settle();
        match ops::step(&arena.control, self.slot(), |word| word.redeliver(arena.me)) {
            Ok(_) => {
                ops::announce_ready(&arena.control, self.slot());
                arena.show_again();
            }
            // Nobody waits for the answer any more.
            Err(_) => arena.release(self.slot(), Side::Receiver),
        }
    }

    /// The failure that the worker left.
    pub(crate) fn failure(&self) -> RemoteError {
        self.arena().read_failure(self.slot())
    }
}

/// The moment `timeout` from now on the monotonic clock. That clock is coarse, so a tick is added: the moment never
/// comes before the caller gives up.
fn deadline_after(timeout: Duration) -> u64 {
    const TICK: u64 = 10_000_000;
    let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    (monotonic_ns() + TICK).saturating_add(timeout)
}

/// Stores a value that is almost always there already, without taking the cache line from whoever reads it.
#[inline]
pub(super) fn store_if_new(word: &AtomicU64, value: u64) {
    if word.load(Ordering::Relaxed) != value {
        word.store(value, Ordering::Relaxed);
    }
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::testing::{SENDER, three};
    use super::*;
    use crate::wait::Look;

    #[test]
    fn a_hold_that_a_hostile_word_disputes_is_kept_while_aliases_live() {
        let [_host, sender, _] = three(false, 0);
        let claim = sender.try_loan(Look::Words).unwrap().unwrap();
        sender.control().word(claim.slot()).store(0, Ordering::Release);
        assert!(claim.publish(1, |_| None, true, 1, None).is_err());
        // The word says that the slot is free, but this process has aliases of it.
        let again = ops::loan_slot(sender.control(), SENDER, claim.slot()).map(drop);
        sender.control().word(claim.slot()).store(0, Ordering::Release);
        assert!(again.is_some());
        for _ in 0..20 {
            if let Ok(Some(other)) = sender.try_loan(Look::Words) {
                assert_ne!(other.slot(), claim.slot());
                std::mem::forget(other);
            }
        }
    }

    #[test]
    fn what_a_forked_child_says_changes_nothing() {
        let [_host, client, worker] = three(true, 0);
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        call.publish(1, |_| None, true, 0, None).unwrap();
        let taken = worker.try_take(Look::Words).unwrap().unwrap();
        let failure =
            RemoteError { type_name: "a child".to_owned(), message: String::new(), traceback: String::new() };
        // SAFETY: the child calls nothing that could wait for a lock of another thread, and ends without unwinding.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let refused = matches!(taken.answer(1, |_| None, false, 0), Err(Error::Forked))
                && matches!(taken.fail(&failure, false, 0), Err(Error::Forked));
            // SAFETY: nothing of the parent's is run.
            unsafe { libc::_exit(i32::from(!refused)) };
        }
        let mut status = -1;
        // SAFETY: the status goes to a local variable.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(taken.read_record(Half::Reply).0, 0);
        assert_eq!(taken.failure().type_name, "");
        assert_eq!(call.outcome().unwrap(), None);
    }
}
