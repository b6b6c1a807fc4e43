//! Records whose schema is known at run time only: what bindings to other languages are made of.
//!
//! The types here are those of [`channel`](crate::channel) and [`service`](crate::service) without a Rust type for the
//! record. A hold on a slot is shared ([`Lease`]), because in a garbage-collected language any number of aliases may lead
//! to its memory; the slot is used again only after the last of them.

mod endpoint;
mod exchange;
mod field;
mod lease;
mod pending;
mod record;

#[cfg(connects)]
pub use endpoint::supervisor;
pub use endpoint::{
    DynCall, DynClient, DynHost, DynReceiver, DynSender, EndpointOptions, HostSettings, LookAround, NotSent,
    Watch,
};
pub use exchange::{DynExchange, DynServer};
pub use field::{FieldAlias, FieldLayout, FieldView, MAX_VIEW_RANK};
pub use lease::Lease;
pub use pending::DynPending;
pub use record::{DynRecord, heap_run};

pub use crate::arena::Gather;
pub use crate::channel::{Batching, Copied};
