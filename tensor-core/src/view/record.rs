//! The trait that `#[derive(Tensor)]` implements.

use std::ops::Deref;

use super::nested::NestedRecords;
use super::{RawRun, RawView};
use crate::schema::Schema;

/// A type whose values are records in shared memory. Implement it with `#[derive(Tensor)]`.
///
/// The struct itself only declares the record; it is never constructed. A program touches records through the
/// views that the derive generates: [`Record::Ref`] to read, [`Record::Mut`] to write.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tensor schema",
    label = "`#[derive(Tensor)]` is missing on `{Self}`"
)]
pub trait Record: Sized + 'static {
    /// What the record is.
    const SCHEMA: &'static Schema;

    /// The read-only view: a method for each field.
    type Ref: ?Sized;

    /// The writable view: `field()`, `field_mut()`, `set_field()`.
    type Mut: ?Sized + Deref<Target = Self::Ref>;

    /// The records nested in it.
    #[doc(hidden)]
    type Nested: NestedRecords;

    /// The view of several records as one batch: for each field an array with one more dimension in front.
    type Run: ?Sized;

    /// The writable view of several records as one batch.
    type RunMut: ?Sized + Deref<Target = Self::Run>;

    /// A [`Record::Ref`] before it is unsized: what a received record stores.
    #[doc(hidden)]
    type RefStore: Send + Sync;

    /// A [`Record::Mut`] before it is unsized: what a loan stores.
    #[doc(hidden)]
    type MutStore: Send + Sync;

    /// A [`Record::Run`] before it is unsized: what a run of received records stores.
    #[doc(hidden)]
    type RunStore: Send + Sync;

    /// A [`Record::RunMut`] before it is unsized: what a run of replies stores.
    #[doc(hidden)]
    type RunMutStore: Send + Sync;

    #[doc(hidden)]
    fn __ref_store(raw: RawView<Self, [(); 0]>) -> Self::RefStore;
    #[doc(hidden)]
    fn __mut_store(raw: RawView<Self, [(); 0]>) -> Self::MutStore;
    #[doc(hidden)]
    fn __as_ref(store: &Self::RefStore) -> &Self::Ref;
    #[doc(hidden)]
    fn __as_mut_ref(store: &Self::MutStore) -> &Self::Mut;
    #[doc(hidden)]
    fn __as_mut(store: &mut Self::MutStore) -> &mut Self::Mut;
    #[doc(hidden)]
    fn __raw_of_ref(store: &Self::RefStore) -> &RawView<Self, [(); 0]>;
    #[doc(hidden)]
    fn __raw(store: &Self::MutStore) -> &RawView<Self, [(); 0]>;
    #[doc(hidden)]
    fn __run_store(raw: RawRun<Self, [(); 0]>) -> Self::RunStore;
    #[doc(hidden)]
    fn __as_run(store: &Self::RunStore) -> &Self::Run;
    #[doc(hidden)]
    fn __as_run_mut(store: &mut Self::RunStore) -> &mut Self::Run;
    #[doc(hidden)]
    fn __raw_run(store: &Self::RunStore) -> &RawRun<Self, [(); 0]>;
    #[doc(hidden)]
    fn __raw_run_mut(store: &mut Self::RunStore) -> &mut RawRun<Self, [(); 0]>;
    #[doc(hidden)]
    fn __run_mut_store(raw: RawRun<Self, [(); 0]>) -> Self::RunMutStore;
    #[doc(hidden)]
    fn __run_of(store: &Self::RunMutStore) -> &Self::RunStore;
    #[doc(hidden)]
    fn __run_of_mut(store: &mut Self::RunMutStore) -> &mut Self::RunStore;
    #[doc(hidden)]
    fn __as_run_to_fill(store: &Self::RunMutStore) -> &Self::RunMut;
    #[doc(hidden)]
    fn __as_run_to_fill_mut(store: &mut Self::RunMutStore) -> &mut Self::RunMut;
}
