//! What is counted in an arena, and who can read it.

#[path = "support/players.rs"]
mod players;
mod support;

use std::time::Duration;

use players::{part, play};
use support::{unique, until};
use tensorbridge::{
    Channel, Client, CopyReason, Error, Metrics, Probe, Receiver, Sender, Server, Service, Tensor, WhenFull,
    metrics,
};

/// What is asked, and what is answered.
#[derive(Tensor)]
#[tensor(name = "metrics.number")]
struct Number {
    value: u64,
}

/// A text of any length up to 8.
#[derive(Tensor)]
#[tensor(name = "metrics.text", dims(seq = 1..=8))]
struct Text {
    #[tensor(shape = [seq])]
    ids: [i64; 8],
}

const PATIENCE: Duration = Duration::from_secs(30);

fn client(name: &str) -> Client<Number, Number> {
    Client::builder(name).timeout(PATIENCE).connect().unwrap()
}

fn server(name: &str) -> Server<Number, Number> {
    Server::builder(name).timeout(PATIENCE).connect().unwrap()
}

/// Answers even numbers, refuses odd ones, and lets go of 100, until its host is gone.
fn serve_even(name: &str) {
    let server = server(name);
    loop {
        let mut request = match server.receive() {
            Ok(request) => request,
            Err(Error::HostDied { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        match request.request().value() {
            100 => drop(request),
            value if value % 2 == 0 => {
                request.reply_mut().set_value(value);
                request.reply().unwrap();
            }
            _ => request.fail("Odd", "it is odd").unwrap(),
        }
    }
}

/// A service that other processes answer, and what calling it a few times counts.
#[test]
fn every_call_is_counted_by_its_end_whichever_process_reads() {
    const TEST: &str = "every_call_is_counted_by_its_end_whichever_process_reads";
    if let Some((_, name)) = part() {
        return serve_even(&name);
    }
    let name = unique("metrics_calls");
    let service = Service::<Number, Number>::builder(&name).slots(4).create().unwrap();
    let before = service.metrics();
    assert_eq!((before.sent, before.answered, &before.errors[..], before.slots), (0, 0, &[][..], 4));
    let _server = play(TEST, "server", &name);
    let client = client(&name);
    let call = |value: u64| {
        let mut number = client.loan().unwrap();
        number.set_value(value);
        number.call().map(|answer| answer.value()).map_err(Error::from)
    };
    let wanted = |value: u64| match value {
        100 => Err("TB503"),
        value if value % 2 == 0 => Ok(value),
        _ => Err("TB504"),
    };
    for value in 0..300 {
        // More than makes every call worth its clock readings.
        std::thread::sleep(Duration::from_micros(100));
        assert_eq!(call(value).map_err(|error| error.code()), wanted(value), "{value}");
    }
    let unfilled = client.loan().unwrap().call().map(drop).unwrap_err();
    assert_eq!(unfilled.error().code(), "TB401");
    drop(unfilled);
    // The server counts what it did after its caller has the answer.
    until("300 calls are counted", || {
        let seen = service.metrics();
        seen.answered + seen.failed + seen.dropped == 300
    });
    for seen in [service.metrics(), client.metrics(), metrics(&name).unwrap()] {
        assert_eq!(
            (seen.sent, seen.answered, seen.failed, seen.dropped, seen.expired),
            (300, 149, 150, 1, 0)
        );
        let errors: Vec<_> = seen.errors.iter().map(|error| (error.code, error.name, error.count)).collect();
        let expected = [("TB401", "MissingField", 1), ("TB503", "WorkerDied", 1), ("TB504", "Remote", 150)];
        assert_eq!(errors, expected);
        assert_eq!(seen.runs.values().collect::<Vec<_>>(), [(1, 300)]);
        let timed = [&seen.waiting, &seen.served, &seen.round_trip].map(|times| times.count());
        assert_eq!(timed, [300, 300, 149]);
        assert!(seen.waiting.min().unwrap() > 0 && seen.round_trip.min() > seen.served.min());
        assert_eq!((seen.phases.free, seen.recoveries.deaths), (4, 0));
        assert_eq!((seen.name.as_str(), seen.epoch.len()), (name.as_str(), 32));
    }
}

#[test]
fn what_happened_between_two_readings_is_their_difference() {
    let name = unique("metrics_since");
    let channel = Channel::<Number>::builder(&name).slots(4).create().unwrap();
    let sender = Sender::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let receiver = Receiver::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let pass = |count: u64| {
        for value in 0..count {
            let mut number = sender.loan().unwrap();
            number.set_value(value);
            number.send().unwrap();
            assert_eq!(receiver.receive().unwrap().value(), value);
        }
    };
    pass(5);
    let first = channel.metrics();
    drop(receiver.receive_timeout(Duration::ZERO).map(drop).unwrap_err());
    pass(3);
    let loans: Vec<_> = (0..4).map(|_| sender.loan().unwrap()).collect();
    let error = sender.loan_timeout(Duration::from_millis(1)).map(drop).unwrap_err();
    assert_eq!(error.code(), "TB303");
    let later = channel.metrics().since(&first);
    assert_eq!((first.sent, first.answered, later.sent, later.answered), (5, 5, 3, 3));
    assert_eq!((later.errors("TB303"), later.errors("TB501"), first.errors.len()), (1, 0, 0));
    assert_eq!((later.phases.loaned, later.runs.count()), (4, 3));
    assert!(later.covers > Duration::ZERO && later.covers < PATIENCE && later.at > first.at);
    assert!(later.per_second(later.sent) > 0.0);
    drop(loans);
    // Another arena under the same name has another past.
    drop(channel);
    let channel = Channel::<Number>::builder(&name).slots(4).create().unwrap();
    assert_eq!(channel.metrics().since(&first).sent, 0);
}

#[test]
fn runs_are_counted_by_length_and_what_was_padded_by_bytes() {
    let name = unique("metrics_runs");
    let channel = Channel::<Text>::builder(&name).slots(8).ring_order(true).create().unwrap();
    let sender = Sender::<Text>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let receiver = Receiver::<Text>::builder(&name).timeout(PATIENCE).connect().unwrap();
    for seq in [3, 5, 2, 5] {
        let mut text = sender.loan().unwrap();
        text.set_seq(seq).unwrap();
        text.ids_mut().fill(7);
        text.send().unwrap();
    }
    drop(receiver.receive_many(3).unwrap());
    drop(receiver.receive_many(3).unwrap());
    let seen = channel.metrics();
    assert_eq!(seen.runs.values().collect::<Vec<_>>(), [(1, 1), (3, 1)]);
    assert_eq!((seen.sent, seen.answered), (4, 4));
    assert_eq!(seen.copied(CopyReason::Padded), 8 * (2 + 3));
    assert_eq!(seen.copied(CopyReason::Hole), 0);
}

#[test]
fn counts_are_exact_however_many_threads_share_an_endpoint() {
    let name = unique("metrics_threads");
    let service = Service::<Number, Number>::builder(&name).slots(8).create().unwrap();
    let (client, server) = (client(&name), server(&name));
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for value in 0..500 {
                        let mut number = client.loan().unwrap();
                        number.set_value(value);
                        assert_eq!(number.call().unwrap().value(), value);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                server.serve(|asked, answer| {
                    answer.set_value(asked.value());
                    Ok::<(), String>(())
                })
            });
        }
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        until("2000 calls are counted", || client.metrics().answered == 2000);
        let seen = client.metrics();
        assert_eq!((seen.sent, seen.runs.count(), seen.errors.len()), (2000, 2000, 0));
        drop(service);
    });
}

