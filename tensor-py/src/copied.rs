//! How many bytes were copied on the way into and out of records, and why. Aliases count nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use tensor_core::dynamic::{DynRecord, FieldView};
pub(crate) use tensor_core::metrics::CopyReason as Reason;

/// The bytes of each reason that this process has copied, whatever the arena.
static BYTES: [AtomicU64; Reason::ALL.len()] = [const { AtomicU64::new(0) }; Reason::ALL.len()];

/// What bytes are copied into or out of.
pub(crate) trait Place {
    /// Counts them in the metrics of its arena.
    fn note_copied(&self, reason: Reason, bytes: usize);
}

impl Place for FieldView {
    fn note_copied(&self, reason: Reason, bytes: usize) {
        self.note_copied(reason, bytes);
    }
}

impl Place for DynRecord {
    fn note_copied(&self, reason: Reason, bytes: usize) {
        self.note_copied(reason, bytes);
    }
}

/// Notes that `bytes` were copied into or out of `place`.
#[inline]
pub(crate) fn count(place: &impl Place, reason: Reason, bytes: usize) {
    if bytes > 0 {
        note(reason, bytes);
        place.note_copied(reason, bytes);
    }
}

/// The same of bytes that are in the arena's metrics already.
#[inline]
pub(crate) fn note(reason: Reason, bytes: usize) {
    // Every call comes here, and most copy nothing.
    if bytes > 0 {
        BYTES[reason as usize].fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The totals of this process so far, by reason.
pub(crate) fn totals() -> impl Iterator<Item = (&'static str, u64)> {
    Reason::ALL.iter().map(|reason| (reason.name(), BYTES[*reason as usize].load(Ordering::Relaxed)))
}
