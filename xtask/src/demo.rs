//! `cargo xtask demo`: the classifier of `examples/classify`, with everything it needs.

use crate::failure::Failure;
use crate::{command, python, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// For the classifier: photos (JPEG or PNG), `--kill`, `--json`, `--help`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    example("demo", "classify", &options.arguments)
}

/// Runs an example with the Python packages of a task.
pub(crate) fn example(task: &str, package: &str, arguments: &[String]) -> Result<(), Failure> {
    let python = setup::prepare(task)?;
    command::heading(&format!("building {package}"));
    command::prepare(command::cargo().args(["build", "--release", "--package", package]))?;
    let mut example = command::cargo();
    example.args(["run", "--quiet", "--release", "--package", package, "--"]).args(arguments);
    // Paths of files are relative to where the user is.
    if let Ok(here) = std::env::current_dir() {
        example.current_dir(here);
    }
    command::check(example.env(python::VARIABLE, &python.program))
}
