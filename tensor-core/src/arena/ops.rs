//! The lock-free steps: loan, publish, take, let go.
//!
//! Each is at most one successful compare-and-swap on a slot's word. What follows it - hints, bells - may be cut off
//! at any instruction by a kill and is then found by whoever scans the words.

use std::ops::Range;

use super::hints::{Hint, Hints};
use super::queue::Queue;
use super::shared::{ON_BELL, Shared};
use super::ticket::Ticket;
use super::word::{ParticipantId, Phase, Word};
use crate::sync::{Bug, Ordering, fence, fence_after_swap, planted};
use crate::wait::Look;

/// How often something is tried again because the words changed meanwhile. Honest peers change them a few times and
/// each time get on; only one that means harm changes them for ever, and nobody may be kept beyond a deadline by it.
const RETRIES: usize = 100;

/// FREE -> LOANED for a free slot, looking from `start` on in ring order.
#[inline]
pub(crate) fn loan(
    shared: &impl Shared,
    me: ParticipantId,
    start: usize,
    look: Look,
) -> Option<(usize, Word)> {
    let start = if start < shared.slots() { start } else { start % shared.slots() };
    // Mostly it is the first.
    let first = if shared.free_hints().has(start) { loan_slot(shared, me, start) } else { None };
    if first.is_some() { first } else { loan_from(shared, me, start, look) }
}

#[inline(never)]
fn loan_from(shared: &impl Shared, me: ParticipantId, start: usize, look: Look) -> Option<(usize, Word)> {
    if !shared.free_hints().is_none() {
        let hinted = loan_hinted(shared, me, start);
        if hinted.is_some() || look == Look::Hints {
            return hinted;
        }
    }
    (0..shared.slots()).find_map(|step| loan_slot(shared, me, (start + step) % shared.slots()))
}

#[inline]
fn loan_hinted(shared: &impl Shared, me: ParticipantId, start: usize) -> Option<(usize, Word)> {
    let mut loaned = None;
    let visit = |slot: usize| {
        loaned = loan_slot(shared, me, slot);
        if loaned.is_some() { Hint::Enough } else { Hint::Stale }
    };
    let restored = shared.free_hints().sift(start, |slot| is_in(shared, slot, Phase::Free), visit);
    if restored {
        // Whoever looked for free slots meanwhile did not see this one, and may have kept a ring to itself.
        shared.free_bell().ring();
    }
    loaned
}

/// FREE -> LOANED for this slot, if it is free. Its hint is left to whoever finds it stale.
#[inline(always)]
pub(crate) fn loan_slot(shared: &impl Shared, me: ParticipantId, slot: usize) -> Option<(usize, Word)> {
    let found = Word(shared.word(slot).load(Ordering::Acquire));
    let loaned = found.loan(me)?;
    swap(shared, slot, found, loaned).ok()?;
    // One ring wakes one sleeper; whoever loans while more are free passes the ring on.
    shared.free_bell().ring_if(|| any_in(shared, Phase::Free, shared.free_hints()));
    Some((slot, loaned))
}

#[inline]
fn is_in(shared: &impl Shared, slot: usize, phase: Phase) -> bool {
    Word(shared.word(slot).load(Ordering::Acquire)).is(phase)
}

/// Whether there is a slot in this phase that is hinted at; any at all, where there are no hints.
#[cold]
pub(super) fn any_in(shared: &impl Shared, phase: Phase, hints: Hints<'_>) -> bool {
    if planted(Bug::KeepsTheRing) {
        return false;
    }
    let is_right = |slot: usize| is_in(shared, slot, phase);
    if hints.is_none() {
        return (0..shared.slots()).any(is_right);
    }
    hints.iter_from(0).any(is_right)
}

/// LOANED -> READY, in the order of the tickets. Everything the receiver reads was written before.
#[inline]
pub(crate) fn publish(
    shared: &impl Shared,
    me: ParticipantId,
    slot: usize,
    keep_hold: bool,
) -> Result<Word, Word> {
    let counter = shared.next_ticket().fetch_add(Ticket::STEP, Ordering::AcqRel);
    let ticket = Ticket::new(counter, me, shared.time(slot, counter));
    if !planted(Bug::TicketAfterReady) {
        shared.ticket(slot).store(ticket.0, Ordering::Relaxed);
    }
    shared.caller_asleep(slot).store(0, Ordering::Relaxed);
    let ready = step(shared, slot, |word| word.send(me, keep_hold))?;
    if planted(Bug::TicketAfterReady) {
        shared.ticket(slot).store(ticket.0, Ordering::Relaxed);
    }
    announce_ready(shared, slot);
    Ok(ready)
}

/// Sets the hint of a READY slot and wakes a receiver.
#[inline]
pub(crate) fn announce_ready(shared: &impl Shared, slot: usize) {
    shared.ready_hints().set(slot);
    shared.ready_bell().ring();
}

