//! One-way records: a [`Channel`] hosts the arena, [`Sender`]s fill and send, [`Receiver`]s take.

mod batch;
mod batching;
mod builder;
#[cfg(connects)]
mod descriptor;
mod endpoint;
mod field;
#[cfg(all(any(test, fuzzing), connects))]
mod fuzz;
mod host;
mod loan;
mod receiver;
mod record;
mod requests;
mod run;
mod scratch;
mod sender;
mod traced;

pub use crate::arena::WhenFull;
#[doc(hidden)]
pub use batch::Copied;
pub(crate) use batch::{Batch, Failures, answer_each, remote};
pub use batching::Batching;
pub use builder::EndpointBuilder;
pub(crate) use builder::{Connect, Loans};
#[cfg(connects)]
pub use descriptor::{DescribedField, Descriptor};
pub(crate) use endpoint::{Endpoint, LookAround, Options, Pending, endpoint_methods};
pub use field::FieldRef;
pub(crate) use field::{Fields, InSlot, in_slot, set_trace_method};
#[cfg(all(any(test, fuzzing), connects))]
pub(crate) use fuzz::is_whole;
pub use host::{Channel, ChannelBuilder};
pub(crate) use host::{HostOptions, Hosted, debug_arena};
pub use loan::{Loan, SendError};
pub use receiver::{Received, Receiver};
use record::adopt;
pub(crate) use record::{MutRecord, MutStore, RefRecord, RefStore, adopted_parts, parts_of};
pub(crate) use requests::{adopted_requests, adopted_rows};
pub use run::{ReceivedRun, Records};
pub(crate) use scratch::Scratches;
pub use sender::Sender;
pub(crate) use traced::{TracedCall, TracedServe, carry_current};
