//! Answering calls in Rust.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::{Replies, RequestRun};
use crate::arena::{Claim, Expected, Half};
use crate::channel::{
    Batch, Batching, Connect, Endpoint, EndpointBuilder, MutStore, Records, RefStore, Scratches, TracedServe,
    endpoint_methods,
};
use crate::error::{Error, RemoteError};
use crate::peer::Role;
use crate::trace::TraceContext;
use crate::view::Record;

/// Answers calls with requests of type `Req` and replies of type `Rep`. Several servers share the work.
pub struct Server<Req, Rep> {
    endpoint: Endpoint,
    scratches: Scratches,
    records: PhantomData<fn() -> (Req, Rep)>,
}

impl<Req: Record, Rep: Record> Connect for Server<Req, Rep> {
    const ROLE: Role = Role::Receiver;

    fn expected() -> Expected {
        Expected { request: Some(Req::SCHEMA.clone()), reply: Some(Rep::SCHEMA.clone()) }
    }

    fn connected(endpoint: Endpoint) -> Self {
        Server { endpoint, scratches: Scratches::default(), records: PhantomData }
    }
}

endpoint_methods!(Server<Req, Rep>);

impl<Req: Record, Rep: Record> Server<Req, Rep> {
    /// A server for the service called `name`.
    pub fn builder(name: &str) -> EndpointBuilder<Self> {
        EndpointBuilder::new(name)
    }

    /// The request that was sent first, waiting for one for up to the timeout.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::HostDied`], [`Error::Forked`], [`Error::Corrupt`].
    pub fn receive(&self) -> Result<Request<Req, Rep>, Error> {
        self.receive_within(self.endpoint.timeout())
    }

    /// As [`Server::receive`], waiting for up to `timeout`.
    ///
    /// # Errors
    /// As [`Server::receive`].
    pub fn receive_timeout(&self, timeout: Duration) -> Result<Request<Req, Rep>, Error> {
        self.receive_within(Some(timeout))
    }

    fn receive_within(&self, timeout: Option<Duration>) -> Result<Request<Req, Rep>, Error> {
        let claim = self.endpoint.take(timeout, &mut || Ok(()))?;
        // SAFETY: `connect` compared both schemas with the arena's, and a server's claim on a taken slot allows reading
        // its request and writing its reply.
        unsafe { Request::adopt(claim) }
    }

    /// Answers requests, one at a time, until the service's host is gone. What `handler` returns as an error reaches the
    /// caller as [`Error::Remote`], and so does a reply that lacks a required field. A request that a peer garbled is refused,
    /// and the next one answered.
    ///
    /// # Errors
    /// [`Error::Forked`]. The end of the host is not an error.
    pub fn serve<E, F>(&self, mut handler: F) -> Result<(), Error>
    where
        E: std::fmt::Display,
        F: FnMut(&Req::Ref, &mut Rep::Mut) -> Result<(), E>,
    {
        until_the_end(|| {
            let mut request = self.receive_within(None)?;
            let traced = TracedServe::begin(std::slice::from_ref(&request.claim));
            let (question, reply) = request.split();
            match traced.end(handler(question, reply)) {
                Ok(()) => request.reply(),
                Err(error) => request.fail(std::any::type_name::<E>(), &error.to_string()),
            }
        })
    }

    /// Requests that can be answered together: waits for the one that was sent first for up to the timeout, and takes with it
    /// those that are ready then and lie beside it in memory, so that each field of all of them is one array. While more may
    /// join them, they are waited for as long as `batching` says. Requests that lie elsewhere are left for the next run, or
    /// copied beside it in memory of this process ([`Gather`](super::Gather)). A request that a worker died with is alone.
    ///
    /// Runs get long only in a service whose loans are in [`ring_order`](super::ServiceBuilder::ring_order). They do not go
    /// beyond the last slot, so the number of slots is best a multiple of their length.
    ///
    /// # Errors
    /// As [`Server::receive`]; [`Error::OutOfMemory`] or [`Error::InvalidSchema`] when there is no memory to copy requests to, which
    /// other servers, or the next call of this, can take then.
    pub fn receive_many(&self, batching: impl Into<Batching>) -> Result<RequestRun<Req, Rep>, Error> {
        self.receive_many_within(batching.into(), self.endpoint.timeout())
    }

    /// As [`Server::receive_many`], waiting for the first request for up to `timeout`.
    ///
    /// # Errors
    /// As [`Server::receive_many`].
    pub fn receive_many_timeout(
        &self,
        batching: impl Into<Batching>,
        timeout: Duration,
    ) -> Result<RequestRun<Req, Rep>, Error> {
        self.receive_many_within(batching.into(), Some(timeout))
    }

