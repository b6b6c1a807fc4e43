//! The kernel's wait and wake on a shared word.

use std::time::Duration;

use crate::sync::AtomicU32;

/// Sleeps while `word` is `expected`, for at most `timeout`. Why the sleep ended does not matter, since whoever waits looks
/// again.
#[cfg(connects)]
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    use rustix::thread::futex::{Flags, Timespec, wait};
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
    // Without the PRIVATE flag the word is looked up by the memory it is in, so processes meet on it.
    let _ = wait(as_kernel(word), Flags::empty(), expected, Some(&timeout));
}

/// Wakes up to `count` sleepers.
#[cfg(connects)]
pub(crate) fn futex_wake(word: &AtomicU32, count: u32) {
    use rustix::thread::futex::{Flags, wake};
    crate::sync::step();
    let _ = wake(as_kernel(word), Flags::empty(), count);
}

#[cfg(connects)]
fn as_kernel(word: &AtomicU32) -> &std::sync::atomic::AtomicU32 {
    #[cfg(tensorbridge_crash)]
    return word.uncounted();
    #[cfg(not(tensorbridge_crash))]
    word
}

/// Where there is no shared memory, nobody else can change the word: the sleep is a short nap.
#[cfg(not(connects))]
pub(crate) fn futex_wait(_: &AtomicU32, _: u32, timeout: Duration) {
    std::thread::sleep(timeout.min(Duration::from_millis(1)));
}

/// Nobody sleeps on the word itself.
#[cfg(not(connects))]
pub(crate) fn futex_wake(_: &AtomicU32, _: u32) {}
