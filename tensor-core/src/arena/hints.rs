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

/// How the bits lie in their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spacing {
    /// The logarithm of how many bits a word has.
    shift: u32,
    /// The distance between two words.
    stride: usize,
}

impl Spacing {
    /// Words side by side.
    pub(crate) const DENSE: Spacing = Spacing { shift: 6, stride: 1 };

    /// Words of a few bits, each on a line of its own: who sends and who receives are mostly a few slots apart in the ring, and write
    /// different lines then.
    const SPREAD: Spacing = Spacing { shift: 4, stride: 8 };

    /// A word for each bit, so that models order each hint apart from the others.
    #[cfg(all(test, loom))]
    pub(super) const SINGLE: Spacing = Spacing { shift: 0, stride: 1 };

    /// The most slots whose hints are spread: whoever looks reads each line.
    const MOST_SPREAD: usize = 1024;

    /// That of an arena with so many slots.
    #[inline]
    pub(crate) const fn of(slots: usize) -> Spacing {
        if slots <= Spacing::MOST_SPREAD { Spacing::SPREAD } else { Spacing::DENSE }
    }

    /// How many words of memory the hints of an arena take.
    pub(crate) const fn words(slots: usize) -> usize {
        let Spacing { shift, stride } = Spacing::of(slots);
        if slots <= SMALL { 0 } else { slots.div_ceil(1 << shift) * stride }
    }

    /// The word of a slot's bit, by its place, and the bit.
    #[inline]
    fn place(self, slot: usize) -> (usize, u64) {
        ((slot >> self.shift) * self.stride, 1 << (slot & ((1 << self.shift) - 1)))
    }

    /// All bits of a word.
    #[inline]
    const fn all(self) -> u64 {
        u64::MAX >> (64 - (1 << self.shift))
    }
}

/// One bit for each slot; no bits at all in a small arena.
#[derive(Clone, Copy)]
pub(crate) struct Hints<'a> {
    words: &'a [AtomicU64],
    slots: usize,
    spacing: Spacing,
}

impl<'a> Hints<'a> {
    /// The hints of `slots` slots; bits beyond them, which only a hostile peer sets, are ignored.
    #[inline]
    pub(crate) fn new(words: &'a [AtomicU64], slots: usize, spacing: Spacing) -> Hints<'a> {
        Hints { words, slots, spacing }
    }

    /// How many words have bits.
    #[inline]
    fn count_words(self) -> usize {
        self.words.len() / self.spacing.stride
    }

    #[inline]
    fn word(self, index: usize) -> &'a AtomicU64 {
        &self.words[index * self.spacing.stride]
    }

    #[inline]
    pub(crate) fn set(self, slot: usize) {
        let (place, bit) = self.spacing.place(slot);
        if let Some(word) = self.words.get(place) {
            word.fetch_or(bit, Ordering::AcqRel);
        }
    }

