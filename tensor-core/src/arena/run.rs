//! Holds on the receiver's side of neighbouring slots: a batch.

use std::mem::ManuallyDrop;
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::claim::{Claim, Side};
use super::control::RECEIVER_DIED;
use super::gather::{Gather, gather_others};
use super::grow::{RunOrder, Seen, take_run};
use super::{Arena, ops};
use crate::error::Error;
use crate::memory::monotonic_ns;
use crate::sync::Ordering;
use crate::wait::Look;

/// Claims on neighbouring slots, in the order of the slots, or on slots that are apart; at least one. Dropping it lets go of all of them that are still
/// held, on any thread; in a forked child it does nothing.
pub(crate) struct ClaimRun {
    /// Each has the address in `arena` without a count of its own: two steps less for each record. So none is dropped, and none leaves the run.
    claims: Vec<ManuallyDrop<Claim>>,
    arena: Arc<Arena>,
    is_apart: bool,
}

impl ClaimRun {
    fn new(arena: &Arc<Arena>, taken: &[Seen], is_apart: bool) -> ClaimRun {
        let claim = |seen: &Seen| {
            // SAFETY: the copy is never dropped, as its claim is not, and is in reach only through a borrow of the run, which holds a
            // count of the same arena for as long as it lives.
            let arena = unsafe { std::ptr::read(arena) };
            ManuallyDrop::new(Claim::new(arena, seen.slot, seen.word.generation(), Side::Receiver))
        };
        ClaimRun { claims: taken.iter().map(claim).collect(), arena: Arc::clone(arena), is_apart }
    }

    /// Whether the records have to be copied to be side by side.
    pub(crate) fn is_apart(&self) -> bool {
        self.is_apart
    }
}

impl Deref for ClaimRun {
    type Target = [Claim];

    fn deref(&self) -> &[Claim] {
        let claims: *const [ManuallyDrop<Claim>] = self.claims.as_slice();
        // SAFETY: `ManuallyDrop<Claim>` has the layout of `Claim`, and the slice lives as long as the borrow.
        unsafe { &*(claims as *const [Claim]) }
    }
}

impl Drop for ClaimRun {
    fn drop(&mut self) {
        let arena = &self.arena;
        // Neighbours that became free, announced together.
        let mut freed: Range<usize> = 0..0;
        for claim in self.claims.iter().filter(|claim| claim.is_held()) {
            claim.settle();
            let slot = claim.slot();
            if !arena.release_unannounced(slot, Side::Receiver) {
                continue;
            }
            if freed.end != slot && !freed.is_empty() {
                ops::announce_free(arena.control(), freed.clone());
            }
            freed =
                if freed.end == slot && !freed.is_empty() { freed.start..slot + 1 } else { slot..slot + 1 };
        }
        if !freed.is_empty() {
            ops::announce_free(arena.control(), freed);
        }
    }
}

impl Arena {
    /// The READY record that was sent first and up to `max - 1` that are READY around it, or `None`.
    ///
    /// In a one-way channel the rows keep the order of each sender. A request that a worker died with is taken alone, and one
    /// whose caller's deadline has passed is not handed out.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn try_take_run(self: &Arc<Self>, max: usize, look: Look) -> Result<Option<ClaimRun>, Error> {
        self.try_take_batch(max, Gather::Never, look)
    }

    /// As [`Arena::try_take_run`], of a service: if `gather` says so, with requests that lie elsewhere.
    ///
    /// # Errors
    /// As [`Arena::try_take_run`].
    pub(crate) fn try_take_batch(
        self: &Arc<Self>,
        max: usize,
        gather: Gather,
        look: Look,
    ) -> Result<Option<ClaimRun>, Error> {
        self.check_process()?;
        let order = if self.reply.is_some() { RunOrder::Free } else { RunOrder::OfEachSender };
        let now = monotonic_ns();
        let is_alone = |slot: usize| self.is_alone(slot, now);
        // More that nobody waits for than there are slots come only from a peer that makes them up.
        for _ in 0..self.slots() {
            let Some(mut taken) = take_run(&self.control, self.me, max, order, look, is_alone) else {
                return Ok(None);
            };
            let is_apart = gather_others(&self.control, self.me, &mut taken, max, gather, is_alone);
            let alone = taken.len() == 1;
            let mut garbled = Ok(());
            taken.retain(|seen| {
                let noted = self.note_claim(seen.slot, seen.word, Side::Receiver, now);
                noted.map_err(|error| garbled = Err(error)).is_ok()
            });
            let claims = ClaimRun::new(self, &taken, is_apart);
            if garbled.is_err() {
                // A peer garbled one word; what others sent is there for the next look.
                claims.iter().for_each(Claim::put_back);
            }
            garbled?;
            if alone && claims[0].is_expired(now) {
                claims[0].expire()?;
                continue;
            }
            if alone {
                self.note_taken(claims[0].slot());
            } else {
                self.note_run(claims.iter().map(Claim::slot));
            }
            return Ok(Some(claims));
        }
        Ok(None)
    }

    /// Whether a request is never in a run with others: one that a worker died with, or that nobody waits for any more.
    pub(super) fn is_alone(&self, slot: usize, now: u64) -> bool {
        let block = self.control.block(slot);
        let deadline = block.deadline.load(Ordering::Relaxed);
        self.reply.is_some() && (block.has(RECEIVER_DIED) || deadline != 0 && deadline <= now)
    }
}

