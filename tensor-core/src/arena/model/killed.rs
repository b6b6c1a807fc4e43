//! Participants that are killed: each model is explored once for every step at which one of them can be.
//!
//! There is no slice here after which a sleeper looks again: recovery has to wake whoever the dead left asleep.

use super::*;
use crate::arena::settle::settle;
use crate::sync::{anybody_killed, live};

/// Explores `model` with a participant that is killed before its first step, its second, ... until it gets through.
pub(super) fn explore_lives(model: impl Fn(u32) + Send + Sync + Copy + 'static) {
    for life in 0.. {
        explore_bounded(2, move || model(life));
        if !anybody_killed() {
            assert!(life > 0, "nobody is ever killed");
            return;
        }
    }
}

/// Writes the record's number; only its holder may.
pub(super) fn write(arena: &Model, slot: usize, value: u64) {
    // SAFETY: loom checks what the words promise: nobody else accesses the bytes meanwhile.
    arena.bytes[slot].with_mut(|bytes| unsafe { *bytes = value });
}

pub(super) fn read(arena: &Model, slot: usize) -> u64 {
    // SAFETY: as above.
    arena.bytes[slot].with(|bytes| unsafe { *bytes })
}

fn send(arena: &Model, me: u16, value: u64) {
    let slot = arena.loan(me);
    write(arena, slot, value);
    ops::publish(arena, me, slot, false).unwrap();
}

/// Receives until the record number `last`; the others' numbers.
fn receive_until(arena: &Model, me: u16, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    loop {
        let slot = arena.receive(me);
        let value = read(arena, slot);
        ops::let_go(arena, slot, |word| word.release_receiver(me)).unwrap();
        if value == last {
            return seen;
        }
        seen.push(value);
    }
}

/// No slot is lost and every free one can be found by its hint.
pub(super) fn assert_all_free(arena: &Model) {
    for slot in 0..arena.slots() {
        assert!(arena.word_of(slot).is(Phase::Free), "slot {slot} is {:?}", arena.word_of(slot));
    }
    let hinted = arena.free_hints().iter_from(0).count();
    assert_eq!(hinted, arena.slots(), "free slots without a hint");
}

#[test]
fn a_killed_senders_record_is_sent_or_not_and_its_slot_comes_back() {
    explore_lives(|life| {
        let arena = Model::new(2);
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || live(life, || send(&arena, SENDER, 1)))
        };
        let receiver = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || receive_until(&arena, RECEIVER, 2))
        };
        doomed.join().unwrap();
        settle(&*arena, SENDER, |_| true);
        send(&arena, OTHER, 2);
        let seen = receiver.join().unwrap();
        assert!(seen.is_empty() || seen == [1]);
        assert_all_free(&arena);
    });
}

#[test]
fn a_record_that_a_killed_sender_dropped_is_there_or_not_and_the_slot_comes_back() {
    explore_lives(|life| {
        let arena = Model::new(1);
        send(&arena, RECEIVER, 1);
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                live(life, || {
                    let (slot, _) = ops::supplant_oldest(&*arena, SENDER)?;
                    write(&arena, slot, 2);
                    ops::publish(&*arena, SENDER, slot, false).unwrap();
                    Some(())
                })
            })
        };
        let receiver = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || receive_until(&arena, RECEIVER, 3))
        };
        let through = doomed.join().unwrap();
        settle(&*arena, SENDER, |_| true);
        send(&arena, OTHER, 3);
        let seen = receiver.join().unwrap();
        match through {
            Some(Some(())) => assert_eq!(seen, [2]),
            Some(None) => assert_eq!(seen, [1]),
            None => assert!(seen.len() <= 1, "{seen:?}"),
        }
        assert_all_free(&arena);
    });
}

