//! Hosting an arena.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::LookAround;
use crate::arena::{Arena, MAX_ATTEMPTS, Pin, Plan, RING_ORDER, Recoveries, SLOTS, SPARSE};
use crate::error::Error;
use crate::metrics::{Metrics, probe_if_asked};
use crate::peer::Host;
use crate::schema::{Schema, is_schema_name};
use crate::view::Record;

/// How long another process that is taking the same name is waited for unless the program says otherwise. It needs a few
/// system calls for that.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a builder of a host collects.
#[derive(Clone, Debug)]
pub(crate) struct HostOptions {
    pub(crate) name: String,
    pub(crate) slots: usize,
    pub(crate) flags: u32,
    pub(crate) max_attempts: u32,
    pub(crate) timeout: Option<Duration>,
    /// 0 for as many as there are.
    pub(crate) slots_per_client: u32,
}

impl HostOptions {
    pub(crate) fn new(name: &str) -> HostOptions {
        HostOptions {
            name: name.to_owned(),
            slots: 16,
            flags: 0,
            max_attempts: MAX_ATTEMPTS,
            slots_per_client: 0,
            timeout: Some(DEFAULT_TIMEOUT),
        }
    }

    pub(crate) fn set(&mut self, flag: u32, on: bool) {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
    }
}

/// An arena hosted by this process, whatever its records are.
pub(crate) struct Hosted {
    host: Host,
}

impl Hosted {
    pub(crate) fn create(
        options: &HostOptions,
        request: Schema,
        reply: Option<Schema>,
        look_around: LookAround<'_>,
    ) -> Result<Hosted, Error> {
        // Before the memory is made, which may take long.
        if !is_schema_name(&options.name) {
            return Err(Error::InvalidName { name: options.name.clone() });
        }
        if !SLOTS.contains(&options.slots) {
            let (min, max) = (*SLOTS.start(), *SLOTS.end());
            return Err(Error::InvalidSlots { name: options.name.clone(), found: options.slots, min, max });
        }
        for schema in [Some(&request), reply.as_ref()].into_iter().flatten() {
            schema.validate()?;
        }
        let plan = Plan { slots: options.slots, request, reply };
        let (flags, slots_per_client) = (options.flags, options.slots_per_client);
        let arena = Arena::create(&options.name, plan, flags, slots_per_client, &mut *look_around)?;
        let arena = arena.with_max_attempts(options.max_attempts.max(1));
        let host = Host::start(arena, options.timeout, look_around)?;
        probe_if_asked(&options.name);
        Ok(Hosted { host })
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        self.host.arena()
    }

    /// Gives the name back and lets nobody in any more; whoever is attached goes on.
    pub(crate) fn leave(&mut self) {
        self.host.leave();
    }
}

/// An arena of records of type `R`, hosted by this process. Dropping it gives the name back and ends every wait of those
/// who are attached; records that are held stay valid.
#[must_use = "a channel ends when it is dropped"]
pub struct Channel<R> {
    hosted: Hosted,
    record: PhantomData<fn() -> R>,
}

/// Configures a [`Channel`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ChannelBuilder<R> {
    options: HostOptions,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Channel<R> {
    /// A channel under `name`, which senders and receivers connect to.
    pub fn builder(name: &str) -> ChannelBuilder<R> {
        ChannelBuilder { options: HostOptions::new(name), record: PhantomData }
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
}

impl<R> fmt::Debug for Channel<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_arena(f, "Channel", self.hosted.arena())
    }
}

/// What a host or an endpoint is, for people: the name of its arena, and how many records can exist at once.
pub(crate) fn debug_arena(f: &mut fmt::Formatter<'_>, what: &str, arena: &Arena) -> fmt::Result {
    f.debug_struct(what).field("name", &arena.name()).field("slots", &arena.slots()).finish_non_exhaustive()
}

impl<R: Record> ChannelBuilder<R> {
    /// How many records can exist at once; at least 2, 16 by default.
    pub fn slots(mut self, slots: usize) -> Self {
        self.options.slots = slots;
        self
    }

    /// Whether memory comes into being when it is first touched. By default all of it is there before the first loan, so
    /// that no call is slowed down, or killed, by a missing page.
    pub fn sparse(mut self, sparse: bool) -> Self {
        self.options.set(SPARSE, sparse);
        self
    }

    /// Whether loans go round the ring of slots, so that records sent one after the other lie side by side and are received
    /// together ([`Receiver::receive_many`](super::Receiver::receive_many)), instead of using a free slot whose memory is
    /// warm.
    pub fn ring_order(mut self, ring: bool) -> Self {
        self.options.set(RING_ORDER, ring);
        self
    }

    /// How long making it may wait for another process that is just taking the same name; 5 s by default. Such a process needs a
    /// few system calls for that, unless it is stopped.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Makes the arena and takes the name.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::NameBusy`], [`Error::InvalidName`], [`Error::InvalidSlots`], [`Error::OutOfMemory`],
    /// [`Error::TooManyFiles`], [`Error::BadDirectory`], [`Error::WrongUser`], [`Error::NotTensorbridge`] when something else is in
    /// the way of the name, [`Error::InvalidSchema`], [`Error::Io`].
    pub fn create(self) -> Result<Channel<R>, Error> {
        let hosted = Hosted::create(&self.options, R::SCHEMA.clone(), None, &mut || Ok(()))?;
        Ok(Channel { hosted, record: PhantomData })
    }
}
