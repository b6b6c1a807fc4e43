//! A server without a Rust type for its records, and the runs of requests that it answers.

use std::sync::Arc;
use std::time::Duration;

use super::endpoint::claim_of;
use super::{DynRecord, EndpointOptions, Lease, LookAround};
use crate::arena::{Half, MUTATES_REQUEST};
use crate::channel::{Endpoint, each};
use crate::error::{Error, RemoteError};
use crate::peer::Role;

/// Answers calls.
pub struct DynServer {
    pub(super) endpoint: Endpoint,
}

impl DynServer {
    /// Connects, waiting for the host to appear.
    ///
    /// # Errors
    /// As [`EndpointBuilder::connect`](crate::channel::EndpointBuilder::connect).
    pub fn connect(options: EndpointOptions, look_around: LookAround<'_>) -> Result<DynServer, Error> {
        Ok(DynServer { endpoint: options.connect(Role::Receiver, true, look_around)? })
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
        Ok(DynExchange { request, reply: DynRecord::blank(lease, Half::Reply, Some(1)) })
    }

    /// The request that was sent first and up to `max - 1` that are ready beside it, as a run. While more may join it, they are
    /// waited for until `max_wait` has passed since the first was sent. A request that a worker died with is alone.
    ///
    /// # Errors
    /// As [`Server::receive`](crate::service::Server::receive).
    ///
    /// # Panics
    /// If `max` is 0.
    pub fn receive_many(
        &self,
        max: usize,
        max_wait: Duration,
        timeout: Option<Duration>,
        look_around: LookAround<'_>,
    ) -> Result<DynExchange, Error> {
        assert!(max > 0, "a run has at least one request");
        if max == 1 {
            return self.receive(timeout, look_around);
        }
        let claims = self.endpoint.take_batch(max, max_wait, timeout, look_around)?;
        let records = Some(claims.len());
        let mutable = self.endpoint.arena().header().flags & MUTATES_REQUEST != 0;
        let lease = Arc::new(Lease::slots(claims));
        let request = DynRecord::requests(&lease, mutable)?;
        Ok(DynExchange { request, reply: DynRecord::blank(lease, Half::Reply, records) })
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
}

impl DynExchange {
    /// Sends each caller its answer. A reply that lacks a required field reaches them as [`Error::Remote`].
    ///
    /// # Errors
    /// [`Error::Forked`], [`Error::Corrupt`]; the other callers have their answers then.
    pub fn answer(self) -> Result<(), Error> {
        if let Err(error) = self.reply.check_complete() {
            return self.fail(&RemoteError {
                type_name: error.name().to_owned(),
                message: error.to_string(),
                traceback: String::new(),
            });
        }
        let (lease, aliased) = self.lease();
        let (parts, fields) = (self.reply.parts(), lease.aliased());
        each(lease.claims(), |_, claim| claim.answer(parts.presence(), |dim| parts.dim(dim), aliased, fields))
    }

    /// Tells each caller that its request failed.
    ///
    /// # Errors
    /// As [`DynExchange::answer`].
    pub fn fail(self, failure: &RemoteError) -> Result<(), Error> {
        let (lease, aliased) = self.lease();
        let fields = lease.aliased();
        each(lease.claims(), |_, claim| claim.fail(failure, aliased, fields))
    }

    /// The lease, and whether anything but this exchange leads to it.
    fn lease(&self) -> (Arc<Lease>, bool) {
        let lease = Arc::clone(self.request.lease());
        // The two records' references and the one just made.
        let aliased = Lease::is_shared(&lease, 3);
        (lease, aliased)
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
        let receive = || server.receive_many(3, Duration::ZERO, None, &mut || Ok(()));
        let error = receive().map(drop).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        for _ in 0..2 {
            let mut exchange = receive().unwrap();
            assert_eq!(exchange.request.run(), Some(1));
            exchange.reply.mark_present(0);
            exchange.answer().unwrap();
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
        let (hour, moment) = (Duration::from_secs(3600), Duration::from_millis(20));
        let exchange = server.receive_many(4, hour, Some(moment), &mut nothing).unwrap();
        assert_eq!(exchange.request.run(), Some(1));
        let error = server.receive_many(4, hour, Some(moment), &mut nothing).map(drop).unwrap_err();
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
        exchange.answer().unwrap();
        client.endpoint.outcome(&whole, None, &mut nothing).unwrap();
        drop((garbled, whole));
        assert_eq!(host.free_slots(), 2);
    }
}
