//! Kills and stops clients and workers at random while they call, and checks that no call is lost, no answer is wrong, and
//! nothing is left behind.
//!
//! [`stage`] is the part to read. A call is accepted when its slot is READY and its caller and the host live. Each accepted call
//! must be answered, and rightly: [`model`] says what the answer to each question is, exactly.

mod client;
mod harm;
mod leftovers;
mod model;
mod players;
mod stage;
mod worker;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What ends a run before it can give its verdict.
type Failure = Box<dyn std::error::Error>;

/// Kills and stops clients and workers at random, and checks every answer.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask chaos", bin_name = "cargo xtask chaos", args_conflicts_with_subcommands = true)]
struct Options {
    /// How long to go on
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u64,
    /// Repeats the choices of another run
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The Python that has the package
    #[arg(long, value_name = "PROGRAM", env = "TENSORBRIDGE_PYTHON", default_value = "python3")]
    python: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Calls the services until standard input ends
    #[command(hide = true)]
    Client {
        /// The beginning of the services' names
        run: String,
        /// For its choices
        seed: u64,
    },
    /// Answers runs of requests until standard input ends
    #[command(hide = true)]
    Worker {
        /// The beginning of the service's name
        run: String,
        /// For its choices
        seed: u64,
    },
}

/// Where this package lies: its Python files are beside its manifest.
fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(), PathBuf::from)
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.part {
        Some(Part::Client { run, seed }) => client::run(&run, seed).map(|()| true),
        Some(Part::Worker { run, seed }) => worker::run(&run, seed).map(|()| true),
        None => {
            let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
            stage::run(options.seconds, seed, &options.python)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
