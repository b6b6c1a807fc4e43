//! Operations that are polled, whatever their records are.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::endpoint::{claim_of, loaned, publish};
use super::{DynClient, DynReceiver, DynRecord, DynSender, Lease, NotSent};
use crate::arena::Half;
use crate::channel::Pending;
use crate::error::Error;
use crate::waiter::{AnswerWait, LoanWait, TakeWait};

/// A loan, a call or a receive under way. Dropping it gives it up: a call is left, no slot and no record is lost.
pub struct DynPending {
    kind: Kind,
}

enum Kind {
    Loan(Pending<LoanWait>),
    Take(Pending<TakeWait>),
    Call(Call),
    /// It has ended.
    Over,
}

struct Call {
    // The wait before the lease, whose claim it must not outlive.
    wait: Pending<AnswerWait>,
    lease: Arc<Lease>,
}

impl DynPending {
    /// The record, once there is one. After that, and after an error, it is not polled again.
    ///
    /// # Errors
    /// As the blocking operation; [`Error::Closed`], and [`Error::Io`] when the thread that watches for asynchronous
    /// operations cannot be started.
    ///
    /// # Panics
    /// If it is polled again.
    pub fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<DynRecord, Error>> {
        let result = match &mut self.kind {
            Kind::Loan(wait) => ready!(wait.poll(cx)).map(loaned),
            Kind::Take(wait) => ready!(wait.poll(cx)).and_then(DynRecord::received),
            Kind::Call(call) => {
                let ended = ready!(call.wait.poll(claim_of(&call.lease), cx));
                let Kind::Call(call) = std::mem::replace(&mut self.kind, Kind::Over) else { unreachable!() };
                drop(call.wait);
                ended
                    .inspect_err(|_| claim_of(&call.lease).leave())
                    .and_then(|()| DynRecord::adopted(call.lease, Half::Reply, None, false))
            }
            Kind::Over => panic!("the operation has ended"),
        };
        self.kind = Kind::Over;
        Poll::Ready(result)
    }
}

impl Drop for DynPending {
    fn drop(&mut self) {
        if let Kind::Call(call) = &self.kind {
            // Aliases of the request may live on; the call does not.
            claim_of(&call.lease).leave();
        }
    }
}

impl DynSender {
    /// As [`DynSender::loan`], without a thread that waits.
    #[must_use]
    pub fn loan_async(&self, timeout: Option<Duration>) -> DynPending {
        DynPending { kind: Kind::Loan(self.endpoint.loan_async(timeout)) }
    }
}

impl DynReceiver {
    /// As [`DynReceiver::receive`], without a thread that waits.
    #[must_use]
    pub fn receive_async(&self, timeout: Option<Duration>) -> DynPending {
        DynPending { kind: Kind::Take(self.endpoint.take_async(timeout)) }
    }
}

impl DynClient {
    /// As [`DynClient::loan`], without a thread that waits.
    #[must_use]
    pub fn loan_async(&self, timeout: Option<Duration>) -> DynPending {
        DynPending { kind: Kind::Loan(self.endpoint.loan_async(timeout)) }
    }

    /// As [`DynClient::call`], without a thread that waits. The request is sent at once.
    ///
    /// # Errors
    /// The record comes back with [`Error::MissingField`], [`Error::DimUnset`], [`Error::Aliased`].
    pub fn call_async(
        &self,
        record: DynRecord,
        strict: bool,
        timeout: Option<Duration>,
    ) -> Result<DynPending, NotSent> {
        let lease = publish(record, strict, Some(timeout))?;
        let wait = self.endpoint.outcome_async(claim_of(&lease), timeout);
        Ok(DynPending { kind: Kind::Call(Call { wait, lease }) })
    }
}
