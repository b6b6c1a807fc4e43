//! Spans and events of calls, and the trace context that travels with a record.

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::unique;
use tensorbridge::trace::TraceContext;
use tensorbridge::{Channel, Client, Error, Receiver, Sender, Server, Service, Tensor};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Tensor)]
#[tensor(name = "tracing.number")]
struct Number {
    value: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What a subscriber heard, one line for each event and each span that ended.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Heard {
    /// Does the work with a subscriber that hears spans and events down to `level`.
    fn during<T>(&self, level: LevelFilter, work: impl FnOnce() -> T) -> T {
        let heard = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(level)
            .with_span_events(FmtSpan::CLOSE)
            .with_writer(move || heard.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work)
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The only line with all of these words.
    #[track_caller]
    fn line(&self, words: &[&str]) -> String {
        let lines = self.lines();
        let mut found = lines.iter().filter(|line| words.iter().all(|word| line.contains(word)));
        match (found.next(), found.next()) {
            (Some(line), None) => line.clone(),
            _ => panic!("not one line with {words:?}: {lines:#?}"),
        }
    }
}

fn trace() -> Option<TraceContext> {
    Some(TRACEPARENT.parse().unwrap())
}

/// Calls with 0 and with 1, which the server refuses; what the two sides heard.
fn two_calls(level: LevelFilter) -> [Heard; 2] {
    let name = unique(&format!("tracing.calls.{level}"));
    let service = Service::<Number, Number>::builder(&name).create().unwrap();
    let [at_client, at_server] = [Heard::default(), Heard::default()];
    let (heard, server_name) = (at_server.clone(), name.clone());
    let server = std::thread::spawn(move || {
        heard.during(level, || {
            let server = Server::<Number, Number>::builder(&server_name).connect().unwrap();
            server.serve(|asked, answer| match asked.value() {
                0 => {
                    answer.set_value(7);
                    Ok(())
                }
                _ => Err("not 1"),
            })
        })
    });
    at_client.during(level, || {
        let client = Client::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
        let mut number = client.loan().unwrap();
        number.set_trace(trace());
        number.set_value(0);
        assert_eq!(number.call().unwrap().trace(), trace());
        let mut number = client.loan().unwrap();
        number.set_value(1);
        let error = Error::from(number.call().map(drop).unwrap_err());
        assert!(matches!(error, Error::Remote(_)), "{error}");
    });
    drop(service);
    server.join().unwrap().unwrap();
    [at_client, at_server]
}

#[test]
fn each_call_is_a_span_on_either_side_and_a_failure_an_event_in_it() {
    let [client, server] = two_calls(LevelFilter::DEBUG);
    let connected = client.line(&["connected", "tensorbridge", "arena=", "slots=16"]);
    assert!(connected.contains("DEBUG"), "{connected}");
    let call =
        |line: &str| line.contains("call{arena=") && line.contains("slot=") && line.contains("attempt=1");
    let closed = client.lines().into_iter().filter(|line| line.contains("close"));
    assert!(closed.inspect(|line| assert!(call(line), "{line}")).count() == 2);
    let failed = client.line(&["the call failed", "TB504", "not 1"]);
    assert!(failed.contains("call{arena="), "{failed}");

    server.line(&["serve{arena=", "slot=", "requests=1", "attempt=1", "close", TRACEPARENT]);
    let failed = server.line(&["the handler failed", "not 1"]);
    assert!(failed.contains("serve{arena=") && !failed.contains("trace="), "{failed}");
}

#[test]
fn a_level_that_is_too_coarse_hears_of_no_call() {
    let [client, server] = two_calls(LevelFilter::INFO);
    let no_call =
        |heard: &Heard| heard.lines().iter().all(|line| !line.contains("call") && !line.contains("serve"));
    assert!(no_call(&client) && no_call(&server), "{:?} {:?}", client.lines(), server.lines());
}

#[test]
fn a_request_says_to_a_rust_server_which_trace_it_belongs_to() {
    let name = unique("tracing.request");
    let _service = Service::<Number, Number>::builder(&name).create().unwrap();
    let server = Server::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let client = Client::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    for trace in [trace(), None] {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                let mut number = client.loan().unwrap();
                number.set_trace(trace);
                number.set_value(0);
                number.call().map(drop).unwrap();
            });
            let mut request = server.receive().unwrap();
            assert_eq!(request.trace(), trace);
            request.reply_mut().set_value(1);
            request.reply().unwrap();
            call.join().unwrap();
        });
    }
}

#[test]
fn records_sent_one_way_carry_their_trace_each_and_a_slot_used_again_carries_none() {
    let name = unique("tracing.channel");
    let _channel = Channel::<Number>::builder(&name).slots(4).ring_order(true).create().unwrap();
    let sender = Sender::<Number>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let send = |trace| {
        let mut number = sender.loan().unwrap();
        number.set_trace(trace);
        number.set_value(0);
        number.send().unwrap();
    };
    [trace(), None, trace()].into_iter().for_each(send);
    let run = receiver.receive_many(3).unwrap();
    assert_eq!(run.traces().collect::<Vec<_>>(), [trace(), None, trace()]);
    drop(run);
    for _ in 0..4 {
        let mut number = sender.loan().unwrap();
        number.set_value(0);
        number.send().unwrap();
        assert_eq!(receiver.receive().unwrap().trace(), None);
    }
    send(trace());
    assert_eq!(receiver.receive().unwrap().trace(), trace());
}
