//! What the product's own benchmark has already: the other process, the limits of the machine, and many threads at once.

#[path = "../../../../support/crowd.rs"]
pub(crate) mod crowd;
#[path = "../../../../support/limits.rs"]
#[allow(dead_code)]
pub(crate) mod limits;
#[path = "../../../../support/peer.rs"]
pub(crate) mod peer;
pub(crate) mod stats;
