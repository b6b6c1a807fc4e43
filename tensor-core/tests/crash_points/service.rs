//! Clients and workers of a service.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use tensor_core::dynamic::{DynClient, DynHost, DynServer};
use tensor_core::{Error, Pin};

use crate::world::{
    answer_to, call, call_async, client, loan_all, serve, server, service, strict_service, unique, wait_until,
};
use crate::{SIZES, Victim, walk};

/// A service with a client and a worker that nothing happens to.
struct Scene {
    name: String,
    slots: usize,
    host: DynHost,
    client: DynClient,
    server: DynServer,
}

impl Scene {
    fn new(slots: usize, mutates_request: bool) -> Scene {
        Scene::of(slots, |name| service(name, slots, mutates_request).unwrap())
    }

    fn of(slots: usize, host: impl FnOnce(&str) -> DynHost) -> Scene {
        let name = unique("crash.service");
        let host = host(&name);
        let (client, server) = (client(&name), server(&name));
        Scene { name, slots, host, client, server }
    }

    /// Does `body` while this process's worker answers.
    fn while_serving<T>(&self, body: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&self.server, || over.load(Ordering::Relaxed)));
            let result = body();
            over.store(true, Ordering::Relaxed);
            result
        })
    }

    /// The others go on as if nothing had happened.
    fn goes_on(&self) {
        wait_until("the end of every call", || self.host.free_slots() == self.slots);
        loan_all(self.slots, || self.client.try_loan());
    }
}

/// The victim awaits a slot while all are in use, until this process gives them back.
#[test]
fn a_client_killed_while_it_awaits_a_slot_keeps_none_from_others() {
    for slots in SIZES {
        let scene = Scene::new(slots, false);
        walk("a client awaits a slot", slots, |fatal| {
            let loan = || scene.client.try_loan().unwrap().unwrap();
            let mut all: Vec<_> = (0..slots).map(|_| loan()).collect();
            let mut victim = Victim::start("client awaits a slot", &scene.name, fatal, slots);
            victim.hear("ready");
            // Whoever waits beside the victim gets one, whatever becomes of the victim.
            let steps = std::thread::scope(|scope| {
                let waits = scope.spawn(|| call_async(&scene.client, fatal));
                all.truncate(1);
                let answer = scene.while_serving(|| waits.join().unwrap());
                assert_eq!(answer.unwrap(), answer_to(fatal));
                victim.end()
            });
            drop(all);
            scene.goes_on();
            steps
        });
    }
}

/// Three calls that a worker takes together.
#[derive(Clone, Copy)]
struct Three {
    /// Slots that are being filled lie between them, so they are gathered.
    apart: bool,
    /// Whether a worker may write to its requests.
    mutates: bool,
    /// Whether a request is given up with the first worker that had it alone.
    once: bool,
}

const SIDE_BY_SIDE: Three = Three { apart: false, mutates: false, once: false };
const APART: Three = Three { apart: true, ..SIDE_BY_SIDE };

impl Three {
    /// They lie where they should every time when they go round so many slots.
    fn sizes(self) -> [usize; 2] {
        if self.apart { [5, 20] } else { [3, 21] }
    }

    fn called(self) -> &'static str {
        if self.apart { "a gathered run" } else { "a run" }
    }
}

/// `expected` says how each call may end, given its number among the three and its id.
fn walk_runs(three: Three, act: &str, expected: impl Fn(bool, &Result<u64, Error>, usize, u64) -> bool) {
    let part = format!("worker {}: {act}", three.called());
    let repeatable = match three {
        Three { mutates: true, .. } => ", its requests not repeatable",
        Three { once: true, .. } => ", its requests tried alone once",
        _ => "",
    };
    for slots in three.sizes() {
        let scene = match three.once {
            true => Scene::of(slots, |name| strict_service(name, slots).unwrap()),
            false => Scene::new(slots, three.mutates),
        };
        walk(&format!("a worker with {}: {act}{repeatable}", three.called()), slots, |fatal| {
            let mut victim = Victim::start(&part, &scene.name, fatal, slots);
            victim.hear("ready").unwrap();
            let ids = [fatal, fatal + 1000, fatal + 2000];
            let (steps, outcomes) = std::thread::scope(|scope| {
                let mut between = Vec::new();
                let callers = ids.map(|id| {
                    let before = scene.host.free_slots();
                    let caller = scope.spawn({
                        let client = &scene.client;
                        move || if id % 2 == 0 { call(client, id) } else { call_async(client, id) }
                    });
                    wait_until("the call", || scene.host.free_slots() < before);
                    if three.apart && id != ids[2] {
                        between.push(scene.client.try_loan().unwrap().unwrap());
                    }
                    caller
                });
                wait_until("the requests", || {
                    let waiting = |pin: &&Pin| pin.how == "waiting to be received";
                    scene.host.pins().iter().filter(waiting).count() == ids.len()
                });
                victim.tell(&ids[1].to_string());
                let steps = victim.end();
                let outcomes = scene.while_serving(|| callers.map(|caller| caller.join().unwrap()));
                (steps, outcomes)
            });
            for (at, (id, outcome)) in ids.into_iter().zip(&outcomes).enumerate() {
                assert!(expected(steps.is_some(), outcome, at, id), "{act}, step {fatal}: {outcomes:?}");
            }
            scene.goes_on();
            steps
        });
    }
}

