//! A thread that a forked child does not take for its own.

use std::io::Error as IoError;
use std::thread::{Builder, JoinHandle, Result as Joined};

use super::ForkFlag;
use crate::error::Error;

/// A thread of the process that started it. In a forked child there is no such thread: waiting for it there would be for good, or for
/// another one that has its memory by then.
pub(crate) struct OwnThread<T> {
    flag: ForkFlag,
    /// `None` once it was waited for.
    handle: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> OwnThread<T> {
    /// Starts a thread; `what` is what that is, for people.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn start(
        what: &'static str,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<OwnThread<T>, Error> {
        let flag = ForkFlag::new()?;
        let io = |source: IoError| Error::Io { what, source };
        let handle = Builder::new().name(name.to_owned()).spawn(work).map_err(io)?;
        Ok(OwnThread { flag, handle: Some(handle) })
    }
}

impl<T> OwnThread<T> {
    /// Whether this is the process that started it.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.flag.in_child() { Err(Error::Forked) } else { Ok(()) }
    }

    /// Waits for its end; `None` when it was waited for already, or is another process's.
    pub(crate) fn join(&mut self) -> Option<Joined<T>> {
        self.check_process().ok()?;
        self.handle.take().map(JoinHandle::join)
    }
}

impl<T> Drop for OwnThread<T> {
    fn drop(&mut self) {
        if self.check_process().is_err() {
            std::mem::forget(self.handle.take());
        }
    }
}

#[cfg(all(test, connects))]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_waits_for_no_thread_of_its_parent() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let mut thread =
            OwnThread::start("starting a thread", "test", move || stopped.recv().is_err()).unwrap();
        // SAFETY: the child calls nothing that could wait for a lock of another thread, and ends without unwinding.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let fine = matches!(thread.check_process(), Err(Error::Forked)) && thread.join().is_none();
            // SAFETY: nothing of the parent's is run.
            unsafe { libc::_exit(i32::from(!fine)) };
        }
        let mut status = -1;
        // SAFETY: the status goes to a local variable.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
        drop(stop);
        assert!(thread.join().unwrap().unwrap());
        assert!(thread.join().is_none());
    }
}
