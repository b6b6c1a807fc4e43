//! What a run would be if it was taken now, and whether waiting can make it longer.

use std::time::Duration;

use super::header::RING_ORDER;
use super::shared::Shared;
use super::word::{Phase, Word};
use super::{Arena, Gather};
use crate::error::Error;
use crate::memory::{monotonic_ns, precise_monotonic_ns};
use crate::sync::Ordering;
use crate::wait::Look;

/// A run of requests that nobody has taken yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextRun {
    /// Where its first request is.
    pub(crate) slot: usize,
    /// How long ago its first request was sent; 0 when that is not known.
    pub(crate) age: Duration,
    /// Whether it is as long as it may be, or nothing can join it. Loans go round the ring, so what may come is being filled on
    /// either side, or comes into the slot above, once its last caller has read the answer. One that is with another worker
    /// is not waited for.
    pub(crate) is_complete: bool,
}

impl Arena {
    /// What [`Arena::try_take_batch`] would take; `None` when nothing is ready.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn next_run(&self, max: usize, gather: Gather, look: Look) -> Result<Option<NextRun>, Error> {
        self.check_process()?;
        let Some(slot) = super::ops::peek_lowest(&self.control, look) else { return Ok(None) };
        let phase = |slot: usize| Word(self.control.word(slot).load(Ordering::Acquire)).phase();
        let now = monotonic_ns();
        let joins = |slot: &usize| phase(*slot) == Some(Phase::Ready) && !self.is_alone(*slot, now);
        let is_complete = self.is_alone(slot, now) || {
            let above = (slot + 1..self.slots()).take(max - 1).take_while(joins).count();
            let below = (0..slot).rev().take(max - 1 - above).take_while(joins).count();
            let (low, high) = (slot - below, slot + above + 1);
            // One at an end may have been sent since the end was found there.
            let may_follow = high < self.slots()
                && (matches!(phase(high), Some(Phase::Free | Phase::Loaned | Phase::Done)) || joins(&high));
            let may_precede = low > 0 && (phase(low - 1) == Some(Phase::Loaned) || joins(&(low - 1)));
            let may_join = match gather {
                Gather::Auto | Gather::Never => may_follow || may_precede,
                Gather::Always => {
                    let may_come =
                        |slot| matches!(phase(slot), Some(Phase::Free | Phase::Loaned | Phase::Done));
                    (0..self.slots()).any(may_come)
                }
            };
            // Where enough is ready to be gathered, waiting for the holes to close makes the batch no longer.
            let is_enough = || {
                let ready = (0..self.slots()).filter(joins).take(max).count();
                ready == max && gather.is_worth_it(high - low, max)
            };
            high - low == max || !may_join || gather != Gather::Never && is_enough()
        };
        let sent = self.control.block(slot).sent.load(Ordering::Relaxed);
        let age = match self.header.flags & RING_ORDER {
            0 => Duration::ZERO,
            _ => Duration::from_nanos(precise_monotonic_ns().saturating_sub(sent)),
        };
        Ok(Some(NextRun { slot, age, is_complete }))
    }
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::RING_ORDER;
    use super::super::testing::{SENDER, three};
    use super::super::{Claim, ops};
    use super::*;

    #[test]
    fn a_run_is_complete_when_it_is_long_enough_or_nothing_can_join_it() {
        let [_host, client, worker] = three(true, RING_ORDER);
        let is_complete =
            |max| worker.next_run(max, Gather::Never, Look::Words).unwrap().map(|run| run.is_complete);
        assert_eq!(is_complete(4), None);
        let loans: Vec<Claim> = (0..20).map(|_| client.try_loan(Look::Words).unwrap().unwrap()).collect();
        let send = |slot: usize| loans[slot].publish(1, |_| None, true, 0, None).unwrap();
        send(5);
        assert_eq!([is_complete(1), is_complete(2)], [Some(true), Some(false)]);
        send(6);
        send(4);
        assert_eq!([is_complete(3), is_complete(4)], [Some(true), Some(false)]);
        // Its neighbours are with a worker.
        for slot in [3, 7] {
            send(slot);
            ops::step(worker.control(), slot, |word| word.take(SENDER)).unwrap();
        }
        assert_eq!(is_complete(4), Some(true));
    }

    #[test]
    fn what_was_put_back_is_ready_as_if_it_had_never_been_taken() {
        let [_host, client, worker] = three(true, RING_ORDER);
        let loans: Vec<Claim> = (0..3).map(|_| client.try_loan(Look::Words).unwrap().unwrap()).collect();
        loans.iter().for_each(|claim| claim.publish(1, |_| None, true, 0, None).unwrap());
        let run = worker.try_take_run(3, Look::Words).unwrap().unwrap();
        // Nobody waits for the last one any more.
        loans[2].leave();
        run.iter().for_each(Claim::put_back);
        drop(run);
        let again = worker.try_take_run(3, Look::Hints).unwrap().unwrap();
        assert_eq!(again.iter().map(Claim::slot).collect::<Vec<_>>(), [0, 1]);
        assert!(again.iter().all(|claim| claim.attempts() == (0, false)));
    }
}
