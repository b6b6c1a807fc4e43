//! Senders, receivers, clients and servers.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tensor_core::dynamic::{
    Batching, DynClient, DynExchange, DynReceiver, DynRecord, DynSender, DynServer, EndpointOptions, Gather,
    LookAround, supervisor,
};
use tensor_core::service::report_to_stderr;
use tensor_core::{Error, RemoteError};

use crate::attributes::{Base, record};
use crate::copied::{Reason, count};
use crate::errors::raise;
use crate::metrics::Metrics;
use crate::pending::{Mailbox, Pending};
use crate::pins;
use crate::port::Port;
use crate::record::{Held, Origin};
use crate::schema::Schema;
use crate::serve::{Handler, serve};
use crate::wait::{budget, detached, strategy, timeout as seconds, when_full};

fn options(
    name: &str,
    timeout: Option<Duration>,
    wait: &str,
    request: Option<&Schema>,
    reply: Option<&Schema>,
    (full, slots): (&str, Option<i64>),
) -> PyResult<EndpointOptions> {
    let schema = |schema: Option<&Schema>| schema.map(|schema| (*schema.inner).clone());
    Ok(EndpointOptions {
        timeout,
        strategy: strategy(wait)?,
        request: schema(request),
        reply: schema(reply),
        when_full: when_full(full)?,
        max_slots: budget("max_slots", slots)?,
        ..EndpointOptions::new(name)
    })
}

/// What all four kinds of endpoint offer.
macro_rules! endpoint {
    ($class:ident, $endpoint:ty, $doc:literal, { $($methods:tt)* }) => {
        #[doc = $doc]
        #[pyclass(frozen, module = "tensorbridge._core")]
        pub(crate) struct $class {
            port: Arc<Port<$endpoint>>,
        }

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = (name, *, timeout, wait, strict, request = None, reply = None, when_full = "block", max_slots = None))]
            #[expect(clippy::too_many_arguments, reason = "keywords of a Python function")]
            fn new(
                py: Python<'_>,
                name: String,
                timeout: Option<f64>,
                wait: &str,
                strict: bool,
                request: Option<&Schema>,
                reply: Option<&Schema>,
                when_full: &str,
                max_slots: Option<i64>,
            ) -> PyResult<$class> {
                let timeout = seconds(timeout)?;
                let options = options(&name, timeout, wait, request, reply, (when_full, max_slots))?;
                let endpoint = detached(py, || Ok(()), |look| <$endpoint>::connect(options, look))?;
                pins::remember(endpoint.watch());
                let what = const { lower(stringify!($class)) };
                Ok($class { port: Port::new(endpoint, what, name, timeout, strict) })
            }

            /// The schema of the record or request.
            #[getter]
            fn request_schema(&self) -> PyResult<Schema> {
                Ok(Schema { inner: Arc::clone(self.port.get()?.request_schema()) })
            }

            /// The schema of the reply; None for a one-way channel.
            #[getter]
            fn reply_schema(&self) -> PyResult<Option<Schema>> {
                Ok(self.port.get()?.reply_schema().map(|inner| Schema { inner: Arc::clone(inner) }))
            }

            /// The number of slots.
            #[getter]
            fn slots(&self) -> PyResult<usize> {
                Ok(self.port.get()?.slots())
            }

            /// Who holds slots at this moment, most first.
            fn pins<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
                pins::to_python(py, &self.port.name, self.port.get()?.pins())
            }

            /// What has happened in the arena so far, in numbers.
            fn metrics(&self) -> PyResult<Metrics> {
                Ok(self.port.get()?.metrics().into())
            }

            /// Whether the host still lives and hosts this arena.
            #[getter]
            fn connected(&self) -> bool {
                self.port.open().is_some_and(|endpoint| endpoint.is_connected())
            }

            /// An endpoint like this one, of the arena that is hosted under the name now.
            fn again(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<$class> {
                let (endpoint, timeout) = (self.port.get()?, seconds(timeout)?);
                let endpoint = detached(py, || self.port.glance(), |look| endpoint.again(timeout, look))?;
                pins::remember(endpoint.watch());
                Ok($class { port: self.port.with(endpoint) })
            }

            fn close(&self) {
                if let Some(endpoint) = self.port.close() {
                    endpoint.close(const { lower(stringify!($class)) });
                }
            }

            $($methods)*
        }
    };
}

impl Client {
    pub(crate) fn port(&self) -> &Arc<Port<DynClient>> {
        &self.port
    }
}

/// How many records a run may have.
fn at_least_one(max: isize) -> PyResult<usize> {
    match usize::try_from(max) {
        Ok(max) if max > 0 => Ok(max),
        _ => Err(PyValueError::new_err(format!("a run has at least 1 record; found {max}"))),
    }
}

