//! The slot word: who may touch a slot's bytes, in one u64.
//!
//! ```text
//! bits 0..3    phase; 5 for taken together with others
//! bit  3       GONE: the caller left before the answer
//! bit  4       NOT_REPEATABLE: a worker may have changed the request
//! bits 5..15   sender side: the participant that holds it, 0 for nobody
//! bits 15..25  receiver side: the participant that holds it, 0 for nobody
//! bits 25..64  generation: how often the slot has become free
//! ```
//!
//! Everything here is a pure function from one word to the next. Each transition is one compare-and-swap that names
//! the new holder before any byte is touched, and the one that clears the last hold makes the slot free with a new
//! generation. A word that no honest peer writes gives `None`.

use std::fmt;

use crate::sync::{Bug, planted};

/// Where a slot is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Nobody's.
    Free = 0,
    /// A sender or caller fills it.
    Loaned = 1,
    /// Sent; whoever receives first has it.
    Ready = 2,
    /// A receiver or worker has it.
    Taken = 3,
    /// Received or answered; only holds remain.
    Done = 4,
}

/// The phase of a slot that is taken together with others.
const TAKEN_IN_RUN: u64 = 5;

/// The number of a participant, 1 to [`MAX_PARTICIPANT`].
pub(crate) type ParticipantId = u16;

/// The largest participant number that fits a word.
pub(crate) const MAX_PARTICIPANT: ParticipantId = (1 << ID_BITS) - 1;

/// How many bits a participant number has.
pub(crate) const ID_BITS: u32 = 10;
const GONE: u64 = 1 << 3;
const NOT_REPEATABLE: u64 = 1 << 4;
const SENDER_SHIFT: u32 = 5;
const RECEIVER_SHIFT: u32 = SENDER_SHIFT + ID_BITS;
const GENERATION_SHIFT: u32 = RECEIVER_SHIFT + ID_BITS;
const ID_MASK: u64 = (1 << ID_BITS) - 1;