#[test]
fn what_the_dead_have_counted_stays_counted() {
    const TEST: &str = "what_the_dead_have_counted_stays_counted";
    if let Some((part, name)) = part() {
        let server = server(&name);
        let answers = if part == "doomed" { 3 } else { usize::MAX };
        for _ in 0..answers {
            let Ok(mut request) = server.receive() else { return };
            request.reply_mut().set_value(1);
            request.reply().unwrap();
        }
        let _taken = server.receive().unwrap();
        std::thread::sleep(2 * PATIENCE);
        return;
    }
    let name = unique("metrics_dead");
    let service = Service::<Number, Number>::builder(&name).slots(4).create().unwrap();
    let doomed = play(TEST, "doomed", &name);
    let client = client(&name);
    let call = || {
        let mut number = client.loan().unwrap();
        number.set_value(1);
        number.call().map(drop).map_err(Error::from)
    };
    (0..3).for_each(|_| call().unwrap());
    std::thread::scope(|scope| {
        let last = scope.spawn(call);
        until("the doomed server has the last request", || service.metrics().phases.taken == 1);
        doomed.kill();
        let _other = play(TEST, "other", &name);
        last.join().unwrap().unwrap();
        until("four answers are counted", || service.metrics().answered == 4);
    });
    let seen = metrics(&name).unwrap();
    assert_eq!((seen.sent, seen.answered, seen.recoveries), (4, 4, service.recoveries()));
    assert!(seen.recoveries.deaths >= 1 && seen.recoveries.redelivered == 1);
}

