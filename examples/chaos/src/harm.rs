//! What is done to processes.

use crate::Failure;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How often something is done.
const EVERY: Duration = Duration::from_millis(100);

/// The longest time that a process is stopped.
const LONGEST_STOP: u64 = 300;

/// What has been done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) kills: u64,
    pub(crate) stops: u64,
}

/// Kills and stops children of this process, and lets those that it stopped go on.
pub(crate) struct Harm {
    choice: fastrand::Rng,
    next: Instant,
    stopped: Vec<(OwnedFd, Instant)>,
    killed: Vec<u32>,
    pub(crate) done: Done,
}

impl Harm {
    pub(crate) fn new(seed: u64) -> Harm {
        let choice = fastrand::Rng::with_seed(seed);
        let next = Instant::now() + EVERY;
        Harm { choice, next, stopped: Vec::new(), killed: Vec::new(), done: Done::default() }
    }

    /// Does what is due to one of `victims`.
    pub(crate) fn turn(&mut self, victims: &[u32]) -> Result<(), Failure> {
        let now = Instant::now();
        self.let_go_on(|until| until <= now);
        if now < self.next || victims.is_empty() {
            return Ok(());
        }
        self.next += EVERY;
        let victim = victims[self.choice.usize(..victims.len())];
        let Some(process) = child(victim)? else { return Ok(()) };
        if self.choice.u8(..3) == 0 {
            signal(&process, Signal::KILL)?;
            self.done.kills += 1;
            self.killed.push(victim);
            return Ok(());
        }
        signal(&process, Signal::STOP)?;
        self.done.stops += 1;
        self.stopped.push((process, now + Duration::from_millis(self.choice.u64(..LONGEST_STOP))));
        Ok(())
    }

    /// Whether this killed the process, asked once.
    pub(crate) fn has_killed(&mut self, pid: u32) -> bool {
        let found = self.killed.iter().position(|killed| *killed == pid);
        found.map(|index| self.killed.swap_remove(index)).is_some()
    }

    /// Lets everybody go on.
    pub(crate) fn end(&mut self) {
        self.let_go_on(|_| true);
    }

    fn let_go_on(&mut self, due: impl Fn(Instant) -> bool) {
        for (process, _) in self.stopped.extract_if(.., |(_, until)| due(*until)) {
            let _ = signal(&process, Signal::CONT);
        }
    }
}

/// A child of this process that lives; its number may belong to somebody else by now.
fn child(pid: u32) -> Result<Option<OwnedFd>, Failure> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    let process = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
    Ok((parent == Some(getpid().as_raw_nonzero().get())).then_some(process))
}

fn signal(process: &OwnedFd, signal: Signal) -> Result<(), Errno> {
    match pidfd_send_signal(process, signal) {
        // It ended just before.
        Err(Errno::SRCH) => Ok(()),
        other => other,
    }
}
