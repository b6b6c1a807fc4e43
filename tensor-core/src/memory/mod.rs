//! Memory that several processes share, and what else the operating system is asked for: sealed memfds, mapped once; the
//! flag that a fork wipes, and threads that a forked child has not; whether a process has ended; the clock; child processes.

#[cfg(connects)]
mod available;
#[cfg(connects)]
mod child;
mod fetch;
#[cfg(connects)]
mod fork;
mod per_process;
#[cfg(connects)]
mod process;
#[cfg(connects)]
mod segment;
#[cfg(connects)]
mod system;
mod thread;
#[cfg(not(connects))]
mod unsupported;

pub(crate) use fetch::Fetch;
pub(crate) use per_process::PerProcess;
pub(crate) use thread::OwnThread;
#[cfg(not(connects))]
pub(crate) use unsupported::{
    Alarm, Attended, ForkFlag, Process, Segment, command_of, identity, monotonic_ns, precise_monotonic_ns,
    random_bytes, say_line, unsupported, user_id,
};
#[cfg(connects)]
pub(crate) use {
    child::{Alarm, Attended, say_line},
    fork::ForkFlag,
    process::{Process, command_of, identity},
    segment::Segment,
    system::{monotonic_ns, precise_monotonic_ns, random_bytes, user_id},
};

/// How the memory of an arena is provided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentOptions {
    /// Pages come into being when they are first touched, instead of all at once when the segment is made.
    pub(crate) sparse: bool,
}
