//! Addresses become slices here, and nowhere else in Rust.

use std::fmt;
use std::ptr::NonNull;

use ndarray::{ArrayView, ArrayViewMut, Dimension, IxDyn, ShapeBuilder};

use super::Record;
use super::nested::{NestedRecords, Pick};
use crate::error::Error;
use crate::schema::{Column, Element, Extent, MAX_DIMS, Schema};

/// The length of a symbolic dimension that is not set.
pub(super) const UNSET: u64 = u64::MAX;

/// Where a record is and what is known of it: the untyped half of a view.
///
/// `presence` and `dims` are this process's own copies, read once and checked; nothing a peer writes later changes
/// which bytes a view covers.
#[derive(Clone, Debug)]
pub struct RawParts {
    base: NonNull<u8>,
    columns: NonNull<Column>,
    index: usize,
    pub(super) presence: u64,
    pub(super) dims: [u64; MAX_DIMS],
}

// SAFETY: `RawParts` is an address and plain numbers. Which thread uses it does not matter; that the memory behind it
// lives and is not written by others is the contract of `RawParts::new` and holds for any thread.
unsafe impl Send for RawParts {}
// SAFETY: as above; through `&RawParts` nothing is written.
unsafe impl Sync for RawParts {}

impl RawParts {
    /// A record at `index` of `columns` in the memory at `base`, with nothing present and no dimension set.
    ///
    /// # Safety
    /// For as long as the result or any view made of it is used:
    /// - `columns` points to the columns of the schema that the views will have, one for each field, unchanged;
    /// - `base + column.offset + index * column.stride` is valid for `column.size` bytes for each of them, in one
    ///   allocation, aligned to the dtype, initialised;
    /// - nobody writes those bytes while a `&` view exists, nobody else touches them while a `&mut` view exists.
    #[must_use]
    pub(crate) unsafe fn new(base: NonNull<u8>, columns: NonNull<Column>, index: usize) -> RawParts {
        RawParts { base, columns, index, presence: 0, dims: [UNSET; MAX_DIMS] }
    }

    /// The same of the record that is `records` further on.
    ///
    /// # Safety
    /// The contract of [`RawParts::new`] for that record.
    pub(crate) unsafe fn moved_by(&self, records: usize) -> RawParts {
        RawParts { index: self.index + records, ..self.clone() }
    }

