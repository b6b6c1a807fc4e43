//! A shared hold on the memory of a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::arena::{Claim, ClaimRun};
use crate::channel::Batch;
use crate::tally::CopyReason;
use crate::view::Heap;

/// A hold on the memory of a record, or of a run of records, shared by everything that leads to it. The memory is
/// somebody else's after the last of them is dropped, on whatever thread that is.
pub struct Lease {
    memory: Memory,
    aliases: Aliases,
}

/// How many [`FieldAlias`](super::FieldAlias)es there are of each field: those of the request, then those of the reply.
struct Aliases {
    fields: usize,
    /// Of the first fields. Most records have few, and a lease of such costs one allocation.
    first: [AtomicU32; FIRST],
    others: Box<[AtomicU32]>,
}

const FIRST: usize = 6;

impl Aliases {
    fn new(fields: usize) -> Aliases {
        let others = (FIRST..fields).map(|_| AtomicU32::new(0)).collect();
        Aliases { fields, first: [const { AtomicU32::new(0) }; FIRST], others }
    }

    fn of(&self, field: usize) -> &AtomicU32 {
        self.first.get(field).unwrap_or_else(|| &self.others[field - FIRST])
    }
}

pub(super) enum Memory {
    /// A claimed slot.
    Slot(Claim),
    /// Neighbouring claimed slots.
    Slots(ClaimRun),
    /// Requests that are answered together.
    Batch(Batch),
    /// This process's heap.
    Heap(Heap),
}

impl Memory {
    fn claims(&self) -> &[Claim] {
        match self {
            Memory::Slot(claim) => std::slice::from_ref(claim),
            Memory::Slots(claims) => claims,
            Memory::Batch(batch) => batch.claims(),
            Memory::Heap(_) => &[],
        }
    }
}

impl Lease {
    pub(super) fn slot(claim: Claim) -> Lease {
        Lease::claimed(Memory::Slot(claim))
    }

    pub(super) fn slots(claims: ClaimRun) -> Lease {
        Lease::claimed(Memory::Slots(claims))
    }

    pub(super) fn batch(batch: Batch) -> Lease {
        Lease::claimed(Memory::Batch(batch))
    }

    fn claimed(memory: Memory) -> Lease {
        let arena = memory.claims()[0].arena();
        let reply_fields = arena.reply().map_or(0, |part| part.schema.fields().len());
        let fields = arena.request().schema.fields().len() + reply_fields;
        Lease { memory, aliases: Aliases::new(fields) }
    }

    pub(super) fn heap(heap: Heap) -> Lease {
        let aliases = Aliases::new(heap.columns().len());
        Lease { memory: Memory::Heap(heap), aliases }
    }

    /// Whether anything but `own` references of the caller leads to the memory. If not, whatever others did with it before
    /// they let go has happened before this returns.
    pub(super) fn is_shared(lease: &Arc<Lease>, own: usize) -> bool {
        let shared = Arc::strong_count(lease) > own;
        fence(Ordering::Acquire);
        shared
    }

    /// The claim on the slot, or on the first one of a run; `None` on the heap.
    pub(super) fn claim(&self) -> Option<&Claim> {
        self.memory.claims().first()
    }

    /// The claims on the slots, in their order; none on the heap.
    pub(super) fn claims(&self) -> &[Claim] {
        self.memory.claims()
    }

    /// Counts bytes that were copied into or out of the memory in its arena's metrics; the heap has none.
    pub(super) fn note_copied(&self, reason: CopyReason, bytes: usize) {
        if let Some(claim) = self.claim() {
            claim.arena().note_copied(reason, bytes);
        }
    }

    /// The requests that are answered together, if this is about some.
    pub(super) fn as_batch(&self) -> Option<&Batch> {
        match &self.memory {
            Memory::Batch(batch) => Some(batch),
            _ => None,
        }
    }

    /// Whether the records are slots of an arena.
    fn is_in_slots(&self) -> bool {
        match &self.memory {
            Memory::Slot(_) | Memory::Slots(_) => true,
            Memory::Batch(batch) => !batch.is_gathered(),
            Memory::Heap(_) => false,
        }
    }

    /// The claim of the record with this index: its slot, or its row where the records were copied together.
    pub(super) fn claim_of(&self, index: usize) -> Option<&Claim> {
        let first = if self.is_in_slots() { self.claim()?.slot() } else { 0 };
        self.claims().get(index.checked_sub(first)?)
    }

    pub(super) fn as_heap(&self) -> Option<&Heap> {
        match &self.memory {
            Memory::Heap(heap) => Some(heap),
            _ => None,
        }
    }

    /// The claims on the slots that the records are in.
    pub(super) fn slots_in_view(&self) -> &[Claim] {
        if self.is_in_slots() { self.claims() } else { &[] }
    }

    pub(super) fn count_alias(&self, index: usize, up: bool) {
        let count = self.aliases.of(index);
        let before =
            if up { count.fetch_add(1, Ordering::Relaxed) } else { count.fetch_sub(1, Ordering::Relaxed) };
        if before == u32::from(!up) {
            self.slots_in_view().iter().for_each(|claim| claim.note_alias(index, up));
        }
    }

    /// How many views lead to the field with this index, the reply's fields counted on from the request's.
    pub(super) fn aliases_of(&self, index: usize) -> usize {
        self.aliases.of(index).load(Ordering::Relaxed) as usize
    }

    /// The fields that a view leads to, one bit each, as far as a mask reaches.
    pub(super) fn aliased(&self) -> u64 {
        (0..self.aliases.fields.min(64))
            .filter(|&index| self.aliases_of(index) > 0)
            .fold(0, |mask, bit| mask | 1 << bit)
    }
}
