//! One door for every task of this repository: `cargo xtask <task>`.
//!
//! Each task prepares exactly what it needs (an interpreter, packages, the extension module), skips what is
//! already there, and ends with a non-zero status when anything failed.

mod bench;
mod chaos;
mod command;
mod demo;
mod dist;
mod extension;
mod failure;
mod flame;
mod lint;
mod peers;
mod photo_service;
mod python;
mod repository;
mod requirements;
mod setup;
mod test;
mod tidy;
mod variant;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Every task of the tensorbridge repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Classify photos with a real network and show what the bridge does
    Demo(demo::Options),
    /// Run every test: Rust, then Python with the extension built
    Test(test::Options),
    /// Formatting, clippy, documentation and the rules of `tidy`
    Lint,
    /// Check the lock-free steps in every order that the memory model allows (a part of `test`)
    Loom,
    /// Kill processes at every step that others can see (a part of `test`)
    Crash,
    /// Kill and stop processes at random while they call, and check every answer
    Chaos(chaos::Options),
    /// Classify photos over HTTP: serve, or a load test that kills a worker and shows a trace
    PhotoService(photo_service::Options),
    /// Run the benchmarks, Rust and Python
    Bench(bench::Options),
    /// Draw where the time of a call goes, on both sides
    Flame(flame::Options),
    /// Build the Python wheel and source archive into dist/
    Dist,
    /// Prepare the Python environment and the extension, and run nothing
    Setup,
    /// Check the repository's own rules (a part of `lint`)
    Tidy,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Lint => lint::run(),
        Task::Loom => variant::LOOM.test(),
        Task::Crash => variant::CRASH.test(),
        Task::Chaos(options) => chaos::run(&options),
        Task::PhotoService(options) => photo_service::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Flame(options) => flame::run(&options),
        Task::Dist => dist::run(),
        Task::Setup => setup::run(),
        Task::Tidy => tidy::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            failure.exit_code()
        }
    }
}
