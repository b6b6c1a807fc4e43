//! Operations under way that an event loop polls.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pyo3::prelude::*;
use rustix::event::{EventfdFlags, eventfd};
use tensor_core::Error;
use tensor_core::dynamic::DynPending;

use crate::errors::raise;
use crate::record::{Handle, Held, Origin};

/// Where an event loop learns which operations are worth a look. Its descriptor is readable while there are any.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Mailbox {
    post: Arc<Post>,
}

struct Post {
    eventfd: OwnedFd,
    tokens: Mutex<Vec<u64>>,
}

impl Post {
    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        // Held for a push or a replacement only, never while Python code runs.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, token: u64) {
        let mut tokens = self.lock();
        tokens.push(token);
        let first = tokens.len() == 1;
        drop(tokens);
        if first {
            let _ = rustix::io::write(&self.eventfd, &1u64.to_ne_bytes());
        }
    }
}

#[pymethods]
impl Mailbox {
    #[new]
    fn new() -> PyResult<Mailbox> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| raise(Error::Io { what: "eventfd", source: errno.into() }))?;
        Ok(Mailbox { post: Arc::new(Post { eventfd, tokens: Mutex::default() }) })
    }

    fn fileno(&self) -> RawFd {
        self.post.eventfd.as_raw_fd()
    }

    /// The tokens of the operations that are worth a look.
    fn collect(&self) -> Vec<u64> {
        // Before the tokens: one that comes in between makes the descriptor readable again.
        let _ = rustix::io::read(&self.post.eventfd, &mut [0; 8]);
        std::mem::take(&mut *self.post.lock())
    }
}

/// Wakes an operation's event loop, from a thread that knows nothing of Python.
struct Letter {
    post: Arc<Post>,
    token: u64,
}

impl Wake for Letter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.post.add(self.token);
    }
}

/// A loan, a call or a receive under way.
#[pyclass(frozen, module = "tensorbridge._core")]
pub(crate) struct Pending {
    wait: Mutex<Option<DynPending>>,
    origin: Origin,
    waker: Waker,
}

impl Pending {
    pub(crate) fn new(wait: DynPending, origin: Origin, mailbox: &Mailbox, token: u64) -> Pending {
        let waker = Waker::from(Arc::new(Letter { post: Arc::clone(&mailbox.post), token }));
        Pending { wait: Mutex::new(Some(wait)), origin, waker }
    }

    fn lock(&self) -> MutexGuard<'_, Option<DynPending>> {
        // Only the thread of the operation's event loop uses it.
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Pending {
    /// The record, or None when it has to be waited for.
    fn poll(&self) -> PyResult<Option<Handle>> {
        let mut wait = self.lock();
        let Some(pending) = wait.as_mut() else { return Err(raise(Error::Released { how: "awaited" })) };
        let Poll::Ready(result) = pending.poll(&Context::from_waker(&self.waker)) else { return Ok(None) };
        *wait = None;
        drop(wait);
        result.map(|record| Some(Handle::of(Held::new(record, self.origin.clone())))).map_err(raise)
    }

    /// Gives it up, if it has not ended.
    fn cancel(&self) {
        let wait = self.lock().take();
        drop(wait);
    }
}
