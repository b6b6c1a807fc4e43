//! What one participant saw ready, in the order sent: so that taking one record after the other does not look at all of them each time.
//!
//! Two looks fill it. Whoever saw a record READY sees everything that its sender sent before it, so what is sent before a record of the
//! first look is in one of the two. Taken are records of the first look, from the lowest ticket on, until one comes next that only the
//! second look saw: before that one there may be others. This holds however much later they are taken, because a record that is READY
//! with the same word is the same record, and everything else sent meanwhile was sent later.

use super::ops::{for_each_ready, swap};
use super::shared::Shared;
use super::word::{ParticipantId, Word};
use crate::sync::{Bug, planted};
use crate::wait::Look;

/// A slot that was seen READY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// First, for it decides the order.
    ticket: u64,
    slot: usize,
    word: Word,
}

/// Records to take one after the other, without a look at the others.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The next is the last.
    next: Vec<Seen>,
    /// Of the second look; kept for its memory.
    again: Vec<Seen>,
}

impl Queue {
    /// READY -> TAKEN for the record that was sent first, of those that were not yet queued when it was; hint and bell are left to the
    /// caller. `None` also when the words do not stay still.
    pub(super) fn take(
        &mut self,
        shared: &impl Shared,
        me: ParticipantId,
        look: Look,
        mut retries: usize,
    ) -> Option<(usize, Word)> {
        loop {
            if self.next.is_empty() {
                retries = self.fill(shared, look, retries)?;
            }
            if let Some(taken) = self.take_seen(shared, me) {
                return Some(taken);
            }
        }
    }

    /// As [`Queue::take`], of what was seen before; without a look at the others.
    #[inline]
    pub(super) fn take_seen(&mut self, shared: &impl Shared, me: ParticipantId) -> Option<(usize, Word)> {
        let seen = self.next.pop()?;
        if let Some(taken) = seen.word.take(me)
            && swap(shared, seen.slot, seen.word, taken).is_ok()
        {
            return Some((seen.slot, taken));
        }
        // Another took it, or its sender let go of an alias: then it is READY still, and comes before what follows.
        self.next.clear();
        None
    }

    /// The slot that is taken when `before` others have been.
    #[inline]
    pub(super) fn ahead(&self, before: usize) -> Option<usize> {
        let at = self.next.len().checked_sub(before + 1)?;
        Some(self.next[at].slot)
    }

    /// Looks until there is something to take; gives what is left of `retries`.
    fn fill(&mut self, shared: &impl Shared, look: Look, mut retries: usize) -> Option<usize> {
        let Queue { next, again } = self;
        see(shared, look, next);
        loop {
            retries = retries.checked_sub(1)?;
            if next.is_empty() {
                return None;
            }
            if planted(Bug::LooksOnce) {
                next.sort_unstable_by_key(|seen| std::cmp::Reverse(seen.ticket));
                return Some(retries);
            }
            see(shared, look, again);
            next.sort_unstable_by_key(|seen| seen.ticket);
            again.sort_unstable_by_key(|seen| seen.ticket);
            let both = next.iter().zip(again.iter()).take_while(|(first, second)| first == second).count();
            if both > 0 {
                next.truncate(both);
                next.reverse();
                return Some(retries);
            }
            std::mem::swap(next, again);
        }
    }
}

fn see(shared: &impl Shared, look: Look, into: &mut Vec<Seen>) {
    into.clear();
    for_each_ready(shared, look, |slot, word, ticket| into.push(Seen { ticket, slot, word }));
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::ops;
    use super::super::testing::{RECEIVER, SENDER, three};
    use super::super::word::Phase;
    use super::*;
    use crate::sync::Ordering;

    const OTHER: ParticipantId = 7;

    fn take(shared: &impl Shared, queue: &mut Queue) -> Option<usize> {
        ops::take_queued(shared, RECEIVER, Look::Hints, queue).map(|(slot, _)| slot)
    }

    #[test]
    fn records_come_in_the_order_sent_whoever_takes_some_of_them_meanwhile() {
        let [host, ..] = three(false, 0);
        let control = host.control();
        let send = |slot: usize| {
            ops::loan_slot(control, SENDER, slot).unwrap();
            ops::publish(control, SENDER, slot, false).unwrap();
        };
        [9, 4, 17, 2, 6].into_iter().for_each(send);
        let mut queue = Queue::default();
        assert_eq!(take(control, &mut queue), Some(9));
        // Another takes the next two, and one of their slots is used again.
        assert_eq!(ops::take(control, OTHER, Look::Words).map(|(slot, _)| slot), Some(4));
        assert_eq!(ops::take(control, OTHER, Look::Words).map(|(slot, _)| slot), Some(17));
        ops::let_go(control, 4, |word| word.release_receiver(OTHER)).unwrap();
        send(4);
        assert_eq!(std::iter::from_fn(|| take(control, &mut queue)).collect::<Vec<_>>(), [2, 6, 4]);
    }

    #[test]
    fn a_record_whose_word_changes_while_it_is_ready_is_still_taken_before_later_ones() {
        let [host, ..] = three(false, 0);
        let control = host.control();
        for slot in [3, 1, 5] {
            ops::loan_slot(control, SENDER, slot).unwrap();
            ops::publish(control, SENDER, slot, true).unwrap();
        }
        let mut queue = Queue::default();
        assert_eq!(take(control, &mut queue), Some(3));
        // The sender's last alias of the next one ends.
        let word = ops::step(control, 1, |word| word.release_sender(SENDER, false)).unwrap();
        assert!(word.is(Phase::Ready));
        assert_eq!([take(control, &mut queue), take(control, &mut queue)], [Some(1), Some(5)]);
    }

    #[test]
    fn a_word_that_a_peer_garbles_is_not_taken() {
        let [host, ..] = three(false, 0);
        let control = host.control();
        for slot in [3, 1] {
            ops::loan_slot(control, SENDER, slot).unwrap();
            ops::publish(control, SENDER, slot, false).unwrap();
        }
        let mut queue = Queue::default();
        assert_eq!(take(control, &mut queue), Some(3));
        control.word(1).store(u64::MAX, Ordering::Release);
        assert_eq!(take(control, &mut queue), None);
    }
}
