//! An arena as one process sees it: mapped, checked, with a table of what this process has claimed.

#[cfg(connects)]
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64};

use super::budget::Budget;
use super::claim::{Claim, Side};
use super::control::Control;
use super::exclusive::Exclusive;
use super::header::{Header, SPARSE};
use super::hints::SMALL;
use super::layout::{Layout, Plan};
use super::loan::WhenFull;
use super::ops;
use super::queue::Queue;
use super::recent::Recent;
use super::recoveries::RecoveryCounts;
use super::shared::{ON_WORD, Shared};
use super::word::{ParticipantId, Phase, Word};
use crate::error::Error;
use crate::memory::{
    Fetch, ForkFlag, Process, Segment, SegmentOptions, monotonic_ns, precise_monotonic_ns, random_bytes,
};
use crate::schema::{Column, Schema};
use crate::sync::{AtomicU32, Ordering};
use crate::tally::{Counter, Takes};
use crate::wait::{Bell, Look, Sleep};

/// The participant that hosts the arena.
pub(crate) const HOST: ParticipantId = 1;

/// The role of the host in the participants' table.
pub(super) const HOST_ROLE: u32 = 3;

/// How many workers may die with a request, unless the service says otherwise.
pub(crate) const MAX_ATTEMPTS: u32 = 3;

/// A reading of the monotonic clock in milliseconds, which begin anew every 49 days.
#[inline]
pub(super) fn in_ms(ns: u64) -> u32 {
    (ns / 1_000_000) as u32
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Status {
    /// The reply is in the slot.
    Answered = 0,
    /// The worker's code failed; it says how in the slot's failure space.
    Failed = 1,
    /// The worker died and the request may not be repeated, or not once more.
    WorkerDied = 2,
    /// The worker lives and let go of the request without an answer.
    Dropped = 3,
    /// The caller's deadline had passed when a worker found the request.
    Expired = 4,
}

/// One of the two records a slot can hold.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) schema: Arc<Schema>,
    pub(crate) columns: Box<[Column]>,
}

/// Which record of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// The request, or the record of a one-way channel.
    Request,
    /// The reply.
    Reply,
}

/// Where a record of a claimed slot is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) base: NonNull<u8>,
    pub(crate) columns: NonNull<Column>,
    pub(crate) index: usize,
}

/// The schemas that whoever attaches expects; `None` takes what is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) request: Option<Schema>,
    pub(crate) reply: Option<Schema>,
}

/// An arena, mapped into this process.
pub(crate) struct Arena {
    pub(super) control: Control,
    pub(super) data: Segment,
    pub(super) header: Header,
    pub(super) name: String,
    pub(super) request: Part,
    pub(super) reply: Option<Part>,
    pub(super) me: ParticipantId,
    /// What this participant has claimed: 1 for each slot it holds, on whichever side its role is. No word in shared memory
    /// can make it believe that it holds a slot twice.
    pub(super) claimed: Box<[AtomicU8]>,
    /// For each slot, a bit for each field that a view handed out to another language leads to; for people who ask.
    pub(super) aliased: Box<[AtomicU64]>,
    pub(super) fork: ForkFlag,
    /// The host; `None` in the host itself.
    pub(super) host: Option<Process>,
    /// Where the next loan is looked for first, plus one: the slot given back last, whose memory is warm in this core's cache, or
    /// the next of [`Arena::round`].
    pub(super) warm: AtomicU32,
    /// Before that one, what this very thread gave back.
    pub(super) recent: Recent,
    /// How many slots loans go round.
    pub(super) round: usize,
    pub(super) when_full: WhenFull,
    pub(super) budget: Budget,
    /// Records that this participant dropped for newer ones.
    pub(super) dropped: AtomicU64,
    /// How many workers may die with a request, each having taken it alone. Only the host's number counts.
    pub(super) max_attempts: u32,
    /// What the host has done for the dead.
    pub(super) recoveries: RecoveryCounts,
    /// What is noted of the records that this process has taken, by slot.
    pub(super) takes: Takes,
    /// What this process will take next, where there are many slots.
    pub(super) queue: Exclusive<Queue>,
}