/// READY -> TAKEN for the slot with the lowest ticket. `None` also when the words do not stay still.
#[inline(always)]
pub(crate) fn take(shared: &impl Shared, me: ParticipantId, look: Look) -> Option<(usize, Word)> {
    let (slot, taken) = take_lowest(shared, me, look)?;
    announce_taken(shared, slot);
    Some((slot, taken))
}

/// As [`take`], after a look at all that is ready, of which `queue` keeps the rest for the next times.
#[inline]
pub(crate) fn take_queued(
    shared: &impl Shared,
    me: ParticipantId,
    look: Look,
    queue: &mut Queue,
) -> Option<(usize, Word)> {
    let (slot, taken) = queue.take(shared, me, look, RETRIES)?;
    announce_taken(shared, slot);
    Some((slot, taken))
}

/// As [`take_queued`], of what is in the queue.
#[cfg(not(loom))]
#[inline]
pub(super) fn take_seen(shared: &impl Shared, me: ParticipantId, queue: &mut Queue) -> Option<(usize, Word)> {
    let (slot, taken) = queue.take_seen(shared, me)?;
    announce_taken(shared, slot);
    Some((slot, taken))
}

/// The hint goes with the take: if it were left to others to take back, it would be missing for a moment when the slot is READY once
/// more, and somebody else would receive what the same sender sent after that.
#[inline(always)]
fn announce_taken(shared: &impl Shared, slot: usize) {
    shared.ready_hints().clear(slot);
    // As after a loan.
    shared.ready_bell().ring_if(|| any_in(shared, Phase::Ready, shared.ready_hints()));
}

/// The step of [`take`] itself; hint and bell are left to the caller.
#[inline(always)]
pub(super) fn take_lowest(shared: &impl Shared, me: ParticipantId, look: Look) -> Option<(usize, Word)> {
    let mut retries = RETRIES;
    loop {
        let (slot, found) = lowest_ready(shared, look, |_| true, &mut retries)?;
        let taken = found.take(me)?;
        if swap(shared, slot, found, taken).is_ok() {
            return Some((slot, taken));
        }
    }
}

/// READY -> LOANED for the record that was sent first, of those that nobody holds: it is dropped. `None` also when the words
/// do not stay still.
///
/// For everybody else this is a receiver that takes the record and lets go of it at once, so what is promised of the order
/// stands: of each sender, receivers see what is left in the order sent.
pub(crate) fn supplant_oldest(shared: &impl Shared, me: ParticipantId) -> Option<(usize, Word)> {
    let mut retries = RETRIES;
    loop {
        let unheld = |word: Word| word.supplant(me).is_some();
        let (slot, found) = lowest_ready(shared, Look::Words, unheld, &mut retries)?;
        let loaned = found.supplant(me)?;
        if swap(shared, slot, found, loaned).is_ok() {
            shared.ready_hints().clear(slot);
            return Some((slot, loaned));
        }
    }
}

/// The READY slot with the lowest ticket, of those that are `wanted`.
///
/// One look may pass a slot just before it becomes ready and then find a later record of the same sender. Whatever was
/// sent before the candidate is visible once the candidate is, so the look is repeated until it gives the same slot
/// twice. Hints in a single word are no exception: one that is stale leads to the later record alone.
#[inline]
fn lowest_ready(
    shared: &impl Shared,
    look: Look,
    wanted: impl Fn(Word) -> bool,
    retries: &mut usize,
) -> Option<(usize, Word)> {
    let mut best = scan_ready(shared, look, &wanted)?;
    if planted(Bug::LooksOnce) {
        return Some((best.0, best.1));
    }
    loop {
        *retries = retries.checked_sub(1)?;
        let again = scan_ready(shared, look, &wanted)?;
        if (again.0, again.1) == (best.0, best.1) {
            return Some((again.0, again.1));
        }
        best = again;
    }
}

/// The READY slot with the lowest ticket, left where it is. `None` also when the words do not stay still.
#[cfg(not(loom))]
pub(super) fn peek_lowest(shared: &impl Shared, look: Look) -> Option<usize> {
    lowest_ready(shared, look, |_| true, &mut { RETRIES }).map(|(slot, _)| slot)
}

fn scan_ready(shared: &impl Shared, look: Look, wanted: impl Fn(Word) -> bool) -> Option<(usize, Word, u64)> {
    let mut best: Option<(usize, Word, u64)> = None;
    for_each_ready(shared, look, |slot, word, ticket| {
        if wanted(word) && best.is_none_or(|best| ticket < best.2) {
            best = Some((slot, word, ticket));
        }
    });
    best
}

