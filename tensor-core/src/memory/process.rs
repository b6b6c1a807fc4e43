//! Whether another process has ended, as the kernel says.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

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

    /// The process of an [`identity`]; `Ok(None)` when it has ended, and an error when that cannot be told from here.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::TooManyFiles`], [`Error::Io`].
    pub(crate) fn from_identity(identity: &str) -> Result<Option<Process>, Error> {
        let unknown = || Error::Unsupported {
            what: format!("the supervisor `{identity}`"),
            needs: "in the same PID namespace",
        };
        let mut parts = identity.split(' ');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (Some(pid), Some(start), Some(space)) = (number(), number(), number()) else {
            return Err(unknown());
        };
        if space.to_string() != namespace() {
            return Err(unknown());
        }
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(unknown)?;
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH) => return Ok(None),
            Err(Errno::MFILE | Errno::NFILE) => return Err(Error::TooManyFiles { what: "a pidfd" }),
            Err(errno) => return Err(Error::Io { what: "pidfd_open", source: errno.into() }),
        };
        // After the pidfd was opened: the number may have gone to another process before, and cannot now.
        Ok((started(pid.as_raw_nonzero().get() as u32) == Some(start)).then_some(Process { pidfd }))
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

/// What tells this process from any other: its number, when it was started, and the namespace of the number. For a child
/// process to find it again with [`Process::from_identity`].
pub(crate) fn identity() -> String {
    let pid = std::process::id();
    format!("{pid} {} {}", started(pid).unwrap_or_default(), namespace())
}

/// When a process was started, in ticks since the machine was; `None` when there is none.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may contain anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The namespace in which this process has its number.
fn namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_leads_to_its_process_and_to_no_other() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let identity = format!("{pid} {} {}", started(pid).unwrap(), namespace());
        let process = Process::from_identity(&identity).unwrap().unwrap();
        assert!(!process.has_ended());
        // The same number, as of another process.
        let other = format!("{pid} {} {}", started(pid).unwrap() + 1, namespace());
        assert!(Process::from_identity(&other).unwrap().is_none());
        assert!(Process::from_identity(&format!("{pid} 1 1")).is_err());
        assert!(Process::from_identity("nonsense").is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.has_ended() && Process::from_identity(&identity).unwrap().is_none());
        assert!(!Process::from_identity(&super::identity()).unwrap().unwrap().has_ended());
    }
}
