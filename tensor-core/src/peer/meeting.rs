//! Where processes meet.

use std::path::{Path, PathBuf};

use crate::memory::user_id;

/// The directory in which hosts and those who look for them meet: `$TENSORBRIDGE_DIR`, else
/// `$XDG_RUNTIME_DIR/tensorbridge`, else one per user under `/tmp`. Processes that use different ones do not find each
/// other.
///
/// It holds one socket for each name that is hosted, and it may not exist yet.
#[must_use]
pub fn meeting_directory() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = set("TENSORBRIDGE_DIR") {
        return path.into();
    }
    if let Some(path) = set("XDG_RUNTIME_DIR") {
        return Path::new(&path).join("tensorbridge");
    }
    format!("/tmp/tensorbridge-{}", user_id()).into()
}
