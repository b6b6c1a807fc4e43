//! What a loan does when no slot is free, and clients that may hold so many and no more.

#[path = "support/players.rs"]
mod players;
mod support;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use players::{part, play};
use support::unique;
use tensorbridge::{
    CallLoan, Channel, Client, Error, Full, Received, Receiver, Sender, Server, Service, Tensor, WhenFull,
};

#[derive(Tensor)]
#[tensor(name = "full.number")]
struct Number {
    value: u64,
    sender: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);

type Calls = Client<Number, Number>;

fn sender(name: &str, when_full: WhenFull) -> Sender<Number> {
    Sender::builder(name).timeout(PATIENCE).when_full(when_full).connect().unwrap()
}

fn send(sender: &Sender<Number>, value: u64) {
    let mut number = sender.loan().unwrap();
    number.set_value(value);
    number.set_sender(0);
    number.send().unwrap();
}

fn receiver(name: &str) -> Receiver<Number> {
    Receiver::builder(name).timeout(PATIENCE).connect().unwrap()
}

fn values(receiver: &Receiver<Number>) -> Vec<u64> {
    std::iter::from_fn(|| receiver.try_receive().unwrap().map(|number| number.value())).collect()
}

fn full<T>(result: Result<T, Error>) -> Full {
    match result.map(drop) {
        Err(Error::Full(full)) => *full,
        other => panic!("expected Full, found {other:?}"),
    }
}

#[test]
fn a_sender_that_rejects_fails_at_once_and_one_that_blocks_at_its_deadline() {
    let name = unique("full.reject");
    let _channel = Channel::<Number>::builder(&name).slots(2).create().unwrap();
    let (rejects, blocks) = (sender(&name, WhenFull::Reject), sender(&name, WhenFull::Block));
    (0..2).for_each(|value| send(&rejects, value));
    let rejected = full(rejects.loan_timeout(PATIENCE));
    assert_eq!((rejected.waited, rejected.budget, rejected.slots), (Duration::ZERO, None, 2));
    assert_eq!(rejected.holders.iter().map(|holder| holder.slots).sum::<usize>(), 2);
    let waited = full(blocks.loan_timeout(Duration::from_millis(20))).waited;
    assert_eq!(waited, Duration::from_millis(20));
    assert!(rejects.try_loan().unwrap().is_none());
    assert_eq!(values(&receiver(&name)), [0, 1]);
    send(&rejects, 2);
}

#[test]
fn a_sender_that_drops_the_oldest_keeps_the_newest_in_order() {
    for slots in [3, 40] {
        for ring_order in [false, true] {
            let name = unique(&format!("full.drop{slots}.{ring_order}"));
            let channel =
                Channel::<Number>::builder(&name).slots(slots).ring_order(ring_order).create().unwrap();
            let sender = sender(&name, WhenFull::DropOldest);
            let sent = 5 * slots as u64 + 1;
            (0..sent).for_each(|value| send(&sender, value));
            assert_eq!(sender.dropped(), sent - slots as u64);
            let expected: Vec<u64> = (sent - slots as u64..sent).collect();
            let receiver = receiver(&name);
            if ring_order {
                let mut seen = Vec::new();
                while let Some(run) = receiver.try_receive_many(slots).unwrap() {
                    seen.extend(run.iter().map(|number| number.value()));
                }
                assert_eq!(seen, expected);
            } else {
                assert_eq!(values(&receiver), expected);
            }
            assert_eq!(channel.free_slots(), slots);
        }
    }
}

#[test]
fn what_is_being_read_or_filled_is_not_dropped() {
    let name = unique("full.held");
    let _channel = Channel::<Number>::builder(&name).slots(3).create().unwrap();
    let (sender, receiver) = (sender(&name, WhenFull::DropOldest), receiver(&name));
    send(&sender, 1);
    let read = receiver.receive().unwrap();
    let filled = sender.loan().unwrap();
    send(&sender, 2);
    // One slot is left to drop from, over and over.
    (3..9).for_each(|value| send(&sender, value));
    assert_eq!(sender.dropped(), 6);
    let third = sender.loan().unwrap();
    assert_eq!(
        full(sender.loan_timeout(Duration::from_millis(20))).holders.iter().map(|h| h.slots).sum::<usize>(),
        3
    );
    assert!(sender.try_loan().unwrap().is_none());
    assert_eq!((sender.dropped(), read.value()), (7, 1));
    drop((filled, third));
    send(&sender, 9);
    assert_eq!(values(&receiver), [9]);
}

#[test]
fn a_sender_that_waits_because_nothing_can_be_dropped_goes_on_when_something_can() {
    let name = unique("full.wait");
    let _channel = Channel::<Number>::builder(&name).slots(2).create().unwrap();
    let (drops, other) = (sender(&name, WhenFull::DropOldest), sender(&name, WhenFull::Block));
    let mut loans: Vec<_> = (0..2).map(|_| other.loan().unwrap()).collect();
    let mut waiting = pin!(drops.loan_async());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| drops.loan().map(drop));
        for mut loan in loans.drain(..) {
            loan.set_value(1);
            loan.set_sender(0);
            loan.send().unwrap();
        }
        blocked.join().unwrap().unwrap();
        drop(awaited(waiting).unwrap());
    });
    assert!((1..=2).contains(&drops.dropped()));
}

