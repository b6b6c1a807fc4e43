//! The network in its worker processes, and a client for it.

use crate::options::Model as Options;
use crate::records::{Photo, Scores};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tensorbridge::{Client, Error, PythonWorker, Restarts, Service, Worker};

/// How long a worker may take to end: on a busy machine a process with PyTorch in it takes seconds for that alone.
const GRACE: Duration = Duration::from_secs(60);

/// A service and its workers. Dropping it ends them.
pub(crate) struct Model {
    // The workers before the service: they are to end in good order.
    workers: Vec<Worker>,
    service: Service<Photo, Scores>,
    name: String,
    slots: usize,
    timeout: Duration,
}

impl Model {
    /// Hosts the memory for photos and starts the workers; returns once all of them can answer. Spans that they record go
    /// into the file `spans`.
    ///
    /// # Errors
    /// Those of [`Service`].
    pub(crate) fn start(options: &Options, spans: Option<&Path>) -> Result<Model, Error> {
        let name = format!("photo_service.p{}", std::process::id());
        // Photos that come together lie side by side, and the network sees them as one tensor.
        let service = Service::builder(&name).slots(options.slots).ring_order(true).create()?;
        let mut worker = PythonWorker::new(package().join("worker.py"))
            .python(&options.python)
            .arg(&name)
            .arg(options.max_batch.to_string())
            .arg((options.max_wait / 1e3).to_string())
            .env("PYTHONPATH", imagenet::python_path())
            .env("OMP_NUM_THREADS", "1")
            .restarts(Restarts::always())
            .grace(GRACE);
        if let Some(spans) = spans {
            worker = worker.env("PHOTO_SERVICE_SPANS", spans);
        }
        let workers = (0..options.workers).map(|_| service.spawn(worker.clone()));
        let workers = workers.collect::<Result<_, _>>()?;
        Ok(Model { workers, service, name, slots: options.slots, timeout: options.timeout() })
    }

    /// A client of the network. It could be in any other process as well.
    ///
    /// # Errors
    /// Those of [`Client`].
    pub(crate) fn client(&self) -> Result<Client<Photo, Scores>, Error> {
        Client::builder(&self.name).timeout(self.timeout).connect()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Kills a worker that has a photo in hand, as `kill -9` does; whether there was one.
    pub(crate) fn kill_a_busy_worker(&self) -> bool {
        let Some(worker) = self.workers.iter().map(Worker::id).find(|&pid| self.is_busy(pid)) else {
            return false;
        };
        let Some(pid) = i32::try_from(worker).ok().and_then(Pid::from_raw) else { return false };
        // Stopped first, so that it does not finish what it was seen with.
        let seen = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let stopped = kill_process(pid, Signal::STOP).is_ok() && waitid(WaitId::Pid(pid), seen).is_ok();
        if stopped && self.is_busy(worker) {
            return kill_process(pid, Signal::KILL).is_ok();
        }
        let _ = kill_process(pid, Signal::CONT);
        false
    }

    /// Whether a worker has a request that it has not answered.
    fn is_busy(&self, worker: u32) -> bool {
        self.service.pins().iter().any(|pin| pin.how == "received" && pin.pid == Some(worker))
    }

    /// How often workers were started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.workers.iter().map(|worker| worker.health().restarts).sum()
    }

    /// How many requests were handed to another worker because theirs died.
    pub(crate) fn redelivered(&self) -> u64 {
        self.service.recoveries().redelivered
    }

    /// How many photos can be under way at once.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// How many slots nobody holds.
    pub(crate) fn free_slots(&self) -> usize {
        self.service.free_slots()
    }

    /// Lets the workers finish, and ends them.
    ///
    /// # Errors
    /// [`Error::WorkerExited`] when one had to be killed.
    pub(crate) fn stop(self) -> Result<(), Error> {
        self.workers.iter().for_each(Worker::ask_to_stop);
        self.workers.into_iter().try_for_each(|worker| worker.stop().map(drop))
    }
}

/// Where this package lies: its Python files are beside its manifest.
fn package() -> PathBuf {
    imagenet::python_path().with_file_name("photo-service")
}
