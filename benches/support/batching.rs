//! What batching gives: how full the runs of closed-loop clients are, and calls a second with it and without.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tensorbridge::{Batching, Client, Server, Service, Tensor};

use crate::{Report, unique};

/// A row of a small network's input: 1 KB.
#[derive(Tensor)]
#[tensor(name = "bench.features")]
struct Features {
    inputs: [f32; 256],
}

/// A row of its output.
#[derive(Tensor)]
#[tensor(name = "bench.scores")]
struct Scores {
    outputs: [f32; 64],
}

/// Two layers, 256 to 1024 to 64: 1.3 MB of weights, which every run reads once, however long it is.
struct Mlp {
    first: ndarray::Array2<f32>,
    second: ndarray::Array2<f32>,
}

impl Mlp {
    fn new() -> Mlp {
        let weights = |rows, columns| {
            ndarray::Array2::from_shape_fn((rows, columns), |(row, column)| {
                ((row * 31 + column * 17) % 13) as f32 * 0.01
            })
        };
        Mlp { first: weights(256, 1024), second: weights(1024, 64) }
    }

    fn run(&self, rows: ndarray::ArrayView2<'_, f32>) -> ndarray::Array2<f32> {
        rows.dot(&self.first).mapv(|value| value.max(0.0)).dot(&self.second)
    }
}

/// What the clients of one measurement saw.
struct Seen {
    /// Requests of a run, on average.
    mean: f64,
    calls_a_second: f64,
    p99: Duration,
}

/// What a worker does with a run.
#[derive(Clone, Copy)]
enum Work {
    /// The same time for any number of rows.
    For(Duration),
    Mlp,
}

pub(crate) fn measure(report: &mut Report, scale: usize) {
    let time = Duration::from_millis(3000 / scale as u64);
    println!("\nmean batch of 16 clients that call again at once, at most 8 in a run");
    for work in [50, 200, 1000, 5000] {
        for wait in [0, 100, 500] {
            let (work, wait) = (Duration::from_micros(work), Duration::from_micros(wait));
            let batching = Batching::up_to(8).max_wait(wait);
            let seen = closed_loop(16, 16, batching, Work::For(work), Duration::ZERO, time);
            report.figure(
                &format!("mean batch, a run takes {work:?}, max_wait {wait:?}"),
                seen.mean,
                "requests",
            );
        }
    }
    println!("\nmean batch of the same clients, which fill for a while; a run takes 1 ms, max_wait 500 us");
    for fill in [0, 200, 1000, 5000, 10_000] {
        let fill = Duration::from_micros(fill);
        let batching = Batching::up_to(8).max_wait(Duration::from_micros(500));
        let seen = closed_loop(16, 32, batching, Work::For(Duration::from_millis(1)), fill, time);
        report.figure(&format!("mean batch, filling takes {fill:?}"), seen.mean, "requests");
    }
    println!("\na small network (256 - 1024 - 64), batching on and off");
    for clients in [1usize, 4, 16, 64] {
        for (name, most) in [("off", 1), ("on", 32)] {
            let slots = clients.max(32).next_multiple_of(32);
            let seen = closed_loop(clients, slots, Batching::up_to(most), Work::Mlp, Duration::ZERO, time);
            let what = format!("small network, {clients} clients, batching {name}");
            report.figure(&what, seen.calls_a_second, "calls/s");
            report.figure(&format!("{what}, mean batch"), seen.mean, "requests");
            report.figure(&format!("{what}, p99"), seen.p99.as_secs_f64() * 1e6, "us");
        }
    }
}

/// Clients in threads that call again as soon as they have their reply, for so long.
fn closed_loop(
    clients: usize,
    slots: usize,
    batching: Batching,
    work: Work,
    fill: Duration,
    time: Duration,
) -> Seen {
    let name = unique("batching");
    let service = Service::<Features, Scores>::builder(&name)
        .slots(slots)
        .ring_order(true)
        .create()
        .expect("a fresh name, and memory");
    let (runs, rows, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let server = Server::<Features, Scores>::builder(&name).connect().expect("the host is there");
    let mlp = Mlp::new();
    let mut latencies = Histogram::<u64>::new(3).expect("three digits");
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.serve_many(batching, |asked, answers| {
                match work {
                    Work::For(time) => {
                        std::thread::sleep(time);
                        answers.outputs_mut().fill(1.0);
                    }
                    Work::Mlp => {
                        let scores = mlp.run(asked.inputs_array());
                        answers.outputs_mut().copy_from_slice(scores.as_slice().expect("compact"));
                    }
                }
                // The last runs are short because the clients end.
                if !stop.load(Ordering::Relaxed) {
                    runs.fetch_add(1, Ordering::Relaxed);
                    rows.fetch_add(asked.len() as u64, Ordering::Relaxed);
                }
                Ok::<(), std::convert::Infallible>(())
            })
        });
        let callers: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let client =
                        Client::<Features, Scores>::builder(&name).connect().expect("the host is there");
                    let mut seen = Histogram::<u64>::new(3).expect("three digits");
                    while !stop.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        let mut features = client.loan().expect("a free slot");
                        features.inputs_mut().fill(0.5);
                        if !fill.is_zero() {
                            std::thread::sleep(fill);
                        }
                        drop(features.call().expect("an answer"));
                        seen.record(start.elapsed().as_nanos() as u64).expect("within bounds");
                    }
                    seen
                })
            })
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            latencies.add(caller.join().expect("a caller that ended")).expect("the same bounds");
        }
        drop(service);
    });
    let (runs, rows) = (runs.into_inner(), rows.into_inner());
    Seen {
        mean: rows as f64 / runs.max(1) as f64,
        calls_a_second: rows as f64 / begin.elapsed().as_secs_f64(),
        p99: Duration::from_nanos(latencies.value_at_quantile(0.99)),
    }
}
