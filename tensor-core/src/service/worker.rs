//! Python workers: processes that this one starts, starts again, and stops.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::supervise::{Board, Restarts, Supervised, WorkerCommand, WorkerHealth};
use crate::arena::Arena;
use crate::error::Error;

/// A Python program that answers calls: a script that ends in `tb.serve(...)`.
#[derive(Clone, Debug)]
#[must_use]
pub struct PythonWorker {
    script: PathBuf,
    python: Option<PathBuf>,
    args: Vec<OsString>,
    settings: WorkerCommand,
}

impl PythonWorker {
    /// The worker in `script`.
    ///
    /// The interpreter is the one given with [`PythonWorker::python`], else `$TENSORBRIDGE_PYTHON`, else that of the active
    /// virtual environment, else `python3`.
    pub fn new(script: impl Into<PathBuf>) -> PythonWorker {
        let settings = WorkerCommand::new(Vec::new());
        PythonWorker { script: script.into(), python: None, args: Vec::new(), settings }
            .env("PYTHONUNBUFFERED", "1")
    }

    /// The interpreter.
    pub fn python(mut self, python: impl Into<PathBuf>) -> Self {
        self.python = Some(python.into());
        self
    }

    /// One more argument for the script.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// One more environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.settings.env.push((name.into(), value.into()));
        self
    }

    /// How long the worker may take until it is ready; 180 s by default, for large models.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.settings.start_timeout = timeout;
        self
    }

    /// When it is started again after it ended; at most 10 times in a row by default.
    pub fn restarts(mut self, restarts: Restarts) -> Self {
        self.settings.restarts = restarts;
        self
    }

    /// How long it may take to finish the call it is in when it is stopped; 5 s by default. Then it is killed.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    pub(super) fn spawn(self, arena: &Arc<Arena>) -> Result<Worker, Error> {
        let python = self.python.unwrap_or_else(default_python);
        if !self.script.is_file() {
            return Err(Error::WorkerExited {
                command: format!("{} {}", python.display(), self.script.display()),
                reason: format!("cannot be started: there is no file {}", self.script.display()),
            });
        }
        let command = [python.into_os_string(), self.script.into_os_string()].into_iter().chain(self.args);
        let settings = WorkerCommand { command: command.collect(), ..self.settings };
        let worker = Worker { supervised: settings.supervise(arena)? };
        worker.supervised.wait_until_ready()?;
        Ok(worker)
    }
}

fn default_python() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("TENSORBRIDGE_PYTHON")
        .map(PathBuf::from)
        .or_else(|| set("VIRTUAL_ENV").map(|root| Path::new(&root).join("bin/python")))
        .unwrap_or_else(|| "python3".into())
}

/// A worker: a process that is started again when it ends. Dropping this asks the worker to finish and stop, and kills it if
/// it does not; in a forked child it does nothing.
#[must_use = "a worker is stopped when this is dropped"]
pub struct Worker {
    supervised: Supervised,
}

impl Worker {
    /// Starts a worker of any program and does not wait until it is ready.
    pub(crate) fn start(command: WorkerCommand, arena: &Arc<Arena>) -> Result<Worker, Error> {
        Ok(Worker { supervised: command.supervise(arena)? })
    }

    /// Its process id, or that of its last process; 0 before the first.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.health().pid.unwrap_or(0)
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> WorkerHealth {
        self.supervised.board().health()
    }

    /// Why it is not started again: [`Error::WorkerExited`], with the end of what it said when it never was ready. `None`
    /// while it works, or when it was asked to stop.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.supervised.failure()
    }

    /// Asks it to finish what it is doing and stop, and does not wait for that. In a forked child it does nothing.
    pub fn ask_to_stop(&self) {
        self.supervised.ask_to_stop();
    }

    /// Asks it to finish what it is doing and stop, and waits for that; how its last process ended, if it had one.
    ///
    /// # Errors
    /// [`Error::WorkerExited`] when it had to be killed; [`Error::Forked`].
    pub fn stop(mut self) -> Result<Option<ExitStatus>, Error> {
        match self.supervised.stop()? {
            (status, false) => Ok(status),
            (_, true) => Err(Error::WorkerExited {
                command: self.supervised.line().to_owned(),
                reason: "did not stop in time and was killed".to_owned(),
            }),
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (command, health) = (self.supervised.line(), self.health());
        f.debug_struct("Worker").field("command", &command).field("health", &health).finish()
    }
}

/// The workers that a process started for a service, for as long as somebody has them.
#[derive(Default)]
pub(crate) struct Crew {
    boards: Mutex<Vec<Weak<Board>>>,
}

impl Crew {
    pub(crate) fn note(&self, worker: &Worker) {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        boards.retain(|board| board.strong_count() > 0);
        boards.push(Arc::downgrade(worker.supervised.board()));
    }

    pub(crate) fn health(&self) -> Vec<WorkerHealth> {
        let boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner).clone();
        boards.iter().filter_map(Weak::upgrade).map(|board| board.health()).collect()
    }
}
