//! Fields and symbolic dimensions.

use std::borrow::Cow;

use super::{DType, Extent, Schema, Shape};

/// Whether a record may be sent without a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Sending a record whose field was never written is an error.
    Required,
    /// The field may be absent.
    Optional,
}

/// What fills the rows of a batch beyond a record's own length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pad {
    /// For integer and bool fields.
    Int(i128),
    /// For floating-point fields.
    Float(f64),
}

/// A symbolic dimension: declared once with its bounds, its length is set for each record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dim {
    name: Cow<'static, str>,
    min: u64,
    max: u64,
}

impl Dim {
    /// The dimension `name` with `min..=max` elements; `max` is its capacity.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, min: u64, max: u64) -> Dim {
        Dim { name: name.into(), min, max }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn from_static(name: &'static str, min: u64, max: u64) -> Dim {
        Dim { name: Cow::Borrowed(name), min, max }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &str {
        match &self.name {
            Cow::Borrowed(name) => name,
            Cow::Owned(name) => name.as_str(),
        }
    }

    /// The smallest length a record may have.
    #[must_use]
    pub const fn min(&self) -> u64 {
        self.min
    }

    /// The largest length a record may have: what the memory is laid out for.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }
}

/// One field of a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    name: Cow<'static, str>,
    dtype: DType,
    shape: Shape,
    presence: Presence,
    align: u32,
    pad: Option<Pad>,
    unit: Cow<'static, str>,
    doc: Cow<'static, str>,
}

impl Field {
    /// A required field without annotations.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, dtype: DType, shape: Shape) -> Field {
        Field { name: name.into(), ..Field::from_static("", dtype, shape, "", "") }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn from_static(
        name: &'static str,
        dtype: DType,
        shape: Shape,
        unit: &'static str,
        doc: &'static str,
    ) -> Field {
        Field {
            name: Cow::Borrowed(name),
            dtype,
            shape,
            presence: Presence::Required,
            align: 0,
            pad: None,
            unit: Cow::Borrowed(unit),
            doc: Cow::Borrowed(doc),
        }
    }

    /// The same field, optional.
    #[must_use]
    pub const fn optional(mut self) -> Field {
        self.presence = Presence::Optional;
        self
    }

    /// The same field, the records' values `align` bytes apart or a multiple of it; 0 means as close as they fit.
    #[must_use]
    pub const fn with_align(mut self, align: u32) -> Field {
        self.align = align;
        self
    }

    /// The same field with a pad value.
    #[must_use]
    pub const fn with_pad(mut self, pad: Pad) -> Field {
        self.pad = Some(pad);
        self
    }

    /// The same field with a unit and documentation.
    #[must_use]
    pub fn described(
        mut self,
        unit: impl Into<Cow<'static, str>>,
        doc: impl Into<Cow<'static, str>>,
    ) -> Field {
        self.unit = unit.into();
        self.doc = doc.into();
        self
    }

    /// The name, which is also the attribute in Python.
    #[must_use]
    pub const fn name(&self) -> &str {
        match &self.name {
            Cow::Borrowed(name) => name,
            Cow::Owned(name) => name.as_str(),
        }
    }

    /// The type of one element.
    #[must_use]
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape in one record.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Whether the field may be absent.
    #[must_use]
    pub const fn presence(&self) -> Presence {
        self.presence
    }

    /// The distance in bytes that records' values are a multiple of, as asked for; 0 when nothing was.
    #[must_use]
    pub const fn align(&self) -> u32 {
        self.align
    }

    /// What fills a batch beyond a record's own length; 0 when not stated.
    #[must_use]
    pub const fn pad(&self) -> Option<Pad> {
        self.pad
    }

    /// The unit, empty when there is none.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The documentation, empty when there is none.
    #[must_use]
    pub fn doc(&self) -> &str {
        &self.doc
    }

    /// Whether the shape names the symbolic dimension `dim`.
    #[must_use]
    pub const fn uses_dim(&self, dim: usize) -> bool {
        let extents = self.shape.extents();
        let mut axis = 0;
        while axis < extents.len() {
            if let Extent::Dim(index) = extents[axis]
                && index as usize == dim
            {
                return true;
            }
            axis += 1;
        }
        false
    }

    /// One line, as a person would declare it: `pixels: f32[3, 224, 224]`.
    pub(crate) fn describe(&self, schema: &Schema) -> String {
        let mut line = format!("{}: {}", self.name, self.dtype);
        if self.shape.rank() > 0 {
            let extents: Vec<String> = self
                .shape
                .extents()
                .iter()
                .map(|extent| match *extent {
                    Extent::Fixed(size) => size.to_string(),
                    Extent::Dim(dim) => schema
                        .dims()
                        .get(usize::from(dim))
                        .map_or("?".to_owned(), |dim| dim.name().to_owned()),
                })
                .collect();
            line.push_str(&format!("[{}]", extents.join(", ")));
        }
        if self.presence == Presence::Optional {
            line.push_str(", optional");
        }
        if self.align != 0 {
            line.push_str(&format!(", align {}", self.align));
        }
        line
    }
}
