//! What the product's own benchmark has already: the other process, and the limits of the machine.

#[path = "../../../../support/limits.rs"]
#[allow(dead_code)]
pub(crate) mod limits;
#[path = "../../../../support/peer.rs"]
pub(crate) mod peer;
pub(crate) mod stats;
