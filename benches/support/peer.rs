//! The other process of a measurement: this benchmark again, with other arguments.

use std::process::{Child, Command, Stdio};

use rustix::thread::{CpuSet, sched_setaffinity};

/// Killed and reaped when dropped.
pub(crate) struct Peer {
    child: Child,
}

impl Peer {
    /// Starts this program with `arguments`; on the second core when `pinned`, while this process stays on the first.
    pub(crate) fn start(arguments: &[&str], pinned: bool) -> Peer {
        pin(pinned.then_some(0));
        let program = std::env::current_exe().expect("this program has a path");
        let child = Command::new(program)
            .arg("--peer")
            .arg(if pinned { "1" } else { "free" })
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()
            .expect("this program starts");
        Peer { child }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps this process on one core, or lets it go anywhere.
pub(crate) fn pin(core: Option<usize>) {
    let mut set = CpuSet::new();
    match core {
        Some(core) => set.set(core),
        None => (0..CpuSet::MAX_CPU).for_each(|core| set.set(core)),
    }
    // A machine with one core measures what it can.
    let _ = sched_setaffinity(None, &set);
}
