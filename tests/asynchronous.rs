//! Calls, loans and records without a thread that waits.

#[path = "support/players.rs"]
mod players;
mod support;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use players::{part, play};
use support::{unique, until};
use tensorbridge::{Channel, Client, Error, Receiver, Sender, Server, Service, Tensor};

#[derive(Tensor)]
#[tensor(name = "async.number")]
struct Number {
    value: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);

type Calls = Client<Number, Number>;

fn service(name: &str, slots: usize) -> Service<Number, Number> {
    Service::builder(name).slots(slots).create().unwrap()
}

fn client(name: &str) -> Calls {
    Client::builder(name).timeout(PATIENCE).connect().unwrap()
}

/// A server in a thread of its own that answers n with 3n + 1, until the service is gone.
fn serve(name: &str) -> JoinHandle<()> {
    let server = Server::<Number, Number>::builder(name).timeout(PATIENCE).connect().unwrap();
    std::thread::spawn(move || {
        server
            .serve(|asked, answer| {
                answer.set_value(asked.value() * 3 + 1);
                Ok::<(), String>(())
            })
            .unwrap();
    })
}

async fn call(client: &Calls, value: u64) -> Result<u64, Error> {
    let mut number = client.loan_async().await?;
    number.set_value(value);
    Ok(number.call_async().await?.value())
}

fn until_free(service: &Service<Number, Number>, slots: usize) {
    until("all slots come back", || service.free_slots() == slots);
}

fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Polls once, with nobody to wake.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn two_thousand_calls_are_under_way_from_one_thread() {
    let name = unique("async.thousands");
    let service = service(&name, 2048);
    let client = client(&name);
    one_thread().block_on(async {
        let mut calls: Vec<_> = (0..2000).map(|value| Box::pin(call(&client, value))).collect();
        // All of them before anybody answers.
        assert!(calls.iter_mut().all(|call| poll_once(call).is_pending()));
        assert_eq!(service.free_slots(), 48);
        let server = serve(&name);
        for (value, answer) in (0..).zip(join_all(calls).await) {
            assert_eq!(answer.unwrap(), value * 3 + 1);
        }
        until_free(&service, 2048);
        drop(service);
        server.join().unwrap();
    });
}

#[test]
fn tasks_of_several_threads_share_a_client_and_more_wait_for_slots_than_there_are() {
    let name = unique("async.tasks");
    let service = service(&name, 64);
    let servers = [serve(&name), serve(&name)];
    let client = Arc::new(client(&name));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..2000)
            .map(|value| {
                let client = Arc::clone(&client);
                tokio::spawn(async move { (value, call(&client, value).await.unwrap()) })
            })
            .collect();
        for task in tasks {
            let (value, answer) = task.await.unwrap();
            assert_eq!(answer, value * 3 + 1);
        }
    });
    until_free(&service, 64);
    drop(service);
    servers.into_iter().for_each(|server| server.join().unwrap());
}

#[test]
fn calls_that_are_dropped_anywhere_give_their_slots_back() {
    let name = unique("async.dropped");
    let service = service(&name, 128);
    let server = serve(&name);
    let client = client(&name);
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    one_thread().block_on(async {
        let mut answered = 0;
        for round in 0..200u64 {
            // Twice as many as there are slots: some wait for one, some for an answer.
            let mut calls: Vec<_> = (0..256).map(|value| (value, Box::pin(call(&client, value)))).collect();
            for (_, call) in &mut calls {
                if let Poll::Ready(answer) = poll_once(call) {
                    answer.unwrap();
                    *call = Box::pin(self::call(&client, 0));
                }
            }
            if round % 3 == 0 {
                tokio::time::sleep(Duration::from_micros(next() % 500)).await;
            }
            calls.retain(|_| next() % 2 == 0);
            // The rest is dropped after the first few answers.
            let kept = (next() as usize) % (calls.len() + 1);
            let mut left: FuturesUnordered<_> =
                calls.into_iter().map(|(value, call)| async move { (value, call.await.unwrap()) }).collect();
            for _ in 0..kept {
                let (value, answer) = left.next().await.unwrap();
                assert!(answer == value * 3 + 1 || answer == 1);
                answered += 1;
            }
        }
        assert!(answered > 1000, "{answered}");
    });
    until_free(&service, 128);
    assert_eq!(one_thread().block_on(call(&client, 5)).unwrap(), 16);
    drop(service);
    server.join().unwrap();
}

