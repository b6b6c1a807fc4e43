//! How processes meet: a private directory of Unix sockets, one short handshake, and pidfds that tell who has died.

#[cfg(connects)]
mod attach;
#[cfg(connects)]
mod directory;
#[cfg(all(any(test, fuzzing), connects))]
pub(crate) mod fuzz;
#[cfg(connects)]
mod handshake;
#[cfg(connects)]
mod host;
mod meeting;
#[cfg(connects)]
mod name;
#[cfg(connects)]
mod name_lock;
#[cfg(connects)]
mod socket;
#[cfg(not(connects))]
mod unsupported;

pub use meeting::meeting_directory;
#[cfg(not(connects))]
pub(crate) use unsupported::{Host, attach};
#[cfg(connects)]
pub(crate) use {attach::attach, host::Host};

/// Which side of the slots a participant works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Role {
    /// A sender or a client.
    Sender = 1,
    /// A receiver or a server.
    Receiver = 2,
    /// Holds nothing and only looks. 3 is the host.
    Observer = 4,
}
