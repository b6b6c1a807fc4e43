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
    let python = setup::prepare("demo")?;
    command::heading("building the demo");
    command::prepare(command::cargo().args(["build", "--release", "--package", "classify"]))?;
    let mut demo = command::cargo();
    demo.args(["run", "--quiet", "--release", "--package", "classify", "--"]).args(&options.arguments);
    // Paths of photos are relative to where the user is.
    if let Ok(here) = std::env::current_dir() {
        demo.current_dir(here);
    }
    command::check(demo.env(python::VARIABLE, &python.program))
}
