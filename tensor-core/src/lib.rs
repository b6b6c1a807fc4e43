//! The runtime of tensorbridge: what a record is ([`schema`]), how a program touches one ([`view`]), and everything
//! that can go wrong ([`Error`]). Use it through the `tensorbridge` package.

mod arena;
mod error;
mod memory;
mod peer;
pub mod schema;
mod sync;
pub mod view;
mod wait;

#[doc(hidden)]
pub mod __private;

pub use error::{Error, ErrorRow, Full, Holder, RemoteError, SchemaMismatch};
