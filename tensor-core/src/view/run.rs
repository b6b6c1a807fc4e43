//! A run: records side by side, of which each field is one array with one more dimension in front.

use std::fmt;
use std::ptr::NonNull;
use std::sync::OnceLock;

use ndarray::{ArrayView, ArrayViewMut, Dimension, IxDyn, ShapeBuilder};

use super::fill::{fill_absent, pad};
use super::nested::{NestedRecords, Pick};
use super::raw::{RawParts, UNSET, assert_element};
use super::{RawView, Record};
use crate::error::Error;
use crate::schema::{Element, MAX_DIMS, Schema};

/// What holds for all of some records: the fields that every one of them has, and the longest of each symbolic dimension.
/// Its address is that of the first.
///
/// # Panics
/// If there are none.
pub(crate) fn common(schema: &Schema, rows: &[RawParts]) -> RawParts {
    let mut common = rows[0].clone();
    let dims = schema.dims().len();
    for row in &rows[1..] {
        common.presence &= row.presence;
        lengthen(&mut common.dims[..dims], &row.dims[..dims]);
    }
    common
}

/// Takes over every length that is longer.
fn lengthen(longest: &mut [u64], lengths: &[u64]) {
    for (longest, length) in longest.iter_mut().zip(lengths) {
        if *length != UNSET && (*longest == UNSET || *longest < *length) {
            *longest = *length;
        }
    }
}

/// Whether every record of a run has field `field`; an error when only some have it.
///
/// # Errors
/// [`Error::PartlyPresent`].
pub(crate) fn presence_of(schema: &Schema, rows: &[RawParts], field: usize) -> Result<bool, Error> {
    all_or_none(schema.fields()[field].name(), rows, |row| row.presence >> field & 1 == 1)
}

/// Whether all of the rows have something called `name`; an error when only some do.
fn all_or_none(name: &str, rows: &[RawParts], has: impl Fn(&RawParts) -> bool) -> Result<bool, Error> {
    let absent = rows.iter().filter(|row| !has(row)).count();
    if absent == 0 || absent == rows.len() {
        return Ok(absent == 0);
    }
    Err(Error::PartlyPresent { field: name.to_owned(), absent, records: rows.len() })
}

/// The record nested in `R` at `I`.
type NestedAt<R, I> = <<R as Record>::Nested as Pick<I>>::Record;

/// A run of it.
type RunOf<R, I> = <NestedAt<R, I> as Record>::Run;

/// Typed access to the fields of a run of records of type `R`: what the generated run types are made of.
///
/// `T` is as in [`RawView`].
pub struct RawRun<R: Record, T: ?Sized = [()]> {
    /// Made when they are first asked for: what works on the arrays of a run needs none.
    views: OnceLock<Box<[R::RefStore]>>,
    rows: Box<[RawParts]>,
    common: RawParts,
    nested: <R::Nested as NestedRecords>::Runs,
    /// Fields that were absent in some records and are filled there, one bit each.
    filled: u64,
    written: usize,
    _tail: T,
}

impl<R: Record> RawRun<R, [(); 0]> {
    /// Fills what is beyond each record's own lengths with the fields' pads.
    ///
    /// # Safety
    /// The contract of [`RawParts::new`] for each of the rows, with the columns of `R::SCHEMA`. They are neighbours in the
    /// order of their index, there is at least one, and nobody else touches their bytes for as long as the result lives.
    pub(crate) unsafe fn new(rows: Vec<RawParts>) -> Self {
        let common = common(R::SCHEMA, &rows);
        // SAFETY: passed on to the caller; no view exists yet.
        let written = unsafe { pad(R::SCHEMA, &rows, &common) };
        // SAFETY: passed on to the caller.
        unsafe { RawRun::assemble(rows, common, written) }
    }

    /// Nothing is filled: records that this process writes, or the part of another run's rows
    /// that is a nested record.
    ///
    /// # Safety
    /// As [`RawRun::new`].
    pub(crate) unsafe fn unpadded(rows: Vec<RawParts>) -> Self {
        let common = common(R::SCHEMA, &rows);
        // SAFETY: passed on to the caller.
        unsafe { RawRun::assemble(rows, common, 0) }
    }

