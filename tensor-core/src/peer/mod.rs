//! How processes meet: a private directory of Unix sockets, one short handshake, and pidfds that tell who has died.

mod attach;
mod directory;
mod handshake;
mod host;
mod name;
mod socket;

pub(crate) use attach::{Role, attach};
pub(crate) use host::Host;
