//! What the user may ask for.

use clap::Parser;
use std::path::{Path, PathBuf};

/// Classifies photos with EfficientNet-Lite0 in PyTorch, called from Rust over shared memory.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask demo --", bin_name = "cargo xtask demo --")]
pub(crate) struct Options {
    /// JPEG or PNG files [default: the photos of this repository]
    photos: Vec<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// How many of the most probable classes to show
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) top: usize,
    /// The most calls to measure for each way in the comparison; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) calls: usize,
    /// Kill the worker in the middle of the first call: its label arrives all the same
    #[arg(long)]
    pub(crate) kill: bool,
    /// The Python that has the packages
    #[arg(long, value_name = "PROGRAM", env = "TENSORBRIDGE_PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,
}

impl Options {
    /// The photos asked for, or the ones of this repository.
    pub(crate) fn photos(&self) -> Vec<PathBuf> {
        if !self.photos.is_empty() {
            return self.photos.clone();
        }
        imagenet::photos().map(|(path, _)| path).to_vec()
    }
}

/// Where this package lies: its Python files are beside its manifest.
pub(crate) fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_photos_the_shipped_ones_are_taken() {
        let options = Options::parse_from(["demo", "--json"]);
        assert!(options.json && options.top == 3);
        let photos = options.photos();
        assert_eq!(photos.len(), 3);
        for photo in photos {
            assert!(crate::photo::open(&photo).is_ok(), "{}", photo.display());
        }
    }

    #[test]
    fn given_photos_replace_them() {
        let options = Options::parse_from(["demo", "a.jpg", "b.png", "--calls", "0"]);
        assert_eq!(options.photos(), [Path::new("a.jpg"), Path::new("b.png")]);
        assert_eq!(options.calls, 0);
    }
}
