//! No wait outlives its deadline, whatever a peer does. What a stopped peer had to do is left undone, and it is not taken for dead.
//!
//! That a wait ends at all is what these tests prove; how soon follows from the slices of `wait/patience.rs`.

#[path = "support/players.rs"]
mod players;
mod support;

use std::time::Duration;

use players::{Player, part, play};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept, bind, listen, socket_with,
};
use rustix::process::{Pid, Signal, kill_process};
use support::{unique, until};
use tensorbridge::{Client, Error, Record, SendError, Server, Service, Tensor, meeting_directory};

/// What is asked, and what is answered.
#[derive(Tensor)]
#[tensor(name = "deadlines.number")]
struct Number {
    value: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);

const SHORT: Duration = Duration::from_millis(200);

/// Long enough for another process to see, and to stop, whoever waits so long.
const LATE: Duration = Duration::from_secs(5);

fn client(name: &str) -> Client<Number, Number> {
    Client::builder(name).timeout(PATIENCE).connect().unwrap()
}

fn go_on(player: &Player) {
    kill_process(Pid::from_raw(player.id() as i32).unwrap(), Signal::CONT).unwrap();
}

fn call(client: &Client<Number, Number>, value: u64, timeout: Duration) -> Result<u64, Error> {
    let mut number = client.loan()?;
    number.set_value(value);
    number.call_timeout(timeout).map(|answer| answer.value()).map_err(SendError::into_error)
}

/// Answers with the value plus one until the host is gone.
fn serve(name: &str) {
    let server = Server::<Number, Number>::builder(name).timeout(PATIENCE).connect().unwrap();
    let answer = |asked: &<Number as Record>::Ref, reply: &mut <Number as Record>::Mut| {
        reply.set_value(asked.value() + 1);
        Ok::<(), &str>(())
    };
    server.serve(answer).unwrap();
}

#[test]
fn waits_for_a_stopped_host_end_and_go_on_when_it_does() {
    const TEST: &str = "waits_for_a_stopped_host_end_and_go_on_when_it_does";
    if let Some((_, name)) = part() {
        let _service = Service::<Number, Number>::builder(&name).slots(2).create().unwrap();
        std::thread::sleep(Duration::from_secs(120));
        return;
    }
    let name = unique("stopped.host");
    let host = play(TEST, "host", &name);
    let client = client(&name);
    let server = Server::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    host.stop();
    // Somebody new is not let in, and nobody takes the name.
    let refused = Client::<Number, Number>::builder(&name).timeout(SHORT).connect().map(drop);
    assert!(matches!(refused, Err(Error::Timeout { .. })), "{refused:?}");
    let taken = Service::<Number, Number>::builder(&name).slots(2).create().map(drop);
    assert!(matches!(taken, Err(Error::NameTaken { .. })), "{taken:?}");
    // Waits for what nobody does.
    assert!(matches!(server.receive_timeout(SHORT), Err(Error::Timeout { .. })));
    assert!(matches!(call(&client, 1, SHORT), Err(Error::Timeout { .. })));
    let held = [client.loan().unwrap(), client.loan().unwrap()];
    assert!(matches!(client.loan_timeout(SHORT).map(drop), Err(Error::Full(_))));
    drop(held);
    // Calls do not go through the host.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut request = server.receive().unwrap();
            request.reply_mut().set_value(7);
            request.reply().unwrap();
        });
        assert_eq!(call(&client, 1, PATIENCE).unwrap(), 7);
    });
    assert!(client.is_connected(), "slow is not dead");
    go_on(&host);
    Client::<Number, Number>::builder(&name).timeout(PATIENCE).connect().map(drop).unwrap();
    // Killed while it is stopped, it is dead.
    host.stop();
    host.kill();
    assert!(matches!(server.receive(), Err(Error::HostDied { .. })));
}

#[test]
fn a_call_to_a_stopped_worker_ends_and_the_worker_is_not_taken_for_dead() {
    const TEST: &str = "a_call_to_a_stopped_worker_ends_and_the_worker_is_not_taken_for_dead";
    if let Some((_, name)) = part() {
        return serve(&name);
    }
    let name = unique("stopped.worker");
    let service = Service::<Number, Number>::builder(&name).slots(4).create().unwrap();
    let worker = play(TEST, "worker", &name);
    let client = client(&name);
    assert_eq!(call(&client, 1, PATIENCE).unwrap(), 2);
    worker.stop();
    for _ in 0..3 {
        assert!(matches!(call(&client, 1, SHORT), Err(Error::Timeout { .. })));
    }
    assert_eq!(service.recoveries().deaths, 0);
    go_on(&worker);
    assert_eq!(call(&client, 5, PATIENCE).unwrap(), 6);
    drop(client);
    assert_eq!(service.free_slots(), 4);
    drop(service);
    worker.succeed();
}

#[test]
fn the_request_of_a_stopped_client_is_not_begun_after_its_deadline() {
    const TEST: &str = "the_request_of_a_stopped_client_is_not_begun_after_its_deadline";
    if let Some((_, name)) = part() {
        let outcome = call(&client(&name), 1, LATE);
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        return;
    }
    let name = unique("stopped.client");
    let service = Service::<Number, Number>::builder(&name).slots(2).create().unwrap();
    let stopped = play(TEST, "client", &name);
    until("it calls", || service.pins().iter().any(|pin| pin.how == "waiting to be received"));
    stopped.stop();
    std::thread::sleep(LATE + SHORT);
    let server = Server::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    assert!(matches!(server.receive_timeout(SHORT), Err(Error::Timeout { .. })), "begun too late");
    go_on(&stopped);
    stopped.succeed();
    assert_eq!((service.free_slots(), service.recoveries().redelivered), (2, 0));
}

#[test]
fn whoever_accepts_and_never_answers_keeps_nobody() {
    let name = unique("mute");
    let path = meeting_directory().join(format!("{name}.sock"));
    // Makes the directory.
    drop(Service::<Number, Number>::builder(&name).slots(2).create().unwrap());
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 8).unwrap();
    let refused = [Duration::ZERO, SHORT].map(|timeout| {
        let connecting = std::thread::spawn({
            let name = name.clone();
            move || Client::<Number, Number>::builder(&name).timeout(timeout).connect().map(drop)
        });
        let accepted = accept(&listener).unwrap();
        let result = connecting.join().unwrap();
        drop(accepted);
        result
    });
    std::fs::remove_file(path).unwrap();
    for refused in refused {
        assert!(
            matches!(refused, Err(Error::Timeout { what: "the handshake with the host", .. })),
            "{refused:?}"
        );
    }
}
