//! Taking a name: a bound socket that is the one host of it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::{SocketFlags, bind, connect, listen};

use super::directory::Directory;
use super::name_lock::NameLock;
use super::socket::{address, new_socket, peer_of};
use crate::error::Error;
use crate::schema::is_schema_name;
use crate::sync::step;

/// A name that this process hosts. Dropping it takes the socket away, unless another host has taken the name over.
#[derive(Debug)]
pub(super) struct HostedName {
    directory: Directory,
    file: String,
    inode: u64,
    listener: OwnedFd,
}

impl HostedName {
    /// Takes `name`, if nobody alive has it. Others that are taking the same name are waited for until `timeout` (`None`: for
    /// ever); `look_around` is called meanwhile and ends that with its error.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::NameBusy`], [`Error::InvalidName`], and the errors of the directory.
    pub(super) fn take(
        name: &str,
        timeout: Option<Duration>,
        look_around: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<HostedName, Error> {
        let directory = Directory::open()?;
        let file = file_name(name)?;
        let listener = new_socket(SocketFlags::NONBLOCK)?;
        let lock = NameLock::acquire(&directory, name, timeout, look_around)?;
        let inode = HostedName::install(&directory, name, &file, &listener)?;
        drop(lock);
        Ok(HostedName { directory, file, inode, listener })
    }

    /// Under the name's lock: looks whether somebody alive has the name, and puts a listening socket in its place.
    fn install(directory: &Directory, name: &str, file: &str, listener: &OwnedFd) -> Result<u64, Error> {
        let io = |what| move |errno: Errno| Error::Io { what, source: errno.into() };
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
        // Without a lock, for which one would have to wait: while this process lives and listens, nobody takes the name over, and
        // the listener is closed only after this.
        let current = statat(self.directory.fd(), &self.file, AtFlags::SYMLINK_NOFOLLOW);
        if current.is_ok_and(|stat| stat.st_ino == self.inode) {
            step();
            let _ = unlinkat(self.directory.fd(), &self.file, AtFlags::empty());
        }
    }
}

/// Removes the socket of a host that is dead, for the sake of order. While somebody else has the lock it stays: whoever has
/// it may be stopped, and nobody who attaches waits for that.
pub(super) fn remove_if_dead(directory: &Directory, name: &str) -> Result<(), Error> {
    let _lock = match NameLock::acquire(directory, name, Some(Duration::ZERO), &mut || Ok(())) {
        Err(Error::NameBusy { .. }) => return Ok(()),
        lock => lock?,
    };
    let file = file_name(name)?;
    if living_host(directory, &file)?.is_none() {
        let _ = unlinkat(directory.fd(), &file, AtFlags::empty());
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use rustix::fs::{Mode, OFlags, openat};
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
        let socket = new_socket(SocketFlags::NONBLOCK).unwrap();
        bind(&socket, &address(&directory.short_path(&format!(".{file}"))).unwrap()).unwrap();
        drop(take(&name).unwrap());
    }

    /// Says to a copy of this program which name to lock.
    const LOCK: &str = "TENSORBRIDGE_TEST_LOCK";

    /// Another process, stopped while it has the lock of a name. Killed and reaped when dropped.
    struct Stopped(Child);

    impl Stopped {
        fn with_the_lock_of(name: &str, test: &str) -> Stopped {
            let mut process = copy_that_runs(test).env(LOCK, name).stdout(Stdio::piped()).spawn().unwrap();
            let said = BufReader::new(process.stdout.take().unwrap()).lines();
            assert!(said.map_while(Result::ok).any(|line| line == "locked"));
            let stopped = Stopped(process);
            kill_process(Pid::from_child(&stopped.0), Signal::STOP).unwrap();
            stopped
        }
    }

    impl Drop for Stopped {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// What the other process does, until it is killed.
    fn lock_and_wait() {
        let Ok(name) = std::env::var(LOCK) else { return };
        let directory = Directory::open().unwrap();
        let _lock = NameLock::acquire(&directory, &name, None, &mut || Ok(())).unwrap();
        println!("\nlocked");
        loop {
            std::thread::park();
        }
    }

    fn copy_that_runs(test: &str) -> Command {
        let path = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &path, "--nocapture"]);
        command
    }

    fn take(name: &str) -> Result<HostedName, Error> {
        HostedName::take(name, Some(Duration::from_secs(30)), &mut || Ok(()))
    }

