//! Memory that several processes share: sealed memfds, mapped once, and the flag that a fork wipes.

mod available;
mod fork;
mod segment;

pub(crate) use fork::ForkFlag;
pub(crate) use segment::{Segment, SegmentOptions};
