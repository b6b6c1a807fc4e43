//! Views of nested records. A view keeps those of its nested records inside of itself, out of reach but through it: a
//! borrow of the outer one is a borrow of them, and they can no more be exchanged than it can.

use std::marker::PhantomData;

use super::raw::RawParts;
use super::{RawRun, RawView, Record};
use crate::schema::{Extent, Schema};

/// The records nested in a record: `()` for none, `(first, (second, ...))` for some.
pub trait NestedRecords: Send + Sync + Sized {
    /// Their views.
    ///
    /// # Safety
    /// `parts` are those of a record of type `R`, with the contract of [`RawParts::new`].
    #[doc(hidden)]
    unsafe fn split_off<R: Record>(parts: &RawParts) -> Self;

    /// Whether there are none.
    #[doc(hidden)]
    const IS_NONE: bool;

    /// Writes what their views know into what is known of the outer record.
    #[doc(hidden)]
    fn hand_over(&self, parts: &mut RawParts);

    /// Their runs, in a run of the outer record.
    #[doc(hidden)]
    type Runs: Send + Sync;

    /// # Safety
    /// `rows` are those of a run of type `R`, with the contract of [`RawRun::new`].
    #[doc(hidden)]
    unsafe fn runs<R: Record>(rows: &[RawParts]) -> Self::Runs;

    /// How many bytes were written where nested records lack a field.
    #[doc(hidden)]
    fn written(runs: &Self::Runs) -> usize;

    /// Writes what their runs know of record `row` into what is known of the outer record.
    #[doc(hidden)]
    fn hand_over_row(runs: &Self::Runs, row: usize, parts: &mut RawParts);

    /// Lets their runs know what is known of the outer record `row`.
    #[doc(hidden)]
    fn take_over_row(runs: &mut Self::Runs, row: usize, parts: &RawParts);
}

impl NestedRecords for () {
    #[inline]
    unsafe fn split_off<R: Record>(_: &RawParts) -> Self {}

    const IS_NONE: bool = true;

    #[inline]
    fn hand_over(&self, _: &mut RawParts) {}

    type Runs = ();

    unsafe fn runs<R: Record>(_: &[RawParts]) {}

    fn written((): &()) -> usize {
        0
    }

    fn hand_over_row((): &(), _: usize, _: &mut RawParts) {}

    fn take_over_row((): &mut (), _: usize, _: &RawParts) {}
}

/// The view of a nested record of type `P`, whose fields and dimensions begin at `FIELD` and `DIM` of the outer one's.
pub struct Nested<P: Record, const FIELD: usize, const DIM: usize> {
    // Read-only where the outer view is: then nobody has a `&mut` to it.
    store: P::MutStore,
}

impl<P, Rest, const FIELD: usize, const DIM: usize> NestedRecords for (Nested<P, FIELD, DIM>, Rest)
where
    P: Record,
    Rest: NestedRecords,
{
    unsafe fn split_off<R: Record>(parts: &RawParts) -> Self {
        const { assert_nested(R::SCHEMA, P::SCHEMA, FIELD, DIM) };
        // SAFETY: the caller vouches for `parts`, and the fields from `FIELD` on are those of `P`, as was just asserted.
        let store = P::__mut_store(unsafe { RawView::new(parts.nested(P::SCHEMA, FIELD, DIM)) });
        // SAFETY: passed on to the caller.
        (Nested { store }, unsafe { Rest::split_off::<R>(parts) })
    }

    const IS_NONE: bool = false;

    fn hand_over(&self, parts: &mut RawParts) {
        parts.take_over(&P::__raw(&self.0.store).parts(), P::SCHEMA, FIELD, DIM);
        self.1.hand_over(parts);
    }

    type Runs = (P::RunMutStore, Rest::Runs);

    unsafe fn runs<R: Record>(rows: &[RawParts]) -> Self::Runs {
        const { assert_nested(R::SCHEMA, P::SCHEMA, FIELD, DIM) };
        // SAFETY: the caller vouches for the rows, and the fields from `FIELD` on are those of `P`, as was just asserted.
        let nested = rows.iter().map(|row| unsafe { row.nested(P::SCHEMA, FIELD, DIM) }).collect();
        // SAFETY: as above; that nobody else touches the bytes of the outer rows holds for these parts of them.
        let run = P::__run_mut_store(unsafe { RawRun::unpadded(nested) });
        // SAFETY: passed on to the caller.
        (run, unsafe { Rest::runs::<R>(rows) })
    }

    fn written((run, rest): &Self::Runs) -> usize {
        P::__raw_run(P::__run_of(run)).written() + Rest::written(rest)
    }

    fn hand_over_row((run, rest): &Self::Runs, row: usize, parts: &mut RawParts) {
        let inner = P::__raw_run(P::__run_of(run)).row_parts(row);
        parts.take_over(&inner, P::SCHEMA, FIELD, DIM);
        Rest::hand_over_row(rest, row, parts);
    }

    fn take_over_row((run, rest): &mut Self::Runs, row: usize, parts: &RawParts) {
        P::__raw_run_mut(P::__run_of_mut(run)).put_part_of(row, parts, FIELD, DIM);
        Rest::take_over_row(rest, row, parts);
    }
}

