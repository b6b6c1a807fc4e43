//! A hold on one side of a slot: the permission to touch its bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Arena;

/// Which side of a slot is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The sender's or caller's.
    Sender,
    /// The receiver's or worker's.
    Receiver,
}

/// A hold on one side of a slot. Dropping it lets go, on any thread; in a forked child it does nothing.
pub(crate) struct Claim {
    arena: Arc<Arena>,
    slot: usize,
    generation: u64,
    side: Side,
    /// Cleared when the hold has passed to somebody else.
    held: AtomicBool,
}

impl Claim {
    /// Only the arena makes claims, after the compare-and-swap.
    #[inline]
    pub(super) fn new(arena: Arc<Arena>, slot: usize, generation: u64, side: Side) -> Claim {
        Claim { arena, slot, generation, side, held: AtomicBool::new(true) }
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
        self.held.load(Ordering::Relaxed)
    }

    /// Notes that this hold is no longer this process's, because a transition gave it away.
    #[inline]
    pub(super) fn settle(&self) {
        self.held.store(false, Ordering::Relaxed);
    }
}

impl Drop for Claim {
    #[inline]
    fn drop(&mut self) {
        if *self.held.get_mut() {
            self.arena.release(self.slot, self.side);
            if self.side == Side::Sender {
                self.arena.budget.give_back();
            }
        }
    }
}
