//! The stable, versioned form of a schema: what travels in an arena.
//!
//! ```text
//! u32    length of the canonical part in bytes
//! canonical part:
//!   "TBSC", u8 form (1), name, u32 version
//!   u8 dimensions, each: name, u64 min, u64 max
//!   u8 fields, each: name, u8 dtype, u8 presence, u32 align, u8 rank, per extent: u8 tag, u64 value
//! annotations:
//!   doc, then for each field: u8 pad tag, [16 bytes pad], unit, doc
//! ```
//!
//! A presence is 0 for a required field, 1 for an optional one, 1 + n for one that is required when its optional record,
//! the first n parts of its dotted name, is there. Integers are little-endian; a text is a u32 length and UTF-8. Strides follow from the shape, the capacities and
//! `align` in form 1, so the canonical part covers them. A decoder accepts exactly what the encoder writes.

use super::{DType, Dim, Extent, Field, Fingerprint, InvalidSchema, MAX_RANK, Pad, Presence, Schema, Shape};

const MAGIC: &[u8; 4] = b"TBSC";
const FORM: u8 = 1;

/// The largest text accepted from a peer, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Why bytes are not a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaFormError {
    /// The bytes end before the schema does.
    #[error("the schema ends after {length} bytes, in the middle of {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// How many bytes there are.
        length: usize,
    },
    /// Bytes are left over.
    #[error("{extra} bytes follow the end of the schema")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
    /// A byte has a value that means nothing.
    #[error("{what} is {found}, which this version does not know")]
    Unknown {
        /// What was being read.
        what: &'static str,
        /// The value found.
        found: u64,
    },
    /// The schema can be read and breaks a rule.
    #[error(transparent)]
    Invalid(#[from] InvalidSchema),
}

impl Schema {
    /// The bytes two processes compare: everything but docs, units and pads.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 64 * self.fields().len());
        out.extend_from_slice(MAGIC);
        out.push(FORM);
        put_text(&mut out, self.name());
        out.extend_from_slice(&self.version().to_le_bytes());
        out.push(self.dims().len() as u8);
        for dim in self.dims() {
            put_text(&mut out, dim.name());
            out.extend_from_slice(&dim.min().to_le_bytes());
            out.extend_from_slice(&dim.max().to_le_bytes());
        }
        out.push(self.fields().len() as u8);
        for field in self.fields() {
            put_text(&mut out, field.name());
            out.push(field.dtype() as u8);
            out.push(field.presence().code());
            out.extend_from_slice(&field.align().to_le_bytes());
            out.push(field.shape().rank() as u8);
            for extent in field.shape().extents() {
                let (tag, value) = match *extent {
                    Extent::Fixed(size) => (0, size),
                    Extent::Dim(dim) => (1, u64::from(dim)),
                };
                out.push(tag);
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        out
    }

    /// The fingerprint: XXH3-128 of the canonical bytes.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(xxhash_rust::xxh3::xxh3_128(&self.canonical_bytes()))
    }

    /// The whole schema, docs and units included, in its stable form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let canonical = self.canonical_bytes();
        let mut out = Vec::with_capacity(canonical.len() + 256);
        out.extend_from_slice(&(canonical.len() as u32).to_le_bytes());
        out.extend_from_slice(&canonical);
        put_text(&mut out, self.doc());
        for field in self.fields() {
            match field.pad() {
                None => out.push(0),
                Some(Pad::Int(value)) => {
                    out.push(1);
                    out.extend_from_slice(&value.to_le_bytes());
                }
                Some(Pad::Float(value)) => {
                    out.push(2);
                    out.extend_from_slice(&u128::from(value.to_bits()).to_le_bytes());
                }
            }
            put_text(&mut out, field.unit());
            put_text(&mut out, field.doc());
        }
        out
    }

    /// Reads what [`Schema::encode`] wrote. The bytes may come from anybody.
    ///
    /// # Errors
    /// [`SchemaFormError`] when the bytes are cut short, too long, unknown to this version, or break a rule.
    pub fn decode(bytes: &[u8]) -> Result<Schema, SchemaFormError> {
        let mut input = Input { bytes, at: 0 };
        let canonical_end = input.u32("the length")? as usize + input.at;
        let (name, version, dims, mut fields) = decode_canonical(&mut input)?;
        if input.at != canonical_end {
            let found = canonical_end as u64;
            return Err(SchemaFormError::Unknown { what: "the end of the canonical part", found });
        }
        let doc = input.text("the doc")?;
        for field in &mut fields {
            let pad = decode_pad(&mut input)?;
            let unit = input.text("a unit")?;
            let doc = input.text("a field's doc")?;
            let mut described = field.clone().described(unit, doc);
            if let Some(pad) = pad {
                described = described.with_pad(pad);
            }
            *field = described;
        }
        if input.at != bytes.len() {
            return Err(SchemaFormError::TrailingBytes { extra: bytes.len() - input.at });
        }
        Ok(Schema::new(name, version, doc, dims, fields)?)
    }
}

