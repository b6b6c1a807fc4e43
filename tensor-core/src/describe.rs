//! What an arena is and how it is doing, seen from outside: for people and for programs that watch.

use std::time::Duration;

use crate::arena::{Arena, Expected, MUTATES_REQUEST, Pin, RING_ORDER, SPARSE};
use crate::error::{Error, Holder};
use crate::peer::{Role, attach};
use crate::schema::Schema;
use crate::schema::export::module_of_arena;

/// How long [`describe`] looks for the host.
pub const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether records go one way or are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Records go from senders to receivers.
    Channel,
    /// Clients call servers.
    Service,
}

impl Kind {
    /// `channel` or `service`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Channel => "channel",
            Kind::Service => "service",
        }
    }
}

/// A process that is attached to an arena. A process is listed once for each of its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// The process.
    pub pid: u32,
    /// What it does there: `host`, `sender`, `receiver`, `client`, `server`, or `observer`, who only looks.
    pub role: &'static str,
}

/// How many slots are in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Nobody's.
    pub free: usize,
    /// A sender or client fills them.
    pub loaned: usize,
    /// Sent and not received yet.
    pub ready: usize,
    /// A receiver or server works on them.
    pub taken: usize,
    /// Received or answered; replies that are read, and aliases, keep them.
    pub done: usize,
}

/// What an arena is and how it was doing at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// The name of the meeting point.
    pub name: String,
    /// Whether it is a channel or a service.
    pub kind: Kind,
    /// What its records are; of a service, its requests.
    pub request: Schema,
    /// What a service's replies are; `None` for a channel.
    pub reply: Option<Schema>,
    /// How many records can exist at once.
    pub slots: usize,
    /// What the slots are doing.
    pub phases: Phases,
    /// The process that hosts it.
    pub host_pid: u32,
    /// 32 hexadecimal digits that tell this arena from any other of the same name.
    pub epoch: String,
    /// Who is attached, the host first; whoever asked is left out.
    pub participants: Vec<Participant>,
    /// Who holds slots, most first.
    pub holders: Vec<Holder>,
    /// Each hold on a slot.
    pub pins: Vec<Pin>,
    /// Bytes of shared memory in all.
    pub bytes: usize,
    /// Bytes of one record or request: all its fields, symbolic dimensions at their capacity.
    pub request_bytes: usize,
    /// Bytes of one reply; 0 for a channel.
    pub reply_bytes: usize,
    /// Whether memory comes into being when it is touched.
    pub sparse: bool,
    /// Whether workers may write into requests, so that a call whose worker dies is not repeated.
    pub mutates_request: bool,
    /// Whether loans go round the ring of slots, as batching wants.
    pub ring_order: bool,
}

impl Description {
    /// A Python module that declares the arena's records as classes.
    ///
    /// `python -m tensorbridge stubs NAME` writes it.
    #[must_use]
    pub fn python_module(&self) -> String {
        module_of_arena(&self.name, &self.request, self.reply.as_ref())
    }
}

/// Describes the arena called `name`, which takes no slot of it. Waits for its host for up to [`DESCRIBE_TIMEOUT`].
///
/// ```
/// # use tensor_core::{dynamic::{DynHost, HostSettings}, describe::describe};
/// # use tensor_core::schema::{DType, Field, Schema, Shape};
/// # let id = Field::new("id", DType::U64, Shape::SCALAR);
/// # let schema = Schema::new("vision.image", 0, "", vec![], vec![id]).unwrap();
/// # let name = format!("described.p{}", std::process::id());
/// # let settings = HostSettings { slots: 4, ..HostSettings::new(&name) };
/// # let _host = match DynHost::create(&settings, schema, None, &mut || Ok(())) {
/// #     Err(tensor_core::Error::Unsupported { .. }) => return Ok(()),
/// #     host => host?,
/// # };
/// let camera = describe(&name)?;
/// assert_eq!((camera.request.name(), camera.slots, camera.phases.free), ("vision.image", 4, 4));
/// # Ok::<(), tensor_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotFound`], [`Error::InvalidName`], [`Error::NotTensorbridge`], [`Error::AbiMismatch`],
/// [`Error::WrongUser`], [`Error::BadSegment`], [`Error::Refused`], [`Error::Timeout`] when the host does not answer,
/// and those of the meeting directory.
pub fn describe(name: &str) -> Result<Description, Error> {
    describe_timeout(name, DESCRIBE_TIMEOUT)
}

/// Each hold on a slot of the arena called `name`: which process holds what, as what, and for how long.
///
/// # Errors
/// As [`describe`].
pub fn pins(name: &str) -> Result<Vec<Pin>, Error> {
    describe(name).map(|seen| seen.pins)
}

/// As [`describe`], waiting for the host for up to `timeout`.
///
/// # Errors
/// As [`describe`].
pub fn describe_timeout(name: &str, timeout: Duration) -> Result<Description, Error> {
    describe_with(name, Some(timeout), &mut || Ok(()))
}

/// As [`describe`], for bindings to other languages: `look_around` is called while waiting and ends it with its error.
///
/// # Errors
/// As [`describe`].
#[doc(hidden)]
pub fn describe_with(
    name: &str,
    timeout: Option<Duration>,
    look_around: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Description, Error> {
    attach(name, Role::Observer, &Expected::default(), timeout, look_around)
        .map(|arena| describe_arena(&arena))
}

pub(crate) fn kind_of(arena: &Arena) -> Kind {
    if arena.reply().is_some() { Kind::Service } else { Kind::Channel }
}

pub(crate) fn phases_of(arena: &Arena) -> Phases {
    let [free, loaned, ready, taken, done] = arena.phases();
    Phases { free, loaned, ready, taken, done }
}

fn describe_arena(arena: &Arena) -> Description {
    let header = arena.header();
    let kind = kind_of(arena);
    let role = |role| match (role, kind) {
        (1, Kind::Channel) => "sender",
        (1, Kind::Service) => "client",
        (2, Kind::Channel) => "receiver",
        (2, Kind::Service) => "server",
        (3, _) => "host",
        _ => "observer",
    };
    let attached = arena.attached().into_iter();
    let participants = attached.map(|row| Participant { pid: row.pid, role: role(row.role) }).collect();
    let bytes = |columns: &[crate::schema::Column]| columns.iter().map(|column| column.size).sum();
    Description {
        name: arena.name().to_owned(),
        kind,
        request: (*arena.request().schema).clone(),
        reply: arena.reply().map(|part| (*part.schema).clone()),
        slots: arena.slots(),
        phases: phases_of(arena),
        host_pid: header.host_pid,
        epoch: header.epoch_text(),
        participants,
        holders: arena.holders(),
        pins: arena.pins(),
        bytes: arena.bytes(),
        request_bytes: bytes(&arena.request().columns),
        reply_bytes: arena.reply().map_or(0, |part| bytes(&part.columns)),
        sparse: header.flags & SPARSE != 0,
        mutates_request: header.flags & MUTATES_REQUEST != 0,
        ring_order: header.flags & RING_ORDER != 0,
    }
}
