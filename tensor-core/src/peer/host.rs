//! The host's thread: it lets participants in, and it is the only one that cleans up after the dead.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::handshake::{ATTACHED, Hello, MAX_MESSAGE, Welcome};
use super::name::HostedName;
use super::socket::{Message, peer_of, receive, send};
use crate::arena::{ABI, Arena, ParticipantId};
use crate::error::Error;
use crate::memory::{Process, user_id};

/// How long a connection may take to say hello.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most connections that may be about to say hello.
const MAX_PENDING: usize = 64;

/// Epoll's number for the listener; pidfds have the participant's number, connections have theirs plus
/// [`FIRST_CONNECTION`].
const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;
const FIRST_CONNECTION: u64 = 1 << 32;

/// An arena that this process hosts under a name. Dropping it gives the name back; whoever holds records keeps them.
pub(crate) struct Host {
    arena: Arc<Arena>,
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Takes the name and starts the thread.
    ///
    /// # Errors
    /// [`Error::NameTaken`], those of the directory, [`Error::TooManyFiles`], [`Error::Io`].
    pub(crate) fn start(arena: Arena) -> Result<Host, Error> {
        let arena = Arc::new(arena);
        let name = HostedName::take(arena.name())?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(no_fd)?;
        let mut reception = Reception::new(Arc::clone(&arena), name, stop.try_clone().map_err(io("dup"))?)?;
        let thread = std::thread::Builder::new()
            .name("tensorbridge-host".to_owned())
            .spawn(move || reception.run())
            .map_err(io("starting the host's thread"))?;
        Ok(Host { arena, stop, thread: Some(thread) })
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.arena.check_process().is_err() {
            return;
        }
        self.arena.close();
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn no_fd(errno: Errno) -> Error {
    match errno {
        Errno::MFILE | Errno::NFILE => Error::TooManyFiles { what: "hosting an arena" },
        errno => Error::Io { what: "hosting an arena", source: errno.into() },
    }
}

fn io(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Io { what, source }
}

struct Reception {
    arena: Arc<Arena>,
    name: HostedName,
    epoll: OwnedFd,
    /// This process's pidfd, which every participant gets.
    me: Process,
    /// Keeps the descriptor that epoll watches open.
    _stop: OwnedFd,
    /// Connections that have not said hello yet, and until when they may.
    pending: HashMap<u64, (OwnedFd, Instant)>,
    /// Connections whose participant was let in and has not said that it is attached.
    admitted: HashMap<u64, (OwnedFd, ParticipantId)>,
    next_connection: u64,
    participants: HashMap<ParticipantId, OwnedFd>,
}

impl Reception {
    fn new(arena: Arc<Arena>, name: HostedName, stop: OwnedFd) -> Result<Reception, Error> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(no_fd)?;
        let me = Process::this()?;
        epoll::add(&epoll, name.listener(), EventData::new_u64(LISTENER), EventFlags::IN).map_err(no_fd)?;
        epoll::add(&epoll, &stop, EventData::new_u64(STOP), EventFlags::IN).map_err(no_fd)?;
        Ok(Reception {
            arena,
            name,
            epoll,
            me,
            _stop: stop,
            pending: HashMap::new(),
            admitted: HashMap::new(),
            next_connection: FIRST_CONNECTION,
            participants: HashMap::new(),
        })
    }

    fn run(&mut self) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            let timeout = self.next_deadline();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => {
                    tracing::error!(%errno, "the host's thread cannot wait and ends");
                    return;
                }
            }
            let tokens: Vec<u64> = events.iter().map(|event: &epoll::Event| event.data.u64()).collect();
            for token in tokens {
                match token {
                    STOP => return,
                    LISTENER => self.accept(),
                    FIRST_CONNECTION.. => self.hear(token),
                    id => self.bury(id as ParticipantId),
                }
            }
            let now = Instant::now();
            self.pending.retain(|_, (_, deadline)| *deadline > now);
        }
    }

    fn next_deadline(&self) -> Option<Timespec> {
        let deadline = self.pending.values().map(|(_, deadline)| *deadline).min()?;
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        Some(Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) })
    }

    fn accept(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Ok(socket) = accept_with(self.name.listener(), flags) {
            let token = self.next_connection;
            let data = EventData::new_u64(token);
            if self.pending.len() < MAX_PENDING
                && epoll::add(&self.epoll, &socket, data, EventFlags::IN).is_ok()
            {
                self.next_connection += 1;
                self.pending.insert(token, (socket, Instant::now() + PATIENCE));
            }
        }
    }

    /// A connection said something, or went away.
    fn hear(&mut self, token: u64) {
        if let Some((socket, id)) = self.admitted.remove(&token) {
            match receive(&socket, MAX_MESSAGE) {
                Ok(Some(message)) if message.bytes == ATTACHED => self.arena.confirm(id),
                // It could not use the arena; it holds nothing.
                _ => {
                    self.participants.remove(&id);
                    self.arena.retire(id);
                }
            }
            return;
        }
        let Some((socket, _)) = self.pending.remove(&token) else { return };
        // A probe for a living host connects and says nothing.
        let Ok(Some(message)) = receive(&socket, MAX_MESSAGE) else { return };
        match self.admit(&socket, message) {
            Ok((id, pidfd)) => {
                let fds = self.arena.fds();
                let fds = [fds[0], fds[1], self.me.as_fd()];
                if send(&socket, &Welcome::new(Ok(id)).encode(), &fds).is_err() {
                    self.arena.retire(id);
                    return;
                }
                if let Err(errno) =
                    epoll::add(&self.epoll, &pidfd, EventData::new_u64(u64::from(id)), EventFlags::IN)
                {
                    tracing::error!(%errno, id, "the life of a participant cannot be watched");
                }
                // Replacing closes the pidfd of whoever had the number before, which also takes it out of epoll.
                self.participants.insert(id, pidfd);
                self.admitted.insert(token, (socket, id));
            }
            Err(reason) => {
                let _ = send(&socket, &Welcome::new(Err(reason)).encode(), &[]);
            }
        }
    }

    fn admit(&self, socket: &OwnedFd, message: Message) -> Result<(ParticipantId, OwnedFd), String> {
        let hello = Hello::decode(&message.bytes).ok_or("that was not a hello")?;
        if hello.abi != ABI {
            return Err(format!("it speaks ABI {ABI}, not {}", hello.abi));
        }
        let peer = peer_of(socket).map_err(|error| error.to_string())?;
        let me = user_id();
        if peer.uid != me {
            return Err(format!("user {} may not attach to an arena of user {me}", peer.uid));
        }
        let [pidfd] = <[OwnedFd; 1]>::try_from(message.fds).map_err(|_| "the hello came without a pidfd")?;
        // A number whose last owner may still have something to say on its connection is not given out.
        let unheard = |id| self.admitted.values().all(|(_, admitted)| *admitted != id);
        let id = self.arena.vacant(unheard).ok_or("all participant numbers are in use")?;
        self.arena.enter(id, peer.pid, hello.role);
        Ok((id, pidfd))
    }

    /// A participant's process has ended.
    fn bury(&mut self, id: ParticipantId) {
        if self.participants.remove(&id).is_some() {
            self.arena.recover(id);
        }
    }
}
