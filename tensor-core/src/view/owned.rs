//! A record of one's own, on the heap.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::{RawParts, RawView, Record};
use crate::error::Error;
use crate::schema::{Column, RECORD_ALIGN, Schema};

/// A record on this process's heap: one contiguous block in the layout of the record, every field 64-byte aligned.
///
/// It has the same views as a record in shared memory, so code written for one works for the other; tests and
/// snapshots use it.
pub struct Owned<R: Record> {
    view: R::MutStore,
    block: Block,
}

impl<R: Record> Owned<R> {
    /// A record of zeros with nothing present and no symbolic dimension set.
    #[must_use]
    pub fn zeroed() -> Owned<R> {
        let block = Block::zeroed(R::SCHEMA);
        let columns = NonNull::from(&*block.columns).cast::<Column>();
        // SAFETY: the block holds every column of the schema at index 0, zero-initialised; it is freed when `self` is
        // dropped, which outlives every view; only `self` leads to it, so borrows of `self` govern all access.
        let parts = unsafe { RawParts::new(block.memory, columns, 0) };
        // SAFETY: as above; the columns are those of `R::SCHEMA`.
        let view = R::__mut_store(unsafe { RawView::new(parts) });
        Owned { view, block }
    }

    /// Where its fields are. No method: a field may have any name.
    pub(crate) fn parts_of(record: &Owned<R>) -> RawParts {
        R::__raw(&record.view).parts()
    }

    /// The bytes of the whole record, padding included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the block is `size` initialised bytes, and `&self` keeps them unchanged.
        unsafe { std::slice::from_raw_parts(self.block.memory.as_ptr(), self.block.layout.size()) }
    }

    /// Whether the record could be sent.
    ///
    /// # Errors
    /// [`Error::DimUnset`], [`Error::MissingField`].
    pub fn check_complete(&self) -> Result<(), Error> {
        R::__raw(&self.view).parts().check_complete(R::SCHEMA)
    }
}

/// Which fields are present, never their values.
impl<R: Record> fmt::Debug for Owned<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        R::__raw(&self.view).fmt(f)
    }
}

impl<R: Record> Deref for Owned<R> {
    type Target = R::Mut;

    fn deref(&self) -> &R::Mut {
        R::__as_mut_ref(&self.view)
    }
}

impl<R: Record> DerefMut for Owned<R> {
    fn deref_mut(&mut self) -> &mut R::Mut {
        R::__as_mut(&mut self.view)
    }
}

/// The memory of an owned record and the columns that describe it.
struct Block {
    memory: NonNull<u8>,
    layout: Layout,
    columns: Box<[Column]>,
}

// SAFETY: a `Block` owns its memory; nothing in it is tied to a thread.
unsafe impl Send for Block {}
// SAFETY: through `&Block` nothing is written.
unsafe impl Sync for Block {}

impl Block {
    fn zeroed(schema: &Schema) -> Block {
        let offset =
            |field| schema.record_offset(field).expect("the schema was checked to fit the address space");
        let fields = schema.fields().len();
        let columns = (0..fields)
            .map(|field| Column {
                offset: offset(field),
                stride: 0,
                size: schema.field_size(field).expect("a field is no larger than its record"),
            })
            .collect();
        let layout = Layout::from_size_align(offset(fields), RECORD_ALIGN).expect("the record fits");
        // SAFETY: a schema has at least one field of at least one byte, so the size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
        Block { memory, layout, columns }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated by `Block::zeroed` with this layout, and freed once.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
    }
}
