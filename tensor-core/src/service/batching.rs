//! How a server gathers requests into runs.

use std::time::Duration;

/// How many requests a server takes at once, and how long it waits for them. A number stands for that many, and no wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Batching {
    pub(super) max: usize,
    pub(super) max_wait: Duration,
}

impl Batching {
    /// At most `max` requests, of what is ready when the server looks.
    ///
    /// # Panics
    /// If `max` is 0.
    pub const fn up_to(max: usize) -> Batching {
        assert!(max > 0, "a run has at least one request");
        Batching { max, max_wait: Duration::ZERO }
    }

    /// The longest that a run is waited for to get longer, since its first request was sent; not at all by default.
    pub const fn max_wait(self, wait: Duration) -> Batching {
        Batching { max_wait: wait, ..self }
    }
}

impl From<usize> for Batching {
    fn from(max: usize) -> Batching {
        Batching::up_to(max)
    }
}