    /// # Safety
    /// As [`RawRun::new`].
    unsafe fn assemble(rows: Vec<RawParts>, common: RawParts, written: usize) -> Self {
        // SAFETY: passed on to the caller.
        let nested = unsafe { R::Nested::runs::<R>(&rows) };
        RawRun { views: OnceLock::new(), rows: rows.into(), common, nested, filled: 0, written, _tail: [] }
    }
}

impl<R: Record, T: ?Sized> RawRun<R, T> {
    /// The views of the records, one by one.
    pub(crate) fn views(&self) -> &[R::RefStore] {
        // SAFETY: the rows keep the contract of `new` for as long as `self` lives, and the views are borrowed from it.
        let view = |row: &RawParts| R::__ref_store(unsafe { RawView::new(row.clone()) });
        self.views.get_or_init(|| self.rows.iter().map(view).collect())
    }

    /// How many bytes were written because records are of different lengths, or lack a field.
    pub(crate) fn written(&self) -> usize {
        self.written + R::Nested::written(&self.nested)
    }

    /// The nested record at `I`, of all records.
    #[must_use]
    pub fn nested_run<I>(&self) -> &RunOf<R, I>
    where
        R::Nested: Pick<I>,
    {
        NestedAt::<R, I>::__as_run(NestedAt::<R, I>::__run_of(R::Nested::pick_run(&self.nested)))
    }

    /// The nested record at `I`, of all records, to fill what some of them lack.
    pub fn nested_run_mut<I>(&mut self) -> &mut RunOf<R, I>
    where
        R::Nested: Pick<I>,
    {
        let run = NestedAt::<R, I>::__run_of_mut(R::Nested::pick_run_mut(&mut self.nested));
        NestedAt::<R, I>::__as_run_mut(run)
    }

    /// The nested record at `I`, of all records, to write.
    pub fn nested_run_to_fill<I>(&mut self) -> &mut <NestedAt<R, I> as Record>::RunMut
    where
        R::Nested: Pick<I>,
    {
        NestedAt::<R, I>::__as_run_to_fill_mut(R::Nested::pick_run_mut(&mut self.nested))
    }

    /// The nested record at `I`, called `name`, of all records; `None` when no record has any field of it.
    ///
    /// # Errors
    /// [`Error::PartlyPresent`].
    pub fn nested_run_if_present<I>(&self, name: &str) -> Result<Option<&RunOf<R, I>>, Error>
    where
        R::Nested: Pick<I>,
    {
        let run = NestedAt::<R, I>::__run_of(R::Nested::pick_run(&self.nested));
        let run = NestedAt::<R, I>::__raw_run(run);
        let present = all_or_none(name, &run.rows, |row| row.presence != 0)?;
        Ok(present.then(|| self.nested_run::<I>()))
    }

    /// Whether field `FIELD` can be read as one array: every record has it, or it was filled where one lacks it. Not so when
    /// no record has it.
    ///
    /// # Errors
    /// [`Error::PartlyPresent`].
    pub fn is_present<const FIELD: usize>(&self) -> Result<bool, Error> {
        if self.filled >> FIELD & 1 == 1 {
            return Ok(true);
        }
        presence_of(R::SCHEMA, &self.rows, FIELD)
    }

    /// Writes `value` to every element of field `FIELD` of the records that lack it.
    pub fn fill<E: Element, const FIELD: usize>(&mut self, value: E) {
        const { assert_element::<R, E, FIELD>() };
        let bytes = bytemuck::bytes_of(&value);
        // SAFETY: `new` promises that nobody else touches the bytes of the rows, and `&mut self` is the only view of them.
        self.written += unsafe { fill_absent(R::SCHEMA, &self.rows, &self.common, FIELD, bytes) };
        self.filled |= 1 << FIELD;
    }

