//! Calls: a [`Service`] hosts the arena, [`Client`]s call, [`Server`]s and Python workers answer.

mod client;
mod host;
mod run;
mod server;
mod supervise;
mod worker;

pub use crate::arena::Gather;
pub use crate::channel::Batching;
pub use client::{CallLoan, Client};
pub use host::{Service, ServiceBuilder};
pub use run::{Replies, RequestRun};
pub use server::{Request, Server};
pub use supervise::{Restarts, SUPERVISOR, WorkerCommand, WorkerHealth, WorkerState, report_to_stderr};
pub(crate) use worker::Crew;
pub use worker::{PythonWorker, Worker};
