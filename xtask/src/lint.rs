//! `cargo xtask lint`: what has to hold before a change is worth reading.

use crate::command::{self, heading};
use crate::failure::Failure;
use crate::{tidy, variant};

pub(crate) fn run() -> Result<(), Failure> {
    let mut failed = Vec::new();
    // All of them run, so that one round of repairs is enough.
    let mut step = |name: &'static str, outcome: Result<(), Failure>| {
        if let Err(failure) = outcome {
            eprintln!("{failure}\n");
            failed.push(name);
        }
    };

    heading("cargo fmt --check");
    step("fmt", command::check(command::cargo().args(["fmt", "--all", "--check"])));
    heading("cargo clippy");
    let mut clippy = command::cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    step("clippy", command::check(&mut clippy));
    heading("cargo clippy under loom");
    let mut clippy = variant::LOOM.clippy(&["--lib", "--profile", "test"]);
    step("clippy under loom", command::check(&mut clippy));
    heading("cargo clippy with steps counted");
    let mut clippy = variant::CRASH.clippy(&["--test", "crash_points"]);
    step("clippy with steps counted", command::check(&mut clippy));
    heading("cargo doc");
    let mut doc = command::cargo();
    doc.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings");
    step("doc", command::check(&mut doc));
    heading("tidy");
    step("tidy", tidy::run());

    if failed.is_empty() {
        return Ok(());
    }
    let formatting = failed.contains(&"fmt").then_some("`cargo fmt --all` repairs the formatting");
    let failure = Failure::new(format!("lint failed: {}", failed.join(", ")));
    Err(match formatting {
        Some(remedy) => failure.remedy(remedy),
        None => failure,
    })
}
