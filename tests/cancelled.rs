//! Callers that leave: what nobody has taken is not run, what somebody has is answered to nobody, and the others of the run
//! do not notice.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use support::unique;
use tensorbridge::{Batching, CallLoan, Client, Error, Received, SendError, Server, Service, Tensor};

#[derive(Tensor)]
#[tensor(name = "cancelled.number")]
struct Number {
    value: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// A service whose requests lie side by side, a client and a server.
fn meeting(
    name: &str,
    slots: usize,
) -> (Service<Number, Number>, Client<Number, Number>, Server<Number, Number>) {
    let service = Service::builder(name).slots(slots).ring_order(true).create().unwrap();
    let client = Client::builder(name).timeout(PATIENCE).connect().unwrap();
    (service, client, Server::builder(name).timeout(PATIENCE).connect().unwrap())
}

type Ended = Result<Received<Number>, SendError<CallLoan<Number, Number>>>;
type Call = Pin<Box<dyn Future<Output = Ended>>>;

fn loan(client: &Client<Number, Number>, value: u64) -> CallLoan<Number, Number> {
    let mut number = client.loan().unwrap();
    number.set_value(value);
    number
}

fn look(call: &mut Call) -> Poll<Ended> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Calls that were sent, and of which nobody knows an answer yet.
fn calls(client: &Client<Number, Number>, values: impl IntoIterator<Item = u64>) -> Vec<Call> {
    let sent = values.into_iter().map(|value| -> Call {
        let mut call: Call = Box::pin(loan(client, value).call_async());
        assert!(look(&mut call).is_pending());
        call
    });
    sent.collect()
}

/// What each call was answered with.
fn answers(calls: Vec<Call>) -> Vec<u64> {
    let answer = |mut call: Call| match look(&mut call) {
        Poll::Ready(reply) => reply.unwrap().value(),
        Poll::Pending => panic!("it was not answered"),
    };
    calls.into_iter().map(answer).collect()
}

/// Answers the next run with the values plus 100; the values that were asked.
fn answer_run(server: &Server<Number, Number>, max: usize) -> Vec<u64> {
    let mut run = server.receive_many(Batching::up_to(max)).unwrap();
    let (asked, replies) = run.split();
    let values: Vec<u64> = asked.iter().map(|number| number.value()).collect();
    for (row, value) in values.iter().enumerate() {
        replies.row_mut(row).set_value(value + 100);
    }
    run.reply().unwrap();
    values
}

#[test]
fn a_request_whose_caller_left_is_not_in_the_run() {
    let name = unique("cancelled.queued");
    let (service, client, server) = meeting(&name, 6);
    let mut waiting = calls(&client, 0..6);
    // In the middle, and at an end.
    drop(waiting.remove(5));
    drop(waiting.remove(2));
    assert_eq!(service.free_slots(), 2);
    // Neighbours run together; what was between them is gone.
    assert_eq!([answer_run(&server, 6), answer_run(&server, 6)], [vec![0, 1], vec![3, 4]]);
    assert_eq!(answers(waiting), [100, 101, 103, 104]);
    assert_eq!(service.free_slots(), 6);
}

#[test]
fn a_call_that_waited_too_long_is_not_in_the_run() {
    let name = unique("cancelled.late");
    let (service, client, server) = meeting(&name, 4);
    let waiting = calls(&client, 0..2);
    let late = loan(&client, 2).call_timeout(Duration::from_millis(20)).map(drop).unwrap_err();
    assert!(matches!(late.error(), Error::Timeout { .. }), "{late}");
    assert_eq!(answer_run(&server, 4), [0, 1]);
    assert_eq!(answers(waiting), [100, 101]);
    assert_eq!(service.free_slots(), 4);
}

/// The caller is there, and does not look: only the deadline in its request tells the server.
#[test]
fn a_request_whose_own_deadline_has_passed_is_not_run_and_its_caller_hears_of_it() {
    let name = unique("cancelled.deadline");
    let (service, client, server) = meeting(&name, 6);
    let mut first = calls(&client, 0..2);
    let hurried = [20, 20].map(|after| {
        let call = loan(&client, 1000 + after).call_async_timeout(Duration::from_millis(after));
        let mut call: Call = Box::pin(call);
        assert!(look(&mut call).is_pending());
        call
    });
    first.extend(calls(&client, 4..6));
    std::thread::sleep(Duration::from_millis(60));
    let asked = [answer_run(&server, 6), answer_run(&server, 6)];
    assert_eq!(asked, [vec![0, 1], vec![4, 5]]);
    assert_eq!(answers(first), [100, 101, 104, 105]);
    for mut call in hurried {
        let Poll::Ready(Err(error)) = look(&mut call) else { panic!("its deadline has passed") };
        assert!(matches!(error.error(), Error::Timeout { .. }), "{error}");
    }
    assert!(server.receive_many_timeout(6, Duration::ZERO).is_err());
    assert_eq!(service.free_slots(), 6);
}

#[test]
fn a_run_knows_how_long_the_most_hurried_of_its_callers_waits() {
    let name = unique("cancelled.left");
    let (_service, client, server) = meeting(&name, 4);
    let patient = calls(&client, 0..2);
    let mut hurried: Call = Box::pin(loan(&client, 2).call_async_timeout(Duration::from_secs(5)));
    assert!(look(&mut hurried).is_pending());
    let run = server.receive_many(4).unwrap();
    assert_eq!(run.len(), 3);
    let left = run.time_left().unwrap();
    assert!(left <= Duration::from_secs(6) && run.requests().len() == 3, "{left:?}");
    run.fail("Stopped", "enough").unwrap();
    drop((patient, hurried));
}

#[test]
fn the_reply_of_a_caller_that_left_is_dropped_and_the_others_have_theirs() {
    let name = unique("cancelled.taken");
    let (service, client, server) = meeting(&name, 4);
    for leaving in 0..4 {
        let mut waiting = calls(&client, 0..4);
        let mut run = server.receive_many(4).unwrap();
        assert_eq!(run.len(), 4);
        drop(waiting.remove(leaving));
        // Its slot is the server's until it is done.
        assert_eq!(service.free_slots(), 0);
        for row in 0..4 {
            run.replies_mut().row_mut(row).set_value(row as u64 + 100);
        }
        run.reply().unwrap();
        assert_eq!(service.free_slots(), 1);
        let expected: Vec<u64> = (100..104).filter(|value| *value != leaving as u64 + 100).collect();
        assert_eq!(answers(waiting), expected);
        assert_eq!(service.free_slots(), 4);
    }
}

#[test]
fn everybody_may_leave_a_run_that_is_being_served() {
    let name = unique("cancelled.all");
    let (service, client, server) = meeting(&name, 4);
    for failing in [false, true] {
        let waiting = calls(&client, 0..4);
        let run = server.receive_many(4).unwrap();
        drop(waiting);
        assert_eq!(service.free_slots(), 0);
        match failing {
            true => run.fail("Stopped", "enough").unwrap(),
            false => drop(run),
        }
        assert_eq!(service.free_slots(), 4);
    }
    let waiting = calls(&client, 0..4);
    assert_eq!(answer_run(&server, 4).len(), 4);
    assert_eq!(answers(waiting).len(), 4);
}

/// A server that waits for a longer run gives the next request, when the first one's caller leaves, a time of its own.
#[test]
fn the_request_after_one_whose_caller_left_is_waited_for_as_long_as_any() {
    let name = unique("cancelled.first");
    let (_service, client, server) = meeting(&name, 8);
    let batching = Batching::up_to(2).max_wait(PATIENCE / 2);
    for pause in [0, 30].map(Duration::from_millis) {
        let served = std::thread::scope(|scope| {
            let left = calls(&client, [0]);
            let serving = scope.spawn(|| server.receive_many(batching).unwrap().requests().value().to_vec());
            std::thread::sleep(Duration::from_millis(30));
            drop(left);
            std::thread::sleep(pause);
            let first = calls(&client, [1]);
            std::thread::sleep(Duration::from_millis(30));
            let second = calls(&client, [2]);
            let served = serving.join().unwrap();
            drop((first, second));
            served
        });
        assert_eq!(served, [1, 2]);
    }
}

/// A server that waits for a longer run has taken nothing: its requests' callers may leave, and it goes on waiting.
#[test]
fn callers_may_leave_a_run_that_a_server_waits_for_to_get_longer() {
    let name = unique("cancelled.growing");
    let (service, client, server) = meeting(&name, 8);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let batching = Batching::up_to(2).max_wait(Duration::from_secs(1));
            server.serve_many(batching, |asked, replies| {
                let values: Vec<u64> = asked.iter().map(|number| number.value()).collect();
                (0..values.len()).for_each(|row| replies.row_mut(row).set_value(values[row] + 100));
                Ok::<_, String>(())
            })
        });
        for round in 0..300 {
            // The neighbour of a call that is waited for with it leaves, or the call itself does.
            let mut waiting =
                [round, round + 1000].map(|value| -> Call { Box::pin(loan(&client, value).call_async()) });
            waiting.rotate_left(round as usize % 2);
            // Some are answered at once.
            waiting.iter_mut().for_each(|call| drop(look(call)));
        }
        let kept = [1, 2, 3, 4].map(|value| {
            let client = &client;
            scope.spawn(move || loan(client, value).call().unwrap().value())
        });
        assert_eq!(kept.map(|call| call.join().unwrap()), [101, 102, 103, 104]);
        drop(service);
    });
}
