//! The atomics of the lock-free code: the real ones, or loom's when it explores every order of events.

#[cfg(loom)]
mod modelled {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

    use loom::sync::{Condvar, Mutex};
    use std::time::Duration;

    /// A word to sleep on, with loom's mutex and condition variable in the place of the kernel's queue.
    pub(crate) struct Futex {
        pub(crate) word: AtomicU32,
        sleepers: Mutex<usize>,
        woken: Condvar,
    }

    impl Futex {
        pub(crate) fn new(value: u32) -> Futex {
            Futex { word: AtomicU32::new(value), sleepers: Mutex::new(0), woken: Condvar::new() }
        }

        pub(crate) fn sleep(&self, expected: u32, _timeout: Duration) {
            let mut sleepers = self.sleepers.lock().unwrap();
            if self.word.load(Ordering::SeqCst) == expected {
                *sleepers += 1;
                drop(self.woken.wait(sleepers).unwrap());
            }
        }

        pub(crate) fn wake(&self, count: u32) {
            let mut sleepers = self.sleepers.lock().unwrap();
            let woken = (*sleepers).min(count as usize);
            *sleepers -= woken;
            for _ in 0..woken {
                self.woken.notify_one();
            }
        }
    }
}

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

    use std::time::Duration;

    /// A word to sleep on, in private or shared memory.
    #[repr(transparent)]
    #[derive(Debug)]
    pub(crate) struct Futex {
        pub(crate) word: AtomicU32,
    }

    impl Futex {
        #[cfg(test)]
        pub(crate) fn new(value: u32) -> Futex {
            Futex { word: AtomicU32::new(value) }
        }

        /// Sleeps while the word is `expected`, for at most `timeout`.
        pub(crate) fn sleep(&self, expected: u32, timeout: Duration) {
            crate::wait::futex_wait(&self.word, expected, timeout);
        }

        /// Wakes up to `count` sleepers.
        pub(crate) fn wake(&self, count: u32) {
            crate::wait::futex_wake(&self.word, count);
        }
    }
}

/// A sequentially consistent fence for a thread whose last access to shared memory was a successful read-modify-write.
///
/// On x86-64 such an instruction is a full barrier already, so only the compiler has to be held back; the fence
/// instruction would cost more than everything else in the step.
#[inline]
pub(crate) fn fence_after_swap() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}

#[cfg(loom)]
pub(crate) use modelled::*;
#[cfg(not(loom))]
pub(crate) use real::*;
