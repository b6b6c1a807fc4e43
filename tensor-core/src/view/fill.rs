//! Writing what no record has: the pad beyond a record's own lengths, and a value for a field that it lacks.
//!
//! In memory a record's value has the size of its capacities. What lies beyond its own lengths means nothing and is whatever
//! was there before, so writing there changes no record: one that is handed to another receiver, because this one dies,
//! is still what was sent.

use super::raw::RawParts;
use crate::schema::{Extent, MAX_RANK, Schema};

/// Where the elements of one field of one record are.
struct Place<'a> {
    ptr: *mut u8,
    /// Elements from one to the next along each dimension.
    strides: &'a [usize],
    /// The bytes of one element of the value to write.
    value: &'a [u8],
}

/// Fills every field of every record from its own lengths up to the longest ones with the field's pad; how many bytes
/// were written. `common` is what [`common`](super::run::common) says of the rows.
///
/// # Safety
/// The rows are views of different records by the contract of [`RawParts::new`], with this schema, and nobody else reads or writes
/// their bytes meanwhile.
pub(crate) unsafe fn pad(schema: &Schema, rows: &[RawParts], common: &RawParts) -> usize {
    let mut written = 0;
    if rows.len() == 1 {
        return written;
    }
    let symbolic = (0..schema.dims().len()).fold(0, |fields, dim| fields | schema.fields_with_dim(dim));
    for field in (0..schema.fields().len()).filter(|field| symbolic >> field & 1 == 1) {
        let declared = &schema.fields()[field];
        let value = declared.pad().unwrap_or_default().to_bytes(declared.dtype());
        let strides = schema.element_strides(field);
        let longest = lengths(schema, common, field);
        for row in rows.iter().filter(|row| row.presence() >> field & 1 == 1) {
            let own = lengths(schema, row, field);
            let ptr = row.field_ptr(schema, field).as_ptr();
            let place = Place { ptr, strides: &strides, value: &value[..declared.dtype().size()] };
            // SAFETY: no length exceeds its capacity, so all of it is inside the field, which is the caller's.
            written += unsafe { fill_beyond(&place, &own[..strides.len()], &longest[..strides.len()]) };
        }
    }
    written
}

/// Writes `value`, one element, to all of field `field` of the records that lack it, up to the longest lengths; how many
/// bytes were written.
///
/// # Safety
/// As [`pad`].
pub(crate) unsafe fn fill_absent(
    schema: &Schema,
    rows: &[RawParts],
    common: &RawParts,
    field: usize,
    value: &[u8],
) -> usize {
    let strides = schema.element_strides(field);
    let longest = lengths(schema, common, field);
    let mut written = 0;
    for row in rows.iter().filter(|row| row.presence() >> field & 1 == 0) {
        let place = Place { ptr: row.field_ptr(schema, field).as_ptr(), strides: &strides, value };
        // SAFETY: as in `pad`.
        written += unsafe { fill_box(&place, &longest[..strides.len()]) };
    }
    written
}

/// The lengths of a field's dimensions; 0 for one that is not set.
fn lengths(schema: &Schema, parts: &RawParts, field: usize) -> [usize; MAX_RANK] {
    let mut lengths = [0; MAX_RANK];
    for (axis, extent) in schema.fields()[field].shape().extents().iter().enumerate() {
        lengths[axis] = match *extent {
            Extent::Fixed(size) => size as usize,
            Extent::Dim(dim) => parts.dim(usize::from(dim)).unwrap_or(0) as usize,
        };
    }
    lengths
}

/// Fills what is in `longest` and not in `own`.
///
/// # Safety
/// The elements of `longest` are valid to be written.
unsafe fn fill_beyond(place: &Place<'_>, own: &[usize], longest: &[usize]) -> usize {
    let mut written = 0;
    let mut extents = [0; MAX_RANK];
    let extents = &mut extents[..own.len()];
    for axis in 0..own.len() {
        // Inside on every dimension before this one, beyond on this one, anywhere on those after it.
        extents[..axis].copy_from_slice(&own[..axis]);
        extents[axis] = longest[axis] - own[axis];
        extents[axis + 1..].copy_from_slice(&longest[axis + 1..]);
        let skipped = own[axis] * place.strides[axis] * place.value.len();
        let beyond = Place { ptr: place.ptr.wrapping_add(skipped), ..*place };
        // SAFETY: a part of `longest`, of which the caller vouches for all.
        written += unsafe { fill_box(&beyond, extents) };
    }
    written
}

/// Fills a box of elements; how many bytes it has.
///
/// # Safety
/// Its elements are valid to be written.
unsafe fn fill_box(place: &Place<'_>, extents: &[usize]) -> usize {
    let elements: usize = extents.iter().product();
    if elements == 0 {
        return 0;
    }
    // Dimensions from here on lie together.
    let mut together = extents.len();
    let mut line = 1;
    while together > 0 && place.strides[together - 1] == line {
        together -= 1;
        line *= extents[together];
    }
    // SAFETY: the outer dimensions reach lines of the box, of which the caller vouches for all elements.
    unsafe { fill_lines(place, &extents[..together], line) };
    elements * place.value.len()
}

/// # Safety
/// As [`fill_box`], for lines of `line` elements.
unsafe fn fill_lines(place: &Place<'_>, outer: &[usize], line: usize) {
    let size = place.value.len();
    let Some((length, inner)) = outer.split_first() else {
        // SAFETY: passed on to the caller.
        let bytes = unsafe { std::slice::from_raw_parts_mut(place.ptr, line * size) };
        if place.value.iter().all(|byte| *byte == place.value[0]) {
            bytes.fill(place.value[0]);
        } else {
            bytes.chunks_exact_mut(size).for_each(|element| element.copy_from_slice(place.value));
        }
        return;
    };
    for step in 0..*length {
        let ptr = place.ptr.wrapping_add(step * place.strides[0] * size);
        let place = Place { ptr, strides: &place.strides[1..], value: place.value };
        // SAFETY: passed on to the caller.
        unsafe { fill_lines(&place, inner, line) };
    }
}
