//! How many slots a client may hold at once, so that one that asks for all leaves some to the others.
//!
//! A client counts for itself, in its own memory: from the loan to the end of the last hold on the caller's side, be that
//! a reply or an alias of it. Waiting for a slot is then two waits: first for one of the budget, which only this client can
//! give back, and then, with that in hand, for a free slot, which anybody can.

use crate::sync::{AtomicU32, Ordering};
use crate::wait::Bell;

/// A client's budget of slots, and what it has spent of it.
pub(crate) struct Budget {
    /// `u32::MAX` when there is no bound; then nothing is counted.
    most: u32,
    held: AtomicU32,
    /// Rung when a slot is given back.
    bell: Bell,
}

impl Budget {
    /// The smaller of two bounds; 0 is none.
    pub(crate) fn new(own: u32, hosts: u32) -> Budget {
        let bound = |most: u32| if most == 0 { u32::MAX } else { most };
        Budget { most: bound(own).min(bound(hosts)), held: AtomicU32::new(0), bell: Bell::new() }
    }

    /// The most slots at once; `None` for no bound.
    #[inline]
    pub(crate) fn most(&self) -> Option<usize> {
        (self.most != u32::MAX).then_some(self.most as usize)
    }

    /// Takes one slot of it, if one is left.
    #[inline]
    pub(crate) fn try_spend(&self) -> bool {
        self.most().is_none() || self.spend()
    }

    fn spend(&self) -> bool {
        let mut held = self.held.load(Ordering::Relaxed);
        while held < self.most {
            match self.held.compare_exchange(held, held + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    // One ring wakes one sleeper; whoever finds more passes it on.
                    self.bell.ring_if(|| held + 1 < self.most);
                    return true;
                }
                Err(other) => held = other,
            }
        }
        false
    }

    /// Gives one slot back.
    #[inline]
    pub(crate) fn give_back(&self) {
        if self.most().is_some() {
            self.held.fetch_sub(1, Ordering::AcqRel);
            self.bell.ring();
        }
    }

    /// Whether one is left.
    pub(crate) fn is_left(&self) -> bool {
        self.held.load(Ordering::Acquire) < self.most
    }

    /// What a thread sleeps on that waits for one.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_two_bounds_counts() {
        let most = |own, hosts| Budget::new(own, hosts).most();
        assert_eq!([most(0, 0), most(3, 0), most(0, 2), most(3, 2)], [None, Some(3), Some(2), Some(2)]);
    }

    #[test]
    fn no_more_is_spent_than_there_is_and_what_was_given_back_is_spent_again() {
        let budget = Budget::new(2, 0);
        assert!(budget.try_spend() && budget.try_spend() && !budget.try_spend() && !budget.is_left());
        budget.give_back();
        assert!(budget.is_left() && budget.try_spend() && !budget.try_spend());
    }
}