#[test]
fn a_loan_waits_its_turn_and_a_dropped_one_passes_its_slot_on() {
    let name = unique("async.turn");
    let channel = Channel::<Number>::builder(&name).slots(2).create().unwrap();
    let sender = Sender::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    one_thread().block_on(async {
        let held = [sender.loan().unwrap(), sender.loan().unwrap()];
        let mut first = Box::pin(sender.loan_async());
        let second = sender.loan_async();
        assert!(poll_once(&mut first).is_pending());
        let mut second = Box::pin(second);
        assert!(poll_once(&mut second).is_pending());
        drop(held);
        // Whatever was found for the first goes to others.
        drop(first);
        let third = sender.loan_async();
        let (second, third) = (second.await.unwrap(), third.await.unwrap());
        drop((second, third));
        assert_eq!(channel.free_slots(), 2);
    });
}

#[test]
fn records_are_a_stream_that_ends_with_the_host() {
    let name = unique("async.stream");
    let channel = Channel::<Number>::builder(&name).slots(4).create().unwrap();
    let receiver = Receiver::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let sender = Sender::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let records = std::thread::spawn(move || {
        one_thread().block_on(async move {
            let values = receiver.stream().map(|record| record.unwrap().value());
            values.collect::<Vec<_>>().await
        })
    });
    one_thread().block_on(async {
        for value in 0..1000 {
            let mut number = sender.loan_async().await.unwrap();
            number.set_value(value);
            number.send().unwrap();
        }
    });
    until("everything is received", || channel.free_slots() == 4);
    drop(channel);
    assert!(records.join().unwrap().into_iter().eq(0..1000));
}

#[test]
fn streams_share_the_records_among_tokio_tasks_and_one_that_is_given_up_takes_none() {
    let name = unique("async.streams");
    let channel = Channel::<Number>::builder(&name).slots(4).create().unwrap();
    let sender = Sender::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let receive = |impatient: bool| {
            let receiver = Receiver::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
            tokio::spawn(async move {
                let (mut stream, mut values) = (receiver.stream(), Vec::new());
                loop {
                    let patience = if impatient { Duration::from_micros(50) } else { PATIENCE };
                    match tokio::time::timeout(patience, stream.next()).await {
                        Ok(Some(record)) => values.push(record.unwrap().value()),
                        Ok(None) => return values,
                        // A stream that is not polled to its end has not received.
                        Err(_) => stream = receiver.stream(),
                    }
                }
            })
        };
        let receivers = [receive(false), receive(true), receive(false)];
        for value in 0..1000 {
            let mut number = sender.loan_async().await.unwrap();
            number.set_value(value);
            number.send().unwrap();
        }
        tokio::task::spawn_blocking(move || {
            until("everything is received", || channel.free_slots() == 4);
            drop(channel);
        })
        .await
        .unwrap();
        let mut values = Vec::new();
        for received in receivers {
            let received = received.await.unwrap();
            assert!(received.is_sorted(), "each stream has the order sent");
            values.extend(received);
        }
        values.sort_unstable();
        assert!(values.into_iter().eq(0..1000));
    });
}

#[test]
fn a_receive_that_is_dropped_takes_no_record_and_wakes_the_next() {
    let name = unique("async.receives");
    let _channel = Channel::<Number>::builder(&name).slots(4).create().unwrap();
    let receiver = Receiver::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let sender = Sender::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let send = |value| {
        let mut number = sender.loan().unwrap();
        number.set_value(value);
        number.send().unwrap();
    };
    one_thread().block_on(async {
        for value in 0..100 {
            let mut dropped = Box::pin(receiver.receive_async());
            let mut kept = Box::pin(receiver.receive_async());
            assert!(poll_once(&mut dropped).is_pending() && poll_once(&mut kept).is_pending());
            send(value);
            if value % 2 == 0 {
                // The one that waited first is woken, by a thread that may not have come to it yet.
                std::thread::sleep(Duration::from_micros(value * 3));
            }
            drop(dropped);
            assert_eq!(kept.await.unwrap().value(), value);
        }
    });
}

#[test]
fn deadlines_hold_without_a_timer_of_the_runtime() {
    let name = unique("async.late");
    let service = service(&name, 2);
    // Connecting has to succeed within it.
    let timeout = Duration::from_millis(500);
    let client = Client::<Number, Number>::builder(&name).timeout(timeout).connect().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // Nobody answers.
        let started = Instant::now();
        let (one, two) = (call(&client, 1), call(&client, 2));
        let (one, two) = futures_util::future::join(one, two).await;
        for late in [one, two] {
            assert!(matches!(late.unwrap_err(), Error::Timeout { what: "the reply", .. }));
        }
        assert!(started.elapsed() >= timeout);
        assert_eq!(service.free_slots(), 2);
        let _held = [client.loan().unwrap(), client.loan().unwrap()];
        let Err(full) = client.loan_async().await else { panic!("a third slot of two") };
        assert!(matches!(&full, Error::Full(full) if full.holders.len() == 1), "{full}");
    });
}

