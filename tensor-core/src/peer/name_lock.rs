//! The lock of a name, for the few system calls between looking whether it is free and taking it.
//!
//! It is a record lock: it ends with the process that has it, whoever inherited its descriptors, and the kernel says which
//! process that is. Whoever waits for it waits until a deadline, since that process may be stopped, and in the way of nobody
//! who wants another name. Its file is there only while somebody has the lock, or was killed having it.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, fcntl_lock, fstat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::directory::Directory;
use super::name::file_name;
use crate::error::Error;
use crate::memory::PerProcess;
use crate::sync::step;
use crate::wait::SLICE;

/// How soon a lock that another process has is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// Record locks do not exclude the threads of one process, which moreover loses them with any descriptor of the file that it
/// closes. So one thread at a time has such a file open.
static ONE_THREAD: PerProcess<Mutex<()>> = PerProcess::new();

/// The right to look at a name and change it.
pub(super) struct NameLock<'a> {
    directory: &'a Directory,
    file: String,
    // Closed before another thread may open it.
    _fd: OwnedFd,
    _thread: MutexGuard<'static, ()>,
}

impl<'a> NameLock<'a> {
    /// The lock of `name`, waiting for it for up to `timeout` (`None`: for ever). `look_around` is called while waiting and ends
    /// it with its error.
    ///
    /// # Errors
    /// [`Error::NameBusy`], [`Error::InvalidName`], [`Error::TooManyFiles`], [`Error::Io`].
    pub(super) fn acquire(
        directory: &'a Directory,
        name: &str,
        timeout: Option<Duration>,
        look_around: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<NameLock<'a>, Error> {
        let file = format!(".{}.lock", file_name(name)?);
        let start = Instant::now();
        let mut looked = start;
        loop {
            let holder = match NameLock::attempt(directory, &file)? {
                Ok(lock) => return Ok(lock),
                Err(holder) => holder,
            };
            let waited = start.elapsed();
            if timeout.is_some_and(|timeout| waited >= timeout) {
                return Err(Error::NameBusy { name: name.to_owned(), pid: holder, waited });
            }
            if looked.elapsed() >= SLICE {
                looked = Instant::now();
                look_around()?;
            }
            std::thread::sleep(RETRY.min(timeout.map_or(RETRY, |timeout| timeout - waited)));
        }
    }

    /// The lock, or which process has it, as far as the kernel says.
    fn attempt(directory: &'a Directory, file: &str) -> Result<Result<NameLock<'a>, Option<u32>>, Error> {
        let io = |errno: Errno| match errno {
            Errno::MFILE | Errno::NFILE => Error::TooManyFiles { what: "the lock of a name" },
            errno => Error::Io { what: "locking a name", source: errno.into() },
        };
        let thread = ONE_THREAD.get(Mutex::default)?.lock().unwrap_or_else(PoisonError::into_inner);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        step();
        let fd = openat(directory.fd(), file, flags, Mode::RUSR | Mode::WUSR).map_err(io)?;
        match fcntl_lock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => {
                let holder = fcntl_getlk(&fd, &Flock::from(FlockType::WriteLock)).map_err(io)?;
                let pid = holder.and_then(|holder| holder.pid);
                return Ok(Err(pid.map(|pid| pid.as_raw_pid() as u32)));
            }
            Err(errno) => return Err(io(errno)),
        }
        // Whoever had it before may have removed the file that was opened here.
        let opened = fstat(&fd).map_err(io)?;
        match statat(directory.fd(), file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if (there.st_dev, there.st_ino) == (opened.st_dev, opened.st_ino) => {
                Ok(Ok(NameLock { directory, file: file.to_owned(), _fd: fd, _thread: thread }))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(Err(None)),
            Err(errno) => Err(io(errno)),
        }
    }
}

impl Drop for NameLock<'_> {
    fn drop(&mut self) {
        step();
        // While it is still locked: whoever has opened it meanwhile sees that it is gone.
        let _ = unlinkat(self.directory.fd(), &self.file, AtFlags::empty());
    }
}
