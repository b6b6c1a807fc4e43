//! loom explores every order of events of the lock-free steps, on an arena of a few slots.
//!
//! Run with `cargo xtask loom`. Each model is also run with a mistake planted in the real code, and has to find it.

mod full;
mod gathered;
mod hints;
mod killed;
mod order;
mod runs;
mod wakes;
mod words;

use std::cell::RefCell;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::hints::Hints;
use super::ops;
use super::queue::Queue;
use super::shared::Shared;
use super::word::{Phase, Word};
use crate::sync::{AtomicU32, AtomicU64, Bug, Futex, Ordering, assert_found, fence};
use crate::wait::{Bell, Look, Patience, WaitStrategy, wait_for};

const SENDER: u16 = 2;
const RECEIVER: u16 = 3;
const OTHER: u16 = 4;

/// The shared words of an arena in loom's memory.
struct Model {
    words: Vec<AtomicU64>,
    tickets: Vec<AtomicU64>,
    next_ticket: AtomicU64,
    free_hints: Vec<AtomicU64>,
    ready_hints: Vec<AtomicU64>,
    answered_hints: Vec<AtomicU64>,
    senders_bell: Bell,
    ready_bell: Bell,
    free_bell: Bell,
    caller_asleep: Vec<AtomicU32>,
    caller: Futex,
    service: bool,
    worker_died: Vec<AtomicU32>,
    /// The memory of each slot, which loom lets one thread write, or several read, at a time.
    bytes: Vec<UnsafeCell<u64>>,
}

// SAFETY: loom reports every access to `bytes` that another one does not happen before.
unsafe impl Sync for Model {}

impl Model {
    fn new(slots: usize) -> Arc<Model> {
        Arc::new(Model {
            free_hints: vec![AtomicU64::new((1 << slots) - 1)],
            ready_hints: vec![AtomicU64::new(0)],
            ..Model::without_hints(slots)
        })
    }

    /// An arena whose records are answered in their slots.
    fn service(slots: usize) -> Arc<Model> {
        Arc::new(Model {
            free_hints: vec![AtomicU64::new((1 << slots) - 1)],
            ready_hints: vec![AtomicU64::new(0)],
            answered_hints: vec![AtomicU64::new(0)],
            service: true,
            ..Model::without_hints(slots)
        })
    }

    /// An arena so small that it has no hints.
    fn without_hints(slots: usize) -> Model {
        Model {
            words: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            tickets: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            next_ticket: AtomicU64::new(0),
            free_hints: Vec::new(),
            ready_hints: Vec::new(),
            answered_hints: Vec::new(),
            senders_bell: Bell::new(),
            ready_bell: Bell::new(),
            free_bell: Bell::new(),
            caller_asleep: (0..slots).map(|_| AtomicU32::new(0)).collect(),
            caller: Futex::new(0),
            service: false,
            worker_died: (0..slots).map(|_| AtomicU32::new(0)).collect(),
            bytes: (0..slots).map(|_| UnsafeCell::new(0)).collect(),
        }
    }

    fn word_of(&self, slot: usize) -> Word {
        Word(self.words[slot].load(Ordering::Acquire))
    }

    /// Takes a record, asleep until there is one.
    fn receive(&self, me: u16) -> usize {
        wait_asleep(&self.ready_bell, |look| ops::take(self, me, look))
    }

    /// As [`Model::receive`], from what was seen before.
    fn receive_queued(&self, me: u16, queue: &RefCell<Queue>) -> usize {
        wait_asleep(&self.ready_bell, |look| ops::take_queued(self, me, look, &mut queue.borrow_mut()))
    }

    /// Loans a slot, asleep until there is one.
    fn loan(&self, me: u16) -> usize {
        wait_asleep(&self.free_bell, |look| ops::loan(self, me, 0, look))
    }
}

/// What a waiting thread does, without the spinning, for as long as it takes: a wake-up that is lost is a deadlock.
fn wait_asleep(bell: &Bell, attempt: impl Fn(Look) -> Option<(usize, Word)>) -> usize {
    let mut patience = Patience {
        what: "the model",
        timeout: None,
        strategy: WaitStrategy::Block,
        look_around: &mut || Ok(()),
    };
    wait_for(&mut patience, bell, |look| Ok(attempt(look))).unwrap().0
}

impl Shared for Model {
    fn slots(&self) -> usize {
        self.words.len()
    }
    fn is_service(&self) -> bool {
        self.service
    }
    fn word(&self, slot: usize) -> &AtomicU64 {
        &self.words[slot]
    }
    fn ticket(&self, slot: usize) -> &AtomicU64 {
        &self.tickets[slot]
    }
    fn next_ticket(&self) -> &AtomicU64 {
        &self.next_ticket
    }
    fn free_hints(&self) -> Hints<'_> {
        Hints::new(&self.free_hints, self.slots())
    }
    fn ready_hints(&self) -> Hints<'_> {
        Hints::new(&self.ready_hints, self.slots())
    }
    fn answered_hints(&self) -> Hints<'_> {
        Hints::new(&self.answered_hints, if self.answered_hints.is_empty() { 0 } else { self.slots() })
    }
    fn participant_bell(&self, id: u16) -> Option<&Bell> {
        (id == SENDER).then_some(&self.senders_bell)
    }
    fn ready_bell(&self) -> &Bell {
        &self.ready_bell
    }
    fn free_bell(&self) -> &Bell {
        &self.free_bell
    }
    fn caller_asleep(&self, slot: usize) -> &AtomicU32 {
        &self.caller_asleep[slot]
    }
    fn wake_caller(&self, _slot: usize) {
        // The kernel compares the slot's word; the model has a word of its own that changes with every wake.
        self.caller.word.fetch_add(1, Ordering::SeqCst);
        self.caller.wake(1);
    }
    fn note_worker_died(&self, slot: usize) {
        self.worker_died[slot].store(1, Ordering::Relaxed);
    }
}

/// Every order with up to three switches against a thread's will: each more multiplies the time by ten.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    explore_bounded(3, model);
}

fn explore_bounded(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}
