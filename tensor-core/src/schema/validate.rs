//! The rules a schema keeps, whoever made it.

use super::{Extent, MAX_DIMS, Presence, Schema};

/// The largest number of fields: one presence bit each.
pub const MAX_FIELDS: usize = 64;

/// The longest name of a schema, a field or a dimension, in bytes.
pub const MAX_NAME: usize = 63;

/// The largest `align` in bytes.
const MAX_ALIGN: u32 = 4096;

/// A rule that a schema breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSchema {
    /// The schema's own name is not allowed.
    #[error("schema name `{name}` must match `[a-z][a-z0-9_.]*` and be at most {MAX_NAME} bytes")]
    Name {
        /// The name found.
        name: String,
    },
    /// A field or dimension name is not allowed.
    #[error(
        "`{name}` is not a field or dimension name: expected `[A-Za-z_][A-Za-z0-9_]*`, in a nested record with dots between \
         such names, of at most {MAX_NAME} bytes"
    )]
    FieldName {
        /// The name found.
        name: String,
    },
    /// Two fields or dimensions share a name.
    #[error("`{name}` is declared twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The fields of a nested record do not follow each other, or something else has its name.
    #[error(
        "the fields of the nested record `{record}` have to follow each other, and nothing else may have its name"
    )]
    Scattered {
        /// The nested record.
        record: String,
    },
    /// A field is required in a nested record that its name does not have.
    #[error("`{field}` is required with an optional record of {parts} names, which it is not in")]
    NotNested {
        /// The field.
        field: String,
        /// How many parts the record's name would have.
        parts: u8,
    },
    /// No fields, or too many.
    #[error("{found} fields: a schema holds 1 to {MAX_FIELDS}")]
    FieldCount {
        /// How many there are.
        found: usize,
    },
    /// Too many symbolic dimensions.
    #[error("{found} symbolic dimensions: a schema holds at most {MAX_DIMS}")]
    DimCount {
        /// How many there are.
        found: usize,
    },
    /// Bounds of a symbolic dimension.
    #[error("dimension `{name}` is {min}..={max}: the capacity must be at least 1 and at least the minimum")]
    DimBounds {
        /// The dimension.
        name: String,
        /// Its minimum.
        min: u64,
        /// Its capacity.
        max: u64,
    },
    /// A fixed extent of zero.
    #[error("dimension {axis} of `{field}` is 0; every dimension must be at least 1")]
    ZeroExtent {
        /// The field.
        field: String,
        /// Which of its dimensions, from 0.
        axis: usize,
    },
    /// A shape refers to a dimension that is not declared.
    #[error("`{field}` uses symbolic dimension {dim}, but only {declared} are declared")]
    UnknownDim {
        /// The field.
        field: String,
        /// The index it uses.
        dim: usize,
        /// How many there are.
        declared: usize,
    },
    /// A dimension that no field uses.
    #[error("dimension `{name}` is declared but no field uses it")]
    UnusedDim {
        /// The dimension.
        name: String,
    },
    /// `align` is not a power of two up to 4096.
    #[error("`align = {align}` of `{field}` is not a power of two of at most {MAX_ALIGN}")]
    Align {
        /// The field.
        field: String,
        /// What was found.
        align: u32,
    },
    /// More bytes than an address space holds.
    #[error("`{field}` with {slots} slots needs more than `isize::MAX` bytes")]
    TooLarge {
        /// The field.
        field: String,
        /// The number of records.
        slots: usize,
    },
}

/// Whether `name` can be the name of a schema or of a meeting point.
#[must_use]
pub fn is_schema_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= MAX_NAME
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.'))
}

/// Whether `name` can be the name of a field or a dimension; `pose.position` is one of a nested record.
#[must_use]
pub fn is_field_name(name: &str) -> bool {
    let is_name = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    name.len() <= MAX_NAME && name.split('.').all(is_name)
}

/// The names of the nested records that a field or dimension is in: `a` and `a.b` for `a.b.c`.
fn records_around(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(end, _)| &name[..end])
}

/// Whether the field or dimension `name` is in the nested record `record`.
fn is_in(name: &str, record: &str) -> bool {
    name.strip_prefix(record).is_some_and(|rest| rest.starts_with('.'))
}

impl Schema {
    /// Checks every rule; the first broken one is the error.
    pub(crate) fn validate(&self) -> Result<(), InvalidSchema> {
        if !is_schema_name(self.name()) {
            return Err(InvalidSchema::Name { name: self.name().to_owned() });
        }
        if self.fields().is_empty() || self.fields().len() > MAX_FIELDS {
            return Err(InvalidSchema::FieldCount { found: self.fields().len() });
        }
        if self.dims().len() > MAX_DIMS {
            return Err(InvalidSchema::DimCount { found: self.dims().len() });
        }
        let mut names: Vec<&str> = Vec::with_capacity(self.fields().len() + self.dims().len());
        let fields = self.fields().iter().map(super::Field::name);
        for name in fields.chain(self.dims().iter().map(super::Dim::name)) {
            if !is_field_name(name) {
                return Err(InvalidSchema::FieldName { name: name.to_owned() });
            }
            if names.contains(&name) {
                return Err(InvalidSchema::Duplicate { name: name.to_owned() });
            }
            names.push(name);
        }
        self.validate_nesting(&names)?;
        self.validate_dims()?;
        self.validate_fields()
    }

