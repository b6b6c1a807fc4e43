//! What a process notes of the records it has taken, until it is done with them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::row::{Counter, Row, Scale};

/// A note for each slot, of this process's own. Whoever has claimed a slot is the only one that touches its note.
pub(crate) struct Takes {
    notes: Box<[Note]>,
}

/// All zero for a record that was taken alone and is not timed: the usual case writes nothing.
#[derive(Default)]
struct Note {
    /// 1 for a record of a run; above that bit, when it was taken, in nanoseconds of the monotonic clock.
    taken: AtomicU64,
    waited: AtomicU64,
    stands_for: AtomicU64,
}

/// What was noted of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    taken: u64,
    waited: u64,
    stands_for: u64,
}

impl Takes {
    pub(crate) fn new(slots: usize) -> Takes {
        Takes { notes: (0..slots).map(|_| Note::default()).collect() }
    }

    /// Notes that a record was taken together with others.
    pub(crate) fn in_run(&self, slot: usize) {
        self.notes[slot].taken.store(1, Ordering::Relaxed);
    }

    /// Notes when a record was taken that was sent at `sent` and stands for so many records.
    pub(crate) fn time(&self, slot: usize, sent: u64, now: u64, stands_for: u64) {
        let note = &self.notes[slot];
        note.waited.store(now.saturating_sub(sent), Ordering::Relaxed);
        note.stands_for.store(stands_for, Ordering::Relaxed);
        note.taken.store(note.taken.load(Ordering::Relaxed) | now << 1, Ordering::Relaxed);
    }

    /// What was noted of a record that is about to be given away: after that another thread may take the slot.
    #[inline]
    pub(crate) fn end(&self, slot: usize) -> Taken {
        let note = &self.notes[slot];
        match note.taken.load(Ordering::Relaxed) {
            0 => Taken::default(),
            taken => note.end(taken),
        }
    }
}

impl Note {
    #[inline]
    fn end(&self, taken: u64) -> Taken {
        // No swap: nobody else touches it.
        self.taken.store(0, Ordering::Relaxed);
        Taken {
            taken,
            waited: self.waited.load(Ordering::Relaxed),
            stands_for: self.stands_for.load(Ordering::Relaxed),
        }
    }
}

impl Taken {
    /// Counts the end of the record: how it ended, and what it took.
    #[inline]
    pub(crate) fn count(self, row: Row<'_>, how: Counter, clock: impl FnOnce() -> u64) {
        match (self.taken, how) {
            (0, Counter::EndedAlone) => row.count(how, 1),
            _ => self.count_more(row, how, clock),
        }
    }

    #[cold]
    #[inline(never)]
    fn count_more(self, row: Row<'_>, how: Counter, clock: impl FnOnce() -> u64) {
        let in_run = self.taken & 1 != 0;
        let how = if in_run && how == Counter::EndedAlone { Counter::EndedInRun } else { how };
        if !in_run && how != Counter::EndedAlone {
            row.measure(Scale::Runs, 1, 1);
        }
        let began = self.taken >> 1;
        if began != 0 {
            row.measure(Scale::Waiting, self.waited, self.stands_for);
            row.measure(Scale::Served, clock().saturating_sub(began), self.stands_for);
        }
        // Last, so that whoever sees it counted sees it measured too.
        row.count(how, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::blank;
    use super::*;

    #[test]
    fn a_record_that_is_not_timed_reads_no_clock() {
        let (words, takes) = (blank(), Takes::new(2));
        let row = Row::new(&words);
        takes.end(0).count(row, Counter::EndedAlone, || unreachable!());
        takes.in_run(1);
        takes.end(1).count(row, Counter::EndedAlone, || unreachable!());
        takes.end(0).count(row, Counter::Failed, || unreachable!());
        assert_eq!((row.counted(Counter::EndedAlone), row.counted(Counter::EndedInRun)), (1, 1));
        assert_eq!((row.counted(Counter::Failed), row.measured(Scale::Runs).sum::<u64>()), (1, 1));
    }

    #[test]
    fn what_is_timed_counts_for_those_that_are_not_and_once() {
        let (words, takes) = (blank(), Takes::new(1));
        let row = Row::new(&words);
        takes.in_run(0);
        takes.time(0, 1000, 1100, 8);
        takes.end(0).count(row, Counter::EndedAlone, || 1150);
        takes.end(0).count(row, Counter::EndedAlone, || unreachable!());
        let at = |scale: Scale, value: usize| row.measured(scale).nth(value).unwrap();
        assert_eq!((at(Scale::Waiting, 100), at(Scale::Served, 50)), (8, 8));
        assert_eq!(row.counted(Counter::EndedInRun), 1);
        // A clock that a peer set wrongly gives no negative time.
        takes.time(0, u64::MAX, 7, 1);
        takes.end(0).count(row, Counter::EndedAlone, || 3);
        assert_eq!((at(Scale::Waiting, 0), at(Scale::Served, 0)), (1, 1));
    }
}
