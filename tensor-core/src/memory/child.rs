//! A child process that is attended to: its end, and what it says on its standard error.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// How much of the end of a child's standard error is kept.
const TAIL: usize = 4096;

/// How much the system keeps of what a child has said and nobody has read.
const PIPE: usize = 1 << 16;

/// Ends an [`Attended::wait`] from another thread.
#[derive(Debug)]
pub(crate) struct Alarm {
    eventfd: OwnedFd,
}

impl Alarm {
    pub(crate) fn new() -> std::io::Result<Alarm> {
        Ok(Alarm { eventfd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// From now on no wait lasts.
    pub(crate) fn raise(&self) {
        let _ = rustix::io::write(&self.eventfd, &1u64.to_ne_bytes());
    }

    /// Waits until it is raised, for at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut fds = [PollFd::new(&self.eventfd, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&timespec(timeout)));
    }
}

/// A child whose standard error goes through this process, which keeps the end of it.
#[derive(Debug)]
pub(crate) struct Attended {
    child: Child,
    pidfd: OwnedFd,
    stderr: Option<ChildStderr>,
    tail: Vec<u8>,
}

impl Attended {
    pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Attended> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take();
        // Not reaped yet, so its number is still its own.
        let watch = || {
            if let Some(stderr) = &stderr {
                fcntl_setfl(stderr, OFlags::NONBLOCK)?;
            }
            pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
        };
        match watch() {
            Ok(pidfd) => Ok(Attended { child, pidfd, stderr, tail: Vec::new() }),
            Err(errno) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(errno.into())
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Passes on what it says until it ends, `alarm` is raised, or `timeout`; how it ended, if it has.
    pub(crate) fn wait(
        &mut self,
        alarm: Option<&Alarm>,
        timeout: Duration,
    ) -> std::io::Result<Option<ExitStatus>> {
        let mut fds = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        fds.extend(alarm.map(|alarm| PollFd::new(&alarm.eventfd, PollFlags::IN)));
        fds.extend(
            self.stderr.as_ref().map(|stderr| PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN)),
        );
        // An interruption is as good as a timeout: whoever called looks again.
        let _ = poll(&mut fds, Some(&timespec(timeout)));
        drop(fds);
        let status = self.child.try_wait()?;
        self.pass_on();
        Ok(status)
    }

    /// Asks it to finish.
    pub(crate) fn ask_to_stop(&self) {
        // Not reaped while `self` has not seen its end, so its number is still its own.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Ends it; a stopped one too.
    pub(crate) fn kill(&mut self) -> std::io::Result<ExitStatus> {
        self.child.kill()?;
        let status = self.child.wait();
        self.pass_on();
        status
    }

    /// The end of what it said, whole lines.
    pub(crate) fn tail(&self) -> String {
        let text = String::from_utf8_lossy(&self.tail);
        let cut = self.tail.len() >= TAIL;
        let text = if cut { text.split_once('\n').map_or(&*text, |(_, rest)| rest) } else { &text };
        text.trim_end().to_owned()
    }

    /// Copies what it has said to this process's standard error, as much of it as a pipe holds: one that never stops talking
    /// must not keep this process from everything else.
    fn pass_on(&mut self) {
        let mut bytes = [0; 4096];
        for _ in 0..PIPE / bytes.len() {
            let Some(stderr) = &mut self.stderr else { return };
            match stderr.read(&mut bytes) {
                Ok(0) => self.stderr = None,
                Ok(count) => {
                    let _ = std::io::stderr().write_all(&bytes[..count]);
                    self.tail.extend_from_slice(&bytes[..count]);
                    self.tail.drain(..self.tail.len().saturating_sub(TAIL));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => self.stderr = None,
            }
        }
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        // Only one that was given up on the way is still there.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    fn shell(script: &str) -> Attended {
        Attended::spawn(Command::new("sh").args(["-c", script])).unwrap()
    }

    fn end_of(attended: &mut Attended) -> ExitStatus {
        loop {
            if let Some(status) = attended.wait(None, Duration::from_secs(10)).unwrap() {
                return status;
            }
        }
    }

    #[test]
    fn the_end_of_what_a_child_says_is_kept_and_its_heirs_are_not_waited_for() {
        let mut child = shell("sleep 60 & for i in $(seq 2000); do echo line $i >&2; done; exit 3");
        assert_eq!(end_of(&mut child).code(), Some(3));
        let tail = child.tail();
        assert!(tail.ends_with("line 2000") && tail.starts_with("line "), "{tail}");
    }

    #[test]
    fn a_child_that_never_stops_talking_can_be_stopped() {
        const TEST: &str = "memory::child::tests::a_child_that_never_stops_talking_can_be_stopped";
        const TALKS: &str = "TENSORBRIDGE_TEST_TALKS";
        if std::env::var_os(TALKS).is_some() {
            let mut child = shell("exec yes >&2");
            // From here on each write waits for the slow reader, while the child gets ahead.
            std::io::stderr().write_all(&[b'\n'; PIPE + PIPE / 2]).unwrap();
            assert!(child.wait(None, Duration::from_secs(1)).unwrap().is_none());
            assert!(child.kill().unwrap().code().is_none());
            println!("\nstopped");
            return;
        }
        // Its standard error is read more slowly than the child talks.
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", TEST, "--nocapture"])
            .env(TALKS, "")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stderr = process.stderr.take().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while stderr.read(&mut bytes).is_ok_and(|count| count > 0) {
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(said.map_while(Result::ok).filter(|line| line == "stopped").count(), 1);
        assert!(process.wait().unwrap().success());
    }

    #[test]
    fn a_stopped_child_can_be_killed_and_an_alarm_ends_a_wait() {
        let alarm = Alarm::new().unwrap();
        let mut child = shell("kill -STOP $$; sleep 60");
        // Asked before it has stopped itself, it would just end.
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        waitid(WaitId::PidFd(child.pidfd.as_fd()), stopped).unwrap();
        child.ask_to_stop();
        alarm.raise();
        assert!(child.wait(Some(&alarm), Duration::from_secs(3600)).unwrap().is_none());
        assert!(child.kill().unwrap().code().is_none());
    }
}
