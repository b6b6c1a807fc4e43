//! Classifies photos with EfficientNet-Lite0, which runs in PyTorch in another process, and shows what that costs.
//!
//! [`demo`] is the part to read: it hosts a service, starts its Python worker, fills a record in shared memory and
//! calls.

mod bars;
mod checks;
mod compare;
mod demo;
mod exchange;
mod leftovers;
mod maps;
mod options;
mod peers;
mod progress;
mod records;
mod report;
mod timing;

use clap::Parser;
use imagenet::{labels, photo, preprocess, scores};
use std::process::ExitCode;

/// What ends the demo before its checks can: a message for the user.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match demo::run(&options::Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(tensorbridge::Error::Remote(remote)) = error.downcast_ref() {
                eprint!("{}", remote.traceback);
            }
            ExitCode::FAILURE
        }
    }
}
