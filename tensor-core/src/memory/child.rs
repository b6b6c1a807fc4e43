//! A child process that is attended to: its end, and what it says on its standard error.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{FileType, Mode, OFlags, fcntl_setfl, fstat, open};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// How much of the end of a child's standard error is kept.
const TAIL: usize = 4096;

/// How much the system keeps of what a child has said and nobody has read.
const PIPE: usize = 1 << 16;

/// How much is read and written at once: what a pipe that can be written to takes without waiting.
const AT_ONCE: usize = 4096;

/// How long whoever reads this process's standard error may take nothing; then what is said meanwhile is left out.
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// How much of what it said is left out, since nobody reads what this process says.
    left_out: usize,
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
            Ok(pidfd) => Ok(Attended { child, pidfd, stderr, tail: Vec::new(), left_out: 0 }),
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
    /// must not keep this process from everything else, nor must somebody who stops listening.
    fn pass_on(&mut self) {
        let mut bytes = [0; AT_ONCE];
        let until = Instant::now() + PATIENCE;
        for _ in 0..PIPE / bytes.len() {
            let Some(stderr) = &mut self.stderr else { return };
            match stderr.read(&mut bytes) {
                Ok(0) => self.stderr = None,
                Ok(count) => {
                    self.repeat(&bytes[..count], until);
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

impl Attended {
    /// Says what the child said, unless nobody listens.
    fn repeat(&mut self, bytes: &[u8], until: Instant) {
        if self.left_out > 0 {
            let note = format!("\n[{} bytes are left out that nobody read in time]\n", self.left_out);
            // Whoever did not listen then is not waited for again.
            if !say(note.as_bytes(), Instant::now()) {
                self.left_out += bytes.len();
                return;
            }
            self.left_out = 0;
        }
        if !say(bytes, until) {
            self.left_out = bytes.len();
        }
    }
}

/// Writes to this process's standard error, by `until`; whether it was there to be written to. Never more than a moment later, whoever
/// reads it, and whatever another thread does that writes there.
fn say(mut bytes: &[u8], until: Instant) -> bool {
    // Never locked: whoever writes there by the lock may be waiting for the reader.
    let (shared, own) = (std::io::stderr(), own_stderr());
    let stderr = own.as_ref().map_or_else(|| shared.as_fd(), AsFd::as_fd);
    while !bytes.is_empty() {
        let mut fds = [PollFd::from_borrowed_fd(stderr, PollFlags::OUT)];
        match poll(&mut fds, Some(&timespec(until.saturating_duration_since(Instant::now())))) {
            Ok(0) => return false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return true,
        }
        // What can be written to takes so many bytes without waiting.
        match rustix::io::write(stderr, &bytes[..bytes.len().min(AT_ONCE)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if Instant::now() < until => {}
            Err(Errno::AGAIN) => return false,
            // It is closed, say: there is nobody to tell.
            Err(_) => return true,
        }
    }
    true
}

/// Writes a line to this process's standard error, if whoever reads it takes it within a second.
pub(crate) fn say_line(text: &str) {
    let _ = say(format!("{text}\n").as_bytes(), Instant::now() + PATIENCE);
}

/// A pipe that this process's standard error is, opened anew so that no write to it waits: another writer may fill it at any moment. Not
/// waiting is a matter of the opening, which others share.
fn own_stderr() -> Option<OwnedFd> {
    let stderr = std::io::stderr();
    let is_pipe = FileType::from_raw_mode(fstat(&stderr).ok()?.st_mode) == FileType::Fifo;
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    is_pipe.then(|| open(format!("/proc/self/fd/{}", stderr.as_raw_fd()), flags, Mode::empty()).ok())?
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
    use std::io::{BufRead, BufReader, Write};

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
    fn a_reader_of_standard_error_that_is_stopped_keeps_nobody() {
        const TEST: &str = "memory::child::tests::a_reader_of_standard_error_that_is_stopped_keeps_nobody";
        const KEPT: &str = "TENSORBRIDGE_TEST_KEPT";
        if std::env::var_os(KEPT).is_some() {
            // More than the pipes hold.
            let mut child = shell("yes | head -c 300000 >&2; echo the end >&2; exit 4");
            assert_eq!(end_of(&mut child).code(), Some(4));
            assert!(child.tail().ends_with("the end"));
            say_line("nobody hears this");
            assert!(child.left_out > 0);
            println!("\nnot kept");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            // The reader goes on: what is said from here on is heard.
            let mut child = shell("echo heard again >&2");
            end_of(&mut child);
            return;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", TEST, "--nocapture"]).env(KEPT, "");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // Standard error is a pipe that nobody reads until then.
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(said.any(|line| line == "not kept"));
        let mut stderr = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let reader = std::thread::spawn(move || stderr.any(|line| line == "heard again"));
        process.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        assert!(process.wait().unwrap().success());
        assert!(reader.join().unwrap());
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
