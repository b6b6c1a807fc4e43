//! Measures tensorbridge and what people use instead, in one run: `cargo xtask bench --peers` prepares everything and runs it.

mod catalogue;
mod classes;
mod clock;
mod curves;
mod figures;
mod machine;
mod markdown;
mod placement;
mod plot;
mod program;
mod report;
mod watched;

use catalogue::{Program, System};
use clap::Parser;
use curves::{CURVES, Curve, Drawn, Point, Taken};
use figures::{Case, Table, Told};
use indicatif::{ProgressBar, ProgressStyle};
use report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use watched::Watched;

const RUNS: usize = 3;
/// How long a whole comparison may measure again what was not on cores that lay as wanted.
const AGAIN: Duration = Duration::from_secs(180);
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
    let wanted =
        |curve: &&Curve| options.only.is_empty() || options.only.iter().any(|name| name == curve.name);
    let curves: Vec<&Curve> = CURVES.iter().filter(wanted).collect();
    let mut names: Vec<&str> = catalogue::SYSTEMS.iter().map(|system| system.name).collect();
    names.extend(CURVES.iter().map(|curve| curve.name));
    names.dedup();
    if let Some(unknown) = options.only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("nothing is called {unknown}; there are {}", names.join(", ")).into());
    }
    let mut report = Report {
        machine: machine::describe(),
        versions: machine::versions(&options.python, &PACKAGES),
        ..Report::default()
    };
    report.machine.insert("load before".to_owned(), machine::load().to_string());
    let forms: usize = systems.iter().map(|system| system.waits.len()).sum();
    let lines: usize = curves.iter().map(|curve| curve.lines.len()).sum();
    let again = if options.quick { AGAIN / 4 } else { AGAIN };
    let mut watched = Watched::new(!options.free, again, RUNS * (forms + lines));
    measure(options, &systems, &mut watched, &mut report)?;
    for curve in curves {
        draw(options, curve, &mut watched, &mut report)?;
    }
    report.machine.insert("placement of the two cores".to_owned(), watched.summary());
    report.machine.insert("load after".to_owned(), machine::load().to_string());
    std::fs::create_dir_all(&options.into)?;
    let page = markdown::page(&report);
    std::fs::write(options.into.join("peers.md"), &page)?;
    std::fs::write(options.into.join("peers.json"), serde_json::to_string_pretty(&report)?)?;
    if !report.rows.is_empty() {
        plot::bars(&options.into.join("ready.svg"), &report, Table::Ready, "R, request in place")?;
        plot::bars(&options.into.join("written.svg"), &report, Table::Written, "W, request written anew")?;
    }
    for curve in &report.curves {
        plot::lines(&options.into.join(format!("{}.svg", curve.name)), curve)?;
    }
    println!("{page}");
    eprintln!("written to {}", options.into.display());
    Ok(())
}

