//! Measures systems whose client is written in Rust; the protocol is that of `python/measure.py`.
//!
//! `rivals call SYSTEM --wait spinning|blocking --seconds S --into DIRECTORY`, or a line of a curve: `rivals rate|sizes|pool|allocated LINE --seconds S`

#[path = "../../src/clock.rs"]
mod clock;
mod iceoryx;
mod limit;
mod measure;
mod ours;
mod point;
mod pool;
mod processes;
mod rate;
mod sizes;
mod support;
mod topics;

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// What a client may call.
#[derive(Clone, Copy, ValueEnum)]
enum System {
    Memcpy,
    CacheLine,
    Futex,
    Socket,
    OursRust,
    OursPython,
    IceoryxRust,
    IceoryxPython,
    TopicsRust,
    TopicsPython,
}

/// How both sides wait.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    Spinning,
    Blocking,
    /// Ours alone: spins for a while and then sleeps.
    Adaptive,
}

impl Wait {
    fn name(self) -> &'static str {
        match self {
            Wait::Spinning => "spinning",
            Wait::Blocking => "blocking",
            Wait::Adaptive => "adaptive",
        }
    }
}

/// Measures systems whose client is written in Rust.
#[derive(Parser)]
enum Task {
    /// Round trips of one request
    Call(Options),
    /// Small records, one way
    Rate(CurveOptions),
    /// Round trips by the size of the request
    Sizes(CurveOptions),
    /// The time to take a buffer and give it back, of 10,000 at once
    Pool(CurveOptions),
    /// The bytes allocated for them
    Allocated(CurveOptions),
}

/// A line of a curve.
#[derive(clap::Args)]
pub(crate) struct CurveOptions {
    /// The system, as the report calls it
    line: String,
    /// The longest time for a point
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

#[derive(clap::Args)]
pub(crate) struct Options {
    system: System,
    #[arg(long)]
    wait: Wait,
    /// The longest time for each case
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Only this of the four cases, as ready-untouched; may be repeated
    #[arg(long)]
    case: Vec<String>,
    /// A directory for the durations
    #[arg(long)]
    into: PathBuf,
}

/// Whether the two sides are kept on a core each.
pub(crate) fn pinned() -> bool {
    std::env::var("PEERS_PLACEMENT").is_ok_and(|placement| placement == "pinned")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--peer", core, rest @ ..] = words.as_slice() {
        support::peer::pin(core.parse().ok());
        match rest {
            ["limit", bare, fd] => support::limits::answer(bare, fd),
            ["ours", name, wait] => ours::serve(name, wait),
            ["iceoryx", name, wait] => iceoryx::serve(name, wait),
            ["rate", system, name, seconds] => rate::send(system, name, seconds),
            ["topics", name] => topics::serve(name),
            ["sizes", name, count] => sizes::serve(name, count),
            other => panic!("unknown peer {other:?}"),
        }
        return;
    }
    match Task::parse() {
        Task::Call(options) => call(&options),
        Task::Rate(options) => rate::measure(&options),
        Task::Sizes(options) => sizes::measure(&options),
        Task::Pool(options) => pool::measure(&options, pool::Told::Time),
        Task::Allocated(options) => pool::measure(&options, pool::Told::Bytes),
    }
}

fn call(options: &Options) {
    match options.system {
        System::Memcpy | System::CacheLine | System::Futex | System::Socket => limit::measure(options),
        System::OursRust => ours::measure(options, false),
        System::OursPython => ours::measure(options, true),
        System::IceoryxRust => iceoryx::measure(options, false),
        System::IceoryxPython => iceoryx::measure(options, true),
        System::TopicsRust => topics::measure(options, false),
        System::TopicsPython => topics::measure(options, true),
    }
}