/// Somebody has found no free slot meanwhile, and taken the hint at this one back.
#[test]
fn a_slot_that_a_killed_receiver_gave_back_has_a_hint() {
    explore_lives(|life| {
        let arena = Model::new(1);
        send(&arena, SENDER, 1);
        assert!(ops::loan(&*arena, OTHER, 0, Look::Hints).is_none());
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || live(life, || receive_until(&arena, RECEIVER, 1)))
        };
        doomed.join().unwrap();
        settle(&*arena, RECEIVER, |_| true);
        if arena.word_of(0).is(Phase::Ready) {
            receive_until(&arena, OTHER, 1);
        }
        assert_all_free(&arena);
    });
}

#[test]
fn a_record_of_a_killed_receiver_goes_to_another_or_was_received() {
    explore_lives(|life| {
        let arena = Model::new(2);
        send(&arena, SENDER, 1);
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                live(life, || {
                    let (slot, _) = ops::take(&*arena, RECEIVER, Look::Words)?;
                    assert_eq!(read(&arena, slot), 1);
                    ops::let_go(&*arena, slot, |word| word.release_receiver(RECEIVER)).unwrap();
                    Some(())
                })
            })
        };
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || receive_until(&arena, OTHER, 2))
        };
        let through = doomed.join().unwrap();
        settle(&*arena, RECEIVER, |_| true);
        send(&arena, SENDER, 2);
        let seen = other.join().unwrap();
        match through {
            Some(Some(())) => assert!(seen.is_empty(), "received twice"),
            Some(None) => assert_eq!(seen, [1], "lost"),
            None => assert!(seen.is_empty() || seen == [1]),
        }
        assert_all_free(&arena);
    });
}

/// Sleeps until the call has ended, as a caller does that never looks again by itself.
fn wait_for_answer(arena: &Model, slot: usize) {
    loop {
        let prepared = arena.caller.word.load(Ordering::SeqCst);
        arena.caller_asleep[slot].store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if arena.word_of(slot).is(Phase::Done) {
            return;
        }
        arena.caller.sleep(prepared, std::time::Duration::MAX);
    }
}

#[test]
fn a_call_taken_by_a_killed_worker_is_answered_by_another_and_its_caller_wakes() {
    explore_lives(|life| {
        let arena = Model::service(1);
        let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        ops::publish(&*arena, SENDER, slot, true).unwrap();
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                live(life, || {
                    let (slot, _) = ops::take(&*arena, RECEIVER, Look::Words).unwrap();
                    ops::let_go(&*arena, slot, |word| word.finish(RECEIVER, false)).unwrap();
                });
            })
        };
        let caller = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || wait_for_answer(&arena, slot))
        };
        doomed.join().unwrap();
        settle(&*arena, RECEIVER, |_| true);
        if let Some((slot, _)) = ops::take(&*arena, OTHER, Look::Words) {
            ops::let_go(&*arena, slot, |word| word.finish(OTHER, false)).unwrap();
        }
        caller.join().unwrap();
        assert_eq!(arena.worker_died[slot].load(Ordering::Relaxed), 0, "it could be repeated");
        ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, true)).unwrap();
        assert_all_free(&arena);
    });
}

#[test]
fn nobody_works_on_a_request_whose_caller_left_and_whose_worker_was_killed() {
    explore_lives(|life| {
        let arena = Model::service(1);
        let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        ops::publish(&*arena, SENDER, slot, true).unwrap();
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || live(life, || ops::take(&*arena, RECEIVER, Look::Words)))
        };
        ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, true)).unwrap();
        doomed.join().unwrap();
        settle(&*arena, RECEIVER, |_| true);
        assert_all_free(&arena);
    });
}

#[test]
fn a_killed_callers_request_is_withdrawn_or_its_answer_dropped() {
    explore_lives(|life| {
        let arena = Model::service(1);
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                live(life, || {
                    let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
                    ops::publish(&*arena, SENDER, slot, true).unwrap();
                    ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, true)).unwrap();
                });
            })
        };
        let worker = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                if let Some((slot, _)) = ops::take(&*arena, RECEIVER, Look::Words) {
                    ops::let_go(&*arena, slot, |word| word.finish(RECEIVER, false)).unwrap();
                }
            })
        };
        doomed.join().unwrap();
        settle(&*arena, SENDER, |_| true);
        worker.join().unwrap();
        assert_all_free(&arena);
    });
}