    /// Copies what is present in a record into another place, and takes over what is known of it; how many bytes those are.
    ///
    /// # Safety
    /// The contract of [`RawParts::new`] with this schema, here and there, which are different bytes; nobody else reads or writes
    /// those here.
    pub(crate) unsafe fn copy_from(&mut self, schema: &Schema, other: &RawParts) -> usize {
        (self.presence, self.dims) = (other.presence, other.dims);
        let mut copied = 0;
        for field in (0..schema.fields().len()).filter(|field| other.presence >> field & 1 == 1) {
            let bytes = other.slice_len(schema, field) * schema.fields()[field].dtype().size();
            // SAFETY: a slice is no longer than the field, which is valid in both places.
            unsafe {
                let (from, to) = (other.field_ptr(schema, field), self.field_ptr(schema, field));
                std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_ptr(), bytes);
            }
            copied += bytes;
        }
        copied
    }

    /// Which record of the columns it is.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// One bit for each field that was written.
    #[must_use]
    #[inline]
    pub(crate) fn presence(&self) -> u64 {
        self.presence
    }

    /// The lengths of the symbolic dimensions; `None` for one that is not set.
    #[must_use]
    #[inline]
    pub(crate) fn dim(&self, dim: usize) -> Option<u64> {
        Some(self.dims[dim]).filter(|length| *length != UNSET)
    }

    /// Marks field `field` as written.
    #[inline]
    pub(crate) fn mark_present(&mut self, field: usize) {
        self.presence |= 1 << field;
    }

    /// Sets a symbolic dimension. Changing it makes the fields that name it absent again.
    ///
    /// # Errors
    /// [`Error::DimOutOfRange`].
    pub(crate) fn set_dim(&mut self, schema: &Schema, dim: usize, length: u64) -> Result<(), Error> {
        let declared = &schema.dims()[dim];
        if length < declared.min() || length > declared.max() {
            return Err(Error::DimOutOfRange {
                schema: schema.name().to_owned(),
                dim: declared.name().to_owned(),
                found: i128::from(length),
                min: declared.min(),
                max: declared.max(),
            });
        }
        if self.dims[dim] != length {
            self.dims[dim] = length;
            self.presence &= !schema.fields_with_dim(dim);
        }
        Ok(())
    }

    /// Takes over presence and dimensions as a peer states them, checked.
    ///
    /// # Errors
    /// [`Error::DimUnset`] or [`Error::DimOutOfRange`] for a dimension, [`Error::MissingField`] for a required field
    /// that the peer does not claim to have written.
    #[inline]
    pub(crate) fn adopt(
        &mut self,
        schema: &Schema,
        presence: u64,
        dims: impl Fn(usize) -> u64,
    ) -> Result<(), Error> {
        self.presence = 0;
        for dim in 0..schema.dims().len() {
            let length = dims(dim);
            self.dims[dim] = UNSET;
            if length != UNSET {
                self.set_dim(schema, dim, length)?;
            }
        }
        self.presence = presence & all_fields(schema);
        self.check_complete(schema)
    }

    /// Whether the record may be sent.
    ///
    /// # Errors
    /// [`Error::DimUnset`] for a dimension of a field that is required or present, [`Error::MissingField`].
    #[inline]
    pub(crate) fn check_complete(&self, schema: &Schema) -> Result<(), Error> {
        let required = schema.required();
        for (dim, declared) in schema.dims().iter().enumerate() {
            if self.dims[dim] == UNSET && schema.fields_with_dim(dim) & (required | self.presence) != 0 {
                return Err(dim_unset(schema, declared.name()));
            }
        }
        let missing = required & !self.presence;
        let missing = if missing == 0 { self.missing_companions(schema) } else { missing };
        if missing == 0 { Ok(()) } else { Err(missing_field(schema, missing)) }
    }

    /// Fields that are absent although another one of the optional nested record that requires them is present.
    #[inline]
    fn missing_companions(&self, schema: &Schema) -> u64 {
        if !schema.has_optional_records() {
            return 0;
        }
        let absent = |index: &usize| self.presence & (1 << index) == 0;
        let is_missed = |index: &usize| schema.companions(*index) & self.presence != 0;
        (0..schema.fields().len()).filter(absent).filter(is_missed).fold(0, |bits, index| bits | 1 << index)
    }

    /// The same record's fields and dimensions that are those of a nested record with schema `nested`: they begin at field
    /// `field` and dimension `dim` of `schema`.
    ///
    /// # Safety
    /// The contract of [`RawParts::new`] for the columns of `schema`, whose fields from `field` on are those of `nested`.
    pub(super) unsafe fn nested(&self, nested: &Schema, field: usize, dim: usize) -> RawParts {
        let mut dims = [UNSET; MAX_DIMS];
        let count = nested.dims().len();
        dims[..count].copy_from_slice(&self.dims[dim..dim + count]);
        RawParts {
            // SAFETY: the columns of `nested` are among those of the outer schema.
            columns: unsafe { self.columns.add(field) },
            presence: self.presence >> field & all_fields(nested),
            dims,
            ..*self
        }
    }

    /// Takes over what is known of a nested record, as [`RawParts::nested`] split it off.
    pub(super) fn take_over(&mut self, inner: &RawParts, nested: &Schema, field: usize, dim: usize) {
        self.presence = self.presence & !(all_fields(nested) << field) | inner.presence << field;
        let count = nested.dims().len();
        self.dims[dim..dim + count].copy_from_slice(&inner.dims[..count]);
    }

    /// As the nested record that begins at field `field` and dimension `dim` of `outer`: takes over what is known of it.
    pub(super) fn take_part_of(&mut self, outer: &RawParts, nested: &Schema, field: usize, dim: usize) {
        self.presence = outer.presence >> field & all_fields(nested);
        let count = nested.dims().len();
        self.dims[..count].copy_from_slice(&outer.dims[dim..dim + count]);
    }

    /// The column of field `field`.
    #[must_use]
    #[inline]
    pub(crate) fn column(&self, schema: &Schema, field: usize) -> Column {
        assert!(field < schema.fields().len(), "field {field} of a schema with {}", schema.fields().len());
        // SAFETY: by the contract of `new` there is a column for each field of the schema, and `field` is one.
        unsafe { self.columns.add(field).read() }
    }

    /// The address of field `field`.
    #[must_use]
    #[inline]
    pub(crate) fn field_ptr(&self, schema: &Schema, field: usize) -> NonNull<u8> {
        let column = self.column(schema, field);
        // SAFETY: by the contract of `new` this stays inside the allocation at `base`.
        unsafe { self.base.add(column.offset + self.index * column.stride) }
    }

    /// The shape of field `field` in this record; `None` while a dimension it names is not set.
    #[must_use]
    pub(crate) fn field_shape(&self, schema: &Schema, field: usize) -> Option<Vec<usize>> {
        let length = |extent: &Extent| match *extent {
            Extent::Fixed(size) => Some(size as usize),
            Extent::Dim(dim) => self.dim(usize::from(dim)).map(|length| length as usize),
        };
        schema.fields()[field].shape().extents().iter().map(length).collect()
    }

    /// The error for field `field`, which names a dimension that is not set.
    pub(crate) fn unset_dim(&self, schema: &Schema, field: usize) -> Error {
        let unset = |(dim, _): &(usize, _)| schema.fields()[field].uses_dim(*dim) && self.dim(*dim).is_none();
        let dim = schema.dims().iter().enumerate().find(unset).map_or("?", |(_, dim)| dim.name());
        dim_unset(schema, dim)
    }

    /// The number of elements that the slice of field `field` covers: all of them, but only as many rows as a leading
    /// symbolic dimension has.
    #[track_caller]
    #[inline]
    fn slice_len(&self, schema: &Schema, field: usize) -> usize {
        let extents = schema.fields()[field].shape().extents();
        let mut len = 1;
        for (axis, extent) in extents.iter().enumerate() {
            len *= match *extent {
                Extent::Fixed(size) => size as usize,
                Extent::Dim(dim) if axis == 0 => self.dim(usize::from(dim)).unwrap_or_else(|| {
                    panic!(
                        "dimension `{}` is not set: call `set_{}` before touching `{}`",
                        schema.dims()[usize::from(dim)].name(),
                        schema.dims()[usize::from(dim)].name(),
                        schema.fields()[field].name()
                    )
                }) as usize,
                Extent::Dim(dim) => schema.dims()[usize::from(dim)].max() as usize,
            };
        }
        len
    }
}

