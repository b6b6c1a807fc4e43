//! What the user may ask for.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Says over HTTP what is on photos, with EfficientNet-Lite0 in PyTorch.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask photo-service --", bin_name = "cargo xtask photo-service --")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Answer POST /classify on loopback until Ctrl-C or SIGTERM
    Serve(Serve),
    /// Serve, call as many clients at once do, kill a worker meanwhile, and show what they saw
    Load(Load),
}

/// How photos are served.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) model: Model,
}

/// How a crowd of clients calls.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// How many requests to make undisturbed, and as many again while workers are killed
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) requests: u64,
    /// How many requests to make before that, which are not counted
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) warm_up: u64,
    /// How many clients call at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) clients: u64,
    /// How many workers to kill, spread over the second half
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) kills: u64,
    /// The longest that all of it may take
    #[arg(long, value_name = "S", default_value_t = 600)]
    pub(crate) seconds: u64,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) model: Model,
}

/// How the network is run.
#[derive(Clone, Debug, Args)]
pub(crate) struct Model {
    /// How many worker processes run the network
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) workers: usize,
    /// How many photos can be under way at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) slots: usize,
    /// The most photos that the network sees at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) max_batch: usize,
    /// How long the network waits for more photos, in milliseconds since the first came
    #[arg(long, value_name = "MS", default_value_t = 2.0)]
    pub(crate) max_wait: f64,
    /// How long a photo may wait for its answer, in seconds
    #[arg(long, value_name = "S", default_value_t = 120)]
    pub(crate) timeout: u64,
    /// The Python that has the packages
    #[arg(long, value_name = "PROGRAM", env = "TENSORBRIDGE_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,
}

impl Model {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