#[test]
fn whoever_waits_for_the_slot_of_a_killed_holder_is_woken() {
    explore_lives(|life| {
        let arena = Model::new(1);
        let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                live(life, || ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, false)).unwrap());
            })
        };
        let waits = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || arena.loan(OTHER))
        };
        doomed.join().unwrap();
        settle(&*arena, SENDER, |_| true);
        assert_eq!(waits.join().unwrap(), slot);
    });
}

#[test]
fn recovery_leaves_the_slots_of_others_alone() {
    explore(|| {
        let arena = Model::new(2);
        ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                let (slot, _) = ops::loan(&*arena, OTHER, 1, Look::Words).unwrap();
                write(&arena, slot, 4);
                ops::publish(&*arena, OTHER, slot, false).expect("it is still this one's");
            })
        };
        settle(&*arena, SENDER, |_| true);
        other.join().unwrap();
        let (slot, _) = ops::take(&*arena, RECEIVER, Look::Hints).expect("a ready slot is hinted at");
        assert_eq!(read(&arena, slot), 4);
    });
}

/// Not dead, so nobody recovers: what it left without a hint is found by looking at the words.
#[test]
fn a_record_is_found_although_its_sender_was_stopped_before_it_could_hint() {
    explore_lives(|life| {
        let arena = Model::new(1);
        let stopped = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || live(life, || send(&arena, SENDER, 1)))
        };
        stopped.join().unwrap();
        if arena.word_of(0).is(Phase::Ready) {
            let slot = arena.receive(RECEIVER);
            assert_eq!(read(&arena, slot), 1);
        }
    });
}

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn a_recovery_that_wakes_nobody() {
        assert_found(
            Bug::RecoversSilently,
            "arena::model::killed::a_call_taken_by_a_killed_worker_is_answered_by_another_and_its_caller_wakes",
            "deadlock",
        );
    }

    #[test]
    fn a_recovery_that_rings_no_bell() {
        assert_found(
            Bug::RecoversSilently,
            "arena::model::killed::whoever_waits_for_the_slot_of_a_killed_holder_is_woken",
            "deadlock",
        );
    }

    #[test]
    fn a_recovery_that_sets_no_hints() {
        assert_found(
            Bug::RecoversWithoutHints,
            "arena::model::killed::a_slot_that_a_killed_receiver_gave_back_has_a_hint",
            "without a hint",
        );
    }

    #[test]
    fn publishing_on_gone() {
        assert_found(
            Bug::PublishesWhatWasLeft,
            "arena::model::killed::nobody_works_on_a_request_whose_caller_left_and_whose_worker_was_killed",
            "slot 0 is Ready",
        );
    }

    #[test]
    fn a_recovery_that_settles_anothers_slot() {
        assert_found(
            Bug::SettlesAnothersSlot,
            "arena::model::killed::recovery_leaves_the_slots_of_others_alone",
            "panicked",
        );
    }

    #[test]
    fn sleeping_on_hints() {
        assert_found(
            Bug::SleepsOnHints,
            "arena::model::killed::a_record_is_found_although_its_sender_was_stopped_before_it_could_hint",
            "deadlock",
        );
    }

    #[test]
    fn a_recovery_that_leaves_a_senders_slot_behind() {
        let model = "arena::model::killed::a_killed_senders_record_is_sent_or_not_and_its_slot_comes_back";
        assert_found(Bug::LeavesLoansBehind, model, "slot 0 is");
    }

    #[test]
    fn a_recovery_that_leaves_a_callers_slot_behind() {
        let model = "arena::model::killed::a_killed_callers_request_is_withdrawn_or_its_answer_dropped";
        assert_found(Bug::LeavesLoansBehind, model, "slot 0 is");
    }
}
