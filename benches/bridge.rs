//! How long the bridge itself takes, beside what the machine allows, measured in the same run.
//!
//! `cargo xtask bench` runs it; `-- --quick` takes a tenth of the repetitions, `--only
//! steps|calls|sizes|pool|runs|batching|models|open|async|python` one part, `--json FILE` writes the figures, `--svg FILE` draws them.

mod support;

use std::time::Duration;

use support::awaited::{Awaited, Trivial, answer};
use support::limits::{self, Bare};
use support::peer::{Peer, pin};
use support::plot::Curve;
use support::stats::{Measured, Run, human, time_each, time_groups};
use tensorbridge::{Channel, Client, PythonWorker, Receiver, Sender, Server, Service, Tensor, WaitStrategy};

/// A photo: 602,112 bytes of planes.
#[derive(Tensor)]
#[tensor(name = "bench.image")]
struct Image {
    pixels: [[[f32; 224]; 224]; 3],
}

/// One number.
#[derive(Tensor)]
#[tensor(name = "bench.number")]
struct Number {
    value: f32,
}

/// 1 KB.
#[derive(Tensor)]
#[tensor(name = "bench.kilobyte")]
struct Kilobyte {
    bytes: [u8; 1024],
}

/// As many bytes as a photo's planes.
#[derive(Tensor)]
#[tensor(name = "bench.photo")]
struct Photo {
    bytes: [u8; 602_112],
}

/// 256 MB.
#[derive(Tensor)]
#[tensor(name = "bench.large")]
struct Large {
    bytes: [u8; 256 << 20],
}

const RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--peer", core, rest @ ..] = words.as_slice() {
        pin(core.parse().ok());
        return peer(rest);
    }
    if let ["--call", strategy, server, rounds, ..] = words.as_slice() {
        // For a profile: one kind of call and nothing else.
        let rounds = rounds.parse().expect("a number");
        let run = match *server {
            "python" => call_python("numpy", strategy, rounds),
            _ => call(strategy, rounds, true, false),
        };
        println!("call, {strategy}, answered in {server}: {}", human(run.p50));
        return;
    }
    let scale = if words.contains(&"--quick") { 10 } else { 1 };
    let after =
        |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1).copied());
    let wanted = |part: &str| after("--only").is_none_or(|only| only == part);
    let mut report = Report::default();
    if wanted("steps") {
        in_process(&mut report, scale);
    }
    if wanted("calls") {
        for pinned in [false, true] {
            between_processes(&mut report, scale, pinned);
        }
    }
    if wanted("sizes") {
        sizes(&mut report, scale);
    }
    if wanted("pool") {
        report.measure("10,000 of 4 KB at once, 64 threads, per slot: 4 processes", || {
            support::pool::slots(&unique("pool"), 1000 / scale)
        });
        report.measure("10,000 of 4 KB at once, 64 threads, per box: a mutex", || {
            support::pool::mutex(1000 / scale)
        });
    }
    if wanted("runs") {
        support::runs::measure(&mut report, scale);
    }
    if wanted("batching") {
        support::batching::measure(&mut report, scale);
    }
    if wanted("models") && interpreter("networks in Python").is_some() {
        support::models::measure(&mut report, scale);
    }
    if wanted("open") {
        open(&mut report, scale);
    }
    if wanted("async") {
        awaited(&mut report, scale);
    }
    if wanted("python") {
        python(&mut report, scale);
    }
    report.summary();
    if let Some(path) = after("--svg") {
        support::plot::draw(path.as_ref(), &report.rows, &report.curves).expect("the picture can be written");
    }
    if let Some(path) = after("--json") {
        std::fs::write(path, report.json()).expect("the report can be written");
    }
}

/// The other side of a measurement.
fn peer(arguments: &[&str]) {
    match arguments {
        ["limit", bare, fd] => limits::answer(bare, fd),
        ["serve", name, strategy] => {
            let strategy = strategy_named(strategy);
            let server =
                Server::<Image, Number>::builder(name).wait(strategy).connect().expect("the host is there");
            let _ = server.serve(|image, number| {
                number.set_value(image.pixels()[0]);
                Ok::<(), std::convert::Infallible>(())
            });
        }
        ["pool", name, count] => support::pool::peer(name, count),
        ["trivial", name, strategy] => answer::<Number>(name, strategy_named(strategy)),
        ["small", name] => serve_untouched::<Kilobyte>(name),
        ["large", name] => serve_untouched::<Large>(name),
        other => panic!("unknown peer {other:?}"),
    }
}

