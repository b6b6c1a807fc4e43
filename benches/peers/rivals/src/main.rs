//! Measures systems whose client is written in Rust; the protocol is that of `python/measure.py`.
//!
//! `rivals SYSTEM --wait spinning|blocking --seconds S --into DIRECTORY`

mod iceoryx;
mod limit;
mod measure;
mod ours;
mod processes;
mod support;

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// What a client may call.
#[derive(Clone, Copy, ValueEnum)]
enum System {
    Memcpy,
    CacheLine,
    Futex,
    OursRust,
    OursPython,
    IceoryxRust,
    IceoryxPython,
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

/// Measures a system whose client is written in Rust.
#[derive(Parser)]
pub(crate) struct Options {
    system: System,
    #[arg(long)]
    wait: Wait,
    /// The longest time for each case
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
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
            other => panic!("unknown peer {other:?}"),
        }
        return;
    }
    let options = Options::parse();
    match options.system {
        System::Memcpy | System::CacheLine | System::Futex => limit::measure(&options),
        System::OursRust => ours::measure(&options, false),
        System::OursPython => ours::measure(&options, true),
        System::IceoryxRust => iceoryx::measure(&options, false),
        System::IceoryxPython => iceoryx::measure(&options, true),
    }
}
