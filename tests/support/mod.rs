//! What tests share.

/// A name that no other test, and no other run, uses.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}.p{}", std::process::id())
}
