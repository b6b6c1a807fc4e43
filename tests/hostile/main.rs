//! A participant that scribbles over the arena's memory: nobody else crashes, reads outside, or waits beyond a deadline, and
//! whatever they are told is an answer or a typed error.
//!
//! It runs for a few seconds; `TENSORBRIDGE_TEST_HOSTILE_SECONDS` for longer.

#[path = "../support/players.rs"]
mod players;
mod scribbler;
#[path = "../support/mod.rs"]
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use players::{Player, part, play};
use scribbler::{Layout, scribble};
use support::unique;
use tensorbridge::{Client, Error, Receiver, Sender, Server, Service, Tensor};

/// What is asked: lengths and presence are words that a peer can write.
#[derive(Tensor)]
#[tensor(name = "hostile.text", dims(seq = 1..=512, rows = 1..=8))]
struct Text {
    #[tensor(shape = [seq])]
    ids: [i64; 512],
    #[tensor(shape = [rows, 64], optional)]
    table: [[f32; 64]; 8],
}

/// What is answered.
#[derive(Tensor)]
#[tensor(name = "hostile.seen", dims(count = 0..=100))]
struct Seen {
    #[tensor(shape = [count])]
    which: [u16; 100],
    sum: i64,
}

/// Every wait of a victim names this.
const DEADLINE: Duration = Duration::from_millis(50);

/// A wait that took so much longer hung: far more than a slice, because the machine may be busy.
const HANGS: Duration = Duration::from_secs(10);

fn seconds() -> u64 {
    std::env::var("TENSORBRIDGE_TEST_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// An outcome that a victim may see: anything but a hang, a panic or an error that blames the victim itself.
fn is_fair(error: &Error) -> bool {
    matches!(
        error,
        Error::Full(_)
            | Error::Timeout { .. }
            | Error::Corrupt { .. }
            | Error::Remote(_)
            | Error::WorkerDied { .. }
            | Error::HostDied { .. }
            | Error::NotFound { .. }
            | Error::BadSegment { .. }
            | Error::SchemaForm(_)
            | Error::SchemaMismatch(_)
            | Error::AbiMismatch { .. }
            | Error::Refused { .. }
    )
}

fn connect(name: &str) -> Result<Client<Text, Seen>, Error> {
    Client::builder(name).timeout(DEADLINE).connect()
}

fn call(client: &Client<Text, Seen>, length: usize) -> Result<i64, Error> {
    let mut text = client.loan_timeout(DEADLINE)?;
    text.set_seq(length)?;
    text.ids_mut().fill(1);
    let seen = text.call_timeout(DEADLINE)?;
    // Reading all of what it says is there is what would go outside.
    let (which, sum) = (seen.which(), seen.sum());
    assert!(which.len() <= 100);
    Ok(sum + which.iter().map(|&number| i64::from(number)).sum::<i64>())
}

/// Calls again and again, and connects anew when told that the host is gone.
fn be_client(name: &str) {
    let end = Instant::now() + Duration::from_secs(seconds());
    let mut client = connect(name);
    let mut outcomes = std::collections::BTreeMap::<&str, u64>::new();
    for round in 0.. {
        let start = Instant::now();
        if start >= end {
            break;
        }
        let outcome = match &client {
            Ok(connected) => call(connected, 1 + round % 512),
            Err(_) => {
                client = connect(name);
                client.as_ref().map(|_| 0).map_err(|error| Error::BadSegment { reason: error.to_string() })
            }
        };
        assert!(start.elapsed() < HANGS, "a call took {:?}: {outcome:?}", start.elapsed());
        if let Err(error) = &outcome {
            assert!(is_fair(error), "{error}");
        }
        if matches!(outcome, Err(Error::HostDied { .. })) {
            client = connect(name);
        }
        *outcomes.entry(outcome.as_ref().map_or_else(Error::name, |_| "answered")).or_default() += 1;
    }
    eprintln!("a client beside a hostile peer: {outcomes:?}");
}

/// Answers for as long as the host says that it lives; connects anew when a scribble says that it does not.
fn be_worker(name: &str) {
    let end = Instant::now() + Duration::from_secs(seconds());
    while Instant::now() < end {
        let server = match Server::<Text, Seen>::builder(name).timeout(DEADLINE).connect() {
            Ok(server) => server,
            Err(error) => {
                assert!(is_fair(&error), "{error}");
                continue;
            }
        };
        let served = server.serve(|text, seen| {
            if Instant::now() >= end {
                std::process::exit(0);
            }
            let sum: i64 = text.ids().iter().map(|id| id.wrapping_abs() & 1).sum();
            let rows = text.table().map_or(0, |rows| rows.len());
            seen.set_count(rows.min(100)).map_err(|error| error.to_string())?;
            seen.which_mut().fill(1);
            seen.set_sum(sum);
            Ok::<(), String>(())
        });
        served.expect("what a peer scribbles ends no server");
    }
}

#[test]
fn nobody_crashes_or_hangs_beside_a_peer_that_scribbles_over_the_arena() {
    const TEST: &str = "nobody_crashes_or_hangs_beside_a_peer_that_scribbles_over_the_arena";
    if let Some((part, argument)) = part() {
        match part.as_str() {
            "client" => be_client(&argument),
            "worker" => be_worker(&argument),
            "scribbler" => {
                let (name, slots) = argument.split_once(' ').unwrap();
                // It attaches as anybody does.
                let attached = Client::<Text, Seen>::builder(name).timeout(HANGS).connect().unwrap();
                scribble(&Layout::of_service(slots.parse().unwrap()), Duration::from_secs(seconds()));
                drop(attached);
            }
            other => panic!("there is no {other}"),
        }
        return;
    }
    // Without hints and with them.
    for slots in [4, 40] {
        let name = unique(&format!("hostile{slots}"));
        let service = Service::<Text, Seen>::builder(&name).slots(slots).create().unwrap();
        let worker = play(TEST, "worker", &name);
        let client = Client::<Text, Seen>::builder(&name).timeout(HANGS).connect().unwrap();
        let answer = || {
            let mut text = client.loan().unwrap();
            text.set_seq(5).unwrap();
            text.ids_mut().fill(1);
            text.call().map(|seen| seen.sum()).unwrap()
        };
        assert_eq!(answer(), 5);
        let clients = [play(TEST, "client", &name), play(TEST, "client", &name)];
        let python = python_players(&name);
        let scribbler = play(TEST, "scribbler", &format!("{name} {slots}"));
        scribbler.succeed();
        clients.into_iter().for_each(Player::succeed);
        python.into_iter().for_each(Player::succeed);
        // What the host itself is asked meanwhile has an answer too.
        let _ = (service.free_slots(), service.pins());
        drop(client);
        drop(service);
        worker.succeed();
        works(&name);
    }
}

/// A new arena under the same name is not touched by what was done to the last one.
fn works(name: &str) {
    let service = Service::<Text, Seen>::builder(name).slots(4).create().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = Server::<Text, Seen>::builder(name).connect().unwrap();
            let mut request = server.receive_timeout(HANGS).unwrap();
            request.reply_mut().set_count(0).unwrap();
            request.reply_mut().which_mut();
            request.reply_mut().set_sum(9);
            request.reply().unwrap();
        });
        let client = Client::<Text, Seen>::builder(name).timeout(HANGS).connect().unwrap();
        let mut text = client.loan().unwrap();
        text.set_seq(1).unwrap();
        text.ids_mut()[0] = 1;
        assert_eq!(text.call().unwrap().sum(), 9);
    });
    assert_eq!(service.free_slots(), 4);
}

