//! What a fuzzer asks of a record that a peer states.

use super::record::adopted_parts;
use crate::arena::{Claim, Half};
use crate::error::Error;

/// Whether the record is one, and then that nothing in it leads outside.
pub(crate) fn is_whole(claim: &Claim, half: Half) -> bool {
    // SAFETY: the parts are dropped before the claim, and the schema is the arena's own.
    let parts = match unsafe { adopted_parts(claim, half) } {
        Ok(parts) => parts,
        Err(Error::Corrupt { .. }) => return false,
        Err(error) => panic!("{error}"),
    };
    let schema = &claim.arena().part(half).schema;
    for (index, dim) in schema.dims().iter().enumerate() {
        assert!(parts.dim(index).is_none_or(|length| (dim.min()..=dim.max()).contains(&length)));
    }
    for field in 0..schema.fields().len() {
        let size = parts.column(schema, field).size;
        let elements: Option<usize> = parts.field_shape(schema, field).map(|shape| shape.iter().product());
        assert!(elements.is_none_or(|count| count * schema.fields()[field].dtype().size() <= size));
    }
    true
}
