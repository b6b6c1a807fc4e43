//! What the participants of an arena count and measure, as words of CONTROL.
//!
//! An arena has a few rows of such words, and each participant adds to the one that its number leads to. They are added to
//! with relaxed read-modify-writes, so that threads, processes and those that come after them may share a row: nothing is
//! lost when one of them dies, and there is nothing to clean up. Whoever reads adds the rows up. No word decides
//! anything: a peer that scribbles over them spoils numbers for people, and nothing else.

mod buckets;
mod pace;
mod row;
mod takes;

pub(crate) use buckets::Buckets;
#[cfg(test)]
pub(crate) use buckets::{SIZES, TIMES};
pub(crate) use pace::Pace;
pub(crate) use row::{Counter, ROW_SIZE, ROW_WORDS, ROWS, Row, Scale};
pub(crate) use takes::Takes;

pub use row::CopyReason;
