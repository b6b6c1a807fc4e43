//! OpenTelemetry's current context goes with a call and with a record, and a server's span belongs to it.

mod support;

use std::time::Duration;

use opentelemetry::trace::{SpanId, SpanKind, Status, TraceContextExt, TraceId, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use support::unique;
use tensorbridge::trace::TraceContext;
use tensorbridge::{Batching, Channel, Client, Receiver, Sender, Server, Service, Tensor};
use tracing_subscriber::layer::SubscriberExt;

#[derive(Tensor)]
#[tensor(name = "opentelemetry.number")]
struct Number {
    value: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// What one process's tracer exported.
struct Recorder {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
}

impl Recorder {
    fn new() -> Recorder {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        Recorder { exporter, provider }
    }

    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work)
    }

    /// The spans called `name`, in the order in which they ended.
    fn spans(&self, name: &str) -> Vec<SpanData> {
        let spans = self.exporter.get_finished_spans().unwrap();
        spans.into_iter().filter(|span| span.name == name).collect()
    }
}

fn call(client: &Client<Number, Number>, value: u64) -> bool {
    let mut number = client.loan().unwrap();
    number.set_value(value);
    number.call().is_ok()
}

#[test]
fn the_span_of_the_program_that_of_the_call_and_that_of_the_server_are_one_trace() {
    let name = unique("opentelemetry.call");
    let service = Service::<Number, Number>::builder(&name).create().unwrap();
    let server = Server::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let serving = std::thread::spawn(move || {
        let recorder = Recorder::new();
        recorder.during(|| {
            server.serve(|asked, answer| {
                let _inner = tracing::info_span!("inner").entered();
                answer.set_value(1);
                if asked.value() == 0 { Ok(()) } else { Err("not 1") }
            })
        })?;
        Ok::<_, tensorbridge::Error>(recorder)
    });
    let here = Recorder::new();
    here.during(|| {
        let client = Client::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
        tracing::info_span!("request").in_scope(|| assert!(call(&client, 0)));
        assert!(!call(&client, 1));
        let mut number = client.loan().unwrap();
        number.set_trace(TraceContext::new(5, 6, true));
        number.set_value(0);
        number.call().map(drop).unwrap();
    });
    drop(service);
    let there = serving.join().unwrap().unwrap();

    let (request, calls) = (here.spans("request"), here.spans("call"));
    let (serves, inner) = (there.spans("serve"), there.spans("inner"));
    assert_eq!([request.len(), calls.len(), serves.len(), inner.len()], [1, 3, 3, 3]);
    let trace = request[0].span_context.trace_id();
    assert_eq!(calls[0].parent_span_id, request[0].span_context.span_id());
    for (call, serve) in calls.iter().zip(&serves).take(2) {
        assert_eq!(serve.span_context.trace_id(), call.span_context.trace_id());
        assert_eq!(serve.parent_span_id, call.span_context.span_id());
        assert!(serve.parent_span_is_remote);
        assert_eq!((&call.span_kind, &serve.span_kind), (&SpanKind::Client, &SpanKind::Server));
    }
    // Of a trace that the program named, what it named is the parent of both.
    for span in [&calls[2], &serves[2]] {
        let parent = (span.span_context.trace_id(), span.parent_span_id);
        assert_eq!(parent, (TraceId::from(5), SpanId::from(6)));
    }
    assert_eq!(inner[0].parent_span_id, serves[0].span_context.span_id());
    assert_eq!(calls[0].span_context.trace_id(), trace);
    assert_ne!(calls[1].span_context.trace_id(), trace);
    assert_eq!((&calls[0].status, &serves[0].status), (&Status::Unset, &Status::Unset));
    let failed = |span: &SpanData| matches!(span.status, Status::Error { .. });
    assert!(failed(&calls[1]) && failed(&serves[1]), "{:?} {:?}", calls[1].status, serves[1].status);
    let arena = KeyValue::new("arena", name);
    assert!(calls[0].attributes.contains(&arena) && serves[0].attributes.contains(&arena));
    assert!(calls[0].attributes.contains(&KeyValue::new("attempt", 1_i64)));
}

#[test]
fn a_context_without_a_tracing_span_goes_with_a_record_unless_the_record_names_another() {
    let name = unique("opentelemetry.context");
    let _channel = Channel::<Number>::builder(&name).create().unwrap();
    let sender = Sender::<Number>::builder(&name).connect().unwrap();
    let receiver = Receiver::<Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let send = |named: Option<TraceContext>| {
        let mut number = sender.loan().unwrap();
        number.set_value(0);
        if named.is_some() {
            number.set_trace(named);
        }
        number.send().unwrap();
        receiver.receive().unwrap().trace()
    };
    assert_eq!(send(None), None);
    let recorder = Recorder::new();
    let span = recorder.provider.tracer("test").start("program");
    let _current = Context::current_with_span(span).attach();
    let current = Context::current().span().span_context().clone();
    let carried = send(None).unwrap();
    assert_eq!(TraceId::from(carried.trace_id()), current.trace_id());
    assert_eq!(carried, TraceContext::from_span_context(&current).unwrap());
    assert_eq!(carried.to_span_context().span_id(), current.span_id());
    let named = TraceContext::new(1, 2, false);
    assert_eq!(send(named), named);
}

#[test]
fn a_run_of_requests_is_answered_in_one_span_of_one_trace_that_is_linked_to_the_others() {
    let name = unique("opentelemetry.run");
    let service = Service::<Number, Number>::builder(&name).ring_order(true).create().unwrap();
    let server = Server::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    let serving = std::thread::spawn(move || {
        let recorder = Recorder::new();
        let batching = Batching::up_to(3).max_wait(PATIENCE);
        recorder.during(|| {
            server.serve_many(batching, |asked, answers| {
                (0..asked.len()).for_each(|row| answers.row_mut(row).set_value(1));
                Ok::<(), String>(())
            })
        })?;
        Ok::<_, tensorbridge::Error>(recorder)
    });
    let client = Client::<Number, Number>::builder(&name).timeout(PATIENCE).connect().unwrap();
    std::thread::scope(|scope| {
        for parent in [6, 7, 8] {
            let client = &client;
            scope.spawn(move || {
                let mut number = client.loan().unwrap();
                number.set_trace(TraceContext::new(5, parent, true));
                number.set_value(0);
                number.call().map(drop).unwrap();
            });
        }
    });
    drop(service);
    let serves = serving.join().unwrap().unwrap().spans("serve");
    assert_eq!(serves.len(), 1);
    assert!(serves[0].attributes.contains(&KeyValue::new("requests", 3_i64)));
    let links = serves[0].links.iter().map(|link| link.span_context.span_id());
    let mut parents: Vec<_> = links.chain([serves[0].parent_span_id]).map(SpanId::to_bytes).collect();
    parents.sort_unstable();
    assert_eq!(parents, [6_u64, 7, 8].map(u64::to_be_bytes));
}
