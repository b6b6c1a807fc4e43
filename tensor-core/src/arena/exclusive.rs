//! What one thread at a time uses, and nobody waits for.

use std::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

/// A value that whoever comes first uses. As a mutex that nobody waits for: its end is a store, where a mutex has to look for who waits.
#[derive(Default)]
pub(super) struct Exclusive<T> {
    in_use: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: only the thread that has set `in_use` reaches the value, until it clears it, so threads hand the value to each other.
unsafe impl<T: Send> Sync for Exclusive<T> {}

// A use that panics leaves a new value behind.
impl<T> UnwindSafe for Exclusive<T> {}
impl<T> RefUnwindSafe for Exclusive<T> {}

/// A use that did not come to its end, when it is dropped.
struct Broken<'a, T: Default>(&'a Exclusive<T>);

impl<T: Default> Drop for Broken<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the use lasts until the flag is cleared, and its own borrow of the value has ended.
        unsafe { *self.0.value.get() = T::default() };
        self.0.in_use.store(false, Ordering::Release);
    }
}

impl<T: Default> Exclusive<T> {
    /// What `work` gives, unless another thread uses the value now, or this one further out.
    #[inline]
    pub(super) fn try_use<U>(&self, work: impl FnOnce(&mut T) -> U) -> Option<U> {
        if self.in_use.swap(true, Ordering::Acquire) {
            return None;
        }
        let broken = Broken(self);
        // SAFETY: this call has changed the flag from false to true, so no other use of the value lasts: one that began
        // before has cleared the flag as its last step, and none begins until it is cleared.
        let done = work(unsafe { &mut *self.value.get() });
        std::mem::forget(broken);
        self.in_use.store(false, Ordering::Release);
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_use_at_a_time_and_a_new_value_after_a_panic() {
        let value = Exclusive::<u32>::default();
        assert_eq!(value.try_use(|_| value.try_use(|_| ())), Some(None));
        let panicked = std::panic::catch_unwind(|| {
            value.try_use(|value| {
                *value = 7;
                panic!("as the test wants");
            });
        });
        assert!(panicked.is_err());
        assert_eq!(value.try_use(|value| *value), Some(0));
    }

    #[test]
    fn threads_that_use_it_in_turn_lose_nothing() {
        let value = Exclusive::<u64>::default();
        let added = || (0..100_000).filter(|_| value.try_use(|value| *value += 1).is_some()).count() as u64;
        let sum: u64 = std::thread::scope(|scope| {
            let threads = [scope.spawn(added), scope.spawn(added)];
            threads.into_iter().map(|thread| thread.join().expect("it adds")).sum()
        });
        assert_eq!(value.try_use(|value| *value), Some(sum));
    }
}