fn gather_of(name: &str) -> PyResult<Gather> {
    match name {
        "auto" => Ok(Gather::Auto),
        "never" => Ok(Gather::Never),
        "always" => Ok(Gather::Always),
        _ => Err(PyValueError::new_err(format!("gather is 'auto', 'never' or 'always'; found {name:?}"))),
    }
}

fn received_run<T>(record: DynRecord, port: &Port<T>) -> Arc<Held> {
    count(&record, Reason::Padded, record.filled_bytes());
    Held::received(record, port)
}

/// How many requests a run has at most, how long they may be waited for, in seconds, and what is done about holes.
type RunTerms<'a> = (isize, f64, &'a str);
/// Of requests and replies.
type Classes<'py> = (Bound<'py, PyType>, Bound<'py, PyType>);

fn batching_of((max, max_wait, gather): RunTerms<'_>) -> PyResult<Batching> {
    let max_wait = seconds(Some(max_wait))?.unwrap_or(Duration::MAX);
    Ok(Batching::up_to(at_least_one(max)?).max_wait(max_wait).gather(gather_of(gather)?))
}

type Class<'a, 'py> = &'a Bound<'py, PyType>;
type Given<'py> = PyResult<Bound<'py, PyAny>>;

/// The name that an error uses for a class.
pub(crate) const fn lower(class: &str) -> &'static str {
    match class.as_bytes()[0] {
        b'C' => "client",
        b'R' => "receiver",
        _ if class.as_bytes()[3] == b'd' => "sender",
        _ => "server",
    }
}

endpoint!(Sender, DynSender, "Sends records.", {
    /// How many records were dropped for newer ones.
    #[getter]
    fn dropped(&self) -> PyResult<u64> {
        Ok(self.port.get()?.dropped())
    }

    fn loan<'py>(&self, timeout: Option<f64>, record_class: Class<'_, 'py>) -> Given<'py> {
        let (sender, timeout) = (self.port.get()?, seconds(timeout)?);
        // At first without letting others run: mostly there is one.
        let loaned = match sender.try_loan() {
            Ok(Some(loaned)) => loaned,
            _ => detached(record_class.py(), || self.port.glance(), |look| sender.loan(timeout, look))?,
        };
        record(Held::new(loaned, Origin::Sender(Arc::clone(&self.port))), record_class, None)
    }

    fn try_loan<'py>(&self, record_class: Class<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let loaned = self.port.get()?.try_loan().map_err(raise)?;
        let origin = || Origin::Sender(Arc::clone(&self.port));
        loaned.map(|loaned| record(Held::new(loaned, origin()), record_class, None)).transpose()
    }

    /// As `loan`, under way; `mailbox` gets `token` when it is worth a look.
    fn loan_async(&self, timeout: Option<f64>, mailbox: &Mailbox, token: u64) -> PyResult<Pending> {
        let wait = self.port.get()?.loan_async(seconds(timeout)?);
        Ok(Pending::new(wait, Origin::Sender(Arc::clone(&self.port)), mailbox, token))
    }
});

endpoint!(Client, DynClient, "Calls a service.", {
    /// As `loan`, under way; `mailbox` gets `token` when it is worth a look.
    fn loan_async(&self, timeout: Option<f64>, mailbox: &Mailbox, token: u64) -> PyResult<Pending> {
        let wait = self.port.get()?.loan_async(seconds(timeout)?);
        Ok(Pending::new(wait, Origin::Client(Arc::clone(&self.port)), mailbox, token))
    }
});

endpoint!(Receiver, DynReceiver, "Receives records.", {
    fn receive<'py>(&self, timeout: Option<f64>, record_class: Class<'_, 'py>) -> Given<'py> {
        let (receiver, timeout) = (self.port.get()?, seconds(timeout)?);
        let received =
            detached(record_class.py(), || self.port.glance(), |look| receiver.receive(timeout, look))?;
        record(Held::received(received, &self.port), record_class, None)
    }

    fn try_receive<'py>(&self, record_class: Class<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let received = self.port.get()?.try_receive().map_err(raise)?;
        received.map(|received| record(Held::received(received, &self.port), record_class, None)).transpose()
    }

    /// Up to `max` records as one run.
    fn receive_many<'py>(
        &self,
        max: isize,
        timeout: Option<f64>,
        record_class: Class<'_, 'py>,
    ) -> Given<'py> {
        let (receiver, max, timeout) = (self.port.get()?, at_least_one(max)?, seconds(timeout)?);
        let wait = |look: LookAround<'_>| receiver.receive_many(max, timeout, look);
        let received = detached(record_class.py(), || self.port.glance(), wait)?;
        record(received_run(received, &self.port), record_class, None)
    }

    /// Up to `max` records as one run, if there are any now.
    fn try_receive_many<'py>(
        &self,
        max: isize,
        record_class: Class<'_, 'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (receiver, max) = (self.port.get()?, at_least_one(max)?);
        // Detached: filling up records of different lengths may take a while.
        let received = record_class.py().detach(|| receiver.try_receive_many(max)).map_err(raise)?;
        received.map(|received| record(received_run(received, &self.port), record_class, None)).transpose()
    }

    /// As `receive`, under way; `mailbox` gets `token` when it is worth a look.
    fn receive_async(&self, timeout: Option<f64>, mailbox: &Mailbox, token: u64) -> PyResult<Pending> {
        let wait = self.port.get()?.receive_async(seconds(timeout)?);
        Ok(Pending::new(wait, Origin::Nobody, mailbox, token))
    }
});

