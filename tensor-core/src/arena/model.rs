//! loom explores every order of events of the lock-free steps, on an arena of a few slots.
//!
//! Run with `cargo xtask loom`.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::hints::Hints;
use super::ops;
use super::shared::Shared;
use super::word::{Phase, Word};
use crate::sync::{AtomicU32, AtomicU64, Futex, Ordering, fence};
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

    /// An arena so small that it has no hints.
    fn without_hints(slots: usize) -> Model {
        Model {
            words: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            tickets: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            next_ticket: AtomicU64::new(0),
            free_hints: Vec::new(),
            ready_hints: Vec::new(),
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

#[test]
fn one_slot_is_loaned_to_one_of_two() {
    explore(|| {
        let arena = Model::new(1);
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || ops::loan(&*arena, OTHER, 0, Look::Words))
        };
        let mine = ops::loan(&*arena, SENDER, 0, Look::Words);
        let theirs = other.join().unwrap();
        assert!(mine.is_some() != theirs.is_some());
    });
}

#[test]
fn two_slots_serve_two_loans_whatever_the_hints_say() {
    explore(|| {
        let arena = Model::new(2);
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || ops::loan(&*arena, OTHER, 0, Look::Words).unwrap().0)
        };
        let mine = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap().0;
        assert_ne!(mine, other.join().unwrap());
    });
}

#[test]
fn a_record_is_taken_by_one_of_two_and_no_wake_is_lost() {
    explore_bounded(2, || {
        let arena = Model::new(2);
        let receivers = [RECEIVER, OTHER].map(|me| {
            let arena = Arc::clone(&arena);
            thread::spawn(move || arena.receive(me))
        });
        for _ in 0..2 {
            let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
            ops::publish(&*arena, SENDER, slot, false).unwrap();
        }
        let [first, second] = receivers.map(|receiver| receiver.join().unwrap());
        assert_ne!(first, second);
    });
}

#[test]
fn the_bytes_of_a_slot_are_one_holders_at_a_time() {
    explore(|| {
        let arena = Model::new(1);
        // SAFETY: loom checks what the words promise: nobody else accesses the bytes meanwhile.
        let write =
            |arena: &Model, slot: usize, value| arena.bytes[slot].with_mut(|bytes| unsafe { *bytes = value });
        // SAFETY: as above.
        let read = |arena: &Model, slot: usize| arena.bytes[slot].with(|bytes| unsafe { *bytes });
        let receiver = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                for round in 1..=2 {
                    let slot = arena.receive(RECEIVER);
                    assert_eq!(read(&arena, slot), round);
                    ops::let_go(&*arena, slot, |word| word.release_receiver(RECEIVER)).unwrap();
                }
            })
        };
        for round in 1..=2 {
            let slot = arena.loan(SENDER);
            write(&arena, slot, round);
            ops::publish(&*arena, SENDER, slot, false).unwrap();
        }
        receiver.join().unwrap();
    });
}

#[test]
fn two_that_send_at_once_wake_two_that_sleep() {
    explore_bounded(2, || {
        let arena = Arc::new(Model::without_hints(2));
        for slot in 0..2 {
            ops::loan_slot(&*arena, SENDER, slot).unwrap();
        }
        let receivers = [RECEIVER, OTHER].map(|me| {
            let arena = Arc::clone(&arena);
            thread::spawn(move || arena.receive(me))
        });
        let send = |arena: &Model, slot: usize| {
            ops::publish(arena, SENDER, slot, false).unwrap();
        };
        let sender = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || send(&arena, 0))
        };
        send(&arena, 1);
        sender.join().unwrap();
        let [first, second] = receivers.map(|receiver| receiver.join().unwrap());
        assert_ne!(first, second);
    });
}

#[test]
fn two_slots_released_at_once_wake_two_that_sleep() {
    explore_bounded(2, || {
        let arena = Arc::new(Model::without_hints(2));
        for slot in 0..2 {
            ops::loan_slot(&*arena, SENDER, slot).unwrap();
        }
        let loaners = [RECEIVER, OTHER].map(|me| {
            let arena = Arc::clone(&arena);
            thread::spawn(move || arena.loan(me))
        });
        let release = |arena: &Model, slot: usize| {
            ops::let_go(arena, slot, |word| word.release_sender(SENDER, false)).unwrap();
        };
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || release(&arena, 0))
        };
        release(&arena, 1);
        other.join().unwrap();
        let [first, second] = loaners.map(|loaner| loaner.join().unwrap());
        assert_ne!(first, second);
    });
}

