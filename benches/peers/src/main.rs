//! Measures tensorbridge and what people use instead, in one run: `cargo xtask bench --peers` prepares everything and runs it.

mod catalogue;
mod figures;
mod machine;
mod markdown;
mod plot;
mod program;
mod report;

use catalogue::{Program, System};
use clap::Parser;
use figures::{Table, Told};
use indicatif::{ProgressBar, ProgressStyle};
use report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

const RUNS: usize = 3;
const PACKAGES: [&str; 14] = [
    "fastapi",
    "uvicorn",
    "pydantic",
    "orjson",
    "requests",
    "grpcio",
    "pyzmq",
    "iceoryx2",
    "mosec",
    "ray",
    "numpy",
    "torch",
    "uvloop",
    "httptools",
];

/// Measures tensorbridge and its peers, side by side.
#[derive(Parser)]
struct Options {
    /// Only these systems: ours, iceoryx2, zeromq, ...
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// A quarter of the time
    #[arg(long)]
    quick: bool,
    /// Leaves the processes to the scheduler instead of giving each side a core
    #[arg(long)]
    free: bool,
    /// The interpreter that has the peers
    #[arg(long)]
    python: PathBuf,
    /// The directory of the Rust programs
    #[arg(long)]
    programs: PathBuf,
    /// A peer that cannot be measured, and why
    #[arg(long, value_name = "NAME=REASON")]
    unavailable: Vec<String>,
    /// Where the report goes
    #[arg(long)]
    into: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let systems = catalogue::chosen(&options.only);
    if systems.is_empty() {
        let mut names: Vec<&str> = catalogue::SYSTEMS.iter().map(|system| system.name).collect();
        names.dedup();
        return Err(
            format!("nothing is called {}; there are {}", options.only.join(", "), names.join(", ")).into()
        );
    }
    let mut report = Report {
        machine: machine::describe(),
        versions: machine::versions(&options.python, &PACKAGES),
        ..Report::default()
    };
    report.machine.insert("load before".to_owned(), machine::load().to_string());
    measure(options, &systems, &mut report)?;
    report.machine.insert("load after".to_owned(), machine::load().to_string());
    std::fs::create_dir_all(&options.into)?;
    let page = markdown::page(&report);
    std::fs::write(options.into.join("peers.md"), &page)?;
    std::fs::write(options.into.join("peers.json"), serde_json::to_string_pretty(&report)?)?;
    plot::bars(&options.into.join("ready.svg"), &report, Table::Ready, "R, request in place")?;
    plot::bars(&options.into.join("written.svg"), &report, Table::Written, "W, request written anew")?;
    println!("{page}");
    eprintln!("written to {}", options.into.display());
    Ok(())
}

/// Every system once, and then again: what else the machine does meets all of them.
fn measure(
    options: &Options,
    systems: &[System],
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let unavailable: BTreeMap<&str, &str> =
        options.unavailable.iter().filter_map(|pair| pair.split_once('=')).collect();
    let work: Vec<(&System, &str)> =
        systems.iter().flat_map(|system| system.waits.iter().map(move |wait| (system, *wait))).collect();
    let bar = ProgressBar::new((RUNS * work.len()) as u64);
    bar.set_style(ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} {msg}")?);
    for run in 1..=RUNS {
        for (system, wait) in &work {
            bar.set_message(format!("run {run}: {} {} {wait}", system.title.replace("**", ""), system.pair));
            if !bar.is_hidden() {
                bar.tick();
            } else {
                eprintln!("run {run}: {} {} {wait}", system.title.replace("**", ""), system.pair);
            }
            match unavailable.get(system.name) {
                Some(reason) => report.miss(system, wait, (*reason).to_owned()),
                None => one(options, system, wait, report)?,
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// One run of one system, in all its cases.
fn one(
    options: &Options,
    system: &System,
    wait: &str,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("peers-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let pinned = !options.free && !system.unpinned;
    let seconds = if options.quick { 0.25 } else { 1.0 };
    let command = command(options, system, wait, pinned, seconds, &directory);
    match program::run(command, &directory, Duration::from_secs(90)) {
        Err(reason) => report.miss(system, wait, reason),
        Ok(told) => {
            for told in told.lines().filter_map(Told::parse) {
                match told.run(&directory, machine::load()) {
                    Ok(run) => report.add(system, wait, pinned, told.table, told.touched, run),
                    Err(reason) => report.miss(system, wait, reason),
                }
            }
        }
    }
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

fn command(
    options: &Options,
    system: &System,
    wait: &str,
    pinned: bool,
    seconds: f64,
    into: &Path,
) -> Command {
    let mut command = match system.program {
        Program::Python(module) => {
            let mut command = Command::new(&options.python);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/measure.py")).arg(module);
            // What waits in between is a form of ours that Python knows by its own name.
            command.args(["--wait", if wait == "spinning" { "spinning" } else { "blocking" }]);
            command
        }
        Program::Rust(name) => {
            let mut command = Command::new(options.programs.join("rivals"));
            command.args([name, "--wait", wait]);
            command
        }
    };
    command.args(["--seconds", &seconds.to_string(), "--into"]).arg(into);
    command
        .env("PEERS_PLACEMENT", if pinned { "pinned" } else { "free" })
        .env("PEERS_EMBEDDED", options.programs.join("libembedded.so"))
        .env("TENSORBRIDGE_PYTHON", &options.python)
        // One thread is what a request of one image wants, in every system.
        .env("OMP_NUM_THREADS", "1");
    command
}
