//! A row of counters and histograms.

use std::sync::atomic::{AtomicU64, Ordering};

use super::buckets::{Buckets, SIZES, TIMES};
use crate::error::Error;

/// Rows of an arena. Few, because they take memory; more than one, so that those who are busy rarely meet on a line.
pub(crate) const ROWS: usize = 8;

/// Words of counters before the histograms: one page.
const COUNTERS: usize = 512;

/// Where the counters of errors begin: by code, 32 for each hundred.
const ERRORS: usize = 256;

/// Where the bytes copied begin, by reason.
const COPIED: usize = 32;

/// Words of a row.
pub(crate) const ROW_WORDS: usize = COUNTERS + SIZES.len() + 3 * TIMES.len();

/// Bytes of a row: whole pairs of cache lines.
pub(crate) const ROW_SIZE: usize = 8 * ROW_WORDS;

const _: () = assert!(ROW_SIZE.is_multiple_of(128));

/// What is counted one by one. The number is the word's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Counter {
    /// Requests that were answered, and records that were received, each taken alone.
    EndedAlone = 0,
    /// The same of those taken in a run with others.
    EndedInRun = 1,
    /// Requests whose server said that its code failed.
    Failed = 2,
    /// Requests that a server let go of without an answer; records of a channel that made room for later ones.
    Dropped = 3,
    /// Requests whose caller's deadline had passed when a server found them.
    Expired = 4,
    /// Participants that died.
    Deaths = 16,
    /// Records of dead receivers that were handed out again.
    Redelivered = 17,
    /// Requests of dead servers that nobody else may answer.
    GivenUp = 18,
}

/// Why bytes were copied on the way into or out of a record. Aliases copy nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CopyReason {
    /// A value was assigned to a field: the one copy that brings foreign data into a record. Counted in Python.
    Assigned,
    /// The consumer asked for a copy: `torch.from_dlpack(field, copy=True)`.
    Requested,
    /// Records of a run are of different lengths, or lack a field: what was written where they have nothing.
    Padded,
    /// Slots between the records of a run belong to others, so they were copied side by side.
    Hole,
    /// TensorFlow or JAX cannot use memory at this address.
    Alignment,
    /// TensorFlow or JAX cannot use rows that are apart.
    Strides,
    /// The framework lacks the dtype, or is set up not to use it.
    DType,
}

impl CopyReason {
    /// Each of them.
    pub const ALL: [CopyReason; 7] = [
        CopyReason::Assigned,
        CopyReason::Requested,
        CopyReason::Padded,
        CopyReason::Hole,
        CopyReason::Alignment,
        CopyReason::Strides,
        CopyReason::DType,
    ];

    /// `assigned`, `requested`, `padded`, `hole`, `alignment`, `strides` or `dtype`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CopyReason::Assigned => "assigned",
            CopyReason::Requested => "requested",
            CopyReason::Padded => "padded",
            CopyReason::Hole => "hole",
            CopyReason::Alignment => "alignment",
            CopyReason::Strides => "strides",
            CopyReason::DType => "dtype",
        }
    }
}

/// What is measured, in buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Lengths of runs; of one alone only those that were not answered.
    Runs,
    /// Nanoseconds from sending a request to having its answer.
    RoundTrip,
    /// Nanoseconds from sending a record to its being taken.
    Waiting,
    /// Nanoseconds from taking a record to answering it or giving it back.
    Served,
}

impl Scale {
    /// The buckets of its words.
    pub(crate) const fn buckets(self) -> Buckets {
        match self {
            Scale::Runs => SIZES,
            Scale::RoundTrip | Scale::Waiting | Scale::Served => TIMES,
        }
    }

    const fn first(self) -> usize {
        match self {
            Scale::Runs => COUNTERS,
            Scale::RoundTrip => COUNTERS + SIZES.len(),
            Scale::Waiting => COUNTERS + SIZES.len() + TIMES.len(),
            Scale::Served => COUNTERS + SIZES.len() + 2 * TIMES.len(),
        }
    }
}

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    words: &'a [AtomicU64; ROW_WORDS],
}

