//! Fields and symbolic dimensions.

use std::borrow::Cow;

use super::{DType, Extent, Pad, Schema, Shape};

/// Whether a record may be sent without a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Sending a record whose field was never written is an error.
    Required,
    /// The field may be absent.
    Optional,
    /// The field is one of an optional nested record, named by the first parts of the field's name, as many as stated:
    /// it has to be there when another field of that record is. 1 for `pose.position` of an optional `pose`.
    RequiredIn(u8),
}

impl Presence {
    /// The byte that stands for it in the stable form.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Presence::Required => 0,
            Presence::Optional => 1,
            Presence::RequiredIn(parts) => parts.saturating_add(1),
        }
    }

    /// The presence that a byte stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Presence {
        match code {
            0 => Presence::Required,
            1 => Presence::Optional,
            code => Presence::RequiredIn(code - 1),
        }
    }

    /// The presence of the same field within a nested record.
    pub(super) const fn nested(self, in_optional: bool) -> Presence {
        match (self, in_optional) {
            (Presence::Required, true) => Presence::RequiredIn(1),
            (Presence::RequiredIn(parts), _) => Presence::RequiredIn(parts.saturating_add(1)),
            (presence, _) => presence,
        }
    }
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

    /// The same dimension under another name.
    pub(super) const fn renamed(&self, name: &'static str) -> Dim {
        Dim::from_static(name, self.min, self.max)
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &str {
        text(&self.name)
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
    pub const fn optional(self) -> Field {
        self.with_presence(Presence::Optional)
    }

    /// The same field with another presence.
    #[must_use]
    pub const fn with_presence(mut self, presence: Presence) -> Field {
        self.presence = presence;
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
        text(&self.name)
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

    /// Whether a record may be sent without it.
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
    pub const fn unit(&self) -> &str {
        text(&self.unit)
    }

    /// The documentation, empty when there is none.
    #[must_use]
    pub const fn doc(&self) -> &str {
        text(&self.doc)
    }

    /// Whether a record that was received may lack it.
    #[must_use]
    pub const fn may_be_absent(&self) -> bool {
        !matches!(self.presence, Presence::Required)
    }

    /// The optional nested record in which the field is required: `pose` for `pose.position`.
    pub(crate) fn optional_record(&self) -> Option<&str> {
        let Presence::RequiredIn(parts) = self.presence else { return None };
        let (end, _) = self.name.match_indices('.').nth(usize::from(parts).checked_sub(1)?)?;
        Some(&self.name[..end])
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
        match self.presence {
            Presence::Required => {}
            Presence::Optional => line.push_str(", optional"),
            Presence::RequiredIn(_) => {
                let record = self.optional_record().unwrap_or_default();
                line.push_str(&format!(", optional with `{record}`"));
            }
        }
        if self.align != 0 {
            line.push_str(&format!(", align {}", self.align));
        }
        line
    }
}

#[expect(clippy::ptr_arg, reason = "a constant function cannot dereference it")]
const fn text<'a>(text: &'a Cow<'static, str>) -> &'a str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => text.as_str(),
    }
}
