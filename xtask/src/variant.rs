//! Configurations of the runtime that plain `cargo test` does not build. Each is a `--cfg`, and has a target directory of
//! its own, so that changing between them builds nothing twice.

use crate::failure::Failure;
use crate::{command, repository};
use std::path::PathBuf;
use std::process::Command;

/// A `--cfg` and the tests that run with it.
pub(crate) struct Variant {
    /// What runs, for the heading.
    title: &'static str,
    /// The name of the `--cfg`, and of the target directory.
    flag: &'static str,
    /// For `cargo test`.
    arguments: &'static [&'static str],
}

/// The lock-free steps in every order of the threads that loom's memory model allows. Optimised, for it is a search.
pub(crate) const LOOM: Variant = Variant {
    title: "cargo test under loom",
    flag: "loom",
    arguments: &["--release", "--package", "tensor-core", "--lib", "model"],
};

/// Processes killed at every step that others can see. What it prints is shown: how many steps it walked.
pub(crate) const CRASH: Variant = Variant {
    title: "cargo test with processes killed at every step",
    flag: "tensorbridge_crash",
    arguments: &["--package", "tensor-core", "--test", "crash_points", "--", "--nocapture"],
};

/// What is left on a platform that cannot connect.
pub(crate) const UNSUPPORTED: Variant = Variant {
    title: "cargo test as on an unsupported platform",
    flag: "tensorbridge_unsupported",
    arguments: &["--package", "tensor-core"],
};

impl Variant {
    /// `cargo clippy`, for the tests named in `targets`.
    pub(crate) fn clippy(&self, targets: &[&str]) -> Command {
        let mut clippy = self.command("clippy", &["--package", "tensor-core"]);
        clippy.args(targets).args(["--", "--deny", "warnings"]);
        clippy
    }

    /// Runs its tests.
    ///
    /// # Errors
    /// When one fails.
    pub(crate) fn test(&self) -> Result<(), Failure> {
        command::heading(self.title);
        command::check(&mut self.command("test", self.arguments))
    }

    /// `cargo <task>` with this configuration.
    pub(crate) fn command(&self, task: &str, arguments: &[&str]) -> Command {
        let flags = format!("{} --cfg {}", std::env::var("RUSTFLAGS").unwrap_or_default(), self.flag);
        let mut cargo = command::cargo();
        cargo.arg(task).args(arguments);
        cargo.env("RUSTFLAGS", flags.trim()).env("CARGO_TARGET_DIR", target().join(self.flag));
        cargo
    }
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty());
    repository::root().join(target.map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn a_variant_has_its_flag_and_its_directory() {
        let command = LOOM.command("test", &["--lib"]);
        let set =
            |name: &str| command.get_envs().find(|(key, _)| *key == OsStr::new(name)).and_then(|(_, v)| v);
        assert!(set("RUSTFLAGS").is_some_and(|flags| flags.to_string_lossy().ends_with("--cfg loom")));
        assert!(set("CARGO_TARGET_DIR").is_some_and(|path| PathBuf::from(path).ends_with("loom")));
    }
}
