//! Records within records, at compile time: a nested record's fields and dimensions become the outer one's, under dotted
//! names. What [`Schema::new`] does with an error the derive's checks do before; here, what exceeds a limit is left out.

use super::{Dim, Extent, Field, MAX_DIMS, Schema, Shape};

/// What a field of a struct stands for.
#[expect(clippy::large_enum_variant, reason = "it exists at compile time only")]
pub enum Part {
    /// One field of the schema.
    Field(Field),
    /// The fields of another schema.
    Nested {
        /// Its name in the outer schema.
        name: &'static str,
        /// What is nested.
        schema: &'static Schema,
        /// Whether a record may be sent without it.
        optional: bool,
    },
}

/// How many fields of the schema the first `count` parts stand for.
#[must_use]
pub const fn fields_before(parts: &[Part], count: usize) -> usize {
    let (mut fields, mut at) = (0, 0);
    while at < count {
        fields += match &parts[at] {
            Part::Field(_) => 1,
            Part::Nested { schema, .. } => schema.fields().len(),
        };
        at += 1;
    }
    fields
}

/// How many dimensions `own` and those of the first `count` parts are.
#[must_use]
pub const fn dims_before(own: &[Dim], parts: &[Part], count: usize) -> usize {
    let (mut dims, mut at) = (own.len(), 0);
    while at < count {
        if let Part::Nested { schema, .. } = &parts[at] {
            dims += schema.dims().len();
        }
        at += 1;
    }
    dims
}

/// How many bytes [`names`] are.
#[must_use]
pub const fn names_len(parts: &[Part]) -> usize {
    let mut len = 0;
    let mut at = 0;
    while at < parts.len() {
        if let Part::Nested { name, schema, .. } = &parts[at] {
            let mut index = 0;
            while index < schema.dims().len() {
                len += name.len() + 1 + schema.dims()[index].name().len();
                index += 1;
            }
            index = 0;
            while index < schema.fields().len() {
                len += name.len() + 1 + schema.fields()[index].name().len();
                index += 1;
            }
        }
        at += 1;
    }
    len
}

/// The dotted names, one after the other: for each nested record those of its dimensions, then those of its fields.
#[must_use]
pub const fn names<const LEN: usize>(parts: &[Part]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let (mut end, mut at) = (0, 0);
    while at < parts.len() {
        if let Part::Nested { name, schema, .. } = &parts[at] {
            let mut index = 0;
            while index < schema.dims().len() {
                end = dotted(&mut bytes, end, name, schema.dims()[index].name());
                index += 1;
            }
            index = 0;
            while index < schema.fields().len() {
                end = dotted(&mut bytes, end, name, schema.fields()[index].name());
                index += 1;
            }
        }
        at += 1;
    }
    bytes
}

const fn dotted(bytes: &mut [u8], mut end: usize, record: &str, name: &str) -> usize {
    end = put(bytes, end, record.as_bytes());
    end = put(bytes, end, b".");
    put(bytes, end, name.as_bytes())
}

const fn put(bytes: &mut [u8], mut end: usize, text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        bytes[end] = text[at];
        end += 1;
        at += 1;
    }
    end
}

/// The next name of `names`, and what follows it.
const fn next(names: &'static [u8], record: &str, name: &str) -> (&'static str, &'static [u8]) {
    let (name, rest) = names.split_at(record.len() + 1 + name.len());
    match core::str::from_utf8(name) {
        Ok(name) => (name, rest),
        Err(_) => panic!("texts put together are a text"),
    }
}

/// All dimensions: `own`, then those of nested records.
#[must_use]
pub const fn dims<const COUNT: usize>(
    own: &'static [Dim],
    parts: &'static [Part],
    mut names: &'static [u8],
) -> [Dim; COUNT] {
    let mut dims = [const { Dim::from_static("", 0, 0) }; COUNT];
    let mut count = 0;
    while count < own.len() && count < COUNT {
        put_dim(&mut dims[count], own[count].renamed(own[count].name()));
        count += 1;
    }
    let mut at = 0;
    while at < parts.len() {
        if let Part::Nested { name: record, schema, .. } = &parts[at] {
            let mut index = 0;
            while index < schema.dims().len() {
                let dim = &schema.dims()[index];
                let (name, rest) = next(names, record, dim.name());
                names = rest;
                if count < COUNT {
                    put_dim(&mut dims[count], dim.renamed(name));
                    count += 1;
                }
                index += 1;
            }
            index = 0;
            while index < schema.fields().len() {
                (_, names) = next(names, record, schema.fields()[index].name());
                index += 1;
            }
        }
        at += 1;
    }
    dims
}

/// All fields, in the order of their declaration.
#[must_use]
pub const fn fields<const COUNT: usize>(
    own_dims: &[Dim],
    parts: &'static [Part],
    mut names: &'static [u8],
) -> [Field; COUNT] {
    let mut fields = [const { Field::from_static("", super::DType::U8, Shape::SCALAR, "", "") }; COUNT];
    let (mut count, mut at) = (0, 0);
    while at < parts.len() {
        match &parts[at] {
            Part::Field(field) => {
                if count < COUNT {
                    put_field(&mut fields[count], field.within(field.name(), 0));
                    count += 1;
                }
            }
            Part::Nested { name: record, schema, optional } => {
                let mut index = 0;
                while index < schema.dims().len() {
                    (_, names) = next(names, record, schema.dims()[index].name());
                    index += 1;
                }
                let first_dim = dims_before(own_dims, parts, at);
                index = 0;
                while index < schema.fields().len() {
                    let field = &schema.fields()[index];
                    let (name, rest) = next(names, record, field.name());
                    names = rest;
                    if count < COUNT {
                        let presence = field.presence().nested(*optional);
                        put_field(&mut fields[count], field.within(name, first_dim).with_presence(presence));
                        count += 1;
                    }
                    index += 1;
                }
            }
        }
        at += 1;
    }
    fields
}

// What is overwritten is forgotten: a constant runs no destructor, and what was there owns nothing.
const fn put_field(place: &mut Field, field: Field) {
    core::mem::forget(core::mem::replace(place, field));
}

const fn put_dim(place: &mut Dim, dim: Dim) {
    core::mem::forget(core::mem::replace(place, dim));
}

impl Shape {
    /// The same shape where dimension 0 is dimension `first`. One beyond the limit becomes a single element.
    const fn with_dims_from(&self, first: usize) -> Shape {
        let mut extents = [Extent::Fixed(1); super::MAX_RANK];
        let mut axis = 0;
        while axis < self.rank() {
            extents[axis] = match self.extents()[axis] {
                Extent::Dim(dim) if dim as usize + first < MAX_DIMS => Extent::Dim(dim + first as u8),
                Extent::Dim(_) => Extent::Fixed(1),
                fixed => fixed,
            };
            axis += 1;
        }
        Shape::new(extents.split_at(self.rank()).0)
    }
}

impl Field {
    /// The same field under another name, where dimension 0 is dimension `first_dim`.
    const fn within(&'static self, name: &'static str, first_dim: usize) -> Field {
        let shape = self.shape().with_dims_from(first_dim);
        let field =
            Field::from_static(name, self.dtype(), shape, self.unit(), self.doc()).with_align(self.align());
        let field = field.with_presence(self.presence());
        match self.pad() {
            Some(pad) => field.with_pad(pad),
            None => field,
        }
    }
}
