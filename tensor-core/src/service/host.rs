//! Hosting a service.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::supervise::WorkerHealth;
use super::worker::{Crew, PythonWorker, Worker};
use crate::arena::{MUTATES_REQUEST, Pin, RING_ORDER, Recoveries, SPARSE};
use crate::channel::{HostOptions, Hosted, debug_arena};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::view::Record;

/// An arena of requests and replies, hosted by this process. Dropping it gives the name back and ends every wait of those
/// who are attached; records that are held stay valid.
#[must_use = "a service ends when it is dropped"]
pub struct Service<Req, Rep> {
    hosted: Hosted,
    crew: Crew,
    records: PhantomData<fn() -> (Req, Rep)>,
}

/// Configures a [`Service`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ServiceBuilder<Req, Rep> {
    options: HostOptions,
    records: PhantomData<fn() -> (Req, Rep)>,
}

impl<Req: Record, Rep: Record> Service<Req, Rep> {
    /// A service under `name`, which clients and servers connect to.
    pub fn builder(name: &str) -> ServiceBuilder<Req, Rep> {
        ServiceBuilder { options: HostOptions::new(name), records: PhantomData }
    }

    /// Starts a Python worker for this service and returns once it can answer. Its output goes where this process's
    /// does. It is started again when it ends ([`PythonWorker::restarts`]) and stopped when the returned handle is
    /// dropped. It ends when this process does, however that is; the thread that calls this may end before.
    ///
    /// # Errors
    /// [`Error::WorkerExited`] when it cannot be started, or ends of its own accord before it is ready, with the end of
    /// what it said; or when it is not ready in time, as often as it may be started again.
    pub fn spawn(&self, worker: PythonWorker) -> Result<Worker, Error> {
        let worker = worker.spawn(self.hosted.arena())?;
        self.crew.note(&worker);
        Ok(worker)
    }

    /// How the workers are doing that this process started for this service.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerHealth> {
        self.crew.health()
    }

    /// How many slots nobody holds at this moment.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.hosted.arena().free_slots()
    }

    /// Who holds slots at this moment.
    #[must_use]
    pub fn pins(&self) -> Vec<Pin> {
        self.hosted.arena().pins()
    }

    /// What has happened in the arena so far, in numbers.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::read(self.hosted.arena())
    }

    /// What this host has done so far for participants that died.
    #[must_use]
    pub fn recoveries(&self) -> Recoveries {
        self.hosted.arena().recoveries()
    }

    /// The inode of the memory that the records are in: the same number in every process that maps it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn data_inode(&self) -> Result<u64, Error> {
        self.hosted.arena().data().inode()
    }
}

impl<Req, Rep> fmt::Debug for Service<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_arena(f, "Service", self.hosted.arena())
    }
}

impl<Req: Record, Rep: Record> ServiceBuilder<Req, Rep> {
    /// How many calls can be under way at once, aliases included; at least 2, 16 by default.
    pub fn slots(mut self, slots: usize) -> Self {
        self.options.slots = slots;
        self
    }

    /// Whether memory comes into being when it is first touched. By default all of it is there before the first call, so
    /// that no call is slowed down, or killed, by a missing page.
    pub fn sparse(mut self, sparse: bool) -> Self {
        self.options.set(SPARSE, sparse);
        self
    }

    /// Whether workers may write into requests. If so, a request that a dead worker had taken is not repeated.
    pub fn mutates_request(mut self, mutates: bool) -> Self {
        self.options.set(MUTATES_REQUEST, mutates);
        self
    }

    /// How many workers may die with a request, each having taken it alone, before its caller gets
    /// [`Error::WorkerDied`]; at least 1, 3 by default. A request that several workers could not survive is more likely the
    /// cause of their death than its victim.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.max_attempts = attempts;
        self
    }

    /// The most slots that each client may hold at once, at least 1, whatever it asks for
    /// ([`max_slots`](crate::channel::EndpointBuilder::max_slots)); as many as there are by default. With fewer, one that has
    /// much to ask leaves slots to the others, who are then served in their turn.
    pub fn slots_per_client(mut self, slots: usize) -> Self {
        self.options.slots_per_client = u32::try_from(slots).unwrap_or(u32::MAX).max(1);
        self
    }

    /// Whether loans go round the ring of slots, so that concurrent requests lie side by side and form a batch, instead
    /// of using the slot again whose memory is warm.
    pub fn ring_order(mut self, ring: bool) -> Self {
        self.options.set(RING_ORDER, ring);
        self
    }

    /// As [`ChannelBuilder::timeout`](crate::channel::ChannelBuilder::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Makes the arena and takes the name.
    ///
    /// # Errors
    /// As [`ChannelBuilder::create`](crate::channel::ChannelBuilder::create).
    pub fn create(self) -> Result<Service<Req, Rep>, Error> {
        let (request, reply) = (Req::SCHEMA.clone(), Some(Rep::SCHEMA.clone()));
        let hosted = Hosted::create(&self.options, request, reply, &mut || Ok(()))?;
        Ok(Service { hosted, crew: Crew::default(), records: PhantomData })
    }
}
