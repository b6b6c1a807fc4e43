//! An arena as one process sees it: mapped, checked, with a table of what this process has claimed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use super::claim::{Claim, Side};
use super::control::Control;
use super::header::{Header, RING_ORDER, SPARSE};
use super::layout::{FAILURE_SIZE, Layout, Plan};
use super::ops;
use super::shared::Shared;
use super::word::{ParticipantId, Phase, Word};
use crate::error::{Error, RemoteError, SchemaMismatch};
use crate::memory::{ForkFlag, Segment, SegmentOptions};
use crate::schema::{Column, Schema};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::wait::{Bell, Look, Sleep};

/// The participant that hosts the arena.
pub(crate) const HOST: ParticipantId = 1;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Status {
    /// The reply is in the slot.
    Answered = 0,
    /// The worker's code failed; it says how in the slot's failure space.
    Failed = 1,
    /// The worker died, or gave up, and the request may not be repeated.
    WorkerDied = 2,
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
    control: Control,
    data: Segment,
    header: Header,
    name: String,
    request: Part,
    reply: Option<Part>,
    me: ParticipantId,
    /// What this participant has claimed: 1 for each slot it holds, on whichever side its role is. No word in shared memory
    /// can make it believe that it holds a slot twice.
    claimed: Box<[AtomicU8]>,
    fork: ForkFlag,
    /// The host's pidfd; `None` in the host itself.
    host: Option<OwnedFd>,
    /// The slot this process used last, plus one; its memory is warm in this core's cache.
    warm: AtomicU32,
}

impl Arena {
    /// New memory for an arena that this process hosts.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::TooManyFiles`], [`Error::InvalidSchema`], [`Error::Io`].
    pub(crate) fn create(name: &str, plan: Plan, flags: u32) -> Result<Arena, Error> {
        let layout = Layout::of(&plan)?;
        let data_options = SegmentOptions { sparse: flags & SPARSE != 0 };
        let control =
            Segment::create("tensorbridge-control", layout.control_size, SegmentOptions::default())?;
        let data = Segment::create("tensorbridge-data", layout.data_size, data_options)?;
        let header = Header::new(name, &plan, &layout, flags, random_epoch()?);
        let control = Control::new(control, layout);
        control.publish(
            &header,
            &plan.request.encode(),
            &plan.reply.as_ref().map(Schema::encode).unwrap_or_default(),
        );
        let arena = Arena::assemble(control, data, header, plan, HOST, None)?;
        arena.enter(HOST, std::process::id(), 3);
        Ok(arena)
    }

    /// Maps an arena that a host handed over, after checking everything that can be checked.
    ///
    /// # Errors
    /// [`Error::BadSegment`], [`Error::AbiMismatch`], [`Error::SchemaForm`], [`Error::SchemaMismatch`],
    /// [`Error::OutOfMemory`].
    pub(crate) fn attach(
        control: OwnedFd,
        data: OwnedFd,
        host: OwnedFd,
        me: ParticipantId,
        expected: &Expected,
    ) -> Result<Arena, Error> {
        let bad = |reason: String| Error::BadSegment { reason };
        let control = Segment::open(control, None, SegmentOptions::default())?;
        let header =
            Control::read_header(&control).ok_or_else(|| bad("it is smaller than a header".into()))?;
        header.check_kind()?;
        if !Control::is_ready(&control) {
            return Err(bad("its host has not finished it".into()));
        }
        let schema = |offset, len| {
            let bytes = Control::read_bytes(&control, offset, len)
                .ok_or_else(|| bad("its schema lies outside it".into()))?;
            Ok::<Schema, Error>(Schema::decode(&bytes)?)
        };
        let request = schema(header.request_schema, header.request_schema_len)?;
        let reply = match header.kind {
            2 => Some(schema(header.reply_schema, header.reply_schema_len)?),
            _ => None,
        };
        let plan = Plan { slots: header.slots as usize, request, reply };
        check_expected(&header.name(), &plan, expected)?;
        let layout = Layout::of(&plan)?;
        // The host's numbers are not used, but numbers that differ mean another layout, so nothing would be where it is
        // looked for.
        let recomputed = Header {
            host_pid: header.host_pid,
            host_uid: header.host_uid,
            created: header.created,
            name: header.name,
            ..Header::new("", &plan, &layout, header.flags, header.epoch)
        };
        if recomputed != header {
            return Err(bad("its header does not describe its contents".into()));
        }
        if control.len() != layout.control_size {
            let (found, expected) = (control.len(), layout.control_size);
            return Err(bad(format!("CONTROL has {found} bytes instead of {expected}")));
        }
        let options = SegmentOptions { sparse: header.flags & SPARSE != 0 };
        let data = Segment::open(data, Some(layout.data_size), options)?;
        Arena::assemble(Control::new(control, layout), data, header, plan, me, Some(host))
    }