    fn receive_many_within(
        &self,
        batching: Batching,
        timeout: Option<Duration>,
    ) -> Result<RequestRun<Req, Rep>, Error> {
        let claims = self.endpoint.take_batch(batching, timeout, &mut || Ok(()))?;
        let batch = Batch::new(claims, &self.scratches, batching.max)?;
        // SAFETY: `connect` compared both schemas with the arena's.
        unsafe { RequestRun::adopt(batch) }
    }

    /// Answers requests, as many at a time as [`Server::receive_many`] gives, until the service's host is gone. `handler` gets
    /// the requests and as many replies to fill; what it returns as an error reaches every caller of the run as
    /// [`Error::Remote`], and with [`Replies::fail`] it can tell one of them alone. A reply that lacks a required field is an
    /// error for its own caller. When a peer garbled a request, that one is refused.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::OutOfMemory`] or [`Error::InvalidSchema`] as [`Server::receive_many`]. The end of the host is not an
    /// error.
    pub fn serve_many<E, F>(&self, batching: impl Into<Batching>, mut handler: F) -> Result<(), Error>
    where
        E: std::fmt::Display,
        F: FnMut(&mut Records<Req>, &mut Replies<Rep>) -> Result<(), E>,
    {
        let batching = batching.into();
        until_the_end(|| {
            let mut run = self.receive_many_within(batching, None)?;
            let traced = TracedServe::begin(run.claims());
            let (questions, replies) = run.split();
            match traced.end(handler(questions, replies)) {
                Ok(()) => run.reply(),
                Err(error) => run.fail(std::any::type_name::<E>(), &error.to_string()),
            }
        })
    }
}

/// Answers until the service's host is gone.
fn until_the_end(mut answer: impl FnMut() -> Result<(), Error>) -> Result<(), Error> {
    loop {
        match answer() {
            Ok(()) => {}
            Err(Error::HostDied { .. }) => return Ok(()),
            // One slot's words; the others are whole.
            Err(error @ Error::Corrupt { .. }) => {
                tracing::error!(target: "tensorbridge", %error, "a request is skipped");
            }
            Err(error) => return Err(error),
        }
    }
}

/// A request that this process answers. Dropping it unanswered tells the caller so.
pub struct Request<Req: Record, Rep: Record> {
    // The views before the claim: nothing may lead to the memory once the claim is gone.
    request: RefStore<Req>,
    reply: MutStore<Rep>,
    claim: Claim,
}

impl<Req: Record, Rep: Record> fmt::Debug for Request<Req, Rep> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Request");
        out.field("slot", &self.claim.slot())
            .field("request", &self.request)
            .field("reply", &self.reply)
            .finish()
    }
}

impl<Req: Record, Rep: Record> Request<Req, Rep> {
    /// # Safety
    /// `Req::SCHEMA` and `Rep::SCHEMA` must be the schemas of the claim's arena.
    unsafe fn adopt(claim: Claim) -> Result<Self, Error> {
        // SAFETY: the caller vouches for both schemas, and the claim is kept beside the views. The two halves of a slot
        // are different bytes.
        unsafe {
            let request = RefStore::adopt(&claim, Half::Request).inspect_err(|error| claim.refuse(error))?;
            let reply = MutStore::new(&claim, Half::Reply);
            Ok(Request { request, reply, claim })
        }
    }

    /// What was asked.
    #[must_use]
    pub fn request(&self) -> &Req::Ref {
        self.request.view()
    }

    /// The trace that the request belongs to, if its caller named one.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        self.claim.trace()
    }

    /// How long its caller goes on waiting, a few milliseconds more or less; `None` for ever. No request is received after
    /// that.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.claim.time_left()
    }

    /// The answer so far.
    #[must_use]
    pub fn reply_mut(&mut self) -> &mut Rep::Mut {
        self.reply.view_mut()
    }

    /// What was asked, and the answer to be written.
    #[must_use]
    pub fn split(&mut self) -> (&Req::Ref, &mut Rep::Mut) {
        (self.request.view(), self.reply.view_mut())
    }

    /// Sends the answer. A reply that lacks a required field reaches the caller as [`Error::Remote`].
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub fn reply(self) -> Result<(), Error> {
        let parts = self.reply.parts();
        match parts.check_complete(Rep::SCHEMA) {
            Ok(()) => self.claim.answer(parts.presence(), |dim| parts.dim(dim), false, 0),
            Err(error) => self.fail(error.name(), &error.to_string()),
        }
    }

    /// Tells the caller that this request failed.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub fn fail(self, type_name: &str, message: &str) -> Result<(), Error> {
        let failure = RemoteError {
            type_name: type_name.to_owned(),
            message: message.to_owned(),
            traceback: String::new(),
        };
        self.claim.fail(&failure, false, 0)
    }
}
