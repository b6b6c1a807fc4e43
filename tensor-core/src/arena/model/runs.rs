//! Runs: neighbours taken together, each sender's records in the order sent.

use super::super::grow::{RunOrder, take_run};
use super::*;

/// The slots of the records in the order sent that a receiver gets by taking runs until it has `count`.
fn receive_runs(arena: &Model, me: u16, count: usize) -> Vec<usize> {
    let mut rows = Vec::new();
    while rows.len() < count {
        let run = std::cell::RefCell::new(Vec::new());
        wait_asleep(&arena.ready_bell, |look| {
            let taken = take_run(arena, me, 2, RunOrder::OfEachSender, look, |_| false)?;
            *run.borrow_mut() = taken.iter().map(|seen| seen.slot).collect();
            Some((taken[0].slot, taken[0].word))
        });
        rows.extend(run.into_inner());
    }
    rows
}

#[test]
fn runs_keep_the_order_sent() {
    for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1]] {
        explore_bounded(2, move || {
            let arena = Model::new(3);
            let sender = {
                let arena = Arc::clone(&arena);
                thread::spawn(move || {
                    for slot in order {
                        ops::loan_slot(&*arena, SENDER, slot).unwrap();
                        ops::publish(&*arena, SENDER, slot, false).unwrap();
                    }
                })
            };
            assert_eq!(receive_runs(&arena, RECEIVER, 3), order);
            sender.join().unwrap();
        });
    }
}

#[test]
fn two_that_take_runs_have_every_record_once_and_each_in_order() {
    explore_bounded(2, || {
        let arena = Model::new(3);
        for slot in 0..3 {
            ops::loan_slot(&*arena, SENDER, slot).unwrap();
            ops::publish(&*arena, SENDER, slot, false).unwrap();
        }
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || take_run(&*arena, OTHER, 2, RunOrder::OfEachSender, Look::Words, |_| false))
        };
        let mine = take_run(&*arena, RECEIVER, 2, RunOrder::OfEachSender, Look::Words, |_| false);
        let runs = [mine, other.join().unwrap()].map(|run| run.unwrap_or_default());
        let mut all: Vec<usize> = Vec::new();
        for run in runs {
            assert!(run.windows(2).all(|pair| pair[1].slot == pair[0].slot + 1));
            all.extend(run.iter().map(|seen| seen.slot));
        }
        all.sort_unstable();
        all.dedup();
        let taken = (0..3).filter(|&slot| arena.word_of(slot).is(Phase::Taken)).count();
        assert_eq!(all.len(), taken);
    });
}

#[test]
fn a_later_record_in_a_slot_below_comes_later() {
    // The later record is in the slot below, where a run that grew to it would put it first.
    explore_bounded(2, || {
        let arena = Model::new(2);
        ops::loan_slot(&*arena, SENDER, 1).unwrap();
        ops::publish(&*arena, SENDER, 1, false).unwrap();
        let sender = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                ops::loan_slot(&*arena, SENDER, 0).unwrap();
                ops::publish(&*arena, SENDER, 0, false).unwrap();
            })
        };
        let rows = receive_runs(&arena, RECEIVER, 2);
        sender.join().unwrap();
        assert_eq!(rows, [1, 0]);
    });
}

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn a_run_that_takes_whatever_lies_beside_it() {
        assert_found(Bug::GrowsBlindly, "arena::model::runs::runs_keep_the_order_sent", "panicked");
    }
}
