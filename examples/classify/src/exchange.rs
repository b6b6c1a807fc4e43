//! A service with its Python worker, from beginning to end.

use crate::options::package;
use crate::records::Photo;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tensorbridge::{Client, Error, PythonWorker, Record, Service, Worker};

/// Slots of each service. One call at a time takes one; a worker's aliases may keep others for a moment.
const SLOTS: usize = 4;

/// How long a slot may take to come back after the last use of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a call may take whose worker has to be started again.
const RESTART: Duration = Duration::from_secs(180);

/// How long a worker may take to end: on a busy machine a process with PyTorch in it takes seconds for that alone.
const GRACE: Duration = Duration::from_secs(60);

/// Photos go to a Python worker, replies come back.
pub(crate) struct Exchange<Reply: Record> {
    name: String,
    service: Service<Photo, Reply>,
    worker: Worker,
}

/// What an exchange did not give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unreturned {
    /// Slots that were not free although nobody used one.
    pub(crate) slots: usize,
    /// Workers that did not end in order when they were asked to.
    pub(crate) workers: usize,
}

impl<Reply: Record> Exchange<Reply> {
    /// Hosts a service called `name` and starts the worker in `script`, a file beside this package's manifest. Returns
    /// once the worker can answer.
    ///
    /// # Errors
    /// Those of [`Service`].
    pub(crate) fn start(name: &str, python: &Path, script: &str) -> Result<Self, Error> {
        let service = Service::builder(name).slots(SLOTS).create()?;
        let worker = PythonWorker::new(package().join(script))
            .python(python)
            .env("PYTHONPATH", imagenet::python_path())
            .grace(GRACE);
        let worker = service.spawn(worker)?;
        Ok(Self { name: name.to_owned(), service, worker })
    }

    /// A client of this service. It could be in any other process as well.
    ///
    /// # Errors
    /// Those of [`Client`].
    pub(crate) fn client(&self) -> Result<Client<Photo, Reply>, Error> {
        // Long enough for a worker that is started again to load its network.
        Client::builder(&self.name).timeout(RESTART).connect()
    }

    /// Kills the worker, as `kill -9` does, as soon as it has a request in hand; whether it did before `over`.
    pub(crate) fn kill_in_mid_call(&self, over: &AtomicBool) -> bool {
        while !over.load(Ordering::Relaxed) {
            let busy = self
                .service
                .pins()
                .into_iter()
                .find(|pin| pin.how == "received" && pin.pid == Some(self.worker.id()));
            if let Some(pid) = busy.and_then(|pin| Pid::from_raw(i32::try_from(pin.pid?).ok()?)) {
                return kill_process(pid, Signal::KILL).is_ok();
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// How often the worker was started again, and how many requests were handed out again.
    pub(crate) fn restarts(&self) -> (u32, u64) {
        (self.worker.health().restarts, self.service.recoveries().redelivered)
    }

    /// The inode of the memory that the records lie in.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn inode(&self) -> Result<u64, Error> {
        self.service.data_inode()
    }

    /// Waits for the slots to come back, stops the worker and ends the service.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn end(self) -> Result<Unreturned, Error> {
        let Self { service, worker, .. } = self;
        // The worker lets go of a record a moment after its answer has arrived.
        let start = Instant::now();
        while service.free_slots() < SLOTS && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        let slots = SLOTS.saturating_sub(service.free_slots());
        let in_order = match worker.stop() {
            Ok(status) => status.is_some_and(|status| status.success()),
            Err(Error::WorkerExited { .. }) => false,
            Err(error) => return Err(error),
        };
        Ok(Unreturned { slots, workers: usize::from(!in_order) })
    }
}
