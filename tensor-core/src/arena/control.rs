//! CONTROL, mapped: addresses of shared words, and nothing about what they mean.

use std::mem::offset_of;

use super::header::Header;
use super::hints::Hints;
use super::layout::{HEADER_SIZE, LINE_PAIR, Layout, PARTICIPANT_SIZE, PARTICIPANTS};
use super::mapped::Status;
use super::shared::Shared;
use super::ticket::Ticket;
use super::word::ParticipantId;
use crate::memory::{Fetch, Segment, precise_monotonic_ns};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::tally::{Pace, ROW_SIZE, ROW_WORDS, ROWS, Row};
use crate::wait::{Bell, futex_wake};

/// The words of the header page that change, each on lines of its own.
#[repr(C)]
struct Live {
    loan_cursor: Padded<AtomicU64>,
    tickets: Padded<Tickets>,
    ready_bell: Padded<Bell>,
    free_bell: Padded<Bell>,
    /// 1 once the host has written everything, which it stores last; 2 once it hosts no more.
    state: Padded<AtomicU32>,
    /// Changes whenever a slot has become ready, see [`Watch`](super::watch::Watch). Apart from the tickets: drawing one would wait for the line of
    /// whoever spins here.
    latest: Padded<AtomicU64>,
}

/// What every sender writes for every record and no receiver reads.
#[repr(C)]
struct Tickets {
    next: AtomicU64,
    pace: Pace,
}

/// Alone on a pair of cache lines.
#[repr(C, align(128))]
struct Padded<T>(T);

/// Byte offset of the live words in the header page.
const LIVE: usize = 1024;

const _: () = assert!(size_of::<Header>() <= LIVE && LIVE + size_of::<Live>() <= HEADER_SIZE);
const _: () = assert!(size_of::<Padded<Bell>>() == LINE_PAIR);

/// What a participant says of itself; one cache line.
#[repr(C, align(64))]
pub(crate) struct Participant {
    /// 0: nobody; 1: let in by the host; 2: attached, and working; 3: being cleaned up.
    pub(crate) state: AtomicU32,
    pub(crate) pid: AtomicU32,
    /// Nanoseconds of the monotonic clock when it attached.
    pub(crate) joined: AtomicU64,
    /// 1 sender or client, 2 receiver or server, 3 host, 4 observer.
    pub(crate) role: AtomicU32,
    /// Rung for calls that it waits for together, see [`ON_BELL`](super::shared::ON_BELL).
    pub(crate) bell: Bell,
}

const _: () = assert!(size_of::<Participant>() == PARTICIPANT_SIZE);

/// A slot's two cache lines; its dimensions follow.
#[repr(C, align(128))]
pub(crate) struct Block {
    /// The slot word, see `word.rs`.
    pub(crate) word: AtomicU64,
    pub(crate) ticket: AtomicU64,
    /// One bit for each field of the request or record that was written.
    pub(crate) request_presence: AtomicU64,
    /// The same for the reply.
    pub(crate) reply_presence: AtomicU64,
    /// How the caller may sleep: [`ON_WORD`](super::shared::ON_WORD), [`ON_BELL`](super::shared::ON_BELL), or 0.
    pub(crate) caller_asleep: AtomicU32,
    /// How the call ended, see [`Status`](super::Status).
    pub(crate) status: AtomicU32,
    /// When the sender's side was claimed, in milliseconds of the monotonic clock, which begin anew every 49 days.
    pub(crate) sender_since: AtomicU32,
    /// The same of the receiver's side.
    pub(crate) receiver_since: AtomicU32,
    /// How many receivers have died with this record, having taken it alone.
    pub(crate) attempts: AtomicU32,
    /// What has become of the record so far, see [`RECEIVER_DIED`]. Only whoever holds the slot writes it,
    /// and the host for a holder that died.
    history: AtomicU32,
    /// Nanoseconds of the monotonic clock after which nobody waits for the answer; 0 for none.
    pub(crate) deadline: AtomicU64,

    // The cold line.
    /// Fields of which the sender held aliases when it sent.
    pub(crate) sender_fields: AtomicU64,
    /// Fields of which the receiver held aliases when it answered.
    pub(crate) receiver_fields: AtomicU64,
    /// W3C trace context, see [`TraceContext`](crate::trace::TraceContext): high and low half of the trace id, parent id, flags.
    pub(crate) trace: [AtomicU64; 4],
    /// Nanoseconds of the monotonic clock when it was sent, of a record that is timed, and of a request where loans are in ring
    /// order; else what was there before.
    pub(crate) sent: AtomicU64,
}

/// A receiver has died with the record: it is taken alone from then on.
pub(super) const RECEIVER_DIED: u32 = 1;

impl Block {
    /// Whether a fact is noted of the record.
    #[inline]
    pub(super) fn has(&self, fact: u32) -> bool {
        self.history.load(Ordering::Relaxed) & fact != 0
    }

    /// Notes these facts and no others.
    #[inline]
    pub(super) fn note_only(&self, facts: u32) {
        self.history.store(facts, Ordering::Relaxed);
    }
}

