//! What the asynchronous operations of one connection wait for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::attendant::{self, Watched};
use crate::arena::{Arena, BUDGET, Claim, SLOT, WhenFull};
use crate::error::Error;
use crate::wait::{Bell, Look, NAP, SLICE};

/// An operation that waits: whom to wake, and when it gives up.
pub(super) struct Waiting {
    pub(super) waker: Waker,
    pub(super) deadline: Option<Instant>,
}

impl Waiting {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// An arena that this process is connected to, and what awaits something of it.
pub(crate) struct Waits {
    arena: Arc<Arena>,
    table: Mutex<Table>,
}

/// The operations that wait. One that is not here any more has something to look at.
#[derive(Default)]
pub(super) struct Table {
    /// Callers, by slot; empty until the first waits.
    calls: Vec<Option<Waiting>>,
    /// How many callers there are.
    calls_waiting: usize,
    /// Those that want a free slot, by ticket: first come, first served.
    loans: BTreeMap<u64, Waiting>,
    /// Whether one slot of this client's budget is set aside for the first of them, which a free slot is still missing for.
    has_spent: bool,
    /// Slots that were found for them and not fetched yet.
    granted: BTreeMap<u64, Claim>,
    /// Those that want a record, by ticket.
    takes: BTreeMap<u64, Waiting>,
    next_ticket: u64,
    /// Whether the attendant knows this connection.
    pub(super) attended: bool,
    /// What the attendant has prepared to sleep on, besides this participant's own bell.
    sleeps: Sleeps,
    /// When the attendant looks at everything next.
    next_look: Option<Instant>,
    /// When something last waited.
    last_used: Option<Instant>,
    closed: Option<&'static str>,
}

#[derive(Clone, Copy, Default)]
struct Sleeps {
    on_free: bool,
    on_budget: bool,
    on_ready: bool,
}

/// How a loan that waits is getting on.
pub(super) enum Turn {
    /// A slot was found for it.
    Granted(Claim),
    /// Others come first, or there is none.
    Queued,
    /// It was woken, and not for a slot.
    Woken,
}

/// What an operation waits for.
#[derive(Clone, Copy)]
pub(super) enum Want {
    Answer { slot: usize },
    Slot,
    Record,
}

/// How long the attendant keeps an eye on a connection that nothing waits for, so that a program which makes one call after
/// the other does not have to tell it each time.
const LINGER: Duration = Duration::from_secs(1);

impl Waits {
    pub(crate) fn new(arena: Arc<Arena>) -> Arc<Waits> {
        Arc::new(Waits { arena, table: Mutex::default() })
    }

    #[inline]
    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// Wakers are neither dropped nor cloned under this lock: that may run any code, which may come back here.
    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every operation that waits, and each that would, with [`Error::Closed`] of `what`.
    pub(crate) fn close(&self, what: &'static str) {
        if self.arena.check_process().is_err() {
            return;
        }
        let mut wakers = Vec::new();
        let mut table = self.lock();
        table.closed = Some(what);
        table.wake_all(&mut wakers);
        self.give_back(table);
        wakers.into_iter().for_each(attendant::wake);
    }

    /// Notes that an operation waits, and tells the attendant if it would not notice by itself. What the operation waits
    /// for has to be looked at once more after this. The ticket names the operation.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Io`] when there is no attendant and none can be started.
    pub(super) fn wait(
        self: &Arc<Self>,
        want: Want,
        waiting: Waiting,
        ticket: Option<u64>,
    ) -> Result<u64, Error> {
        let deadline = waiting.deadline;
        let mut table = self.lock();
        if let Some(what) = table.closed {
            drop(table);
            return Err(Error::Closed { what });
        }
        let ticket = ticket.unwrap_or_else(|| {
            table.next_ticket += 1;
            table.next_ticket
        });
        if table.granted.contains_key(&ticket) {
            // Found since the operation looked, and its earlier waker woken.
            drop(table);
            waiting.waker.wake();
            return Ok(ticket);
        }
        let (earlier, noticed) = match want {
            Want::Answer { slot } => {
                if table.calls.is_empty() {
                    table.calls.resize_with(self.arena.slots(), || None);
                }
                let earlier = table.calls[slot].replace(waiting);
                table.calls_waiting += usize::from(earlier.is_none());
                (earlier, true)
            }
            Want::Slot => {
                (table.loans.insert(ticket, waiting), table.sleeps.on_free || table.sleeps.on_budget)
            }
            Want::Record => (table.takes.insert(ticket, waiting), table.sleeps.on_ready),
        };
        let in_time = match (table.next_look, deadline) {
            (Some(next), Some(deadline)) if deadline < next => {
                table.next_look = Some(deadline);
                false
            }
            _ => true,
        };
        let attended = std::mem::replace(&mut table.attended, true);
        drop(table);
        drop(earlier);
        if !attended {
            attendant::attend(self).inspect_err(|_| self.desert())?;
        } else if !noticed || !in_time {
            attendant::kick();
        }
        Ok(ticket)
    }