fn walk_clients(act: &str, answered: bool) {
    for slots in SIZES {
        let scene = Scene::new(slots, false);
        walk(&format!("a client {act}"), slots, |fatal| {
            let play = || Victim::start(&format!("client {act}"), &scene.name, fatal, slots).end();
            let steps = if answered { scene.while_serving(play) } else { play() };
            scene.goes_on();
            let answer = scene.while_serving(|| call(&scene.client, fatal));
            assert_eq!(answer.unwrap(), answer_to(fatal));
            scene.goes_on();
            steps
        });
    }
}

/// What becomes of the call that the process had.
fn walk_workers(act: &str, mutates: bool, expected: impl Fn(bool, &Result<u64, Error>, u64) -> bool) {
    for slots in SIZES {
        let scene = Scene::new(slots, mutates);
        let title = format!("a worker {act}{}", if mutates { ", its request not repeatable" } else { "" });
        walk(&title, slots, |fatal| {
            let mut victim = Victim::start(&format!("worker {act}"), &scene.name, fatal, slots);
            // One that is killed on its way in has heard of no call.
            let waits = act == "attaches" || victim.hear("ready").is_some();
            assert!(waits, "it was killed too early");
            let (steps, outcome) = std::thread::scope(|scope| {
                let caller = scope.spawn(|| call(&scene.client, fatal));
                let steps = victim.end();
                let outcome = scene.while_serving(|| caller.join().unwrap());
                (steps, outcome)
            });
            assert!(expected(steps.is_some(), &outcome, fatal), "{title}, step {fatal}: {outcome:?}");
            scene.goes_on();
            steps
        });
    }
}

fn has_no_answer(outcome: &Result<u64, Error>) -> bool {
    matches!(outcome, Err(Error::WorkerDied { .. }))
}

fn is_right(outcome: &Result<u64, Error>, id: u64) -> bool {
    matches!(outcome, Ok(answer) if *answer == answer_to(id))
}

#[test]
fn a_client_killed_while_it_attaches_leaves_nothing() {
    walk_clients("attaches", true);
}

#[test]
fn the_slot_of_a_killed_caller_comes_back() {
    walk_clients("calls", true);
    walk_clients("gives up", false);
    walk_clients("awaits", true);
    walk_clients("awaits no longer", false);
    walk_clients("awaits in vain", false);
}

#[test]
fn a_call_taken_by_a_killed_worker_is_answered_by_another() {
    walk_workers("attaches", false, |_, outcome, id| is_right(outcome, id));
    walk_workers("takes", false, |_, outcome, id| is_right(outcome, id));
}

#[test]
fn an_answer_is_sent_by_a_killed_worker_or_by_another() {
    walk_workers("answers", false, |_, outcome, id| is_right(outcome, id));
    walk_workers("answers and keeps an alias", false, |_, outcome, id| is_right(outcome, id));
}

/// A killed worker, or another, answers every call of the three; where the worker let go of them, their callers may be told.
fn walk_every_way_of_a_run(three: Three) {
    for act in ["takes", "answers", "answers and keeps an alias"] {
        walk_runs(three, act, |_, outcome, _, id| is_right(outcome, id));
    }
    walk_runs(three, "drops", |_, outcome, _, id| has_no_answer(outcome) || is_right(outcome, id));
}

#[test]
fn each_call_of_a_run_is_answered_by_a_killed_worker_or_by_another() {
    walk_every_way_of_a_run(SIDE_BY_SIDE);
}

#[test]
fn each_gathered_call_is_answered_by_a_killed_worker_or_by_another() {
    walk_every_way_of_a_run(APART);
}

#[test]
fn what_a_worker_puts_back_beside_a_garbled_request_is_answered_although_it_is_killed() {
    let expected = |_: bool, outcome: &Result<u64, Error>, at: usize, id: u64| match at {
        1 => matches!(outcome, Err(Error::Remote(remote)) if remote.type_name == "Corrupt"),
        _ => is_right(outcome, id),
    };
    walk_runs(SIDE_BY_SIDE, "puts back", expected);
    walk_runs(APART, "puts back", expected);
}

#[test]
fn a_killed_worker_never_counts_as_one_that_had_each_request_of_its_run_alone() {
    for three in [SIDE_BY_SIDE, APART] {
        for act in ["takes", "answers"] {
            let given_up = Cell::new(0);
            walk_runs(Three { once: true, ..three }, act, |through, outcome, at, id| {
                let others = if at == 0 { 0 } else { given_up.get() };
                given_up.set(others + u32::from(has_no_answer(outcome)));
                // The first of a run is alone for as long as no other is taken.
                is_right(outcome, id) || (!through && given_up.get() == 1)
            });
        }
    }
}

#[test]
fn gathered_requests_that_a_killed_worker_may_have_changed_are_not_repeated() {
    let three = Three { mutates: true, ..APART };
    for act in ["takes", "answers"] {
        walk_runs(three, act, |through, outcome, _, id| {
            is_right(outcome, id) || (!through && has_no_answer(outcome))
        });
    }
}

#[test]
fn a_failure_is_told_by_a_killed_worker_or_the_call_answered_by_another() {
    walk_workers("fails", false, |through, outcome, id| {
        let told = matches!(outcome, Err(Error::Remote(remote)) if remote.type_name == "Planned");
        told || (!through && is_right(outcome, id))
    });
    walk_workers("drops", false, |through, outcome, id| {
        has_no_answer(outcome) || (!through && is_right(outcome, id))
    });
}

#[test]
fn a_request_that_a_killed_worker_may_have_changed_is_not_repeated() {
    walk_workers("takes", true, |through, outcome, id| {
        is_right(outcome, id) || (!through && has_no_answer(outcome))
    });
    walk_workers("answers", true, |through, outcome, id| {
        is_right(outcome, id) || (!through && has_no_answer(outcome))
    });
}