type Canonical = (String, u32, Vec<Dim>, Vec<Field>);

fn decode_canonical(input: &mut Input<'_>) -> Result<Canonical, SchemaFormError> {
    let magic = input.take(4, "the magic")?;
    if magic != MAGIC {
        let found = u64::from(u32::from_le_bytes([magic[0], magic[1], magic[2], magic[3]]));
        return Err(SchemaFormError::Unknown { what: "the magic", found });
    }
    match input.u8("the form")? {
        FORM => {}
        other => return Err(SchemaFormError::Unknown { what: "the form", found: u64::from(other) }),
    }
    let name = input.text("the name")?;
    let version = input.u32("the version")?;
    let mut dims = Vec::new();
    for _ in 0..input.u8("the number of dimensions")? {
        let name = input.text("a dimension's name")?;
        dims.push(Dim::new(name, input.u64("a minimum")?, input.u64("a capacity")?));
    }
    let mut fields = Vec::new();
    for _ in 0..input.u8("the number of fields")? {
        fields.push(decode_field(input)?);
    }
    Ok((name, version, dims, fields))
}

fn decode_field(input: &mut Input<'_>) -> Result<Field, SchemaFormError> {
    let unknown = |what, found: u8| SchemaFormError::Unknown { what, found: u64::from(found) };
    let name = input.text("a field's name")?;
    let code = input.u8("a dtype")?;
    let dtype = DType::from_code(code).ok_or_else(|| unknown("a dtype", code))?;
    let presence = input.u8("a presence")?;
    let align = input.u32("an align")?;
    let rank = input.u8("a rank")?;
    if usize::from(rank) > MAX_RANK {
        return Err(unknown("a rank", rank));
    }
    let mut extents = Vec::with_capacity(usize::from(rank));
    for _ in 0..rank {
        let tag = input.u8("an extent")?;
        let value = input.u64("an extent")?;
        extents.push(match (tag, u8::try_from(value)) {
            (0, _) => Extent::Fixed(value),
            (1, Ok(dim)) => Extent::Dim(dim),
            _ => return Err(unknown("an extent's tag", tag)),
        });
    }
    let presence = Presence::from_code(presence);
    Ok(Field::new(name, dtype, Shape::new(&extents)).with_align(align).with_presence(presence))
}

