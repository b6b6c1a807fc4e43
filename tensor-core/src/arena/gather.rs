//! Requests that do not lie side by side, taken together all the same: they are copied into a run.

use super::grow::{Beside, RunOrder, Seen, for_each_ready};
use super::shared::Shared;
use super::word::ParticipantId;
use crate::sync::{Bug, planted};

/// What a server does about requests that are ready and do not lie beside each other: filling takes time, so slots that are
/// still being filled leave holes between those that are ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(loom, expect(unreachable_pub, reason = "a model names it only inside"))]
pub enum Gather {
    /// Where holes leave a run below half of what is ready, copies everything into memory of the server's own, and the replies
    /// back; else copies nothing.
    #[default]
    Auto,
    /// Never copies: a run ends where the next slot is not ready.
    Never,
    /// Always copies, so that the records of every run are in the server's own memory.
    Always,
}

impl Gather {
    /// Whether a run of `run` records is copied together with others, of `ready` that it could have.
    pub(super) fn is_worth_it(self, run: usize, ready: usize) -> bool {
        match self {
            Gather::Auto => 2 * run < ready,
            Gather::Never => false,
            Gather::Always => true,
        }
    }
}

/// READY -> TAKEN for requests anywhere, those sent first before others, until `run` has `max`: if `gather` finds that worth
/// copying. Whether it is to be copied.
pub(super) fn gather_others(
    shared: &impl Shared,
    me: ParticipantId,
    run: &mut Vec<Seen>,
    max: usize,
    gather: Gather,
    is_alone: impl Fn(usize) -> bool,
) -> bool {
    if gather == Gather::Never || is_alone(run[0].slot) || run.len() == max {
        return gather == Gather::Always;
    }
    let mut others: Vec<Seen> = Vec::new();
    for_each_ready(shared, shared.ready_hints(), |seen| {
        if !is_alone(seen.slot) {
            others.push(seen);
        }
    });
    if !gather.is_worth_it(run.len(), max.min(run.len() + others.len())) {
        return false;
    }
    others.sort_unstable_by_key(|seen| seen.ticket.0);
    let found = run.len();
    let mut beside = Beside { shared, me, first: run[0].slot, order: RunOrder::Free, noted: found > 1 };
    for seen in others {
        if run.len() == max {
            break;
        }
        // One that another server was faster to take is that one's.
        let is_mine = beside.take(&seen);
        if is_mine || planted(Bug::GathersAnothers) {
            shared.ready_hints().clear(seen.slot);
            run.push(seen);
        }
    }
    beside.end(run.len());
    gather == Gather::Always || run.len() > found
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::control::RECEIVER_DIED;
    use super::super::testing::{SENDER, three};
    use super::super::{Arena, ClaimRun, ops};
    use super::*;
    use crate::wait::Look;

    fn send(arena: &Arena, slots: &[usize]) {
        for slot in slots {
            ops::loan_slot(arena.control(), SENDER, *slot).unwrap();
            ops::publish(arena.control(), SENDER, *slot, false).unwrap();
        }
    }

    fn slots(run: &ClaimRun) -> Vec<usize> {
        run.iter().map(|claim| claim.slot()).collect()
    }

    #[test]
    fn requests_apart_are_gathered_when_the_run_is_below_half_of_what_is_ready() {
        let [host, _, worker] = three(true, 0);
        let take = |max, gather| worker.try_take_batch(max, gather, Look::Words).unwrap().unwrap();
        // Two side by side of four: half.
        send(&host, &[4, 5, 9, 11]);
        let run = take(8, Gather::Auto);
        assert_eq!((slots(&run), run.is_apart()), (vec![4, 5], false));
        // One of five, and then one of as many as may be.
        send(&host, &[7, 15, 13]);
        let run = take(8, Gather::Auto);
        assert_eq!((slots(&run), run.is_apart()), (vec![9, 11, 7, 15, 13], true));
        drop(run);
        send(&host, &[1, 9, 3]);
        let run = take(2, Gather::Auto);
        assert_eq!((slots(&run), run.is_apart()), (vec![1], false));
        let run = take(2, Gather::Always);
        assert_eq!((slots(&run), run.is_apart()), (vec![9, 3], true));
        send(&host, &[0, 18, 16]);
        assert_eq!(slots(&take(8, Gather::Never)), [0]);
        drop(run);
        assert_eq!(slots(&take(8, Gather::Always)), [18, 16]);
        send(&host, &[0]);
        assert!(take(8, Gather::Always).is_apart());
        drop(worker.try_take_batch(8, Gather::Auto, Look::Words).unwrap());
    }

    #[test]
    fn a_request_that_a_worker_died_with_is_not_gathered() {
        let [host, _, worker] = three(true, 0);
        send(&host, &[2, 4, 6, 8]);
        for slot in [2, 6] {
            host.control().block(slot).note_only(RECEIVER_DIED);
        }
        let take = || slots(&worker.try_take_batch(8, Gather::Always, Look::Words).unwrap().unwrap());
        assert_eq!([take(), take(), take()], [vec![2], vec![4, 8], vec![6]]);
    }

    #[test]
    fn gathered_requests_in_the_hand_of_the_dead_come_back() {
        let [host, _, worker] = three(true, 0);
        send(&host, &[2, 4, 6]);
        std::mem::forget(worker.try_take_batch(8, Gather::Auto, Look::Words).unwrap());
        host.recover(super::super::testing::RECEIVER);
        assert_eq!(host.count_ready(Look::Words, 20), 3);
    }
}
