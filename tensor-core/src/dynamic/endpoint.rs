//! Endpoints and hosts without a Rust type for their records.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{DynRecord, DynServer, Lease};
use crate::arena::{
    Arena, Claim, Expected, Half, LoanTerms, MAX_ATTEMPTS, MUTATES_REQUEST, Pin, RING_ORDER, Recoveries,
    SPARSE, WhenFull,
};
use crate::channel::{Endpoint, HostOptions, Hosted, Options, Scratches};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::peer::Role;
use crate::schema::Schema;
use crate::service::{Crew, Worker, WorkerCommand, WorkerHealth};
use crate::wait::WaitStrategy;

/// Called at least every 100 ms of a wait; its error ends the wait.
pub type LookAround<'a> = &'a mut dyn FnMut() -> Result<(), Error>;

/// How an endpoint connects and waits.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    /// The meeting point.
    pub name: String,
    /// How long connecting may take, and every wait that names no timeout of its own; `None` waits for ever.
    pub timeout: Option<Duration>,
    /// How waits proceed.
    pub strategy: WaitStrategy,
    /// The schema of the record or request, to be compared; `None` takes what is there.
    pub request: Option<Schema>,
    /// The schema of the reply, likewise.
    pub reply: Option<Schema>,
    /// What a loan does when no slot is free.
    pub when_full: WhenFull,
    /// The most slots that a client holds at once; `None` for as many as there are.
    pub max_slots: Option<u32>,
}

impl EndpointOptions {
    /// Whatever records there are, waiting for 30 s at most.
    #[must_use]
    pub fn new(name: &str) -> EndpointOptions {
        let Options { name, timeout, strategy, terms } = Options::new(name);
        let (when_full, max_slots) = (terms.when_full, None);
        EndpointOptions { name, timeout, strategy, request: None, reply: None, when_full, max_slots }
    }

    pub(super) fn connect(
        self,
        role: Role,
        service: bool,
        look_around: LookAround<'_>,
    ) -> Result<Endpoint, Error> {
        let EndpointOptions { name, timeout, strategy, request, reply, when_full, max_slots } = self;
        let terms = LoanTerms { when_full, max_slots: max_slots.map_or(0, |slots| slots.max(1)) };
        let options = Options { name, timeout, strategy, terms };
        let expected = Expected { request, reply };
        Endpoint::connect(&options, role, service, &expected, look_around)
    }
}

/// How an arena is made.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// The meeting point.
    pub name: String,
    /// How many records can exist at once.
    pub slots: usize,
    /// Whether memory comes into being when it is touched.
    pub sparse: bool,
    /// Whether workers may write into requests.
    pub mutates_request: bool,
    /// Whether loans go round the ring of slots.
    pub ring_order: bool,
    /// How many workers may die with a request, each having taken it alone.
    pub max_attempts: u32,
    /// How long another process that is just taking the same name is waited for; `None` for ever.
    pub timeout: Option<Duration>,
    /// The most slots that each client of a service holds at once; `None` for as many as there are.
    pub slots_per_client: Option<u32>,
}

impl HostSettings {
    /// 16 slots of memory that is there from the beginning.
    #[must_use]
    pub fn new(name: &str) -> HostSettings {
        HostSettings {
            name: name.to_owned(),
            slots: 16,
            sparse: false,
            mutates_request: false,
            ring_order: false,
            max_attempts: MAX_ATTEMPTS,
            timeout: HostOptions::new(name).timeout,
            slots_per_client: None,
        }
    }
}

/// An arena that this process hosts.
pub struct DynHost {
    hosted: Hosted,
    crew: Crew,
}

impl DynHost {
    /// Makes the arena and takes the name; with a reply it is a service, else a one-way channel.
    ///
    /// # Errors
    /// As [`ChannelBuilder::create`](crate::channel::ChannelBuilder::create), and that of `look_around`, which is called while
    /// another process is waited for that is taking the same name.
    pub fn create(
        settings: &HostSettings,
        request: Schema,
        reply: Option<Schema>,
        look_around: LookAround<'_>,
    ) -> Result<DynHost, Error> {
        let mut options = HostOptions::new(&settings.name);
        options.slots = settings.slots;
        options.max_attempts = settings.max_attempts;
        options.timeout = settings.timeout;
        options.slots_per_client = settings.slots_per_client.map_or(0, |slots| slots.max(1));
        options.set(SPARSE, settings.sparse);
        options.set(MUTATES_REQUEST, settings.mutates_request);
        options.set(RING_ORDER, settings.ring_order);
        let hosted = Hosted::create(&options, request, reply, look_around)?;
        Ok(DynHost { hosted, crew: Crew::default() })
    }

