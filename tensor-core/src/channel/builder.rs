//! Connecting, for senders and receivers, clients and servers alike.

use std::marker::PhantomData;
use std::time::Duration;

use super::{Endpoint, Options};
use crate::arena::{Expected, LoanTerms, WhenFull};
use crate::error::Error;
use crate::peer::Role;
use crate::wait::WaitStrategy;

/// How an endpoint is told from another: what it expects of the arena, and how it is made of a connection.
pub(crate) trait Connect: Sized {
    const ROLE: Role;

    /// The schemas it is compiled for.
    fn expected() -> Expected;

    /// The endpoint. The arena's schemas were compared with [`Connect::expected`].
    fn connected(endpoint: Endpoint) -> Self;
}

/// The endpoints that loan slots.
pub(crate) trait Loans {}

/// Configures a [`Sender`](super::Sender), [`Receiver`](super::Receiver), [`Client`](crate::service::Client) or
/// [`Server`](crate::service::Server) before it connects.
#[derive(Clone, Debug)]
#[must_use]
pub struct EndpointBuilder<E> {
    options: Options,
    endpoint: PhantomData<fn() -> E>,
}

impl<E> EndpointBuilder<E> {
    pub(crate) fn new(name: &str) -> Self {
        EndpointBuilder { options: Options::new(name), endpoint: PhantomData }
    }

    /// How long connecting may take, and each wait that names no timeout of its own; 30 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How waits proceed.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.options.strategy = strategy;
        self
    }
}

#[allow(private_bounds, reason = "only this crate's senders and clients loan")]
impl<E: Loans> EndpointBuilder<E> {
    /// What a loan does when no slot is free; [`WhenFull::Block`] by default.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.options.terms.when_full = when_full;
        self
    }

    /// The terms, for what only one kind of endpoint can choose.
    pub(crate) fn terms(&mut self) -> &mut LoanTerms {
        &mut self.options.terms
    }
}

#[allow(private_bounds, reason = "only this crate's endpoints connect")]
impl<E: Connect> EndpointBuilder<E> {
    /// Connects, waiting for the host to appear.
    ///
    /// # Errors
    /// - The name: [`Error::InvalidName`]; [`Error::NotFound`] when nobody hosts it in time, [`Error::Timeout`] when its host does not
    ///   answer; [`Error::NotTensorbridge`], [`Error::Refused`], [`Error::BadDirectory`], [`Error::WrongUser`].
    /// - What is hosted: [`Error::WrongKind`] when it is a service and not a channel, or the reverse; [`Error::SchemaMismatch`],
    ///   [`Error::AbiMismatch`], [`Error::SchemaForm`], [`Error::BadSegment`].
    /// - This process: [`Error::OutOfMemory`], [`Error::TooManyFiles`], [`Error::Io`].
    ///
    /// A client that would drop requests ([`WhenFull::DropOldest`]) is [`Error::WrongKind`] too.
    pub fn connect(self) -> Result<E, Error> {
        let expected = E::expected();
        let service = expected.reply.is_some();
        Endpoint::connect(&self.options, E::ROLE, service, &expected, &mut || Ok(())).map(E::connected)
    }
}
