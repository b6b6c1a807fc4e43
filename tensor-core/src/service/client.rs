//! Calling a service.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::arena::{Claim, Expected, Half};
use crate::channel::{
    Connect, Endpoint, EndpointBuilder, Loans, MutRecord, Received, RefRecord, SendError, TracedCall,
    endpoint_methods, in_slot, set_trace_method,
};
use crate::error::Error;
use crate::peer::Role;
use crate::view::Record;

/// Calls a service with requests of type `Req` and replies of type `Rep`. Threads may share one.
pub struct Client<Req, Rep> {
    endpoint: Endpoint,
    records: PhantomData<fn() -> (Req, Rep)>,
}

impl<Req: Record, Rep: Record> Connect for Client<Req, Rep> {
    const ROLE: Role = Role::Sender;

    fn expected() -> Expected {
        Expected { request: Some(Req::SCHEMA.clone()), reply: Some(Rep::SCHEMA.clone()) }
    }

    fn connected(endpoint: Endpoint) -> Self {
        Client { endpoint, records: PhantomData }
    }
}

impl<Req, Rep> Loans for Client<Req, Rep> {}

impl<Req, Rep> EndpointBuilder<Client<Req, Rep>> {
    /// The most slots that this client holds at once, in all its threads together, at least 1: loans, calls under way, and replies
    /// that are kept. A loan beyond that waits until one of them is dropped, or fails at once, as
    /// [`when_full`](EndpointBuilder::when_full) says: so others find slots beside a client that has much to ask. As many as
    /// there are by default; the service may allow each client fewer
    /// ([`slots_per_client`](crate::service::ServiceBuilder::slots_per_client)).
    pub fn max_slots(mut self, slots: usize) -> Self {
        self.terms().max_slots = u32::try_from(slots).unwrap_or(u32::MAX).max(1);
        self
    }
}

endpoint_methods!(Client<Req, Rep>);

impl<Req: Record, Rep: Record> Client<Req, Rep> {
    /// A client for the service called `name`.
    pub fn builder(name: &str) -> EndpointBuilder<Self> {
        EndpointBuilder::new(name)
    }

    fn record(claim: Claim) -> MutRecord<Req> {
        // SAFETY: `connect` compared `Req::SCHEMA` with the arena's request schema, and a caller's claim on a loaned slot
        // allows writing its request.
        unsafe { MutRecord::new(claim) }
    }

    fn call_loan(&self, mut record: MutRecord<Req>) -> CallLoan<Req, Rep> {
        record.poison();
        CallLoan { record, endpoint: self.endpoint.clone(), reply: PhantomData }
    }

    /// A slot to fill, waiting for one for up to the timeout.
    ///
    /// # Errors
    /// [`Error::Full`] names who holds the slots, and says when it is this client's own budget; [`Error::HostDied`], [`Error::Forked`], [`Error::Corrupt`].
    pub fn loan(&self) -> Result<CallLoan<Req, Rep>, Error> {
        let claim = self.endpoint.loan(self.endpoint.timeout(), &mut || Ok(()))?;
        Ok(self.call_loan(Self::record(claim)))
    }

    /// As [`Client::loan`], waiting for up to `timeout`.
    ///
    /// # Errors
    /// As [`Client::loan`].
    pub fn loan_timeout(&self, timeout: Duration) -> Result<CallLoan<Req, Rep>, Error> {
        let claim = self.endpoint.loan(Some(timeout), &mut || Ok(()))?;
        Ok(self.call_loan(Self::record(claim)))
    }

    /// A slot to fill if one is free now.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub fn try_loan(&self) -> Result<Option<CallLoan<Req, Rep>>, Error> {
        Ok(self.endpoint.try_loan()?.map(|claim| self.call_loan(Self::record(claim))))
    }

    /// As [`Client::loan`], without a thread that waits. Those that ask first have their slot first; a future that is dropped
    /// keeps none.
    ///
    /// # Errors
    /// As [`Client::loan`]; [`Error::Io`] when the thread that watches for asynchronous operations cannot be started.
    pub fn loan_async(
        &self,
    ) -> impl Future<Output = Result<CallLoan<Req, Rep>, Error>> + Send + use<Req, Rep> {
        let mut wait = self.endpoint.loan_async(self.endpoint.timeout());
        let client = Client { endpoint: self.endpoint.clone(), records: PhantomData };
        async move {
            let claim = poll_fn(|cx| wait.poll(cx)).await?;
            Ok(client.call_loan(Self::record(claim)))
        }
    }

    /// As [`Client::loan`], with every byte set to zero; nothing counts as present for it.
    ///
    /// # Errors
    /// As [`Client::loan`].
    pub fn loan_zeroed(&self) -> Result<CallLoan<Req, Rep>, Error> {
        let mut loan = self.loan()?;
        loan.record.fill(0);
        Ok(loan)
    }
}

