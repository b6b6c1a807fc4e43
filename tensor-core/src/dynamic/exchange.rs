//! A server without a Rust type for its records, and the runs of requests that it answers.

use std::sync::Arc;
use std::time::Duration;

use super::endpoint::claim_of;
use super::{DynRecord, EndpointOptions, Lease, LookAround};
use crate::arena::{Gather, Half, MUTATES_REQUEST};
use crate::channel::{Batch, Batching, Copied, Endpoint, Scratches, answer_each};
use crate::error::{Error, RemoteError};
use crate::peer::Role;

/// Answers calls.
pub struct DynServer {
    pub(super) endpoint: Endpoint,
    pub(super) scratches: Scratches,
}

impl DynServer {
    /// Connects, waiting for the host to appear.
    ///
    /// # Errors
    /// As [`EndpointBuilder::connect`](crate::channel::EndpointBuilder::connect).
    pub fn connect(options: EndpointOptions, look_around: LookAround<'_>) -> Result<DynServer, Error> {
        let endpoint = options.connect(Role::Receiver, true, look_around)?;
        Ok(DynServer { endpoint, scratches: Scratches::default() })
    }

    /// The request that was sent first, as a run of one.
    ///
    /// # Errors
    /// As [`Server::receive`](crate::service::Server::receive).
    pub fn receive(
        &self,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<DynExchange, Error> {
        let claim = self.endpoint.take(timeout, look_around)?;
        let mutable = self.endpoint.arena().header().flags & MUTATES_REQUEST != 0;
        if mutable {
            claim.mark_not_repeatable()?;
        }
        let lease = Arc::new(Lease::slot(claim));
        let request = DynRecord::adopted(Arc::clone(&lease), Half::Request, Some(1), mutable)
            .inspect_err(|error| claim_of(&lease).refuse(error))?;
        Ok(DynExchange { request, reply: DynRecord::blank(lease, Half::Reply, Some(1)), gathered: 0 })
    }

    /// Requests that are answered together, as `batching` says, as a run. A request that a worker died with is alone.
    ///
    /// # Errors
    /// As [`Server::receive_many`](crate::service::Server::receive_many).
    pub fn receive_many(
        &self,
        batching: Batching,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<DynExchange, Error> {
        if batching.max == 1 && batching.gather != Gather::Always {
            return self.receive(timeout, look_around);
        }
        let claims = self.endpoint.take_batch(batching, timeout, look_around)?;
        let records = Some(claims.len());
        let mutable = self.endpoint.arena().header().flags & MUTATES_REQUEST != 0;
        let lease = Arc::new(Lease::batch(Batch::new(claims, &self.scratches, batching.max)?));
        let (request, gathered) = DynRecord::requests(&lease, mutable)?;
        Ok(DynExchange { request, reply: DynRecord::blank(lease, Half::Reply, records), gathered })
    }

    /// The host's pidfd, readable once the host is dead.
    #[cfg(connects)]
    #[must_use]
    pub fn host_pidfd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.endpoint.arena().host_pidfd()
    }
}

/// A run of requests to be answered, and the replies to be filled. The two records share one lease.
pub struct DynExchange {
    /// What was asked.
    pub request: DynRecord,
    /// The answer so far.
    pub reply: DynRecord,
    /// How many bytes of the requests were copied because they did not lie side by side.
    pub gathered: usize,
}

impl DynExchange {
    /// Sends each caller its answer. A reply that lacks a required field reaches its caller as [`Error::Remote`]. What was copied
    /// for that is added to `copied`.
    ///
    /// # Errors
    /// [`Error::WrongKind`] when the two records are not those of one exchange, which are let go of; [`Error::Forked`],
    /// [`Error::Corrupt`], and the other callers have their answers then.
    pub fn answer(self, copied: &mut Copied) -> Result<(), Error> {
        let (lease, aliased) = self.lease()?;
        let failures = self.reply.failures();
        // SAFETY: the rows are the replies of the lease, as was just looked at; views of them that live on are made to see the pad.
        unsafe {
            match lease.as_batch() {
                Some(batch) => batch.answer(&mut self.reply.replies(), failures, aliased, copied),
                None => answer_each(lease.claims(), self.reply.reply(), failures, aliased, copied),
            }
        }
    }

    /// Whether answering copies the replies to where their callers read them.
    #[must_use]
    pub fn copies(&self) -> bool {
        self.request.lease().as_batch().is_some_and(Batch::is_gathered)
    }

    /// Tells each caller that its request failed.
    ///
    /// # Errors
    /// As [`DynExchange::answer`].
    pub fn fail(self, failure: &RemoteError) -> Result<(), Error> {
        let (lease, aliased) = self.lease()?;
        match lease.as_batch() {
            Some(batch) => batch.fail(failure, aliased),
            None => claim_of(&lease).fail(failure, aliased.is_some(), aliased.unwrap_or(0)),
        }
    }