#[cold]
fn dim_unset(schema: &Schema, dim: &str) -> Error {
    Error::DimUnset { schema: schema.name().to_owned(), dim: dim.to_owned() }
}

/// The error for required fields that are absent, one bit each.
#[cold]
fn missing_field(schema: &Schema, missing: u64) -> Error {
    let field = schema.fields()[missing.trailing_zeros() as usize].name();
    Error::MissingField { schema: schema.name().to_owned(), field: field.to_owned() }
}

/// One bit for each field.
#[inline]
fn all_fields(schema: &Schema) -> u64 {
    u64::MAX >> (64 - schema.fields().len())
}

/// Typed access to the fields of one record of type `R`: what the generated views are made of.
///
/// `T` is `[(); 0]` where the view is stored and `[()]` where a program reaches it, see the module's documentation.
pub struct RawView<R: Record, T: ?Sized = [()]> {
    /// Of the fields and dimensions that nested records have, those views know better.
    parts: RawParts,
    nested: R::Nested,
    _tail: T,
}

impl<R: Record> RawView<R, [(); 0]> {
    /// # Safety
    /// The contract of [`RawParts::new`], with the columns of `R::SCHEMA`.
    pub(crate) unsafe fn new(parts: RawParts) -> Self {
        // SAFETY: passed on to the caller.
        let nested = unsafe { R::Nested::split_off::<R>(&parts) };
        RawView { parts, nested, _tail: [] }
    }
}

