//! `cargo xtask flame`: where the time of a call goes, on both sides, as a flame graph.

use crate::failure::Failure;
use crate::{command, python, setup, variant};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How both sides wait
    #[arg(long, default_value = "spin", value_parser = ["spin", "adaptive", "block"])]
    wait: String,
    /// The language of the server
    #[arg(long, default_value = "rust", value_parser = ["rust", "python"])]
    server: String,
    /// How many calls
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    calls: u32,
    /// The picture; `flame-SERVER-WAIT.svg` under the target directory when it is not said
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let target = variant::target();
    let svg = options
        .svg
        .clone()
        .unwrap_or_else(|| target.join(format!("flame-{}-{}.svg", options.server, options.wait)));
    let (record, script) = (target.join("flame.perf"), target.join("flame.stacks"));

    let python = (options.server == "python").then(|| setup::prepare("bench")).transpose()?;

    command::heading("building the benchmark");
    let bench = ["bench", "--package", "tensorbridge", "--bench", "bridge"];
    command::prepare(command::cargo().args(bench).arg("--no-run"))?;

    let what = format!("{} calls, {}, server in {}", options.calls, options.wait, options.server);
    command::heading(&format!("recording {what}"));
    let mut perf = Command::new("perf");
    // A clock of the kernel's: virtual machines have no counters of the processor. DWARF, for Rust keeps no frame pointers.
    perf.args([
        "record",
        "--event",
        "cpu-clock",
        "--freq",
        "1999",
        "--call-graph",
        "dwarf,16384",
        "--output",
    ])
    .arg(&record);
    perf.arg("--").arg(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(bench);
    perf.args(["--", "--call", &options.wait, &options.server, &options.calls.to_string()]);
    if let Some(python) = &python {
        perf.env(python::VARIABLE, &python.program);
    }
    perf.current_dir(crate::repository::root());
    command::check(&mut perf).map_err(|failure| {
        failure.remedy("perf is the package linux-perf or linux-tools; /proc/sys/kernel/perf_event_paranoid must be 2 or less")
    })?;

    command::heading("drawing");
    let file = File::create(&script).map_err(|error| Failure::io("write", &script, &error))?;
    let mut stacks = Command::new("perf");
    stacks
        .args(["script", "--no-inline", "--fields", "+pid", "--input"])
        .arg(&record)
        .stdout(file)
        .stderr(Stdio::null());
    command::check(&mut stacks)?;
    let mut flame = command::cargo();
    flame.args(["run", "--quiet", "--release", "--package", "peers", "--bin", "flame", "--"]);
    flame.arg(&script).arg(&svg).arg(format!("both sides of {what}"));
    command::check(&mut flame)?;
    for file in [record, script] {
        std::fs::remove_file(&file).map_err(|error| Failure::io("remove", &file, &error))?;
    }
    println!("{}", svg.display());
    Ok(())
}