fn serve_untouched<R: tensorbridge::Record>(name: &str) {
    let server =
        Server::<R, Number>::builder(name).wait(WaitStrategy::Spin).connect().expect("the host is there");
    let _ = server.serve(|_, number| {
        number.set_value(1.0);
        Ok::<(), std::convert::Infallible>(())
    });
}

fn strategy_named(name: &str) -> WaitStrategy {
    match name {
        "spin" => WaitStrategy::Spin,
        "block" => WaitStrategy::Block,
        _ => WaitStrategy::default(),
    }
}

fn unique(name: &str) -> String {
    format!("bench.{name}.p{}", std::process::id())
}

/// Rows of the report, printed as they come.
#[derive(Default)]
struct Report {
    rows: Vec<Measured>,
    /// What is no time: its name, the figure, its unit.
    figures: Vec<(String, f64, &'static str)>,
    /// The same figures over an axis, to be drawn.
    curves: Vec<Curve>,
}

impl Report {
    fn measure(&mut self, name: &str, mut run: impl FnMut() -> Run) {
        let runs = (0..RUNS).map(|_| {
            limits::settle();
            run()
        });
        self.add(Measured { name: name.to_owned(), runs: runs.collect() });
    }

    fn add(&mut self, measured: Measured) {
        let (low, high) = measured.spread();
        println!(
            "{:<58} p50 {:>10} ({} - {})  p99 {:>10}",
            measured.name,
            human(measured.p50()),
            human(low),
            human(high),
            human(measured.p99())
        );
        self.rows.push(measured);
    }

    fn figure(&mut self, name: &str, value: f64, unit: &'static str) {
        println!("{name:<58} {value:>10.1} {unit}");
        self.figures.push((name.to_owned(), value, unit));
    }

