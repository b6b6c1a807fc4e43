//! What the examples share that classify photos: from a JPEG or PNG to the network's input, and from its output to the names
//! of ImageNet's classes. The network itself is in `network.py`, for their Python workers.

pub mod labels;
pub mod photo;
pub mod preprocess;
pub mod scores;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `network.py` lies, for a worker's `PYTHONPATH`.
#[must_use]
pub fn python_path() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .and_then(|package| Some(package.parent()?.join("imagenet")))
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned())
}

/// The photos of this repository, and the class that each is of.
#[must_use]
pub fn photos() -> [(PathBuf, &'static str); 3] {
    let shipped = python_path().with_file_name("photos");
    [("chelsea.png", "Egyptian cat"), ("coffee.png", "espresso"), ("camera.png", "tripod")]
        .map(|(name, class)| (shipped.join(name), class))
}

/// For tests: whether `TENSORBRIDGE_PYTHON` names no Python that has these modules; says so when it does not.
#[must_use]
pub fn python_is_missing(modules: &str) -> bool {
    let import = format!("import {modules}");
    let found = std::env::var_os("TENSORBRIDGE_PYTHON").is_some_and(|python| {
        Command::new(python).args(["-c", &import]).status().is_ok_and(|status| status.success())
    });
    if !found {
        // Written past the test runner, which hides what passing tests print.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: TENSORBRIDGE_PYTHON names no Python with {modules} (see `cargo xtask test`)"
        );
    }
    !found
}
