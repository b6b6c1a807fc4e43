//! loom's atomics, the kernel's queue of sleepers in loom's words, and participants that die.

pub(crate) use super::counted::{AtomicU32, AtomicU64};
pub(crate) use loom::sync::atomic::{Ordering, fence};

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use loom::sync::{Condvar, Mutex};

loom::thread_local! {
    /// How many more steps this thread of the model lives; `None` for as long as it likes.
    static LIFE: Cell<Option<u32>> = Cell::new(None);
}

std::thread_local! {
    /// Whether anybody was killed since [`anybody_killed`] was asked. loom runs all threads of a model on the test's.
    static KILLED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a participant of a model was killed since this was last asked.
pub(crate) fn anybody_killed() -> bool {
    KILLED.replace(false)
}

/// What a killed participant unwinds with. Nothing that it would still have done happens.
struct Killed;

/// Runs `body` as a participant that is killed before its step number `life`, counted from 0. `None` if it was, and what
/// it returns if it had fewer steps.
pub(crate) fn live<T>(life: u32, body: impl FnOnce() -> T) -> Option<T> {
    LIFE.with(|left| left.set(Some(life)));
    let result = catch_unwind(AssertUnwindSafe(body));
    LIFE.with(|left| left.set(None));
    match result {
        Ok(value) => Some(value),
        Err(reason) if reason.is::<Killed>() => {
            KILLED.set(true);
            None
        }
        Err(reason) => resume_unwind(reason),
    }
}

/// This thread is about to make a step that others can see.
pub(crate) fn step() {
    let killed = LIFE.with(|left| match left.get() {
        Some(0) => true,
        Some(more) => {
            left.set(Some(more - 1));
            false
        }
        None => false,
    });
    if killed {
        resume_unwind(Box::new(Killed));
    }
}

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
        step();
        let mut sleepers = self.sleepers.lock().unwrap();
        let woken = (*sleepers).min(count as usize);
        *sleepers -= woken;
        for _ in 0..woken {
            self.woken.notify_one();
        }
    }
}
