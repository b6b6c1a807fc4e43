//! The words of an arena that everybody reads and writes, as the lock-free code sees them.

use super::hints::Hints;
use crate::sync::{AtomicU32, AtomicU64};
use crate::wait::Bell;

/// Access to the shared words: those of a mapped arena, or those of a model.
pub(crate) trait Shared {
    /// Number of slots.
    fn slots(&self) -> usize;
    /// Whether a record is answered in its slot.
    fn is_service(&self) -> bool;
    /// The slot's word, the only authority on who may touch its bytes.
    fn word(&self, slot: usize) -> &AtomicU64;
    /// The order in which the slot's record was sent.
    fn ticket(&self, slot: usize) -> &AtomicU64;
    /// The next ticket.
    fn next_ticket(&self) -> &AtomicU64;
    /// Which slots may be free.
    fn free_hints(&self) -> Hints<'_>;
    /// Which slots may be ready.
    fn ready_hints(&self) -> Hints<'_>;
    /// Rung when a slot became ready.
    fn ready_bell(&self) -> &Bell;
    /// Rung when a slot became free.
    fn free_bell(&self) -> &Bell;
    /// Whether the slot's caller may sleep on the slot's word.
    fn caller_asleep(&self, slot: usize) -> &AtomicU32;
    /// Wakes the slot's caller.
    fn wake_caller(&self, slot: usize);
    /// Notes for the slot's caller that nobody will answer.
    fn note_worker_died(&self, slot: usize);
}
