//! How many bytes were copied on the way into and out of records, and why. Aliases count nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why bytes were copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A value was assigned to a field: the one copy that brings foreign data into a record.
    Assigned,
    /// The consumer asked for a copy: `torch.from_dlpack(field, copy=True)`.
    Requested,
    /// Records of a run are of different lengths, or lack a field: what was written where they have nothing.
    Padded,
    /// TensorFlow or JAX cannot use memory at this address.
    Alignment,
    /// TensorFlow or JAX cannot use rows that are apart.
    Strides,
    /// The framework lacks the dtype, or is set up not to use it.
    DType,
}

const REASONS: [(Reason, &str); 6] = [
    (Reason::Assigned, "assigned"),
    (Reason::Requested, "requested"),
    (Reason::Padded, "padded"),
    (Reason::Alignment, "alignment"),
    (Reason::Strides, "strides"),
    (Reason::DType, "dtype"),
];

static BYTES: [AtomicU64; REASONS.len()] = [const { AtomicU64::new(0) }; REASONS.len()];

/// Notes that `bytes` were copied.
pub(crate) fn count(reason: Reason, bytes: usize) {
    BYTES[reason as usize].fetch_add(bytes as u64, Ordering::Relaxed);
}

/// The totals of this process so far, by reason.
pub(crate) fn totals() -> impl Iterator<Item = (&'static str, u64)> {
    REASONS.iter().map(|(reason, name)| (*name, BYTES[*reason as usize].load(Ordering::Relaxed)))
}