/// Whether the fields of `outer` from `field` on are those of `inner`; evaluated at compile time.
const fn assert_nested(outer: &Schema, inner: &Schema, field: usize, dim: usize) {
    assert!(
        field + inner.fields().len() <= outer.fields().len(),
        "the nested fields are among the outer ones"
    );
    assert!(dim + inner.dims().len() <= outer.dims().len(), "the nested dimensions are among the outer ones");
    let mut index = 0;
    while index < inner.dims().len() {
        let (found, expected) = (&outer.dims()[dim + index], &inner.dims()[index]);
        assert!(
            found.min() == expected.min() && found.max() == expected.max(),
            "dimensions have the same bounds"
        );
        index += 1;
    }
    index = 0;
    while index < inner.fields().len() {
        let (found, expected) = (&outer.fields()[field + index], &inner.fields()[index]);
        assert!(found.dtype() as u8 == expected.dtype() as u8, "fields have the same dtype");
        let (found, expected) = (found.shape().extents(), expected.shape().extents());
        assert!(found.len() == expected.len(), "fields have the same rank");
        let mut axis = 0;
        while axis < found.len() {
            let same = match (found[axis], expected[axis]) {
                (Extent::Fixed(found), Extent::Fixed(expected)) => found == expected,
                (Extent::Dim(found), Extent::Dim(expected)) => found as usize == expected as usize + dim,
                _ => false,
            };
            assert!(same, "fields have the same shape");
            axis += 1;
        }
        index += 1;
    }
}

/// The first of a list.
pub struct Here;

/// The one at `I` of what follows the first of a list.
pub struct There<I>(PhantomData<I>);

/// A list of nested records that has one at `I`.
pub trait Pick<I>: NestedRecords {
    /// The type of that record.
    type Record: Record;

    #[doc(hidden)]
    fn pick(&self) -> &<Self::Record as Record>::Mut;

    #[doc(hidden)]
    fn pick_mut(&mut self) -> &mut <Self::Record as Record>::Mut;

    /// Whether any field of it is present.
    #[doc(hidden)]
    fn is_any_present(&self) -> bool;

    #[doc(hidden)]
    fn pick_run(runs: &Self::Runs) -> &<Self::Record as Record>::RunMutStore;

    #[doc(hidden)]
    fn pick_run_mut(runs: &mut Self::Runs) -> &mut <Self::Record as Record>::RunMutStore;
}

impl<P, Rest, const FIELD: usize, const DIM: usize> Pick<Here> for (Nested<P, FIELD, DIM>, Rest)
where
    P: Record,
    Rest: NestedRecords,
{
    type Record = P;

    fn pick(&self) -> &P::Mut {
        P::__as_mut_ref(&self.0.store)
    }

    fn pick_mut(&mut self) -> &mut P::Mut {
        P::__as_mut(&mut self.0.store)
    }

    fn is_any_present(&self) -> bool {
        P::__raw(&self.0.store).parts().presence() != 0
    }

    fn pick_run(runs: &Self::Runs) -> &P::RunMutStore {
        &runs.0
    }

    fn pick_run_mut(runs: &mut Self::Runs) -> &mut P::RunMutStore {
        &mut runs.0
    }
}

impl<P, Rest, I, const FIELD: usize, const DIM: usize> Pick<There<I>> for (Nested<P, FIELD, DIM>, Rest)
where
    P: Record,
    Rest: Pick<I>,
{
    type Record = Rest::Record;

    fn pick(&self) -> &<Self::Record as Record>::Mut {
        self.1.pick()
    }

    fn pick_mut(&mut self) -> &mut <Self::Record as Record>::Mut {
        self.1.pick_mut()
    }

    fn is_any_present(&self) -> bool {
        self.1.is_any_present()
    }

    fn pick_run(runs: &Self::Runs) -> &<Self::Record as Record>::RunMutStore {
        Rest::pick_run(&runs.1)
    }

    fn pick_run_mut(runs: &mut Self::Runs) -> &mut <Self::Record as Record>::RunMutStore {
        Rest::pick_run_mut(&mut runs.1)
    }
}
