//! `cargo xtask flame`: where the time of a call goes, on both sides, as a flame graph.

use crate::failure::Failure;
use crate::{command, variant};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How both sides wait
    #[arg(long, default_value = "spin", value_parser = ["spin", "adaptive", "block"])]
    wait: String,
    /// How many calls
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    calls: u32,
    /// The picture; `flame-WAIT.svg` under the target directory when it is not said
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let target = variant::target();
    let svg = options.svg.clone().unwrap_or_else(|| target.join(format!("flame-{}.svg", options.wait)));
    let (record, script) = (target.join("flame.perf"), target.join("flame.stacks"));

    command::heading("building the benchmark");
    let bench = ["bench", "--package", "tensorbridge", "--bench", "bridge"];
    command::prepare(command::cargo().args(bench).arg("--no-run"))?;

    command::heading(&format!("recording {} calls, {}", options.calls, options.wait));
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
    perf.args(["--", "--call", &options.wait, &options.calls.to_string()]);
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
    flame.arg(&script).arg(&svg).arg(format!("a call, {}: both sides", options.wait));
    command::check(&mut flame)?;
    for file in [record, script] {
        std::fs::remove_file(&file).map_err(|error| Failure::io("remove", &file, &error))?;
    }
    println!("{}", svg.display());
    Ok(())
}
