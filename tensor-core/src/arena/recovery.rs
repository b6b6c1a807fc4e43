//! What becomes of the slots of a participant that died.

use super::Arena;
use super::mapped::Status;
use super::ops;
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

    fn settle_received(&self, slot: usize, dead: ParticipantId) {
        if let Ok(word) = ops::step(self.control(), slot, |word| word.redeliver(dead)) {
            debug_assert!(word.is(Phase::Ready));
            ops::announce_ready(self.control(), slot);
            return;
        }
        // What was answered stays answered; only an alias died with the worker.
        if Word(self.control().word(slot).load(Ordering::Acquire)).is(Phase::Taken) {
            self.control().block(slot).status.store(Status::WorkerDied as u32, Ordering::Relaxed);
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
    use super::super::testing::{RECEIVER, SENDER, three};
    use super::*;
    use crate::wait::Look;

    #[test]
    fn an_answer_survives_a_worker_that_dies_with_an_alias_of_it() {
        let [host, client, worker] = three(true, 0);
        let call = client.try_loan(Look::Words).unwrap().unwrap();
        call.publish(1, |_| None, true, 0).unwrap();
        let taken = worker.try_take(Look::Words).unwrap().unwrap();
        taken.answer(1, |_| None, true, 1).unwrap();
        std::mem::forget(taken);
        host.recover(RECEIVER);
        assert_eq!(call.outcome().unwrap(), Some(Status::Answered));
        drop(call);
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
