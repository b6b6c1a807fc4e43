//! Tickets: records are taken in the order sent.

use super::*;

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
fn what_is_queued_comes_in_the_order_sent() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        explore(move || {
            let arena = Model::new(3);
            let send = |arena: &Model, slot: usize| {
                ops::loan_slot(arena, SENDER, slot).unwrap();
                ops::publish(arena, SENDER, slot, false).unwrap();
            };
            send(&arena, order[0]);
            let sender = {
                let arena = Arc::clone(&arena);
                thread::spawn(move || order[1..].iter().for_each(|slot| send(&arena, *slot)))
            };
            let queue = RefCell::default();
            let received = [(); 3].map(|()| arena.receive_queued(RECEIVER, &queue));
            sender.join().unwrap();
            assert_eq!(received, order);
        });
    }
}

#[test]
fn two_queues_have_every_record_once_and_each_in_order() {
    explore(|| {
        let arena = Model::new(2);
        for slot in [1, 0] {
            ops::loan_slot(&*arena, SENDER, slot).unwrap();
            ops::publish(&*arena, SENDER, slot, false).unwrap();
        }
        let take = |arena: &Model, me| {
            let mut queue = Queue::default();
            [(); 2].map(|()| ops::take_queued(arena, me, Look::Words, &mut queue).map(|(slot, _)| slot))
        };
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || take(&arena, OTHER))
        };
        let (mine, others) = (take(&arena, RECEIVER), other.join().unwrap());
        for taken in [mine, others] {
            assert_ne!(taken, [Some(0), Some(1)], "the second record came first");
        }
        let mut all: Vec<usize> = mine.into_iter().chain(others).flatten().collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1]);
    });
}

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn one_look_at_the_tickets() {
        assert_found(
            Bug::LooksOnce,
            "arena::model::order::a_senders_records_are_taken_in_the_order_sent",
            "panicked",
        );
    }

    #[test]
    fn one_look_at_the_hints() {
        assert_found(
            Bug::LooksOnce,
            "arena::model::order::hints_keep_the_order_sent_whatever_they_say",
            "panicked",
        );
    }

    #[test]
    fn one_look_for_a_queue() {
        assert_found(
            Bug::LooksOnce,
            "arena::model::order::what_is_queued_comes_in_the_order_sent",
            "assertion",
        );
    }

    #[test]
    fn a_ticket_that_comes_too_late() {
        assert_found(
            Bug::TicketAfterReady,
            "arena::model::order::a_senders_records_are_taken_in_the_order_sent",
            "panicked",
        );
    }
}