/// Visits the slots that are READY, with word and ticket.
#[inline]
pub(super) fn for_each_ready(shared: &impl Shared, look: Look, mut visit: impl FnMut(usize, Word, u64)) {
    let mut visit = |slot: usize| {
        let word = Word(shared.word(slot).load(Ordering::Acquire));
        if word.is(Phase::Ready) {
            visit(slot, word, shared.ticket(slot).load(Ordering::Relaxed));
        }
    };
    if look == Look::Words || shared.ready_hints().is_none() {
        (0..shared.slots()).for_each(visit);
    } else {
        shared.ready_hints().iter_from(0).for_each(&mut visit);
    }
}

/// Any transition by a holder that clears a hold or ends a phase; rings whoever may wait for it.
#[inline]
pub(crate) fn let_go(
    shared: &impl Shared,
    slot: usize,
    next: impl Fn(Word) -> Option<Word>,
) -> Result<Word, Word> {
    let word = let_go_unannounced(shared, slot, next)?;
    if word.is(Phase::Free) {
        announce_free(shared, slot..slot + 1);
    }
    Ok(word)
}

/// As [`let_go`], but that a slot became free is left to be announced, with others perhaps.
#[inline]
pub(super) fn let_go_unannounced(
    shared: &impl Shared,
    slot: usize,
    next: impl Fn(Word) -> Option<Word>,
) -> Result<Word, Word> {
    let word = step(shared, slot, next)?;
    if planted(Bug::ClearsAnothersHint) {
        shared.ready_hints().clear(slot);
    }
    if word.is(Phase::Done) {
        fence_after_swap(Bug::NoFenceBeforeWake);
        wake_caller(shared, slot, word);
    }
    Ok(word)
}

/// Sets the hints of FREE slots and wakes one who waits for any; whoever is woken wakes the next.
#[inline]
pub(super) fn announce_free(shared: &impl Shared, slots: Range<usize>) {
    shared.free_hints().set_run(slots);
    shared.free_bell().ring();
}

/// Wakes the caller of a slot, if it may be asleep.
#[inline]
pub(crate) fn wake_caller(shared: &impl Shared, slot: usize, word: Word) {
    match shared.caller_asleep(slot).load(Ordering::Relaxed) {
        0 => {}
        ON_BELL => {
            if !planted(Bug::RingsWithoutAHint) {
                shared.answered_hints().set(slot);
            }
            if let Some(bell) = shared.participant_bell(word.sender()) {
                bell.ring();
            }
        }
        _ => shared.wake_caller(slot),
    }
}

/// Announces that the caller of a slot will sleep on its participant's bell. After this it looks at the slot once more.
#[inline]
pub(crate) fn sleep_on_bell(shared: &impl Shared, slot: usize) {
    shared.caller_asleep(slot).store(ON_BELL, Ordering::Relaxed);
    if !planted(Bug::NoFenceBeforeSleep) {
        fence(Ordering::SeqCst);
    }
}

/// Visits the slots of those calls that may have been answered and are `mine`. Their hints are cleared; their words decide.
pub(crate) fn answered(shared: &impl Shared, mine: impl Fn(usize) -> bool, mut visit: impl FnMut(usize)) {
    let hints = shared.answered_hints();
    if hints.is_none() {
        return (0..shared.slots()).filter(|&slot| mine(slot)).for_each(visit);
    }
    for slot in hints.iter_from(0).filter(|&slot| mine(slot)) {
        // Before the look at the word: an answer that comes between the two sets the hint again.
        hints.clear(slot);
        visit(slot);
    }
}

/// How many slots are ready, up to `most`.
pub(crate) fn count_ready(shared: &impl Shared, look: Look, most: usize) -> usize {
    let ready = |slot: &usize| Word(shared.word(*slot).load(Ordering::Acquire)).is(Phase::Ready);
    if look == Look::Hints && !shared.ready_hints().is_none() {
        shared.ready_hints().iter_from(0).filter(ready).take(most).count()
    } else {
        (0..shared.slots()).filter(ready).take(most).count()
    }
}

/// Repeats a transition until its compare-and-swap succeeds; the word it was refused on is the error.
#[inline]
pub(crate) fn step(
    shared: &impl Shared,
    slot: usize,
    next: impl Fn(Word) -> Option<Word>,
) -> Result<Word, Word> {
    let mut found = Word(shared.word(slot).load(Ordering::Acquire));
    for _ in 0..RETRIES {
        let wanted = next(found).ok_or(found)?;
        match swap(shared, slot, found, wanted) {
            Ok(()) => return Ok(wanted),
            Err(other) => found = other,
        }
    }
    Err(found)
}

#[inline]
pub(super) fn swap(shared: &impl Shared, slot: usize, found: Word, wanted: Word) -> Result<(), Word> {
    let word = shared.word(slot);
    if planted(Bug::StoresBlindly) {
        word.store(wanted.0, Ordering::Release);
        return Ok(());
    }
    let success = if planted(Bug::OrdersNothing) { Ordering::Relaxed } else { Ordering::AcqRel };
    word.compare_exchange(found.0, wanted.0, success, Ordering::Acquire).map(|_| ()).map_err(Word)
}
