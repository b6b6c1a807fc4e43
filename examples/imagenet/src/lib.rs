//! What the examples share that classify photos: from a JPEG or PNG to the network's input, and from its output to the names
//! of ImageNet's classes. The network itself is in `network.py`, for their Python workers.

pub mod labels;
pub mod photo;
pub mod preprocess;
pub mod scores;

use std::path::{Path, PathBuf};

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
