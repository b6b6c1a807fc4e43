//! What batching gives: how full the runs of closed-loop clients are, what has to be gathered, and calls a second with it and
//! without.

use std::time::Duration;

use tensorbridge::{Batching, Server, Service, Tensor};

use super::callers::{CLIENTS, Compared, Seen, call_again, micros};
use crate::{Report, unique};

/// A row of a small network's input: 1 KB.
#[derive(Tensor)]
#[tensor(name = "bench.features")]
pub(crate) struct Features {
    inputs: [f32; 256],
}

/// A row of its output.
#[derive(Tensor)]
#[tensor(name = "bench.scores")]
pub(crate) struct Scores {
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
    println!("\nthe same clients, which fill for a while; a run takes 1 ms, max_wait 500 us");
    let (mut lengths, mut gathered) = (Vec::new(), Vec::new());
    for fill in [0, 200, 500, 1000, 2000, 5000, 10_000] {
        let filling = Duration::from_micros(fill);
        let batching = Batching::up_to(8).max_wait(Duration::from_micros(500));
        let seen = closed_loop(16, 32, batching, Work::For(Duration::from_millis(1)), filling, time);
        let what = format!("filling takes {filling:?}");
        report.figure(&format!("mean batch, {what}"), seen.mean, "requests");
        report.figure(&format!("gathered bytes, {what}"), 100.0 * seen.gathered, "%");
        report.figure(&format!("call without its filling, p50, {what}"), micros(seen.p50), "us");
        report.figure(&format!("call without its filling, p99, {what}"), micros(seen.p99), "us");
        if fill > 0 {
            lengths.push((fill as f64 / 1e3, seen.mean));
            gathered.push((fill as f64 / 1e3, 100.0 * seen.gathered));
        }
    }
    let clients = "16 clients, at most 8 in a run of 1 ms";
    report.curve(format!("Mean batch by ms of filling: {clients}"), vec![("requests", lengths)]);
    report.curve(format!("Gathered bytes in % by ms of filling: {clients}"), vec![("hole", gathered)]);
    println!("\na small network (256 - 1024 - 64) in Rust, batching on and off");
    let mut compared = Compared::new("small network in Rust");
    for clients in CLIENTS {
        for (on, most) in [(false, 1), (true, 32)] {
            let slots = clients.max(32).next_multiple_of(32);
            let seen = closed_loop(clients, slots, Batching::up_to(most), Work::Mlp, Duration::ZERO, time);
            compared.add(report, clients, on, &seen);
        }
    }
    compared.draw(report);
}

/// Clients of a service that this process answers in another thread.
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
    let server = Server::<Features, Scores>::builder(&name).connect().expect("the host is there");
    let mlp = Mlp::new();
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
                Ok::<(), std::convert::Infallible>(())
            })
        });
        let seen = call_again(&service, &name, clients, time, |features| {
            features.inputs_mut().fill(0.5);
            if !fill.is_zero() {
                std::thread::sleep(fill);
            }
        });
        drop(service);
        seen
    })
}