    fn assemble(
        control: Control,
        data: Segment,
        header: Header,
        plan: Plan,
        me: ParticipantId,
        host: Option<OwnedFd>,
    ) -> Result<Arena, Error> {
        let Plan { slots, request, reply } = plan;
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
            fork: ForkFlag::new()?,
            host,
            warm: AtomicU32::new(0),
        })
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
    pub(crate) fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.control.segment().fd(), self.data.fd()]
    }

    pub(crate) fn data(&self) -> &Segment {
        &self.data
    }

    pub(crate) fn ready_bell(&self) -> &Bell {
        self.control.ready_bell()
    }

    pub(crate) fn free_bell(&self) -> &Bell {
        self.control.free_bell()
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

    /// Whether the host still lives.
    ///
    /// # Errors
    /// [`Error::HostDied`].
    pub(crate) fn check_host(&self) -> Result<(), Error> {
        let Some(host) = &self.host else { return Ok(()) };
        if has_ended(host.as_fd()) {
            return Err(Error::HostDied { name: self.name.clone(), pid: self.header.host_pid });
        }
        Ok(())
    }

    /// The host's pidfd, readable once the host is dead; `None` in the host itself.
    pub(crate) fn host_pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.host.as_ref().map(|fd| fd.as_fd())
    }

    /// The error for a word that no honest peer writes.
    fn corrupt(&self, slot: usize, word: Word) -> Error {
        Error::Corrupt { name: self.name.clone(), what: format!("slot {slot} is {word:?}") }
    }

    #[inline]
    fn claim(self: &Arc<Self>, slot: usize, word: Word, side: Side) -> Result<Claim, Error> {
        if self.claimed[slot].swap(1, Ordering::AcqRel) != 0 {
            // The word said free, or ready, while this process still holds the slot.
            return Err(self.corrupt(slot, word));
        }
        self.control.block(slot).since.store(monotonic_ns(), Ordering::Relaxed);
        Ok(Claim::new(Arc::clone(self), slot, word.generation(), side))
    }

    /// A free slot, or `None`.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn try_loan(self: &Arc<Self>, look: Look) -> Result<Option<Claim>, Error> {
        self.check_process()?;
        let found = if self.header.flags & RING_ORDER != 0 {
            let start = self.control.loan_cursor().fetch_add(1, Ordering::Relaxed) as usize;
            ops::loan(&self.control, self.me, start, look)
        } else {
            // Two threads may see the same slot here; the word decides who has it.
            let warm = self.warm.load(Ordering::Relaxed) as usize;
            let hot = warm.checked_sub(1).and_then(|slot| ops::loan_slot(&self.control, self.me, slot));
            hot.or_else(|| ops::loan(&self.control, self.me, usize::from(self.me), look))
        };
        let Some((slot, word)) = found else { return Ok(None) };
        let claim = self.claim(slot, word, Side::Sender)?;
        let block = self.control.block(slot);
        settle_at(&block.sender_fields, 0);
        settle_at(&block.receiver_fields, 0);
        Ok(Some(claim))
    }

    /// The READY record that was sent first, or `None`.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn try_take(self: &Arc<Self>, look: Look) -> Result<Option<Claim>, Error> {
        self.check_process()?;
        let Some((slot, word)) = ops::take(&self.control, self.me, look) else { return Ok(None) };
        let claim = self.claim(slot, word, Side::Receiver)?;
        let block = self.control.block(slot);
        block.reply_presence.store(0, Ordering::Relaxed);
        block.status.store(Status::Answered as u32, Ordering::Relaxed);
        let first_reply_dim = self.request.schema.dims().len();
        for dim in 0..self.reply.as_ref().map_or(0, |part| part.schema.dims().len()) {
            self.control.dim(slot, first_reply_dim + dim).store(u64::MAX, Ordering::Relaxed);
        }
        Ok(Some(claim))
    }

    /// Lets go of a side of a slot. Called by a dropped [`Claim`] only.
    #[inline]
    pub(super) fn release(&self, slot: usize, side: Side) {
        if self.fork.in_child() {
            return;
        }
        // Before the word: once that is free, another thread of this process may claim the slot.
        self.claimed[slot].store(0, Ordering::Release);
        let service = self.reply.is_some();
        let result = match side {
            Side::Sender => ops::let_go(&self.control, slot, |word| word.release_sender(self.me, service)),
            Side::Receiver => {
                if service && Word(self.control.word(slot).load(Ordering::Acquire)).is(Phase::Taken) {
                    let status = Status::WorkerDied as u32;
                    self.control.block(slot).status.store(status, Ordering::Relaxed);
                }
                ops::let_go(&self.control, slot, |word| word.release_receiver(self.me))
            }
        };
        match result {
            Ok(word) if word.is(Phase::Free) => self.warm.store(slot as u32 + 1, Ordering::Relaxed),
            Ok(_) => {}
            Err(word) => {
                tracing::error!(
                    arena = self.name,
                    slot,
                    ?word,
                    "a peer changed a slot that this process held"
                );
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

    /// Whether process `pid` has attached to receive.
    pub(crate) fn is_attached(&self, pid: u32) -> bool {
        (HOST + 1..=super::word::MAX_PARTICIPANT).filter_map(|id| self.control.participant(id)).any(|row| {
            row.state.load(Ordering::Acquire) == 1
                && row.pid.load(Ordering::Relaxed) == pid
                && row.role.load(Ordering::Relaxed) == 2
        })
    }

    /// A participant number that nobody has, or `None`.
    pub(crate) fn vacant(&self) -> Option<ParticipantId> {
        let vacant = |id: &ParticipantId| {
            self.control.participant(*id).is_some_and(|row| row.state.load(Ordering::Acquire) == 0)
        };
        (HOST + 1..=super::word::MAX_PARTICIPANT).find(vacant)
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

/// What the transitions of a claimed slot leave behind for the other side.
impl Claim {
    /// Where a record of the slot is.
    #[inline]
    pub(crate) fn place(&self, half: Half) -> Place {
        let columns = &self.arena().part(half).columns;
        Place {
            base: self.arena().data.base(),
            columns: NonNull::from(&**columns).cast(),
            index: self.slot(),
        }
    }

    #[inline]
    fn write_record(&self, half: Half, presence: u64, dims: impl Fn(usize) -> Option<u64>) {
        let arena = self.arena();
        let block = arena.control.block(self.slot());
        let (word, first) = match half {
            Half::Request => (&block.request_presence, 0),
            Half::Reply => (&block.reply_presence, arena.request.schema.dims().len()),
        };
        word.store(presence, Ordering::Relaxed);
        for dim in 0..arena.part(half).schema.dims().len() {
            let length = dims(dim).unwrap_or(u64::MAX);
            arena.control.dim(self.slot(), first + dim).store(length, Ordering::Relaxed);
        }
    }

    /// What the other side states of a record: presence bits, and a function for its dimensions. Read once.
    pub(crate) fn read_record(&self, half: Half) -> (u64, impl Fn(usize) -> u64 + '_) {
        let arena = self.arena();
        let block = arena.control.block(self.slot());
        let (word, first) = match half {
            Half::Request => (&block.request_presence, 0),
            Half::Reply => (&block.reply_presence, arena.request.schema.dims().len()),
        };
        let presence = word.load(Ordering::Relaxed);
        (presence, move |dim| arena.control.dim(self.slot(), first + dim).load(Ordering::Relaxed))
    }

    /// LOANED -> READY. With `keep_hold` the claim stays good: for a call, or while aliases live. `aliased` are the
    /// fields that do, one bit each.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn publish(
        &self,
        presence: u64,
        dims: impl Fn(usize) -> Option<u64>,
        keep_hold: bool,
        aliased: u64,
    ) -> Result<(), Error> {
        let arena = self.arena();
        arena.check_process()?;
        self.write_record(Half::Request, presence, dims);
        let block = arena.control.block(self.slot());
        block.attempts.store(0, Ordering::Relaxed);
        settle_at(&block.deadline, 0);
        settle_at(&block.sender_fields, aliased);
        self.hand_over(keep_hold, || ops::publish(&arena.control, arena.me, self.slot(), keep_hold))
    }

    /// TAKEN -> DONE with a reply, or, in a one-way channel, with nothing to say.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn answer(
        &self,
        presence: u64,
        dims: impl Fn(usize) -> Option<u64>,
        keep_hold: bool,
        aliased: u64,
    ) -> Result<(), Error> {
        self.write_record(Half::Reply, presence, dims);
        self.finish(Status::Answered, keep_hold, aliased)
    }

    /// TAKEN -> DONE with a failure.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub(crate) fn fail(&self, failure: &RemoteError, keep_hold: bool, aliased: u64) -> Result<(), Error> {
        self.arena().write_failure(self.slot(), failure);
        self.finish(Status::Failed, keep_hold, aliased)
    }

    fn finish(&self, status: Status, keep_hold: bool, aliased: u64) -> Result<(), Error> {
        let arena = self.arena();
        arena.check_process()?;
        let block = arena.control.block(self.slot());
        block.status.store(status as u32, Ordering::Relaxed);
        settle_at(&block.receiver_fields, aliased);
        self.hand_over(keep_hold, || {
            ops::let_go(&arena.control, self.slot(), |word| word.finish(arena.me, keep_hold))
        })
    }

    /// Runs a transition that, unless `keep_hold`, gives this claim's hold away.
    #[inline]
    fn hand_over(
        &self,
        keep_hold: bool,
        transition: impl FnOnce() -> Result<Word, Word>,
    ) -> Result<(), Error> {
        let arena = self.arena();
        if !keep_hold {
            // Before the transition: after it another thread of this process may claim the slot.
            arena.claimed[self.slot()].store(0, Ordering::Release);
            self.settle();
        }
        let result = transition();
        if keep_hold && result.is_err() {
            // Whatever a hostile word says, this process is done with the slot.
            arena.claimed[self.slot()].store(0, Ordering::Release);
            self.settle();
        }
        result.map(|_| ()).map_err(|word| arena.corrupt(self.slot(), word))
    }

    /// How the call ended, or `None` while it has not.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the slot is no longer this caller's.
    #[inline]
    pub(crate) fn outcome(&self) -> Result<Option<Status>, Error> {
        let arena = self.arena();
        let word = Word(arena.control.word(self.slot()).load(Ordering::Acquire));
        let mine = word.sender() == arena.me && word.generation() == self.generation();
        match word.phase() {
            Some(Phase::Ready | Phase::Taken) if mine => Ok(None),
            Some(Phase::Done) if mine => {
                match arena.control.block(self.slot()).status.load(Ordering::Relaxed) {
                    0 => Ok(Some(Status::Answered)),
                    1 => Ok(Some(Status::Failed)),
                    2 => Ok(Some(Status::WorkerDied)),
                    other => Err(Error::Corrupt {
                        name: arena.name.clone(),
                        what: format!("the status of slot {} is {other}", self.slot()),
                    }),
                }
            }
            _ => Err(arena.corrupt(self.slot(), word)),
        }
    }

    /// The caller gives up, while aliases may live on: a request that nobody took is withdrawn.
    pub(crate) fn leave(&self) {
        let arena = self.arena();
        // A refusal means that a peer changed the word; letting go reports it.
        let _ = ops::step(&arena.control, self.slot(), |word| word.leave(arena.me));
    }

    /// From here on the request may not be handed to another worker.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub(crate) fn mark_not_repeatable(&self) -> Result<(), Error> {
        let arena = self.arena();
        ops::step(&arena.control, self.slot(), |word| word.mark_not_repeatable(arena.me))
            .map(|_| ())
            .map_err(|word| arena.corrupt(self.slot(), word))
    }

    /// The failure that the worker left.
    pub(crate) fn failure(&self) -> RemoteError {
        self.arena().read_failure(self.slot())
    }
}