impl Arena {
    /// New memory for an arena that this process hosts. `slots_per_client` is how many slots of a service each client may hold at
    /// once; 0 for as many as there are. `look_around` is called while the memory is made and ends that with its error.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::TooManyFiles`], [`Error::InvalidSchema`], [`Error::Io`], those of `look_around`.
    pub(crate) fn create(
        name: &str,
        plan: Plan,
        flags: u32,
        slots_per_client: u32,
        look_around: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Arena, Error> {
        let layout = Layout::of(&plan)?;
        let data_options = SegmentOptions { sparse: flags & SPARSE != 0 };
        let mut segment = |label, size, options| Segment::create(label, size, options, look_around);
        let control = segment("tensorbridge-control", layout.control_size, SegmentOptions::default())?;
        let data = segment("tensorbridge-data", layout.data_size, data_options)?;
        let header = Header { slots_per_client, ..Header::new(name, &plan, &layout, flags, random_bytes()?) };
        let control = Control::new(control, layout);
        control.publish(
            &header,
            &plan.request.encode(),
            &plan.reply.as_ref().map(Schema::encode).unwrap_or_default(),
        );
        let arena = Arena::assemble(control, data, header, plan, HOST, None)?;
        arena.enter(HOST, std::process::id(), HOST_ROLE);
        Ok(arena)
    }

    pub(super) fn assemble(
        control: Control,
        data: Segment,
        header: Header,
        plan: Plan,
        me: ParticipantId,
        host: Option<Process>,
    ) -> Result<Arena, Error> {
        let Plan { slots, request, reply } = plan;
        let round = super::loan::round(control.layout().data_size / slots, slots);
        let part = |schema, columns: &[Column]| Part { schema: Arc::new(schema), columns: columns.into() };
        Ok(Arena {
            name: header.name(),
            request: part(request, &control.layout().request_columns),
            reply: reply.map(|schema| part(schema, &control.layout().reply_columns)),
            control,
            data,
            header,
            me,
            claimed: (0..slots).map(|_| AtomicU8::new(0)).collect(),
            aliased: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            fork: ForkFlag::new()?,
            host,
            warm: AtomicU32::new(0),
            recent: Recent::new(slots),
            round,
            when_full: WhenFull::default(),
            budget: Budget::new(0, 0),
            dropped: AtomicU64::new(0),
            max_attempts: MAX_ATTEMPTS,
            recoveries: RecoveryCounts::default(),
            takes: Takes::new(slots),
            queue: Exclusive::default(),
        })
    }

    /// The same arena with another bound on how many workers may die with a request.
    pub(crate) fn with_max_attempts(mut self, attempts: u32) -> Arena {
        self.max_attempts = attempts;
        self
    }

    pub(super) fn control(&self) -> &Control {
        &self.control
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn slots(&self) -> usize {
        self.control.slots()
    }

    /// The record of a channel, or the request of a service.
    pub(crate) fn request(&self) -> &Part {
        &self.request
    }

    /// The reply of a service.
    pub(crate) fn reply(&self) -> Option<&Part> {
        self.reply.as_ref()
    }

    /// # Panics
    /// If a reply is asked of a one-way channel.
    #[inline]
    pub(crate) fn part(&self, half: Half) -> &Part {
        match half {
            Half::Request => &self.request,
            Half::Reply => self.reply.as_ref().expect("only services have replies"),
        }
    }

    /// CONTROL and DATA, to be handed to another process.
    #[cfg(connects)]
    pub(crate) fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.control.segment().fd(), self.data.fd()]
    }

    pub(crate) fn data(&self) -> &Segment {
        &self.data
    }

    /// Whether `slot` has become free `generation` times and somebody holds it.
    pub(crate) fn is_held(&self, slot: usize, generation: u64) -> bool {
        let word = Word(self.control.word(slot).load(Ordering::Acquire));
        word.generation() == generation && !word.is(Phase::Free)
    }

    pub(crate) fn ready_bell(&self) -> &Bell {
        self.control.ready_bell()
    }

    pub(crate) fn free_bell(&self) -> &Bell {
        self.control.free_bell()
    }

    /// Rung when a call of this participant was answered whose caller announced itself with [`Arena::sleep_on_bell`].
    pub(crate) fn own_bell(&self) -> &Bell {
        self.control.participant_bell(self.me).expect("a participant has a row")
    }