/// A slot in shared memory, to be filled and called with. Dropping it gives the slot back.
///
/// It dereferences to the request's writable view ([`Record::Mut`]). The bytes are those of whatever was there before.
pub struct CallLoan<Req: Record, Rep> {
    record: MutRecord<Req>,
    endpoint: Endpoint,
    reply: PhantomData<fn() -> Rep>,
}

impl<Req: Record, Rep: Record> CallLoan<Req, Rep> {
    set_trace_method!("call");

    /// Calls the service and waits for the reply, for up to the client's timeout.
    ///
    /// # Errors
    /// [`SendError`] gives the loan back when nothing was sent: [`Error::MissingField`], [`Error::DimUnset`]. After that:
    /// [`Error::Remote`] when the worker's code failed, [`Error::Timeout`], [`Error::WorkerDied`], [`Error::HostDied`],
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub fn call(self) -> Result<Received<Rep>, SendError<CallLoan<Req, Rep>>> {
        let timeout = self.endpoint.timeout();
        self.call_within(timeout)
    }

    /// As [`CallLoan::call`], waiting for up to `timeout`.
    ///
    /// # Errors
    /// As [`CallLoan::call`].
    pub fn call_timeout(self, timeout: Duration) -> Result<Received<Rep>, SendError<CallLoan<Req, Rep>>> {
        self.call_within(Some(timeout))
    }

    /// As [`CallLoan::call`], without a thread that waits: any number of calls can be under way in one thread, as many as
    /// there are slots. The request is sent when the future is first polled. Dropping the future leaves the call: a request
    /// that no worker has begun with is withdrawn, and the slot comes back when the worker lets go of it.
    ///
    /// The future belongs to no runtime: tokio, smol and any other executor drive it.
    ///
    /// # Errors
    /// As [`CallLoan::call`]; [`Error::Io`] when the thread that watches for asynchronous operations cannot be started.
    pub fn call_async(
        self,
    ) -> impl Future<Output = Result<Received<Rep>, SendError<CallLoan<Req, Rep>>>> + Send + use<Req, Rep>
    {
        let timeout = self.endpoint.timeout();
        self.call_async_within(timeout)
    }

    /// As [`CallLoan::call_async`], waiting for up to `timeout`.
    ///
    /// # Errors
    /// As [`CallLoan::call_async`].
    pub fn call_async_timeout(
        self,
        timeout: Duration,
    ) -> impl Future<Output = Result<Received<Rep>, SendError<CallLoan<Req, Rep>>>> + Send + use<Req, Rep>
    {
        self.call_async_within(Some(timeout))
    }

    async fn call_async_within(
        self,
        timeout: Option<Duration>,
    ) -> Result<Received<Rep>, SendError<CallLoan<Req, Rep>>> {
        let (loan, traced) = self.publish(timeout)?;
        let (claim, endpoint) = (loan.record.into_claim(), loan.endpoint);
        // After the claim, so that it is dropped before it.
        let mut wait = endpoint.outcome_async(&claim, timeout);
        let ended = poll_fn(|cx| wait.poll(&claim, cx)).await;
        drop(wait);
        Self::reply(traced.end(&claim, ended).map(|()| claim))
    }

    /// Sends the request; its slot stays this caller's.
    fn publish(self, timeout: Option<Duration>) -> Result<(Self, TracedCall), SendError<Self>> {
        let parts = self.record.parts();
        if let Err(error) = parts.check_complete(Req::SCHEMA) {
            self.record.claim().arena().note_error(&error);
            return Err(SendError::new(error, Some(self)));
        }
        let traced = TracedCall::begin(self.record.claim());
        let sent = self.record.claim().publish(parts.presence(), |dim| parts.dim(dim), true, 0, timeout);
        // An error drops the claim, which withdraws the request or abandons it.
        sent.map(|()| (self, traced)).map_err(|error| SendError::new(error, None))
    }

    /// The reply in the slot of an answered request.
    fn reply(claim: Result<Claim, Error>) -> Result<Received<Rep>, SendError<Self>> {
        // SAFETY: `connect` compared `Rep::SCHEMA` with the arena's reply schema.
        let reply = claim.and_then(|claim| unsafe { RefRecord::adopt(claim, Half::Reply) });
        reply.map(Received::new).map_err(|error| SendError::new(error, None))
    }

    fn call_within(self, timeout: Option<Duration>) -> Result<Received<Rep>, SendError<CallLoan<Req, Rep>>> {
        let (loan, traced) = self.publish(timeout)?;
        let claim = loan.record.into_claim();
        let ended = loan.endpoint.outcome(&claim, timeout, &mut || Ok(()));
        Self::reply(traced.end(&claim, ended).map(|()| claim))
    }
}

in_slot!(CallLoan, CallLoan<Req, Rep>, Req, [Req: Record, Rep], true);

impl<Req: Record, Rep> Deref for CallLoan<Req, Rep> {
    type Target = Req::Mut;

    fn deref(&self) -> &Req::Mut {
        &self.record
    }
}

impl<Req: Record, Rep> DerefMut for CallLoan<Req, Rep> {
    fn deref_mut(&mut self) -> &mut Req::Mut {
        &mut self.record
    }
}
