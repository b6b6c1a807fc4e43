//! The kernel's wait and wake on a shared word.

use std::time::Duration;

use super::NAP;
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

/// A word and the value that it had when its sleeper last looked.
pub(crate) type ExpectedWord = (*const AtomicU32, u32);

/// The most words that [`futex_wait_any`] looks at.
pub(crate) const MOST_WORDS: usize = 128;

/// Sleeps while each of the first [`MOST_WORDS`] words is as expected, for at most `timeout`. The kernel looks at the words,
/// not this process: one that is no longer mapped ends the sleep.
///
/// Where the kernel cannot (before Linux 5.16, or in a sandbox that forbids it), the sleep is a short nap.
#[cfg(connects)]
pub(crate) fn futex_wait_any(words: &[ExpectedWord], timeout: Duration) {
    use rustix::io::Errno;
    use rustix::thread::futex::{Wait, WaitFlags, WaitPtr, WaitvFlags, waitv};
    use rustix::time::{ClockId, Timespec, clock_gettime};
    let waits: Vec<Wait> = words
        .iter()
        .take(MOST_WORDS)
        .map(|&(word, expected)| {
            let mut wait = Wait::new();
            wait.val = u64::from(expected);
            wait.uaddr = WaitPtr::new(word.cast_mut().cast());
            wait.flags = WaitFlags::SIZE_U32;
            wait
        })
        .collect();
    let now = clock_gettime(ClockId::Monotonic);
    let at = Duration::new(now.tv_sec as u64, now.tv_nsec as u32).saturating_add(timeout);
    let until = Timespec { tv_sec: at.as_secs() as i64, tv_nsec: i64::from(at.subsec_nanos()) };
    // Whatever else ends it, whoever sleeps looks again.
    let slept = waitv(&waits, WaitvFlags::empty(), Some(&until), ClockId::Monotonic);
    if let Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) = slept {
        std::thread::sleep(timeout.min(NAP));
    }
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
    std::thread::sleep(timeout.min(NAP));
}

/// As [`futex_wait`].
#[cfg(not(connects))]
pub(crate) fn futex_wait_any(_: &[ExpectedWord], timeout: Duration) {
    std::thread::sleep(timeout.min(NAP));
}

/// Nobody sleeps on the word itself.
#[cfg(not(connects))]
pub(crate) fn futex_wake(_: &AtomicU32, _: u32) {}