    #[test]
    fn hosting_waits_until_its_deadline_for_one_that_was_stopped_in_it_and_only_for_the_same_name() {
        lock_and_wait();
        const TEST: &str =
            "hosting_waits_until_its_deadline_for_one_that_was_stopped_in_it_and_only_for_the_same_name";
        let name = unique("stopped");
        let hosted = take(&name).unwrap();
        let stopped = Stopped::with_the_lock_of(&name, TEST);
        for timeout in [Duration::ZERO, Duration::from_millis(50)] {
            let error = HostedName::take(&name, Some(timeout), &mut || Ok(())).unwrap_err();
            let text = error.to_string();
            let Error::NameBusy { pid, waited, .. } = error else { panic!("{text}") };
            assert_eq!(pid, Some(stopped.0.id()), "{text}");
            assert!(waited >= timeout && text.contains(&format!("process {}", stopped.0.id())), "{text}");
        }
        // What is seen around ends the wait.
        let error = HostedName::take(&name, None, &mut || Err(Error::Interrupted)).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{error}");
        // Nobody else is in its way, and a host gives the name back without the lock.
        drop(take(&unique("other")).unwrap());
        drop(hosted);
        let directory = Directory::open().unwrap();
        let file = file_name(&name).unwrap();
        assert!(statat(directory.fd(), &file, AtFlags::SYMLINK_NOFOLLOW).is_err(), "the socket is there");
        // Killed, it has the lock no more, and nothing of it is left.
        drop(stopped);
        drop(take(&name).unwrap());
        let lock = format!(".{file}.lock");
        assert!(statat(directory.fd(), &lock, AtFlags::SYMLINK_NOFOLLOW).is_err(), "{lock} is there");
    }

    /// Takes a name again and again, and while it has it also a file that only one can make.
    fn contend(name: &str) {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let directory = Directory::open().unwrap();
        let mark = format!("{name}.mark");
        for _ in 0..300 {
            match take(name) {
                Ok(host) => {
                    openat(directory.fd(), &mark, flags, Mode::RUSR).expect("one host at a time");
                    unlinkat(directory.fd(), &mark, AtFlags::empty()).unwrap();
                    drop(host);
                }
                Err(error) => assert!(matches!(error, Error::NameTaken { .. }), "{error}"),
            }
        }
    }

    #[test]
    fn a_name_has_one_host_however_many_threads_and_processes_take_it_at_once() {
        const TEST: &str = "a_name_has_one_host_however_many_threads_and_processes_take_it_at_once";
        const NAME: &str = "TENSORBRIDGE_TEST_CONTENDED";
        let inherited = std::env::var(NAME);
        let name = inherited.clone().unwrap_or_else(|_| unique("contended"));
        let other = || copy_that_runs(TEST).env(NAME, &name).stdout(Stdio::null()).spawn().unwrap();
        let others = if inherited.is_ok() { vec![] } else { vec![other(), other()] };
        std::thread::scope(|scope| {
            scope.spawn(|| contend(&name));
            scope.spawn(|| contend(&name));
        });
        for mut other in others {
            assert!(other.wait().unwrap().success());
        }
    }

    #[test]
    fn whoever_attaches_does_not_wait_for_one_that_was_stopped_while_it_took_the_name() {
        lock_and_wait();
        const TEST: &str = "whoever_attaches_does_not_wait_for_one_that_was_stopped_while_it_took_the_name";
        let name = unique("locked");
        let file = file_name(&name).unwrap();
        let directory = Directory::open().unwrap();
        let dead = new_socket(SocketFlags::NONBLOCK).unwrap();
        bind(&dead, &address(&directory.short_path(&file)).unwrap()).unwrap();
        drop(dead);
        let _stopped = Stopped::with_the_lock_of(&name, TEST);
        let timeout = Some(Duration::from_millis(20));
        let error = attach(&name, Role::Sender, &Expected::default(), timeout, &mut || Ok(()));
        assert!(matches!(error.map(drop).unwrap_err(), Error::NotFound { .. }));
        let _ = unlinkat(directory.fd(), &file, AtFlags::empty());
    }

    /// A forked child may have the listener of a dead host without knowing it. Connections to it succeed.
    #[test]
    fn the_name_of_a_dead_host_is_free_although_another_process_has_its_listener() {
        const TEST: &str = "the_name_of_a_dead_host_is_free_although_another_process_has_its_listener";
        const NAME: &str = "TENSORBRIDGE_TEST_NAME";
        if let Ok(name) = std::env::var(NAME) {
            let host = take(&name).unwrap();
            let listener = host.listener.try_clone().unwrap();
            let mut heir = Command::new("sleep");
            heir.arg("60").stdin(Stdio::from(listener)).stdout(Stdio::null()).stderr(Stdio::null());
            println!("\nheir {}", heir.spawn().unwrap().id());
            std::process::exit(0);
        }
        let name = unique("inherited");
        let output = copy_that_runs(TEST).env(NAME, &name).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let heir = output.lines().find_map(|line| line.strip_prefix("heir ")).expect(&output);
        let heir = Pid::from_raw(heir.parse().unwrap()).unwrap();

        // Whoever looks for a host finds none, soon, and stays out of the dead one's queue.
        let attached =
            attach(&name, Role::Sender, &Expected::default(), Some(Duration::ZERO), &mut || Ok(()));
        let taken = take(&name);
        kill_process(heir, Signal::KILL).unwrap();
        let error = attached.map(drop).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        taken.unwrap();
    }
}