const _: () =
    assert!(size_of::<Block>() == super::layout::BLOCK_FIXED && offset_of!(Block, sender_fields) == 64);

/// CONTROL of one arena in this process.
pub(crate) struct Control {
    segment: Segment,
    layout: Layout,
}

impl Control {
    /// # Panics
    /// If the segment is smaller than the layout says; whoever maps it compares the two first.
    pub(crate) fn new(segment: Segment, layout: Layout) -> Control {
        assert!(segment.len() >= layout.control_size, "CONTROL is smaller than its layout");
        Control { segment, layout }
    }

    /// Copies the header out of CONTROL: it is looked at once and never again.
    pub(crate) fn read_header(segment: &Segment) -> Option<Header> {
        // SAFETY: the segment is mapped readable and longer than the header, checked in the same expression; `Header` is
        // `Pod`. Volatile, so that the copy is made once whatever a peer writes meanwhile.
        (segment.len() >= HEADER_SIZE)
            .then(|| unsafe { segment.base().cast::<Header>().as_ptr().read_volatile() })
    }

    /// Whether the host has finished writing CONTROL.
    pub(crate) fn is_ready(segment: &Segment) -> bool {
        segment.len() >= HEADER_SIZE && {
            // SAFETY: inside the header page, which is mapped, and aligned: LIVE is a multiple of 128.
            let live = unsafe { &*segment.base().as_ptr().add(LIVE).cast::<Live>() };
            live.state.0.load(Ordering::Acquire) != 0
        }
    }

    /// Copies the bytes at `offset..offset + len`, or `None` outside the segment.
    pub(crate) fn read_bytes(segment: &Segment, offset: u64, len: u64) -> Option<Vec<u8>> {
        let (offset, len) = (usize::try_from(offset).ok()?, usize::try_from(len).ok()?);
        if offset.checked_add(len)? > segment.len() {
            return None;
        }
        let mut bytes = vec![0; len];
        // SAFETY: the source is inside the mapping, checked above, and the destination is `len` fresh bytes. A peer that
        // writes meanwhile changes which bytes are copied, not where.
        unsafe {
            std::ptr::copy_nonoverlapping(segment.base().as_ptr().add(offset), bytes.as_mut_ptr(), len)
        };
        Some(bytes)
    }

    /// The host's part: writes header and schemas, then says that CONTROL is ready.
    pub(crate) fn publish(&self, header: &Header, request: &[u8], reply: &[u8]) {
        let base = self.segment.base().as_ptr();
        let write = |offset: usize, bytes: &[u8]| {
            assert!(offset + bytes.len() <= self.segment.len());
            // SAFETY: inside the mapping, checked above; nobody else has the segment yet.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), base.add(offset), bytes.len()) };
        };
        write(0, bytemuck::bytes_of(header));
        write(self.layout.request_schema, request);
        write(self.layout.reply_schema, reply);
        for slot in 0..self.layout.slots {
            self.free_hints().set(slot);
        }
        self.live().state.0.store(1, Ordering::Release);
    }

    /// The host's last word: from here on nobody new attaches, and nobody waits.
    pub(crate) fn close(&self) {
        self.live().state.0.store(2, Ordering::Release);
        self.ready_bell().ring_all();
        self.free_bell().ring_all();
    }

    /// Whether the host has closed the arena.
    pub(crate) fn is_closed(&self) -> bool {
        self.live().state.0.load(Ordering::Acquire) == 2
    }

    #[inline]
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    #[inline]
    fn live(&self) -> &Live {
        // SAFETY: the header page is inside the mapping, `Live` fits it (asserted above), LIVE is a multiple of its
        // alignment, and it is made of atomics, which any number of processes may share.
        unsafe { &*self.segment.base().as_ptr().add(LIVE).cast::<Live>() }
    }

    pub(crate) fn loan_cursor(&self) -> &AtomicU64 {
        &self.live().loan_cursor.0
    }

    /// The word that changes whenever a slot has become ready.
    #[inline]
    pub(super) fn latest(&self) -> &AtomicU64 {
        &self.live().latest.0
    }

    /// The row of a participant, if there is one with that number.
    pub(crate) fn participant(&self, id: u16) -> Option<&Participant> {
        (usize::from(id) < PARTICIPANTS).then(|| {
            let offset = self.layout.participants + usize::from(id) * PARTICIPANT_SIZE;
            // SAFETY: the table of `PARTICIPANTS` rows is inside the mapping by the layout, rows are 64-byte aligned, and a
            // row is made of atomics.
            unsafe { &*self.segment.base().as_ptr().add(offset).cast::<Participant>() }
        })
    }

