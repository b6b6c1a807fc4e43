//! Hints that are left behind: whoever takes one back that is right again by now sets it again.

use super::*;

/// A slot that its sender still fills and whose hint says that it is free.
fn misleading() -> Arc<Model> {
    let arena = Model::new(1);
    ops::loan_slot(&*arena, SENDER, 0).unwrap();
    arena.free_hints().set(0);
    arena
}

#[test]
fn a_slot_that_becomes_free_keeps_the_hint_that_another_takes_back() {
    explore(|| {
        let arena = misleading();
        let other = {
            let arena = Arc::clone(&arena);
            thread::spawn(move || ops::loan(&*arena, OTHER, 0, Look::Hints))
        };
        ops::let_go(&*arena, 0, |word| word.release_sender(SENDER, false)).unwrap();
        if other.join().unwrap().is_none() {
            assert!(ops::loan(&*arena, OTHER, 0, Look::Hints).is_some(), "a free slot without a hint");
        }
    });
}

/// Two find the hint stale while the slot goes round.
#[test]
fn a_slot_that_goes_round_keeps_its_hint_whoever_takes_it_back() {
    explore_bounded(2, || {
        let arena = misleading();
        let others = [RECEIVER, OTHER].map(|me| {
            let arena = Arc::clone(&arena);
            thread::spawn(move || {
                if ops::loan(&*arena, me, 0, Look::Hints).is_some() {
                    ops::let_go(&*arena, 0, |word| word.release_sender(me, false)).unwrap();
                }
            })
        });
        ops::let_go(&*arena, 0, |word| word.release_sender(SENDER, false)).unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(ops::loan(&*arena, SENDER, 0, Look::Hints).is_some(), "a free slot without a hint");
    });
}

/// The models find what they are there to find.
mod planted {
    use super::*;

    #[test]
    fn a_hint_taken_back_blindly() {
        assert_found(
            Bug::TakesHintsBackBlindly,
            "arena::model::hints::a_slot_that_becomes_free_keeps_the_hint_that_another_takes_back",
            "a free slot without a hint",
        );
    }

    #[test]
    fn no_fence_before_a_free_slots_hint_is_looked_at() {
        assert_found(
            Bug::NoFenceBeforeWake,
            "arena::model::hints::a_slot_that_becomes_free_keeps_the_hint_that_another_takes_back",
            "a free slot without a hint",
        );
    }

    #[test]
    fn no_fence_after_a_hint_is_taken_back() {
        assert_found(
            Bug::NoFenceAfterHint,
            "arena::model::hints::a_slot_that_becomes_free_keeps_the_hint_that_another_takes_back",
            "a free slot without a hint",
        );
    }
}
