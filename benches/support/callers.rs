//! Clients in threads that call again as soon as they have their reply, and what they see.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tensorbridge::CopyReason;
use tensorbridge::{Client, Record, Service};

use crate::Report;

/// How many clients there are where their number is what matters.
pub(crate) const CLIENTS: [usize; 4] = [1, 4, 16, 64];

/// What the clients of one measurement saw.
pub(crate) struct Seen {
    /// Requests of a run, on average.
    pub(crate) mean: f64,
    pub(crate) calls_a_second: f64,
    /// Of the bytes of requests and replies, the part that was copied because they did not lie side by side.
    pub(crate) gathered: f64,
    /// From sending a request to having its answer.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

const WARMING: u32 = 0;
const MEASURED: u32 = 1;
const OVER: u32 = 2;

/// Calls from `clients` threads for so long, after a while that is not counted. Each request is filled first, which is not part
/// of a call's time.
pub(crate) fn call_again<Req: Record, Rep: Record>(
    service: &Service<Req, Rep>,
    name: &str,
    clients: usize,
    time: Duration,
    fill: impl Fn(&mut Req::Mut) + Sync,
) -> Seen {
    let phase = AtomicU32::new(WARMING);
    let call = || {
        let client = Client::<Req, Rep>::builder(name).connect().expect("the host is there");
        let mut seen = Histogram::<u64>::new(3).expect("three digits");
        loop {
            let mut request = client.loan().expect("a free slot");
            fill(&mut request);
            let start = Instant::now();
            drop(request.call().expect("an answer"));
            match phase.load(Ordering::Relaxed) {
                WARMING => {}
                MEASURED => seen.record(start.elapsed().as_nanos() as u64).expect("within bounds"),
                _ => return seen,
            }
        }
    };
    let mut latencies = Histogram::<u64>::new(3).expect("three digits");
    let metrics = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..clients).map(|_| scope.spawn(call)).collect();
        std::thread::sleep(time / 4);
        let before = service.metrics();
        phase.store(MEASURED, Ordering::Relaxed);
        std::thread::sleep(time);
        // Read before the clients end: the last runs are short.
        let metrics = service.metrics().since(&before);
        phase.store(OVER, Ordering::Relaxed);
        for caller in callers {
            latencies.add(caller.join().expect("a caller that ended")).expect("the same bounds");
        }
        metrics
    });
    let bytes = |schema: &tensorbridge::schema::Schema| -> u64 {
        (0..schema.fields().len()).map(|field| schema.field_size(field).expect("it fits") as u64).sum()
    };
    let copied =
        |wanted| metrics.copied.iter().find(|(reason, _)| *reason == wanted).map_or(0, |(_, bytes)| *bytes);
    let rows: u64 = metrics.runs.values().map(|(length, count)| length * count).sum();
    let quantile = |quantile| Duration::from_nanos(latencies.value_at_quantile(quantile));
    Seen {
        mean: rows as f64 / metrics.runs.count().max(1) as f64,
        calls_a_second: metrics.answered as f64 / metrics.covers.as_secs_f64(),
        gathered: copied(CopyReason::Hole) as f64
            / (rows.max(1) * (bytes(Req::SCHEMA) + bytes(Rep::SCHEMA))) as f64,
        p50: quantile(0.5),
        p99: quantile(0.99),
    }
}

/// A model with batching and without it, by the number of clients.
pub(crate) struct Compared {
    model: &'static str,
    /// Without batching, and with it.
    rates: [Vec<(f64, f64)>; 2],
    tails: [Vec<(f64, f64)>; 2],
}

impl Compared {
    pub(crate) fn new(model: &'static str) -> Compared {
        Compared { model, rates: Default::default(), tails: Default::default() }
    }

    pub(crate) fn add(&mut self, report: &mut Report, clients: usize, on: bool, seen: &Seen) {
        let what = format!("{}, {clients} clients, batching {}", self.model, if on { "on" } else { "off" });
        report.figure(&what, seen.calls_a_second, "calls/s");
        report.figure(&format!("{what}, mean batch"), seen.mean, "requests");
        report.figure(&format!("{what}, p99"), micros(seen.p99), "us");
        self.rates[usize::from(on)].push((clients as f64, seen.calls_a_second));
        self.tails[usize::from(on)].push((clients as f64, micros(seen.p99) / 1e3));
    }

    pub(crate) fn draw(self, report: &mut Report) {
        let Compared { model, rates, tails } = self;
        for (what, [off, on]) in [("calls in a second", rates), ("p99 in ms", tails)] {
            let lines = vec![("batching off", off), ("batching on", on)];
            report.curve(format!("{model}: {what}, by the number of clients"), lines);
        }
    }
}
