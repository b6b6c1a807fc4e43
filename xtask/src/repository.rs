//! Where things lie in this repository.

use std::path::{Path, PathBuf};

/// The repository's root. Cargo says where this package lies when it runs it; a binary started by hand falls
/// back on where it was compiled.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The virtual environment that the tasks make for themselves.
pub(crate) fn own_environment() -> PathBuf {
    root().join(".venv")
}

/// The package of the extension module.
pub(crate) fn extension() -> PathBuf {
    root().join("tensor-py")
}

/// The directory with the pinned requirements.
pub(crate) fn requirements() -> PathBuf {
    root().join("xtask").join("requirements")
}
