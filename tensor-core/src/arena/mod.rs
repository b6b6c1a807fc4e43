//! Slots of shared memory and who may touch them.
//!
//! DATA holds the columns; CONTROL holds a word for each slot, which is the only authority. This module keeps one
//! promise for the rest: while a [`Claim`] lives, the bytes of its slot are this process's to touch, and when it is
//! dropped they are somebody else's.

mod claim;
mod control;
mod header;
mod hints;
mod holders;
mod layout;
mod mapped;
mod ops;
mod recovery;
mod shared;
mod word;

pub(crate) use claim::Claim;
pub(crate) use header::{MUTATES_REQUEST, RING_ORDER, SPARSE};
pub(crate) use layout::{ABI, Plan, SLOTS};
pub(crate) use mapped::{Arena, Expected, Half, Status, has_ended};
pub(crate) use word::ParticipantId;