    /// There is no attendant: each operation sees that for itself.
    fn desert(&self) {
        let mut wakers = Vec::new();
        let mut table = self.lock();
        table.attended = false;
        table.wake_all(&mut wakers);
        self.give_back(table);
        wakers.into_iter().for_each(attendant::wake);
    }

    /// Takes an operation off the table, because it is done or dropped. Whether it was still there.
    pub(super) fn forget(&self, want: Want, ticket: u64) -> bool {
        let mut table = self.lock();
        let found = match want {
            Want::Answer { slot } => table.take_call(slot),
            Want::Slot => table.loans.remove(&ticket),
            Want::Record => table.takes.remove(&ticket),
        };
        self.give_back(table);
        // Outside the lock, as said above.
        found.is_some()
    }

    /// Ends a look at the table: what was set aside for loans that are not there any more is others' to spend.
    fn give_back(&self, mut table: MutexGuard<'_, Table>) {
        let unspent = table.loans.is_empty() && std::mem::take(&mut table.has_spent);
        drop(table);
        if unspent {
            self.arena.budget().give_back();
        }
    }

    /// What loans wait for at this moment.
    pub(super) fn lacking(&self) -> &'static str {
        if self.lock().has_spent || self.arena.budget().is_left() { SLOT } else { BUDGET }
    }

    /// How a loan is getting on, in one look.
    pub(super) fn turn(&self, ticket: u64) -> Turn {
        let mut table = self.lock();
        match table.granted.remove(&ticket) {
            Some(claim) => Turn::Granted(claim),
            None if table.loans.contains_key(&ticket) => Turn::Queued,
            None => Turn::Woken,
        }
    }

    /// Whether others have waited for a slot before.
    pub(super) fn has_a_queue(&self) -> bool {
        !self.lock().loans.is_empty()
    }

    /// Whether calls are under way that nobody spins for.
    pub(super) fn is_busy(&self) -> bool {
        self.lock().calls_waiting > 0
    }

    /// Tells another receiver of the record that one that was woken for it did not take.
    pub(super) fn pass_on(&self) {
        let arena = &self.arena;
        arena.ready_bell().ring_if(|| arena.count_ready(Look::Words, 1) > 0);
        if !self.lock().takes.is_empty() {
            attendant::kick();
        }
    }

    /// The attendant's look: announces its sleep, then wakes what has something to look at.
    pub(super) fn attend(&self, now: Instant, wakers: &mut Vec<Waker>) -> Watched {
        let arena = &self.arena;
        let mut table = self.lock();
        let all = table.next_look.is_none_or(|next| next <= now);
        let slept = table.sleeps;
        let own = arena.own_bell().prepare();
        let budget = (!table.loans.is_empty()).then(|| arena.budget().bell().prepare());
        let free = (!table.loans.is_empty()).then(|| arena.free_bell().prepare());
        let ready = (!table.takes.is_empty()).then(|| arena.ready_bell().prepare());
        if all {
            if arena.check_host().is_err() {
                table.wake_all(wakers);
            }
            table.wake_late(now, wakers);
        }
        table.wake_answered(arena, all, wakers);
        table.grant(arena, wakers);
        table.wake_for_records(arena, all, wakers);

        let loans = !table.loans.is_empty();
        table.sleeps = Sleeps {
            on_free: loans && table.has_spent,
            // Not on both: the ring for a free slot would be lost on a client that may not have it.
            on_budget: loans && !table.has_spent,
            on_ready: !table.takes.is_empty(),
        };
        if table.is_used() {
            table.last_used = Some(now);
        }
        if all {
            let nearest = table.nearest_deadline();
            table.next_look = Some(nearest.map_or(now + SLICE, |nearest| nearest.min(now + SLICE)));
        }
        if loans && arena.when_full() == WhenFull::DropOldest {
            // Nobody rings for a record that could be dropped.
            table.next_look = Some(table.next_look.map_or(now + NAP, |next| next.min(now + NAP)));
        }
        table.attended = table.last_used.is_some_and(|used| now - used < LINGER);
        let word = |bell: &Bell, prepared: u32| (std::ptr::from_ref(bell.word()), prepared);
        let mut words = vec![word(arena.own_bell(), own)];
        words.extend(free.filter(|_| table.sleeps.on_free).map(|rings| word(arena.free_bell(), rings)));
        let budget = budget.filter(|_| table.sleeps.on_budget);
        words.extend(budget.map(|rings| word(arena.budget().bell(), rings)));
        words.extend(ready.filter(|_| table.sleeps.on_ready).map(|rings| word(arena.ready_bell(), rings)));
        let watched =
            Watched { words, next_look: table.next_look.unwrap_or(now + SLICE), attended: table.attended };
        let sleeps = table.sleeps;
        self.give_back(table);
        // A ring may have woken this thread, and nobody else, for an operation that is gone.
        if slept.on_free && !sleeps.on_free {
            arena.free_bell().ring_if(|| arena.free_slots() > 0);
        }
        if slept.on_budget && !sleeps.on_budget {
            arena.budget().bell().ring_if(|| arena.budget().is_left());
        }
        if slept.on_ready && !sleeps.on_ready {
            arena.ready_bell().ring_if(|| arena.count_ready(Look::Words, 1) > 0);
        }
        watched
    }
}