    /// One of the rows in which participants count.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub(crate) fn tally(&self, row: usize) -> Row<'_> {
        assert!(row < ROWS, "row {row} of {ROWS}");
        let words = self.segment.base().as_ptr().wrapping_add(self.layout.tallies + row * ROW_SIZE);
        // SAFETY: the `ROWS` rows are inside the mapping by the layout, at a multiple of 128, and made of `ROW_WORDS` words of
        // 8 bytes that any number of processes may share.
        Row::new(unsafe { &*words.cast::<[std::sync::atomic::AtomicU64; ROW_WORDS]>() })
    }

    /// # Panics
    /// If there is no such slot.
    #[inline]
    pub(crate) fn block(&self, slot: usize) -> &Block {
        assert!(slot < self.layout.slots, "slot {slot} of {}", self.layout.slots);
        let offset = self.layout.blocks + slot * self.layout.block_size;
        // SAFETY: the blocks of all slots are inside the mapping by the layout, 128-byte aligned, and made of atomics.
        unsafe { &*self.segment.base().as_ptr().add(offset).cast::<Block>() }
    }

    /// The word of symbolic dimension `dim`, counted through the request's and then the reply's.
    ///
    /// # Panics
    /// If there is no such slot or dimension.
    #[inline]
    pub(crate) fn dim(&self, slot: usize, dim: usize) -> &AtomicU64 {
        let offset = size_of::<Block>() + 8 * dim;
        assert!(
            slot < self.layout.slots && offset + 8 <= self.layout.block_size,
            "dimension {dim} of slot {slot}"
        );
        let offset = self.layout.blocks + slot * self.layout.block_size + offset;
        // SAFETY: inside the slot's block, checked above, and 8-byte aligned; an atomic may be shared.
        unsafe { &*self.segment.base().as_ptr().add(offset).cast::<AtomicU64>() }
    }

    #[inline]
    fn hints(&self, offset: usize) -> Hints<'_> {
        let words = self.segment.base().as_ptr().wrapping_add(offset).cast::<AtomicU64>();
        // SAFETY: the three bitmaps of `hint_words` words are inside the mapping by the layout and 128-byte aligned.
        Hints::new(unsafe { std::slice::from_raw_parts(words, self.layout.hint_words) }, self.layout.slots)
    }
}

impl Shared for Control {
    #[inline]
    fn slots(&self) -> usize {
        self.layout.slots
    }

    #[inline]
    fn is_service(&self) -> bool {
        self.layout.reply_schema_len > 0
    }

    #[inline]
    fn word(&self, slot: usize) -> &AtomicU64 {
        &self.block(slot).word
    }

    #[inline]
    fn fetch(&self, slot: usize) {
        let word: *const AtomicU64 = &self.block(slot).word;
        Fetch::ToWrite.line(word.cast());
    }

    #[inline]
    fn fetch_ready(&self, most: usize) {
        let hints = self.ready_hints();
        if !hints.is_none() && hints.count() <= most {
            hints.iter_from(0).for_each(|slot| self.fetch(slot));
        }
    }

    #[inline]
    fn ticket(&self, slot: usize) -> &AtomicU64 {
        &self.block(slot).ticket
    }

    #[inline]
    fn next_ticket(&self) -> &AtomicU64 {
        &self.live().tickets.0.next
    }

    #[inline]
    fn time(&self, slot: usize, counter: u64) -> Option<u32> {
        let (pace, number) = (&self.live().tickets.0.pace, Ticket::drawn(counter));
        let timed = pace.times(number)?;
        self.note_sent(slot, pace, number);
        Some(timed)
    }

    #[inline]
    fn free_hints(&self) -> Hints<'_> {
        self.hints(self.layout.free_hints)
    }

    #[inline]
    fn ready_hints(&self) -> Hints<'_> {
        self.hints(self.layout.ready_hints)
    }

    #[inline]
    fn answered_hints(&self) -> Hints<'_> {
        self.hints(self.layout.answered_hints)
    }

    #[inline]
    fn participant_bell(&self, id: ParticipantId) -> Option<&Bell> {
        self.participant(id).map(|row| &row.bell)
    }

    #[inline]
    fn ready_bell(&self) -> &Bell {
        &self.live().ready_bell.0
    }

    #[inline]
    fn free_bell(&self) -> &Bell {
        &self.live().free_bell.0
    }

    #[inline]
    fn caller_asleep(&self, slot: usize) -> &AtomicU32 {
        &self.block(slot).caller_asleep
    }

    fn wake_caller(&self, slot: usize) {
        futex_wake(self.low_half(slot), u32::MAX >> 1);
    }

    fn note_worker_died(&self, slot: usize) {
        self.block(slot).status.store(Status::WorkerDied as u32, Ordering::Relaxed);
    }
}

impl Control {
    /// Notes when a record is sent that is timed. Apart from the path of those that are not.
    #[cold]
    #[inline(never)]
    fn note_sent(&self, slot: usize, pace: &Pace, number: u64) {
        let now = precise_monotonic_ns();
        pace.timed(number, now);
        self.block(slot).sent.store(now, Ordering::Relaxed);
    }

    /// The half of a slot's word that changes with every transition, for the kernel to compare. Rust code never reads
    /// or writes through it.
    pub(crate) fn low_half(&self, slot: usize) -> &AtomicU32 {
        let word: *const AtomicU64 = &self.block(slot).word;
        // SAFETY: on a little-endian machine (the only kind that maps an arena) the low half is the first 4 bytes of the
        // word; the reference is only handed to the futex system call.
        unsafe { &*word.cast::<AtomicU32>() }
    }
}