    /// The elements of field `FIELD` of all records, one record after the other.
    ///
    /// # Panics
    /// If a dimension of the field is symbolic, or its values are not next to each other because of `align`.
    #[must_use]
    pub fn slice<E: Element, const FIELD: usize>(&self) -> &[E] {
        let (ptr, len) = self.elements::<E, FIELD>();
        // SAFETY: by the contract of `new` the rows are neighbours, so `len` elements from the first row's on are theirs:
        // valid, initialised, aligned, and not written while `&self` lives. For `E` see `RawView::slice`.
        unsafe { std::slice::from_raw_parts(ptr.as_ptr(), len) }
    }

    /// As [`RawRun::slice`], to be written; marks the field as present in every record.
    ///
    /// # Panics
    /// As [`RawRun::slice`].
    pub fn slice_mut<E: Element, const FIELD: usize>(&mut self) -> &mut [E] {
        let (ptr, len) = self.elements::<E, FIELD>();
        self.mark_present(FIELD);
        // SAFETY: as in `slice`; `&mut self` is the only view, and nobody else touches the bytes while it lives.
        unsafe { std::slice::from_raw_parts_mut(ptr.as_ptr(), len) }
    }

    /// Where the elements of a field are that lie next to each other, and how many there are.
    fn elements<E: Element, const FIELD: usize>(&self) -> (NonNull<E>, usize) {
        const { assert_element::<R, E, FIELD>() };
        let column = self.common.column(R::SCHEMA, FIELD);
        assert!(column.stride == column.size, "the field's values are not next to each other");
        let symbolic = (0..R::SCHEMA.dims().len()).any(|dim| R::SCHEMA.fields()[FIELD].uses_dim(dim));
        assert!(!symbolic, "the field has a symbolic dimension");
        let len = self.rows.len() * (column.size / size_of::<E>());
        (self.common.field_ptr(R::SCHEMA, FIELD).cast::<E>(), len)
    }