/// A client and a worker in Python, if there is an interpreter that has the extension.
fn python_players(name: &str) -> Vec<Player> {
    let Some(python) = std::env::var_os("TENSORBRIDGE_PYTHON") else {
        eprintln!("no players in Python: TENSORBRIDGE_PYTHON is not set");
        return Vec::new();
    };
    let play = |role: &str| {
        let mut command = Command::new(&python);
        command.arg("tests/python/beside_hostile.py").args([name, &seconds().to_string(), role]);
        Player::start(&mut command)
    };
    ["client", "worker"].map(play).into()
}

/// The process that attaches finds header and schemas scribbled over: it is refused, or it attaches, and nothing else.
#[test]
fn whoever_attaches_beside_a_peer_that_scribbles_is_let_in_or_told_why_not() {
    const TEST: &str = "whoever_attaches_beside_a_peer_that_scribbles_is_let_in_or_told_why_not";
    if let Some((_, name)) = part() {
        let attached = Sender::<Seen>::builder(&name).connect().unwrap();
        scribble(&Layout::of_header(), Duration::from_secs(seconds()));
        drop(attached);
        return;
    }
    let name = unique("hostile.attach");
    let channel = tensorbridge::Channel::<Seen>::builder(&name).slots(4).create().unwrap();
    let scribbler = play(TEST, "scribbler", &name);
    let end = Instant::now() + Duration::from_secs(seconds());
    let mut refused = 0;
    // The other process may need its time to begin.
    while Instant::now() < end || (refused == 0 && Instant::now() < end + HANGS) {
        let start = Instant::now();
        match Receiver::<Seen>::builder(&name).timeout(DEADLINE).connect() {
            Ok(receiver) => drop(receiver),
            Err(error) => {
                assert!(is_fair(&error), "{error}");
                refused += 1;
            }
        }
        assert!(start.elapsed() < HANGS);
    }
    scribbler.succeed();
    assert!(refused > 0, "nothing was scribbled");
    drop(channel);
    let _channel = tensorbridge::Channel::<Seen>::builder(&name).slots(4).create().unwrap();
    Receiver::<Seen>::builder(&name).connect().unwrap();
}