/// Runs a future in this thread.
fn awaited<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_service_refuses_to_drop_requests() {
    let name = unique("full.service");
    let _service = Service::<Number, Number>::builder(&name).slots(2).create().unwrap();
    let error = Calls::builder(&name).when_full(WhenFull::DropOldest).connect().map(drop).unwrap_err();
    assert!(matches!(&error, Error::WrongKind { reason, .. } if reason.contains("one-way")), "{error}");
}

/// Senders that drop the oldest and receivers, all at once: of what every sender sent, each record is received once or was
/// dropped once, in the order sent.
#[test]
fn whatever_is_dropped_the_rest_arrives_once_and_in_order() {
    const SENDERS: u64 = 3;
    const EACH: u64 = 20_000;
    let name = unique("full.all");
    let channel = Channel::<Number>::builder(&name).slots(4).create().unwrap();
    let (dropped, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let receive = || {
        let receiver = receiver(&name);
        let mut last = BTreeMap::<u64, u64>::new();
        let mut received = 0;
        loop {
            let ending = done.load(Ordering::Acquire);
            while let Some(number) = receiver.try_receive().unwrap() {
                let earlier = last.insert(number.sender(), number.value());
                assert!(earlier.is_none_or(|earlier| earlier < number.value()), "in another order than sent");
                received += 1;
            }
            if ending {
                return received;
            }
            std::thread::yield_now();
        }
    };
    let received: u64 = std::thread::scope(|scope| {
        let receivers: Vec<_> = (0..2).map(|_| scope.spawn(receive)).collect();
        let senders: Vec<_> = (0..SENDERS)
            .map(|me| {
                let (name, dropped) = (&name, &dropped);
                scope.spawn(move || {
                    let sender = sender(name, WhenFull::DropOldest);
                    for value in 1..=EACH {
                        let mut number = sender.loan().unwrap();
                        number.set_value(value);
                        number.set_sender(me);
                        number.send().unwrap();
                    }
                    dropped.fetch_add(sender.dropped(), Ordering::Relaxed);
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        done.store(true, Ordering::Release);
        receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum()
    });
    assert_eq!(received + dropped.into_inner(), SENDERS * EACH);
    assert_eq!(channel.free_slots(), 4);
}

fn service(name: &str, slots: usize, slots_per_client: Option<usize>) -> Service<Number, Number> {
    let builder = Service::builder(name).slots(slots);
    match slots_per_client {
        Some(most) => builder.slots_per_client(most),
        None => builder,
    }
    .create()
    .unwrap()
}

fn client(name: &str, max_slots: Option<usize>) -> Calls {
    let builder = Calls::builder(name).timeout(PATIENCE);
    match max_slots {
        Some(most) => builder.max_slots(most),
        None => builder,
    }
    .connect()
    .unwrap()
}

#[test]
fn a_client_holds_as_many_slots_as_it_and_the_host_allow() {
    for (own, hosts, expected) in
        [(Some(2), None, 2), (None, Some(3), 3), (Some(2), Some(3), 2), (Some(5), Some(3), 3)]
    {
        let name = unique(&format!("full.budget{}{}", own.unwrap_or(0), hosts.unwrap_or(0)));
        let service = service(&name, 8, hosts);
        let (client, other) = (client(&name, own), client(&name, own));
        let loans: Vec<_> = std::iter::from_fn(|| client.try_loan().unwrap()).collect();
        assert_eq!(loans.len(), expected);
        let error = full(client.loan_timeout(Duration::from_millis(10)));
        assert_eq!((error.budget, error.slots, error.waited), (Some(expected), 8, Duration::from_millis(10)));
        assert!(error.to_string().contains("max_slots"), "{error}");
        // Others are not concerned.
        drop(other.loan().unwrap());
        assert_eq!(service.free_slots(), 8 - expected);
        drop(loans);
        assert_eq!(
            std::iter::from_fn(|| client.try_loan().unwrap()).take(9).collect::<Vec<_>>().len(),
            expected
        );
    }
}

#[test]
fn a_full_arena_is_not_taken_for_a_budget_that_is_spent() {
    let name = unique("full.both");
    let _service = service(&name, 2, None);
    let (greedy, modest) = (client(&name, None), client(&name, Some(1)));
    let held: Vec<_> = std::iter::from_fn(|| greedy.try_loan().unwrap()).collect();
    assert_eq!(held.len(), 2);
    assert_eq!(full(modest.loan_timeout(Duration::from_millis(10))).budget, None);
    assert_eq!(
        full(awaited(async {
            let rejects = Calls::builder(&name).when_full(WhenFull::Reject).max_slots(1).connect().unwrap();
            rejects.loan_async().await
        }))
        .budget,
        None
    );
    drop(held);
    // What a wait in vain had set aside was given back.
    drop(modest.loan().unwrap());
}

#[test]
fn replies_count_until_they_are_dropped_and_wake_those_that_wait() {
    let name = unique("full.replies");
    let _service = service(&name, 8, None);
    let answers = Server::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let server = std::thread::spawn(move || {
        answers.serve(|asked, answer| {
            answer.set_value(asked.value() + 1);
            answer.set_sender(asked.sender());
            Ok::<_, String>(())
        })
    });
    let client = client(&name, Some(2));
    let call = |mut loan: CallLoan<Number, Number>, value| -> Received<Number> {
        loan.set_value(value);
        loan.set_sender(1);
        loan.call().unwrap()
    };
    for round in 0..200 {
        let first = call(client.loan().unwrap(), round);
        let second = call(client.loan().unwrap(), round + 1);
        assert!(client.try_loan().unwrap().is_none());
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| call(client.loan().unwrap(), round + 2).value());
            let awaits = scope
                .spawn(|| awaited(async { call(client.loan_async().await.unwrap(), round + 3).value() }));
            assert_eq!((first.value(), second.value()), (round + 1, round + 2));
            drop((first, second));
            assert_eq!((waits.join().unwrap(), awaits.join().unwrap()), (round + 3, round + 4));
        });
    }
    drop(_service);
    let _ = server.join().unwrap();
}

#[test]
fn a_loan_that_is_awaited_and_dropped_spends_nothing() {
    let name = unique("full.awaited");
    let _service = service(&name, 2, None);
    let (client, other) = (client(&name, Some(1)), client(&name, None));
    let mut cx = Context::from_waker(Waker::noop());
    for round in 0..50 {
        // Once because of the budget, once because there is no slot.
        let held: Vec<_> = match round % 2 {
            0 => vec![client.loan().unwrap()],
            _ => (0..2).map(|_| other.loan().unwrap()).collect(),
        };
        let mut first = Box::pin(client.loan_async());
        let mut second = Box::pin(client.loan_async());
        assert!(first.as_mut().poll(&mut cx).is_pending() && second.as_mut().poll(&mut cx).is_pending());
        drop(first);
        drop(held);
        drop(awaited(second).unwrap());
        let loan = client.try_loan().unwrap();
        assert!(loan.is_some(), "the budget is spent on nothing");
    }
    // Connecting has to succeed within it.
    let timeout = Duration::from_millis(500);
    let mut late =
        Box::pin(Calls::builder(&name).timeout(timeout).max_slots(1).connect().unwrap().loan_async());
    let held: Vec<_> = (0..2).map(|_| other.loan().unwrap()).collect();
    assert_eq!(full(awaited(late.as_mut())).budget, None);
    drop(held);
}

/// Another process that asks for all it can get, from many threads.
fn be_greedy(name: &str) {
    let client = client(name, None);
    std::thread::scope(|scope| {
        for me in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for value in 0.. {
                    let Ok(mut loan) = client.loan() else { return };
                    loan.set_value(value);
                    loan.set_sender(me);
                    match loan.call() {
                        Ok(reply) => assert_eq!(reply.value(), value * 3 + me),
                        Err(_) => return,
                    }
                }
            });
        }
    });
}

