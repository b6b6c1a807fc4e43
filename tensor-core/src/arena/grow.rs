//! Taking a run: the record that was sent first, and what lies ready around it.
//!
//! A run is one compact tensor a field, so its rows are in the order of the slots, whatever the order of the tickets is.
//! Where the order of each sender's records is promised, a slot is taken only when it keeps that promise: every record
//! that its sender sent before it and that is still to be received is in the run already, in a row before its own.

use super::hints::Hints;
use super::ops::{any_in, step, swap, take_lowest};
use super::shared::Shared;
use super::ticket::Ticket;
use super::word::{ParticipantId, Phase, Word};
use crate::sync::{Bug, Ordering, planted};
use crate::wait::Look;

/// What the rows of a run have to be in order with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunOrder {
    /// Each sender's records are in the order sent: what a one-way channel promises.
    OfEachSender,
    /// Nothing: every request of a service is answered for itself.
    Free,
}

/// A slot that was seen READY, or that became TAKEN as it was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) slot: usize,
    pub(crate) word: Word,
    pub(super) ticket: Ticket,
}

/// READY -> TAKEN for the slot with the lowest ticket, and for up to `max - 1` neighbours of it. Every slot is taken by a
/// compare-and-swap of its own; one that fails ends the run on that side. A slot that `is_alone` is never in a run with
/// others.
pub(crate) fn take_run(
    shared: &impl Shared,
    me: ParticipantId,
    max: usize,
    order: RunOrder,
    look: Look,
    is_alone: impl Fn(usize) -> bool,
) -> Option<Vec<Seen>> {
    if max > 1 {
        shared.fetch_ready(max);
    }
    let (slot, word) = take_lowest(shared, me, look)?;
    let first = Seen { slot, word, ticket: ticket(shared, slot) };
    let run =
        if max > 1 && !is_alone(slot) { grow(shared, me, first, max, order, is_alone) } else { vec![first] };
    shared.ready_hints().clear_run(run[0].slot..run[0].slot + run.len());
    // As after a loan.
    shared.ready_bell().ring_if(|| any_in(shared, Phase::Ready, shared.ready_hints()));
    Some(run)
}

fn ticket(shared: &impl Shared, slot: usize) -> Ticket {
    Ticket(shared.ticket(slot).load(Ordering::Relaxed))
}

#[inline(always)]
fn ready(shared: &impl Shared, slot: usize) -> Option<Seen> {
    let word = Word(shared.word(slot).load(Ordering::Acquire));
    word.is(Phase::Ready).then(|| Seen { slot, word, ticket: ticket(shared, slot) })
}

fn grow(
    shared: &impl Shared,
    me: ParticipantId,
    first: Seen,
    max: usize,
    order: RunOrder,
    is_alone: impl Fn(usize) -> bool,
) -> Vec<Seen> {
    let (start, end) =
        (first.slot.saturating_sub(max - 1), first.slot.saturating_add(max).min(shared.slots()));
    for slot in (start..end).filter(|slot| shared.ready_hints().has(*slot)) {
        shared.fetch(slot);
    }
    let mut near: Vec<Seen> = Vec::with_capacity(end - start);
    // In loops of their own: what goes through adapters is copied through memory on the way, and each copy waits for the last.
    for slot in (start..first.slot).rev() {
        match ready(shared, slot) {
            Some(seen) if !is_alone(slot) => near.push(seen),
            _ => break,
        }
    }
    near.reverse();
    let at = near.len();
    near.push(first);
    for slot in first.slot + 1..end {
        match ready(shared, slot) {
            Some(seen) if !is_alone(slot) => near.push(seen),
            _ => break,
        }
    }
    if shared.ready_hints().is_none() {
        near.iter().for_each(|seen| shared.fetch(seen.slot));
    }

    let before = match order {
        RunOrder::OfEachSender if !planted(Bug::GrowsBlindly) => sent_before(shared, &near),
        _ => vec![Before::Nothing; near.len()],
    };
    let mut beside = Beside { shared, me, first: first.slot, order, noted: false };
    // Taken are `low..high`; `floor` and `ceiling` are where a swap failed.
    let (mut low, mut high) = (at, at + 1);
    let (mut floor, mut ceiling) = (0, near.len());
    loop {
        let taken = high - low;
        while high - low < max && high < ceiling && before[high].allows_above(low, high) {
            if beside.take(&near[high]) { high += 1 } else { ceiling = high }
        }
        while high - low < max && low > floor && before[low - 1] == Before::Nothing {
            if beside.take(&near[low - 1]) { low -= 1 } else { floor = low }
        }
        // What was taken below may be what something above had to wait for.
        if high - low == taken {
            break;
        }
    }
    near.truncate(high);
    near.drain(..low);
    beside.end(near.len());
    near
}

