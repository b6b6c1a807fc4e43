//! What a program sees of a record: typed access to its fields.
//!
//! [`RawView`] is the one place where an address becomes a slice. It is unsized whenever a program can reach it by a
//! `&mut`, so that two views cannot be exchanged and parted from the memory they belong to.

pub(crate) mod fill;
mod heap;
pub(crate) mod nested;
mod owned;
mod raw;
mod record;
mod row;
pub(crate) mod run;

pub(crate) use heap::Heap;
pub use owned::Owned;
pub(crate) use raw::RawParts;
pub use raw::RawView;
pub use record::Record;
pub use row::RowMut;
pub use run::RawRun;
