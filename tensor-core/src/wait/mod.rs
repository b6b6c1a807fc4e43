//! Waiting without losing a wake-up, without outliving a deadline, and without trusting a peer to wake anybody.

mod bell;
#[cfg(not(loom))]
mod futex;
mod patience;

pub(crate) use bell::Bell;
#[cfg(not(loom))]
pub(crate) use futex::{ExpectedWord, MOST_WORDS, futex_wait, futex_wait_any, futex_wake};
pub use patience::WaitStrategy;
pub(crate) use patience::{Look, Patience, SLICE, Sleep, wait_for};
#[cfg(not(loom))]
pub(crate) use patience::{NAP, Often};