    /// Fields of a nested record follow each other, so that a record with nested ones can be told from the names alone.
    fn validate_nesting(&self, names: &[&str]) -> Result<(), InvalidSchema> {
        for name in names {
            if let Some(record) = records_around(name).find(|record| names.contains(record)) {
                return Err(InvalidSchema::Scattered { record: record.to_owned() });
            }
        }
        for (index, field) in self.fields().iter().enumerate() {
            let is_apart = |record: &&str| {
                let before = self.fields()[..index].iter().rposition(|other| is_in(other.name(), record));
                before.is_some_and(|before| before + 1 != index)
            };
            if let Some(record) = records_around(field.name()).find(is_apart) {
                return Err(InvalidSchema::Scattered { record: record.to_owned() });
            }
            if let Presence::RequiredIn(parts) = field.presence()
                && field.optional_record().is_none()
            {
                return Err(InvalidSchema::NotNested { field: field.name().to_owned(), parts });
            }
        }
        Ok(())
    }

    fn validate_dims(&self) -> Result<(), InvalidSchema> {
        for (index, dim) in self.dims().iter().enumerate() {
            if dim.max() == 0 || dim.min() > dim.max() {
                return Err(InvalidSchema::DimBounds {
                    name: dim.name().to_owned(),
                    min: dim.min(),
                    max: dim.max(),
                });
            }
            if self.fields_with_dim(index) == 0 {
                return Err(InvalidSchema::UnusedDim { name: dim.name().to_owned() });
            }
        }
        Ok(())
    }

    fn validate_fields(&self) -> Result<(), InvalidSchema> {
        for (index, field) in self.fields().iter().enumerate() {
            for (axis, extent) in field.shape().extents().iter().enumerate() {
                match *extent {
                    Extent::Fixed(0) => {
                        return Err(InvalidSchema::ZeroExtent { field: field.name().to_owned(), axis });
                    }
                    Extent::Dim(dim) if usize::from(dim) >= self.dims().len() => {
                        return Err(InvalidSchema::UnknownDim {
                            field: field.name().to_owned(),
                            dim: usize::from(dim),
                            declared: self.dims().len(),
                        });
                    }
                    _ => {}
                }
            }
            let align = field.align();
            if align != 0 && (!align.is_power_of_two() || align > MAX_ALIGN) {
                return Err(InvalidSchema::Align { field: field.name().to_owned(), align });
            }
            if self.record_offset(index + 1).is_none() {
                return Err(InvalidSchema::TooLarge { field: field.name().to_owned(), slots: 1 });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DType, Dim, Field, Shape};
    use super::*;

    fn one(field: Field, dims: Vec<Dim>) -> Result<Schema, InvalidSchema> {
        Schema::new("a.b", 0, "", dims, vec![field])
    }

    #[test]
    fn every_rule_names_what_breaks_it() {
        let scalar = || Field::new("x", DType::F32, Shape::SCALAR);
        let shaped = |extent| Field::new("x", DType::F32, Shape::new(&[extent]));
        assert!(one(scalar(), vec![]).is_ok());
        assert!(matches!(Schema::new("A", 0, "", vec![], vec![scalar()]), Err(InvalidSchema::Name { .. })));
        assert!(matches!(
            Schema::new("a", 0, "", vec![], vec![]),
            Err(InvalidSchema::FieldCount { found: 0 })
        ));
        let twice = Schema::new("a", 0, "", vec![], vec![scalar(), scalar()]);
        assert_eq!(twice, Err(InvalidSchema::Duplicate { name: "x".into() }));
        assert!(matches!(
            one(shaped(Extent::Fixed(0)), vec![]),
            Err(InvalidSchema::ZeroExtent { axis: 0, .. })
        ));
        assert!(matches!(one(shaped(Extent::Dim(0)), vec![]), Err(InvalidSchema::UnknownDim { .. })));
        let reversed = one(shaped(Extent::Dim(0)), vec![Dim::new("n", 5, 4)]);
        assert!(matches!(reversed, Err(InvalidSchema::DimBounds { min: 5, max: 4, .. })));
        assert!(matches!(one(scalar(), vec![Dim::new("n", 0, 4)]), Err(InvalidSchema::UnusedDim { .. })));
        assert!(matches!(one(scalar().with_align(48), vec![]), Err(InvalidSchema::Align { align: 48, .. })));
        assert!(matches!(one(shaped(Extent::Fixed(u64::MAX)), vec![]), Err(InvalidSchema::TooLarge { .. })));
        let fields = |names: &[&'static str]| {
            let field = |name: &&'static str| Field::new(*name, DType::F32, Shape::SCALAR);
            Schema::new("a", 0, "", vec![], names.iter().map(field).collect())
        };
        assert!(fields(&["a.b.x", "a.b.y", "a.c", "ab", "b.x"]).is_ok());
        for scattered in [&["a.x", "b", "a.y"][..], &["a", "a.x"], &["a.x", "a"], &["a.b.x", "a.c", "a.b.y"]]
        {
            assert!(matches!(fields(scattered), Err(InvalidSchema::Scattered { .. })), "{scattered:?}");
        }
        for name in ["a.", ".a", "a..b", "a.2"] {
            assert!(matches!(fields(&[name]), Err(InvalidSchema::FieldName { .. })), "{name}");
        }
        let required_in = |name, parts| {
            let field = Field::new(name, DType::F32, Shape::SCALAR);
            one(field.with_presence(Presence::RequiredIn(parts)), vec![])
        };
        assert!(required_in("a.b.c", 2).is_ok());
        for (name, parts) in [("a.b.c", 3), ("a", 1), ("a.b", 0), ("a.b", 255)] {
            let invalid = required_in(name, parts);
            assert!(matches!(invalid, Err(InvalidSchema::NotNested { .. })), "{name} {parts}");
        }
        let odd = one(Field::new("é", DType::F32, Shape::SCALAR), vec![]);
        assert!(matches!(odd, Err(InvalidSchema::FieldName { .. })));
    }
}
