//! Typed tensor records in shared memory.

extern crate self as tensorbridge;

#[doc(hidden)]
pub use tensor_core::__private;
pub use tensor_core::{Error, schema, view};