fn decode_pad(input: &mut Input<'_>) -> Result<Option<Pad>, SchemaFormError> {
    match input.u8("a pad")? {
        0 => Ok(None),
        1 => Ok(Some(Pad::Int(input.u128("a pad")? as i128))),
        2 => match u64::try_from(input.u128("a pad")?) {
            Ok(bits) => Ok(Some(Pad::Float(f64::from_bits(bits)))),
            Err(_) => Err(SchemaFormError::Unknown { what: "a pad", found: u64::MAX }),
        },
        other => Err(SchemaFormError::Unknown { what: "a pad's tag", found: u64::from(other) }),
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // A longer doc is cut at a character, so that whatever is encoded can be decoded again.
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A cursor over foreign bytes; every read is checked.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], SchemaFormError> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(SchemaFormError::Truncated { what, length: self.bytes.len() })?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SchemaFormError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, SchemaFormError> {
        self.array(what).map(u8::from_le_bytes)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, SchemaFormError> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, SchemaFormError> {
        self.array(what).map(u64::from_le_bytes)
    }

    fn u128(&mut self, what: &'static str) -> Result<u128, SchemaFormError> {
        self.array(what).map(u128::from_le_bytes)
    }

    fn text(&mut self, what: &'static str) -> Result<String, SchemaFormError> {
        let length = self.u32(what)? as usize;
        if length > MAX_TEXT {
            return Err(SchemaFormError::Unknown { what, found: length as u64 });
        }
        let bytes = self.take(length, what)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(SchemaFormError::Unknown { what, found: error.valid_up_to() as u64 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Schema {
        Schema::new(
            "nlp.tokens",
            3,
            "A text.",
            vec![Dim::new("seq", 1, 512)],
            vec![
                Field::new("ids", DType::I64, Shape::new(&[Extent::Dim(0)])).with_pad(Pad::Int(-100)),
                Field::new("mask", DType::BF16, Shape::new(&[Extent::Dim(0), Extent::Fixed(2)]))
                    .optional()
                    .with_align(64)
                    .with_pad(Pad::Float(0.5))
                    .described("m", "Where."),
            ],
        )
        .unwrap()
    }

    #[test]
    fn decoding_gives_back_what_was_encoded() {
        assert_eq!(Schema::decode(&sample().encode()), Ok(sample()));
    }

    /// The bytes of a schema and its fingerprint are the wire format: they must never change within form 1.
    #[test]
    fn golden_bytes() {
        let schema = Schema::new(
            "a.b",
            2,
            "D",
            vec![Dim::new("n", 1, 4)],
            vec![Field::new("x", DType::F32, Shape::new(&[Extent::Dim(0), Extent::Fixed(3)])).optional()],
        )
        .unwrap();
        let expected = b"\x45\0\0\0TBSC\x01\x03\0\0\0a.b\x02\0\0\0\
            \x01\x01\0\0\0n\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\
            \x01\x01\0\0\0x\x0c\x01\0\0\0\0\x02\x01\0\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\
            \x01\0\0\0D\0\0\0\0\0\0\0\0\0";
        assert_eq!(schema.encode(), expected);
        assert_eq!(schema.fingerprint().to_string(), "72cf7d1b2e66a546ead2456a23f87e18");
    }

    /// As above, of a schema with an optional nested record.
    #[test]
    fn golden_bytes_of_a_nested_record() {
        let field = |name| Field::new(name, DType::U8, Shape::SCALAR);
        let weight = Field::new("pose.w", DType::U8, Shape::new(&[Extent::Dim(0)])).optional();
        let fields = vec![field("pose.x").with_presence(Presence::RequiredIn(1)), weight, field("y")];
        let schema = Schema::new("a", 0, "", vec![Dim::new("pose.n", 0, 4)], fields).unwrap();
        let expected = b"TBSC\x01\x01\0\0\0a\0\0\0\0\
            \x01\x06\0\0\0pose.n\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\
            \x03\x06\0\0\0pose.x\x02\x02\0\0\0\0\0\
            \x06\0\0\0pose.w\x02\x01\0\0\0\0\x01\x01\0\0\0\0\0\0\0\0\
            \x01\0\0\0y\x02\0\0\0\0\0\0";
        assert_eq!(schema.canonical_bytes(), expected);
        assert_eq!(schema.fingerprint().to_string(), "ea17d7db7151c50854d962857a9053cc");
        assert_eq!(Schema::decode(&schema.encode()), Ok(schema));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(Schema::decode(&bytes[..end]).is_err(), "{end} bytes were accepted");
        }
        let mut longer = bytes;
        longer.push(0);
        assert_eq!(Schema::decode(&longer), Err(SchemaFormError::TrailingBytes { extra: 1 }));
    }

    proptest! {
        /// One changed byte gives an error or a schema that encodes to exactly the changed bytes.
        #[test]
        fn foreign_bytes_never_panic(at in 0usize..200, value: u8) {
            let mut bytes = sample().encode();
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(schema) = Schema::decode(&bytes) {
                prop_assert_eq!(schema.encode(), bytes);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Schema::decode(&bytes);
        }
    }
}
