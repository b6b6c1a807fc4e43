//! The words of an arena that everybody reads and writes, as the lock-free code sees them.

use super::hints::Hints;
use super::word::ParticipantId;
use crate::sync::{AtomicU32, AtomicU64};
use crate::wait::Bell;

/// A caller that may sleep on its slot's word.
pub(crate) const ON_WORD: u32 = 1;

/// A caller that may sleep on its participant's bell, on which it waits for other calls too.
pub(crate) const ON_BELL: u32 = 2;

/// Access to the shared words: those of a mapped arena, or those of a model.
pub(crate) trait Shared {
    /// Number of slots.
    fn slots(&self) -> usize;
    /// Whether a record is answered in its slot.
    fn is_service(&self) -> bool;
    /// The slot's word, the only authority on who may touch its bytes.
    fn word(&self, slot: usize) -> &AtomicU64;
    /// Begins to fetch the slot's line for writing; many are then under way at once, while swaps would wait for one after the
    /// other.
    fn fetch(&self, _slot: usize) {}
    /// As [`Shared::fetch`] for all slots that may be ready, unless they are more than `most`.
    fn fetch_ready(&self, _most: usize) {}
    /// The order in which the slot's record was sent.
    fn ticket(&self, slot: usize) -> &AtomicU64;
    /// The next ticket.
    fn next_ticket(&self) -> &AtomicU64;
    /// Whether the record of the slot is timed that has just drawn a ticket, see [`Ticket::new`](super::ticket::Ticket::new).
    fn time(&self, slot: usize, counter: u64) -> Option<u32> {
        let _ = (slot, counter);
        None
    }
    /// Which slots may be free.
    fn free_hints(&self) -> Hints<'_>;
    /// Which slots may be ready.
    fn ready_hints(&self) -> Hints<'_>;
    /// Which answered calls may have an asynchronous caller that has not seen it.
    fn answered_hints(&self) -> Hints<'_>;
    /// Rung when a slot became ready.
    fn ready_bell(&self) -> &Bell;
    /// Rung when a slot became free.
    fn free_bell(&self) -> &Bell;
    /// Rung when a call of this participant was answered that it waits for together with others; `None` for a number that
    /// nobody can have.
    fn participant_bell(&self, id: ParticipantId) -> Option<&Bell>;
    /// How the slot's caller may sleep: [`ON_WORD`] or [`ON_BELL`]; 0 while it does not.
    fn caller_asleep(&self, slot: usize) -> &AtomicU32;
    /// Wakes a caller that sleeps on its slot's word.
    fn wake_caller(&self, slot: usize);
    /// Notes for the slot's caller that nobody will answer.
    fn note_worker_died(&self, slot: usize);
}
