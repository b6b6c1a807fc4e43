//! Which records are timed.
//!
//! Timing a call costs as much as half of the fastest call, so not every record of a fast stream is timed:
//! one of `2^n`, where `n` follows from how fast records were sent since the last one that was timed. What is timed counts
//! for all that it stands for. Where more than [`WORTH`] passes between two records, each is timed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many nanoseconds pass, on the mean, between two records that are timed, in a stream of many.
const WORTH: u64 = 50_000;

/// The largest `n`.
const MOST: u32 = 7;

/// The words that decide it, beside the counter of tickets: whoever has just drawn a ticket has their cache line.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Pace {
    shift: AtomicU32,
    last_number: AtomicU64,
    last_time: AtomicU64,
}

impl Pace {
    /// Whether the record with this number is timed: the logarithm of how many it stands for. The number is stirred, so that
    /// what is timed is not always the first of a batch.
    #[inline]
    pub(crate) fn times(&self, number: u64) -> Option<u32> {
        // A peer may have written anything.
        let shift = self.shift.load(Ordering::Relaxed).min(MOST);
        let stirred = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (stirred & ((1 << shift) - 1) == 0).then_some(shift)
    }

    /// Notes that the record with this number is timed `now`. Senders that do this at once disagree about what a good pace
    /// is, and nothing else.
    #[cold]
    pub(crate) fn timed(&self, number: u64, now: u64) {
        let passed = now.saturating_sub(self.last_time.swap(now, Ordering::Relaxed));
        let records = number.saturating_sub(self.last_number.swap(number, Ordering::Relaxed)).max(1);
        let each = (passed / records).max(1);
        let shift = (0..MOST).find(|shift| each << shift >= WORTH).unwrap_or(MOST);
        self.shift.store(shift, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a stream's records are timed, and how many those stand for.
    fn timed(pace: &Pace, numbers: std::ops::Range<u64>, apart: u64) -> (u64, u64) {
        let (mut timed, mut stood) = (0, 0);
        for number in numbers {
            if let Some(shift) = pace.times(number) {
                pace.timed(number, 1_000_000_000_000 + number * apart);
                timed += 1;
                stood += 1 << shift;
            }
        }
        (timed, stood)
    }

    #[test]
    fn slow_streams_are_timed_whole_and_fast_ones_in_part_that_stands_for_the_whole() {
        assert_eq!(timed(&Pace::default(), 0..5000, WORTH), (5000, 5000));
        for (apart, shift) in [(100, 7), (400, 7), (3000, 5), (20_000, 2)] {
            let (some, stood) = timed(&Pace::default(), 0..100_000, apart);
            assert!(some.abs_diff(100_000 >> shift) < 50 && stood.abs_diff(100_000) < 500, "{some}, {stood}");
        }
    }

    #[test]
    fn a_stream_that_slows_down_is_soon_timed_whole_again() {
        let pace = Pace::default();
        timed(&pace, 0..10_000, 100);
        timed(&pace, 10_000..10_500, 1_000_000);
        assert_eq!(timed(&pace, 10_500..10_600, 1_000_000), (100, 100));
    }

    #[test]
    fn of_every_place_in_a_batch_some_are_timed() {
        let pace = Pace::default();
        timed(&pace, 0..1000, 100);
        for place in 0..32 {
            assert!((0..10_000).any(|batch| pace.times(1000 + 32 * batch + place).is_some()), "{place}");
        }
    }

    #[test]
    fn words_of_a_peer_choose_nothing_but_a_pace() {
        let pace = Pace::default();
        pace.shift.store(u32::MAX, Ordering::Relaxed);
        pace.last_time.store(u64::MAX, Ordering::Relaxed);
        pace.last_number.store(u64::MAX, Ordering::Relaxed);
        assert!((0..10_000).any(|number| pace.times(number) == Some(MOST)));
        pace.timed(3, 5);
        assert!(pace.times(3).is_none_or(|shift| shift <= MOST));
    }
}