endpoint!(Server, DynServer, "Answers calls.", {
    /// Answers calls until `stop` was called. A run has up to `max` requests, which may have been waited for `max_wait` seconds.
    fn serve(&self, batching: RunTerms<'_>, classes: Classes<'_>, handler: Handler<'_>) -> PyResult<()> {
        serve(&self.port, batching_of(batching)?, (&classes.0, &classes.1), &handler)
    }

    /// Tells the caller that the request failed. Both records are released.
    fn fail(
        &self,
        py: Python<'_>,
        request: &Base,
        reply: &Base,
        type_name: String,
        message: String,
        traceback: String,
    ) -> PyResult<()> {
        let failure = RemoteError { type_name, message, traceback };
        exchange(py, request, reply)?.fail(&failure).map_err(raise)
    }

    /// Makes `serve` return, now or when it is called next. May be called in a signal handler.
    fn stop(&self) {
        self.port.stop();
    }

    /// Ends this process `grace` seconds after the host's, even when it does not come back from what it is doing.
    fn follow_host(&self, grace: f64) -> PyResult<()> {
        let grace = seconds(Some(grace))?.unwrap_or(Duration::ZERO);
        let server = self.port.get()?;
        let Some(host) = server.host_pidfd() else { return Ok(()) };
        let io = |source| raise(Error::Io { what: "watching the host", source });
        let host = host.try_clone_to_owned().map_err(io)?;
        let port = Arc::downgrade(&self.port);
        end_with(host, grace, move || port.upgrade().is_some_and(|port| !port.is_closed())).map_err(io)
    }
});

/// Ends this process `grace` seconds after the one that `identity` leads to, even when it does not come back from what it is
/// doing. False when that one has ended already.
pub(crate) fn follow_supervisor(identity: &str, grace: f64) -> PyResult<bool> {
    let grace = seconds(Some(grace))?.unwrap_or(Duration::ZERO);
    match supervisor(identity) {
        Ok(None) => Ok(false),
        Ok(Some(process)) => {
            let io = |source| raise(Error::Io { what: "watching the supervisor", source });
            end_with(process, grace, || true).map(|()| true).map_err(io)
        }
        // In another PID namespace: the host is watched once this worker is attached.
        Err(Error::Unsupported { .. }) => Ok(true),
        Err(error) => Err(raise(error)),
    }
}

/// The two halves of an exchange, back together.
pub(crate) fn exchange(py: Python<'_>, request: &Base, reply: &Base) -> PyResult<DynExchange> {
    let (request, reply) = (request.held()?.take(py, "answered")?, reply.held()?.take(py, "answered")?);
    Ok(DynExchange { request, reply, gathered: 0 })
}

/// Ends this process `grace` after another one, if it is still `needed` then. The thread never touches Python: another one may
/// hold the GIL for good.
fn end_with(
    process: OwnedFd,
    grace: Duration,
    needed: impl Fn() -> bool + Send + 'static,
) -> std::io::Result<()> {
    let watch = move || watch(&process, grace, needed);
    std::thread::Builder::new().name("tensorbridge-host-watch".to_owned()).spawn(watch).map(drop)
}

fn watch(process: &OwnedFd, grace: Duration, needed: impl Fn() -> bool) {
    let slice = Timespec { tv_sec: 1, tv_nsec: 0 };
    while needed() {
        let mut fds = [PollFd::new(process, PollFlags::IN)];
        if poll(&mut fds, Some(&slice)).is_ok_and(|ready| ready > 0) {
            std::thread::sleep(grace);
            if needed() {
                // Its standard error may lead to the process that has ended, or to somebody who never reads it.
                report_to_stderr(
                    "tensorbridge: the host is gone; this worker ends without finishing its call",
                );
                // SAFETY: ends the process at once; nothing of it has to be run any more, and nobody waits for its answer.
                unsafe { libc::_exit(1) };
            }
        }
    }
}
