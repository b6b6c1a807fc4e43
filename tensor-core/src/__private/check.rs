//! What generated code checks at compile time. A failed check is a panic in a constant; the compiler shows its text at
//! the tokens that the derive gave the call, which is why every check is `#[track_caller]` and says the numbers.

use super::text::Text;
use crate::schema::nested::{Part, dims_before, fields_before};
use crate::schema::{
    DType, Dim, Extent, MAX_DIMS, MAX_FIELDS, MAX_NAME, MAX_RANK, Pad, RECORD_ALIGN, Schema, Shape,
    StorageFacts,
};

/// The number of bytes after a field of `size` bytes up to the next field.
#[must_use]
pub const fn padding(size: usize) -> usize {
    size.next_multiple_of(RECORD_ALIGN) - size
}

/// Memory is mapped as it is, so every process must mean the same bytes.
#[track_caller]
pub const fn check_target(little_endian: bool) {
    if !little_endian {
        panic!("tensorbridge maps native memory and supports little-endian targets only");
    }
}

/// A field on its own: the depth of its arrays, its dimensions and, unless the whole record fits the address space, its
/// size.
#[track_caller]
pub const fn check_field(schema: &Schema, field: usize, facts: StorageFacts, fits: bool) {
    if field >= schema.fields().len() {
        return; // `check_part` says that there are too many
    }
    let declared = &schema.fields()[field];
    let name = declared.name();
    if facts.depth > MAX_RANK {
        let text = quoted(name).str(" has ").number(facts.depth as u64).str(" dimensions; at most ");
        fail(text.number(MAX_RANK as u64).str(" are supported"));
    }
    let extents = declared.shape().extents();
    let mut axis = 0;
    while axis < extents.len() {
        if let Extent::Fixed(0) = extents[axis] {
            let text = Text::new().str("dimension ").number(axis as u64).str(" of `").str(name);
            fail(text.str("` is 0; every dimension must be at least 1"));
        }
        axis += 1;
    }
    if fits {
        return;
    }
    if schema.field_size(field).is_none() {
        fail(quoted(name).str(" needs more than `isize::MAX` bytes"));
    }
    if schema.record_offset(field).is_some() && schema.record_offset(field + 1).is_none() {
        fail(Text::new().str("with `").str(name).str("` the record needs more than `isize::MAX` bytes"));
    }
}

/// A stated dtype against the elements that the Rust type `rust` stores.
#[track_caller]
pub const fn check_dtype(field: &str, rust: &str, stated: DType, stored: DType) {
    if stated.can_be_stored_as(stored) {
        return;
    }
    let store = raw_store(stated);
    if let Some(raw) = store
        && stated.size() != stored.size()
    {
        let text = Text::new()
            .str("`dtype = ")
            .str(stated.name())
            .str("` is ")
            .counted(stated.size() as u64, "byte");
        let text =
            text.str(" wide but elements of `").str(rust).str("` are ").counted(stored.size() as u64, "byte");
        fail(text.str("\nhelp: store `").str(field).str("` as `").str(raw.name()).str("`"));
    }
    let text = Text::new().str("`dtype = ").str(stated.name()).str("` contradicts the element type `");
    let text = text.str(stored.name()).str("`\nhelp: remove `dtype`");
    match store {
        Some(raw) => fail(text.str(", or store `").str(field).str("` as `").str(raw.name()).str("`")),
        None => fail(text),
    }
}

/// A stated shape over a Rust type of another nesting: a flat array has to store as many elements.
#[track_caller]
pub const fn check_shape(field: &str, rust: &str, stated: &Shape, dims: &[Dim], facts: StorageFacts) {
    if facts.depth == stated.rank() {
        return; // `check_extent` compares them one by one
    }
    let start = Text::new().str("field `").str(field).str("`: `shape` has ");
    if facts.depth != 1 {
        let text = start.counted(stated.rank() as u64, "dimension").str(" but `").str(rust);
        let text = match facts.depth {
            0 => text.str("` is a single element"),
            depth => text.str("` has ").number(depth as u64),
        };
        fail(text.str("\nhelp: state all dimensions, or store a flat array"));
    }
    let elements = elements(stated, dims);
    if elements != facts.len as u128 {
        let text = if elements > u64::MAX as u128 {
            start.str("more than `u64::MAX` elements")
        } else {
            start.number(elements as u64).str(" elements")
        };
        let text = if is_symbolic(stated) { text.str(" at capacity") } else { text };
        fail(text.str(" but `").str(rust).str("` stores ").number(facts.len as u64));
    }
}

