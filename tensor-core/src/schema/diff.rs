//! How two schemas differ, in words a person can act on.

use std::fmt;

use super::Schema;

/// The first thing on which two schemas do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs: `name`, `version`, `dimension seq`, `field pixels`, `number of fields`.
    pub what: String,
    /// What the first schema says, `nothing` when it lacks it.
    pub ours: String,
    /// What the second schema says, `nothing` when it lacks it.
    pub theirs: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` here, `{}` there", self.what, self.ours, self.theirs)
    }
}

pub(super) fn first_difference(ours: &Schema, theirs: &Schema) -> Option<Difference> {
    let differ = |what: &str, ours: String, theirs: String| {
        (ours != theirs).then(|| Difference { what: what.to_owned(), ours, theirs })
    };
    differ("name", ours.name().to_owned(), theirs.name().to_owned())
        .or_else(|| differ("version", ours.version().to_string(), theirs.version().to_string()))
        .or_else(|| items("dimension", &dim_lines(ours), &dim_lines(theirs)))
        .or_else(|| items("field", &field_lines(ours), &field_lines(theirs)))
}

/// The first place at which two lists of (name, description) part.
fn items(kind: &str, ours: &[(String, String)], theirs: &[(String, String)]) -> Option<Difference> {
    let longest = ours.len().max(theirs.len());
    let at = (0..longest).find(|&index| ours.get(index) != theirs.get(index))?;
    let describe = |side: Option<&(String, String)>| side.map_or("nothing".to_owned(), |item| item.1.clone());
    let name = ours.get(at).or_else(|| theirs.get(at)).map_or("", |item| item.0.as_str());
    Some(Difference {
        what: format!("{kind} {name}"),
        ours: describe(ours.get(at)),
        theirs: describe(theirs.get(at)),
    })
}

fn dim_lines(schema: &Schema) -> Vec<(String, String)> {
    let line = |dim: &super::Dim| format!("{} = {}..={}", dim.name(), dim.min(), dim.max());
    schema.dims().iter().map(|dim| (dim.name().to_owned(), line(dim))).collect()
}

fn field_lines(schema: &Schema) -> Vec<(String, String)> {
    schema.fields().iter().map(|field| (field.name().to_owned(), field.describe(schema))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{DType, Extent, Field, Schema, Shape};

    fn schema(fields: Vec<Field>) -> Schema {
        Schema::new("vision.image", 0, "", vec![], fields).unwrap()
    }

    #[test]
    fn the_first_difference_is_named_with_both_sides() {
        let pixels = |dtype| Field::new("pixels", dtype, Shape::new(&[Extent::Fixed(3)]));
        let id = Field::new("id", DType::U64, Shape::SCALAR);
        let ours = schema(vec![pixels(DType::F32), id.clone()]);
        assert_eq!(ours.difference(&ours.clone()), None);

        let dtype = ours.difference(&schema(vec![pixels(DType::F16), id])).unwrap();
        assert_eq!(dtype.to_string(), "field pixels: `pixels: f32[3]` here, `pixels: f16[3]` there");

        let missing = ours.difference(&schema(vec![pixels(DType::F32)])).unwrap();
        assert_eq!(missing.to_string(), "field id: `id: u64` here, `nothing` there");
    }

    #[test]
    fn docs_and_units_are_no_difference() {
        let plain = Field::new("x", DType::F32, Shape::SCALAR);
        let ours = schema(vec![plain.clone()]);
        let theirs = schema(vec![plain.described("m", "metres")]);
        assert_eq!(ours.difference(&theirs), None);
        assert_eq!(ours.fingerprint(), theirs.fingerprint());
    }
}
