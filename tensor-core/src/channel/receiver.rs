//! Receiving records.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::{Connect, Endpoint, EndpointBuilder, Pending, ReceivedRun, RefRecord, endpoint_methods, in_slot};
use crate::arena::{Claim, ClaimRun, Expected, Half};
use crate::error::Error;
use crate::peer::Role;
use crate::trace::TraceContext;
use crate::view::Record;
use crate::waiter::TakeWait;

/// Takes records of type `R`, in the order they were sent. Several receivers compete; each record goes to one.
pub struct Receiver<R> {
    endpoint: Endpoint,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Connect for Receiver<R> {
    const ROLE: Role = Role::Receiver;

    fn expected() -> Expected {
        Expected { request: Some(R::SCHEMA.clone()), reply: None }
    }

    fn connected(endpoint: Endpoint) -> Self {
        Receiver { endpoint, record: PhantomData }
    }
}

endpoint_methods!(Receiver<R>);

impl<R: Record> Receiver<R> {
    /// A receiver for the channel called `name`.
    pub fn builder(name: &str) -> EndpointBuilder<Self> {
        EndpointBuilder::new(name)
    }

    fn record(claim: Claim) -> Result<Received<R>, Error> {
        // SAFETY: `connect` compared `R::SCHEMA` with the arena's schema.
        let record = unsafe { RefRecord::adopt(claim, Half::Request) }?;
        Ok(Received { record })
    }

    /// The record that was sent first, waiting for one for up to the timeout.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::HostDied`], [`Error::Forked`], [`Error::Corrupt`].
    pub fn receive(&self) -> Result<Received<R>, Error> {
        Self::record(self.endpoint.take(self.endpoint.timeout(), &mut || Ok(()))?)
    }

    /// As [`Receiver::receive`], waiting for up to `timeout`.
    ///
    /// # Errors
    /// As [`Receiver::receive`].
    pub fn receive_timeout(&self, timeout: Duration) -> Result<Received<R>, Error> {
        Self::record(self.endpoint.take(Some(timeout), &mut || Ok(()))?)
    }

    /// The record that was sent first, if there is one now.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub fn try_receive(&self) -> Result<Option<Received<R>>, Error> {
        self.endpoint.try_take()?.map(Self::record).transpose()
    }

    fn run(claims: ClaimRun) -> Result<ReceivedRun<R>, Error> {
        // SAFETY: `connect` compared `R::SCHEMA` with the arena's schema, and that the arena is a one-way channel.
        unsafe { ReceivedRun::adopt(claims) }
    }

    /// Up to `max` records as one batch, without a copy: waits for the record that was sent first for up to the timeout, and
    /// takes with it what is ready then and lies beside it in memory.
    ///
    /// Each sender's records are in the order sent. A batch is longest when the channel's
    /// [`ring_order`](super::ChannelBuilder::ring_order) is on. Records in hand when this process is killed are received by
    /// another.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::HostDied`], [`Error::Forked`], [`Error::Corrupt`].
    ///
    /// # Panics
    /// If `max` is 0.
    pub fn receive_many(&self, max: usize) -> Result<ReceivedRun<R>, Error> {
        self.receive_many_within(max, self.endpoint.timeout())
    }

    /// As [`Receiver::receive_many`], waiting for up to `timeout`.
    ///
    /// # Errors
    /// As [`Receiver::receive_many`].
    ///
    /// # Panics
    /// If `max` is 0.
    pub fn receive_many_timeout(&self, max: usize, timeout: Duration) -> Result<ReceivedRun<R>, Error> {
        self.receive_many_within(max, Some(timeout))
    }

    fn receive_many_within(&self, max: usize, timeout: Option<Duration>) -> Result<ReceivedRun<R>, Error> {
        assert!(max > 0, "a run has at least one record");
        Self::run(self.endpoint.take_run(max, timeout, &mut || Ok(()))?)
    }

    /// Up to `max` records as one batch, if there is one now. See [`Receiver::receive_many`].
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    ///
    /// # Panics
    /// If `max` is 0.
    pub fn try_receive_many(&self, max: usize) -> Result<Option<ReceivedRun<R>>, Error> {
        assert!(max > 0, "a run has at least one record");
        self.endpoint.try_take_run(max)?.map(Self::run).transpose()
    }

    /// As [`Receiver::receive`], without a thread that waits. A future that is dropped takes no record with it.
    ///
    /// # Errors
    /// As [`Receiver::receive`]; [`Error::Io`] when the thread that watches for asynchronous operations cannot be started.
    pub fn receive_async(&self) -> impl Future<Output = Result<Received<R>, Error>> + Send + use<R> {
        let mut wait = self.endpoint.take_async(self.endpoint.timeout());
        async move { Self::record(poll_fn(|cx| wait.poll(cx)).await?) }
    }

    /// Every record from now on, until the host is gone; no timeout applies. A record that a peer garbled is an
    /// [`Error::Corrupt`], and the next one follows; after any other error the stream ends.
    pub fn stream(&self) -> impl Stream<Item = Result<Received<R>, Error>> + Send + Unpin + use<R> {
        RecordStream { wait: Some(self.endpoint.take_async(None)), record: PhantomData }
    }
}

/// The records of a receiver, one after the other.
struct RecordStream<R> {
    /// `None` after the end.
    wait: Option<Pending<TakeWait>>,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Stream for RecordStream<R> {
    type Item = Result<Received<R>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(wait) = &mut self.wait else { return Poll::Ready(None) };
        let item = ready!(wait.poll(cx)).and_then(Receiver::record);
        if let Err(error) = &item
            && !matches!(error, Error::Corrupt { .. })
        {
            self.wait = None;
        }
        Poll::Ready(Some(item).filter(|item| !matches!(item, Err(Error::HostDied { .. }))))
    }
}

/// A record that was received, or the reply to a call. Dropping it gives its slot back.
///
/// It dereferences to the record's read-only view ([`Record::Ref`]).
pub struct Received<R: Record> {
    record: RefRecord<R>,
}

impl<R: Record> Received<R> {
    pub(crate) fn new(record: RefRecord<R>) -> Received<R> {
        Received { record }
    }

    /// The trace that the record belongs to, if its sender named one; of a reply, that of its request.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        self.record.claim().trace()
    }
}

in_slot!(Received, Received<R>, R, [R: Record], false);

impl<R: Record> Deref for Received<R> {
    type Target = R::Ref;

    fn deref(&self) -> &R::Ref {
        &self.record
    }
}
