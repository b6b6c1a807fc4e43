//! A value that a forked child does not inherit.

use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::ForkFlag;
use crate::error::Error;

/// A value of which each process has its own. A child cannot use its parent's: the parent's threads are not there, and a
/// lock that one of them held at the fork stays locked.
pub(crate) struct PerProcess<T: 'static> {
    current: AtomicPtr<Owned<T>>,
    value: PhantomData<&'static T>,
}

struct Owned<T> {
    flag: ForkFlag,
    value: T,
}

impl<T: Sync + 'static> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess { current: AtomicPtr::new(null_mut()), value: PhantomData }
    }

    /// This process's value, which lives as long as the process.
    ///
    /// # Errors
    /// Those of [`ForkFlag::new`].
    pub(crate) fn get(&self, make: impl Fn() -> T) -> Result<&'static T, Error> {
        loop {
            let found = self.current.load(Ordering::Acquire);
            // SAFETY: only pointers out of `Box::into_raw` below are stored, and what was stored is never freed.
            if let Some(owned) = unsafe { found.as_ref() }
                && !owned.flag.in_child()
            {
                return Ok(&owned.value);
            }
            let fresh = Box::into_raw(Box::new(Owned { flag: ForkFlag::new()?, value: make() }));
            let stored = self.current.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire);
            if stored.is_err() {
                // SAFETY: made just above, and seen by nobody else.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}
