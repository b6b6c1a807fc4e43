//! Columns of records in this process's own memory.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use super::RawParts;
use crate::error::Error;
use crate::schema::{COLUMN_ALIGN, Column};

/// Columns of this process's own.
pub(crate) struct Heap {
    base: NonNull<u8>,
    layout: Layout,
    columns: Box<[Column]>,
}

// SAFETY: a `Heap` owns its memory; nothing in it is tied to a thread.
unsafe impl Send for Heap {}
// SAFETY: what `&Heap` reads of itself never changes, and whoever writes through `parts` vouches that nobody else touches those bytes.
unsafe impl Sync for Heap {}

impl Heap {
    /// `size` zeroed bytes for these columns.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]: how many records there are is the program's to say, or a peer's.
    pub(crate) fn zeroed(columns: Vec<Column>, size: usize) -> Result<Heap, Error> {
        let none = || Error::OutOfMemory { bytes: size, reason: "the allocator has no more".to_owned() };
        let layout = Layout::from_size_align(size.max(1), COLUMN_ALIGN).map_err(|_| none())?;
        // SAFETY: the size is not zero.
        let base = unsafe { alloc_zeroed(layout) };
        let base = NonNull::new(base).ok_or_else(none)?;
        Ok(Heap { base, layout, columns: columns.into() })
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Record `index` of the columns from `first` on, of which nothing is present.
    ///
    /// # Safety
    /// The contract of [`RawParts::new`]: the columns from `first` on are those of the schema that the result is used with, and
    /// have a record `index`, the result is used while the heap lives, and nobody else touches its bytes.
    pub(crate) unsafe fn parts(&self, first: usize, index: usize) -> RawParts {
        let columns = NonNull::from(&self.columns[first..]).cast::<Column>();
        // SAFETY: the memory has every column, zeroed at first; the rest is passed on to the caller.
        unsafe { RawParts::new(self.base, columns, index) }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: allocated by `zeroed` with this layout, and freed once.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}