impl Table {
    fn is_used(&self) -> bool {
        self.calls_waiting > 0 || !self.loans.is_empty() || !self.takes.is_empty()
    }

    fn take_call(&mut self, slot: usize) -> Option<Waiting> {
        let call = self.calls.get_mut(slot)?.take();
        self.calls_waiting -= usize::from(call.is_some());
        call
    }

    fn wake_call(&mut self, slot: usize, wakers: &mut Vec<Waker>) {
        wakers.extend(self.take_call(slot).map(|call| call.waker));
    }

    fn wake_all(&mut self, wakers: &mut Vec<Waker>) {
        (0..self.calls.len()).for_each(|slot| self.wake_call(slot, wakers));
        let others = [std::mem::take(&mut self.loans), std::mem::take(&mut self.takes)];
        wakers.extend(others.into_iter().flatten().map(|(_, waiting)| waiting.waker));
    }

    fn wake_late(&mut self, now: Instant, wakers: &mut Vec<Waker>) {
        for slot in 0..self.calls.len() {
            if self.calls[slot].as_ref().is_some_and(|call| call.is_late(now)) {
                self.wake_call(slot, wakers);
            }
        }
        for queue in [&mut self.loans, &mut self.takes] {
            let late = queue.extract_if(.., |_, waiting| waiting.is_late(now));
            wakers.extend(late.map(|(_, waiting)| waiting.waker));
        }
    }

    fn wake_answered(&mut self, arena: &Arena, all: bool, wakers: &mut Vec<Waker>) {
        if self.calls_waiting == 0 {
            return;
        }
        let mut answered = Vec::new();
        let mut look = |slot: usize| {
            if !arena.is_under_way(slot) {
                answered.push(slot);
            }
        };
        let waits = |slot: usize| self.calls[slot].is_some();
        if all {
            (0..self.calls.len()).filter(|&slot| waits(slot)).for_each(look);
        } else {
            arena.answered(waits, &mut look);
        }
        answered.into_iter().for_each(|slot| self.wake_call(slot, wakers));
    }

    /// Gives free slots to those that wait for them. What goes wrong with it each sees for itself.
    fn grant(&mut self, arena: &Arc<Arena>, wakers: &mut Vec<Waker>) {
        while !self.loans.is_empty() {
            if !self.has_spent && !arena.budget().try_spend() {
                return;
            }
            self.has_spent = true;
            let claim = match arena.try_loan_spent(Look::Words) {
                Ok(None) => return,
                Ok(Some(claim)) => {
                    self.has_spent = false;
                    Some(claim)
                }
                Err(_) => None,
            };
            let Some((ticket, waiting)) = self.loans.pop_first() else { return };
            if let Some(claim) = claim {
                self.granted.insert(ticket, claim);
            }
            wakers.push(waiting.waker);
        }
    }

    /// Wakes as many as there are records. They take them for themselves: one that was dropped meanwhile loses none.
    fn wake_for_records(&mut self, arena: &Arena, all: bool, wakers: &mut Vec<Waker>) {
        if self.takes.is_empty() {
            return;
        }
        let look = if all { Look::Words } else { Look::Hints };
        for _ in 0..arena.count_ready(look, self.takes.len()) {
            wakers.extend(self.takes.pop_first().map(|(_, waiting)| waiting.waker));
        }
    }

    fn nearest_deadline(&self) -> Option<Instant> {
        let calls = self.calls.iter().flatten();
        calls
            .chain(self.loans.values())
            .chain(self.takes.values())
            .filter_map(|waiting| waiting.deadline)
            .min()
    }
}