/// Bytes of the three lengths in front of a failure's texts.
const FAILURE_HEAD: usize = 12;

impl Arena {
    fn failure_space(&self, slot: usize) -> *mut u8 {
        assert!(slot < self.slots() && self.reply.is_some());
        let offset = self.control.layout().failures + slot * FAILURE_SIZE;
        self.data.base().as_ptr().wrapping_add(offset)
    }

    /// Writes type, message and traceback, as much of them as fits: the end of the traceback rather than its beginning.
    fn write_failure(&self, slot: usize, failure: &RemoteError) {
        let room = FAILURE_SIZE - FAILURE_HEAD;
        let cut = |text: &str, room: usize| text[..text.floor_char_boundary(room)].to_owned();
        let type_name = cut(&failure.type_name, 200);
        let message = cut(&failure.message, room / 2);
        let left = room - type_name.len() - message.len();
        let skip = failure.traceback.len().saturating_sub(left);
        let traceback = &failure.traceback[failure.traceback.ceil_char_boundary(skip)..];
        let mut bytes = Vec::with_capacity(FAILURE_SIZE);
        for text in [type_name.as_str(), message.as_str(), traceback] {
            bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        }
        for text in [type_name.as_str(), message.as_str(), traceback] {
            bytes.extend_from_slice(text.as_bytes());
        }
        debug_assert!(bytes.len() <= FAILURE_SIZE);
        // SAFETY: the space of this slot is FAILURE_SIZE bytes inside DATA by the layout, the bytes fit it, and the worker
        // that holds the slot is the only one that writes it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.failure_space(slot), bytes.len()) };
    }

