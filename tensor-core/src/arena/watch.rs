//! How a receiver that spins learns that looking is worth while.
//!
//! Looking at every slot's word all the time would take each line from the sender that is just filling it: a loan, the lengths
//! and the send would each have to fetch it back. So whoever spins watches one word, which each sender writes after its record is ready, and
//! looks at the slots when that changes. As with all hints no verdict comes from it: it may be missing,
//! because its writer was killed, so every [`BLIND`]th look is at the slots whatever it says.

use super::Arena;
use super::shared::Shared;
use crate::sync::Ordering;
use crate::wait::Look;

/// So many looks in a row are at the watched word alone.
const BLIND: u32 = 64;

/// One receiver's watch.
pub(crate) struct Watch<'a> {
    arena: &'a Arena,
    seen: Option<u64>,
    blind: u32,
}

impl Watch<'_> {
    /// Whether to look at the slots now: surely when one became ready since the last time.
    #[inline]
    pub(crate) fn calls_for(&mut self, look: Look) -> bool {
        let latest = self.arena.control().latest().load(Ordering::Acquire);
        let calls = look == Look::Words || self.seen != Some(latest) || self.blind == BLIND;
        self.seen = Some(latest);
        self.blind = if calls { 0 } else { self.blind + 1 };
        calls
    }
}

impl Arena {
    /// A watch that calls for a look at once.
    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch { arena: self, seen: None, blind: 0 }
    }

    /// Tells those who watch that a slot was sent.
    #[inline]
    pub(super) fn show_sent(&self, slot: usize) {
        let ticket = self.control().ticket(slot).load(Ordering::Relaxed);
        self.control().latest().store(ticket, Ordering::Release);
    }

    /// Tells those who watch that slots are ready again.
    pub(super) fn show_again(&self) {
        self.control().latest().fetch_xor(1 << 63, Ordering::AcqRel);
    }
}