    /// Gives the name back and lets nobody in any more; whoever is attached goes on. For a process that is about to end.
    pub fn leave(&mut self) {
        self.hosted.leave();
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

    /// Starts a worker, and does not wait until it is ready.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be supervised.
    pub fn start(&self, command: WorkerCommand) -> Result<Worker, Error> {
        let worker = Worker::start(command, self.hosted.arena())?;
        self.crew.note(&worker);
        Ok(worker)
    }

    /// How the workers are doing that were started here.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerHealth> {
        self.crew.health()
    }

    /// Whether process `pid` is ready to receive.
    #[must_use]
    pub fn is_attached(&self, pid: u32) -> bool {
        self.hosted.arena().is_attached(pid)
    }
}

/// Leads to an arena for as long as this process uses it, without being a use of its own.
#[derive(Clone)]
pub struct Watch {
    arena: Weak<Arena>,
}

impl Watch {
    /// The arena's name and what this process holds of it; `None` once it is unmapped.
    #[must_use]
    pub fn held(&self) -> Option<(String, Vec<Pin>)> {
        self.arena.upgrade().map(|arena| (arena.name().to_owned(), arena.pins_here()))
    }

    /// Whether this process still has the arena mapped.
    #[must_use]
    pub fn lives(&self) -> bool {
        self.arena.strong_count() > 0
    }
}

macro_rules! describe {
    ($($endpoint:ident { $($more:tt)* }),*) => {$(
        impl $endpoint {
            /// The schema of the record or request.
            #[must_use]
            pub fn request_schema(&self) -> &Arc<Schema> {
                &self.endpoint.arena().request().schema
            }

            /// The schema of the reply; `None` for a one-way channel.
            #[must_use]
            pub fn reply_schema(&self) -> Option<&Arc<Schema>> {
                self.endpoint.arena().reply().map(|part| &part.schema)
            }

            /// The number of slots.
            #[must_use]
            pub fn slots(&self) -> usize {
                self.endpoint.arena().slots()
            }

            /// What has happened in the arena so far, in numbers.
            #[must_use]
            pub fn metrics(&self) -> Metrics {
                Metrics::read(self.endpoint.arena())
            }

            /// Who holds slots at this moment.
            #[must_use]
            pub fn pins(&self) -> Vec<Pin> {
                self.endpoint.arena().pins()
            }

            /// What to ask later about what this process still holds, also after the endpoint is gone.
            #[must_use]
            pub fn watch(&self) -> Watch {
                Watch { arena: Arc::downgrade(self.endpoint.arena()) }
            }

            /// Whether the host still lives and hosts this arena.
            #[must_use]
            pub fn is_connected(&self) -> bool {
                self.endpoint.is_connected()
            }

            /// An endpoint like this one, of the arena that is hosted under the name now.
            ///
            /// # Errors
            /// As [`EndpointBuilder::connect`](crate::channel::EndpointBuilder::connect).
            pub fn again(
                &self,
                timeout: Option<Duration>,
                look_around: LookAround<'_>,
            ) -> Result<Self, Error> {
                Ok(Self { endpoint: self.endpoint.again(timeout, look_around)?, $($more)* })
            }

            /// Ends every operation that waits here without a thread, and each that would, with [`Error::Closed`] of `what`.
            pub fn close(&self, what: &'static str) {
                self.endpoint.close(what);
            }

            /// How long a wait lasts that names no timeout of its own.
            #[must_use]
            pub fn timeout(&self) -> Option<Duration> {
                self.endpoint.timeout()
            }
        }
    )*};
}

describe!(DynSender {}, DynReceiver {}, DynClient {}, DynServer { scratches: Scratches::default() });

/// Sends records.
pub struct DynSender {
    pub(super) endpoint: Endpoint,
}

/// Receives records.
pub struct DynReceiver {
    pub(super) endpoint: Endpoint,
}

/// Calls a service.
pub struct DynClient {
    pub(super) endpoint: Endpoint,
}

/// A send or call that did not happen, or failed, and the record where it can be repaired and sent again.
pub type NotSent = Box<(Error, Option<DynRecord>)>;

pub(super) fn loaned(claim: Claim) -> DynRecord {
    let mut record = DynRecord::blank(Arc::new(Lease::slot(claim)), Half::Request, None);
    if cfg!(debug_assertions) {
        record.fill(0xA5);
    }
    record
}

fn loan(
    endpoint: &Endpoint,
    timeout: Option<Duration>,
    look_around: LookAround<'_>,
) -> Result<DynRecord, Error> {
    endpoint.loan(timeout, look_around).map(loaned)
}

