//! Typed tensor records in shared memory: what a Rust struct declares, PyTorch and NumPy see without a copy.
//!
//! ```
//! use std::time::Duration;
//! use tensorbridge::{Channel, Receiver, Sender, Tensor};
//!
//! /// A photo ready for the classifier.
//! #[derive(Tensor)]
//! struct Image {
//!     /// RGB planes, normalised.
//!     pixels: [[[f32; 224]; 224]; 3],
//!     /// The caller's number for this photo.
//!     id: u64,
//! }
//!
//! # fn main() -> Result<(), tensorbridge::Error> {
//! # let name = format!("doc.p{}", std::process::id());
//! # let name = name.as_str();
//! let _channel = Channel::<Image>::builder(name).slots(4).create()?; // this process hosts the memory
//! let sender = Sender::<Image>::builder(name).connect()?;            // in any process
//! let receiver = Receiver::<Image>::builder(name).timeout(Duration::from_secs(5)).connect()?;
//!
//! let mut image = sender.loan()?; // a slot in shared memory
//! image.pixels_mut().fill(0.5);   // written in place
//! image.set_id(7);
//! image.send()?;                  // moved, not copied
//!
//! let image = receiver.receive()?;
//! assert_eq!((image.id(), image.pixels()[150_527]), (7, 0.5));
//! # Ok(())
//! # }
//! ```
//!
//! Waiting for a slot, an answer or a record can be awaited, on any runtime: `loan_async`, `call_async`, `receive_async`, and
//! [`Receiver::stream`]. What else may wait blocks its thread: connecting, hosting, starting and stopping workers, `receive_many`, a
//! [`Server`].
//!
//! ```
//! # use tensorbridge::{Client, Error, Server, Service, Tensor};
//! # #[derive(Tensor)]
//! # struct Number { value: f32 }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let name = format!("doc.call.p{}", std::process::id());
//! # let service = Service::<Number, Number>::builder(&name).create()?;
//! # let server = Server::<Number, Number>::builder(&name).connect()?;
//! # let doubles = std::thread::spawn(move || server.serve(|x, y| { y.set_value(2.0 * x.value()); Ok::<_, String>(()) }));
//! let client = Client::<Number, Number>::builder(&name).connect()?;
//! let calls = [1.0, 2.0, 3.0].map(async |value| {
//!     let mut number = client.loan_async().await?;
//!     number.set_value(value);
//!     Ok::<_, Error>(number.call_async().await?.value())
//! });
//! assert_eq!(futures_util::future::try_join_all(calls).await?, [2.0, 4.0, 6.0]);
//! # drop(service);
//! # doubles.join().unwrap()
//! # }
//! ```
//!
//! - Declare a record: [`#[derive(Tensor)]`](derive@Tensor), [`Record`], [`schema`].
//! - Send records one way: [`Channel`], [`Sender`], [`Receiver`].
//! - Call a model: [`Service`], [`Client`], and a [`PythonWorker`] or a [`Server`] that answers.
//! - A record of one's own: [`Owned`].
//! - A field as an address, or as a value for another process: [`FieldRef`], [`Descriptor`].
//! - See what an arena is and who holds it: [`describe()`]; what has happened in it, in numbers: [`metrics()`].
//! - One trace across processes: [`trace::TraceContext`], and spans of [`tracing`](https://docs.rs/tracing).
//! - What can go wrong: [`Error`].

#[doc(hidden)]
pub use tensor_core::__private;
pub use tensor_core::channel::{
    Channel, ChannelBuilder, EndpointBuilder, FieldRef, Loan, Received, ReceivedRun, Receiver, Records,
    SendError, Sender, WhenFull,
};
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    target_endian = "little",
    not(tensorbridge_unsupported)
))]
pub use tensor_core::channel::{DescribedField, Descriptor};
pub use tensor_core::describe::{Description, Kind, Participant, Phases, describe, describe_timeout, pins};
pub use tensor_core::metrics::{CopyReason, Distribution, ErrorCount, Metrics, Probe, ProbeBuilder, metrics};
pub use tensor_core::service::{
    Batching, CallLoan, Client, Gather, PythonWorker, Replies, Request, RequestRun, Restarts, Server,
    Service, ServiceBuilder, Worker, WorkerHealth, WorkerState,
};
pub use tensor_core::view::{Owned, Record, RowMut};
pub use tensor_core::{
    Error, Full, Holder, Pin, Recoveries, RemoteError, SchemaMismatch, WaitStrategy, meeting_directory,
    schema, trace, view,
};
pub use tensor_derive::Tensor;

/// Their examples are run.
#[cfg(doctest)]
#[doc = include_str!("../docs/batching.md")]
#[doc = include_str!("../docs/metrics.md")]
struct Pages;
