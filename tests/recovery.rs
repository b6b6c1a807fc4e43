//! What becomes of records when a process that has to do with them is killed.

#[path = "support/players.rs"]
mod players;
mod support;

use std::time::Duration;

use players::{part, play};
use support::{unique, until};
use tensorbridge::{Client, Error, Receiver, Record, Sender, Server, Service, Tensor};

/// What is asked, and what is answered.
#[derive(Tensor)]
#[tensor(name = "recovery.number")]
struct Number {
    value: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);

fn client(name: &str) -> Client<Number, Number> {
    Client::builder(name).timeout(PATIENCE).connect().unwrap()
}

fn server(name: &str) -> Server<Number, Number> {
    Server::builder(name).timeout(PATIENCE).connect().unwrap()
}

fn call(client: &Client<Number, Number>, value: u64) -> Result<u64, Error> {
    let mut number = client.loan()?;
    number.set_value(value);
    Ok(number.call().map(|answer| answer.value())?)
}

fn answer(server: &Server<Number, Number>) -> u64 {
    let mut request = server.receive().unwrap();
    let value = request.request().value();
    request.reply_mut().set_value(value + 1);
    request.reply().unwrap();
    value
}

/// Waits until the process holds a record as `how`.
fn until_pinned<Req: Record, Rep: Record>(service: &Service<Req, Rep>, pid: u32, how: &str) {
    until(how, || service.pins().iter().any(|pin| pin.pid == Some(pid) && pin.how == how));
}

/// Plays a part that does not end by itself.
fn sleep_until_killed() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// Plays a server that takes one request and is killed with it.
fn doomed_server(name: &str) -> ! {
    let server = server(name);
    let _taken = server.receive().unwrap();
    sleep_until_killed()
}

#[test]
fn a_worker_killed_with_a_request_is_replaced_by_another() {
    const TEST: &str = "a_worker_killed_with_a_request_is_replaced_by_another";
    if let Some((part, name)) = part() {
        if part == "server" {
            doomed_server(&name);
        }
        // The caller sees a longer wait and nothing else.
        assert_eq!(call(&client(&name), 9).unwrap(), 10);
        return;
    }
    let name = unique("redelivered");
    let service = Service::<Number, Number>::builder(&name).slots(2).create().unwrap();
    let doomed = play(TEST, "server", &name);
    let caller = play(TEST, "client", &name);
    until_pinned(&service, doomed.id(), "received");
    doomed.kill();
    assert_eq!(answer(&server(&name)), 9);
    caller.succeed();
    until("the slot", || service.free_slots() == 2);
}

#[test]
fn a_request_that_kills_every_worker_ends_with_the_number_of_attempts() {
    const TEST: &str = "a_request_that_kills_every_worker_ends_with_the_number_of_attempts";
    if let Some((_, name)) = part() {
        doomed_server(&name);
    }
    let name = unique("poison");
    let service = Service::<Number, Number>::builder(&name).slots(2).max_attempts(2).create().unwrap();
    let client = client(&name);
    std::thread::scope(|scope| {
        let poison = scope.spawn(|| call(&client, 13));
        for _ in 0..2 {
            let doomed = play(TEST, "server", &name);
            until_pinned(&service, doomed.id(), "received");
            doomed.kill();
        }
        let error = poison.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::WorkerDied { attempts: 2, .. }), "{error}");
        // The next request is not held responsible.
        let server = server(&name);
        let answering = scope.spawn(move || answer(&server));
        assert_eq!(call(&client, 1).unwrap(), 2);
        answering.join().unwrap();
    });
    assert_eq!(service.recoveries().redelivered, 1);
    assert_eq!((service.recoveries().deaths, service.recoveries().given_up), (2, 1));
    assert_eq!(service.free_slots(), 2);
}

#[test]
fn what_a_killed_client_held_comes_back_and_its_request_is_skipped() {
    const TEST: &str = "what_a_killed_client_held_comes_back_and_its_request_is_skipped";
    if let Some((_, name)) = part() {
        let client = client(&name);
        let mut number = client.loan().unwrap();
        number.set_value(1);
        let _reply = number.call().unwrap();
        let _loan = client.loan().unwrap();
        std::thread::scope(|scope| {
            // One that a server takes, and one that nobody does.
            scope.spawn(|| call(&client, 2));
            scope.spawn(|| call(&client, 2));
            sleep_until_killed()
        });
        return;
    }
    let name = unique("clientless");
    let service = Service::<Number, Number>::builder(&name).slots(5).create().unwrap();
    let server = server(&name);
    let doomed = play(TEST, "client", &name);
    assert_eq!(answer(&server), 1);
    let mut taken = server.receive().unwrap();
    assert!(taken.time_left().is_some_and(|left| left <= PATIENCE + Duration::from_secs(1)));
    until_pinned(&service, doomed.id(), "loaned");
    until_pinned(&service, doomed.id(), "waiting to be received");
    until("a reply", || service.pins().iter().any(|pin| pin.how.starts_with("a reply")));
    doomed.kill();
    // All but the one that this server has in hand.
    until("the dead one's slots", || service.free_slots() == 4);
    assert!(matches!(server.receive_timeout(Duration::ZERO), Err(Error::Timeout { .. })));
    taken.reply_mut().set_value(0);
    taken.reply().unwrap();
    assert_eq!(service.free_slots(), 5);
    assert_eq!(service.recoveries().redelivered, 0);
}

#[test]
fn a_new_host_takes_the_name_while_records_of_the_old_one_are_held() {
    const TEST: &str = "a_new_host_takes_the_name_while_records_of_the_old_one_are_held";
    if let Some((_, name)) = part() {
        let _service = Service::<Number, Number>::builder(&name).slots(3).create().unwrap();
        sleep_until_killed();
    }
    let name = unique("epochs");
    let old = play(TEST, "host", &name);
    let (mut client, mut server) = (client(&name), server(&name));
    assert!(client.is_connected());
    client.reconnect().unwrap();
    let mut loan = client.loan().unwrap();
    let reply = std::thread::scope(|scope| {
        let answering = scope.spawn(|| answer(&server));
        let mut number = client.loan().unwrap();
        number.set_value(7);
        let reply = number.call().unwrap();
        answering.join().unwrap();
        reply
    });
    old.kill();
    assert!(!client.is_connected());
    assert!(matches!(server.receive(), Err(Error::HostDied { .. })));

    let new = play(TEST, "host", &name);
    client.reconnect().unwrap();
    server.reconnect().unwrap();
    assert!(client.is_connected());
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| answer(&server));
        assert_eq!(call(&client, 20).unwrap(), 21);
        answering.join().unwrap();
    });
    // The old arena's records are readable, writable and droppable; the new one has all its slots.
    assert_eq!(reply.value(), 8);
    loan.set_value(3);
    assert_eq!(loan.value(), 3);
    drop((loan, reply));
    drop(new);
}

#[test]
fn a_host_with_other_records_is_refused_by_name() {
    /// The same name with another field.
    #[derive(Tensor)]
    #[tensor(name = "recovery.number")]
    struct Other {
        value: f32,
    }
    let name = unique("changed");
    let old = tensorbridge::Channel::<Number>::builder(&name).slots(2).create().unwrap();
    let mut sender = Sender::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let mut receiver = Receiver::<Number>::builder(&name).timeout(Duration::ZERO).connect().unwrap();
    drop(old);
    assert!(matches!(receiver.reconnect(), Err(Error::NotFound { .. })));
    let _new = tensorbridge::Channel::<Other>::builder(&name).slots(2).create().unwrap();
    assert!(matches!(sender.reconnect(), Err(Error::SchemaMismatch(_))));
}
