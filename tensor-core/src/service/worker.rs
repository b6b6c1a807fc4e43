//! Python workers: processes that this one starts, and stops again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::arena::Arena;
use crate::error::Error;
use crate::memory::ask_to_stop;

/// How long a worker may take to import its frameworks and load its model.
const START: Duration = Duration::from_secs(180);

/// How long a worker may take to finish what it is doing when it is asked to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How often a starting or stopping worker is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A Python program that answers calls: a script that ends in `tb.serve(...)`.
#[derive(Clone, Debug)]
#[must_use]
pub struct PythonWorker {
    script: PathBuf,
    python: Option<PathBuf>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    start_timeout: Duration,
}

impl PythonWorker {
    /// The worker in `script`.
    ///
    /// The interpreter is the one given with [`PythonWorker::python`], else `$TENSORBRIDGE_PYTHON`, else that of the active
    /// virtual environment, else `python3`.
    pub fn new(script: impl Into<PathBuf>) -> PythonWorker {
        PythonWorker {
            script: script.into(),
            python: None,
            args: Vec::new(),
            env: Vec::new(),
            start_timeout: START,
        }
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
        self.env.push((name.into(), value.into()));
        self
    }

    /// How long the worker may take until it is ready; 180 s by default, for large models.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    pub(super) fn spawn(self, arena: &Arena) -> Result<Worker, Error> {
        let python = self.python.clone().unwrap_or_else(default_python);
        let name = format!("{} {}", python.display(), self.script.display());
        let exited = |reason: String| Error::WorkerExited { command: name.clone(), reason };
        if !self.script.is_file() {
            return Err(exited(format!("cannot be started: there is no file {}", self.script.display())));
        }
        let child = Command::new(&python)
            .arg(&self.script)
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .env("TENSORBRIDGE_SERVICE", arena.name())
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| exited(format!("cannot be started: {error}")))?;
        let mut worker = Worker { child, command: name.clone() };
        let start = Instant::now();
        while !arena.is_attached(worker.id()) {
            if let Some(status) = worker.try_wait()? {
                return Err(exited(format!("ended before it was ready ({status}); its output says why")));
            }
            if start.elapsed() >= self.start_timeout {
                return Err(Error::Timeout { what: "the worker's start", after: self.start_timeout });
            }
            std::thread::sleep(LOOK);
        }
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

/// A worker process. Dropping it asks the worker to finish and stop, and kills it if it does not.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    command: String,
}

impl Worker {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(|source| Error::Io { what: "waiting for a worker", source })
    }

    /// Asks it to finish what it is doing and stop, and waits for that.
    ///
    /// # Errors
    /// [`Error::WorkerExited`] when it had to be killed; [`Error::Io`].
    pub fn stop(mut self) -> Result<ExitStatus, Error> {
        match self.terminate()? {
            (status, false) => Ok(status),
            (_, true) => Err(Error::WorkerExited {
                command: self.command.clone(),
                reason: format!("did not stop within {GRACE:?} and was killed"),
            }),
        }
    }

    /// Its end, and whether it had to be killed.
    fn terminate(&mut self) -> Result<(ExitStatus, bool), Error> {
        let io = |source| Error::Io { what: "stopping a worker", source };
        if let Some(status) = self.try_wait()? {
            return Ok((status, false));
        }
        ask_to_stop(&mut self.child);
        let start = Instant::now();
        while start.elapsed() < GRACE {
            if let Some(status) = self.try_wait()? {
                return Ok((status, false));
            }
            std::thread::sleep(LOOK);
        }
        self.child.kill().map_err(io)?;
        Ok((self.child.wait().map_err(io)?, true))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Err(error) = self.terminate() {
            tracing::error!(command = self.command, %error, "a worker could not be stopped");
        }
    }
}
