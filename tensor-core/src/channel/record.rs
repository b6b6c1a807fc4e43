//! Views of records in slots, and the claim that makes them good.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::arena::{Claim, Half};
use crate::error::Error;
use crate::schema::Schema;
use crate::view::{RawParts, RawView, Record};

/// The address of one half of a claimed slot.
///
/// # Safety
/// The result must not be used after the claim is gone, nor with another schema than that of this half of its arena.
pub(crate) unsafe fn parts_of(claim: &Claim, half: Half) -> RawParts {
    let place = claim.place(half);
    // SAFETY: the columns are those of the arena's schema, one for each field, in an `Arc` that the claim keeps; the
    // layout places every slot's value of every column inside DATA, aligned, zeroed before first use. The claim is this
    // process's permission to touch the slot's bytes, and the arena's own table of claims keeps any second claim of this
    // process away from them.
    unsafe { RawParts::new(place.base, place.columns, place.index) }
}

/// The address of one half of a claimed slot, with presence and dimensions as the other side states them, read once.
///
/// # Errors
/// [`Error::Corrupt`] when what it states is not a complete record.
///
/// # Safety
/// As [`parts_of`].
pub(crate) unsafe fn adopted_parts(claim: &Claim, half: Half) -> Result<RawParts, Error> {
    // SAFETY: passed on to the caller.
    let mut parts = unsafe { parts_of(claim, half) };
    adopt(claim, half, &claim.arena().part(half).schema, &mut parts)?;
    Ok(parts)
}

/// Takes over presence and dimensions of one half of a claimed slot, which has this schema, as the other side states them, read once.
///
/// # Errors
/// [`Error::Corrupt`] when what it states is not a complete record.
#[inline]
pub(super) fn adopt(claim: &Claim, half: Half, schema: &Schema, parts: &mut RawParts) -> Result<(), Error> {
    let (presence, dims) = claim.read_record(half);
    parts.adopt(schema, presence, dims).map_err(|error| garbled(claim, &error))
}

#[cold]
fn garbled(claim: &Claim, error: &Error) -> Error {
    claim.arena().corrupted(format!("slot {} does not hold a complete record: {error}", claim.slot()))
}

/// The writable view of a record in a slot.
pub(crate) struct MutStore<R: Record> {
    store: R::MutStore,
}

impl<R: Record> MutStore<R> {
    /// # Safety
    /// `R::SCHEMA` must be the schema of that half of the claim's arena, the claim must allow writing it, and it must live
    /// as long as the result.
    pub(crate) unsafe fn new(claim: &Claim, half: Half) -> Self {
        // SAFETY: passed on to the caller.
        let raw = unsafe { RawView::new(parts_of(claim, half)) };
        MutStore { store: R::__mut_store(raw) }
    }

    pub(crate) fn parts(&self) -> RawParts {
        R::__raw(&self.store).parts()
    }

    pub(crate) fn view(&self) -> &R::Mut {
        R::__as_mut_ref(&self.store)
    }

    pub(crate) fn view_mut(&mut self) -> &mut R::Mut {
        R::__as_mut(&mut self.store)
    }
}

/// The read-only view of a record in a slot.
pub(crate) struct RefStore<R: Record> {
    store: R::RefStore,
}

impl<R: Record> RefStore<R> {
    /// # Errors
    /// [`Error::Corrupt`] when the other side does not state a complete record.
    ///
    /// # Safety
    /// `R::SCHEMA` must be the schema of that half of the claim's arena, and the claim must live as long as the result.
    #[inline]
    pub(crate) unsafe fn adopt(claim: &Claim, half: Half) -> Result<Self, Error> {
        // SAFETY: passed on to the caller.
        let mut parts = unsafe { parts_of(claim, half) };
        // By the schema that the compiler knows: what the record has none of is then not looked for.
        adopt(claim, half, R::SCHEMA, &mut parts)?;
        // SAFETY: passed on to the caller.
        let raw = unsafe { RawView::new(parts) };
        Ok(RefStore { store: R::__ref_store(raw) })
    }