impl<'a> Row<'a> {
    pub(crate) fn new(words: &'a [AtomicU64; ROW_WORDS]) -> Row<'a> {
        Row { words }
    }

    #[inline]
    fn add(self, word: usize, more: u64) {
        self.words[word].fetch_add(more, Ordering::Relaxed);
    }

    fn get(self, word: usize) -> u64 {
        self.words[word].load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn count(self, counter: Counter, more: u64) {
        self.add(counter as usize, more);
    }

    pub(crate) fn counted(self, counter: Counter) -> u64 {
        self.get(counter as usize)
    }

    /// Notes `times` values.
    #[inline]
    pub(crate) fn measure(self, scale: Scale, value: u64, times: u64) {
        self.add(scale.first() + scale.buckets().of(value), times);
    }

    /// How many values each bucket has.
    pub(crate) fn measured(self, scale: Scale) -> impl Iterator<Item = u64> + 'a {
        let first = scale.first();
        self.words[first..first + scale.buckets().len()].iter().map(|word| word.load(Ordering::Relaxed))
    }

    pub(crate) fn count_copied(self, reason: CopyReason, bytes: u64) {
        self.add(COPIED + reason as usize, bytes);
    }

    pub(crate) fn copied(self, reason: CopyReason) -> u64 {
        self.get(COPIED + reason as usize)
    }

    pub(crate) fn count_error(self, error: &Error) {
        if let Some(word) = word_of_error(error.code()) {
            self.add(word, 1);
        }
    }

    /// What a peer that means harm may do.
    #[cfg(all(test, connects))]
    pub(crate) fn scribble(self, mut word: impl FnMut() -> u64) {
        self.words.iter().for_each(|place| place.store(word(), Ordering::Relaxed));
    }

    /// How often an error with this code was counted.
    pub(crate) fn errors(self, code: &str) -> u64 {
        word_of_error(code).map_or(0, |word| self.get(word))
    }
}

/// The word that counts errors with a code. It follows from the code, which never changes.
fn word_of_error(code: &str) -> Option<usize> {
    let number: usize = code.strip_prefix("TB")?.parse().ok()?;
    let (hundred, rest) = ((number / 100).checked_sub(1)?, number % 100);
    (hundred < 8 && rest < 32).then_some(ERRORS + 32 * hundred + rest)
}

#[cfg(test)]
pub(super) fn blank() -> Box<[AtomicU64; ROW_WORDS]> {
    let words: Box<[AtomicU64]> = (0..ROW_WORDS).map(|_| AtomicU64::new(0)).collect();
    words.try_into().expect("a row")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_error_of_the_table_has_a_word_of_its_own() {
        let words: Option<BTreeSet<usize>> =
            Error::TABLE.iter().map(|(code, _, _)| word_of_error(code)).collect();
        let words = words.expect("each has one");
        assert_eq!(words.len(), Error::TABLE.len());
        assert!(words.iter().all(|word| (ERRORS..COUNTERS).contains(word)));
        assert_eq!([word_of_error("TB999"), word_of_error("TB040"), word_of_error("?")], [None; 3]);
    }

    #[test]
    fn nothing_that_is_counted_shares_a_word() {
        let words = blank();
        let row = Row::new(&words);
        let counters = [
            Counter::EndedAlone,
            Counter::EndedInRun,
            Counter::Failed,
            Counter::Dropped,
            Counter::Expired,
            Counter::Deaths,
            Counter::Redelivered,
            Counter::GivenUp,
        ];
        counters.iter().for_each(|counter| row.count(*counter, 1));
        CopyReason::ALL.iter().for_each(|reason| row.count_copied(*reason, 1));
        row.count_error(&Error::Forked);
        let scales = [Scale::Runs, Scale::RoundTrip, Scale::Waiting, Scale::Served];
        for scale in scales {
            row.measure(scale, 0, 1);
            row.measure(scale, u64::MAX, 1);
        }
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) <= 1));
        let counted: u64 = words.iter().map(|word| word.load(Ordering::Relaxed)).sum();
        assert_eq!(counted as usize, counters.len() + CopyReason::ALL.len() + 1 + 2 * scales.len());
        assert_eq!(row.errors("TB506"), 1);
        for scale in scales {
            let measured: Vec<u64> = row.measured(scale).collect();
            assert_eq!((measured[0], measured[measured.len() - 1]), (1, 1));
        }
    }

    #[test]
    fn threads_that_share_a_row_lose_nothing() {
        let words = blank();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for value in 0..10_000 {
                        Row::new(&words).measure(Scale::Waiting, value, 1);
                        Row::new(&words).count(Counter::EndedAlone, 1);
                    }
                });
            }
        });
        let row = Row::new(&words);
        assert_eq!(row.counted(Counter::EndedAlone), 40_000);
        assert_eq!(row.measured(Scale::Waiting).sum::<u64>(), 40_000);
    }
}
