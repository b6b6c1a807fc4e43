//! Clients and workers of a service.

use std::sync::atomic::{AtomicBool, Ordering};

use tensor_core::Error;
use tensor_core::dynamic::{DynClient, DynHost, DynServer};

use crate::world::{answer_to, call, client, loan_all, serve, server, service, unique, wait_until};
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
