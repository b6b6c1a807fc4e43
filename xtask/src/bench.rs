//! `cargo xtask bench`: the benchmarks of the root package, or with `--peers` the comparison with other systems. Those that need
//! Python find it in the environment.

use crate::failure::Failure;
use crate::{command, peers, python, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Measure other systems and tensorbridge in one run; a whole one is kept in benches/results/
    #[arg(long)]
    peers: bool,
    #[command(flatten)]
    comparison: peers::Comparison,
    /// For `cargo bench`, as `--bench NAME`, or after another `--` for the benchmarks themselves
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let python = setup::prepare("bench")?;
    if options.peers {
        return peers::run(&options.comparison, &python);
    }
    command::heading("cargo bench");
    let mut bench = command::cargo();
    bench.args(["bench", "--package", "tensorbridge"]).args(&options.arguments);
    command::check(bench.env(python::VARIABLE, &python.program))
}
