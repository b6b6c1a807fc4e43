//! A record, or a run of records, whose schema is known at run time.

use std::ptr::NonNull;
use std::sync::Arc;

use super::{FieldAlias, FieldLayout, FieldView, Lease};
use crate::arena::{Claim, ClaimRun, Half};
use crate::channel::{Failures, adopted_parts, adopted_rows, parts_of};
use crate::error::{Error, RemoteError};
use crate::schema::{Extent, Schema};
use crate::tally::CopyReason;
use crate::trace::TraceContext;
use crate::view::fill::{fill_absent, pad};
use crate::view::run::{common, presence_of};
use crate::view::{Heap, RawParts};

/// A record in a slot or on the heap, or a run of them, which has one more dimension in front.
pub struct DynRecord {
    /// On its way to whoever keeps it a record is moved many times.
    body: Box<Body>,
}

struct Body {
    /// Of a run, what holds for all of its records.
    parts: RawParts,
    /// The records of a run that was received, one by one; empty for all else.
    rows: Box<[RawParts]>,
    /// The records of a run that is being filled, one by one, once they have lengths of their own; else empty.
    replies: Box<[RawParts]>,
    /// Those of them that failed.
    failures: Failures,
    /// Fields that some of the rows lacked and that are filled there, one bit each.
    filled: u64,
    /// The bytes written because the rows are of different lengths, or lack a field.
    filled_bytes: usize,
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
        let parts = unsafe {
            match lease.as_batch() {
                Some(batch) if half == Half::Reply => batch.reply(),
                _ => parts_of(claim, half),
            }
        };
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
        record.body.received = true;
        Ok(record)
    }

    /// A run of records out of a one-way channel. What is beyond each record's own lengths is filled with the fields' pads.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a sender does not state a complete record, which is lost; the others are put back.
    pub(super) fn received_run(claims: ClaimRun) -> Result<DynRecord, Error> {
        // SAFETY: `adopted_run` gives the rows a record that keeps the lease and so the claims.
        let rows = unsafe { adopted_rows(&claims, |_, _| {}) }?;
        let mut record = DynRecord::adopted_run(Arc::new(Lease::slots(claims)), rows.into(), false);
        record.body.received = true;
        Ok(record)
    }

    /// The requests of a batch, and how many bytes were copied so that they lie side by side. One that is garbled is refused,
    /// and the others are put back for the next look.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a caller does not state a complete request.
    pub(super) fn requests(lease: &Arc<Lease>, mutable: bool) -> Result<(DynRecord, usize), Error> {
        let batch = lease.as_batch().expect("only batches have requests");
        // SAFETY: `adopted_run` gives the rows a record that keeps the lease and so the batch.
        let (rows, copied) = unsafe { batch.requests() }?;
        for claim in batch.claims().iter().filter(|_| mutable) {
            claim.mark_not_repeatable()?;
        }
        Ok((DynRecord::adopted_run(Arc::clone(lease), rows.into(), mutable), copied))
    }

    /// The records or requests in the slots of the lease.
    fn adopted_run(lease: Arc<Lease>, rows: Box<[RawParts]>, writable: bool) -> DynRecord {
        let claim = lease.claim().expect("only slots have halves");
        let schema = &claim.arena().request().schema;
        let common = common(schema, &rows);
        // SAFETY: each row is a slot of its own, which is this process's alone while it is claimed, or memory of the batch:
        // a caller that waits for its answer has no view beyond the lengths it sent. No view exists here yet.
        let filled_bytes = unsafe { pad(schema, &rows, &common) };
        let mut record = DynRecord::assemble(lease, Half::Request, common, Some(rows.len()), writable);
        record.body.filled_bytes = filled_bytes;
        record.body.rows = rows;
        record
    }

    /// Record `row` of a run alone, of its own lengths and to read; `None` when there is none. It keeps all of the run.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<DynRecord> {
        if row >= self.body.run? {
            return None;
        }
        let parts = match self.body.rows.get(row).or_else(|| self.body.replies.get(row)) {
            Some(parts) => parts.clone(),
            // SAFETY: the memory of a run holds every field of each of its records, and the new record keeps the lease.
            None => unsafe { self.body.parts.moved_by(row) },
        };
        Some(DynRecord::of(Body {
            parts,
            rows: Box::default(),
            replies: Box::default(),
            failures: Failures::default(),
            filled: 0,
            filled_bytes: 0,
            schema: Arc::clone(&self.body.schema),
            first_alias: self.body.first_alias,
            run: None,
            writable: false,
            received: false,
            lease: Arc::clone(&self.body.lease),
        }))
    }

    fn of(body: Body) -> DynRecord {
        DynRecord { body: Box::new(body) }
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
        DynRecord::of(Body {
            parts,
            rows: Box::default(),
            replies: Box::default(),
            failures: Failures::default(),
            filled: 0,
            filled_bytes: 0,
            schema,
            first_alias,
            run,
            writable,
            received: false,
            lease,
        })
    }

    /// What the record is.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.body.schema
    }

    /// The number of records of a run; `None` for a record.
    #[must_use]
    pub fn run(&self) -> Option<usize> {
        self.body.run
    }

    /// Whether this process may write the record.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.body.writable
    }

    /// Whether field `field` was written; of a run, in every record.
    #[must_use]
    pub fn is_present(&self, field: usize) -> bool {
        self.body.parts.presence() >> field & 1 == 1
    }

    /// Whether field `field` was written in no record.
    #[must_use]
    pub fn is_absent(&self, field: usize) -> bool {
        !self.is_present(field) && self.body.rows.iter().all(|row| row.presence() >> field & 1 == 0)
    }

    /// The records of a run that was received, by number: whether each has field `field`.
    pub fn presence_by_row(&self, field: usize) -> impl ExactSizeIterator<Item = bool> {
        (0..self.body.run.unwrap_or(1)).map(move |row| self.row_parts(row).presence() >> field & 1 == 1)
    }

    /// The length of symbolic dimension `dim` in each record of a run; `None` where it is not set.
    pub fn lengths_by_row(&self, dim: usize) -> impl ExactSizeIterator<Item = Option<u64>> {
        (0..self.body.run.unwrap_or(1)).map(move |row| self.row_parts(row).dim(dim))
    }

    fn row_parts(&self, row: usize) -> &RawParts {
        self.body.rows.get(row).or_else(|| self.body.replies.get(row)).unwrap_or(&self.body.parts)
    }

    /// How many bytes were written because the records of a run are of different lengths, or lack a field.
    #[must_use]
    pub fn filled_bytes(&self) -> usize {
        self.body.filled_bytes
    }

    /// Writes `value`, the bytes of one element, to field `field` of the records of a run that lack it, so that the field is
    /// one array. How many bytes were written.
    ///
    /// It does nothing to a record alone, nor to a run that is being filled.
    ///
    /// # Panics
    /// If the value is not of the size of the field's dtype.
    pub fn fill_absent(&mut self, field: usize, value: &[u8]) -> usize {
        assert_eq!(value.len(), self.body.schema.fields()[field].dtype().size(), "one element");
        if self.body.rows.is_empty() {
            return 0;
        }
        // SAFETY: the rows are those of `received_run`. Views that are already out are of other fields, or are of this one
        // and made to see what is filled.
        let written =
            unsafe { fill_absent(&self.body.schema, &self.body.rows, &self.body.parts, field, value) };
        self.body.filled |= 1 << field;
        self.body.filled_bytes += written;
        written
    }

    /// The trace of each record, if its sender named one; `None` on the heap.
    pub fn traces(&self) -> impl ExactSizeIterator<Item = Option<TraceContext>> {
        let first = self.body.parts.index();
        (0..self.body.run.unwrap_or(1))
            .map(move |row| self.body.lease.claim_of(first + row).and_then(Claim::trace))
    }

    /// Says which trace a loaned record belongs to.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] when it was received.
    pub fn set_trace(&mut self, trace: Option<TraceContext>) -> Result<(), Error> {
        if !self.body.writable || self.body.run.is_some() {
            return Err(Error::ReadOnly { field: "traceparent".to_owned() });
        }
        self.body.lease.claims().iter().for_each(|claim| claim.set_trace(trace));
        Ok(())
    }

    /// Which attempt at the request, or the first one of a run, this is, and whether a worker died with it.
    #[must_use]
    pub fn attempt(&self) -> (u32, bool) {
        self.body.lease.claim().map_or((1, false), Claim::attempt)
    }

    /// Notes that field `field` was written.
    pub fn mark_present(&mut self, field: usize) {
        self.body.parts.mark_present(field);
        self.body.replies.iter_mut().for_each(|reply| reply.mark_present(field));
    }

    /// The length of symbolic dimension `dim`, of a run the longest; `None` before it is set.
    #[must_use]
    pub fn dim(&self, dim: usize) -> Option<u64> {
        self.body.parts.dim(dim)
    }

    /// Sets symbolic dimension `dim`; changing it makes the fields that name it absent again.
    ///
    /// # Errors
    /// [`Error::DimOutOfRange`]; [`Error::ReadOnly`].
    pub fn set_dim(&mut self, dim: usize, length: u64) -> Result<(), Error> {
        if !self.body.writable {
            return Err(Error::ReadOnly { field: self.body.schema.dims()[dim].name().to_owned() });
        }
        self.body.parts.set_dim(&self.body.schema, dim, length)?;
        self.body.replies.iter_mut().try_for_each(|reply| reply.set_dim(&self.body.schema, dim, length))
    }

    /// Sets symbolic dimension `dim` of each record of a run that is being filled; changing one makes the fields that name the
    /// dimension absent again.
    ///
    /// # Errors
    /// [`Error::DimOutOfRange`], and then nothing has changed; [`Error::ReadOnly`].
    ///
    /// # Panics
    /// If there is not one length for each record, or no run is being filled.
    pub fn set_dims(&mut self, dim: usize, lengths: &[u64]) -> Result<(), Error> {
        assert_eq!(Some(lengths.len()), self.body.run, "one length for each record of the run");
        let (Some(shortest), Some(longest)) = (lengths.iter().min(), lengths.iter().max()) else {
            return Ok(());
        };
        let mut trial = self.body.parts.clone();
        trial.set_dim(&self.body.schema, dim, *shortest)?;
        if shortest == longest {
            return self.set_dim(dim, *longest);
        }
        trial.set_dim(&self.body.schema, dim, *longest)?;
        if !self.body.writable || !self.body.rows.is_empty() {
            return Err(Error::ReadOnly { field: self.body.schema.dims()[dim].name().to_owned() });
        }
        if self.body.replies.is_empty() {
            // SAFETY: the memory of a run holds every field of each of its records, and the record keeps the lease.
            self.body.replies =
                (0..lengths.len()).map(|row| unsafe { self.body.parts.moved_by(row) }).collect();
        }
        let present = self.body.parts.presence();
        for (reply, length) in self.body.replies.iter_mut().zip(lengths) {
            reply.set_dim(&self.body.schema, dim, *length)?;
        }
        self.body.parts = common(&self.body.schema, &self.body.replies);
        debug_assert_eq!(self.body.parts.presence() & !present, 0, "nothing becomes present");
        Ok(())
    }

    /// Notes that request `row` of the run failed to which this is the reply: its caller is told that, and sent nothing.
    ///
    /// # Panics
    /// If the run has no such record.
    pub fn note_failure(&mut self, row: usize, failure: RemoteError) {
        assert!(row < self.body.run.unwrap_or(1), "a record of the run");
        self.body.failures.note(row, failure);
    }

    /// What is known of each record of a run that is being filled.
    pub(super) fn replies(&self) -> Vec<RawParts> {
        match &*self.body.replies {
            [] => {
                // SAFETY: as in `set_dims`.
                let row = |row| unsafe { self.body.parts.moved_by(row) };
                (0..self.body.run.unwrap_or(1)).map(row).collect()
            }
            replies => replies.to_vec(),
        }
    }

    /// As [`DynRecord::replies`] of a run of one, without a copy.
    pub(super) fn reply(&self) -> &[RawParts] {
        std::slice::from_ref(self.row_parts(0))
    }

    /// Which records of a run that is being filled failed.
    pub(super) fn failures(&self) -> &Failures {
        &self.body.failures
    }

    /// The one element of field `field`, if it has one whatever lengths are set. It is valid for the bytes of the dtype while the
    /// record is borrowed.
    #[must_use]
    pub fn only_element(&self, field: usize) -> Option<NonNull<u8>> {
        let one =
            self.body.schema.fields()[field].shape().rank() == 0 && self.body.run.is_none_or(|run| run == 1);
        one.then(|| self.body.parts.field_ptr(&self.body.schema, field))
    }

    /// Address, dtype, shape and strides of field `field`.
    ///
    /// # Errors
    /// [`Error::DimUnset`] while a dimension that the field names is not set; [`Error::PartlyPresent`] when some records of a
    /// run lack the field.
    pub fn field(&self, field: usize) -> Result<FieldView, Error> {
        let mut layout = FieldLayout::default();
        let (alias, ptr) = self.alias(field, &mut layout)?;
        Ok(FieldView::new(alias, ptr, self.body.schema.fields()[field].dtype(), layout, self.body.writable))
    }

    /// As [`DynRecord::field`], in parts: what keeps the memory, the first element, and in `layout` where the others are. They
    /// are valid while the alias lives.
    ///
    /// # Errors
    /// As [`DynRecord::field`].
    pub fn alias(&self, field: usize, layout: &mut FieldLayout) -> Result<(FieldAlias, NonNull<u8>), Error> {
        // No allocation: this is on the path of every tensor that is handed out.
        if !self.is_present(field) && self.body.filled >> field & 1 == 0 && !self.body.rows.is_empty() {
            presence_of(&self.body.schema, &self.body.rows, field)?;
        }
        let declared = &self.body.schema.fields()[field];
        let leading = usize::from(self.body.run.is_some());
        *layout = FieldLayout::of(leading + declared.shape().rank());
        let mut stride = 1;
        for (axis, extent) in declared.shape().extents().iter().enumerate().rev() {
            let (length, capacity) = match *extent {
                Extent::Fixed(size) => (size, size),
                Extent::Dim(dim) => {
                    let length = self
                        .dim(usize::from(dim))
                        .ok_or_else(|| self.body.parts.unset_dim(&self.body.schema, field))?;
                    (length, self.body.schema.dims()[usize::from(dim)].max())
                }
            };
            layout.set(leading + axis, length, stride);
            stride *= capacity;
        }
        if let Some(records) = self.body.run {
            let column = self.body.parts.column(&self.body.schema, field);
            layout.set(0, records as u64, (column.stride / declared.dtype().size()) as u64);
        }
        let alias = FieldAlias::new(Arc::clone(&self.body.lease), self.body.first_alias + field);
        Ok((alias, self.body.parts.field_ptr(&self.body.schema, field)))
    }

    /// Counts bytes that were copied into or out of the record in the arena's metrics.
    pub fn note_copied(&self, reason: CopyReason, bytes: usize) {
        self.body.lease.note_copied(reason, bytes);
    }

    /// Whether the record may be sent.
    ///
    /// # Errors
    /// [`Error::MissingField`], [`Error::DimUnset`].
    pub fn check_complete(&self) -> Result<(), Error> {
        self.body.parts.check_complete(&self.body.schema)
    }

    /// XXH3-128 of the bytes of field `field`, symbolic dimensions at their capacity: to find out whether somebody wrote
    /// into it. Records of a run that lack the field are left out: it may be filled there.
    #[must_use]
    pub fn digest(&self, field: usize) -> u128 {
        let column = self.body.parts.column(&self.body.schema, field);
        let first = self.body.parts.field_ptr(&self.body.schema, field).as_ptr();
        let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
        for row in 0..self.body.run.unwrap_or(1) {
            if self.body.rows.get(row).is_none_or(|parts| parts.presence() >> field & 1 == 1) {
                // SAFETY: the field of each record of the run is valid for these bytes while the lease lives, initialised, and
                // not written meanwhile by anyone who honours ownership.
                hash.update(unsafe {
                    std::slice::from_raw_parts(first.wrapping_add(row * column.stride), column.size)
                });
            }
        }
        hash.digest128()
    }

    /// Overwrites the bytes of every field of a record in a slot; nothing becomes present.
    pub(super) fn fill(&mut self, byte: u8) {
        for field in 0..self.body.schema.fields().len() {
            let column = self.body.parts.column(&self.body.schema, field);
            // SAFETY: the field's bytes are valid for its column's size, and nobody else has the fresh loan yet.
            unsafe {
                self.body.parts.field_ptr(&self.body.schema, field).as_ptr().write_bytes(byte, column.size)
            };
        }
    }

    /// The slot this record is in and its generation, or `None` on the heap.
    #[must_use]
    pub fn location(&self) -> Option<(usize, u64)> {
        let here = |claim: &&Claim| claim.slot() == self.body.parts.index();
        self.body.lease.slots_in_view().iter().find(here).map(|claim| (claim.slot(), claim.generation()))
    }

    /// Whether `reply` is that of this run of requests: the two share their slots.
    pub(super) fn is_answered_by(&self, reply: &DynRecord) -> bool {
        let (asked, filled) = (&self.body, &reply.body);
        let is_whole = asked.run.is_some() && asked.run == filled.run;
        let halves = (asked.first_alias, filled.first_alias) == (0, asked.schema.fields().len());
        is_whole && halves && filled.writable && Arc::ptr_eq(&asked.lease, &filled.lease)
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.body.lease
    }

    pub(super) fn parts(&self) -> &RawParts {
        &self.body.parts
    }

    /// The first of this record's fields that a view leads to, and how many do.
    pub(super) fn first_alias(&self) -> Option<(String, usize)> {
        self.body.schema.fields().iter().enumerate().find_map(|(index, field)| {
            let aliases = self.body.lease.aliases_of(self.body.first_alias + index);
            (aliases > 0).then(|| (field.name().to_owned(), aliases))
        })
    }
}

