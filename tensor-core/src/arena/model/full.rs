//! A full arena: records dropped for newer ones, and clients that may hold so many slots and no more.

use super::*;
use crate::arena::budget::Budget;

/// Sends what is in the slot already.
fn send(arena: &Model, me: u16, slot: usize) {
    ops::loan_slot(arena, me, slot).unwrap();
    ops::publish(arena, me, slot, false).unwrap();
}

#[test]
fn a_record_is_received_or_dropped_and_never_both() {
    explore(|| {
        let arena = Model::new(1);
        send(&arena, SENDER, 0);
        let receiver = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || ops::take(&*arena, RECEIVER, Look::Words))
        };
        let dropped = ops::supplant_oldest(&*arena, OTHER);
        assert!(dropped.is_some() != receiver.join().unwrap().is_some());
    });
}

#[test]
fn the_bytes_of_a_dropped_record_are_its_receivers_or_the_new_senders() {
    explore(|| {
        let arena = Model::new(1);
        send(&arena, SENDER, 0);
        let receiver = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                let slot = arena.receive(RECEIVER);
                // SAFETY: loom checks what the words promise: nobody else accesses the bytes meanwhile.
                let value = arena.bytes[slot].with(|bytes| unsafe { *bytes });
                ops::let_go(&*arena, slot, |word| word.release_receiver(RECEIVER)).unwrap();
                value
            })
        };
        let dropped = ops::supplant_oldest(&*arena, OTHER);
        if let Some((slot, _)) = dropped {
            // SAFETY: as above.
            arena.bytes[slot].with_mut(|bytes| unsafe { *bytes = 2 });
            ops::publish(&*arena, OTHER, slot, false).unwrap();
        }
        assert_eq!(receiver.join().unwrap(), if dropped.is_some() { 2 } else { 0 });
        assert!(arena.word_of(0).is(Phase::Free));
    });
}

#[test]
fn the_record_that_is_dropped_was_sent_first() {
    for order in [[0, 1], [1, 0]] {
        explore(move || {
            let arena = Model::new(2);
            let dropper = {
                let arena = Arc::clone(&arena);
                thread::spawn(move || ops::supplant_oldest(&*arena, OTHER))
            };
            order.into_iter().for_each(|slot| send(&arena, SENDER, slot));
            let dropped = dropper.join().unwrap();
            assert!(dropped.is_none_or(|(slot, _)| slot == order[0]), "the second record was dropped first");
        });
    }
}

#[test]
fn what_is_left_of_a_sender_is_received_in_the_order_sent() {
    for order in [[0, 1], [1, 0]] {
        explore(move || {
            let arena = Model::new(2);
            order.into_iter().for_each(|slot| send(&arena, SENDER, slot));
            let dropper = {
                let arena = Arc::clone(&arena);
                thread::spawn(move || ops::supplant_oldest(&*arena, OTHER).map(|(slot, _)| slot))
            };
            let first = ops::take(&*arena, RECEIVER, Look::Words).map(|(slot, _)| slot);
            let dropped = dropper.join().unwrap();
            let second = ops::take(&*arena, RECEIVER, Look::Words).map(|(slot, _)| slot);
            // One was dropped, and it was the first of those that were left.
            match dropped {
                Some(slot) if slot == order[0] => assert_eq!([first, second], [Some(order[1]), None]),
                dropped => assert_eq!([first, dropped, second], [Some(order[0]), Some(order[1]), None]),
            }
        });
    }
}

/// So many threads want the only slot of a client, each once.
fn have_the_only_slot_in_turn(threads: usize) {
    explore(move || {
        let budget = Arc::new(Budget::new(1, 0));
        let spend = |budget: &Budget| {
            wait_asleep(budget.bell(), |_| budget.try_spend().then_some((0, Word::NEW)));
            budget.give_back();
        };
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let budget = Arc::clone(&budget);
                thread::spawn(move || spend(&budget))
            })
            .collect();
        spend(&budget);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(budget.is_left());
    });
}

#[test]
fn whoever_waits_for_a_clients_own_slot_is_woken() {
    have_the_only_slot_in_turn(2);
}

/// Two sleep, and one ring wakes one of them.
#[test]
fn whoever_was_woken_for_a_clients_own_slot_wakes_the_next() {
    have_the_only_slot_in_turn(3);
}

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn a_record_dropped_blindly() {
        assert_found(
            Bug::StoresBlindly,
            "arena::model::full::a_record_is_received_or_dropped_and_never_both",
            "panicked",
        );
    }

    #[test]
    fn a_record_dropped_in_no_order_with_its_bytes() {
        assert_found(
            Bug::OrdersNothing,
            "arena::model::full::the_bytes_of_a_dropped_record_are_its_receivers_or_the_new_senders",
            "panicked",
        );
    }

    #[test]
    fn one_look_for_the_oldest() {
        assert_found(
            Bug::LooksOnce,
            "arena::model::full::the_record_that_is_dropped_was_sent_first",
            "panicked",
        );
    }

    #[test]
    fn no_fence_before_a_sleep_for_a_clients_own_slot() {
        assert_found(
            Bug::NoFenceBeforeSleep,
            "arena::model::full::whoever_waits_for_a_clients_own_slot_is_woken",
            "deadlock",
        );
    }

    #[test]
    fn no_fence_before_one_of_two_is_woken_for_a_clients_own_slot() {
        assert_found(
            Bug::NoFenceBeforeWake,
            "arena::model::full::whoever_was_woken_for_a_clients_own_slot_wakes_the_next",
            "deadlock",
        );
    }
}
