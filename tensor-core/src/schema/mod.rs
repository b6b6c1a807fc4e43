//! What a record is: its name, its fields with dtype and shape, its symbolic dimensions.
//!
//! A [`Schema`] is the same value whether `#[derive(Tensor)]` made it at compile time, Python made it from a
//! class, or it was read out of an arena. It serialises to a stable form ([`Schema::encode`]) whose first part,
//! the canonical bytes, is what two processes compare and what the [`Fingerprint`] is of.

mod diff;
mod dtype;
mod element;
pub(crate) mod export;
pub(crate) mod export_file;
mod field;
mod float;
mod float8;
mod layout;
pub(crate) mod nested;
mod pad;
mod shape;
mod validate;
mod wire;

use std::borrow::Cow;
use std::fmt;

pub use diff::Difference;
pub use dtype::DType;
pub use element::{Element, Storage, StorageFacts};
pub use field::{Dim, Field, Presence};
pub use layout::{COLUMN_ALIGN, Column, RECORD_ALIGN};
pub use pad::Pad;
pub use shape::{Extent, MAX_DIMS, MAX_RANK, Shape};
pub use validate::{InvalidSchema, MAX_FIELDS, MAX_NAME, is_field_name, is_schema_name};
pub use wire::SchemaFormError;

/// What a record is.
///
/// Made by `#[derive(Tensor)]`, by [`Schema::new`], or decoded from an arena.
#[derive(Clone, PartialEq)]
pub struct Schema {
    name: Cow<'static, str>,
    version: u32,
    doc: Cow<'static, str>,
    dims: Cow<'static, [Dim]>,
    fields: Cow<'static, [Field]>,
}

impl Schema {
    /// A schema made at run time.
    ///
    /// # Errors
    /// [`InvalidSchema`] names the rule that is broken, with the numbers.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        version: u32,
        doc: impl Into<Cow<'static, str>>,
        dims: Vec<Dim>,
        fields: Vec<Field>,
    ) -> Result<Schema, InvalidSchema> {
        let schema = Schema {
            name: name.into(),
            version,
            doc: doc.into(),
            dims: Cow::Owned(dims),
            fields: Cow::Owned(fields),
        };
        schema.validate()?;
        Ok(schema)
    }

    /// A schema made at compile time; the derive has checked what [`Schema::new`] checks.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_static(
        name: &'static str,
        version: u32,
        doc: &'static str,
        dims: &'static [Dim],
        fields: &'static [Field],
    ) -> Schema {
        Schema {
            name: Cow::Borrowed(name),
            version,
            doc: Cow::Borrowed(doc),
            dims: Cow::Borrowed(dims),
            fields: Cow::Borrowed(fields),
        }
    }

    /// The name, for example `vision.image`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version its author gave it; 0 when none was given.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The documentation, empty when there is none.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// The symbolic dimensions, in the order of their declaration.
    #[must_use]
    pub const fn dims(&self) -> &[Dim] {
        match &self.dims {
            Cow::Borrowed(dims) => dims,
            Cow::Owned(dims) => dims.as_slice(),
        }
    }

    /// The fields, in the order of their declaration.
    #[must_use]
    pub const fn fields(&self) -> &[Field] {
        match &self.fields {
            Cow::Borrowed(fields) => fields,
            Cow::Owned(fields) => fields.as_slice(),
        }
    }

    /// The index of the field called `name`.
    #[must_use]
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| field.name() == name)
    }

    /// One bit for each required field: bit i is field i.
    #[must_use]
    pub const fn required(&self) -> u64 {
        let mut bits = 0;
        let mut index = 0;
        while index < self.fields().len() {
            if matches!(self.fields()[index].presence(), Presence::Required) {
                bits |= 1 << index;
            }
            index += 1;
        }
        bits
    }

    /// One bit for each field whose shape names the symbolic dimension `dim`.
    #[must_use]
    pub const fn fields_with_dim(&self, dim: usize) -> u64 {
        let mut bits = 0;
        let mut index = 0;
        while index < self.fields().len() {
            if self.fields()[index].uses_dim(dim) {
                bits |= 1 << index;
            }
            index += 1;
        }
        bits
    }

    /// Whether any field is required in an optional nested record.
    pub(crate) const fn has_optional_records(&self) -> bool {
        let mut index = 0;
        while index < self.fields().len() {
            if matches!(self.fields()[index].presence(), Presence::RequiredIn(_)) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// One bit for each field that an optional nested record has, for the one in which field `index` is required: with
    /// any of them present, the field has to be.
    pub(crate) fn companions(&self, index: usize) -> u64 {
        let Some(record) = self.fields()[index].optional_record() else { return 0 };
        let is_in = |(_, field): &(usize, &Field)| {
            field.name().strip_prefix(record).is_some_and(|rest| rest.starts_with('.'))
        };
        self.fields().iter().enumerate().filter(is_in).fold(0, |bits, (index, _)| bits | 1 << index)
    }

    /// The extents of field `index` when every symbolic dimension is at its capacity.
    pub(crate) fn capacity(&self, extent: Extent) -> u64 {
        match extent {
            Extent::Fixed(size) => size,
            Extent::Dim(dim) => self.dims()[usize::from(dim)].max(),
        }
    }

    /// The first difference to another schema in anything that two processes must agree on, or `None`.
    #[must_use]
    pub fn difference(&self, other: &Schema) -> Option<Difference> {
        diff::first_difference(self, other)
    }
}

/// Multi-line: one line a field, as a person would declare it.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if self.version != 0 {
            write!(f, " (version {})", self.version)?;
        }
        for dim in self.dims() {
            write!(f, "\n  {} = {}..={}", dim.name(), dim.min(), dim.max())?;
        }
        for field in self.fields() {
            write!(f, "\n  {}", field.describe(self))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({} {})", self.name, self.fingerprint())
    }
}

/// 128 bits that stand for everything two processes must agree on; docs, units and pads are not part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(crate) u128);

impl Fingerprint {
    /// The bits, in the order they are written into an arena.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