    pub(crate) fn parts(&self) -> RawParts {
        R::__raw_of_ref(&self.store).parts()
    }

    pub(crate) fn view(&self) -> &R::Ref {
        R::__as_ref(&self.store)
    }
}

/// A record that this process fills, and its claim.
pub(crate) struct MutRecord<R: Record> {
    // The view before the claim: nothing may lead to the memory once the claim is gone.
    view: MutStore<R>,
    claim: Claim,
}

impl<R: Record> MutRecord<R> {
    /// The request, or one-way record, of a loaned slot.
    ///
    /// # Safety
    /// `R::SCHEMA` must be the request schema of the claim's arena, and the claim that of a loaned slot's sender.
    pub(crate) unsafe fn new(claim: Claim) -> Self {
        // SAFETY: passed on to the caller; the claim is kept beside the view.
        let view = unsafe { MutStore::new(&claim, Half::Request) };
        MutRecord { view, claim }
    }

    pub(crate) fn parts(&self) -> RawParts {
        self.view.parts()
    }

    /// As [`MutRecord::parts`], mostly without a copy.
    #[inline]
    pub(crate) fn with_parts<T>(&self, look: impl FnOnce(&RawParts) -> T) -> T {
        R::__raw(&self.view.store).with_parts(look)
    }

    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    pub(crate) fn half(&self) -> Half {
        Half::Request
    }

    pub(crate) fn into_claim(self) -> Claim {
        self.claim
    }

    /// Overwrites the bytes of every field; nothing becomes present.
    pub(crate) fn fill(&mut self, byte: u8) {
        let parts = self.parts();
        for (field, column) in self.claim.arena().request().columns.iter().enumerate() {
            let ptr = parts.field_ptr(R::SCHEMA, field);
            // SAFETY: the field's bytes are valid for its column's size and, through `&mut self`, nobody reads them.
            unsafe { ptr.as_ptr().write_bytes(byte, column.size) };
        }
    }

    /// In debug builds overwrites what was there before, so that nobody comes to rely on it.
    pub(crate) fn poison(&mut self) {
        if cfg!(debug_assertions) {
            self.fill(0xA5);
        }
    }
}

impl<R: Record> fmt::Debug for MutStore<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(R::__raw(&self.store), f)
    }
}

impl<R: Record> fmt::Debug for RefStore<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(R::__raw_of_ref(&self.store), f)
    }
}

impl<R: Record> fmt::Debug for MutRecord<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view, f)
    }
}

impl<R: Record> fmt::Debug for RefRecord<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view, f)
    }
}

impl<R: Record> Deref for MutRecord<R> {
    type Target = R::Mut;

    fn deref(&self) -> &R::Mut {
        self.view.view()
    }
}

impl<R: Record> DerefMut for MutRecord<R> {
    fn deref_mut(&mut self) -> &mut R::Mut {
        self.view.view_mut()
    }
}

/// A record that this process reads, and its claim.
pub(crate) struct RefRecord<R: Record> {
    // The view before the claim, as above.
    view: RefStore<R>,
    claim: Claim,
    half: Half,
}

impl<R: Record> RefRecord<R> {
    /// # Errors
    /// [`Error::Corrupt`] when the other side does not state a complete record.
    ///
    /// # Safety
    /// `R::SCHEMA` must be the schema of that half of the claim's arena.
    #[inline]
    pub(crate) unsafe fn adopt(claim: Claim, half: Half) -> Result<Self, Error> {
        // SAFETY: passed on to the caller; the claim is kept beside the view.
        let view = unsafe { RefStore::adopt(&claim, half) }?;
        Ok(RefRecord { view, claim, half })
    }

    pub(crate) fn parts(&self) -> RawParts {
        self.view.parts()
    }

    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    pub(crate) fn half(&self) -> Half {
        self.half
    }
}

impl<R: Record> Deref for RefRecord<R> {
    type Target = R::Ref;

    fn deref(&self) -> &R::Ref {
        self.view.view()
    }
}
