//! Calling a service.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::arena::{Claim, Expected, Half};
use crate::channel::{
    Connect, Endpoint, EndpointBuilder, MutRecord, Received, RefRecord, SendError, endpoint_methods, in_slot,
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
    /// [`Error::Full`] names who holds the slots; [`Error::HostDied`], [`Error::Forked`], [`Error::Corrupt`].
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

    fn call_within(self, timeout: Option<Duration>) -> Result<Received<Rep>, SendError<CallLoan<Req, Rep>>> {
        let parts = self.record.parts();
        if let Err(error) = parts.check_complete(Req::SCHEMA) {
            return Err(SendError::new(error, Some(self)));
        }
        let claim = self.record.claim();
        let finish = || {
            claim.publish(parts.presence(), |dim| parts.dim(dim), true, 0, timeout)?;
            self.endpoint.outcome(claim, timeout, &mut || Ok(()))
        };
        // An error drops the claim, which withdraws the request or abandons it.
        finish().map_err(|error| SendError::new(error, None))?;
        // SAFETY: `connect` compared `Rep::SCHEMA` with the arena's reply schema.
        let reply = unsafe { RefRecord::adopt(self.record.into_claim(), Half::Reply) };
        reply.map(Received::new).map_err(|error| SendError::new(error, None))
    }
}

in_slot!(CallLoan<Req, Rep>, Req, [Req: Record, Rep], true);

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
