//! Memory of a server's own, where requests that do not lie side by side are copied together.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use crate::arena::{Arena, Half};
use crate::error::Error;
use crate::view::{Heap, RawParts};

/// Memory for a run of requests and their replies.
pub(crate) struct Scratch {
    heap: Heap,
    records: usize,
    /// Where the columns of the reply begin.
    first_reply: usize,
}

impl Scratch {
    fn new(arena: &Arena, records: usize) -> Result<Scratch, Error> {
        let (mut columns, end) = arena.part(Half::Request).schema.columns(records, 0)?;
        let (replies, size) = arena.part(Half::Reply).schema.columns(records, end)?;
        let first_reply = columns.len();
        columns.extend(replies);
        Ok(Scratch { heap: Heap::zeroed(columns, size)?, records, first_reply })
    }

    /// Record `row` of it.
    ///
    /// # Safety
    /// The contract of [`Heap::parts`].
    pub(crate) unsafe fn parts(&self, half: Half, row: usize) -> RawParts {
        assert!(row < self.records, "record {row} of {}", self.records);
        let first = if half == Half::Request { 0 } else { self.first_reply };
        // SAFETY: passed on to the caller.
        unsafe { self.heap.parts(first, row) }
    }
}

/// The memory that a server uses again and again, while nothing leads to it.
#[derive(Default)]
pub(crate) struct Scratches {
    last: Mutex<Option<Arc<Scratch>>>,
}

impl Scratches {
    /// Memory for `records` records of each half that nobody else uses.
    ///
    /// # Errors
    /// [`Error::InvalidSchema`] when it exceeds the address space; [`Error::OutOfMemory`].
    pub(crate) fn take(&self, arena: &Arena, records: usize) -> Result<Arc<Scratch>, Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scratch) = &*last
            && Arc::strong_count(scratch) == 1
            && scratch.records >= records
        {
            // What others did with it before they let go has happened before it is used again.
            fence(Ordering::Acquire);
            return Ok(Arc::clone(scratch));
        }
        let scratch = Arc::new(Scratch::new(arena, records)?);
        *last = Some(Arc::clone(&scratch));
        Ok(scratch)
    }
}
