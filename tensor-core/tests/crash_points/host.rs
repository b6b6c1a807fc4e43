//! The host: while it takes the name, cleans up after the dead, lets somebody in, and closes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tensor_core::Error;
use tensor_core::dynamic::{DynClient, EndpointOptions};

use crate::world::{
    PATIENCE, answer_to, call, channel, client, get, nothing, options, put, receiver, sender, serve, server,
    service, unique,
};
use crate::{SIZES, Victim, walk};

/// Another host takes the name and serves.
fn the_name_can_be_taken(name: &str) {
    let _host = channel(name, 2).unwrap();
    let (sender, receiver) = (sender(name), receiver(name));
    let mut record = sender.loan(None, &mut nothing).unwrap();
    put(&mut record, 5);
    sender.send(record, true).map_err(|failed| failed.0).unwrap();
    assert_eq!(get(&receiver.receive(None, &mut nothing).unwrap()), 5);
}

#[test]
fn the_name_of_a_host_killed_while_it_begins_can_be_taken() {
    for slots in SIZES {
        walk("a host begins", slots, |fatal| {
            let name = unique("crash.begins");
            let steps = Victim::start("host begins", &name, fatal, slots).end();
            the_name_can_be_taken(&name);
            steps
        });
    }
}

#[test]
fn everybody_hears_of_a_host_killed_while_it_closes() {
    for slots in SIZES {
        walk("a host closes", slots, |fatal| {
            let name = unique("crash.closes");
            let mut host = Victim::start("host closes", &name, fatal, slots);
            host.hear("ready").unwrap();
            let receiver = receiver(&name);
            let steps = std::thread::scope(|scope| {
                let waits =
                    scope.spawn(|| receiver.receive(Some(PATIENCE), &mut nothing).map(drop).unwrap_err());
                host.tell("close");
                let steps = host.end();
                let error = waits.join().unwrap();
                assert!(matches!(error, Error::HostDied { .. }), "{error}");
                steps
            });
            the_name_can_be_taken(&name);
            steps
        });
    }
}

/// A process dies with a request taken, a slot loaned and a call under way; others wait for an answer and for a slot.
#[test]
fn whatever_a_host_killed_in_the_middle_of_a_recovery_leaves_everybody_goes_on() {
    for slots in SIZES {
        walk("a host recovers and lets the next one in", slots, |fatal| {
            let name = unique("crash.recovers");
            let mut host = Victim::start("host recovers", &name, fatal, slots);
            host.hear("ready").unwrap();
            let steps = recovery(&name, slots, fatal, &mut host);
            the_name_can_be_taken(&name);
            steps
        });
    }
}

fn recovery(name: &str, slots: usize, fatal: u64, host: &mut Victim) -> Option<u64> {
    let (client, server) = (client(name), server(name));
    let over = AtomicBool::new(false);
    let held = client.loan(Some(PATIENCE), &mut nothing).unwrap();
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| call(&client, fatal));
        let mut doomed = Victim::start("host is left with a mess", name, 0, slots);
        doomed.hear("ready").unwrap();
        // Everything that is free but what the dead will leave.
        let loans: Vec<_> = std::iter::from_fn(|| client.try_loan().unwrap()).collect();
        let waits = scope.spawn(|| client.loan(Some(PATIENCE), &mut nothing).map(drop));
        host.tell("arm");
        host.hear("armed").unwrap();
        doomed.kill();
        scope.spawn(|| serve(&server, || over.load(Ordering::Relaxed)));

        let answered = asks.join().unwrap();
        let loaned = waits.join().unwrap();
        // Whoever comes now is let in after the recovery.
        let late = EndpointOptions { timeout: Some(Duration::from_millis(300)), ..options(name) };
        let enters = || DynClient::connect(late.clone(), &mut nothing).map(drop);
        // A host that lives may be slow.
        let entered = (0..100)
            .map(|_| enters())
            .find(|entered| !matches!(entered, Err(Error::Timeout { .. })))
            .unwrap();
        host.tell("stop");
        let steps = host.end();
        over.store(true, Ordering::Relaxed);

        let survived = steps.is_some();
        match answered {
            Ok(answer) => assert_eq!(answer, answer_to(fatal)),
            Err(error) => assert!(!survived && matches!(error, Error::HostDied { .. }), "{error}"),
        }
        if let Err(error) = loaned {
            assert!(!survived && matches!(error, Error::HostDied { .. }), "{error}");
        }
        if let Err(error) = entered {
            let gone = matches!(error, Error::NotFound { .. } | Error::NotTensorbridge { .. });
            assert!(!survived && gone, "{error}");
        }
        // What is held stays valid.
        let mut held = held;
        put(&mut held, 9);
        assert_eq!(get(&held), 9);
        drop(loans);
        steps
    })
}

#[test]
fn nothing_is_lost_when_the_host_survives() {
    let name = unique("crash.whole");
    let host = service(&name, 4, false).unwrap();
    let client = client(&name);
    let mut doomed = None;
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| call(&client, 3));
        let mess = doomed.insert(Victim::start("host is left with a mess", &name, 0, 4));
        mess.hear("ready").unwrap();
        let dead = mess.id();
        mess.kill();
        let server = server(&name);
        serve(&server, || asks.is_finished());
        assert_eq!(asks.join().unwrap().unwrap(), answer_to(3));
        crate::world::wait_until("the dead one's slots", || host.free_slots() == 4);
        assert!(host.pins().iter().all(|pin| pin.pid != Some(dead)));
    });
}
