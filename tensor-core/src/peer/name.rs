//! Taking a name: a bound socket that is the one host of it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, FlockOperation, flock, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::{SocketFlags, bind, connect, listen};

use super::directory::Directory;
use super::socket::{address, new_socket, peer_of};
use crate::error::Error;
use crate::schema::is_schema_name;
use crate::sync::step;

/// How long the directory's lock is waited for; whoever holds it does so for a few system calls.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// A name that this process hosts. Dropping it takes the socket away, unless another host has taken the name over.
#[derive(Debug)]
pub(super) struct HostedName {
    directory: Directory,
    file: String,
    inode: u64,
    listener: OwnedFd,
}

impl HostedName {
    /// Takes `name`, if nobody alive has it.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::InvalidName`], and the errors of the directory.
    pub(super) fn take(name: &str) -> Result<HostedName, Error> {
        let directory = Directory::open()?;
        let file = file_name(name)?;
        let listener = new_socket(SocketFlags::NONBLOCK)?;
        let inode = HostedName::install(&directory, name, &file, &listener)?;
        Ok(HostedName { directory, file, inode, listener })
    }

    /// Under the directory's lock: looks whether somebody alive has the name, and puts a listening socket in its place.
    fn install(directory: &Directory, name: &str, file: &str, listener: &OwnedFd) -> Result<u64, Error> {
        let io = |what| move |errno: Errno| Error::Io { what, source: errno.into() };
        let _lock = DirectoryLock::acquire(directory, LOCK_PATIENCE)?;
        if let Some(pid) = living_host(directory, file)? {
            return Err(Error::NameTaken { name: name.to_owned(), pid });
        }
        // Bound under another name first: whoever finds the socket finds it listening.
        let temporary = format!(".{file}");
        let remove = || unlinkat(directory.fd(), &temporary, AtFlags::empty());
        // One that was killed between here and the renaming left it behind.
        let _ = remove();
        let install = || {
            step();
            bind(listener, &address(&directory.short_path(&temporary))?).map_err(io("binding a socket"))?;
            step();
            listen(listener, 128).map_err(io("listen"))?;
            let stat = statat(directory.fd(), &temporary, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(io("stat of a socket"))?;
            step();
            renameat(directory.fd(), &temporary, directory.fd(), file).map_err(io("renaming a socket"))?;
            Ok(stat.st_ino)
        };
        install().inspect_err(|_| {
            let _ = remove();
        })
    }

    pub(super) fn listener(&self) -> &OwnedFd {
        &self.listener
    }
}

impl Drop for HostedName {
    fn drop(&mut self) {
        // Without the lock the socket of whoever takes the name over at this moment could be removed instead. If it is not
        // to be had, the socket stays and the next one finds it dead.
        let Ok(_lock) = DirectoryLock::acquire(&self.directory, LOCK_PATIENCE) else { return };
        let current = statat(self.directory.fd(), &self.file, AtFlags::SYMLINK_NOFOLLOW);
        if current.is_ok_and(|stat| stat.st_ino == self.inode) {
            step();
            let _ = unlinkat(self.directory.fd(), &self.file, AtFlags::empty());
        }
    }
}

/// Removes the socket of a host that is dead, for the sake of order. While somebody else has the lock it stays: whoever has
/// it may be stopped, and nobody who attaches waits for that.
pub(super) fn remove_if_dead(directory: &Directory, file: &str) -> Result<(), Error> {
    let _lock = match DirectoryLock::acquire(directory, Duration::ZERO) {
        Err(Error::Timeout { .. }) => return Ok(()),
        lock => lock?,
    };
    if living_host(directory, file)?.is_none() {
        let _ = unlinkat(directory.fd(), file, AtFlags::empty());
    }
    Ok(())
}

/// The file of a name in the directory.
pub(super) fn file_name(name: &str) -> Result<String, Error> {
    if is_schema_name(name) {
        Ok(format!("{name}.sock"))
    } else {
        Err(Error::InvalidName { name: name.to_owned() })
    }
}

/// The process that listens at `file`, if it is alive. A forked child may keep a dead host's listener open; the pidfd of
/// whoever called `listen` tells.
fn living_host(directory: &Directory, file: &str) -> Result<Option<u32>, Error> {
    let probe = new_socket(SocketFlags::NONBLOCK)?;
    match connect(&probe, &address(&directory.short_path(file))?) {
        Err(Errno::NOENT) => Ok(None),
        // Nobody listens, or somebody put another kind of file there, which is theirs.
        Err(Errno::CONNREFUSED) => match statat(directory.fd(), file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if !FileType::from_raw_mode(stat.st_mode).is_socket() => Err(Error::NotTensorbridge {
                path: directory.path_of(file),
                found: "a file that is no socket".into(),
            }),
            _ => Ok(None),
        },
        // Its queue is full: somebody does listen, but who cannot be asked.
        Err(Errno::AGAIN) => Ok(Some(0)),
        Err(errno) => Err(Error::NotTensorbridge { path: directory.path_of(file), found: errno.to_string() }),
        Ok(()) => {
            let peer = peer_of(&probe)?;
            let alive = peer.process.is_some_and(|process| !process.has_ended());
            Ok(alive.then_some(peer.pid))
        }
    }
}

/// The directory's lock, for the few system calls between looking and renaming.
struct DirectoryLock {
    fd: OwnedFd,
}

impl DirectoryLock {
    fn acquire(directory: &Directory, patience: Duration) -> Result<DirectoryLock, Error> {
        // A description of its own: `flock` excludes descriptions, and so the threads of one process too.
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let fd =
            rustix::fs::openat(directory.fd(), ".", flags, rustix::fs::Mode::empty()).map_err(|errno| {
                match errno {
                    Errno::MFILE | Errno::NFILE => Error::TooManyFiles { what: "the directory's lock" },
                    errno => Error::Io { what: "opening the meeting directory", source: errno.into() },
                }
            })?;
        let start = Instant::now();
        loop {
            match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(DirectoryLock { fd }),
                Err(Errno::WOULDBLOCK) if start.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(Error::Timeout {
                        what: "the lock of the meeting directory",
                        after: patience,
                    });
                }
                Err(errno) => return Err(Error::Io { what: "flock", source: errno.into() }),
            }
        }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        let _ = flock(&self.fd, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;
    use crate::arena::Expected;
    use crate::peer::{Role, attach};

    fn unique(name: &str) -> String {
        format!("{name}.p{}", std::process::id())
    }

    #[test]
    fn what_a_killed_host_left_half_done_is_in_nobodys_way() {
        let name = unique("halfway");
        let file = file_name(&name).unwrap();
        let directory = Directory::open().unwrap();
        let thread = rustix::thread::gettid().as_raw_pid();
        for left in [format!(".{file}"), format!(".{file}.{}.{thread}", std::process::id())] {
            let socket = new_socket(SocketFlags::NONBLOCK).unwrap();
            bind(&socket, &address(&directory.short_path(&left)).unwrap()).unwrap();
        }
        drop(HostedName::take(&name).unwrap());
        let _ =
            unlinkat(directory.fd(), format!(".{file}.{}.{thread}", std::process::id()), AtFlags::empty());
    }

    #[test]
    fn whoever_attaches_does_not_wait_for_the_directorys_lock() {
        let name = unique("locked");
        let file = file_name(&name).unwrap();
        let directory = Directory::open().unwrap();
        let dead = new_socket(SocketFlags::NONBLOCK).unwrap();
        bind(&dead, &address(&directory.short_path(&file)).unwrap()).unwrap();
        drop(dead);
        // As one that was stopped while it had the lock. It is the only lock that others' tests may want meanwhile.
        let lock = DirectoryLock::acquire(&directory, LOCK_PATIENCE).unwrap();
        let start = Instant::now();
        let timeout = Some(Duration::from_millis(20));
        let error = attach(&name, Role::Sender, &Expected::default(), timeout, &mut || Ok(()));
        let waited = start.elapsed();
        drop(lock);
        assert!(matches!(error.map(drop).unwrap_err(), Error::NotFound { .. }));
        assert!(waited < LOCK_PATIENCE, "{waited:?}");
        let _ = unlinkat(directory.fd(), &file, AtFlags::empty());
    }

    /// A forked child may have the listener of a dead host without knowing it. Connections to it succeed.
    #[test]
    fn the_name_of_a_dead_host_is_free_although_another_process_has_its_listener() {
        const TEST: &str = "the_name_of_a_dead_host_is_free_although_another_process_has_its_listener";
        const NAME: &str = "TENSORBRIDGE_TEST_NAME";
        if let Ok(name) = std::env::var(NAME) {
            let host = HostedName::take(&name).unwrap();
            let listener = host.listener.try_clone().unwrap();
            let mut heir = Command::new("sleep");
            heir.arg("60").stdin(Stdio::from(listener)).stdout(Stdio::null()).stderr(Stdio::null());
            println!("\nheir {}", heir.spawn().unwrap().id());
            std::process::exit(0);
        }
        let name = unique("inherited");
        let program = std::env::current_exe().unwrap();
        let path = format!("{}::{TEST}", module_path!().split_once("::").unwrap().1);
        let output =
            Command::new(program).args(["--exact", &path, "--nocapture"]).env(NAME, &name).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let heir = output.lines().find_map(|line| line.strip_prefix("heir ")).expect(&output);
        let heir = Pid::from_raw(heir.parse().unwrap()).unwrap();

        // Whoever looks for a host finds none, soon, and stays out of the dead one's queue.
        let attached =
            attach(&name, Role::Sender, &Expected::default(), Some(Duration::ZERO), &mut || Ok(()));
        let taken = HostedName::take(&name);
        kill_process(heir, Signal::KILL).unwrap();
        let error = attached.map(drop).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        taken.unwrap();
    }
}
