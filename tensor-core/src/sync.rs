//! The atomics of the lock-free code: the real ones, or loom's when it explores every order of events.
//!
//! Where a participant can be killed matters only at what others see of it: each write to a word, each read-modify-write,
//! each wake. Two builds count these steps and stop a participant at one of them: loom's models, and
//! `--cfg tensorbridge_crash`, which kills the process. In every other build there is nothing to count.

#[cfg(any(loom, tensorbridge_crash))]
mod counted;
#[cfg(tensorbridge_crash)]
pub mod crash;
#[cfg(loom)]
mod modelled;
mod planted;

#[cfg(not(loom))]
mod real {
    #[cfg(tensorbridge_crash)]
    pub(crate) use super::counted::{AtomicU32, AtomicU64};
    #[cfg(not(tensorbridge_crash))]
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64};
    pub(crate) use std::sync::atomic::{Ordering, fence};

    use std::time::Duration;

    /// A word to sleep on, in private or shared memory.
    #[repr(transparent)]
    #[derive(Debug)]
    pub(crate) struct Futex {
        pub(crate) word: AtomicU32,
    }

    impl Futex {
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

    /// A step that others see although no shared word is written: a wake, a message, a name, a record copied among others.
    #[inline]
    pub(crate) fn step() {
        #[cfg(tensorbridge_crash)]
        super::crash::step();
    }
}

/// A sequentially consistent fence for a thread whose last access to shared memory was a successful read-modify-write.
///
/// On x86-64 such an instruction is a full barrier already, so only the compiler has to be held back; the fence
/// instruction would cost more than everything else in the step. A model leaves the fence out to show that it is needed.
#[inline]
pub(crate) fn fence_after_swap(unless: Bug) {
    if planted(unless) {
        return;
    }
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}

#[cfg(loom)]
pub(crate) use modelled::*;
#[cfg(all(test, loom))]
pub(crate) use planted::assert_found;
pub(crate) use planted::{Bug, planted};
#[cfg(not(loom))]
pub(crate) use real::*;