    /// The lease, and the fields that views lead to, one bit each; `None` when nothing but this exchange leads to the lease.
    fn lease(&self) -> Result<(Arc<Lease>, Option<u64>), Error> {
        if !self.request.is_answered_by(&self.reply) {
            let reason = "is not what was asked and its reply: only a run of requests is answered, by the run of replies that \
                          came with it"
                .to_owned();
            return Err(Error::WrongKind { name: self.request.schema().name().to_owned(), reason });
        }
        let lease = Arc::clone(self.request.lease());
        // The two records' references and the one just made.
        let aliased = Lease::is_shared(&lease, 3).then(|| lease.aliased());
        Ok((lease, aliased))
    }
}

#[cfg(all(test, connects))]
mod tests {
    use super::super::{DynClient, DynHost, HostSettings};
    use super::*;
    use crate::schema::{DType, Field, Schema, Shape};

    fn meeting(name: &str, slots: usize) -> (DynHost, DynClient, DynServer) {
        let schema = |name: &'static str| {
            Schema::new(name, 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap()
        };
        let name = format!("{name}.p{}", std::process::id());
        let host = HostSettings { slots, ring_order: true, ..HostSettings::new(&name) };
        let host =
            DynHost::create(&host, schema("garbled.request"), Some(schema("garbled.reply")), &mut || Ok(()))
                .unwrap();
        let options =
            || EndpointOptions { timeout: Some(Duration::from_secs(10)), ..EndpointOptions::new(&name) };
        let client = DynClient::connect(options(), &mut || Ok(())).unwrap();
        (host, client, DynServer::connect(options(), &mut || Ok(())).unwrap())
    }

    #[test]
    fn a_garbled_request_of_a_run_is_refused_and_the_others_answered() {
        let (host, client, server) = meeting("garbledrun", 3);
        let mut nothing = || Ok(());
        // The second says of itself that its required field is absent.
        let calls = [1, 0, 1].map(|presence| {
            let call = client.endpoint.loan(None, &mut nothing).unwrap();
            call.publish(presence, |_| None, true, 0, None).unwrap();
            call
        });
        let receive = || server.receive_many(Batching::up_to(3), None, &mut || Ok(()));
        let error = receive().map(drop).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        for _ in 0..2 {
            let mut exchange = receive().unwrap();
            assert_eq!(exchange.request.run(), Some(1));
            exchange.reply.mark_present(0);
            exchange.answer(&mut Copied::default()).unwrap();
        }
        let outcomes = calls.each_ref().map(|call| client.endpoint.outcome(call, None, &mut nothing));
        assert!(matches!(&outcomes, [Ok(()), Err(Error::Remote(_)), Ok(())]), "{outcomes:?}");
        drop(calls);
        assert_eq!(host.free_slots(), 3);
    }

    #[test]
    fn a_server_waits_for_a_longer_run_until_its_own_deadline_at_most() {
        let (_host, client, server) = meeting("patient", 4);
        let mut nothing = || Ok(());
        let call = client.endpoint.loan(None, &mut nothing).unwrap();
        call.publish(1, |_| None, true, 0, None).unwrap();
        let four = Batching::up_to(4).max_wait(Duration::from_secs(3600));
        let moment = Duration::from_millis(20);
        let exchange = server.receive_many(four, Some(moment), &mut nothing).unwrap();
        assert_eq!(exchange.request.run(), Some(1));
        let error = server.receive_many(four, Some(moment), &mut nothing).map(drop).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
    }

    #[test]
    fn a_garbled_request_is_refused_and_the_next_one_answered() {
        let (host, client, server) = meeting("garbled", 2);
        let mut nothing = || Ok(());
        // Says of itself that its required field is absent.
        let garbled = client.endpoint.loan(None, &mut nothing).unwrap();
        garbled.publish(0, |_| None, true, 0, None).unwrap();
        let whole = client.endpoint.loan(None, &mut nothing).unwrap();
        whole.publish(1, |_| None, true, 0, None).unwrap();
        let error = server.receive(None, &mut nothing).map(drop).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        let told = client.endpoint.outcome(&garbled, None, &mut nothing).unwrap_err();
        assert!(matches!(&told, Error::Remote(remote) if remote.type_name == "Corrupt"), "{told}");
        let mut exchange = server.receive(None, &mut nothing).unwrap();
        exchange.reply.mark_present(0);
        exchange.answer(&mut Copied::default()).unwrap();
        client.endpoint.outcome(&whole, None, &mut nothing).unwrap();
        drop((garbled, whole));
        assert_eq!(host.free_slots(), 2);
    }
}
