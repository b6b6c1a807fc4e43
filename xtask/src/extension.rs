//! Builds the extension module into an environment, when its sources have changed.

use crate::command::{self, heading};
use crate::failure::Failure;
use crate::python::Python;
use crate::{repository, requirements};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xxhash_rust::xxh3::Xxh3;

/// Everything the compiled module is made of. Python files are not: they are imported from where they lie.
const SOURCES: [&str; 10] = [
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    "tensor-core/Cargo.toml",
    "tensor-core/build.rs",
    "tensor-core/src",
    "tensor-py/Cargo.toml",
    "tensor-py/pyproject.toml",
    "tensor-py/src",
];

/// The package that the extension module is installed as.
const PACKAGE: &str = "tensorbridge";

/// Makes `import tensorbridge` work in the environment, and does nothing when it already does with these sources.
///
/// # Errors
/// When the module's package is incomplete, or building it fails.
pub(crate) fn ensure(python: &mut Python) -> Result<(), Failure> {
    let manifest = repository::extension().join("pyproject.toml");
    if !manifest.is_file() {
        return Err(Failure::new("the extension module cannot be built")
            .found(format!("no {}", manifest.display()))
            .expected("the Python package's description beside its Cargo.toml"));
    }
    let fingerprint = fingerprint(&repository::root(), &SOURCES)?;
    let stamp = python.prefix().join(".tensorbridge-extension");
    if python.version_of(PACKAGE).is_some()
        && fs::read_to_string(&stamp).is_ok_and(|text| text == fingerprint)
    {
        return Ok(());
    }
    requirements::install(python, "build")?;
    heading(&format!("building the extension module for {python}"));
    let mut maturin = maturin(python);
    command::prepare(maturin.args(["develop", "--release"]))?;
    fs::write(&stamp, fingerprint).map_err(|error| Failure::io("write", &stamp, &error))?;
    python.refresh()
}

/// A `maturin` that works on the extension module with this interpreter.
pub(crate) fn maturin(python: &Python) -> Command {
    let mut maturin = python.command();
    maturin.args(["-m", "maturin"]).current_dir(repository::extension());
    // It refuses to choose when both name an environment.
    maturin.env_remove("CONDA_PREFIX").env("VIRTUAL_ENV", python.prefix());
    maturin
}

/// A hash over the names and contents of `sources`, as hexadecimal text. What does not exist is left out.
fn fingerprint(root: &Path, sources: &[&str]) -> Result<String, Failure> {
    let mut files = Vec::new();
    for source in sources {
        walk(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Xxh3::new();
    for file in files {
        let content = fs::read(&file).map_err(|error| Failure::io("read", &file, &error))?;
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        // Lengths go in as well, so that no name can run over into a content.
        for part in [name.as_bytes(), &content] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(format!("{:032x}", hash.digest128()))
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(|error| Failure::io("list", path, &error))?;
        for entry in entries.flatten() {
            walk(&entry.path(), files)?;
        }
    } else if path.is_file() {
        files.push(path.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_there() {
        for source in SOURCES {
            assert!(repository::root().join(source).exists(), "{source}");
        }
    }

    #[test]
    fn the_fingerprint_follows_names_and_contents() {
        let root = std::env::temp_dir().join(format!("xtask-fingerprint-{}", std::process::id()));
        fs::create_dir_all(root.join("src/deep")).unwrap();
        fs::write(root.join("src/a.rs"), "one").unwrap();
        fs::write(root.join("src/deep/b.rs"), "two").unwrap();
        let of = || fingerprint(&root, &["src", "absent"]).unwrap();
        let first = of();
        assert_eq!(first, of());
        fs::write(root.join("src/deep/b.rs"), "three").unwrap();
        let second = of();
        assert_ne!(first, second);
        fs::rename(root.join("src/a.rs"), root.join("src/c.rs")).unwrap();
        assert_ne!(second, of());
        fs::remove_dir_all(root).unwrap();
    }
}
