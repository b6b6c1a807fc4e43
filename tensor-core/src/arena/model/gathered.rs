//! Requests that do not lie side by side, taken together.

use super::super::gather::{Gather, gather_others};
use super::super::grow::{RunOrder, take_run};
use super::super::settle::settle;
use super::killed::{assert_all_free, explore_lives, read, write};
use super::*;
use crate::sync::{live, step};

/// Where the requests are: a run is one of them, and the other is gathered.
const APART: [usize; 2] = [0, 2];

fn request_of(slot: usize) -> u64 {
    40 + slot as u64
}

fn arena_with_requests() -> Arc<Model> {
    let arena = Model::service(3);
    for slot in APART {
        ops::loan_slot(&*arena, SENDER, slot).unwrap();
        write(&arena, slot, request_of(slot));
        ops::publish(&*arena, SENDER, slot, true).unwrap();
    }
    arena
}

/// Takes what it finds, copies it, copies the replies back and answers: as [`Batch`](crate::channel) does. How many.
fn answer_gathered(arena: &Model, me: u16) -> usize {
    let Some(mut run) = take_run(arena, me, 3, RunOrder::Free, Look::Words, |_| false) else { return 0 };
    gather_others(arena, me, &mut run, 3, Gather::Always, |_| false);
    for seen in &run {
        step();
        assert_eq!(read(arena, seen.slot), request_of(seen.slot));
    }
    for seen in &run {
        step();
        // The reply lies beside the request, which stays as it is: what matters is that nobody else writes.
        write(arena, seen.slot, request_of(seen.slot));
    }
    for seen in &run {
        ops::let_go(arena, seen.slot, |word| word.finish(me, false)).expect("it is still this one's");
    }
    run.len()
}

#[test]
fn each_gathered_request_of_a_killed_worker_is_answered_once_by_it_or_by_another() {
    explore_lives(|life| {
        let arena = arena_with_requests();
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || live(life, || answer_gathered(&arena, RECEIVER)))
        };
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || answer_gathered(&arena, OTHER))
        };
        let through = doomed.join().unwrap();
        settle(&*arena, RECEIVER, |_| true);
        let mut answered = through.unwrap_or(0) + other.join().unwrap();
        answered += answer_gathered(&arena, OTHER);
        if through.is_some() {
            assert_eq!(answered, APART.len());
        }
        for slot in APART {
            assert!(arena.word_of(slot).is(Phase::Done), "slot {slot} is {:?}", arena.word_of(slot));
            ops::let_go(&*arena, slot, |word| word.release_sender(SENDER, true)).unwrap();
        }
        assert_all_free(&arena);
    });
}

/// Requests side by side and apart: whenever the worker that takes them is killed, one of them was alone or none, and none
/// once it has two.
#[test]
fn a_killed_worker_had_one_request_alone_or_a_run() {
    explore_lives(|life| {
        let arena = Model::service(4);
        for slot in [0, 1, 3] {
            ops::loan_slot(&*arena, SENDER, slot).unwrap();
            ops::publish(&*arena, SENDER, slot, true).unwrap();
        }
        let doomed = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                live(life, || {
                    let mut run = take_run(&*arena, RECEIVER, 3, RunOrder::Free, Look::Words, |_| false)?;
                    gather_others(&*arena, RECEIVER, &mut run, 3, Gather::Always, |_| false);
                    Some(run.len())
                })
            })
        };
        // Another takes one of them, or its caller leaves.
        ops::take(&*arena, OTHER, Look::Words);
        ops::let_go(&*arena, 3, |word| word.release_sender(SENDER, true)).unwrap();
        let through = doomed.join().unwrap();
        let taken: Vec<Word> = (0..4)
            .map(|slot| arena.word_of(slot))
            .filter(|word| word.is(Phase::Taken) && word.receiver() == RECEIVER)
            .collect();
        let alone = taken.iter().filter(|word| !word.in_run()).count();
        assert!(alone == 0 || taken.len() == 1, "{taken:?}");
        if let Some(run) = through {
            assert_eq!((taken.len(), alone), (run.unwrap_or(0), usize::from(run == Some(1))));
        }
    });
}

#[test]
fn a_request_whose_caller_leaves_is_gathered_or_withdrawn() {
    explore(|| {
        let arena = arena_with_requests();
        let worker = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || answer_gathered(&arena, RECEIVER))
        };
        ops::let_go(&*arena, APART[1], |word| word.release_sender(SENDER, true)).unwrap();
        assert!((1..=2).contains(&worker.join().unwrap()));
        ops::let_go(&*arena, APART[0], |word| word.release_sender(SENDER, true)).unwrap();
        assert_all_free(&arena);
    });
}

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn gathering_what_another_worker_took() {
        assert_found(
            Bug::GathersAnothers,
            "arena::model::gathered::each_gathered_request_of_a_killed_worker_is_answered_once_by_it_or_by_another",
            "panicked",
        );
    }

    #[test]
    fn taking_a_run_as_if_each_of_it_were_alone() {
        assert_found(
            Bug::TakesRunsAsIfAlone,
            "arena::model::gathered::a_killed_worker_had_one_request_alone_or_a_run",
            "panicked",
        );
    }

    #[test]
    fn gathering_what_was_withdrawn() {
        assert_found(
            Bug::GathersAnothers,
            "arena::model::gathered::a_request_whose_caller_leaves_is_gathered_or_withdrawn",
            "panicked",
        );
    }

    #[test]
    fn gathering_in_no_order_with_the_bytes() {
        assert_found(
            Bug::OrdersNothing,
            "arena::model::gathered::each_gathered_request_of_a_killed_worker_is_answered_once_by_it_or_by_another",
            "panicked",
        );
    }
}
