//! What becomes of the slots of a participant that died.

use super::Arena;
use super::mapped::Status;
use super::ops;
use super::recoveries::Recoveries;
use super::shared::Shared;
use super::word::{ParticipantId, Phase, Word};
use crate::sync::Ordering;

impl Arena {
    /// Settles every slot that `dead` holds and gives its number back. Only the host's thread calls this, only for a
    /// process whose pidfd has fired, and doing it twice changes nothing.
    pub(crate) fn recover(&self, dead: ParticipantId) {
        let Some(row) = self.control().participant(dead) else { return };
        if row.state.swap(3, Ordering::AcqRel) == 0 {
            // It had left in good order, and the number is nobody's.
            return self.retire(dead);
        }
        self.recoveries.deaths.fetch_add(1, Ordering::Relaxed);
        for slot in 0..self.control().slots() {
            let word = Word(self.control().word(slot).load(Ordering::Acquire));
            if word.sender() == dead {
                self.settle(slot, |word| word.release_sender(dead, self.reply().is_some()));
            }
            if word.receiver() == dead {
                self.settle_received(slot, dead);
            }
            self.hint_at(slot);
        }
        // Rings may have been cut off by the kill.
        self.control().ready_bell().ring_all();
        self.control().free_bell().ring_all();
        self.retire(dead);
    }

    /// The dead may have been cut off between a transition and its hint.
    fn hint_at(&self, slot: usize) {
        match Word(self.control().word(slot).load(Ordering::Acquire)).phase() {
            Some(Phase::Ready) => self.control().ready_hints().set(slot),
            Some(Phase::Free) => self.control().free_hints().set(slot),
            _ => {}
        }
    }

    /// What this host has done for the dead so far.
    pub(crate) fn recoveries(&self) -> Recoveries {
        self.recoveries.read()
    }

    fn settle_received(&self, slot: usize, dead: ParticipantId) {
        let block = self.control().block(slot);
        // Before it is READY: whoever takes it next sees it.
        block.redelivered.store(1, Ordering::Relaxed);
        // Only a caller can be told that nobody answers; what is sent one way goes to the next receiver.
        let once_more = self.reply().is_none() || block.attempts.load(Ordering::Relaxed) < self.max_attempts;
        if once_more && ops::step(self.control(), slot, |word| word.redeliver(dead)).is_ok() {
            ops::announce_ready(self.control(), slot);
            self.recoveries.redelivered.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // What was answered stays answered; only an alias died with the worker.
        let word = Word(self.control().word(slot).load(Ordering::Acquire));
        if word.is(Phase::Taken) {
            block.status.store(Status::WorkerDied as u32, Ordering::Relaxed);
            if !word.gone() {
                self.recoveries.given_up.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.settle(slot, |word| word.release_receiver(dead));
    }

    /// A transition on behalf of the dead. A refusal means that the hold is gone already.
    fn settle(&self, slot: usize, next: impl Fn(Word) -> Option<Word>) {
        let _ = ops::let_go(self.control(), slot, next);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::testing::{RECEIVER, SENDER, three, three_with};
    use super::*;
    use crate::wait::Look;

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