/// Dimension `axis` of a stated shape against the array level it names.
#[track_caller]
pub const fn check_extent(
    field: &str,
    rust: &str,
    stated: &Shape,
    dims: &[Dim],
    facts: StorageFacts,
    axis: usize,
) {
    if facts.depth != stated.rank() {
        return; // `check_shape` compares the products
    }
    let Extent::Fixed(stored) = facts.shape.extents()[axis] else { return };
    let start = Text::new().str("field `").str(field).str("`: ");
    match stated.extents()[axis] {
        Extent::Fixed(size) if size == stored => {}
        Extent::Fixed(size) if stated.rank() == 1 => {
            let text = start.str("`shape` has ").counted(size, "element").str(" but `").str(rust);
            fail(text.str("` stores ").number(stored));
        }
        Extent::Fixed(size) => {
            let text = start.str("dimension ").number(axis as u64).str(" of `shape` is ").number(size);
            fail(text.str(" but the type says ").number(stored));
        }
        Extent::Dim(dim) => {
            let dim = &dims[dim as usize];
            if dim.max() != stored {
                let text = Text::new().str("`").str(dim.name()).str("` holds up to ").number(dim.max());
                let text = text.str(" but `").str(field).str("` stores ").number(stored);
                fail(text.str(" along that dimension"));
            }
        }
    }
}

/// A stated pad against the dtype it has to be a value of.
#[track_caller]
pub const fn check_pad(schema: &Schema, field: usize) {
    if field >= schema.fields().len() {
        return; // as above
    }
    let declared = &schema.fields()[field];
    let fits = match (declared.pad(), declared.dtype().integer_range()) {
        (Some(Pad::Int(value)), Some((least, most))) => least <= value && value <= most,
        (Some(Pad::Float(_)), Some(_)) => false,
        _ => true,
    };
    if !fits {
        let text = Text::new().str("this `pad` is not a value of `").str(declared.name());
        fail(text.str("`, whose elements are `").str(declared.dtype().name()).str("`"));
    }
}

/// As many fields as a schema holds: what is beyond is reported by [`check_part`].
#[must_use]
pub const fn at_most_fields(count: usize) -> usize {
    if count < MAX_FIELDS { count } else { MAX_FIELDS }
}

/// As many symbolic dimensions as a schema holds.
#[must_use]
pub const fn at_most_dims(count: usize) -> usize {
    if count < MAX_DIMS { count } else { MAX_DIMS }
}

/// Part `at` of a record that has nested ones, against the limits of a schema.
#[track_caller]
pub const fn check_part(own_dims: &[Dim], parts: &[Part], at: usize) {
    let name = match &parts[at] {
        Part::Field(field) => field.name(),
        Part::Nested { name, schema, .. } => {
            let mut index = 0;
            while index < schema.fields().len() {
                check_dotted(name, schema.fields()[index].name());
                index += 1;
            }
            index = 0;
            while index < schema.dims().len() {
                check_dotted(name, schema.dims()[index].name());
                index += 1;
            }
            name
        }
    };
    let start = Text::new().str("with `").str(name).str("` the record has ");
    let (before, count) = (fields_before(parts, at), fields_before(parts, at + 1));
    if before <= MAX_FIELDS && count > MAX_FIELDS {
        let text = start
            .number(count as u64)
            .str(" fields, those of nested records included; a schema holds at most ");
        fail(text.number(MAX_FIELDS as u64).str("\nhelp: put fields of one type into one array field"));
    }
    let (before, count) = (dims_before(own_dims, parts, at), dims_before(own_dims, parts, at + 1));
    if before <= MAX_DIMS && count > MAX_DIMS {
        let text = start.number(count as u64).str(" symbolic dimensions, those of nested records included; ");
        fail(text.str("a schema holds at most ").number(MAX_DIMS as u64));
    }
}

