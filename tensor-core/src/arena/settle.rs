//! What becomes of the slots of a participant that died: the lock-free part of recovery.
//!
//! It may be cut off at any step, because its own process may be killed: then the arena ends with it. It may be run
//! twice: the second time finds nothing to do.

use super::ops;
use super::shared::Shared;
use super::word::{ParticipantId, Phase, Word};
use crate::sync::{Bug, Ordering, fence, planted};

/// What a dead receiver's records became.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settled {
    /// Ready again.
    pub(crate) redelivered: u64,
    /// Requests whose callers are told that nobody answers.
    pub(crate) given_up: u64,
}

/// Settles every slot that `dead` holds, and wakes whoever may have been left asleep. `repeat` says whether what it had
/// taken may be taken by another.
pub(crate) fn settle(shared: &impl Shared, dead: ParticipantId, repeat: impl Fn(usize) -> bool) -> Settled {
    let mut settled = Settled::default();
    // What the dead last wrote comes before the looks for sleepers here, as it would have in the dead's own steps.
    fence(Ordering::SeqCst);
    for slot in 0..shared.slots() {
        let word = word_of(shared, slot);
        let dead = if planted(Bug::SettlesAnothersSlot) { word.sender() } else { dead };
        if word.sender() == dead && !planted(Bug::LeavesLoansBehind) {
            release(shared, slot, |word| word.release_sender(dead, shared.is_service()));
        }
        if word.receiver() == dead {
            settle_received(shared, slot, dead, &repeat, &mut settled);
        }
        hint_at(shared, slot);
        if !planted(Bug::RecoversSilently) {
            ops::wake_caller(shared, slot, word_of(shared, slot));
        }
    }
    // Rings may have been cut off by the kill.
    if !planted(Bug::RecoversSilently) {
        shared.ready_bell().ring_all();
        shared.free_bell().ring_all();
    }
    settled
}

fn word_of(shared: &impl Shared, slot: usize) -> Word {
    Word(shared.word(slot).load(Ordering::Acquire))
}

/// The dead may have been cut off between a transition and its hint.
fn hint_at(shared: &impl Shared, slot: usize) {
    if planted(Bug::RecoversWithoutHints) {
        return;
    }
    match word_of(shared, slot).phase() {
        Some(Phase::Ready) => shared.ready_hints().set(slot),
        Some(Phase::Free) => shared.free_hints().set(slot),
        _ => {}
    }
}

fn settle_received(
    shared: &impl Shared,
    slot: usize,
    dead: ParticipantId,
    repeat: impl Fn(usize) -> bool,
    settled: &mut Settled,
) {
    if word_of(shared, slot).is(Phase::Taken)
        && repeat(slot)
        && ops::step(shared, slot, |word| word.redeliver(dead)).is_ok()
    {
        ops::announce_ready(shared, slot);
        settled.redelivered += 1;
        return;
    }
    // What was answered stays answered; only an alias died with the worker.
    let word = word_of(shared, slot);
    if word.is(Phase::Taken) {
        shared.note_worker_died(slot);
        settled.given_up += u64::from(!word.gone());
    }
    release(shared, slot, |word| word.release_receiver(dead));
}

/// A transition on behalf of the dead. A refusal means that the hold is gone already.
fn release(shared: &impl Shared, slot: usize, next: impl Fn(Word) -> Option<Word>) {
    let _ = ops::let_go(shared, slot, next);
}
