//! `cargo xtask chaos`: processes are killed and stopped at random, and every answer is checked (`examples/chaos`).

use crate::failure::Failure;
use crate::{command, python, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long to go on
    #[arg(long, value_name = "N", default_value_t = 30)]
    seconds: u64,
    /// Repeats the choices of another run
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let python = setup::prepare("test")?;
    command::heading("building the chaos");
    command::prepare(command::cargo().args(["build", "--release", "--package", "chaos"]))?;
    let mut chaos = command::cargo();
    chaos.args(["run", "--quiet", "--release", "--package", "chaos", "--"]);
    chaos.args(["--seconds", &options.seconds.to_string()]);
    if let Some(seed) = options.seed {
        chaos.args(["--seed", &seed.to_string()]);
    }
    command::check(chaos.env(python::VARIABLE, &python.program))
}