/// The one who asks now and then is the one who answers, too: so it counts in whose turn each request comes.
#[test]
fn an_occasional_client_is_served_in_its_turn_beside_a_saturating_one() {
    if let Some((part, name)) = part() {
        assert_eq!(part, "greedy");
        return be_greedy(&name);
    }
    const SLOTS: usize = 8;
    const EACH: usize = 6;
    let name = unique("full.turns");
    let service = service(&name, SLOTS, Some(EACH));
    let greedy = play("an_occasional_client_is_served_in_its_turn_beside_a_saturating_one", "greedy", &name);
    let answers = Server::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let answer = || {
        let mut request = answers.receive().unwrap();
        let (value, sender) = (request.request().value(), request.request().sender());
        request.reply_mut().set_value(value * 3 + sender);
        request.reply_mut().set_sender(sender);
        request.reply().unwrap();
        sender
    };
    let client = client(&name, None);
    let mut cx = Context::from_waker(Waker::noop());
    for round in 0..500 {
        // The neighbour has all that it may have.
        while round > 0 && service.free_slots() > SLOTS - EACH {
            std::thread::yield_now();
        }
        let mut loan = client.loan().unwrap();
        loan.set_value(round);
        loan.set_sender(99);
        let mut call = pin!(loan.call_async());
        assert!(call.as_mut().poll(&mut cx).is_pending());
        let turns = (1..).find(|_| answer() == 99).unwrap();
        assert!(turns <= EACH + 1, "{turns} turns");
        let Poll::Ready(reply) = call.as_mut().poll(&mut cx) else { panic!("answered and still pending") };
        assert_eq!(reply.unwrap().value(), round * 3 + 99);
        // The neighbour's requests meanwhile.
        (0..3).for_each(|_| assert_ne!(answer(), 99));
    }
    greedy.kill();
}