/// What the record is and which of its fields are present; never their values.
impl<R: Record, T: ?Sized> fmt::Debug for RawView<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct(R::SCHEMA.name());
        let parts = self.parts();
        for (dim, declared) in R::SCHEMA.dims().iter().enumerate() {
            out.field(declared.name(), &parts.dim(dim));
        }
        for (index, field) in R::SCHEMA.fields().iter().enumerate() {
            let present = parts.presence & (1 << index) != 0;
            let state = if present { "present" } else { "absent" };
            out.field(field.name(), &format_args!("{state}"));
        }
        out.finish()
    }
}

/// Whether elements of Rust type `E` may stand for field `FIELD` of `R`; evaluated at compile time.
pub(super) const fn assert_element<R: Record, E: Element, const FIELD: usize>() {
    assert!(FIELD < R::SCHEMA.fields().len(), "no such field");
    assert!(R::SCHEMA.fields()[FIELD].dtype().can_be_stored_as(E::DTYPE), "the field has another dtype");
}

impl<R: Record, T: ?Sized> RawView<R, T> {
    /// Where the record is and what is known of it, nested records included.
    #[inline]
    pub(crate) fn parts(&self) -> RawParts {
        let mut parts = self.parts.clone();
        self.nested.hand_over(&mut parts);
        parts
    }

    /// As [`RawView::parts`], without a copy where there are no nested records.
    #[inline]
    pub(crate) fn with_parts<U>(&self, look: impl FnOnce(&RawParts) -> U) -> U {
        if R::Nested::IS_NONE { look(&self.parts) } else { look(&self.parts()) }
    }

    /// The nested record at `I`, to read.
    #[must_use]
    pub fn nested<I>(&self) -> &<<R::Nested as Pick<I>>::Record as Record>::Ref
    where
        R::Nested: Pick<I>,
    {
        self.nested.pick()
    }

    /// The nested record at `I`, to write.
    pub fn nested_mut<I>(&mut self) -> &mut <<R::Nested as Pick<I>>::Record as Record>::Mut
    where
        R::Nested: Pick<I>,
    {
        self.nested.pick_mut()
    }

    /// The nested record at `I`, to read; `None` when none of its fields is present.
    #[must_use]
    pub fn nested_if_present<I>(&self) -> Option<&<<R::Nested as Pick<I>>::Record as Record>::Ref>
    where
        R::Nested: Pick<I>,
    {
        self.nested.is_any_present().then(|| &**self.nested.pick())
    }

    /// Whether field `FIELD` was written.
    #[must_use]
    pub fn is_present<const FIELD: usize>(&self) -> bool {
        self.parts.presence & (1 << FIELD) != 0
    }

    /// The length of symbolic dimension `DIM`; `None` before it is set.
    #[must_use]
    #[inline]
    pub fn dim<const DIM: usize>(&self) -> Option<usize> {
        self.parts.dim(DIM).map(|length| length as usize)
    }

    /// Sets symbolic dimension `DIM`; changing it makes the fields that name it absent again.
    ///
    /// # Errors
    /// [`Error::DimOutOfRange`].
    pub fn set_dim<const DIM: usize>(&mut self, length: usize) -> Result<(), Error> {
        self.parts.set_dim(R::SCHEMA, DIM, length as u64)
    }

    /// The elements of field `FIELD`, outermost dimension first; as many rows as a leading symbolic dimension has,
    /// every other dimension at its capacity.
    ///
    /// # Panics
    /// If a leading symbolic dimension is not set.
    #[must_use]
    #[track_caller]
    pub fn slice<E: Element, const FIELD: usize>(&self) -> &[E] {
        const { assert_element::<R, E, FIELD>() };
        let len = self.parts.slice_len(R::SCHEMA, FIELD);
        let ptr = self.parts.field_ptr(R::SCHEMA, FIELD).cast::<E>();
        // SAFETY: `RawParts::new` promises that the field's bytes are valid, initialised, aligned for its dtype, and
        // not written while `&self` lives. `E` has the size and no stricter alignment than the dtype
        // (`assert_element`), accepts any bits (`Element: Pod`), and `len` elements are at most the field's size,
        // because every dimension was checked against its capacity when it was set.
        unsafe { std::slice::from_raw_parts(ptr.as_ptr(), len) }
    }

