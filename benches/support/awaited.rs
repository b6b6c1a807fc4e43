//! Calls that are awaited, beside the same calls that block.

use futures_util::stream::{FuturesUnordered, StreamExt};
use tensorbridge::{Client, Record, Server, Service, WaitStrategy};
use tokio::runtime::{Builder, Runtime};

use super::peer::Peer;
use super::stats::{Run, time_each};

/// A request that costs nothing to fill and to answer.
pub(crate) trait Trivial: Record {
    fn fill(request: &mut Self::Mut);
    fn answer(reply: &mut Self::Mut);
}

/// A service, another process that answers it, and a client.
pub(crate) struct Awaited<R: Trivial> {
    _service: Service<R, R>,
    _peer: Peer,
    client: Client<R, R>,
    runtime: Runtime,
}

impl<R: Trivial> Awaited<R> {
    pub(crate) fn start(name: &str, slots: usize, strategy: &str, wait: WaitStrategy) -> Awaited<R> {
        let service = Service::builder(name).slots(slots).create().expect("a fresh name");
        Awaited {
            _service: service,
            _peer: Peer::start(&["trivial", name, strategy], false),
            client: Client::builder(name).wait(wait).connect().expect("the host is there"),
            runtime: Builder::new_current_thread().build().expect("a runtime"),
        }
    }

    /// Round trips of calls that block.
    pub(crate) fn blocking(&self, rounds: usize) -> Run {
        time_each(rounds, || {
            let mut request = self.client.loan().expect("a free slot");
            R::fill(&mut request);
            drop(request.call().expect("an answer"));
        })
    }

    /// Round trips of calls that are awaited, one at a time.
    pub(crate) fn one_by_one(&self, rounds: usize) -> Run {
        time_each(rounds, || self.runtime.block_on(self.call()))
    }

    /// What a call takes of the time of one thread that has `flying` of them under way.
    pub(crate) fn flying(&self, flying: usize, rounds: usize) -> Run {
        let calls = flying * 8;
        let run = time_each(rounds, || {
            self.runtime.block_on(async {
                let mut under_way: FuturesUnordered<_> = (0..flying).map(|_| self.call()).collect();
                for _ in flying..calls {
                    under_way.next().await;
                    under_way.push(self.call());
                }
                while under_way.next().await.is_some() {}
            });
        });
        Run { p50: run.p50 / calls as u64, p99: run.p99 / calls as u64 }
    }

    async fn call(&self) {
        let mut request = self.client.loan_async().await.expect("a free slot");
        R::fill(&mut request);
        drop(request.call_async().await.expect("an answer"));
    }
}

/// The other side.
pub(crate) fn answer<R: Trivial>(name: &str, wait: WaitStrategy) {
    let server = Server::<R, R>::builder(name).wait(wait).connect().expect("the host is there");
    let _ = server.serve(|_, reply| {
        R::answer(reply);
        Ok::<(), std::convert::Infallible>(())
    });
}
