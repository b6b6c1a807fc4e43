//! Whether another process has ended, as the kernel says.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open};

use crate::error::Error;

/// A process, named by a pidfd: it stays this process's name when the number is given to another one.
#[derive(Debug)]
pub(crate) struct Process {
    pidfd: OwnedFd,
}

impl Process {
    /// The process that a pidfd names.
    pub(crate) fn new(pidfd: OwnedFd) -> Process {
        Process { pidfd }
    }

    /// This process.
    ///
    /// # Errors
    /// [`Error::TooManyFiles`], [`Error::Unsupported`], [`Error::Io`].
    pub(crate) fn this() -> Result<Process, Error> {
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).map_err(|errno| match errno {
            Errno::MFILE | Errno::NFILE => Error::TooManyFiles { what: "a pidfd" },
            Errno::NOSYS => Error::Unsupported { what: "pidfd_open".to_owned(), needs: "5.14 or newer" },
            errno => Error::Io { what: "pidfd_open", source: errno.into() },
        })?;
        Ok(Process { pidfd })
    }

    /// Whether it has ended; a zombie has, a stopped process has not.
    pub(crate) fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }
}

impl From<Process> for OwnedFd {
    fn from(process: Process) -> OwnedFd {
        process.pidfd
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Sends a child the signal that asks it to finish.
pub(crate) fn ask_to_stop(child: &mut Child) {
    // The child is not reaped yet, so its number is still its own.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}

/// The command line of a process for people to read, shortened; empty where the system does not tell.
pub(crate) fn command_of(pid: u32) -> String {
    const MOST: usize = 80;
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let words: Vec<&str> = line.split('\0').filter(|word| !word.is_empty()).collect();
    let mut line: String = words.join(" ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() > MOST {
        line.truncate(line.floor_char_boundary(MOST));
        line.push('…');
    }
    line
}
