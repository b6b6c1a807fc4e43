//! The life of a worker process: it is started, watched, started again when it ends, and stopped in good order.
//!
//! Each worker has a thread of this process for a supervisor, whichever thread asked for it. The worker in turn watches this
//! process (see [`SUPERVISOR`]) and ends when it does.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::arena::Arena;
use crate::error::Error;
use crate::memory::{Alarm, Attended, OwnThread, identity, say_line};

/// Names the host that a worker belongs to.
pub(crate) const SERVICE: &str = "TENSORBRIDGE_SERVICE";

/// Leads a worker to the process that it must not outlive.
pub const SUPERVISOR: &str = "TENSORBRIDGE_SUPERVISOR";

/// How often a worker that starts is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The longest time between two looks at whether the service is still there.
const SLICE: Duration = Duration::from_secs(1);

/// When a worker that ended is started again: after a delay that doubles with each end and has a limit, and begins anew
/// once a worker has lived for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    limit: Option<u32>,
    delay: Duration,
    longest: Duration,
    lived: Duration,
}

impl Restarts {
    /// Never: the first end is the last.
    #[must_use]
    pub const fn never() -> Restarts {
        Restarts::at_most(0)
    }

    /// At most so often, one end soon after the other.
    #[must_use]
    pub const fn at_most(limit: u32) -> Restarts {
        Restarts { limit: Some(limit), ..Restarts::always() }
    }

    /// However often it ends.
    #[must_use]
    pub const fn always() -> Restarts {
        Restarts {
            limit: None,
            delay: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            lived: Duration::from_secs(10),
        }
    }

    /// The delay before the first restart, and the longest that doubling makes of it; 100 ms and 10 s by default.
    #[must_use]
    pub const fn delay(mut self, first: Duration, longest: Duration) -> Restarts {
        self.delay = first;
        self.longest = longest;
        self
    }

    /// How long a worker must have been ready for its end to count as the first one; 10 s by default.
    #[must_use]
    pub const fn lived(mut self, lived: Duration) -> Restarts {
        self.lived = lived;
        self
    }

    /// How long to wait after so many ends, one soon after the other; `None` when that was the last.
    fn delay_after(&self, ends: u32) -> Option<Duration> {
        if self.limit.is_some_and(|limit| ends > limit) {
            return None;
        }
        let doubled =
            1u32.checked_shl(ends.saturating_sub(1)).and_then(|times| self.delay.checked_mul(times));
        Some(doubled.map_or(self.longest, |delay| delay.min(self.longest)))
    }
}

impl Default for Restarts {
    /// At most 10 times.
    fn default() -> Restarts {
        Restarts::at_most(10)
    }
}

/// What a supervised worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// Its process runs and is not attached yet.
    Starting,
    /// It answers calls.
    Ready,
    /// Its process ended, and the next one is about to be started.
    Restarting,
    /// It was asked to finish what it is doing.
    Stopping,
    /// Its last process has ended.
    Stopped,
}

impl WorkerState {
    /// The same in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            WorkerState::Starting => "starting",
            WorkerState::Ready => "ready",
            WorkerState::Restarting => "restarting",
            WorkerState::Stopping => "stopping",
            WorkerState::Stopped => "stopped",
        }
    }
}

/// How a supervised worker is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// What it is doing.
    pub state: WorkerState,
    /// Its process, or its last one.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// How its last process ended, if one has.
    pub last_end: Option<String>,
}

/// How a worker process is started and how long it may take.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Environment variables beside those of this process.
    pub env: Vec<(OsString, OsString)>,
    /// How long a process may take until it is attached.
    pub start_timeout: Duration,
    /// How long a worker may take to finish what it is doing when it is asked to stop.
    pub grace: Duration,
    /// Whether it is started again when it ends.
    pub restarts: Restarts,
    /// Is told, in a sentence, what happens to the worker.
    pub report: fn(&str),
}

/// Writes a line to this process's standard error, unless whoever reads that takes nothing for a second: for
/// [`WorkerCommand::report`], which a supervisor calls.
pub fn report_to_stderr(text: &str) {
    say_line(text);
}

impl WorkerCommand {
    /// A command with the default times, which reports to the program's log.
    #[must_use]
    pub fn new(command: Vec<OsString>) -> WorkerCommand {
        WorkerCommand {
            command,
            env: Vec::new(),
            start_timeout: Duration::from_secs(180),
            grace: Duration::from_secs(5),
            restarts: Restarts::default(),
            report: |text| tracing::warn!(target: "tensorbridge", "{text}"),
        }
    }