    fn read_failure(&self, slot: usize) -> RemoteError {
        let mut bytes = [0; FAILURE_SIZE];
        // SAFETY: the space of this slot is FAILURE_SIZE bytes inside DATA by the layout; a peer that writes meanwhile
        // changes which bytes are copied, not where.
        unsafe { std::ptr::copy_nonoverlapping(self.failure_space(slot), bytes.as_mut_ptr(), FAILURE_SIZE) };
        let (head, mut texts) = bytes.split_at(FAILURE_HEAD);
        let mut text = |index: usize| {
            let length = u32::from_le_bytes([
                head[4 * index],
                head[4 * index + 1],
                head[4 * index + 2],
                head[4 * index + 3],
            ]);
            let (text, rest) = texts.split_at((length as usize).min(texts.len()));
            texts = rest;
            String::from_utf8_lossy(text).into_owned()
        };
        RemoteError { type_name: text(0), message: text(1), traceback: text(2) }
    }
}

struct CallerPlace<'a> {
    control: &'a Control,
    slot: usize,
}

impl Sleep for CallerPlace<'_> {
    fn prepare(&self) -> u32 {
        self.control.caller_asleep(self.slot).store(1, Ordering::Relaxed);
        crate::sync::fence(Ordering::SeqCst);
        Word(self.control.word(self.slot).load(Ordering::Acquire)).low()
    }

    fn sleep(&self, prepared: u32, timeout: std::time::Duration) -> bool {
        crate::wait::futex_wait(self.control.low_half(self.slot), prepared, timeout)
    }
}

