//! A field of a record, as address, dtype, shape and strides.

use std::ptr::NonNull;
use std::sync::Arc;

use super::Lease;
use crate::schema::{DType, MAX_RANK};
use crate::tally::CopyReason;

/// The dimensions a [`FieldView`] can have: those of a field and the leading one of a run.
pub const MAX_VIEW_RANK: usize = MAX_RANK + 1;

/// A field of a record or of a run of records. While it lives, so does the record's memory.
///
/// Address, shape and strides are fixed when it is made; no peer can change them.
pub struct FieldView {
    lease: Arc<Lease>,
    alias: usize,
    ptr: NonNull<u8>,
    dtype: DType,
    rank: usize,
    shape: [i64; MAX_VIEW_RANK],
    strides: [i64; MAX_VIEW_RANK],
    writable: bool,
}

// SAFETY: an address and plain numbers; the lease keeps the memory and may be dropped on any thread. Who reads and writes
// through the address is up to whoever calls `ptr`, whatever the thread.
unsafe impl Send for FieldView {}
// SAFETY: as above; nothing is written through `&FieldView`.
unsafe impl Sync for FieldView {}

impl FieldView {
    pub(super) fn new(
        lease: Arc<Lease>,
        alias: usize,
        ptr: NonNull<u8>,
        dtype: DType,
        dims: &[(usize, usize)],
        writable: bool,
    ) -> FieldView {
        let mut shape = [1; MAX_VIEW_RANK];
        let mut strides = [1; MAX_VIEW_RANK];
        for (axis, (length, stride)) in dims.iter().enumerate() {
            shape[axis] = *length as i64;
            strides[axis] = *stride as i64;
        }
        lease.count_alias(alias, true);
        FieldView { lease, alias, ptr, dtype, rank: dims.len(), shape, strides, writable }
    }

    /// The first element. Valid for the elements that shape and strides reach while `self`, or a clone of it, lives.
    #[must_use]
    pub fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    /// Counts bytes that were copied into or out of the field in the arena's metrics.
    pub fn note_copied(&self, reason: CopyReason, bytes: usize) {
        self.lease.note_copied(reason, bytes);
    }

    /// The type of an element.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
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

    /// Whether this process may write the elements.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Whether the elements lie one after the other, outermost dimension first.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for axis in (0..self.rank).rev() {
            if self.shape[axis] != 1 && self.strides[axis] != expected {
                return false;
            }
            expected *= self.shape[axis];
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

impl Clone for FieldView {
    fn clone(&self) -> FieldView {
        self.lease.count_alias(self.alias, true);
        FieldView { lease: Arc::clone(&self.lease), ..*self }
    }
}

impl Drop for FieldView {
    fn drop(&mut self) {
        self.lease.count_alias(self.alias, false);
    }
}