impl Drop for DynRecord {
    fn drop(&mut self) {
        if self.body.received && Lease::is_shared(&self.body.lease, 1) {
            // The program is done with the record, and only aliases are left.
            let aliased = self.body.lease.aliased();
            self.body.lease.claims().iter().for_each(|claim| claim.received(aliased));
        }
    }
}

/// A run of `records` records on this process's heap, zeroed, with nothing present: for tests of a handler.
///
/// # Errors
/// [`Error::InvalidSchema`] when it exceeds the address space; [`Error::OutOfMemory`].
pub fn heap_run(schema: Arc<Schema>, records: usize) -> Result<DynRecord, Error> {
    let (columns, size) = schema.columns(records.max(1), 0)?;
    let lease = Arc::new(Lease::heap(Heap::zeroed(columns, size)?));
    let heap = lease.as_heap().expect("just made on the heap");
    // SAFETY: the heap has every column of the schema for `records` records, and lives in the lease that the record keeps; only
    // this record leads to it.
    let parts = unsafe { heap.parts(0, 0) };
    Ok(DynRecord::of(Body {
        parts,
        rows: Box::default(),
        replies: Box::default(),
        failures: Failures::default(),
        filled: 0,
        filled_bytes: 0,
        schema,
        first_alias: 0,
        run: Some(records),
        writable: true,
        received: false,
        lease,
    }))
}