/// What a slot's u64 says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    /// The word of a slot that was never used.
    #[cfg(test)]
    pub(crate) const NEW: Word = Word(0);

    #[inline]
    pub(crate) const fn phase(self) -> Option<Phase> {
        match self.0 & 7 {
            0 => Some(Phase::Free),
            1 => Some(Phase::Loaned),
            2 => Some(Phase::Ready),
            3 | TAKEN_IN_RUN => Some(Phase::Taken),
            4 => Some(Phase::Done),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn is(self, phase: Phase) -> bool {
        self.phase() == Some(phase)
    }

    /// Whether the slot is taken together with others.
    #[inline]
    pub(crate) const fn in_run(self) -> bool {
        self.0 & 7 == TAKEN_IN_RUN
    }

    #[inline]
    pub(crate) const fn gone(self) -> bool {
        self.0 & GONE != 0
    }

    #[inline]
    pub(crate) const fn not_repeatable(self) -> bool {
        self.0 & NOT_REPEATABLE != 0
    }

    #[inline]
    pub(crate) const fn sender(self) -> ParticipantId {
        ((self.0 >> SENDER_SHIFT) & ID_MASK) as ParticipantId
    }

    #[inline]
    pub(crate) const fn receiver(self) -> ParticipantId {
        ((self.0 >> RECEIVER_SHIFT) & ID_MASK) as ParticipantId
    }

    #[inline]
    pub(crate) const fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    /// The half that changes with every transition: what a caller sleeps on.
    #[inline]
    pub(crate) const fn low(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    const fn with_phase(self, phase: Phase) -> Word {
        Word(self.0 & !7 | phase as u64)
    }

    #[inline]
    const fn with_sender(self, id: ParticipantId) -> Word {
        Word(self.0 & !(ID_MASK << SENDER_SHIFT) | (id as u64) << SENDER_SHIFT)
    }

    #[inline]
    const fn with_receiver(self, id: ParticipantId) -> Word {
        Word(self.0 & !(ID_MASK << RECEIVER_SHIFT) | (id as u64) << RECEIVER_SHIFT)
    }

    #[inline]
    const fn with(self, flag: u64) -> Word {
        Word(self.0 | flag)
    }

    /// Free, one generation later, if nobody holds it any more; else as it is.
    #[inline]
    fn settled(self) -> Word {
        let (sender, receiver) = (self.sender() == 0, self.receiver() == 0);
        if sender && receiver || (sender || receiver) && planted(Bug::FreesUnderAHold) {
            Word((self.generation() + 1) << GENERATION_SHIFT)
        } else {
            self
        }
    }

    #[inline]
    fn held_by_sender(self, me: ParticipantId) -> Option<Word> {
        (self.sender() == me && self.phase()? != Phase::Free).then_some(self)
    }

    #[inline]
    fn held_by_receiver(self, me: ParticipantId) -> Option<Word> {
        (self.receiver() == me && matches!(self.phase()?, Phase::Taken | Phase::Done)).then_some(self)
    }

    /// FREE -> LOANED.
    #[inline]
    pub(crate) fn loan(self, me: ParticipantId) -> Option<Word> {
        self.is(Phase::Free)
            .then_some(Word(self.generation() << GENERATION_SHIFT).with_phase(Phase::Loaned).with_sender(me))
    }

    /// LOANED -> READY. The sender's hold stays when it waits for an answer or aliases of the record live.
    #[inline]
    pub(crate) fn send(self, me: ParticipantId, keep_hold: bool) -> Option<Word> {
        let word = self.held_by_sender(me).filter(|word| word.is(Phase::Loaned))?;
        Some(word.with_phase(Phase::Ready).with_sender(if keep_hold { me } else { 0 }))
    }

    /// READY -> LOANED, for a record sent one way that nobody has taken or holds: it makes room for another, as if a receiver
    /// had taken it and let go.
    pub(crate) fn supplant(self, me: ParticipantId) -> Option<Word> {
        let unheld = self.sender() == 0 || planted(Bug::FreesUnderAHold);
        let free = Word((self.generation() + 1) << GENERATION_SHIFT);
        if self.is(Phase::Ready) && unheld { free.loan(me) } else { None }
    }

    /// READY -> TAKEN.
    #[inline]
    pub(crate) fn take(self, me: ParticipantId) -> Option<Word> {
        self.is(Phase::Ready).then_some(self.with_phase(Phase::Taken).with_receiver(me))
    }

    /// READY -> TAKEN, beside others that the same receiver has.
    #[inline]
    pub(crate) fn take_in_run(self, me: ParticipantId) -> Option<Word> {
        self.take(me)?.taken_with_others(me, true)
    }

    /// TAKEN, from here on together with others, or alone again.
    #[inline]
    pub(crate) fn taken_with_others(self, me: ParticipantId, others: bool) -> Option<Word> {
        let word = self.held_by_receiver(me).filter(|word| word.is(Phase::Taken))?;
        let forgets = planted(Bug::TakesRunsAsIfAlone);
        Some(if others && !forgets {
            Word(word.0 & !7 | TAKEN_IN_RUN)
        } else {
            word.with_phase(Phase::Taken)
        })
    }

    /// TAKEN, from here on not to be handed to another worker.
    pub(crate) fn mark_not_repeatable(self, me: ParticipantId) -> Option<Word> {
        Some(self.held_by_receiver(me).filter(|word| word.is(Phase::Taken))?.with(NOT_REPEATABLE))
    }

    /// TAKEN -> DONE, or FREE when nobody holds it any more. The receiver's hold stays when aliases live.
    #[inline]
    pub(crate) fn finish(self, me: ParticipantId, keep_hold: bool) -> Option<Word> {
        let word = self.held_by_receiver(me).filter(|word| word.is(Phase::Taken))?;
        Some(word.with_phase(Phase::Done).with_receiver(if keep_hold { me } else { 0 }).settled())
    }

    /// The receiver lets go: of a record it took, or of the last alias of one it finished.
    #[inline]
    pub(crate) fn release_receiver(self, me: ParticipantId) -> Option<Word> {
        let word = self.held_by_receiver(me)?;
        Some(word.with_phase(Phase::Done).with_receiver(0).settled())
    }

    /// The caller no longer waits for the answer, but may still hold aliases.
    pub(crate) fn leave(self, me: ParticipantId) -> Option<Word> {
        let word = self.held_by_sender(me)?.with(GONE);
        Some(if word.is(Phase::Ready) { word.with_phase(Phase::Done) } else { word })
    }

    /// The sender lets go: of a loan it did not send, or of the last alias of what it sent. In a service
    /// (`answered`), letting go means that nobody waits for the answer.
    #[inline]
    pub(crate) fn release_sender(self, me: ParticipantId, answered: bool) -> Option<Word> {
        let word = self.held_by_sender(me)?.with_sender(0);
        let word = if answered { word.with(GONE) } else { word };
        match word.phase()? {
            Phase::Loaned | Phase::Done => Some(word.settled()),
            Phase::Ready if answered => Some(word.settled()),
            Phase::Ready | Phase::Taken => Some(word),
            Phase::Free => None,
        }
    }

    /// What a dead receiver's TAKEN slot becomes when another may have it: READY again.
    pub(crate) fn redeliver(self, dead: ParticipantId) -> Option<Word> {
        let word = self.held_by_receiver(dead).filter(|word| word.is(Phase::Taken))?;
        let wanted = !word.gone() || planted(Bug::PublishesWhatWasLeft);
        (wanted && !word.not_repeatable()).then_some(word.with_phase(Phase::Ready).with_receiver(0))
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase() {
            Some(phase) => write!(f, "{phase:?}")?,
            None => write!(f, "phase {}", self.0 & 7)?,
        }
        write!(f, "(sender {}, receiver {}", self.sender(), self.receiver())?;
        if self.in_run() {
            f.write_str(", in a run")?;
        }
        if self.gone() {
            f.write_str(", gone")?;
        }
        if self.not_repeatable() {
            f.write_str(", not repeatable")?;
        }
        write!(f, ", generation {})", self.generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLIENT: ParticipantId = 3;
    const WORKER: ParticipantId = 1023;

    /// The bits are the wire format: they must never change within one ABI number.
    #[test]
    fn golden_bits() {
        let word = Word::NEW.loan(CLIENT).unwrap();
        assert_eq!(word.0, 1 | 3 << 5);
        let word = word.send(CLIENT, true).unwrap().take(WORKER).unwrap();
        assert_eq!(word.0, 3 | 3 << 5 | 1023 << 15);
        let word = word.mark_not_repeatable(WORKER).unwrap().leave(CLIENT).unwrap();
        assert_eq!(word.0, 3 | 1 << 3 | 1 << 4 | 3 << 5 | 1023 << 15);
        let word = word.release_sender(CLIENT, true).unwrap().finish(WORKER, false).unwrap();
        assert_eq!(word.0, 1 << 25);
    }

    #[test]
    fn a_record_sent_and_received_frees_the_slot_with_a_new_generation() {
        let ready = Word::NEW.loan(CLIENT).unwrap().send(CLIENT, false).unwrap();
        assert_eq!((ready.phase(), ready.sender()), (Some(Phase::Ready), 0));
        let free = ready.take(WORKER).unwrap().release_receiver(WORKER).unwrap();
        assert_eq!((free.phase(), free.generation()), (Some(Phase::Free), 1));
    }

    #[test]
    fn a_slot_is_free_only_after_the_last_hold_in_either_order() {
        let taken = Word::NEW.loan(CLIENT).unwrap().send(CLIENT, true).unwrap().take(WORKER).unwrap();
        let sender_first = taken.release_sender(CLIENT, false).unwrap();
        assert!(sender_first.is(Phase::Taken));
        assert!(sender_first.release_receiver(WORKER).unwrap().is(Phase::Free));
        let receiver_first = taken.release_receiver(WORKER).unwrap();
        assert!(receiver_first.is(Phase::Done));
        assert!(receiver_first.release_sender(CLIENT, false).unwrap().is(Phase::Free));
    }

    #[test]
    fn what_is_taken_in_a_run_says_so_for_as_long_as_it_is_taken() {
        let ready = Word::NEW.loan(CLIENT).unwrap().send(CLIENT, true).unwrap();
        let taken = ready.take_in_run(WORKER).unwrap();
        assert_eq!(taken.0, 5 | 3 << 5 | 1023 << 15);
        assert_eq!(ready.take(WORKER).unwrap().taken_with_others(WORKER, true), Some(taken));
        assert!(taken.is(Phase::Taken) && taken.leave(CLIENT).unwrap().in_run());
        assert_eq!(taken.redeliver(WORKER), Some(ready));
        let alone = taken.taken_with_others(WORKER, false).unwrap();
        assert_eq!(Some(alone), ready.take(WORKER));
        assert_eq!(taken.finish(WORKER, false), alone.finish(WORKER, false));
        assert_eq!(taken.taken_with_others(CLIENT, false), None);
    }

    #[test]
    fn an_answer_keeps_the_workers_hold_while_its_aliases_live() {
        let taken = Word::NEW.loan(CLIENT).unwrap().send(CLIENT, true).unwrap().take(WORKER).unwrap();
        let done = taken.finish(WORKER, true).unwrap();
        assert_eq!((done.sender(), done.receiver()), (CLIENT, WORKER));
        let read = done.release_sender(CLIENT, true).unwrap();
        assert!(read.is(Phase::Done) && read.gone());
        assert!(read.release_receiver(WORKER).unwrap().is(Phase::Free));
    }

    #[test]
    fn a_caller_that_leaves_cancels_what_nobody_took_and_abandons_what_somebody_did() {
        let ready = Word::NEW.loan(CLIENT).unwrap().send(CLIENT, true).unwrap();
        let left = ready.leave(CLIENT).unwrap();
        assert!(left.is(Phase::Done) && left.take(WORKER).is_none());
        assert!(left.release_sender(CLIENT, true).unwrap().is(Phase::Free));
        let taken = ready.take(WORKER).unwrap().leave(CLIENT).unwrap();
        assert!(taken.gone() && taken.is(Phase::Taken));
        let abandoned = taken.release_sender(CLIENT, true).unwrap();
        assert!(abandoned.finish(WORKER, false).unwrap().is(Phase::Free));
    }

    #[test]
    fn only_a_repeatable_request_with_a_caller_is_redelivered() {
        let taken = Word::NEW.loan(CLIENT).unwrap().send(CLIENT, true).unwrap().take(WORKER).unwrap();
        assert!(taken.redeliver(WORKER).unwrap().is(Phase::Ready));
        assert!(taken.redeliver(CLIENT).is_none());
        assert!(taken.mark_not_repeatable(WORKER).unwrap().redeliver(WORKER).is_none());
        assert!(taken.leave(CLIENT).unwrap().redeliver(WORKER).is_none());
    }

    #[test]
    fn only_a_record_that_nobody_holds_makes_room_for_another() {
        let loaned = Word::NEW.loan(CLIENT).unwrap();
        let ready = loaned.send(CLIENT, false).unwrap();
        let room = ready.supplant(WORKER).unwrap();
        assert!(room.is(Phase::Loaned));
        assert_eq!((room.sender(), room.receiver(), room.generation()), (WORKER, 0, 1));
        assert!(loaned.supplant(WORKER).is_none());
        assert!(loaned.send(CLIENT, true).unwrap().supplant(CLIENT).is_none());
        assert!(ready.take(CLIENT).unwrap().supplant(WORKER).is_none());
    }

    proptest! {
        /// Whatever a hostile peer writes, a transition is refused or gives a word that still makes sense.
        #[test]
        fn no_word_panics_or_is_taken_from_somebody_else(bits: u64, me in 1..=MAX_PARTICIPANT, keep: bool, answered: bool) {
            let word = Word(bits);
            let results = [
                word.loan(me), word.send(me, keep), word.take(me), word.mark_not_repeatable(me),
                word.finish(me, keep), word.release_receiver(me), word.leave(me),
                word.release_sender(me, answered), word.redeliver(me), word.take_in_run(me),
                word.taken_with_others(me, keep),
            ];
            for next in results.into_iter().flatten() {
                prop_assert!(next.phase().is_some());
                prop_assert!(next.generation() == word.generation() || next.is(Phase::Free));
            }
            if let Some(room) = word.supplant(me) {
                prop_assert!(word.is(Phase::Ready) && word.sender() == 0);
                prop_assert!(room.is(Phase::Loaned) && room.sender() == me && room.receiver() == 0);
            }
            if word.sender() != me {
                prop_assert!(word.send(me, keep).is_none() && word.release_sender(me, answered).is_none());
            }
            if word.receiver() != me {
                prop_assert!(word.finish(me, keep).is_none() && word.release_receiver(me).is_none());
            }
        }
    }
}
