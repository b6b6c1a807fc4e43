//! An HTTP server that says what is on a photo: `curl --data-binary @photo.jpg http://127.0.0.1:8080/classify`.
//!
//! A photo is decoded into a slot of shared memory ([`http`]), and PyTorch in another process reads it there, as many photos
//! at a time as have come ([`model`]). [`load`] is what a crowd of clients sees of that, and of a worker that is killed.

mod failure;
mod http;
mod load;
mod model;
mod options;
mod records;
mod report;
mod spans;
mod tree;

use clap::Parser;
use options::{Options, Task};
use std::process::ExitCode;

/// What ends the program: a message for the user.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Options::parse().task {
        Task::Serve(options) => http::serve(&options).await.map(|()| true),
        Task::Load(options) => load::run(&options).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
