//! What becomes of the slots of a participant that died.

use super::Arena;
use super::control::RECEIVER_DIED;
use super::settle::settle;
use super::shared::Shared;
use super::word::{ParticipantId, Word};
use crate::sync::Ordering;
use crate::tally::Counter;

/// The state of a row whose participant is dead and whose slots are being settled.
const SETTLING: u32 = 3;

impl Arena {
    /// Settles every slot that `dead` holds and gives its number back. Only the host's thread calls this, only for a
    /// process whose pidfd has fired, and doing it twice changes nothing.
    ///
    /// What the row says of the dead is not asked: a peer may have written that it left in good order.
    pub(crate) fn recover(&self, dead: ParticipantId) {
        let Some(row) = self.control().participant(dead) else { return };
        let pid = row.pid.load(Ordering::Relaxed);
        if row.state.swap(SETTLING, Ordering::AcqRel) != 0 {
            self.recoveries.deaths.fetch_add(1, Ordering::Relaxed);
            self.tally().count(Counter::Deaths, 1);
            tracing::info!(target: "tensorbridge", arena = self.name(), pid, "a participant ended while attached");
        }
        let settled = settle(self.control(), dead, |slot| self.is_repeated(slot));
        self.show_again();
        self.recoveries.redelivered.fetch_add(settled.redelivered, Ordering::Relaxed);
        self.recoveries.given_up.fetch_add(settled.given_up, Ordering::Relaxed);
        self.tally().count(Counter::Redelivered, settled.redelivered);
        self.tally().count(Counter::GivenUp, settled.given_up);
        let (redelivered, given_up) = (settled.redelivered, settled.given_up);
        if redelivered + given_up > 0 {
            let arena = self.name();
            tracing::warn!(target: "tensorbridge", arena, pid, redelivered, given_up, "what a dead receiver had taken is settled");
        }
        self.retire(dead);
    }

    /// Whether a request that died with its worker is handed to another one. Only a caller can be told that nobody answers;
    /// what is sent one way goes to the next receiver.
    fn is_repeated(&self, slot: usize) -> bool {
        let block = self.control().block(slot);
        let alone = !Word(self.control().word(slot).load(Ordering::Acquire)).in_run();
        let attempts = block.attempts.load(Ordering::Relaxed).saturating_add(u32::from(alone));
        // Before it is READY: whoever takes it next sees it.
        block.attempts.store(attempts, Ordering::Relaxed);
        block.note_only(RECEIVER_DIED);
        self.clear_reply(slot);
        self.reply().is_none() || attempts < self.max_attempts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::mapped::Status;
    use super::super::ops;
    use super::super::recoveries::Recoveries;
    use super::super::testing::{RECEIVER, SENDER, three, three_with};
    use super::*;
    use crate::wait::Look;

    #[test]
    fn the_slots_of_the_dead_come_back_although_a_peer_wrote_that_it_had_left() {
        let [host, sender, _] = three(false, 0);
        std::mem::forget(sender.try_loan(Look::Words).unwrap().unwrap());
        host.retire(SENDER);
        host.recover(SENDER);
        assert_eq!(host.free_slots(), 20);
    }

    #[test]
    fn an_answer_survives_a_worker_that_dies_with_an_alias_of_it() {
        let [host, client, worker] = three(true, 0);
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        call.publish(1, |_| None, true, 0, None).unwrap();
        let taken = worker.try_take(Look::Words).unwrap().unwrap();
        taken.answer(1, |_| None, true, 1).unwrap();
        std::mem::forget(taken);
        host.recover(RECEIVER);
        assert_eq!(call.outcome().unwrap(), Some(Status::Answered));
        drop(call);
        assert_eq!(host.free_slots(), 20);
    }

    /// A call of which every worker dies, each having taken it alone.
    fn call_until_nobody_is_left(max_attempts: u32) -> (u32, Arc<Arena>) {
        let [host, client, worker] = three_with(true, 0, max_attempts);
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        call.publish(1, |_| None, true, 0, None).unwrap();
        let ticket = client.control().ticket(call.slot()).load(Ordering::Relaxed);
        let mut taken = 0;
        while call.outcome().unwrap().is_none() {
            // The process goes on, so its own table has to forget what died with it.
            std::mem::forget(worker.try_take(Look::Words).unwrap().unwrap());
            worker.forget_claim(call.slot());
            taken += 1;
            host.enter(RECEIVER, std::process::id(), 2);
            host.recover(RECEIVER);
            assert_eq!(client.control().ticket(call.slot()).load(Ordering::Relaxed), ticket);
        }
        assert_eq!(call.outcome().unwrap(), Some(Status::WorkerDied));
        assert_eq!(call.attempts(), (taken, false));
        drop(call);
        assert_eq!(host.free_slots(), 20);
        (taken, host)
    }

    #[test]
    fn a_request_that_kills_its_workers_is_handed_out_so_often_and_no_more() {
        for most in [1, 3, 5] {
            let (taken, host) = call_until_nobody_is_left(most);
            assert_eq!(taken, most);
            let expected = Recoveries { deaths: most.into(), redelivered: u64::from(most) - 1, given_up: 1 };
            assert_eq!(host.recoveries(), expected);
        }
    }

    #[test]
    fn a_one_way_record_goes_to_the_next_receiver_however_many_died_with_it() {
        let [host, sender, receiver] = three_with(false, 0, 1);
        let record = sender.try_loan(Look::Words).unwrap().unwrap();
        record.publish(1, |_| None, false, 0, None).unwrap();
        for _ in 0..5 {
            let taken = receiver.try_take(Look::Words).unwrap().unwrap();
            receiver.forget_claim(taken.slot());
            std::mem::forget(taken);
            host.enter(RECEIVER, std::process::id(), 2);
            host.recover(RECEIVER);
        }
        drop(receiver.try_take(Look::Words).unwrap().unwrap());
        assert_eq!(host.free_slots(), 20);
    }

    #[test]
    fn a_request_whose_deadline_has_passed_is_answered_by_nobody() {
        let [host, client, worker] = three(true, 0);
        let late = client.try_loan(Look::Words).unwrap().unwrap();
        late.publish(1, |_| None, true, 0, Some(Duration::ZERO)).unwrap();
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        call.publish(1, |_| None, true, 0, Some(Duration::from_secs(3600))).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let taken = worker.try_take(Look::Words).unwrap().unwrap();
        assert_eq!(taken.slot(), call.slot());
        assert_eq!(late.outcome().unwrap(), Some(Status::Expired));
        assert!(worker.try_take(Look::Words).unwrap().is_none());
        drop((late, call, taken));
        assert_eq!(host.free_slots(), 20);
    }

    #[test]
    fn what_the_dead_had_no_time_to_hint_at_is_hinted_at() {
        let [host, sender, receiver] = three(false, 0);
        let (slot, _) = ops::loan(sender.control(), SENDER, 7, Look::Words).unwrap();
        // Killed between the transition and the hint.
        ops::step(sender.control(), slot, |word| word.send(SENDER, false)).unwrap();
        assert!(receiver.try_take(Look::Hints).unwrap().is_none());
        host.recover(SENDER);
        let taken = receiver.try_take(Look::Hints).unwrap().unwrap();
        assert_eq!(taken.slot(), slot);
        // The same with a slot that became free.
        ops::step(receiver.control(), slot, |word| word.release_receiver(RECEIVER)).unwrap();
        std::mem::forget(taken);
        host.recover(RECEIVER);
        let free = host.control().free_hints().iter_from(0).count();
        assert_eq!(free, 20);
    }
}