/// Takes requests beside the first one of a run, so that each says whether it is alone at every moment: a request with which
/// a worker dies alone is nearer to being given up, and one of a run is not.
pub(super) struct Beside<'a, S> {
    pub(super) shared: &'a S,
    pub(super) me: ParticipantId,
    /// The slot of the first one, which is taken.
    pub(super) first: usize,
    pub(super) order: RunOrder,
    /// Whether the first one says that it is in a run.
    pub(super) noted: bool,
}

impl<S: Shared> Beside<'_, S> {
    /// READY -> TAKEN, unless another is faster.
    #[inline(always)]
    pub(super) fn take(&mut self, seen: &Seen) -> bool {
        let taken = match self.order {
            // Nobody is told that a record sent one way is given up.
            RunOrder::OfEachSender => seen.word.take(self.me),
            RunOrder::Free => {
                if !self.noted {
                    self.note(true);
                }
                seen.word.take_in_run(self.me)
            }
        };
        taken.is_some_and(|taken| swap(self.shared, seen.slot, seen.word, taken).is_ok())
    }

    /// No more are taken: the run has so many.
    pub(super) fn end(mut self, records: usize) {
        if self.noted && records == 1 {
            self.note(false);
        }
    }

    fn note(&mut self, others: bool) {
        // A refusal means that a peer changed the word; whoever lets go of it reports that.
        let _ = step(self.shared, self.first, |word| word.taken_with_others(self.me, others));
        self.noted = others;
    }
}

/// What a sender sent just before a record, of what is still to be received.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The one with this number among those near.
    Near(usize),
    /// One that is not near: the record has to stay.
    Elsewhere,
}

impl Before {
    /// Whether a record may be the next row of the run `low..high`.
    fn allows_above(self, low: usize, high: usize) -> bool {
        match self {
            Before::Nothing => true,
            Before::Near(other) => (low..high).contains(&other),
            Before::Elsewhere => false,
        }
    }
}

/// For each of `near`, what its sender sent just before it.
///
/// Whoever saw a record READY sees everything that its sender sent before it, so one look at all words after `near` was
/// seen is enough. A record that another receiver takes meanwhile is not left behind; one that takes the place of a
/// record near is one more.
fn sent_before(shared: &impl Shared, near: &[Seen]) -> Vec<Before> {
    let key = |seen: &Seen| (seen.ticket.sender(), seen.ticket.0);
    let mut sorted: Vec<usize> = (0..near.len()).collect();
    sorted.sort_by_key(|&at| key(&near[at]));
    let mut before = vec![Before::Nothing; near.len()];
    for pair in sorted.windows(2) {
        if near[pair[0]].ticket.sender() == near[pair[1]].ticket.sender() {
            before[pair[1]] = Before::Near(pair[0]);
        }
    }
    let first = near[0].slot;
    for_each_ready(shared, shared.ready_hints(), |seen| {
        let known = seen.slot.checked_sub(first).and_then(|at| near.get(at));
        if known.is_some_and(|known| (known.word, known.ticket) == (seen.word, seen.ticket)) {
            return;
        }
        let next = sorted.partition_point(|&at| key(&near[at]) < key(&seen));
        if let Some(&next) = sorted.get(next)
            && near[next].ticket.sender() == seen.ticket.sender()
        {
            before[next] = Before::Elsewhere;
        }
    });
    before
}

pub(super) fn for_each_ready(shared: &impl Shared, hints: Hints<'_>, mut work: impl FnMut(Seen)) {
    if hints.is_none() {
        (0..shared.slots()).filter_map(|slot| ready(shared, slot)).for_each(&mut work);
    } else {
        hints.iter_from(0).filter_map(|slot| ready(shared, slot)).for_each(&mut work);
    }
}