/// Whether the process of a pidfd has ended.
pub(crate) fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

/// Stores a value that is almost always there already, without taking the cache line from whoever reads it.
#[inline]
fn settle_at(word: &AtomicU64, value: u64) {
    if word.load(Ordering::Relaxed) != value {
        word.store(value, Ordering::Relaxed);
    }
}

/// Nanoseconds of a clock that all processes of the machine share; good to a few milliseconds, which ages need, at the
/// price of two loads.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn random_epoch() -> Result<[u8; 16], Error> {
    let mut epoch = [0; 16];
    rustix::rand::getrandom(&mut epoch, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::Io { what: "getrandom", source: errno.into() })?;
    Ok(epoch)
}

fn check_expected(name: &str, plan: &Plan, expected: &Expected) -> Result<(), Error> {
    let what = if plan.reply.is_some() { "request" } else { "record" };
    compare(name, what, expected.request.as_ref(), &plan.request)?;
    match (&expected.reply, &plan.reply) {
        (Some(ours), Some(theirs)) => compare(name, "reply", Some(ours), theirs),
        (None, _) => Ok(()),
        (Some(_), None) => Err(Error::Refused {
            name: name.to_owned(),
            reason: "it is a one-way channel, not a service: use a Sender or a Receiver".to_owned(),
        }),
    }
}

fn compare(arena: &str, what: &'static str, ours: Option<&Schema>, theirs: &Schema) -> Result<(), Error> {
    let Some(ours) = ours else { return Ok(()) };
    let Some(difference) = ours.difference(theirs) else { return Ok(()) };
    Err(Error::SchemaMismatch(Box::new(SchemaMismatch {
        arena: arena.to_owned(),
        what,
        ours: ours.to_string(),
        ours_fingerprint: ours.fingerprint().to_string(),
        theirs: theirs.to_string(),
        theirs_fingerprint: theirs.fingerprint().to_string(),
        difference,
    })))
}
