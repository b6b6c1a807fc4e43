//! A field of a record, as address, dtype, shape and strides.

use std::ptr::NonNull;
use std::sync::Arc;

use super::Lease;
use crate::schema::{DType, MAX_RANK};
use crate::tally::CopyReason;

/// The dimensions a [`FieldView`] can have: those of a field and the leading one of a run.
pub const MAX_VIEW_RANK: usize = MAX_RANK + 1;

/// What keeps the memory of a field. It counts as an alias while it lives.
pub struct FieldAlias {
    lease: Arc<Lease>,
    index: usize,
}

impl FieldAlias {
    pub(super) fn new(lease: Arc<Lease>, index: usize) -> FieldAlias {
        lease.count_alias(index, true);
        FieldAlias { lease, index }
    }
}

impl Clone for FieldAlias {
    fn clone(&self) -> FieldAlias {
        FieldAlias::new(Arc::clone(&self.lease), self.index)
    }
}

impl Drop for FieldAlias {
    fn drop(&mut self) {
        self.lease.count_alias(self.index, false);
    }
}

/// Where the elements of a field are, from the first one on.
#[derive(Clone, Copy)]
pub struct FieldLayout {
    rank: usize,
    shape: [i64; MAX_VIEW_RANK],
    strides: [i64; MAX_VIEW_RANK],
}

/// A single element.
impl Default for FieldLayout {
    fn default() -> FieldLayout {
        FieldLayout { rank: 0, shape: [1; MAX_VIEW_RANK], strides: [1; MAX_VIEW_RANK] }
    }
}

impl FieldLayout {
    /// Of `rank` dimensions, each of which is to be set.
    pub(super) fn of(rank: usize) -> FieldLayout {
        FieldLayout { rank, ..FieldLayout::default() }
    }

    pub(super) fn set(&mut self, axis: usize, length: u64, stride: u64) {
        (self.shape[axis], self.strides[axis]) = (length as i64, stride as i64);
    }

    /// The number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        &self.shape[..self.rank]
    }

    /// The distance from one element to the next along each dimension, in elements.
    #[must_use]
    pub fn strides(&self) -> &[i64] {
        &self.strides[..self.rank]
    }
}

/// A field of a record or of a run of records. While it lives, so does the record's memory.
///
/// Address, shape and strides are fixed when it is made; no peer can change them.
#[derive(Clone)]
pub struct FieldView {
    alias: FieldAlias,
    ptr: NonNull<u8>,
    dtype: DType,
    layout: FieldLayout,
    writable: bool,
}

// SAFETY: an address and plain numbers; the alias keeps the memory and may be dropped on any thread. Who reads and writes
// through the address is up to whoever calls `ptr`, whatever the thread.
unsafe impl Send for FieldView {}
// SAFETY: as above; nothing is written through `&FieldView`.
unsafe impl Sync for FieldView {}

impl FieldView {
    pub(super) fn new(
        alias: FieldAlias,
        ptr: NonNull<u8>,
        dtype: DType,
        layout: FieldLayout,
        writable: bool,
    ) -> FieldView {
        FieldView { alias, ptr, dtype, layout, writable }
    }

    /// The first element. Valid for the elements that shape and strides reach while `self`, or a clone of it, lives.
    #[must_use]
    pub fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    /// Counts bytes that were copied into or out of the field in the arena's metrics.
    pub fn note_copied(&self, reason: CopyReason, bytes: usize) {
        self.alias.lease.note_copied(reason, bytes);
    }

    /// The type of an element.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements along each dimension.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        self.layout.shape()
    }

    /// The distance from one element to the next along each dimension, in elements.
    #[must_use]
    pub fn strides(&self) -> &[i64] {
        self.layout.strides()
    }

    /// Whether this process may write the elements.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Whether the elements lie one after the other, outermost dimension first.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (length, stride) in self.shape().iter().zip(self.strides()).rev() {
            if *length != 1 && *stride != expected {
                return false;
            }
            expected *= length;
        }
        true
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape().iter().product::<i64>() as usize
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
