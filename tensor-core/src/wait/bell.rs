//! A bell that any number of processes can sleep on and anybody can ring.
//!
//! Two words in shared memory. A sleeper raises `asleep`, notes `rings`, looks once more for what it waits for, and
//! only then sleeps until `rings` changes. Whoever publishes something looks at `asleep` after publishing and does
//! nothing more when it is 0. Both sides put a sequentially consistent fence between their write and their read, so at
//! least one of them sees the other.
//!
//! `asleep` is a flag and not a count: a count would stay too high for good when a sleeper is killed. The price is that
//! one ring wakes one sleeper, and until that one raises the flag again others may ring in vain while more sleep. So
//! whoever is woken raises the flag before it looks ([`Bell::prepare`]), and whoever has found something rings when there
//! is more ([`Bell::ring_if`]): each wakes the next.

use std::time::Duration;

use crate::sync::{AtomicU32, Bug, Futex, Ordering, fence_after_swap};

/// The two words; `#[repr(C)]` because they live in shared memory.
#[repr(C)]
pub(crate) struct Bell {
    rings: Futex,
    asleep: AtomicU32,
}

impl Bell {
    pub(crate) fn new() -> Bell {
        Bell { rings: Futex::new(0), asleep: AtomicU32::new(0) }
    }

    /// First half of going to sleep: after this, look once more before [`Bell::sleep`] with the returned ticket.
    #[inline]
    pub(crate) fn prepare(&self) -> u32 {
        let rings = self.rings.word.load(Ordering::Acquire);
        self.asleep.swap(1, Ordering::Relaxed);
        fence_after_swap(Bug::NoFenceBeforeSleep);
        rings
    }

    /// The word that changes with every ring, for a sleep on several bells.
    #[cfg(not(loom))]
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.rings.word
    }

    /// Second half: sleeps unless the bell has rung since `prepare`.
    pub(crate) fn sleep(&self, prepared: u32, timeout: Duration) {
        self.rings.sleep(prepared, timeout);
    }

    /// Wakes one sleeper, if there is any, after something was published by a successful read-modify-write.
    #[inline]
    pub(crate) fn ring(&self) {
        self.ring_if(|| true);
    }

    /// As [`Bell::ring`], but only if there is something to wake for, which is looked at when somebody sleeps.
    #[inline]
    pub(crate) fn ring_if(&self, something: impl FnOnce() -> bool) {
        fence_after_swap(Bug::NoFenceBeforeWake);
        if self.asleep.load(Ordering::Relaxed) == 0 || !something() {
            return;
        }
        // Down before the wake: whoever goes to sleep from here on raises it again, and sees the new `rings`.
        //
        // A store would do: a sleeper that has read the last `rings` has every lowering before its own raising. But loom orders
        // a store among the swaps of others only in part, and then lets a thread read what the next swap has replaced: it finds
        // deadlocks that memory does not allow. Beside the system call below the swap costs nothing.
        self.asleep.swap(0, Ordering::Relaxed);
        self.rings.word.fetch_add(1, Ordering::Release);
        self.rings.wake(1);
    }

    /// Wakes every sleeper: after a recovery, or when the arena closes.
    pub(crate) fn ring_all(&self) {
        self.rings.word.fetch_add(1, Ordering::Release);
        self.rings.wake(i32::MAX as u32);
    }
}