#[test]
fn hints_keep_the_order_sent_whatever_they_say() {
    for (stale, order) in
        [0b00, 0b01, 0b10, 0b11].into_iter().flat_map(|stale| [(stale, [0, 1]), (stale, [1, 0])])
    {
        explore(move || {
            let arena = Model::new(2);
            arena.ready_hints[0].store(stale, Ordering::Relaxed);
            let sender = {
                let arena = Arc::clone(&arena);
                thread::spawn(move || {
                    for slot in order {
                        ops::loan_slot(&*arena, SENDER, slot).unwrap();
                        ops::publish(&*arena, SENDER, slot, false).unwrap();
                    }
                })
            };
            let seen = ops::take(&*arena, RECEIVER, Look::Hints);
            sender.join().unwrap();
            assert!(seen.is_none_or(|(slot, _)| slot == order[0]), "the second record came first");
        });
    }
}

#[test]
fn a_senders_records_are_taken_in_the_order_sent() {
    for order in [[0, 1], [1, 0]] {
        explore(move || {
            let arena = Model::new(2);
            let sender = {
                let arena = Arc::clone(&arena);
                thread::spawn(move || {
                    for slot in order {
                        ops::loan_slot(&*arena, SENDER, slot).unwrap();
                        ops::publish(&*arena, SENDER, slot, false).unwrap();
                    }
                })
            };
            let first = arena.receive(RECEIVER);
            let second = arena.receive(RECEIVER);
            sender.join().unwrap();
            assert_eq!([first, second], order);
        });
    }
}

#[test]
fn the_last_of_two_holders_frees_the_slot_once() {
    explore(|| {
        let arena = Model::new(1);
        let (slot, loaned) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        ops::publish(&*arena, SENDER, slot, true).unwrap();
        ops::take(&*arena, RECEIVER, Look::Words).unwrap();
        let sender = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, false)).unwrap()
            })
        };
        let received = ops::let_go(&*arena, slot, |word| word.release_receiver(RECEIVER)).unwrap();
        let sent = sender.join().unwrap();
        assert!(received.is(Phase::Free) != sent.is(Phase::Free));
        assert_eq!(arena.word_of(slot).generation(), loaned.generation() + 1);
        assert!(ops::loan(&*arena, OTHER, 0, Look::Hints).is_some(), "the free slot is hinted at");
    });
}

#[test]
fn a_caller_asleep_is_woken_by_its_answer() {
    explore(|| {
        let arena = Model::new(1);
        let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        ops::publish(&*arena, SENDER, slot, true).unwrap();
        let worker = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                let (slot, _) = ops::take(&*arena, RECEIVER, Look::Words).unwrap();
                ops::let_go(&*arena, slot, |word| word.finish(RECEIVER, false)).unwrap();
            })
        };
        loop {
            let prepared = arena.caller.word.load(Ordering::SeqCst);
            arena.caller_asleep[slot].store(1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if arena.word_of(slot).is(Phase::Done) {
                break;
            }
            arena.caller.sleep(prepared, std::time::Duration::MAX);
        }
        worker.join().unwrap();
    });
}

#[test]
fn whoever_waits_for_a_free_slot_is_woken_by_a_release() {
    explore(|| {
        let arena = Model::new(1);
        let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || arena.loan(OTHER))
        };
        ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, false)).unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_caller_that_leaves_and_a_worker_that_takes_never_both_have_the_request() {
    explore(|| {
        let arena = Model::new(1);
        let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        ops::publish(&*arena, SENDER, slot, true).unwrap();
        let worker = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                let taken = ops::take(&*arena, RECEIVER, Look::Words);
                if let Some((slot, _)) = taken {
                    ops::let_go(&*arena, slot, |word| word.finish(RECEIVER, false)).unwrap();
                }
            })
        };
        ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, true)).unwrap();
        worker.join().unwrap();
        assert!(arena.word_of(slot).is(Phase::Free));
    });
}
