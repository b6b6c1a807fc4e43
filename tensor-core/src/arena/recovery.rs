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
        }
        // Hints and rings may have been cut off by the kill.
        self.control().ready_bell().ring_all();
        self.control().free_bell().ring_all();
        self.retire(dead);
    }

    fn settle_received(&self, slot: usize, dead: ParticipantId) {
        if let Ok(word) = ops::step(self.control(), slot, |word| word.redeliver(dead)) {
            debug_assert!(word.is(Phase::Ready));
            ops::announce_ready(self.control(), slot);
            return;
        }
        self.control().block(slot).status.store(Status::WorkerDied as u32, Ordering::Relaxed);
        self.settle(slot, |word| word.release_receiver(dead));
    }

    /// A transition on behalf of the dead. A refusal means that the hold is gone already.
    fn settle(&self, slot: usize, next: impl Fn(Word) -> Option<Word>) {
        let _ = ops::let_go(self.control(), slot, next);
    }
}