    fn curve(&mut self, title: String, lines: Vec<(&'static str, Vec<(f64, f64)>)>) {
        self.curves.push(Curve { title, lines });
    }

    fn p50(&self, name: &str) -> f64 {
        self.rows.iter().find(|row| row.name == name).map_or(f64::NAN, |row| row.p50() as f64)
    }

    fn summary(&self) {
        let ratio = |title: &str, ours: &str, limit: &str| {
            let ratio = self.p50(ours) / self.p50(limit);
            // What was not asked for has no row.
            if !ratio.is_nan() {
                println!("{title:<58} {ratio:.2}");
            }
        };
        println!("\nratios of medians of the same run");
        for placement in ["free", "pinned"] {
            let spin = format!("bare cache line ping-pong, {placement}");
            let futex = format!("bare futex ping-pong, {placement}");
            ratio(
                &format!("call / cache line, {placement}"),
                &format!("call, spin, payload untouched, {placement}"),
                &spin,
            );
            ratio(
                &format!("call / futex, {placement}"),
                &format!("call, block, payload untouched, {placement}"),
                &futex,
            );
        }
        ratio(
            "call with 256 MB / with 1 KB",
            "call, spin, 256 MB, payload untouched",
            "call, spin, 1 KB, payload untouched",
        );
        for (framework, floor) in support::open::FRAMEWORKS {
            let (ours, bare) = (support::open::opened(framework), support::open::bare(framework, floor));
            ratio(&format!("{ours} / {bare}"), &ours, &bare);
        }
    }

    fn json(&self) -> String {
        let rows: Vec<serde_json::Value> = self
            .rows
            .iter()
            .map(|row| {
                let runs: Vec<_> = row.runs.iter().map(|run| serde_json::json!({"p50": run.p50, "p99": run.p99})).collect();
                serde_json::json!({"name": row.name, "unit": "ns", "p50": row.p50(), "p99": row.p99(), "runs": runs})
            })
            .collect();
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|(name, value, unit)| serde_json::json!({"name": name, "value": value, "unit": unit}))
            .collect();
        let report = serde_json::json!({"machine": machine(), "rows": rows, "figures": figures});
        serde_json::to_string_pretty(&report).expect("numbers and texts")
    }
}

/// What the figures were measured on.
fn machine() -> serde_json::Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    serde_json::json!({
        "cpu": model.trim_start_matches([':', ' ', '\t']),
        "cores": cores,
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}

/// What one thread pays for the steps of a record's life.
fn in_process(report: &mut Report, scale: usize) {
    let name = unique("steps");
    let _channel = Channel::<Image>::builder(&name).slots(8).create().expect("a fresh name");
    let sender = Sender::<Image>::builder(&name).connect().expect("the host is there");
    let receiver = Receiver::<Image>::builder(&name).connect().expect("the host is there");
    report.measure("loan, give back", || {
        time_groups(1_000_000 / scale, 100, || drop(sender.loan().expect("a free slot")))
    });
    report.measure("loan, send, receive, give back; payload untouched", || {
        time_groups(1_000_000 / scale, 100, || {
            let mut image = sender.loan().expect("a free slot");
            image.pixels_mut()[0] = 1.0;
            image.send().expect("complete");
            drop(receiver.receive().expect("just sent"));
        })
    });
    report.measure("memcpy of 602 KB, warm", || limits::memcpy(20_000 / scale));
}

fn between_processes(report: &mut Report, scale: usize, pinned: bool) {
    let placement = if pinned { "pinned" } else { "free" };
    report.measure(&format!("bare cache line ping-pong, {placement}"), || {
        limits::ping_pong(Bare::Spin, 200_000 / scale, pinned)
    });
    report.measure(&format!("bare futex ping-pong, {placement}"), || {
        limits::ping_pong(Bare::Futex, 20_000 / scale, pinned)
    });
    report.measure(&format!("bare socket ping-pong, {placement}"), || {
        limits::ping_pong(Bare::Socket, 20_000 / scale, pinned)
    });
    for (strategy, rounds) in [("spin", 200_000), ("adaptive", 100_000), ("block", 20_000)] {
        report.measure(&format!("call, {strategy}, payload untouched, {placement}"), || {
            call(strategy, rounds / scale, pinned, false)
        });
    }
    report.measure(&format!("call, spin, 602 KB written each time, {placement}"), || {
        call("spin", 20_000 / scale, pinned, true)
    });
    pin(None);
}

/// Round trips of a call between two processes.
fn call(strategy: &str, rounds: usize, pinned: bool, write: bool) -> Run {
    let name = unique(strategy);
    let _service = Service::<Image, Number>::builder(&name).slots(8).create().expect("a fresh name");
    let _peer = Peer::start(&["serve", &name, strategy], pinned);
    let client =
        Client::<Image, Number>::builder(&name).wait(strategy_named(strategy)).connect().expect("the host");
    let mut round = 0.0f32;
    time_each(rounds, || {
        round += 1.0;
        let mut image = client.loan().expect("a free slot");
        if write {
            image.pixels_mut().fill(round);
        } else {
            image.pixels_mut()[0] = round;
        }
        let number = image.call().expect("an answer");
        assert_eq!(number.value(), round);
    })
}

/// That a call costs the same whatever the record's size.
fn sizes(report: &mut Report, scale: usize) {
    report.measure("call, spin, 1 KB, payload untouched", || untouched::<Kilobyte>("small", 200_000 / scale));
    report.measure("call, spin, 256 MB, payload untouched", || untouched::<Large>("large", 200_000 / scale));
    pin(None);
}

trait Untouched: tensorbridge::Record {
    fn first_byte(view: &mut Self::Mut) -> &mut [u8];

    fn bytes(view: &Self::Ref) -> &[u8];
}

impl Untouched for Kilobyte {
    fn first_byte(view: &mut Self::Mut) -> &mut [u8] {
        view.bytes_mut()
    }

    fn bytes(view: &Self::Ref) -> &[u8] {
        view.bytes()
    }
}

impl Untouched for Large {
    fn first_byte(view: &mut Self::Mut) -> &mut [u8] {
        view.bytes_mut()
    }

    fn bytes(view: &Self::Ref) -> &[u8] {
        view.bytes()
    }
}

impl Untouched for Photo {
    fn first_byte(view: &mut Self::Mut) -> &mut [u8] {
        view.bytes_mut()
    }

    fn bytes(view: &Self::Ref) -> &[u8] {
        view.bytes()
    }
}

fn untouched<R: Untouched>(peer: &str, rounds: usize) -> Run {
    let name = unique(peer);
    let _service = Service::<R, Number>::builder(&name).slots(2).create().expect("a fresh name, and memory");
    let _peer = Peer::start(&[peer, &name], true);
    let client =
        Client::<R, Number>::builder(&name).wait(WaitStrategy::Spin).connect().expect("the host is there");
    time_each(rounds, || {
        let mut record = client.loan().expect("a free slot");
        R::first_byte(&mut record)[0] = 1;
        assert_eq!(record.call().expect("an answer").value(), 1.0);
    })
}

/// The interpreter that has the extension, when the environment names one.
fn interpreter(part: &str) -> Option<String> {
    let python = std::env::var("TENSORBRIDGE_PYTHON").ok();
    if python.is_none() {
        println!("{part}: skipped, TENSORBRIDGE_PYTHON is not set");
    }
    python
}

/// Fields opened as tensors in Python.
fn open(report: &mut Report, scale: usize) {
    let Some(python) = interpreter("opening a field in Python") else { return };
    for framework in support::open::FRAMEWORKS {
        limits::settle();
        for row in support::open::measure(&python, framework, RUNS, scale) {
            report.add(row);
        }
    }
}

impl Trivial for Number {
    fn fill(request: &mut Self::Mut) {
        request.set_value(1.0);
    }

    fn answer(reply: &mut Self::Mut) {
        reply.set_value(2.0);
    }
}

/// Calls that are awaited, beside the same calls that block.
fn awaited(report: &mut Report, scale: usize) {
    for strategy in ["spin", "adaptive", "block"] {
        let start = || Awaited::<Number>::start(&unique(strategy), 8, strategy, strategy_named(strategy));
        let rounds = 50_000 / scale;
        report.measure(&format!("small call, blocking, {strategy}"), || start().blocking(rounds));
        report.measure(&format!("small call, awaited, {strategy}"), || start().one_by_one(rounds));
    }
    for flying in [1, 64, 1024] {
        report.measure(&format!("per call, {flying} awaited in one thread, adaptive"), || {
            let name = unique("flying");
            let awaited =
                Awaited::<Number>::start(&name, flying.max(16), "adaptive", WaitStrategy::default());
            awaited.flying(flying, 200_000 / scale / flying / 8 + 20)
        });
    }
}

/// Calls answered by Python.
fn python(report: &mut Report, scale: usize) {
    if interpreter("calls answered by Python").is_none() {
        return;
    }
    let cases = [
        ("nothing", "spin"),
        ("numpy", "spin"),
        ("torch, unread", "spin"),
        ("torch", "spin"),
        ("torch", "adaptive"),
        ("torch", "block"),
    ];
    for (open, strategy) in cases {
        report.measure(
            &format!("call answered by Python, {strategy}, opens {open}, payload untouched"),
            || call_python(open, strategy, 20_000 / scale),
        );
    }
}

/// Round trips of a call that Python answers, having opened its request as `open` says.
fn call_python(open: &str, strategy: &str, rounds: usize) -> Run {
    let name = unique(strategy);
    let service = Service::<Image, Number>::builder(&name).slots(8).create().expect("a fresh name");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/worker.py");
    let _worker =
        service.spawn(PythonWorker::new(script).arg(open).arg(strategy)).expect("the worker starts");
    let client = Client::<Image, Number>::builder(&name)
        .wait(strategy_named(strategy))
        .timeout(Duration::from_secs(10))
        .connect()
        .expect("the host is there");
    time_each(rounds, || {
        let mut image = client.loan().expect("a free slot");
        image.pixels_mut()[0] = 2.0;
        assert_eq!(image.call().expect("an answer").value(), 2.0);
    })
}
