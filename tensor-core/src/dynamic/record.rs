//! A record, or a run of records, whose schema is known at run time.

use std::ptr::NonNull;
use std::sync::Arc;

use super::lease::Heap;
use super::{FieldView, Lease, MAX_VIEW_RANK};
use crate::arena::{Claim, Half};
use crate::channel::{adopted_parts, parts_of};
use crate::error::Error;
use crate::schema::{Column, Extent, Schema};
use crate::view::RawParts;

/// A record in a slot or on the heap, or a run of them, which has one more dimension in front.
pub struct DynRecord {
    parts: RawParts,
    schema: Arc<Schema>,
    /// Where this record's fields begin in the lease's count of aliases.
    first_alias: usize,
    run: Option<usize>,
    writable: bool,
    /// Whether it came through a one-way channel.
    received: bool,
    lease: Arc<Lease>,
}

impl DynRecord {
    /// A half of a claimed slot that this process fills.
    pub(super) fn blank(lease: Arc<Lease>, half: Half, run: Option<usize>) -> DynRecord {
        let claim = lease.claim().expect("only slots have halves");
        // SAFETY: the record keeps the lease and so the claim, and uses the schema of that half.
        let parts = unsafe { parts_of(claim, half) };
        DynRecord::assemble(lease, half, parts, run, true)
    }

    /// A half of a claimed slot as the other side states it.
    pub(super) fn adopted(
        lease: Arc<Lease>,
        half: Half,
        run: Option<usize>,
        writable: bool,
    ) -> Result<DynRecord, Error> {
        let claim = lease.claim().expect("only slots have halves");
        // SAFETY: as above.
        let parts = unsafe { adopted_parts(claim, half) }?;
        Ok(DynRecord::assemble(lease, half, parts, run, writable))
    }

    /// A record out of a one-way channel.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the sender does not state a complete record.
    pub(super) fn received(claim: Claim) -> Result<DynRecord, Error> {
        let mut record = DynRecord::adopted(Arc::new(Lease::slot(claim)), Half::Request, None, false)?;
        record.received = true;
        Ok(record)
    }

    fn assemble(
        lease: Arc<Lease>,
        half: Half,
        parts: RawParts,
        run: Option<usize>,
        writable: bool,
    ) -> DynRecord {
        let arena = lease.claim().expect("only slots have halves").arena();
        let schema = Arc::clone(&arena.part(half).schema);
        let first_alias = if half == Half::Reply { arena.request().schema.fields().len() } else { 0 };
        DynRecord { parts, schema, first_alias, run, writable, received: false, lease }
    }

    /// What the record is.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The number of records of a run; `None` for a record.
    #[must_use]
    pub fn run(&self) -> Option<usize> {
        self.run
    }

    /// Whether this process may write the record.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Whether field `field` was written.
    #[must_use]
    pub fn is_present(&self, field: usize) -> bool {
        self.parts.presence() >> field & 1 == 1
    }

    /// Notes that field `field` was written.
    pub fn mark_present(&mut self, field: usize) {
        self.parts.mark_present(field);
    }

    /// The length of symbolic dimension `dim`; `None` before it is set.
    #[must_use]
    pub fn dim(&self, dim: usize) -> Option<u64> {
        self.parts.dim(dim)
    }

    /// Sets symbolic dimension `dim`; changing it makes the fields that name it absent again.
    ///
    /// # Errors
    /// [`Error::DimOutOfRange`]; [`Error::ReadOnly`].
    pub fn set_dim(&mut self, dim: usize, length: u64) -> Result<(), Error> {
        if !self.writable {
            return Err(Error::ReadOnly { field: self.schema.dims()[dim].name().to_owned() });
        }
        self.parts.set_dim(&self.schema, dim, length)
    }

