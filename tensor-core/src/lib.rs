//! The runtime of tensorbridge: what a record is ([`schema`]), how a program touches one ([`view`]), and everything
//! that can go wrong ([`Error`]). Use it through the `tensorbridge` package.

// What only connecting needs is unused where nothing connects.
#![cfg_attr(not(connects), allow(dead_code, unused_imports))]

mod arena;
#[cfg(not(loom))]
pub mod channel;
#[cfg(not(loom))]
pub mod describe;
#[cfg(not(loom))]
#[doc(hidden)]
pub mod dynamic;
mod error;
#[cfg(all(any(test, fuzzing), connects))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(not(loom))]
mod memory;
#[cfg(not(loom))]
pub mod metrics;
#[cfg(not(loom))]
mod peer;
pub mod schema;
#[cfg(not(loom))]
pub mod service;
mod sync;
#[cfg(not(loom))]
mod tally;
pub mod trace;
pub mod view;
mod wait;
#[cfg(not(loom))]
mod waiter;

#[cfg(tensorbridge_crash)]
#[doc(hidden)]
pub use sync::crash;

#[doc(hidden)]
pub mod __private;

#[cfg(not(loom))]
pub use arena::{Pin, Recoveries};
pub use error::{Error, ErrorRow, Full, Holder, RemoteError, SchemaMismatch};
#[cfg(not(loom))]
pub use peer::meeting_directory;
pub use wait::WaitStrategy;
