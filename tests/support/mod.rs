//! What tests share.

use std::time::{Duration, Instant};

/// A name that no other test, and no other run, uses.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}.p{}", std::process::id())
}

/// Waits for something that another thread or process has to do.
#[allow(dead_code, reason = "not every test waits")]
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(30);
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