    /// Field `FIELD` as one array: the records in front, then the field's shape, every symbolic dimension at the longest
    /// that a record has. Strides follow the capacities.
    ///
    /// # Panics
    /// If no record has a length for a dimension of the field, or `D` has another rank.
    #[must_use]
    #[track_caller]
    pub fn array<E: Element, D: Dimension, const FIELD: usize>(&self) -> ArrayView<'_, E, D> {
        const { assert_element::<R, E, FIELD>() };
        let (shape, strides) = self.shape_and_strides::<E>(FIELD);
        let ptr = self.common.field_ptr(R::SCHEMA, FIELD).cast::<E>();
        // SAFETY: by the contract of `new` row `i` of the field is `i` column strides behind the first one, and a stride is a
        // multiple of the element, whose alignment a schema's `align` is no less than; within a row as in `RawView::array`.
        let view = unsafe { ArrayView::from_shape_ptr(IxDyn(&shape).strides(IxDyn(&strides)), ptr.as_ptr()) };
        view.into_dimensionality().expect("the generated code names the rank of the field")
    }

    /// As [`RawRun::array`], to be written; marks the field as present in every record.
    ///
    /// # Panics
    /// As [`RawRun::array`].
    #[track_caller]
    pub fn array_mut<E: Element, D: Dimension, const FIELD: usize>(&mut self) -> ArrayViewMut<'_, E, D> {
        const { assert_element::<R, E, FIELD>() };
        let (shape, strides) = self.shape_and_strides::<E>(FIELD);
        let ptr = self.common.field_ptr(R::SCHEMA, FIELD).cast::<E>();
        self.mark_present(FIELD);
        // SAFETY: as in `array` and `slice_mut`; no two indices share an element, since a row's stride is no less than its size.
        let view =
            unsafe { ArrayViewMut::from_shape_ptr(IxDyn(&shape).strides(IxDyn(&strides)), ptr.as_ptr()) };
        view.into_dimensionality().expect("the generated code names the rank of the field")
    }

    #[track_caller]
    fn shape_and_strides<E: Element>(&self, field: usize) -> (Vec<usize>, Vec<usize>) {
        let mut shape = vec![self.rows.len()];
        let own = self.common.field_shape(R::SCHEMA, field);
        let name = R::SCHEMA.fields()[field].name();
        shape.extend(own.unwrap_or_else(|| panic!("no record has a length for a dimension of `{name}`")));
        let column = self.common.column(R::SCHEMA, field);
        let mut strides = vec![column.stride / size_of::<E>()];
        strides.extend(R::SCHEMA.element_strides(field));
        (shape, strides)
    }

    fn mark_present(&mut self, field: usize) {
        self.rows.iter_mut().for_each(|row| row.mark_present(field));
    }

    /// Sets symbolic dimension `DIM` of every record; where that changes it, the fields that name it are absent again.
    ///
    /// # Errors
    /// [`Error::DimOutOfRange`].
    pub fn set_dim<const DIM: usize>(&mut self, length: usize) -> Result<(), Error> {
        for row in &mut self.rows {
            // The first one is refused if any is.
            row.set_dim(R::SCHEMA, DIM, length as u64)?;
        }
        self.common.dims[DIM] = length as u64;
        Ok(())
    }

    /// Sets symbolic dimension `DIM` of each record to a length of its own, as [`RawRun::set_dim`].
    ///
    /// # Errors
    /// [`Error::DimOutOfRange`]; then nothing has changed.
    ///
    /// # Panics
    /// If there is not one length for each record.
    #[track_caller]
    pub fn set_dims<const DIM: usize>(&mut self, lengths: &[usize]) -> Result<(), Error> {
        assert_eq!(lengths.len(), self.rows.len(), "one length for each record of the run");
        let (least, most) = lengths
            .iter()
            .fold((usize::MAX, 0), |(least, most), length| (least.min(*length), most.max(*length)));
        let mut trial = self.rows[0].clone();
        trial.set_dim(R::SCHEMA, DIM, least as u64)?;
        trial.set_dim(R::SCHEMA, DIM, most as u64)?;
        for (row, length) in self.rows.iter_mut().zip(lengths) {
            row.set_dim(R::SCHEMA, DIM, *length as u64)?;
        }
        self.common.dims[DIM] = most as u64;
        Ok(())
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// What is known of record `row`, nested records included.
    pub(crate) fn row_parts(&self, row: usize) -> RawParts {
        let mut parts = self.rows[row].clone();
        R::Nested::hand_over_row(&self.nested, row, &mut parts);
        parts
    }

    /// Takes over what is known of record `row`, nested records included.
    pub(super) fn put_row(&mut self, row: usize, parts: RawParts) {
        R::Nested::take_over_row(&mut self.nested, row, &parts);
        let before = std::mem::replace(&mut self.rows[row], parts).dims;
        self.note_lengths(row, before);
    }

    /// Takes over what is known of the nested record that begins at field `field` and dimension `dim` of `outer`.
    pub(super) fn put_part_of(&mut self, row: usize, outer: &RawParts, field: usize, dim: usize) {
        let before = self.rows[row].dims;
        self.rows[row].take_part_of(outer, R::SCHEMA, field, dim);
        let parts = self.rows[row].clone();
        R::Nested::take_over_row(&mut self.nested, row, &parts);
        self.note_lengths(row, before);
    }

    /// Finds the longest lengths again where record `row` had others `before`.
    fn note_lengths(&mut self, row: usize, before: [u64; MAX_DIMS]) {
        let after = self.rows[row].dims;
        let was_longest = |dim: usize| before[dim] != UNSET && before[dim] == self.common.dims[dim];
        if (0..MAX_DIMS).any(|dim| before[dim] != after[dim] && was_longest(dim)) {
            self.common.dims = common(R::SCHEMA, &self.rows).dims;
        } else {
            lengthen(&mut self.common.dims, &after);
        }
    }
}

/// What the records are and how many; never their values.
impl<R: Record, T: ?Sized> fmt::Debug for RawRun<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(R::SCHEMA.name()).field("records", &self.rows.len()).finish_non_exhaustive()
    }
}
