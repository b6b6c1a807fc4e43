//! Kills this process at its n-th step, for tests (`--cfg tensorbridge_crash`).

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// The step at which this process is killed; 0 while it is not to be.
static FATAL: AtomicU64 = AtomicU64::new(0);

/// Steps since [`arm`].
static STEPS: AtomicU64 = AtomicU64::new(0);

/// From here on steps are counted, and the process is killed before the `fatal`-th, counted from 1.
pub fn arm(fatal: u64) {
    STEPS.store(0, Ordering::SeqCst);
    FATAL.store(fatal, Ordering::SeqCst);
}

/// Ends what [`arm`] began; how many steps there were.
pub fn disarm() -> u64 {
    FATAL.store(0, Ordering::SeqCst);
    STEPS.load(Ordering::SeqCst)
}

/// The process is about to make a step that others can see.
pub(crate) fn step() {
    let fatal = FATAL.load(Ordering::Relaxed);
    if fatal != 0 && STEPS.fetch_add(1, Ordering::SeqCst) + 1 == fatal {
        let _ = kill_process(getpid(), Signal::KILL);
        unreachable!("SIGKILL spares nobody");
    }
}