fn try_loan(endpoint: &Endpoint) -> Result<Option<DynRecord>, Error> {
    Ok(endpoint.try_loan()?.map(loaned))
}

/// Publishes a filled record: for a `call` keeps its slot, and says for how long the answer is waited for. `strict` refuses while a
/// view of one of its fields lives.
pub(super) fn publish(
    record: DynRecord,
    strict: bool,
    call: Option<Option<Duration>>,
) -> Result<Arc<Lease>, NotSent> {
    let refused = |error: &Error| claim_of(record.lease()).arena().note_error(error);
    if let Err(error) = record.check_complete().inspect_err(refused) {
        return Err(Box::new((error, Some(record))));
    }
    if strict && let Some((field, aliases)) = record.first_alias() {
        let error = Error::Aliased { field, aliases };
        refused(&error);
        return Err(Box::new((error, Some(record))));
    }
    let lease = Arc::clone(record.lease());
    // This function's two references; any other is an alias that keeps the sender's hold.
    let aliased = Lease::is_shared(&lease, 2);
    let parts = record.parts();
    let (keep, timeout) = (call.is_some() || aliased, call.flatten());
    match claim_of(&lease).publish(parts.presence(), |dim| parts.dim(dim), keep, lease.aliased(), timeout) {
        Ok(()) => Ok(lease),
        Err(error) => Err(Box::new((error, None))),
    }
}

pub(super) fn claim_of(lease: &Lease) -> &Claim {
    lease.claim().expect("endpoints deal in slots")
}

impl DynSender {
    /// Connects, waiting for the host to appear.
    ///
    /// # Errors
    /// As [`EndpointBuilder::connect`](crate::channel::EndpointBuilder::connect).
    pub fn connect(options: EndpointOptions, look_around: LookAround<'_>) -> Result<DynSender, Error> {
        Ok(DynSender { endpoint: options.connect(Role::Sender, false, look_around)? })
    }

    /// A slot to fill.
    ///
    /// # Errors
    /// As [`Sender::loan`](crate::channel::Sender::loan).
    pub fn loan(&self, timeout: Option<Duration>, look_around: LookAround<'_>) -> Result<DynRecord, Error> {
        loan(&self.endpoint, timeout, look_around)
    }

    /// A slot to fill, if one is free now.
    ///
    /// # Errors
    /// As [`Sender::try_loan`](crate::channel::Sender::try_loan).
    pub fn try_loan(&self) -> Result<Option<DynRecord>, Error> {
        try_loan(&self.endpoint)
    }

    /// How many records were dropped for newer ones.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.endpoint.arena().dropped()
    }

    /// Sends a record that was loaned here. Views of its fields that still live keep its slot from being used again.
    ///
    /// # Errors
    /// The record comes back with [`Error::MissingField`], [`Error::DimUnset`], [`Error::Aliased`].
    pub fn send(&self, record: DynRecord, strict: bool) -> Result<(), NotSent> {
        publish(record, strict, None).map(drop)
    }
}

impl DynReceiver {
    /// Connects, waiting for the host to appear.
    ///
    /// # Errors
    /// As [`EndpointBuilder::connect`](crate::channel::EndpointBuilder::connect).
    pub fn connect(options: EndpointOptions, look_around: LookAround<'_>) -> Result<DynReceiver, Error> {
        Ok(DynReceiver { endpoint: options.connect(Role::Receiver, false, look_around)? })
    }

