//! `cargo xtask photo-service`: the HTTP server of `examples/photo-service`, with everything it needs.

use crate::demo;
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// For the service: `serve`, or `load` for the load test; `load --help`
    #[arg(last = true, default_values_t = ["load".to_owned()])]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    demo::example("photo-service", "photo-service", &options.arguments)
}
