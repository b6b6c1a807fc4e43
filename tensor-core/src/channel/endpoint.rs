//! What senders, receivers, clients and servers have in common: an arena, a timeout, and a way to wait.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::Batching;
use crate::arena::{Arena, BUDGET, Claim, ClaimRun, Expected, LoanTerms, Part, SLOT, Status, WhenFull};
use crate::error::{Error, Full};
use crate::metrics::probe_if_asked;
use crate::peer::{Role, attach};
use crate::wait::{Look, Often, Patience, Sleep, WaitStrategy, wait_for};
use crate::waiter::{AnswerWait, LoanWait, TakeWait, Waits};

/// How long a call, a loan or a connection may take unless the program says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a builder of an endpoint collects.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) timeout: Option<Duration>,
    pub(crate) strategy: WaitStrategy,
    pub(crate) terms: LoanTerms,
}

impl Options {
    pub(crate) fn new(name: &str) -> Options {
        Options {
            name: name.to_owned(),
            timeout: Some(DEFAULT_TIMEOUT),
            strategy: WaitStrategy::default(),
            terms: LoanTerms::default(),
        }
    }
}

/// Called once per slice of a wait; its error ends the wait.
pub(crate) type LookAround<'a> = &'a mut dyn FnMut() -> Result<(), Error>;

/// A participant of an arena.
#[derive(Clone)]
pub(crate) struct Endpoint {
    waits: Arc<Waits>,
    role: Role,
    timeout: Option<Duration>,
    strategy: WaitStrategy,
    terms: LoanTerms,
}

impl Endpoint {
    /// Connects to a one-way channel or, if `service`, to a service.
    pub(crate) fn connect(
        options: &Options,
        role: Role,
        service: bool,
        expected: &Expected,
        look_around: LookAround<'_>,
    ) -> Result<Endpoint, Error> {
        let Options { name, timeout, strategy, terms } = options;
        let wrong_kind = |reason: &str| Error::WrongKind { name: name.clone(), reason: reason.to_owned() };
        if service && terms.when_full == WhenFull::DropOldest {
            return Err(wrong_kind(
                "is a service, and DropOldest is for one-way channels: a request has a caller who waits for its answer; \
                 use Block or Reject",
            ));
        }
        let arena = attach(name, role, expected, *timeout, look_around)?;
        if arena.reply().is_some() != service {
            return Err(wrong_kind(match service {
                true => "is a one-way channel: use a Sender or a Receiver",
                false => "is a service: use a Client or a Server",
            }));
        }
        tracing::debug!(target: "tensorbridge", arena = name, ?role, slots = arena.slots(), "connected");
        probe_if_asked(name);
        let arena = Arc::new(arena.with_terms(*terms));
        let (timeout, strategy, terms) = (*timeout, *strategy, *terms);
        Ok(Endpoint { waits: Waits::new(arena), role, timeout, strategy, terms })
    }

    /// Whether the host lives and hosts this arena, and this is no forked child.
    pub(crate) fn is_connected(&self) -> bool {
        self.arena().check_process().is_ok() && self.arena().check_host().is_ok()
    }

