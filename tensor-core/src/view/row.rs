//! One record of a run that is being filled.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::{RawRun, RawView, Record};

/// One record of a run that is being filled, of lengths of its own. It dereferences to the record's writable view
/// ([`Record::Mut`]); what was set there counts once it is dropped.
pub struct RowMut<'a, R: Record> {
    store: R::MutStore,
    row: usize,
    run: &'a mut RawRun<R, [(); 0]>,
}

impl<'a, R: Record> RowMut<'a, R> {
    /// # Panics
    /// If the run has no record `row`.
    ///
    /// # Safety
    /// The run must be of records that this process may write.
    pub(crate) unsafe fn new(run: &'a mut RawRun<R, [(); 0]>, row: usize) -> Self {
        // SAFETY: the parts are those of a record of the run, whose memory is as good as the run, which stays borrowed, so
        // that no other view of it exists meanwhile; that it may be written the caller vouches for.
        let store = R::__mut_store(unsafe { RawView::new(run.row_parts(row)) });
        RowMut { store, row, run }
    }
}

/// Which fields are present, never their values.
impl<R: Record> fmt::Debug for RowMut<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(R::__raw(&self.store), f)
    }
}

impl<R: Record> Deref for RowMut<'_, R> {
    type Target = R::Mut;

    fn deref(&self) -> &R::Mut {
        R::__as_mut_ref(&self.store)
    }
}

impl<R: Record> DerefMut for RowMut<'_, R> {
    fn deref_mut(&mut self) -> &mut R::Mut {
        R::__as_mut(&mut self.store)
    }
}

impl<R: Record> Drop for RowMut<'_, R> {
    fn drop(&mut self) {
        self.run.put_row(self.row, R::__raw(&self.store).parts());
    }
}