#[track_caller]
const fn check_dotted(record: &str, name: &str) {
    let len = record.len() + 1 + name.len();
    if len > MAX_NAME {
        let text = Text::new().str("the name `").str(record).str(".").str(name).str("` has ");
        fail(text.number(len as u64).str(" bytes; at most ").number(MAX_NAME as u64).str(" are supported"));
    }
}

/// The layout that the compiler gave an owned record against the one that the schema promises: for each field of the
/// struct its first field in the schema, the size of its Rust type, and its offset.
pub const fn check_layout(schema: &Schema, align: usize, size: usize, fields: &[(usize, usize, usize)]) {
    let end = schema.fields().len();
    let mut at = 0;
    while at < fields.len() {
        let next = if at + 1 < fields.len() { fields[at + 1].0 } else { end };
        let (first, size, _) = fields[at];
        if next > end {
            return; // another check says that there are too many
        }
        match (schema.record_offset(first), schema.record_offset(next)) {
            (Some(first), Some(next)) if next - first == size + padding(size) => at += 1,
            _ => return, // another check says what is wrong with this field
        }
    }
    assert!(align == RECORD_ALIGN, "an owned record is aligned like its fields");
    at = 0;
    while at <= fields.len() {
        let (first, _, found) = if at < fields.len() { fields[at] } else { (end, 0, size) };
        if let Some(promised) = schema.record_offset(first)
            && promised != found
        {
            let text = Text::new().str("field ").number(first as u64).str(" starts at byte ");
            fail(text.number(found as u64).str(" but the schema says ").number(promised as u64));
        }
        at += 1;
    }
}

/// The unsigned integer that may hold the bits of `dtype` in Rust, for a dtype that is a label on raw bits.
const fn raw_store(dtype: DType) -> Option<DType> {
    if dtype.can_be_stored_as(DType::U8) && !matches!(dtype, DType::U8) {
        Some(DType::U8)
    } else if dtype.can_be_stored_as(DType::U16) && !matches!(dtype, DType::U16) {
        Some(DType::U16)
    } else {
        None
    }
}

/// The number of elements with every symbolic dimension at its capacity; `u128::MAX` when there are more.
const fn elements(shape: &Shape, dims: &[Dim]) -> u128 {
    let extents = shape.extents();
    let mut product = 1u128;
    let mut axis = 0;
    while axis < extents.len() {
        let extent = match extents[axis] {
            Extent::Fixed(size) => size,
            Extent::Dim(dim) => dims[dim as usize].max(),
        };
        product = product.saturating_mul(extent as u128);
        axis += 1;
    }
    product
}

const fn is_symbolic(shape: &Shape) -> bool {
    let extents = shape.extents();
    let mut axis = 0;
    while axis < extents.len() {
        if matches!(extents[axis], Extent::Dim(_)) {
            return true;
        }
        axis += 1;
    }
    false
}

const fn quoted(name: &str) -> Text {
    Text::new().str("`").str(name).str("`")
}

#[track_caller]
const fn fail(text: Text) -> ! {
    panic!("{}", text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_leads_to_the_next_field() {
        assert_eq!([0, 1, 63, 64, 65].map(padding), [0, 63, 1, 0, 63]);
    }

    #[test]
    fn little_endian_targets_pass() {
        check_target(true);
    }

    #[test]
    #[should_panic(expected = "tensorbridge maps native memory and supports little-endian targets only")]
    fn big_endian_targets_are_refused() {
        check_target(false);
    }

    #[test]
    #[should_panic(expected = "field 1 starts at byte 4 but the schema says 64")]
    fn an_offset_that_is_not_the_schemas_is_refused() {
        let scalar = |name| crate::schema::Field::new(name, DType::F32, Shape::SCALAR);
        let schema = Schema::new("a", 0, "", vec![], vec![scalar("x"), scalar("y")]).unwrap();
        check_layout(&schema, 64, 128, &[(0, 4, 0), (1, 4, 4)]);
    }
}