    /// The command line for people to read.
    fn line(&self) -> String {
        self.command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    /// Starts a supervisor, which starts the worker.
    pub(crate) fn supervise(self, arena: &Arc<Arena>) -> Result<Supervised, Error> {
        let io = |what| move |source| Error::Io { what, source };
        let alarm = Alarm::new().map_err(io("supervising a worker"))?;
        let health = WorkerHealth { state: WorkerState::Starting, pid: None, restarts: 0, last_end: None };
        let board = Arc::new(Board {
            arena: Arc::clone(arena),
            alarm,
            line: self.line(),
            told: Mutex::new(Told { health, status: None, failure: None, killed: false }),
            changed: Condvar::new(),
        });
        let supervisor = Supervisor { board: Arc::clone(&board), command: self };
        let thread =
            OwnThread::start("starting a worker's supervisor", "tensorbridge-supervisor", move || {
                supervisor.run();
            })?;
        Ok(Supervised { board, thread })
    }
}

/// What the supervisor tells everybody else.
pub(crate) struct Board {
    arena: Arc<Arena>,
    alarm: Alarm,
    line: String,
    told: Mutex<Told>,
    changed: Condvar,
}

struct Told {
    health: WorkerHealth,
    /// How the last process ended.
    status: Option<ExitStatus>,
    /// Why there is no other.
    failure: Option<String>,
    /// Whether it did not stop when it was asked to.
    killed: bool,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    pub(crate) fn health(&self) -> WorkerHealth {
        self.lock().health.clone()
    }

    fn exited(&self, reason: &str) -> Error {
        Error::WorkerExited { command: self.line.clone(), reason: reason.to_owned() }
    }
}

/// A worker under supervision. Dropping it stops the worker, except in a forked child, which is not the one that supervises.
pub(crate) struct Supervised {
    board: Arc<Board>,
    thread: OwnThread<()>,
}

impl Supervised {
    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    pub(crate) fn line(&self) -> &str {
        &self.board.line
    }

    /// Why no process of it is left, when it was not asked to stop.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.board.lock().failure.as_ref().map(|reason| self.board.exited(reason))
    }