#[test]
fn metrics_are_json_for_programs() {
    let name = unique("metrics_json");
    let service = Service::<Number, Number>::builder(&name).slots(2).create().unwrap();
    let client = client(&name);
    drop(client.loan().unwrap().call().map(drop).unwrap_err());
    let seen: Metrics = service.metrics();
    let text = seen.to_json();
    assert!(!text.contains('\n'));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["name"], name);
    assert_eq!((&json["kind"], &json["slots"]), (&"service".into(), &2.into()));
    assert_eq!(json["phases"]["free"], 2);
    assert_eq!(json["errors"], serde_json::json!({"TB401": 1}));
    assert_eq!((&json["runs"]["count"], &json["runs"]["p99.9"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!(json["copied_bytes"]["hole"], 0);
    assert!(json["covers"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_probe_writes_what_happens_in_a_sliding_window_and_survives_its_host() {
    let name = unique("metrics_probe");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seen.jsonl");
    let lines = || -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&file).unwrap();
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let probe = Probe::builder(&name)
        .interval(Duration::from_millis(5))
        .window(Duration::from_millis(200))
        .append_to(&file)
        .unwrap();
    for _host in 0..2 {
        let channel = Channel::<Number>::builder(&name).slots(4).create().unwrap();
        let epoch = channel.metrics().epoch;
        let of_this = || lines().into_iter().filter(|line| line["epoch"] == *epoch).collect::<Vec<_>>();
        until("the probe sees the arena", || !of_this().is_empty());
        let sender = Sender::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
        let mut number = sender.loan().unwrap();
        number.set_value(1);
        number.send().unwrap();
        until("the record is in the window", || of_this().iter().any(|line| line["sent"] == 1));
        until("and slides out of it", || of_this().last().is_some_and(|line| line["sent"] == 0));
        let seen = of_this().pop().unwrap();
        assert_eq!((&seen["pid"], &seen["phases"]["ready"]), (&std::process::id().into(), &1.into()));
        let memory = |what: &str| seen["memory_bytes"][what].as_u64().unwrap();
        assert!(memory("arena_pss") > 0 && memory("arena_rss") <= memory("arena_size"));
        assert!(memory("pss") <= memory("rss") && memory("arena_rss") < memory("rss"));
    }
    probe.stop().unwrap();
}

#[test]
fn records_that_made_room_for_later_ones_are_counted() {
    let name = unique("metrics_dropped");
    let channel = Channel::<Number>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Number>::builder(&name).when_full(WhenFull::DropOldest).connect().unwrap();
    for value in 0..5 {
        let mut number = sender.loan().unwrap();
        number.set_value(value);
        number.send().unwrap();
    }
    let seen = channel.metrics();
    assert_eq!((seen.sent, seen.answered, seen.dropped, seen.phases.ready), (5, 0, 3, 2));
    let reject = Sender::<Number>::builder(&name).when_full(WhenFull::Reject).connect().unwrap();
    drop(reject.loan().map(drop).unwrap_err());
    assert_eq!(channel.metrics().errors("TB303"), 1);
}
