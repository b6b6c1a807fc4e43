//! What the benchmarks share.

pub(crate) mod awaited;
pub(crate) mod batching;
pub(crate) mod callers;
pub(crate) mod crowd;
pub(crate) mod limits;
pub(crate) mod models;
pub(crate) mod open;
pub(crate) mod peer;
pub(crate) mod plot;
pub(crate) mod pool;
pub(crate) mod runs;
pub(crate) mod stats;