    /// The record that was sent first.
    ///
    /// # Errors
    /// As [`Receiver::receive`](crate::channel::Receiver::receive).
    pub fn receive(
        &self,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<DynRecord, Error> {
        DynRecord::received(self.endpoint.take(timeout, look_around)?)
    }

    /// The record that was sent first, if there is one now.
    ///
    /// # Errors
    /// As [`Receiver::try_receive`](crate::channel::Receiver::try_receive).
    pub fn try_receive(&self) -> Result<Option<DynRecord>, Error> {
        self.endpoint.try_take()?.map(DynRecord::received).transpose()
    }

    /// Up to `max` records as one batch.
    ///
    /// # Errors
    /// As [`Receiver::receive_many`](crate::channel::Receiver::receive_many).
    ///
    /// # Panics
    /// If `max` is 0.
    pub fn receive_many(
        &self,
        max: usize,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<DynRecord, Error> {
        assert!(max > 0, "a run has at least one record");
        DynRecord::received_run(self.endpoint.take_run(max, timeout, look_around)?)
    }

    /// Up to `max` records as one batch, if there is one now.
    ///
    /// # Errors
    /// As [`Receiver::try_receive_many`](crate::channel::Receiver::try_receive_many).
    ///
    /// # Panics
    /// If `max` is 0.
    pub fn try_receive_many(&self, max: usize) -> Result<Option<DynRecord>, Error> {
        assert!(max > 0, "a run has at least one record");
        self.endpoint.try_take_run(max)?.map(DynRecord::received_run).transpose()
    }
}

impl DynClient {
    /// Connects, waiting for the host to appear.
    ///
    /// # Errors
    /// As [`EndpointBuilder::connect`](crate::channel::EndpointBuilder::connect).
    pub fn connect(options: EndpointOptions, look_around: LookAround<'_>) -> Result<DynClient, Error> {
        Ok(DynClient { endpoint: options.connect(Role::Sender, true, look_around)? })
    }

    /// A slot to fill.
    ///
    /// # Errors
    /// As [`Client::loan`](crate::service::Client::loan).
    pub fn loan(&self, timeout: Option<Duration>, look_around: LookAround<'_>) -> Result<DynRecord, Error> {
        loan(&self.endpoint, timeout, look_around)
    }

    /// A slot to fill, if one is free now.
    ///
    /// # Errors
    /// As [`Client::try_loan`](crate::service::Client::try_loan).
    pub fn try_loan(&self) -> Result<Option<DynRecord>, Error> {
        try_loan(&self.endpoint)
    }

    /// Calls with a record that was loaned here; [`DynClient::answer`] waits for the reply.
    ///
    /// # Errors
    /// The record comes back with [`Error::MissingField`], [`Error::DimUnset`], [`Error::Aliased`].
    pub fn call(
        &self,
        record: DynRecord,
        strict: bool,
        timeout: Option<Duration>,
    ) -> Result<DynCall, NotSent> {
        Ok(DynCall { lease: publish(record, strict, Some(timeout))?, over: false })
    }

    /// Waits for the reply to a call of this client's.
    ///
    /// # Errors
    /// As [`CallLoan::call`](crate::service::CallLoan::call).
    pub fn answer(
        &self,
        mut call: DynCall,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<DynRecord, Error> {
        self.endpoint.outcome(claim_of(&call.lease), timeout, look_around)?;
        call.over = true;
        DynRecord::adopted(Arc::clone(&call.lease), Half::Reply, None, false)
    }
}

/// A call under way. Dropping it leaves the call: nobody waits for the reply any more.
pub struct DynCall {
    lease: Arc<Lease>,
    over: bool,
}

impl Drop for DynCall {
    fn drop(&mut self) {
        if !self.over {
            // Aliases of the request may live on; the call does not.
            claim_of(&self.lease).leave();
        }
    }
}

/// The pidfd of the process that an environment variable of a worker ([`SUPERVISOR`](crate::service::SUPERVISOR)) names;
/// `None` when that process has ended.
///
/// # Errors
/// [`Error::Unsupported`] when that cannot be told from here; [`Error::TooManyFiles`], [`Error::Io`].
#[cfg(connects)]
pub fn supervisor(identity: &str) -> Result<Option<std::os::fd::OwnedFd>, Error> {
    use std::os::fd::AsFd;
    let Some(process) = crate::memory::Process::from_identity(identity)? else { return Ok(None) };
    let io = |source| Error::Io { what: "watching the supervisor", source };
    process.as_fd().try_clone_to_owned().map(Some).map_err(io)
}

#[cfg(all(test, connects))]
mod tests {
    use super::*;
    use crate::schema::{DType, Field, Shape};

    #[test]
    fn a_garbled_record_of_a_run_is_lost_alone() {
        let schema =
            Schema::new("garbled", 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap();
        let name = format!("garbledrecord.p{}", std::process::id());
        let settings = HostSettings { slots: 4, ring_order: true, ..HostSettings::new(&name) };
        let mut nothing = || Ok(());
        let host = DynHost::create(&settings, schema, None, &mut nothing).unwrap();
        let options =
            || EndpointOptions { timeout: Some(Duration::from_secs(10)), ..EndpointOptions::new(&name) };
        let sender = DynSender::connect(options(), &mut nothing).unwrap();
        let receiver = DynReceiver::connect(options(), &mut nothing).unwrap();
        // The second says of itself that its required field is absent.
        for presence in [1, 0, 1] {
            let claim = sender.endpoint.loan(None, &mut nothing).unwrap();
            claim.publish(presence, |_| None, false, 0, None).unwrap();
        }
        let error = receiver.try_receive_many(3).map(drop).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        let rows = || receiver.try_receive_many(3).unwrap().map(|run| run.run());
        assert_eq!([rows(), rows(), rows()], [Some(Some(1)), Some(Some(1)), None]);
        assert_eq!(host.free_slots(), 4);
    }
}