/// Every system once, and then again: what else the machine does meets all of them.
fn measure(
    options: &Options,
    systems: &[System],
    watched: &mut Watched,
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
            if bar.is_hidden() {
                eprintln!("{}", bar.message());
            }
            match unavailable.get(system.name) {
                Some(reason) => report.miss(system, wait, (*reason).to_owned()),
                None => one(options, system, wait, watched, report)?,
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// All lines of a curve, in turns.
fn draw(
    options: &Options,
    curve: &Curve,
    watched: &mut Watched,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut drawn = Drawn::new(curve);
    let directory = directory()?;
    for run in 1..=RUNS {
        for line in curve.lines {
            let (Program::Python(title) | Program::Rust(title)) = line;
            eprintln!("run {run}: {}: {title}", curve.name);
            let pinned = !options.free && matches!(line, Program::Rust(_));
            let mut taken = Taken::default();
            watched.until_enough(pinned, |attempt| {
                let mut command = match line {
                    Program::Python(_) => python(options, "curve.py"),
                    Program::Rust(_) => Command::new(options.programs.join("rivals")),
                };
                command.args([curve.name, title, "--seconds", &seconds(options).to_string()]);
                settle(&mut command, options, pinned);
                let told = match attempt.run(command, &directory, Duration::from_secs(180)) {
                    Err(reason) => {
                        report.lack(format!("{}: {title}", curve.name), reason);
                        return Ok(true);
                    }
                    Ok(told) => told,
                };
                let placement = |began, ended| attempt.placement(began, ended);
                told.lines().filter_map(Point::parse).for_each(|point| taken.add(point, placement));
                Ok(taken.is_enough(attempt.wanted()))
            })?;
            drawn.add(taken);
        }
    }
    std::fs::remove_dir_all(&directory)?;
    report.curves.push(drawn);
    Ok(())
}

/// One run of one system, in all its cases; those of which too little was measured on cores that lay as wanted once more, for a while.
fn one(
    options: &Options,
    system: &System,
    wait: &str,
    watched: &mut Watched,
    report: &mut Report,
) -> Result<(), Box<dyn std::error::Error>> {
    let pinned = !options.free && !system.unpinned;
    let mut cases: Vec<Case> = Vec::new();
    watched.until_enough(pinned, |attempt| {
        let directory = directory()?;
        let mut command = command(options, system, wait, pinned, &directory);
        for case in cases.iter().filter(|case| !case.is_enough(attempt.wanted())) {
            command.args(["--case", &case.name()]);
        }
        let told = attempt.run(command, &directory, Duration::from_secs(90));
        let failed = told.is_err();
        let told = told.unwrap_or_else(|reason| {
            report.miss(system, wait, reason);
            String::new()
        });
        for told in told.lines().filter_map(Told::parse) {
            let same = |case: &Case| case.table == told.table && case.touched == told.touched;
            let at = cases.iter().position(same).unwrap_or_else(|| {
                cases.push(Case::new(&told));
                cases.len() - 1
            });
            let placement = |began, ended| attempt.placement(began, ended);
            if let Err(reason) = cases[at].add(&told, &directory, machine::load(), placement) {
                report.miss(system, wait, reason);
            }
        }
        std::fs::remove_dir_all(&directory)?;
        Ok(failed || cases.iter().all(|case| case.is_enough(attempt.wanted())))
    })?;
    for case in cases {
        let run = case.run();
        if run.placed.is_empty() {
            report.miss(system, wait, format!("{}: the cores were moved all the time", case.name()));
            continue;
        }
        report.add(system, wait, pinned, case.table, case.touched, run);
    }
    Ok(())
}

/// A place for what measuring programs write.
fn directory() -> Result<PathBuf, std::io::Error> {
    let directory = std::env::temp_dir().join(format!("peers-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// The longest time for a case.
fn seconds(options: &Options) -> f64 {
    if options.quick { 0.25 } else { 1.0 }
}

fn command(options: &Options, system: &System, wait: &str, pinned: bool, into: &Path) -> Command {
    let mut command = match system.program {
        Program::Python(module) => {
            let mut command = python(options, "measure.py");
            if system.plain {
                for name in KEEPING {
                    command.env_remove(name);
                }
            }
            // What waits in between is a form of ours that Python knows by its own name.
            command.args([module, "--wait", if wait == "spinning" { "spinning" } else { "blocking" }]);
            command
        }
        Program::Rust(name) => {
            let mut command = Command::new(options.programs.join("rivals"));
            command.args(["call", name, "--wait", wait]);
            command
        }
    };
    command.args(["--seconds", &seconds(options).to_string(), "--into"]).arg(into);
    settle(&mut command, options, pinned);
    command
}

/// Has the C library keep the memory of large messages: it would give it back after each, and each page of the next be made anew.
const KEEPING: [&str; 2] = ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"];

/// A program of `python/`.
fn python(options: &Options, name: &str) -> Command {
    let mut command = Command::new(&options.python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name));
    command.envs(KEEPING.map(|name| (name, "1073741824")));
    command
}

/// What every measuring program finds in its environment.
fn settle(command: &mut Command, options: &Options, pinned: bool) {
    command
        .env("PEERS_PLACEMENT", if pinned { "pinned" } else { "free" })
        .env("PEERS_EMBEDDED", options.programs.join("libembedded.so"))
        .env("TENSORBRIDGE_PYTHON", &options.python)
        // One thread is what a request of one image wants, in every system.
        .env("OMP_NUM_THREADS", "1");
}
