//! Loaning a slot, and what is done when none is free.

use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::claim::{Claim, Side};
use super::header::RING_ORDER;
use super::mapped::Arena;
use super::ops;
use super::shared::Shared;
use super::transitions::store_if_new;
use super::word::Word;
use crate::error::Error;
use crate::memory::{Fetch, monotonic_ns};
use crate::sync::Ordering;
use crate::tally::Counter;
use crate::wait::Look;

/// What a loan waits for.
pub(crate) const SLOT: &str = "a free slot";

/// What a loan waits for while its client holds as many slots as it may.
pub(crate) const BUDGET: &str = "a slot of this client's own";

/// What a loan does when no slot is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Waits for one until its deadline, and then fails with [`Error::Full`].
    #[default]
    Block,
    /// Fails with [`Error::Full`] at once.
    Reject,
    /// Drops the record that was sent first, of those that nobody has received yet and of which its sender has no aliases, and
    /// uses its slot. When there is none, because all slots are being filled or read, it waits as [`WhenFull::Block`] does.
    /// Only in one-way channels: a request has a caller who waits for its answer.
    DropOldest,
}

/// On which terms a participant loans slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoanTerms {
    pub(crate) when_full: WhenFull,
    /// The most slots that this client holds at once; 0 for as many as there are. The host may allow fewer.
    pub(crate) max_slots: u32,
}

/// How many slots loans go round when a slot has `size` bytes: one, whose memory is warm, unless records are large. Whoever has
/// read a large record whole has it in a cache of its own, and writing there again takes each line from it. A few slots further on
/// that cache has let go of them, and they are still in the one that cores share.
pub(super) fn round(size: usize, slots: usize) -> usize {
    const LARGE: usize = 64 << 10;
    const SHARED: usize = 4 << 20;
    if size < LARGE { 1 } else { (SHARED / size).clamp(1, slots) }
}

impl Arena {
    /// The same arena on other terms.
    pub(crate) fn with_terms(mut self, terms: LoanTerms) -> Arena {
        // Whoever sends one way lets go of the slot with the record: there is nothing to count.
        let (own, hosts) =
            if self.reply.is_some() { (terms.max_slots, self.header.slots_per_client) } else { (0, 0) };
        self.budget = Budget::new(own, hosts);
        self.when_full = terms.when_full;
        self
    }

    /// What a loan does when no slot is free.
    #[inline]
    pub(crate) fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// How many slots this participant may hold as a client.
    #[inline]
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// How many records this participant has dropped for newer ones.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What a loan finds missing, where it does not wait.
    pub(crate) fn rejected(&self) -> Error {
        let what = if self.budget.is_left() { SLOT } else { BUDGET };
        Error::Timeout { what, after: Duration::ZERO }
    }

    /// A slot to fill within the budget, or `None`.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    #[inline(always)]
    pub(crate) fn try_loan(self: &Arc<Self>, look: Look) -> Result<Option<Claim>, Error> {
        if !self.budget.try_spend() {
            self.check_process()?;
            return Ok(None);
        }
        let loaned = self.try_loan_spent(look);
        if !matches!(loaned, Ok(Some(_))) {
            self.budget.give_back();
        }
        loaned
    }

    /// As [`Arena::try_loan`], when one slot of the budget was taken for it; without a slot, that is the caller's still.
    ///
    /// # Errors
    /// As [`Arena::try_loan`].
    #[inline(always)]
    pub(crate) fn try_loan_spent(self: &Arc<Self>, look: Look) -> Result<Option<Claim>, Error> {
        self.check_process()?;
        let found = match self.when_full {
            // Nothing is dropped because of what hints say.
            WhenFull::DropOldest => self.loan_free(Look::Words).or_else(|| self.loan_oldest()),
            _ => self.loan_free(look),
        };
        let Some((slot, word)) = found else { return Ok(None) };
        let claim = self.claim(slot, word, Side::Sender, monotonic_ns())?;
        let block = self.control().block(slot);
        store_if_new(&block.sender_fields, 0);
        store_if_new(&block.receiver_fields, 0);
        // Of no trace, until its holder says so.
        store_if_new(&block.trace[3], 0);
        Ok(Some(claim))
    }

    #[inline]
    fn loan_free(&self, look: Look) -> Option<(usize, Word)> {
        let (control, me) = (self.control(), self.me);
        if self.header.flags & RING_ORDER != 0 {
            let cursor = control.loan_cursor();
            let found = ops::loan(control, me, cursor.load(Ordering::Relaxed) as usize, look);
            if let Some((slot, _)) = found {
                cursor.store(slot as u64 + 1, Ordering::Relaxed);
                self.fetch_ahead(slot);
            }
            found
        } else {
            let recent = self.recent.pop().and_then(|slot| ops::loan_slot(control, me, slot));
            if recent.is_some() {
                return recent;
            }
            // Two threads may see the same slot here; the word decides who has it.
            let warm = self.warm.load(Ordering::Relaxed) as usize;
            let start = warm.checked_sub(1).unwrap_or(usize::from(me));
            let hot = (warm > 0).then(|| ops::loan_slot(control, me, start)).flatten();
            let found = hot.or_else(|| ops::loan(control, me, start, look));
            if let Some((slot, _)) = found {
                // Until one is given back, the next is looked for beside this one, and not past all that are in use.
                let end = if self.round > 1 && slot < self.round { self.round } else { self.slots() };
                let beside = if slot + 1 == end { 0 } else { slot + 1 };
                self.warm.store(beside as u32 + 1, Ordering::Relaxed);
            }
            found
        }
    }

    /// Whoever read a slot last has its line. Of one that is loaned soon it is fetched while those before it are filled.
    #[inline]
    fn fetch_ahead(&self, slot: usize) {
        const AHEAD: usize = 8;
        let (control, next) = (self.control(), slot + AHEAD);
        let next = if next < self.slots() { next } else { next.saturating_sub(self.slots()) };
        if control.free_hints().has(next) {
            control.fetch(next);
            self.fetch_record(next, Fetch::ToWrite);
        }
    }

    fn loan_oldest(&self) -> Option<(usize, Word)> {
        let (slot, word) = ops::supplant_oldest(self.control(), self.me)?;
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.tally().count(Counter::Dropped, 1);
        if self.header.flags & RING_ORDER != 0 {
            self.control().loan_cursor().store(slot as u64 + 1, Ordering::Relaxed);
        }
        Some((slot, word))
    }
}
