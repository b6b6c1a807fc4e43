//! Waiting without a thread of one's own: what awaits a slot, a record or an answer, and the thread that watches for all.
//!
//! An asynchronous operation is polled. It looks for itself first, so what is there already costs no more than a
//! blocking call. Only when there is nothing it leaves its [`Waker`](std::task::Waker) with its connection ([`Waits`]).
//! One thread for each process ([`attendant`]) sleeps on the bells of all connections at once, looks what has come, and
//! wakes the operations concerned: it knows no runtime and never runs the program's
//! code but the wakers. A connection has one bell for all its calls, and hints at which of them were answered, so that
//! a wake costs as much as was answered, and not as much as is under way.
//!
//! Whatever is lost with a killed process is found within a slice of 100 ms, in which everything is looked at: words,
//! deadlines, and the host's life.

mod attendant;
mod operation;
mod waits;

pub(crate) use operation::{AnswerWait, LoanWait, TakeWait};
pub(crate) use waits::Waits;