    /// An endpoint like this one, of the arena that is hosted under the name now.
    pub(crate) fn again(
        &self,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<Endpoint, Error> {
        let schema = |part: &Part| (*part.schema).clone();
        let (request, reply) = (schema(self.arena().request()), self.arena().reply().map(schema));
        let service = reply.is_some();
        let expected = Expected { request: Some(request), reply };
        let Endpoint { strategy, terms, .. } = *self;
        let options = Options { name: self.arena().name().to_owned(), timeout, strategy, terms };
        let endpoint = Endpoint::connect(&options, self.role, service, &expected, look_around)?;
        Ok(Endpoint { timeout: self.timeout, ..endpoint })
    }

    /// Connects again, unless the host lives.
    pub(crate) fn reconnect(&mut self) -> Result<(), Error> {
        if !self.is_connected() {
            *self = self.again(self.timeout, &mut || Ok(()))?;
        }
        Ok(())
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        self.waits.arena()
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// A free slot if there is one now.
    pub(crate) fn try_loan(&self) -> Result<Option<Claim>, Error> {
        self.arena().try_loan(Look::Words)
    }

    /// A free slot, waiting for one for up to `timeout`, or doing what this endpoint does when there is none.
    #[inline]
    pub(crate) fn loan(
        &self,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<Claim, Error> {
        // Here in one piece, so that the claim is made where it is wanted: a copy of it costs as much as a step.
        if self.arena().when_full() == WhenFull::Block
            && let Some(claim) = self.arena().try_loan(Look::Hints).map_err(|error| self.full(error))?
        {
            return Ok(claim);
        }
        self.loan_slowly(timeout, look_around)
    }

    #[cold]
    fn loan_slowly(&self, timeout: Option<Duration>, look_around: LookAround<'_>) -> Result<Claim, Error> {
        let arena = self.arena();
        let bell = arena.free_bell();
        let loaned = match arena.when_full() {
            WhenFull::Block if arena.budget().most().is_some() => {
                self.loan_within_budget(timeout, look_around)
            }
            WhenFull::Block => self.wait(SLOT, timeout, look_around, bell, |look| arena.try_loan(look)),
            WhenFull::Reject => self.try_loan().and_then(|claim| claim.ok_or_else(|| arena.rejected())),
            WhenFull::DropOldest => {
                self.wait(SLOT, timeout, look_around, &Often(bell), |look| arena.try_loan(look))
            }
        };
        loaned.map_err(|error| self.full(error))
    }

    /// A slot of the budget first, and then a free one: each is waited for where it is announced.
    fn loan_within_budget(
        &self,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<Claim, Error> {
        let (arena, start) = (self.arena(), Instant::now());
        // However long was waited for each of the two.
        let whole = |error| match error {
            Error::Timeout { what, after } => Error::Timeout { what, after: timeout.unwrap_or(after) },
            other => other,
        };
        let budget = arena.budget();
        let spend = |_| arena.check_process().map(|()| budget.try_spend().then_some(()));
        self.wait(BUDGET, timeout, &mut *look_around, budget.bell(), spend).map_err(whole)?;
        let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
        let free = |look| arena.try_loan_spent(look);
        let loaned = self.wait(SLOT, left, look_around, arena.free_bell(), free);
        loaned.inspect_err(|_| budget.give_back()).map_err(whole)
    }

    /// Counts why there is no slot, and says who holds them when none became free in time.
    #[cold]
    fn full(&self, error: Error) -> Error {
        let error = self.who_holds(error);
        self.arena().note_error(&error);
        error
    }

    fn who_holds(&self, error: Error) -> Error {
        let Error::Timeout { what, after } = error else { return error };
        Error::Full(Box::new(Full {
            arena: self.arena().name().to_owned(),
            slots: self.arena().slots(),
            budget: self.arena().budget().most().filter(|_| what == BUDGET),
            waited: after,
            holders: self.arena().holders(),
        }))
    }

    /// As [`Endpoint::loan`], without a thread that waits.
    pub(crate) fn loan_async(&self, timeout: Option<Duration>) -> Pending<LoanWait> {
        Pending { wait: LoanWait::new(&self.waits, timeout), endpoint: self.clone(), timeout }
    }

    /// As [`Endpoint::take`], without a thread that waits.
    pub(crate) fn take_async(&self, timeout: Option<Duration>) -> Pending<TakeWait> {
        let wait = TakeWait::new(&self.waits, self.awaited(), timeout);
        Pending { wait, endpoint: self.clone(), timeout }
    }

    /// As [`Endpoint::outcome`], without a thread that waits. It has to be dropped before the claim.
    pub(crate) fn outcome_async(&self, claim: &Claim, timeout: Option<Duration>) -> Pending<AnswerWait> {
        let wait = AnswerWait::new(&self.waits, claim, timeout);
        Pending { wait, endpoint: self.clone(), timeout }
    }

    /// Ends what waits here without a thread, with [`Error::Closed`] of `what`.
    pub(crate) fn close(&self, what: &'static str) {
        self.waits.close(what);
    }

    /// What a receiver waits for.
    fn awaited(&self) -> &'static str {
        if self.arena().reply().is_some() { "a request" } else { "a record" }
    }

    /// The record that was sent first, if there is one now.
    pub(crate) fn try_take(&self) -> Result<Option<Claim>, Error> {
        self.arena().try_take(Look::Words)
    }

    /// The record that was sent first, waiting for one for up to `timeout`.
    #[inline]
    pub(crate) fn take(
        &self,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<Claim, Error> {
        // As with a loan.
        if let Some(claim) = self.arena().try_take_seen()? {
            return Ok(claim);
        }
        self.take_slowly(timeout, look_around)
    }

    fn take_slowly(&self, timeout: Option<Duration>, look_around: LookAround<'_>) -> Result<Claim, Error> {
        let mut watch = self.arena().watch();
        self.wait(self.awaited(), timeout, look_around, self.arena().ready_bell(), |look| {
            if watch.calls_for(look) { self.arena().try_take(look) } else { Ok(None) }
        })
    }

    /// The record that was sent first and up to `max - 1` that are ready beside it, if there is one now.
    pub(crate) fn try_take_run(&self, max: usize) -> Result<Option<ClaimRun>, Error> {
        self.arena().try_take_run(max, Look::Words)
    }

    /// The record that was sent first, waiting for it for up to `timeout`, and up to `max - 1` that are ready beside it
    /// then.
    pub(crate) fn take_run(
        &self,
        max: usize,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<ClaimRun, Error> {
        let mut watch = self.arena().watch();
        self.wait("a record", timeout, look_around, self.arena().ready_bell(), |look| {
            if watch.calls_for(look) { self.arena().try_take_run(max, look) } else { Ok(None) }
        })
    }

    /// As [`Endpoint::take_run`], of requests, as `batching` says: while more may join the run, waits for them until its longest wait has passed since the
    /// first request was sent.
    pub(crate) fn take_batch(
        &self,
        batching: Batching,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<ClaimRun, Error> {
        let Batching { max, max_wait, gather } = batching;
        let max = max.min(self.arena().slots());
        let bell = self.arena().ready_bell();
        let take = |look| self.arena().try_take_batch(max, gather, look);
        let mut watch = self.arena().watch();
        if max_wait.is_zero() {
            return self.wait("a request", timeout, look_around, bell, |look| {
                if watch.calls_for(look) { take(look) } else { Ok(None) }
            });
        }
        let start = Instant::now();
        let mut left = timeout;
        loop {
            let next = |look| {
                if watch.calls_for(look) { self.arena().next_run(max, gather, look) } else { Ok(None) }
            };
            let first = self.wait("a request", left, look_around, bell, next)?;
            let is_first_still = first.is_complete || {
                let left = timeout.map_or(max_wait, |timeout| timeout.saturating_sub(start.elapsed()));
                let wait = max_wait.saturating_sub(first.age).min(left);
                let grown = |look| {
                    if !watch.calls_for(look) {
                        return Ok(None);
                    }
                    let now = self.arena().next_run(max, gather, look)?;
                    let is_first_still = now.is_some_and(|now| now.slot == first.slot);
                    Ok((!is_first_still || now.is_some_and(|now| now.is_complete)).then_some(is_first_still))
                };
                match self.wait("a longer run", Some(wait), look_around, bell, grown) {
                    Ok(is_first_still) => is_first_still,
                    Err(Error::Timeout { .. }) => true,
                    Err(error) => {
                        // This server may have been woken for what it now leaves to others.
                        bell.ring();
                        return Err(error);
                    }
                }
            };
            // Another server may have been faster, or its caller has left: then the next one has a time of its own.
            if is_first_still && let Some(run) = take(Look::Words)? {
                return Ok(run);
            }
            // A peer that makes up requests keeps nobody beyond a deadline, nor from a signal.
            self.look_around(look_around)?;
            left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            if left == Some(Duration::ZERO) {
                return Err(Error::Timeout { what: "a request", after: start.elapsed() });
            }
        }
    }

    /// Waits for the answer to a published request.
    pub(crate) fn outcome(
        &self,
        claim: &Claim,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<(), Error> {
        let place = self.arena().caller_place(claim.slot());
        let ended = self.wait("the reply", timeout, look_around, &place, |_| claim.outcome());
        self.ended(claim, ended, timeout)
    }

    /// What a call that ended gives its caller.
    #[inline]
    fn ended(
        &self,
        claim: &Claim,
        ended: Result<Status, Error>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        match ended {
            Ok(Status::Answered) => {
                claim.note_answer();
                Ok(())
            }
            ended => Err(self.failed(claim, ended, timeout)),
        }
    }

    /// The error of a call that did not end well, counted.
    #[cold]
    fn failed(&self, claim: &Claim, ended: Result<Status, Error>, timeout: Option<Duration>) -> Error {
        let error = match ended {
            Err(error) => error,
            Ok(Status::Failed) => Error::Remote(Box::new(claim.failure())),
            Ok(Status::Expired) => {
                Error::Timeout { what: "the reply", after: timeout.unwrap_or(Duration::MAX) }
            }
            Ok(status) => self.unanswered(claim, status),
        };
        self.arena().note_error(&error);
        error
    }

    fn unanswered(&self, claim: &Claim, status: Status) -> Error {
        let (died_alone, not_repeatable) = claim.attempts();
        let attempts = match status {
            // The one that lives counts too.
            Status::Dropped => died_alone.saturating_add(1),
            // A death with a batch is an attempt only when it is the last.
            _ => died_alone.max(1),
        };
        let reason = match status {
            Status::Dropped => "the worker let go of the request",
            _ if not_repeatable => {
                "the worker died, and the request, which it may have changed, is not repeated"
            }
            _ => "each worker that took the request died, so it is not handed to one more",
        };
        Error::WorkerDied { name: self.arena().name().to_owned(), attempts, reason }
    }

    /// What a wait that lasts asks again and again: whether this process, its host and the program still want it.
    fn look_around(&self, look_around: LookAround<'_>) -> Result<(), Error> {
        self.arena().check_process()?;
        self.arena().check_host()?;
        look_around()
    }

    fn wait<T>(
        &self,
        what: &'static str,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
        place: &impl Sleep,
        attempt: impl FnMut(Look) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let mut look = || self.look_around(look_around);
        let mut patience = Patience { what, timeout, strategy: self.strategy, look_around: &mut look };
        wait_for(&mut patience, place, attempt)
    }
}

/// A wait that is polled, and how its endpoint explains the end of it.
pub(crate) struct Pending<W> {
    wait: W,
    endpoint: Endpoint,
    timeout: Option<Duration>,
}

impl Pending<LoanWait> {
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Claim, Error>> {
        self.wait.poll(cx).map_err(|error| self.endpoint.full(error))
    }
}

impl Pending<TakeWait> {
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Claim, Error>> {
        self.wait.poll(cx)
    }
}

impl Pending<AnswerWait> {
    pub(crate) fn poll(&mut self, claim: &Claim, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let ended = ready!(self.wait.poll(claim, cx));
        Poll::Ready(self.endpoint.ended(claim, ended, self.timeout))
    }
}

/// What every typed endpoint offers.
macro_rules! endpoint_methods {
    ($endpoint:ident < $($record:ident),+ >) => {
        impl<$($record),+> std::fmt::Debug for $endpoint<$($record),+> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::channel::debug_arena(f, stringify!($endpoint), self.endpoint.arena())
            }
        }

        impl<$($record: Record),+> $endpoint<$($record),+> {
            /// Whether the host still lives and hosts this arena.
            #[must_use]
            pub fn is_connected(&self) -> bool {
                self.endpoint.is_connected()
            }

            /// Connects to the next host of the same name, waiting for one for up to the timeout; does nothing while the
            /// host lives. Records of the old host's arena that are still held stay valid.
            ///
            /// # Errors
            /// As [`EndpointBuilder::connect`](crate::channel::EndpointBuilder::connect).
            pub fn reconnect(&mut self) -> Result<(), Error> {
                self.endpoint.reconnect()
            }

            /// A field that another process described, in this arena.
            ///
            /// # Errors
            /// [`Error::BadDescriptor`](crate::Error::BadDescriptor) when it is of another arena or names no field of
            /// this one; [`Error::StaleDescriptor`](crate::Error::StaleDescriptor) when the record is gone;
            /// [`Error::Forked`](crate::Error::Forked).
            #[cfg(connects)]
            pub fn open(
                &self,
                descriptor: &crate::channel::Descriptor,
            ) -> Result<crate::channel::DescribedField, Error> {
                descriptor.open(self.endpoint.arena())
            }

            /// What has happened in the arena so far, in numbers.
            #[must_use]
            pub fn metrics(&self) -> crate::metrics::Metrics {
                crate::metrics::Metrics::read(self.endpoint.arena())
            }

            /// Who holds slots of the arena at this moment.
            #[must_use]
            pub fn pins(&self) -> Vec<crate::Pin> {
                self.endpoint.arena().pins()
            }
        }
    };
}

pub(crate) use endpoint_methods;

#[cfg(all(test, connects))]
mod tests {
    use super::super::{HostOptions, Hosted};
    use super::*;
    use crate::schema::{DType, Field, Schema, Shape};

    #[test]
    fn a_one_way_endpoint_is_refused_by_a_service_with_the_same_record_and_the_reverse() {
        let schema = |name: &'static str| {
            Schema::new(name, 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap()
        };
        for service in [false, true] {
            let name = format!("kind{}.p{}", u8::from(service), std::process::id());
            let reply = service.then(|| schema("kind.reply"));
            let (options, request) = (HostOptions::new(&name), schema("kind.request"));
            let _host = Hosted::create(&options, request, reply.clone(), &mut || Ok(())).unwrap();
            let connect = |service: bool| {
                let reply = service.then(|| schema("kind.reply"));
                let expected = Expected { request: Some(schema("kind.request")), reply };
                Endpoint::connect(&Options::new(&name), Role::Receiver, service, &expected, &mut || Ok(()))
            };
            connect(service).map(drop).unwrap();
            let error = connect(!service).map(drop).unwrap_err();
            assert!(matches!(error, Error::WrongKind { .. }), "{error}");
        }
    }
}