    /// Address, dtype, shape and strides of field `field`.
    ///
    /// # Errors
    /// [`Error::DimUnset`] while a dimension that the field names is not set.
    pub fn field(&self, field: usize) -> Result<FieldView, Error> {
        // No allocation: this is on the path of every tensor that is handed out.
        let declared = &self.schema.fields()[field];
        let mut dims = [(1, 1); MAX_VIEW_RANK];
        let mut rank = declared.shape().rank();
        let mut stride = 1;
        for (axis, extent) in declared.shape().extents().iter().enumerate().rev() {
            let (length, capacity) = match *extent {
                Extent::Fixed(size) => (size, size),
                Extent::Dim(dim) => {
                    let length = self
                        .dim(usize::from(dim))
                        .ok_or_else(|| self.parts.unset_dim(&self.schema, field))?;
                    (length, self.schema.dims()[usize::from(dim)].max())
                }
            };
            dims[axis] = (length as usize, stride);
            stride *= capacity as usize;
        }
        if let Some(records) = self.run {
            let column = self.parts.column(&self.schema, field);
            dims.copy_within(..rank, 1);
            dims[0] = (records, column.stride / declared.dtype().size());
            rank += 1;
        }
        Ok(FieldView::new(
            Arc::clone(&self.lease),
            self.first_alias + field,
            self.parts.field_ptr(&self.schema, field),
            declared.dtype(),
            &dims[..rank],
            self.writable,
        ))
    }

    /// Whether the record may be sent.
    ///
    /// # Errors
    /// [`Error::MissingField`], [`Error::DimUnset`].
    pub fn check_complete(&self) -> Result<(), Error> {
        self.parts.check_complete(&self.schema)
    }

    /// XXH3-128 of the bytes of field `field`, symbolic dimensions at their capacity: to find out whether somebody wrote
    /// into it.
    #[must_use]
    pub fn digest(&self, field: usize) -> u128 {
        let column = self.parts.column(&self.schema, field);
        let bytes = match self.run {
            Some(records) => column.stride * (records.max(1) - 1) + column.size,
            None => column.size,
        };
        let ptr = self.parts.field_ptr(&self.schema, field);
        // SAFETY: the column of the record or run is valid for these bytes while the lease lives, initialised, and not
        // written meanwhile by anyone who honours ownership.
        xxhash_rust::xxh3::xxh3_128(unsafe { std::slice::from_raw_parts(ptr.as_ptr(), bytes) })
    }

    /// Overwrites the bytes of every field of a record in a slot; nothing becomes present.
    pub(super) fn fill(&mut self, byte: u8) {
        for field in 0..self.schema.fields().len() {
            let column = self.parts.column(&self.schema, field);
            // SAFETY: the field's bytes are valid for its column's size, and nobody else has the fresh loan yet.
            unsafe { self.parts.field_ptr(&self.schema, field).as_ptr().write_bytes(byte, column.size) };
        }
    }

    /// The slot this record is in and its generation, or `None` on the heap.
    #[must_use]
    pub fn location(&self) -> Option<(usize, u64)> {
        self.lease.claim().map(|claim| (claim.slot(), claim.generation()))
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    pub(super) fn parts(&self) -> &RawParts {
        &self.parts
    }

    /// The first of this record's fields that a view leads to, and how many do.
    pub(super) fn first_alias(&self) -> Option<(String, usize)> {
        self.schema.fields().iter().enumerate().find_map(|(index, field)| {
            let aliases = self.lease.aliases_of(self.first_alias + index);
            (aliases > 0).then(|| (field.name().to_owned(), aliases))
        })
    }
}

impl Drop for DynRecord {
    fn drop(&mut self) {
        if self.received
            && Lease::is_shared(&self.lease, 1)
            && let Some(claim) = self.lease.claim()
        {
            // The program is done with the record, and only aliases are left.
            claim.received(self.lease.aliased());
        }
    }
}

/// A run of `records` records on this process's heap, zeroed, with nothing present: for tests of a handler.
///
/// # Errors
/// [`Error::InvalidSchema`] when it exceeds the address space.
pub fn heap_run(schema: Arc<Schema>, records: usize) -> Result<DynRecord, Error> {
    let (columns, size) = schema.columns(records.max(1), 0)?;
    let lease = Arc::new(Lease::heap(Heap::zeroed(columns, size)));
    let (base, columns) = lease.heap_place().expect("just made on the heap");
    let columns = NonNull::from(columns).cast::<Column>();
    // SAFETY: the heap holds every column of the schema, zeroed, for `records` records, and lives in the lease that the
    // record keeps; only this record leads to it.
    let parts = unsafe { RawParts::new(base, columns, 0) };
    Ok(DynRecord {
        parts,
        schema,
        first_alias: 0,
        run: Some(records),
        writable: true,
        received: false,
        lease,
    })
}