    #[inline]
    pub(crate) fn clear(self, slot: usize) {
        let (place, bit) = self.spacing.place(slot);
        if let Some(word) = self.words.get(place) {
            word.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// As [`Hints::set`] for neighbours, of which the caller's last compare-and-swap made one what the hint says. Writes nothing where all are set,
    /// so that the line may stay with everybody.
    #[inline]
    pub(crate) fn set_run(self, slots: Range<usize>) {
        // Between the word and the hint, as for whoever takes the hint back between the hint and the word: one sees the other.
        fence_after_swap(Bug::NoFenceBeforeWake);
        for (index, mask) in masks(slots, self.spacing.shift) {
            if let Some(word) = self.words.get(index * self.spacing.stride)
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
        let (words, shift) = (self.count_words(), self.spacing.shift);
        let (first, bit) = (start >> shift, start & ((1 << shift) - 1));
        for step in 0..=words {
            let index = if first + step < words { first + step } else { first + step - words };
            let part = part_of(step, words, bit) & self.spacing.all();
            let mut bits = self.word(index).load(Ordering::Acquire) & part;
            let (mut stale, mut enough) = (0, false);
            while bits != 0 && !enough {
                let slot = (index << shift) + bits.trailing_zeros() as usize;
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
        self.word(index).fetch_and(!stale, Ordering::AcqRel);
        fence_after_swap(Bug::NoFenceAfterHint);
        let mut right = 0;
        let mut bits = if planted(Bug::TakesHintsBackBlindly) { 0 } else { stale };
        while bits != 0 {
            if is_right((index << self.spacing.shift) + bits.trailing_zeros() as usize) {
                right |= bits & bits.wrapping_neg();
            }
            bits &= bits - 1;
        }
        if right != 0 {
            self.word(index).fetch_or(right, Ordering::AcqRel);
        }
        right != 0
    }

    /// As [`Hints::clear`] for neighbours.
    #[inline]
    pub(crate) fn clear_run(self, slots: Range<usize>) {
        for (index, mask) in masks(slots, self.spacing.shift) {
            if let Some(word) = self.words.get(index * self.spacing.stride) {
                word.fetch_and(!mask, Ordering::AcqRel);
            }
        }
    }

    /// Whether a slot's hint is set.
    #[inline]
    pub(crate) fn has(self, slot: usize) -> bool {
        let (place, bit) = self.spacing.place(slot);
        self.words.get(place).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// Whether there are no hints to look at, because the words are few.
    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.words.is_empty()
    }

    /// How many hints are set.
    #[inline]
    pub(crate) fn count(self) -> usize {
        (0..self.count_words())
            .map(|index| self.word(index).load(Ordering::Relaxed).count_ones() as usize)
            .sum()
    }

    /// The slots whose hint is set, from `start` round to the slot before it.
    pub(crate) fn iter_from(self, start: usize) -> impl Iterator<Item = usize> + 'a {
        assert!(!self.is_none(), "a small arena is looked at word by word");
        let (words, shift) = (self.count_words(), self.spacing.shift);
        let (first, bit) = (start >> shift, start & ((1 << shift) - 1));
        (0..=words).flat_map(move |step| {
            let index = if first + step < words { first + step } else { first + step - words };
            let part = part_of(step, words, bit) & self.spacing.all();
            let mut bits = self.word(index).load(Ordering::Acquire) & part;
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some((index << shift) + bit).filter(|slot| *slot < self.slots)
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
fn masks(mut slots: Range<usize>, shift: u32) -> impl Iterator<Item = (usize, u64)> {
    std::iter::from_fn(move || {
        let index = slots.start >> shift;
        let end = slots.end.min((index + 1) << shift);
        let count = end.checked_sub(slots.start).filter(|count| *count > 0)?;
        let mask = (u64::MAX >> (64 - count)) << (slots.start & ((1 << shift) - 1));
        slots.start = end;
        Some((index, mask))
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// How often each test is run: with hints side by side, and spread.
    const SPACINGS: [Spacing; 2] = [Spacing::DENSE, Spacing::SPREAD];

    fn words(slots: usize, spacing: Spacing, value: u64) -> Vec<AtomicU64> {
        let count = slots.div_ceil(1 << spacing.shift) * spacing.stride;
        (0..count).map(|_| AtomicU64::new(value)).collect()
    }

    #[test]
    fn hints_are_walked_once_round_from_any_start() {
        for spacing in SPACINGS {
            let words = words(192, spacing, 0);
            let hints = Hints::new(&words, 192, spacing);
            for slot in [0, 5, 63, 64, 130, 191] {
                hints.set(slot);
            }
            hints.clear(5);
            assert_eq!(hints.iter_from(0).collect::<Vec<_>>(), [0, 63, 64, 130, 191]);
            assert_eq!(hints.iter_from(64).collect::<Vec<_>>(), [64, 130, 191, 0, 63]);
            assert_eq!(hints.iter_from(100).collect::<Vec<_>>(), [130, 191, 0, 63, 64]);
            assert_eq!(hints.iter_from(1).collect::<Vec<_>>(), [63, 64, 130, 191, 0]);
            assert_eq!((hints.count(), hints.has(63), hints.has(5)), (5, true, false));
        }
    }

    #[test]
    fn a_sift_visits_what_a_walk_does_and_takes_back_what_is_stale() {
        for spacing in SPACINGS {
            for start in [0, 1, 64, 100, 191] {
                let words = words(192, spacing, 0);
                let hints = Hints::new(&words, 192, spacing);
                [0, 5, 63, 64, 130, 191].into_iter().for_each(|slot| hints.set(slot));
                let walked: Vec<usize> = hints.iter_from(start).collect();
                let mut sifted = Vec::new();
                let visit = |slot: usize| {
                    sifted.push(slot);
                    Hint::Stale
                };
                assert!(hints.sift(start, |slot| slot == 63, visit));
                assert_eq!(sifted, walked);
                assert!(hints.iter_from(0).eq([63]));
            }
        }
    }

    #[test]
    fn a_run_of_hints_is_every_hint_of_it_and_no_other() {
        for spacing in SPACINGS {
            for (start, end) in
                [(0, 0), (0, 1), (3, 64), (63, 65), (0, 192), (70, 130), (64, 128), (191, 192)]
            {
                let words = words(192, spacing, 0);
                let hints = Hints::new(&words, 192, spacing);
                hints.set_run(start..end);
                assert!(hints.iter_from(0).eq(start..end), "{start}..{end}");
                hints.set_run(0..192);
                hints.clear_run(start..end);
                assert!(hints.iter_from(0).eq((0..start).chain(end..192)), "{start}..{end}");
            }
        }
    }

    #[test]
    fn hints_of_slots_that_are_not_there_are_ignored() {
        for spacing in SPACINGS {
            let words = words(66, spacing, u64::MAX);
            let hints = Hints::new(&words, 66, spacing);
            assert!(hints.iter_from(65).eq([65].into_iter().chain(0..65)));
        }
    }

    #[test]
    fn every_slot_has_a_bit_however_many_there_are() {
        for slots in [17, 64, 1024, 1025, 5000] {
            let words: Vec<AtomicU64> = (0..Spacing::words(slots)).map(|_| AtomicU64::new(0)).collect();
            let hints = Hints::new(&words, slots, Spacing::of(slots));
            hints.set_run(0..slots);
            assert!(hints.iter_from(0).eq(0..slots));
        }
        assert_eq!(Spacing::words(SMALL), 0);
    }
}