#[cfg(all(test, connects))]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::RING_ORDER;
    use super::super::shared::Shared;
    use super::super::testing::{RECEIVER, SENDER, three};
    use super::super::ticket::Ticket;
    use super::super::word::{ParticipantId, Phase, Word};
    use super::*;

    const SLOTS: usize = 20;
    const SENDERS: [ParticipantId; 3] = [SENDER, 7, 8];

    /// Sends the record of a free slot on behalf of a participant.
    fn send(arena: &Arena, sender: ParticipantId, slot: usize) {
        ops::loan_slot(arena.control(), sender, slot).unwrap();
        ops::publish(arena.control(), sender, slot, false).unwrap();
    }

    fn slots(run: &ClaimRun) -> Vec<usize> {
        run.iter().map(Claim::slot).collect()
    }

    fn phase(arena: &Arena, slot: usize) -> Option<Phase> {
        Word(arena.control().word(slot).load(Ordering::Acquire)).phase()
    }

    #[test]
    fn what_lies_beside_a_garbled_word_is_not_lost() {
        let [host, _, receiver] = three(false, RING_ORDER);
        (4..7).for_each(|slot| send(&host, SENDER, slot));
        let held = receiver.try_take(Look::Words).unwrap().unwrap();
        assert_eq!(held.slot(), 4);
        send(&host, SENDER, 3);
        // Says of a record in hand that it is ready.
        let taken = host.control().word(4).load(Ordering::Acquire);
        let ready = ops::step(host.control(), 4, |word| word.redeliver(RECEIVER)).unwrap();
        assert!(ready.is(Phase::Ready));
        let error = receiver.try_take_run(8, Look::Words).map(drop).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        host.control().word(4).store(taken, Ordering::Release);
        drop(held);
        let received = || receiver.try_take_run(8, Look::Words).unwrap().map(|run| slots(&run));
        assert_eq!([received(), received(), received()], [Some(vec![5, 6]), Some(vec![3]), None]);
        assert_eq!(host.free_slots(), SLOTS);
    }

    #[test]
    fn a_run_grows_both_ways_around_the_first_sent_and_never_wraps() {
        let [host, _, receiver] = three(false, 0);
        // Of three senders, so that any order of the rows will do.
        for (sender, slot) in [(7, 5), (8, 4), (SENDER, 6), (8, 7), (7, 19), (8, 0)] {
            send(&host, sender, slot);
        }
        let run = receiver.try_take_run(SLOTS, Look::Words).unwrap().unwrap();
        assert_eq!(slots(&run), [4, 5, 6, 7]);
        let rest = receiver.try_take_run(SLOTS, Look::Words).unwrap().unwrap();
        assert_eq!(slots(&rest), [19]);
        drop((run, rest));
        assert_eq!(slots(&receiver.try_take_run(SLOTS, Look::Words).unwrap().unwrap()), [0]);
        assert_eq!(host.free_slots(), SLOTS);
    }

    #[test]
    fn a_run_has_no_more_than_was_asked_for() {
        let [host, _, receiver] = three(false, 0);
        (0..SLOTS).for_each(|slot| send(&host, SENDER, slot));
        let lengths =
            [1, 3, 16, 64].map(|max| receiver.try_take_run(max, Look::Words).unwrap().map(|run| run.len()));
        assert_eq!(lengths, [Some(1), Some(3), Some(16), None]);
        assert_eq!(host.free_slots(), SLOTS);
    }

    #[test]
    fn a_channels_run_ends_where_the_rows_would_be_in_another_order_than_sent() {
        let [host, _, receiver] = three(false, 0);
        // Slot 6 before slot 5, by the same sender; slot 4 by another one.
        for (sender, slot) in [(SENDER, 6), (SENDER, 5), (7, 4), (SENDER, 7)] {
            send(&host, sender, slot);
        }
        let take = || slots(&receiver.try_take_run(SLOTS, Look::Words).unwrap().unwrap());
        assert_eq!([take(), take(), take()], [vec![6], vec![4, 5], vec![7]]);
    }

    #[test]
    fn a_services_run_is_everything_ready_around_whatever_the_order() {
        let [host, _, worker] = three(true, 0);
        for slot in [6, 5, 4, 7] {
            send(&host, SENDER, slot);
        }
        assert_eq!(slots(&worker.try_take_run(SLOTS, Look::Words).unwrap().unwrap()), [4, 5, 6, 7]);
    }

    #[test]
    fn a_request_that_a_worker_died_with_is_taken_alone() {
        let [host, _, worker] = three(true, 0);
        (4..8).for_each(|slot| send(&host, SENDER, slot));
        host.control().block(6).note_only(RECEIVER_DIED);
        let take = || slots(&worker.try_take_run(SLOTS, Look::Words).unwrap().unwrap());
        assert_eq!([take(), take(), take()], [vec![4, 5], vec![6], vec![7]]);
    }

    #[test]
    fn a_run_in_the_hand_of_the_dead_comes_back_whole() {
        let [host, _, receiver] = three(false, 0);
        (0..SLOTS).for_each(|slot| send(&host, SENDER, slot));
        let run = receiver.try_take_run(16, Look::Words).unwrap().unwrap();
        std::mem::forget(run);
        host.recover(RECEIVER);
        assert!((0..SLOTS).all(|slot| phase(&host, slot) == Some(Phase::Ready)));
        let again = host.clone().try_take_run(SLOTS, Look::Hints).unwrap().unwrap();
        assert!(slots(&again).into_iter().eq(0..SLOTS));
    }

    #[test]
    fn the_slots_of_a_run_that_is_let_go_are_hinted_at_those_between_which_one_is_kept_too() {
        let [host, _, receiver] = three(false, 0);
        (0..6).for_each(|slot| send(&host, SENDER, slot));
        // The sender has an alias of the third.
        ops::step(host.control(), 2, |word| Some(Word(word.0 | u64::from(SENDER) << 5))).unwrap();
        let run = receiver.try_take_run(SLOTS, Look::Words).unwrap().unwrap();
        host.control().free_hints().clear_run(0..SLOTS);
        drop(run);
        assert_eq!(phase(&host, 2), Some(Phase::Done));
        assert!(host.control().free_hints().iter_from(0).eq([0, 1, 3, 4, 5]));
        ops::let_go(host.control(), 2, |word| word.release_sender(SENDER, false)).unwrap();
    }

    #[derive(Clone, Debug)]
    enum Step {
        Send { sender: usize, slot: usize },
        Take { max: usize },
        Drop { run: usize },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let send = (0..SENDERS.len(), 0..SLOTS).prop_map(|(sender, slot)| Step::Send { sender, slot });
        let take = (1..=SLOTS + 3).prop_map(|max| Step::Take { max });
        let drop = (0..8usize).prop_map(|run| Step::Drop { run });
        proptest::collection::vec(prop_oneof![8 => send, 2 => take, 1 => drop], 1..120)
    }

    proptest! {
        /// Whatever is sent by whom into which slots: a run is of neighbours, has what was sent first, keeps the order of each
        /// sender, leaves nothing of theirs behind, and ends only where it has to.
        #[test]
        fn every_run_is_one_that_was_promised(steps in steps(), service: bool) {
            let [host, _, receiver] = three(service, 0);
            let ticket = |slot: usize| Ticket(host.control().ticket(slot).load(Ordering::Relaxed));
            let mut held: Vec<ClaimRun> = Vec::new();
            let mut ready: BTreeSet<usize> = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Send { sender, slot } => {
                        if phase(&host, slot) == Some(Phase::Free) {
                            send(&host, SENDERS[sender], slot);
                            ready.insert(slot);
                        }
                    }
                    Step::Drop { run } => drop((run < held.len()).then(|| held.remove(run))),
                    Step::Take { max } => {
                        let Some(run) = receiver.try_take_run(max, Look::Hints).unwrap() else {
                            prop_assert!(ready.is_empty());
                            continue;
                        };
                        let rows = slots(&run);
                        prop_assert!(rows.len() <= max && rows.iter().all(|row| ready.contains(row)));
                        prop_assert!(rows.windows(2).all(|pair| pair[1] == pair[0] + 1));
                        let first = ready.iter().copied().min_by_key(|slot| ticket(*slot).0).unwrap();
                        prop_assert!(rows.contains(&first));
                        rows.iter().for_each(|row| { ready.remove(row); });
                        let left = |row: usize| ready.iter().any(|slot| {
                            ticket(*slot).sender() == ticket(row).sender() && ticket(*slot).0 < ticket(row).0
                        });
                        let (low, high) = (rows[0], rows[rows.len() - 1]);
                        if service {
                            let free = |slot: usize| ready.contains(&slot);
                            prop_assert!(rows.len() == max || !free(high + 1) && (low == 0 || !free(low - 1)));
                        } else {
                            prop_assert!(!rows.iter().any(|row| left(*row)));
                            for (at, row) in rows.iter().enumerate() {
                                let later = |other: &usize| ticket(*other).sender() == ticket(*row).sender()
                                    && ticket(*other).0 < ticket(*row).0;
                                prop_assert!(!rows[at..].iter().any(later));
                            }
                            if rows.len() < max && ready.contains(&(high + 1)) {
                                prop_assert!(left(high + 1));
                            }
                        }
                        held.push(run);
                    }
                }
            }
            drop(held);
            prop_assert_eq!(host.free_slots(), SLOTS - ready.len());
        }
    }
}
