//! Sending records.

use std::marker::PhantomData;
use std::time::Duration;

use super::{Endpoint, Loan, MutRecord, Options};
use crate::arena::{Claim, Expected};
use crate::error::Error;
use crate::peer::Role;
use crate::view::Record;
use crate::wait::WaitStrategy;

/// Fills and sends records of type `R`. Threads may share one.
pub struct Sender<R> {
    endpoint: Endpoint,
    record: PhantomData<fn() -> R>,
}

/// Configures a [`Sender`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SenderBuilder<R> {
    options: Options,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> SenderBuilder<R> {
    /// How long connecting and loaning may take; 30 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// How waits proceed.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.options.strategy = strategy;
        self
    }

    /// Connects, waiting for the host to appear.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::SchemaMismatch`], [`Error::AbiMismatch`], [`Error::NotTensorbridge`],
    /// [`Error::WrongUser`], [`Error::BadSegment`], [`Error::Refused`], and those of the meeting directory.
    pub fn connect(self) -> Result<Sender<R>, Error> {
        let expected = Expected { request: Some(R::SCHEMA.clone()), reply: None };
        let endpoint = Endpoint::connect(&self.options, Role::Sender, &expected, &mut || Ok(()))?;
        Ok(Sender { endpoint, record: PhantomData })
    }
}

impl<R: Record> Sender<R> {
    /// A sender for the channel called `name`.
    pub fn builder(name: &str) -> SenderBuilder<R> {
        SenderBuilder { options: Options::new(name), record: PhantomData }
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

    /// A slot to fill if one is free now.
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`].
    pub fn try_loan(&self) -> Result<Option<Loan<R>>, Error> {
        Ok(self.endpoint.try_loan()?.map(|claim| Loan::new(Self::record(claim))))
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
