//! Bitmaps that say where to look first, and nothing more.
//!
//! Anybody may set a hint; only the current holder of a slot clears its hint, after the compare-and-swap that made it
//! the holder. So a hint may be missing (its setter was killed) or stale, and no verdict - empty, full, may sleep - is
//! ever drawn from hints alone: the slot words decide.
//!
//! An arena of at most [`SMALL`] slots keeps none: looking at all its words is cheaper than moving a line of hints from
//! core to core twice for each record.

use std::ops::Range;

use crate::sync::{AtomicU64, Ordering};

/// The most slots of an arena without hints.
pub(crate) const SMALL: usize = 16;

/// One bit for each slot; no bits at all in a small arena.
#[derive(Clone, Copy)]
pub(crate) struct Hints<'a> {
    words: &'a [AtomicU64],
    slots: usize,
}

impl<'a> Hints<'a> {
    /// The hints of `slots` slots; bits beyond them, which only a hostile peer sets, are ignored.
    #[inline]
    pub(crate) fn new(words: &'a [AtomicU64], slots: usize) -> Hints<'a> {
        Hints { words, slots }
    }

    #[inline]
    pub(crate) fn set(self, slot: usize) {
        if let Some(word) = self.words.get(slot / 64) {
            word.fetch_or(1 << (slot % 64), Ordering::AcqRel);
        }
    }

    #[inline]
    pub(crate) fn clear(self, slot: usize) {
        if let Some(word) = self.words.get(slot / 64) {
            word.fetch_and(!(1 << (slot % 64)), Ordering::AcqRel);
        }
    }

    /// As [`Hints::set`] for neighbours.
    #[inline]
    pub(crate) fn set_run(self, slots: Range<usize>) {
        for (index, mask) in masks(slots) {
            if let Some(word) = self.words.get(index) {
                word.fetch_or(mask, Ordering::AcqRel);
            }
        }
    }

    /// As [`Hints::clear`] for neighbours.
    #[inline]
    pub(crate) fn clear_run(self, slots: Range<usize>) {
        for (index, mask) in masks(slots) {
            if let Some(word) = self.words.get(index) {
                word.fetch_and(!mask, Ordering::AcqRel);
            }
        }
    }

    /// Whether a slot's hint is set.
    #[inline]
    pub(crate) fn has(self, slot: usize) -> bool {
        self.words.get(slot / 64).is_some_and(|word| word.load(Ordering::Relaxed) & 1 << (slot % 64) != 0)
    }

    /// Whether there are no hints to look at, because the words are few.
    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.words.is_empty()
    }

    #[inline]
    pub(crate) fn any(self) -> bool {
        self.words.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// How many hints are set.
    #[inline]
    pub(crate) fn count(self) -> usize {
        self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// The slots whose hint is set, from `start` round to the slot before it.
    pub(crate) fn iter_from(self, start: usize) -> impl Iterator<Item = usize> + 'a {
        let Hints { words, slots } = self;
        assert!(!words.is_empty(), "a small arena is looked at word by word");
        let (first, bit) = (start / 64, start % 64);
        // The first word is looked at twice: its upper part at the beginning, its lower part at the end.
        (0..=words.len()).flat_map(move |step| {
            let index = (first + step) % words.len();
            let mask = match step {
                0 => u64::MAX << bit,
                _ if step == words.len() => !(u64::MAX << bit),
                _ => u64::MAX,
            };
            let mut bits = words[index].load(Ordering::Acquire) & mask;
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(index * 64 + bit).filter(|slot| *slot < slots)
            })
        })
    }
}

/// The words that the bits of a range are in, and those bits.
fn masks(mut slots: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    std::iter::from_fn(move || {
        let index = slots.start / 64;
        let end = slots.end.min(64 * (index + 1));
        let count = end.checked_sub(slots.start).filter(|count| *count > 0)?;
        let mask = (u64::MAX >> (64 - count)) << (slots.start % 64);
        slots.start = end;
        Some((index, mask))
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn hints_are_walked_once_round_from_any_start() {
        let words = [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)];
        let hints = Hints::new(&words, 192);
        for slot in [0, 5, 63, 64, 130, 191] {
            hints.set(slot);
        }
        hints.clear(5);
        assert_eq!(hints.iter_from(0).collect::<Vec<_>>(), [0, 63, 64, 130, 191]);
        assert_eq!(hints.iter_from(64).collect::<Vec<_>>(), [64, 130, 191, 0, 63]);
        assert_eq!(hints.iter_from(100).collect::<Vec<_>>(), [130, 191, 0, 63, 64]);
        assert_eq!(hints.iter_from(1).collect::<Vec<_>>(), [63, 64, 130, 191, 0]);
    }

    #[test]
    fn a_run_of_hints_is_every_hint_of_it_and_no_other() {
        for (start, end) in [(0, 0), (0, 1), (3, 64), (63, 65), (0, 192), (70, 130), (64, 128), (191, 192)] {
            let words = [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)];
            let hints = Hints::new(&words, 192);
            hints.set_run(start..end);
            assert!(hints.iter_from(0).eq(start..end), "{start}..{end}");
            hints.set_run(0..192);
            hints.clear_run(start..end);
            assert!(hints.iter_from(0).eq((0..start).chain(end..192)), "{start}..{end}");
        }
    }

    #[test]
    fn hints_of_slots_that_are_not_there_are_ignored() {
        let words = [AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX)];
        let hints = Hints::new(&words, 66);
        assert!(hints.iter_from(65).eq([65].into_iter().chain(0..65)));
    }
}