    /// As [`RawView::slice`], to be written; marks the field as present.
    ///
    /// # Panics
    /// If a leading symbolic dimension is not set.
    #[track_caller]
    pub fn slice_mut<E: Element, const FIELD: usize>(&mut self) -> &mut [E] {
        const { assert_element::<R, E, FIELD>() };
        let len = self.parts.slice_len(R::SCHEMA, FIELD);
        let ptr = self.parts.field_ptr(R::SCHEMA, FIELD).cast::<E>();
        self.parts.mark_present(FIELD);
        // SAFETY: as in `slice`; `&mut self` is the only view, and nobody else touches the bytes while it lives.
        unsafe { std::slice::from_raw_parts_mut(ptr.as_ptr(), len) }
    }

    /// The value of field `FIELD`, which has no dimensions.
    #[must_use]
    pub fn value<E: Element, const FIELD: usize>(&self) -> E {
        const { assert!(R::SCHEMA.fields()[FIELD].shape().rank() == 0, "the field has dimensions") };
        self.slice::<E, FIELD>()[0]
    }

    /// Writes field `FIELD`, which has no dimensions, and marks it as present.
    pub fn set_value<E: Element, const FIELD: usize>(&mut self, value: E) {
        const { assert!(R::SCHEMA.fields()[FIELD].shape().rank() == 0, "the field has dimensions") };
        self.slice_mut::<E, FIELD>()[0] = value;
    }

    /// Field `FIELD` as an array of its shape in this record; strides follow the capacities.
    ///
    /// # Panics
    /// If a dimension it names is not set, or `D` has another rank.
    #[must_use]
    #[track_caller]
    pub fn array<E: Element, D: Dimension, const FIELD: usize>(&self) -> ArrayView<'_, E, D> {
        const { assert_element::<R, E, FIELD>() };
        let (shape, strides) = self.shape_and_strides(FIELD);
        let ptr = self.parts.field_ptr(R::SCHEMA, FIELD).cast::<E>();
        // SAFETY: as in `slice`; the strides are those of the capacities, no dimension exceeds its capacity, so
        // every index stays inside the field, and no two indices share an element.
        let view = unsafe { ArrayView::from_shape_ptr(IxDyn(&shape).strides(IxDyn(&strides)), ptr.as_ptr()) };
        view.into_dimensionality().expect("the generated code names the rank of the field")
    }

    /// As [`RawView::array`], to be written; marks the field as present.
    ///
    /// # Panics
    /// If a dimension it names is not set, or `D` has another rank.
    #[track_caller]
    pub fn array_mut<E: Element, D: Dimension, const FIELD: usize>(&mut self) -> ArrayViewMut<'_, E, D> {
        const { assert_element::<R, E, FIELD>() };
        let (shape, strides) = self.shape_and_strides(FIELD);
        let ptr = self.parts.field_ptr(R::SCHEMA, FIELD).cast::<E>();
        self.parts.mark_present(FIELD);
        // SAFETY: as in `array` and `slice_mut`.
        let view =
            unsafe { ArrayViewMut::from_shape_ptr(IxDyn(&shape).strides(IxDyn(&strides)), ptr.as_ptr()) };
        view.into_dimensionality().expect("the generated code names the rank of the field")
    }

    #[track_caller]
    fn shape_and_strides(&self, field: usize) -> (Vec<usize>, Vec<usize>) {
        let name = R::SCHEMA.fields()[field].name();
        let shape = self.parts.field_shape(R::SCHEMA, field);
        let shape = shape.unwrap_or_else(|| panic!("a dimension of `{name}` is not set: set it first"));
        (shape, R::SCHEMA.element_strides(field))
    }
}
