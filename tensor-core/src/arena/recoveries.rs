//! What a host has done for the dead, counted.

use super::Arena;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a host has done for participants that died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recoveries {
    /// Participants that died while they were attached.
    pub deaths: u64,
    /// Records that a dead receiver or worker had taken and that were handed out again.
    pub redelivered: u64,
    /// Requests that a dead worker had taken and that nobody else may answer: their callers got
    /// [`Error::WorkerDied`](crate::Error::WorkerDied).
    pub given_up: u64,
}

/// The counts as the host's thread adds to them.
#[derive(Default)]
pub(super) struct RecoveryCounts {
    pub(super) deaths: AtomicU64,
    pub(super) redelivered: AtomicU64,
    pub(super) given_up: AtomicU64,
}

impl RecoveryCounts {
    pub(super) fn read(&self) -> Recoveries {
        Recoveries {
            deaths: self.deaths.load(Ordering::Relaxed),
            redelivered: self.redelivered.load(Ordering::Relaxed),
            given_up: self.given_up.load(Ordering::Relaxed),
        }
    }
}

impl Arena {
    /// What this host has done for the dead so far.
    pub(crate) fn recoveries(&self) -> Recoveries {
        self.recoveries.read()
    }
}