    /// Announces that the caller of a slot will sleep on [`Arena::own_bell`]. After this it looks at the slot once more.
    pub(crate) fn sleep_on_bell(&self, slot: usize) {
        ops::sleep_on_bell(&self.control, slot);
    }

    /// Visits the slots of those calls that may have been answered and are `mine`.
    pub(crate) fn answered(&self, mine: impl Fn(usize) -> bool, visit: impl FnMut(usize)) {
        ops::answered(&self.control, mine, visit);
    }

    /// Whether the call in a slot of this participant's is still under way.
    pub(crate) fn is_under_way(&self, slot: usize) -> bool {
        let word = Word(self.control.word(slot).load(Ordering::Acquire));
        word.sender() == self.me && matches!(word.phase(), Some(Phase::Ready | Phase::Taken))
    }

    /// How many records are ready, up to `most`.
    pub(crate) fn count_ready(&self, look: Look, most: usize) -> usize {
        ops::count_ready(&self.control, look, most)
    }

    /// What a caller sleeps on until its slot's word changes.
    pub(crate) fn caller_place(&self, slot: usize) -> impl Sleep + '_ {
        CallerPlace { control: &self.control, slot }
    }

    /// Whether this is a forked child of the process that attached.
    ///
    /// # Errors
    /// [`Error::Forked`].
    #[inline]
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.fork.in_child() { Err(Error::Forked) } else { Ok(()) }
    }

    /// Says to everybody attached that this process hosts the arena no more.
    pub(crate) fn close(&self) {
        self.control.close();
    }

    /// Whether its host has closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.control.is_closed()
    }

    /// Whether the host still lives and hosts the arena.
    ///
    /// # Errors
    /// [`Error::HostDied`].
    pub(crate) fn check_host(&self) -> Result<(), Error> {
        let Some(host) = &self.host else { return Ok(()) };
        if self.control.is_closed() || host.has_ended() {
            return Err(Error::HostDied { name: self.name.clone(), pid: self.header.host_pid });
        }
        Ok(())
    }

    /// The host's pidfd, readable once the host is dead; `None` in the host itself.
    #[cfg(connects)]
    pub(crate) fn host_pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.host.as_ref().map(AsFd::as_fd)
    }

    /// The error for a word that no honest peer writes.
    pub(super) fn corrupt(&self, slot: usize, word: Word) -> Error {
        self.corrupted(format!("slot {slot} is {word:?}"))
    }

    // Always: the claim is then made where it is wanted, and not copied there.
    #[inline(always)]
    pub(super) fn claim(
        self: &Arc<Self>,
        slot: usize,
        word: Word,
        side: Side,
        now: u64,
    ) -> Result<Claim, Error> {
        self.note_claim(slot, word, side, now)?;
        Ok(Claim::new(Arc::clone(self), slot, word.generation(), side))
    }

    /// What a claim of a slot leaves behind, of which the word says that it is this process's.
    #[inline(always)]
    pub(super) fn note_claim(&self, slot: usize, word: Word, side: Side, now: u64) -> Result<(), Error> {
        if self.claimed[slot].swap(1, Ordering::AcqRel) != 0 {
            // The word said free, or ready, while this process still holds the slot.
            return Err(self.corrupt(slot, word));
        }
        let block = self.control.block(slot);
        let since = match side {
            Side::Sender => &block.sender_since,
            Side::Receiver => &block.receiver_since,
        };
        let now = in_ms(now);
        // Mostly the same for many calls; a write would take the line from a peer that watches the word.
        if since.load(Ordering::Relaxed) != now {
            since.store(now, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The READY record that was sent first, or `None`. A request whose caller's deadline has passed is not handed out.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn try_take(self: &Arc<Self>, look: Look) -> Result<Option<Claim>, Error> {
        self.take_of(|| self.take_first(look))
    }

    /// As [`Arena::try_take`], if an earlier look found it: no line is read that senders write.
    ///
    /// # Errors
    /// As [`Arena::try_take`].
    #[inline(always)]
    pub(crate) fn try_take_seen(self: &Arc<Self>) -> Result<Option<Claim>, Error> {
        if self.slots() <= SMALL {
            return Ok(None);
        }
        self.take_of(|| self.take_queued(|queue| ops::take_seen(&self.control, self.me, queue))?)
    }

    #[inline(always)]
    fn take_of(
        self: &Arc<Self>,
        mut take: impl FnMut() -> Option<(usize, Word)>,
    ) -> Result<Option<Claim>, Error> {
        self.check_process()?;
        // More than there are slots come only from a peer that makes them up.
        for _ in 0..self.slots() {
            let Some((slot, word)) = take() else { return Ok(None) };
            let now = monotonic_ns();
            let claim = self.claim(slot, word, Side::Receiver, now)?;
            if claim.is_expired(now) {
                claim.expire()?;
                continue;
            }
            self.note_taken(slot);
            return Ok(Some(claim));
        }
        Ok(None)
    }

    #[inline]
    fn take_first(&self, look: Look) -> Option<(usize, Word)> {
        let queued = |queue: &mut Queue| ops::take_queued(&self.control, self.me, look, queue);
        let taken = if self.slots() > SMALL { self.take_queued(queued) } else { None };
        // The words are few, or another thread is at the queue: then this one is a receiver like any other.
        taken.unwrap_or_else(|| ops::take(&self.control, self.me, look))
    }

    /// What `take` gives of the queue; `None` when another thread is at it.
    #[inline]
    fn take_queued<T>(&self, take: impl FnOnce(&mut Queue) -> Option<T>) -> Option<Option<T>> {
        const AHEAD: usize = 4;
        self.queue.try_use(|queue| {
            let taken = take(queue);
            // Of what comes soon the lines are fetched while others are worked on: its sender has them.
            if let Some(slot) = queue.ahead(AHEAD) {
                self.control.fetch(slot);
                self.fetch_record(slot, Fetch::ToRead);
            }
            taken
        })
    }

    /// Begins to fetch the first lines of a slot's request.
    #[inline]
    pub(super) fn fetch_record(&self, slot: usize, fetch: Fetch) {
        const MOST: usize = 2;
        for column in self.request.columns.iter().take(MOST) {
            let place = self.data.base().as_ptr().wrapping_add(column.offset + slot * column.stride);
            fetch.line(place);
        }
    }

    /// Before a record becomes READY: nothing of its reply is there, and nobody has it.
    #[inline]
    pub(super) fn clear_reply(&self, slot: usize) {
        let block = self.control.block(slot);
        block.reply_presence.store(0, Ordering::Relaxed);
        block.status.store(Status::Answered as u32, Ordering::Relaxed);
        let first_reply_dim = self.request.schema.dims().len();
        for dim in 0..self.reply.as_ref().map_or(0, |part| part.schema.dims().len()) {
            self.control.dim(slot, first_reply_dim + dim).store(u64::MAX, Ordering::Relaxed);
        }
    }

    /// Lets go of a side of a slot. Called by a dropped [`Claim`] only.
    #[inline]
    pub(super) fn release(&self, slot: usize, side: Side) {
        if self.release_unannounced(slot, side) {
            ops::announce_free(&self.control, slot..slot + 1);
        }
    }

    /// As [`Arena::release`]; whether the slot became free, which is left to be announced.
    #[inline]
    pub(super) fn release_unannounced(&self, slot: usize, side: Side) -> bool {
        if self.fork.in_child() {
            return false;
        }
        // Before the word: once that is free, another thread of this process may claim the slot.
        self.claimed[slot].store(0, Ordering::Release);
        let service = self.reply.is_some();
        let mut ended = None;
        // Whoever read a large record has its lines, see `round`.
        let mut is_warm = self.round == 1;
        let result = match side {
            Side::Sender => {
                is_warm |= Word(self.control.word(slot).load(Ordering::Acquire)).is(Phase::Loaned);
                ops::let_go_unannounced(&self.control, slot, |word| word.release_sender(self.me, service))
            }
            Side::Receiver => {
                if Word(self.control.word(slot).load(Ordering::Acquire)).is(Phase::Taken) {
                    ended = Some(self.takes.end(slot));
                    if service {
                        let status = Status::Dropped as u32;
                        self.control.block(slot).status.store(status, Ordering::Relaxed);
                    }
                }
                ops::let_go_unannounced(&self.control, slot, |word| word.release_receiver(self.me))
            }
        };
        if let Some(taken) = ended {
            let how = if service { Counter::Dropped } else { Counter::EndedAlone };
            taken.count(self.tally(), how, precise_monotonic_ns);
        }
        match result {
            Ok(word) if word.is(Phase::Free) => {
                if is_warm {
                    self.recent.push(slot);
                }
                if self.round == 1 {
                    self.warm.store(slot as u32 + 1, Ordering::Relaxed);
                }
                true
            }
            Ok(_) => false,
            Err(word) => {
                tracing::error!(
                    target: "tensorbridge",
                    arena = self.name,
                    slot,
                    ?word,
                    "a peer changed a slot that this process held"
                );
                false
            }
        }
    }

    /// Registers a participant in CONTROL; the host does it before the participant learns its number.
    pub(crate) fn enter(&self, id: ParticipantId, pid: u32, role: u32) {
        let row = self.control.participant(id).expect("the host gives out numbers that have a row");
        row.pid.store(pid, Ordering::Relaxed);
        row.joined.store(monotonic_ns(), Ordering::Relaxed);
        row.role.store(role, Ordering::Relaxed);
        row.state.store(1, Ordering::Release);
    }

    /// Notes that a participant whom the host let in has mapped and checked the arena.
    pub(crate) fn confirm(&self, id: ParticipantId) {
        if let Some(row) = self.control.participant(id) {
            // Refused when the participant has left again already.
            let _ = row.state.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Whether process `pid` has attached to receive.
    pub(crate) fn is_attached(&self, pid: u32) -> bool {
        (HOST + 1..=super::word::MAX_PARTICIPANT).filter_map(|id| self.control.participant(id)).any(|row| {
            row.state.load(Ordering::Acquire) == 2
                && row.pid.load(Ordering::Relaxed) == pid
                && row.role.load(Ordering::Relaxed) == 2
        })
    }

    /// A participant number that nobody has and that may be given out, or `None`.
    pub(crate) fn vacant(&self, allowed: impl Fn(ParticipantId) -> bool) -> Option<ParticipantId> {
        let vacant = |id: &ParticipantId| {
            self.control.participant(*id).is_some_and(|row| row.state.load(Ordering::Acquire) == 0)
        };
        (HOST + 1..=super::word::MAX_PARTICIPANT).filter(|id| allowed(*id)).find(vacant)
    }

    /// Takes a participant off the table.
    pub(crate) fn retire(&self, id: ParticipantId) {
        if let Some(row) = self.control.participant(id) {
            row.state.store(0, Ordering::Release);
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // Every claim holds the arena, so by now this participant holds nothing and its row can be given away.
        if self.host.is_some() && !self.fork.in_child() {
            self.retire(self.me);
        }
    }
}

struct CallerPlace<'a> {
    control: &'a Control,
    slot: usize,
}

impl Sleep for CallerPlace<'_> {
    fn prepare(&self) -> u32 {
        self.control.caller_asleep(self.slot).store(ON_WORD, Ordering::Relaxed);
        crate::sync::fence(Ordering::SeqCst);
        Word(self.control.word(self.slot).load(Ordering::Acquire)).low()
    }

    fn sleep(&self, prepared: u32, timeout: std::time::Duration) {
        crate::wait::futex_wait(self.control.low_half(self.slot), prepared, timeout);
    }
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::RING_ORDER;
    use super::super::testing::three;
    use super::*;

    #[test]
    fn a_wait_for_a_slot_does_not_disturb_the_order_of_the_ring() {
        let [_host, client, _] = three(true, RING_ORDER);
        let loan = || client.try_loan(Look::Words).unwrap();
        let claims: Vec<_> = std::iter::from_fn(loan).collect();
        assert!(claims.iter().map(|claim| claim.slot()).eq(0..20));
        // What spins for a free slot looks many times.
        assert!((0..7).all(|_| loan().is_none()));
        drop(claims);
        assert!(std::iter::from_fn(loan).map(|claim| claim.slot()).take(20).eq(0..20));
    }
}
