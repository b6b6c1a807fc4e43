//! Clients and workers of a service.

use std::sync::atomic::{AtomicBool, Ordering};

use tensor_core::dynamic::{DynClient, DynHost, DynServer};
use tensor_core::{Error, Pin};

use crate::world::{
    answer_to, call, call_async, client, loan_all, serve, server, service, unique, wait_until,
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
        let name = unique("crash.service");
        let host = service(&name, slots, mutates_request).unwrap();
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

/// Three calls lie side by side every time when they go round so many slots.
const SIZES_FOR_RUNS: [usize; 2] = [3, 21];

/// Three calls that are a run. `expected` says how each may end.
fn walk_runs(act: &str, expected: impl Fn(bool, &Result<u64, Error>, u64) -> bool) {
    for slots in SIZES_FOR_RUNS {
        let scene = Scene::new(slots, false);
        walk(&format!("a worker with a run: {act}"), slots, |fatal| {
            let mut victim = Victim::start(&format!("worker a run: {act}"), &scene.name, fatal, slots);
            victim.hear("ready").unwrap();
            let ids = [fatal, fatal + 1000, fatal + 2000];
            let (steps, outcomes) = std::thread::scope(|scope| {
                let callers = ids.map(|id| {
                    let before = scene.host.free_slots();
                    let caller = scope.spawn({
                        let client = &scene.client;
                        move || if id % 2 == 0 { call(client, id) } else { call_async(client, id) }
                    });
                    wait_until("the call", || scene.host.free_slots() < before);
                    caller
                });
                wait_until("the requests", || {
                    let waiting = |pin: &&Pin| pin.how == "waiting to be received";
                    scene.host.pins().iter().filter(waiting).count() == ids.len()
                });
                victim.tell("go");
                let steps = victim.end();
                let outcomes = scene.while_serving(|| callers.map(|caller| caller.join().unwrap()));
                (steps, outcomes)
            });
            for (id, outcome) in ids.into_iter().zip(&outcomes) {
                assert!(expected(steps.is_some(), outcome, id), "{act}, step {fatal}: {outcomes:?}");
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

#[test]
fn each_call_of_a_run_is_answered_by_a_killed_worker_or_by_another() {
    walk_runs("takes", |_, outcome, id| is_right(outcome, id));
    walk_runs("answers", |_, outcome, id| is_right(outcome, id));
    walk_runs("answers and keeps an alias", |_, outcome, id| is_right(outcome, id));
    walk_runs("drops", |_, outcome, id| {
        matches!(outcome, Err(Error::WorkerDied { .. })) || is_right(outcome, id)
    });
}

#[test]
fn a_failure_is_told_by_a_killed_worker_or_the_call_answered_by_another() {
    walk_workers("fails", false, |through, outcome, id| {
        let told = matches!(outcome, Err(Error::Remote(remote)) if remote.type_name == "Planned");
        told || (!through && is_right(outcome, id))
    });
    walk_workers("drops", false, |through, outcome, id| {
        matches!(outcome, Err(Error::WorkerDied { .. })) || (!through && is_right(outcome, id))
    });
}

#[test]
fn a_request_that_a_killed_worker_may_have_changed_is_not_repeated() {
    walk_workers("takes", true, |through, outcome, id| {
        is_right(outcome, id) || (!through && matches!(outcome, Err(Error::WorkerDied { .. })))
    });
    walk_workers("answers", true, |through, outcome, id| {
        is_right(outcome, id) || (!through && matches!(outcome, Err(Error::WorkerDied { .. })))
    });
}
