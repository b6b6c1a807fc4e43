//! The kernel's wait and wake on a shared word.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{Flags, Timespec, wait, wake};

/// Sleeps while `word` is `expected`, for at most `timeout`. Returns whether a signal ended the sleep; why else it
/// ended does not matter, since whoever waits looks again.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) -> bool {
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
    // Without the PRIVATE flag the word is looked up by the memory it is in, so processes meet on it.
    wait(word, Flags::empty(), expected, Some(&timeout)) == Err(Errno::INTR)
}

/// Wakes up to `count` sleepers and says how many there were.
pub(crate) fn futex_wake(word: &AtomicU32, count: u32) -> usize {
    wake(word, Flags::empty(), count).unwrap_or(0)
}
