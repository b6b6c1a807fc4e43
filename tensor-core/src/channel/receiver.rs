//! Receiving records.

use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use super::{Connect, Endpoint, EndpointBuilder, RefRecord, endpoint_methods, in_slot};
use crate::arena::{Claim, Expected, Half};
use crate::error::Error;
use crate::peer::Role;
use crate::view::Record;

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
}

in_slot!(Received<R>, R, [R: Record], false);

impl<R: Record> Deref for Received<R> {
    type Target = R::Ref;

    fn deref(&self) -> &R::Ref {
        &self.record
    }
}