    /// Waits until it answers calls. Its supervisor sees to it that a start has an end.
    pub(crate) fn wait_until_ready(&self) -> Result<(), Error> {
        let mut told = self.board.lock();
        loop {
            match (told.health.state, &told.failure) {
                (WorkerState::Ready, _) => return Ok(()),
                (_, Some(reason)) => return Err(self.board.exited(reason)),
                (WorkerState::Stopped, None) => return Err(self.board.exited("was stopped")),
                _ => told = self.board.changed.wait(told).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Asks it to finish what it is doing, and does not wait for that. A forked child asks nothing: the alarm is its parent's too.
    pub(crate) fn ask_to_stop(&self) {
        if self.thread.check_process().is_err() {
            return;
        }
        self.board.tell(|told| {
            if told.health.state != WorkerState::Stopped {
                told.health.state = WorkerState::Stopping;
            }
        });
        self.board.alarm.raise();
    }

    /// Stops it: how its last process ended, if it had one, and whether that had to be killed.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn stop(&mut self) -> Result<(Option<ExitStatus>, bool), Error> {
        self.thread.check_process()?;
        self.ask_to_stop();
        let _ = self.thread.join();
        let told = self.board.lock();
        Ok((told.status, told.killed))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

struct Supervisor {
    board: Arc<Board>,
    command: WorkerCommand,
}

/// How one process of a worker ended.
struct End {
    status: Option<ExitStatus>,
    /// In words, with the end of what it said when it never was ready.
    how: String,
    /// For how long it was ready; `None` when it never was.
    ready: Option<Duration>,
}

impl Supervisor {
    fn run(self) {
        let mut ends = 0;
        let mut was_ready = false;
        let failure = loop {
            let end = self.live();
            if self.is_stopping() {
                break None;
            }
            ends = if end.ready.is_some_and(|ready| ready >= self.command.restarts.lived) {
                1
            } else {
                ends + 1
            };
            was_ready |= end.ready.is_some();
            // A program that ends of its own accord before it ever worked will do so again.
            let hopeless = !was_ready && end.status.is_none_or(|status| status.code().is_some());
            let delay = if hopeless { None } else { self.command.restarts.delay_after(ends) };
            let Some(delay) = delay else { break Some(end.how) };
            self.report(&end, &format!("is started again in {delay:.1?}"));
            self.board.tell(|told| {
                if told.health.state != WorkerState::Stopping {
                    told.health.state = WorkerState::Restarting;
                }
            });
            self.board.alarm.wait(delay);
            if self.is_stopping() {
                break None;
            }
            self.board.tell(|told| told.health.restarts += 1);
        };
        self.board.tell(|told| {
            told.health.state = WorkerState::Stopped;
            told.failure = failure;
        });
    }

    /// Whether the worker was asked to stop, or has nothing to do any more.
    fn is_stopping(&self) -> bool {
        self.board.lock().health.state == WorkerState::Stopping || self.board.arena.is_closed()
    }

    fn report(&self, end: &End, then: &str) {
        let pid = self.board.health().pid.unwrap_or_default();
        (self.command.report)(&format!(
            "worker {pid} {} and {then}",
            end.how.lines().next().unwrap_or_default()
        ));
    }

    /// Says what the worker is doing, unless it was asked to stop meanwhile.
    fn enter(&self, state: WorkerState, pid: u32) {
        self.board.tell(|told| {
            told.health.pid = Some(pid);
            if told.health.state != WorkerState::Stopping {
                told.health.state = state;
            }
        });
    }

    /// The life of one process.
    fn live(&self) -> End {
        let mut words = self.command.command.iter();
        // No program is one that cannot be found, which is what starting it says.
        let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
        command.args(words).envs(self.command.env.iter().cloned());
        command.env(SERVICE, self.board.arena.name()).env(SUPERVISOR, identity()).stdin(Stdio::null());
        // A Ctrl-C at the terminal is for this process, which ends its workers in good order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let end = match Attended::spawn(&mut command) {
            Ok(mut worker) => {
                self.enter(WorkerState::Starting, worker.id());
                self.attend(&mut worker)
            }
            Err(error) => End { status: None, how: format!("cannot be started: {error}"), ready: None },
        };
        self.board.tell(|told| {
            told.status = end.status;
            told.health.last_end = Some(end.how.clone());
        });
        end
    }

    fn attend(&self, worker: &mut Attended) -> End {
        let start = Instant::now();
        let mut ready: Option<Instant> = None;
        loop {
            let slice = if ready.is_none() { LOOK } else { SLICE };
            let status = match worker.wait(Some(&self.board.alarm), slice) {
                Ok(None) if self.is_stopping() => return self.stop(worker, ready),
                Ok(status) => status,
                Err(error) => {
                    let how = format!("cannot be watched: {error}");
                    return End {
                        status: worker.kill().ok(),
                        how,
                        ready: ready.map(|since| since.elapsed()),
                    };
                }
            };
            if let Some(status) = status {
                let how = match (ready, worker.tail()) {
                    (Some(_), _) => format!("ended ({status})"),
                    (None, tail) if tail.is_empty() => format!("ended before it was ready ({status})"),
                    (None, tail) => format!("ended before it was ready ({status}); it said:\n{tail}"),
                };
                return End { status: Some(status), how, ready: ready.map(|since| since.elapsed()) };
            }
            if ready.is_none() {
                if self.board.arena.is_attached(worker.id()) {
                    ready = Some(Instant::now());
                    self.enter(WorkerState::Ready, worker.id());
                } else if start.elapsed() >= self.command.start_timeout {
                    let how = format!("was not ready within {:?} and was killed", self.command.start_timeout);
                    return End { status: worker.kill().ok(), how, ready: None };
                }
            }
        }
    }

    /// Lets it finish what it does, and ends it if it does not.
    fn stop(&self, worker: &mut Attended, ready: Option<Instant>) -> End {
        worker.ask_to_stop();
        let start = Instant::now();
        let mut ended = None;
        while ended.is_none() {
            let Some(left) = self.command.grace.checked_sub(start.elapsed()) else { break };
            ended = worker.wait(None, left).unwrap_or_default();
        }
        let killed = ended.is_none();
        if killed {
            let (pid, grace) = (worker.id(), self.command.grace);
            (self.command.report)(&format!("worker {pid} does not stop within {grace:?} and is killed"));
            self.board.tell(|told| told.killed = true);
            ended = worker.kill().ok();
        }
        let how = ended.map_or_else(|| "was stopped".to_owned(), |status| format!("was stopped ({status})"));
        End { status: ended, how, ready: ready.map(|since| since.elapsed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_limit_and_ends_with_the_last_restart() {
        let restarts = Restarts::at_most(6).delay(Duration::from_millis(100), Duration::from_secs(1));
        let delays: Vec<_> = (1..=7).map(|ends| restarts.delay_after(ends)).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(delays, [ms(100), ms(200), ms(400), ms(800), ms(1000), ms(1000), None]);
        assert_eq!(Restarts::never().delay_after(1), None);
        assert_eq!(Restarts::always().delay_after(u32::MAX), Some(Duration::from_secs(10)));
    }
}
