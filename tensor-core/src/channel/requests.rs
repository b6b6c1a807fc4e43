//! Requests, or one-way records, that were taken together.

use super::{adopt, parts_of};
use crate::arena::{Claim, Half};
use crate::error::Error;
use crate::view::RawParts;

/// What the callers in neighbouring slots ask. A request that is garbled is refused, and the others are put back for the next
/// look.
///
/// # Errors
/// [`Error::Corrupt`] when a caller does not state a complete request.
///
/// # Safety
/// As [`parts_of`], of every claim.
pub(crate) unsafe fn adopted_requests(claims: &[Claim]) -> Result<Vec<RawParts>, Error> {
    // SAFETY: passed on to the caller.
    unsafe { adopted_rows(claims, Claim::refuse) }
}

/// What was sent in neighbouring slots. What is garbled is told to `garbled_one`, and the others are put back for the next look.
///
/// # Errors
/// [`Error::Corrupt`] when a sender does not state a complete record.
///
/// # Safety
/// As [`parts_of`], of every claim.
pub(crate) unsafe fn adopted_rows(
    claims: &[Claim],
    garbled_one: impl Fn(&Claim, &Error),
) -> Result<Vec<RawParts>, Error> {
    let mut rows = Vec::with_capacity(claims.len());
    let mut garbled = None;
    for claim in claims {
        // Where it stays, and completed there: a row is large for a copy.
        // SAFETY: passed on to the caller.
        rows.push(unsafe { parts_of(claim, Half::Request) });
        let schema = &claim.arena().request().schema;
        match adopt(claim, Half::Request, schema, rows.last_mut().expect("just pushed")) {
            Ok(()) => {}
            Err(error) => {
                rows.pop();
                garbled_one(claim, &error);
                garbled = garbled.or(Some(error));
            }
        }
    }
    match garbled {
        None => Ok(rows),
        Some(error) => {
            let whole = |claim: &&Claim| rows.iter().any(|row| row.index() == claim.slot());
            claims.iter().filter(whole).for_each(Claim::put_back);
            Err(error)
        }
    }
}
