//! Sending records.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::time::Duration;

use super::{Connect, Endpoint, EndpointBuilder, Loan, Loans, MutRecord, endpoint_methods};
use crate::arena::{Claim, Expected};
use crate::error::Error;
use crate::peer::Role;
use crate::view::Record;

/// Fills and sends records of type `R`. Threads may share one.
pub struct Sender<R> {
    endpoint: Endpoint,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Connect for Sender<R> {
    const ROLE: Role = Role::Sender;

    fn expected() -> Expected {
        Expected { request: Some(R::SCHEMA.clone()), reply: None }
    }

    fn connected(endpoint: Endpoint) -> Self {
        Sender { endpoint, record: PhantomData }
    }
}

impl<R> Loans for Sender<R> {}

endpoint_methods!(Sender<R>);

impl<R: Record> Sender<R> {
    /// A sender for the channel called `name`.
    pub fn builder(name: &str) -> EndpointBuilder<Self> {
        EndpointBuilder::new(name)
    }

    fn record(claim: Claim) -> MutRecord<R> {
        // SAFETY: `connect` compared `R::SCHEMA` with the arena's schema, and a sender's claim on a loaned slot allows
        // writing its record.
        unsafe { MutRecord::new(claim) }
    }

    /// A slot to fill, waiting for one for up to the timeout.
    ///
    /// # Errors
    /// [`Error::Full`] names who holds the slots; [`Error::HostDied`], [`Error::Forked`], [`Error::Corrupt`].
    pub fn loan(&self) -> Result<Loan<R>, Error> {
        let claim = self.endpoint.loan(self.endpoint.timeout(), &mut || Ok(()))?;
        Ok(Loan::new(Self::record(claim)))
    }

    /// As [`Sender::loan`], waiting for up to `timeout`.
    ///
    /// # Errors
    /// As [`Sender::loan`].
    pub fn loan_timeout(&self, timeout: Duration) -> Result<Loan<R>, Error> {
        let claim = self.endpoint.loan(Some(timeout), &mut || Ok(()))?;
        Ok(Loan::new(Self::record(claim)))
    }

    /// How many records this sender has dropped for newer ones: with [`WhenFull::DropOldest`](super::WhenFull::DropOldest) alone.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.endpoint.arena().dropped()
    }

    /// A slot to fill if one is free now, or can be made so ([`WhenFull::DropOldest`](super::WhenFull::DropOldest)).
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub fn try_loan(&self) -> Result<Option<Loan<R>>, Error> {
        Ok(self.endpoint.try_loan()?.map(|claim| Loan::new(Self::record(claim))))
    }

    /// As [`Sender::loan`], without a thread that waits. Those that ask first have their slot first; a future that is dropped
    /// keeps none.
    ///
    /// # Errors
    /// As [`Sender::loan`]; [`Error::Io`] when the thread that watches for asynchronous operations cannot be started.
    pub fn loan_async(&self) -> impl Future<Output = Result<Loan<R>, Error>> + Send + use<R> {
        let mut wait = self.endpoint.loan_async(self.endpoint.timeout());
        async move {
            let claim = poll_fn(|cx| wait.poll(cx)).await?;
            Ok(Loan::new(Self::record(claim)))
        }
    }

    /// As [`Sender::loan`], with every byte set to zero; nothing counts as present for it.
    ///
    /// # Errors
    /// As [`Sender::loan`].
    pub fn loan_zeroed(&self) -> Result<Loan<R>, Error> {
        let claim = self.endpoint.loan(self.endpoint.timeout(), &mut || Ok(()))?;
        Ok(Loan::zeroed(Self::record(claim)))
    }
}
