//! A hold on one side of a slot: the permission to touch its bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Arena;

/// Which side of a slot is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Side {
    /// The sender's or caller's.
    Sender = 1,
    /// The receiver's or worker's.
    Receiver = 2,
}

/// A hold on one side of a slot. Dropping it lets go, on any thread; in a forked child it does nothing.
pub(crate) struct Claim {
    arena: Arc<Arena>,
    slot: usize,
    generation: u64,
    /// The [`Side`], or 0 when the hold has passed to somebody else. A whole word: results of claims are copied through memory, and
    /// a byte among the words would make each copy wait for the words to be written.
    held: AtomicU64,
}

impl Claim {
    /// Only the arena makes claims, after the compare-and-swap.
    #[inline]
    pub(super) fn new(arena: Arc<Arena>, slot: usize, generation: u64, side: Side) -> Claim {
        Claim { arena, slot, generation, held: AtomicU64::new(side as u64) }
    }

    #[inline]
    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    #[inline]
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Notes whether views of field `field` live, for whoever asks what pins the slot.
    pub(crate) fn note_alias(&self, field: usize, lives: bool) {
        let Some(bit) = 1u64.checked_shl(field as u32) else { return };
        let fields = &self.arena.aliased[self.slot];
        if lives {
            fields.fetch_or(bit, Ordering::Relaxed);
        } else {
            fields.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether the hold is still this process's.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed) != 0
    }

    /// Notes that this hold is no longer this process's, because a transition gave it away.
    #[inline]
    pub(super) fn settle(&self) {
        self.held.store(0, Ordering::Relaxed);
    }
}

impl Drop for Claim {
    #[inline]
    fn drop(&mut self) {
        match *self.held.get_mut() {
            0 => {}
            1 => {
                self.arena.release(self.slot, Side::Sender);
                self.arena.budget.give_back();
            }
            _ => self.arena.release(self.slot, Side::Receiver),
        }
    }
}
