//! Bitmaps that say where to look first, and nothing more.
//!
//! Anybody may set a hint. That a slot is ready, only its holder takes back, when it has taken it: records are taken in order, and a later one
//! must not be hinted at while an earlier one is not.
//!
//! Free slots are in no order. Taking a hint back for each loan would move its line from core to core each time, so it is left where it
//! is until somebody finds that its slot has gone on. Whoever takes it back looks at the word after that once more, and if it is right by now sets it
//! again and rings: what became free meanwhile has its hint back.
//!
//! So a hint may be missing (whoever sets it is between two steps, or was killed there) or stale, and no verdict - empty, full, may
//! sleep - is ever drawn from hints alone: the slot words decide.
//!
//! An arena of at most [`SMALL`] slots keeps none: looking at all its words is cheaper than moving a line of hints from
//! core to core twice for each record.

use std::ops::Range;

use crate::sync::{AtomicU64, Bug, Ordering, fence_after_swap, planted};

/// The most slots of an arena without hints.
pub(crate) const SMALL: usize = 16;

/// What a look at the word of a hinted slot shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// The slot has gone on.
    Stale,
    /// No other slot needs to be visited.
    Enough,
}

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

    /// As [`Hints::set`] for neighbours, of which the caller's last compare-and-swap made one what the hint says. Writes nothing where all are set,
    /// so that the line may stay with everybody.
    #[inline]
    pub(crate) fn set_run(self, slots: Range<usize>) {
        // Between the word and the hint, as for whoever takes the hint back between the hint and the word: one sees the other.
        fence_after_swap(Bug::NoFenceBeforeWake);
        for (index, mask) in masks(slots) {
            if let Some(word) = self.words.get(index)
                && word.load(Ordering::Relaxed) & mask != mask
            {
                word.fetch_or(mask, Ordering::AcqRel);
            }
        }
    }

    /// Visits hinted slots, those from `start` on first, until `visit` says [`Hint::Enough`]. Those that it finds [`Hint::Stale`] lose
    /// their hint, unless it `is_right` by then. Gives whether one was missing in between.
    #[inline]
    pub(crate) fn sift(
        self,
        start: usize,
        is_right: impl Fn(usize) -> bool,
        mut visit: impl FnMut(usize) -> Hint,
    ) -> bool {
        let mut restored = false;
        let (first, bit) = (start / 64, start % 64);
        for step in 0..=self.words.len() {
            let index =
                if first + step < self.words.len() { first + step } else { first + step - self.words.len() };
            let mut bits = self.words[index].load(Ordering::Acquire) & part_of(step, self.words.len(), bit);
            let (mut stale, mut enough) = (0, false);
            while bits != 0 && !enough {
                let slot = index * 64 + bits.trailing_zeros() as usize;
                if slot >= self.slots {
                    break;
                }
                match visit(slot) {
                    Hint::Stale => stale |= bits & bits.wrapping_neg(),
                    Hint::Enough => enough = true,
                }
                bits &= bits - 1;
            }
            if stale != 0 {
                restored |= self.take_back(index, stale, &is_right);
            }
            if enough {
                break;
            }
        }
        restored
    }

    #[inline(never)]
    fn take_back(self, index: usize, stale: u64, is_right: impl Fn(usize) -> bool) -> bool {
        self.words[index].fetch_and(!stale, Ordering::AcqRel);
        fence_after_swap(Bug::NoFenceAfterHint);
        let mut right = 0;
        let mut bits = if planted(Bug::TakesHintsBackBlindly) { 0 } else { stale };
        while bits != 0 {
            if is_right(index * 64 + bits.trailing_zeros() as usize) {
                right |= bits & bits.wrapping_neg();
            }
            bits &= bits - 1;
        }
        if right != 0 {
            self.words[index].fetch_or(right, Ordering::AcqRel);
        }
        right != 0
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
        (0..=words.len()).flat_map(move |step| {
            let index = (first + step) % words.len();
            let mut bits = words[index].load(Ordering::Acquire) & part_of(step, words.len(), bit);
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(index * 64 + bit).filter(|slot| *slot < slots)
            })
        })
    }
}

/// Which bits of a word are visited in a step round `words` words that begins with this bit of the first: the first word is
/// visited twice, its upper part at the beginning, its lower part at the end.
#[inline]
fn part_of(step: usize, words: usize, bit: usize) -> u64 {
    match step {
        0 => u64::MAX << bit,
        _ if step == words => !(u64::MAX << bit),
        _ => u64::MAX,
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
