//! One-way records: a [`Channel`] hosts the arena, [`Sender`]s fill and send, [`Receiver`]s take.

mod builder;
#[cfg(connects)]
mod descriptor;
mod endpoint;
mod field;
mod host;
mod loan;
mod receiver;
mod record;
mod run;
mod sender;

pub(crate) use builder::Connect;
pub use builder::EndpointBuilder;
#[cfg(connects)]
pub use descriptor::{DescribedField, Descriptor};
pub(crate) use endpoint::{Endpoint, Options, endpoint_methods};
pub use field::FieldRef;
pub(crate) use field::{Fields, InSlot, in_slot};
pub use host::{Channel, ChannelBuilder};
pub(crate) use host::{HostOptions, Hosted};
pub use loan::{Loan, SendError};
pub use receiver::{Received, Receiver};
pub(crate) use record::{MutRecord, MutStore, RefRecord, RefStore, adopted_parts, parts_of};
pub use run::ReceivedRun;
pub use sender::Sender;
