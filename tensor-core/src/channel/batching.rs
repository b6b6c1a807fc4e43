//! How a server gathers requests into runs.

use std::time::Duration;

use crate::arena::Gather;

/// How many requests a server takes at once, and how long it waits for them. A number stands for that many, and no wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Batching {
    pub(crate) max: usize,
    pub(crate) max_wait: Duration,
    pub(crate) gather: Gather,
}

impl Batching {
    /// At most `max` requests, of what is ready when the server looks.
    ///
    /// # Panics
    /// If `max` is 0.
    pub const fn up_to(max: usize) -> Batching {
        assert!(max > 0, "a run has at least one request");
        Batching { max, max_wait: Duration::ZERO, gather: Gather::Auto }
    }

    /// The longest that a run is waited for to get longer, since its first request was sent; not at all by default.
    pub const fn max_wait(self, wait: Duration) -> Batching {
        Batching { max_wait: wait, ..self }
    }

    /// Whether requests that do not lie side by side are copied together.
    pub const fn gather(self, gather: Gather) -> Batching {
        Batching { gather, ..self }
    }
}

impl From<usize> for Batching {
    fn from(max: usize) -> Batching {
        Batching::up_to(max)
    }
}
