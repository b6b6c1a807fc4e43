//! Sleeping and waking: no wake-up is lost.

use super::*;

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

/// Two wait for a slot of `arena`, whose two slots are released at once.
fn release_both(arena: &Arc<Model>) {
    let loaners = [RECEIVER, OTHER].map(|me| {
        let arena = Arc::clone(arena);
        thread::spawn(move || arena.loan(me))
    });
    let release = |arena: &Model, slot: usize| {
        ops::let_go(arena, slot, |word| word.release_sender(SENDER, false)).unwrap();
    };
    let other = {
        let arena = Arc::clone(arena);
        thread::spawn(move || release(&arena, 0))
    };
    release(arena, 1);
    other.join().unwrap();
    let [first, second] = loaners.map(|loaner| loaner.join().unwrap());
    assert_ne!(first, second);
}

#[test]
fn two_slots_released_at_once_wake_two_that_sleep() {
    explore_bounded(2, || {
        let arena = Arc::new(Model::without_hints(2));
        for slot in 0..2 {
            ops::loan_slot(&*arena, SENDER, slot).unwrap();
        }
        release_both(&arena);
    });
}

#[test]
fn two_slots_released_while_their_hints_are_taken_back_wake_two_that_sleep() {
    explore_bounded(2, || {
        let arena = Model::new(2);
        for slot in 0..2 {
            ops::loan_slot(&*arena, SENDER, slot).unwrap();
            arena.free_hints().set(slot);
        }
        release_both(&arena);
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

/// One thread waits for two calls on one bell, and looks only where it is hinted to.
#[test]
fn a_caller_asleep_on_its_bell_sees_every_answer() {
    explore_bounded(2, || {
        let arena = Model::service(2);
        for _ in 0..2 {
            let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
            ops::publish(&*arena, SENDER, slot, true).unwrap();
        }
        let workers = [RECEIVER, OTHER].map(|me| {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                let (slot, _) = ops::take(&*arena, me, Look::Words).unwrap();
                ops::let_go(&*arena, slot, |word| word.finish(me, false)).unwrap();
            })
        });
        let is_done = |slot: usize| arena.word_of(slot).is(Phase::Done);
        let mut waits = [0, 1].map(|slot| {
            ops::sleep_on_bell(&*arena, slot);
            !is_done(slot)
        });
        while waits != [false; 2] {
            let prepared = arena.senders_bell.prepare();
            let before = waits;
            ops::answered(&*arena, |slot| before[slot], |slot| waits[slot] = !is_done(slot));
            if waits != [false; 2] {
                arena.senders_bell.sleep(prepared, std::time::Duration::MAX);
            }
        }
        workers.into_iter().for_each(|worker| worker.join().unwrap());
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

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn no_fence_before_a_sleep() {
        assert_found(
            Bug::NoFenceBeforeSleep,
            "arena::model::wakes::whoever_waits_for_a_free_slot_is_woken_by_a_release",
            "deadlock",
        );
    }

    #[test]
    fn no_fence_before_a_wake() {
        assert_found(
            Bug::NoFenceBeforeWake,
            "arena::model::wakes::whoever_waits_for_a_free_slot_is_woken_by_a_release",
            "deadlock",
        );
    }

    #[test]
    fn no_fence_before_a_caller_is_woken() {
        assert_found(
            Bug::NoFenceBeforeWake,
            "arena::model::wakes::a_caller_asleep_is_woken_by_its_answer",
            "deadlock",
        );
    }

    #[test]
    fn no_fence_before_a_caller_sleeps_on_its_bell() {
        assert_found(
            Bug::NoFenceBeforeSleep,
            "arena::model::wakes::a_caller_asleep_on_its_bell_sees_every_answer",
            "deadlock",
        );
    }

    #[test]
    fn a_bell_that_is_rung_without_a_hint() {
        assert_found(
            Bug::RingsWithoutAHint,
            "arena::model::wakes::a_caller_asleep_on_its_bell_sees_every_answer",
            "deadlock",
        );
    }

    #[test]
    fn a_ring_that_is_not_passed_on() {
        assert_found(
            Bug::KeepsTheRing,
            "arena::model::wakes::two_that_send_at_once_wake_two_that_sleep",
            "deadlock",
        );
    }

    #[test]
    fn a_ring_of_a_free_slot_that_is_not_passed_on() {
        assert_found(
            Bug::KeepsTheRing,
            "arena::model::wakes::two_slots_released_at_once_wake_two_that_sleep",
            "deadlock",
        );
    }

    #[test]
    fn a_ring_that_one_of_two_keeps() {
        assert_found(
            Bug::KeepsTheRing,
            "arena::model::wakes::a_record_is_taken_by_one_of_two_and_no_wake_is_lost",
            "deadlock",
        );
    }
}