#[test]
fn an_incomplete_request_comes_back() {
    let name = unique("async.incomplete");
    let _service = service(&name, 2);
    let client = client(&name);
    let number = client.loan().unwrap();
    let failed = one_thread().block_on(number.call_async()).map(drop).unwrap_err();
    assert!(matches!(failed.error(), Error::MissingField { .. }));
    failed.into_loan().unwrap().set_value(4);
}

#[test]
fn the_end_of_the_host_ends_every_future() {
    let name = unique("async.host");
    let service = service(&name, 8);
    let client = client(&name);
    one_thread().block_on(async {
        let mut calls: Vec<_> = (0..12).map(|value| Box::pin(call(&client, value))).collect();
        assert!(calls.iter_mut().all(|call| poll_once(call).is_pending()));
        std::thread::spawn(move || drop(service));
        for ended in join_all(calls).await {
            assert!(matches!(ended.unwrap_err(), Error::HostDied { .. }));
        }
    });
}

#[test]
fn a_killed_host_ends_every_future_and_a_killed_worker_none() {
    const TEST: &str = "a_killed_host_ends_every_future_and_a_killed_worker_none";
    if let Some((part, name)) = part() {
        match part.as_str() {
            "host" => {
                let _service = service(&name, 16);
                loop {
                    std::thread::sleep(PATIENCE);
                }
            }
            _ => serve(&name).join().unwrap(),
        }
        return;
    }
    let name = unique("async.killed");
    let host = play(TEST, "host", &name);
    let client = client(&name);
    one_thread().block_on(async {
        for round in 0..20 {
            let doomed = play(TEST, "worker", &name);
            let calls: Vec<_> = (0..32).map(|value| call(&client, value)).collect();
            let killer = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(round));
                doomed.kill();
            });
            let heir = play(TEST, "worker", &name);
            for (value, answer) in (0..).zip(join_all(calls).await) {
                assert_eq!(answer.unwrap(), value * 3 + 1);
            }
            killer.join().unwrap();
            heir.kill();
        }
        let mut calls: Vec<_> = (0..32).map(|value| Box::pin(call(&client, value))).collect();
        assert!(calls.iter_mut().all(|call| poll_once(call).is_pending()));
        host.kill();
        for ended in join_all(calls).await {
            assert!(matches!(ended.unwrap_err(), Error::HostDied { .. }));
        }
    });
}

#[test]
fn a_blocking_thread_and_futures_share_a_client() {
    let name = unique("async.mixed");
    let service = service(&name, 4);
    let server = serve(&name);
    let client = Arc::new(client(&name));
    let blocking = {
        let client = Arc::clone(&client);
        std::thread::spawn(move || {
            for value in 0..2000 {
                let mut number = client.loan().unwrap();
                number.set_value(value);
                assert_eq!(number.call().unwrap().value(), value * 3 + 1);
            }
        })
    };
    one_thread().block_on(async {
        for value in 0..500 {
            let calls = (0..8).map(|more| call(&client, value + more));
            for (more, answer) in (0..).zip(join_all(calls).await) {
                assert_eq!(answer.unwrap(), (value + more) * 3 + 1);
            }
        }
    });
    blocking.join().unwrap();
    until_free(&service, 4);
    drop(service);
    server.join().unwrap();
}

#[test]
fn a_future_moves_between_threads_and_is_woken_where_it_is() {
    let name = unique("async.moves");
    let service = service(&name, 2);
    let client = client(&name);
    let mut loan = client.loan().unwrap();
    loan.set_value(7);
    let mut moved = Box::pin(loan.call_async());
    assert!(poll_once(&mut moved).is_pending());
    let other = std::thread::spawn(move || one_thread().block_on(moved).unwrap().value());
    let server = serve(&name);
    assert_eq!(other.join().unwrap(), 22);
    // The first of two ends a race; the other is left behind.
    one_thread().block_on(async {
        let (one, two) = (pin!(call(&client, 1)), pin!(call(&client, 2)));
        drop(select(one, two).await);
    });
    until_free(&service, 2);
    drop(service);
    server.join().unwrap();
}
