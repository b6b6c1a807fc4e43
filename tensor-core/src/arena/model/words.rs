//! The slot word: one holder at a time.

use super::*;

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

#[test]
fn a_slot_that_is_ready_again_keeps_its_hint() {
    explore(|| {
        let arena = Model::new(1);
        let (slot, _) = ops::loan(&*arena, SENDER, 0, Look::Words).unwrap();
        ops::publish(&*arena, SENDER, slot, false).unwrap();
        let sender = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                if let Some((slot, _)) = ops::loan(&*arena, OTHER, 0, Look::Words) {
                    ops::publish(&*arena, OTHER, slot, false).unwrap();
                }
            })
        };
        let (slot, _) = ops::take(&*arena, RECEIVER, Look::Words).unwrap();
        ops::let_go(&*arena, slot, |word| word.release_receiver(RECEIVER)).unwrap();
        sender.join().unwrap();
        let hinted = ops::take(&*arena, RECEIVER, Look::Hints).is_some();
        assert!(!arena.word_of(slot).is(Phase::Ready), "a ready slot without a hint: {hinted}");
    });
}

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn a_loan_that_is_no_compare_and_swap() {
        assert_found(Bug::StoresBlindly, "arena::model::words::one_slot_is_loaned_to_one_of_two", "panicked");
    }

    #[test]
    fn two_loans_that_are_no_compare_and_swap() {
        assert_found(
            Bug::StoresBlindly,
            "arena::model::words::two_slots_serve_two_loans_whatever_the_hints_say",
            "panicked",
        );
    }

    #[test]
    fn transitions_that_order_nothing() {
        assert_found(
            Bug::OrdersNothing,
            "arena::model::words::the_bytes_of_a_slot_are_one_holders_at_a_time",
            "panicked",
        );
    }

    #[test]
    fn a_slot_that_is_free_while_it_is_held() {
        assert_found(
            Bug::FreesUnderAHold,
            "arena::model::words::the_last_of_two_holders_frees_the_slot_once",
            "panicked",
        );
    }

    #[test]
    fn a_hint_cleared_for_another() {
        assert_found(
            Bug::ClearsAnothersHint,
            "arena::model::words::a_slot_that_is_ready_again_keeps_its_hint",
            "without a hint",
        );
    }

    #[test]
    fn a_caller_and_a_worker_that_swap_blindly() {
        assert_found(
            Bug::StoresBlindly,
            "arena::model::words::a_caller_that_leaves_and_a_worker_that_takes_never_both_have_the_request",
            "panicked",
        );
    }
}
