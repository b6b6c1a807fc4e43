//! Slots of shared memory and who may touch them.
//!
//! DATA holds the columns; CONTROL holds a word for each slot, which is the only authority. This module keeps one
//! promise for the rest: while a [`Claim`] lives, the bytes of its slot are this process's to touch, and when it is
//! dropped they are somebody else's.

#[cfg(connects)]
mod attach;
mod budget;
#[cfg(not(loom))]
mod census;
#[cfg(not(loom))]
mod claim;
#[cfg(not(loom))]
mod control;
#[cfg(not(loom))]
mod exclusive;
#[cfg(not(loom))]
mod failure;
#[cfg(all(any(test, fuzzing), connects))]
pub(crate) mod fuzz;
mod gather;
mod grow;
#[cfg(not(loom))]
mod header;
mod hints;
#[cfg(not(loom))]
mod holders;
#[cfg(not(loom))]
mod layout;
#[cfg(not(loom))]
mod loan;
#[cfg(not(loom))]
mod mapped;
#[cfg(all(test, loom))]
mod model;
#[cfg(not(loom))]
mod next_run;
mod ops;
mod queue;
#[cfg(not(loom))]
mod recent;
#[cfg(not(loom))]
mod recording;
#[cfg(not(loom))]
mod recoveries;
#[cfg(connects)]
mod recovery;
#[cfg(not(loom))]
mod run;
#[cfg(any(connects, loom))]
mod settle;
mod shared;
#[cfg(all(test, connects))]
mod testing;
mod ticket;
#[cfg(not(loom))]
mod trace;
#[cfg(not(loom))]
mod transitions;
#[cfg(not(loom))]
mod watch;
mod word;

#[cfg(connects)]
pub(crate) use layout::ABI;
#[cfg(not(loom))]
pub(crate) use {
    claim::Claim,
    header::{MUTATES_REQUEST, RING_ORDER, SPARSE},
    layout::{Plan, SLOTS},
    loan::{BUDGET, LoanTerms, SLOT},
    mapped::{Arena, Expected, Half, MAX_ATTEMPTS, Part, Status},
    run::ClaimRun,
    word::ParticipantId,
};
#[cfg(not(loom))]
pub use {gather::Gather, holders::Pin, loan::WhenFull, recoveries::Recoveries};
