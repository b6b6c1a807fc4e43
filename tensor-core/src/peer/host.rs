//! The host's thread: it lets participants in, and it is the only one that cleans up after the dead.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
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
use crate::memory::{OwnThread, Process, user_id};

/// How long a connection may take to say hello.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most connections that may be about to say hello.
const MAX_PENDING: usize = 64;

/// How long a host without resources leaves connections in the listener's queue.
const PAUSE: Duration = Duration::from_millis(100);

/// Epoll's numbers. Connections and pidfds have numbers that are never used again: an event that was there before its
/// descriptor was closed must not be taken for one of whoever comes after.
const LISTENER: u64 = 0;
const STOP: u64 = 1;
const FIRST: u64 = 2;

/// An arena that this process hosts under a name. Dropping it gives the name back; whoever holds records keeps them.
pub(crate) struct Host {
    arena: Arc<Arena>,
    stop: OwnedFd,
    thread: OwnThread<()>,
}

impl Host {
    /// Takes the name and starts the thread. Others that are taking the same name are waited for until `timeout` (`None`: for
    /// ever).
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::NameBusy`], those of the directory, [`Error::TooManyFiles`], [`Error::Io`].
    pub(crate) fn start(
        arena: Arena,
        timeout: Option<Duration>,
        look_around: &mut dyn FnMut() -> Result<(), Error>,
    ) -> Result<Host, Error> {
        let arena = Arc::new(arena);
        let name = HostedName::take(arena.name(), timeout, look_around)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(no_fd)?;
        let mut reception = Reception::new(Arc::clone(&arena), name, stop.try_clone().map_err(io("dup"))?)?;
        let run = move || reception.run();
        let thread = OwnThread::start("starting the host's thread", "tensorbridge-host", run)?;
        Ok(Host { arena, stop, thread })
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// Gives the name back and lets nobody in any more; whoever is attached goes on.
    pub(crate) fn leave(&mut self) {
        if self.arena.check_process().is_err() {
            return;
        }
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        let _ = self.thread.join();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.arena.check_process().is_err() {
            return;
        }
        self.arena.close();
        self.leave();
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
    participants: HashMap<u64, (ParticipantId, OwnedFd)>,
    next_token: u64,
    /// Whether epoll watches the listener.
    listening: bool,
    /// Until when nobody is let in, because there were no descriptors left for a connection.
    pause: Option<Instant>,
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
            participants: HashMap::new(),
            next_token: FIRST,
            listening: true,
            pause: None,
        })
    }

    fn run(&mut self) {
        let mut events = Vec::with_capacity(64);
        while self.turn(&mut events) {}
    }

    /// Waits for something to happen and deals with it; whether to go on.
    fn turn(&mut self, events: &mut Vec<epoll::Event>) -> bool {
        events.clear();
        let timeout = self.next_deadline();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => {
                tracing::error!(target: "tensorbridge", %errno, "the host's thread cannot wait and ends");
                return false;
            }
        }
        for event in events {
            match event.data.u64() {
                STOP => return false,
                LISTENER => self.accept(),
                token if self.participants.contains_key(&token) => self.bury(token),
                token => self.hear(token),
            }
        }
        let now = Instant::now();
        self.pending.retain(|_, (_, deadline)| *deadline > now);
        self.pause = self.pause.filter(|until| *until > now);
        self.mind_listener();
        true
    }

    /// Leaves new connections in the listener's queue while there is no room for them.
    fn mind_listener(&mut self) {
        let room = self.pending.len() < MAX_PENDING && self.pause.is_none();
        if room != self.listening {
            let flags = if room { EventFlags::IN } else { EventFlags::empty() };
            let data = EventData::new_u64(LISTENER);
            match epoll::modify(&self.epoll, self.name.listener(), data, flags) {
                Ok(()) => self.listening = room,
                Err(errno) => {
                    tracing::error!(target: "tensorbridge", %errno, "the listener cannot be watched")
                }
            }
        }
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token - 1
    }

    fn next_deadline(&self) -> Option<Timespec> {
        let deadline = self.pending.values().map(|(_, deadline)| *deadline).chain(self.pause).min()?;
        let left = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        Some(Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) })
    }

    fn accept(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while self.pending.len() < MAX_PENDING {
            let token = self.token();
            let accepted = accept_with(self.name.listener(), flags).and_then(|socket| {
                epoll::add(&self.epoll, &socket, EventData::new_u64(token), EventFlags::IN).map(|()| socket)
            });
            match accepted {
                Ok(socket) => drop(self.pending.insert(token, (socket, Instant::now() + PATIENCE))),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => {
                    tracing::warn!(target: "tensorbridge", %errno, "nobody can attach for lack of resources");
                    self.pause = Some(Instant::now() + PAUSE);
                    return;
                }
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
                    self.forget(id);
                    self.arena.retire(id);
                }
            }
            return;
        }
        let Some((socket, _)) = self.pending.remove(&token) else { return };
        // A probe for a living host connects and says nothing.
        let Ok(Some(message)) = receive(&socket, MAX_MESSAGE) else { return };
        match self.admit(&socket, message) {
            Ok(id) => {
                let fds = self.arena.fds();
                let fds = [fds[0], fds[1], self.me.as_fd()];
                if send(&socket, &Welcome::new(Ok(id)).encode(), &fds).is_err() {
                    self.forget(id);
                    self.arena.retire(id);
                    return;
                }
                self.admitted.insert(token, (socket, id));
            }
            Err(reason) => {
                let _ = send(&socket, &Welcome::new(Err(reason)).encode(), &[]);
            }
        }
    }

    /// Watches the life of whoever has this number no more.
    fn forget(&mut self, id: ParticipantId) {
        let watched = self.participants.extract_if(|_, (number, _)| *number == id);
        watched.for_each(|(_, (_, pidfd))| unwatch(&self.epoll, &pidfd));
    }

    fn admit(&mut self, socket: &OwnedFd, message: Message) -> Result<ParticipantId, String> {
        let hello = Hello::decode(&message.bytes).ok_or("that was not a hello")?;
        if hello.abi != ABI {
            return Err(format!("it speaks ABI {ABI}, not {}", hello.abi));
        }
        let peer = peer_of(socket).map_err(|error| error.to_string())?;
        let me = user_id();
        if peer.uid != me {
            return Err(format!("user {} may not attach to an arena of user {me}", peer.uid));
        }
        let [sent] = <[OwnedFd; 1]>::try_from(message.fds).map_err(|_| "the hello came without a pidfd")?;
        // The kernel's word where it gives it: a peer could send the pidfd of a process that never ends.
        let life = match peer.process {
            Some(process) if peer.proven => process.into(),
            None if peer.proven => return Err("its process has ended".to_owned()),
            _ => sent,
        };
        // A number whose last owner may still have something to say on its connection is not given out.
        let unheard = |id| self.admitted.values().all(|(_, admitted)| *admitted != id);
        let id = self.arena.vacant(unheard).ok_or("all participant numbers are in use")?;
        // The number's last owner has left, but its process may live on.
        self.forget(id);
        self.watch(id, life)?;
        self.arena.enter(id, peer.pid, hello.role);
        Ok(id)
    }

    /// Watches the life of whoever has this number.
    fn watch(&mut self, id: ParticipantId, life: OwnedFd) -> Result<(), String> {
        let token = self.token();
        epoll::add(&self.epoll, &life, EventData::new_u64(token), EventFlags::IN)
            .map_err(|errno| format!("it cannot watch the life of this process: {errno}"))?;
        self.participants.insert(token, (id, life));
        Ok(())
    }

    /// A participant's process has ended.
    fn bury(&mut self, token: u64) {
        if let Some((id, pidfd)) = self.participants.remove(&token) {
            unwatch(&self.epoll, &pidfd);
            self.arena.recover(id);
        }
    }
}

/// Takes a pidfd out of epoll. Closing it is not enough while a forked child of its sender has it too.
fn unwatch(epoll: &OwnedFd, pidfd: &OwnedFd) {
    if let Err(errno) = epoll::delete(epoll, pidfd) {
        tracing::error!(target: "tensorbridge", %errno, "a participant cannot be forgotten");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::fd::BorrowedFd;
    use std::process::{Child, Command, Stdio};

    use rustix::net::connect;

    use super::super::directory::Directory;
    use super::super::name::file_name;
    use super::super::socket::{address, new_socket};
    use super::super::{Role, attach};
    use super::*;
    use crate::arena::{Expected, Plan};
    use crate::schema::{DType, Field, Schema, Shape};

    fn reception(name: &str) -> Reception {
        let name = format!("{name}.p{}", std::process::id());
        let schema = Schema::new("host", 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]);
        let plan = Plan { slots: 2, request: schema.unwrap(), reply: None };
        let arena = Arc::new(Arena::create(&name, plan, 0, 0, &mut || Ok(())).unwrap());
        let stop = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        Reception::new(arena, HostedName::take(&name, None, &mut || Ok(())).unwrap(), stop).unwrap()
    }

    fn connection(reception: &Reception) -> OwnedFd {
        let directory = Directory::open().unwrap();
        let socket = new_socket(SocketFlags::NONBLOCK).unwrap();
        let file = file_name(reception.arena.name()).unwrap();
        connect(&socket, &address(&directory.short_path(&file)).unwrap()).unwrap();
        socket
    }

    /// Says to a copy of this program where to connect.
    const CONNECT: &str = "TENSORBRIDGE_TEST_CONNECT";

    /// Another process, which connected and then does nothing; what it connected is spoken through here.
    struct Other {
        process: Child,
        socket: OwnedFd,
    }

    impl Other {
        /// `test` begins with [`connect_and_wait`].
        fn connect(reception: &Reception, test: &str) -> Other {
            let socket = new_socket(SocketFlags::NONBLOCK).unwrap();
            let path = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
            let mut process = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &path, "--nocapture"])
                .env(CONNECT, file_name(reception.arena.name()).unwrap())
                .stdin(Stdio::from(socket.try_clone().unwrap()))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let said = BufReader::new(process.stdout.take().unwrap()).lines();
            assert!(said.map_while(Result::ok).any(|line| line == "connected"));
            Other { process, socket }
        }
    }

    impl Drop for Other {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    /// What the other process does, until it is killed.
    fn connect_and_wait() {
        let Ok(file) = std::env::var(CONNECT) else { return };
        let socket = std::io::stdin();
        connect(&socket, &address(&Directory::open().unwrap().short_path(&file)).unwrap()).unwrap();
        println!("\nconnected");
        loop {
            std::thread::park();
        }
    }

    /// Says hello with a descriptor that should be a pidfd. Where the kernel says who connected, it is not believed.
    fn hello(socket: &OwnedFd, life: BorrowedFd<'_>) {
        send(socket, &Hello::new(1).encode(), &[life]).unwrap();
    }

    fn welcome(socket: &OwnedFd) -> ParticipantId {
        let message = receive(socket, MAX_MESSAGE).unwrap().unwrap();
        Welcome::decode(&message.bytes).unwrap().verdict.unwrap()
    }

    #[test]
    fn whoever_gets_a_number_does_not_get_the_death_of_its_last_owner() {
        connect_and_wait();
        const TEST: &str = "whoever_gets_a_number_does_not_get_the_death_of_its_last_owner";
        let mut reception = reception("stale");
        let mut events = Vec::with_capacity(8);
        let mut turn = |reception: &mut Reception| assert!(reception.turn(&mut events));
        let me = Process::this().unwrap();
        let first = Other::connect(&reception, TEST);
        turn(&mut reception);
        hello(&first.socket, me.as_fd());
        turn(&mut reception);
        let number = welcome(&first.socket);
        send(&first.socket, ATTACHED, &[]).unwrap();
        turn(&mut reception);
        // The first leaves in good order and its process ends; between the two, another says hello.
        let second = connection(&reception);
        turn(&mut reception);
        reception.arena.retire(number);
        hello(&second, me.as_fd());
        drop(first);
        turn(&mut reception);
        assert_eq!(welcome(&second), number);
        // Its number is in use, so the next one gets another.
        let third = connection(&reception);
        turn(&mut reception);
        send(&second, ATTACHED, &[]).unwrap();
        turn(&mut reception);
        hello(&third, me.as_fd());
        turn(&mut reception);
        assert_ne!(welcome(&third), number);
    }

    #[test]
    fn whoever_sends_the_pidfd_of_another_process_is_buried_when_it_dies_itself() {
        connect_and_wait();
        const TEST: &str = "whoever_sends_the_pidfd_of_another_process_is_buried_when_it_dies_itself";
        let mut reception = reception("disguised");
        let mut events = Vec::with_capacity(8);
        let other = Other::connect(&reception, TEST);
        assert!(reception.turn(&mut events));
        // This process lives on.
        hello(&other.socket, Process::this().unwrap().as_fd());
        assert!(reception.turn(&mut events));
        let number = welcome(&other.socket);
        send(&other.socket, ATTACHED, &[]).unwrap();
        assert!(reception.turn(&mut events));
        assert_eq!(reception.participants.len(), 1);
        drop(other);
        assert!(reception.turn(&mut events));
        assert!(reception.participants.is_empty());
        assert_eq!(reception.arena.vacant(|id| id == number), Some(number));
    }

    #[test]
    fn those_that_say_nothing_keep_others_waiting_and_turn_nobody_away() {
        let mut reception = reception("silent");
        let mut events = Vec::with_capacity(256);
        let silent: Vec<OwnedFd> = (0..MAX_PENDING).map(|_| connection(&reception)).collect();
        assert!(reception.turn(&mut events));
        let late = connection(&reception);
        hello(&late, Process::this().unwrap().as_fd());
        // Ends the turns if it was turned away.
        let stop = reception._stop.try_clone().unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(5 * PATIENCE);
            let _ = rustix::io::write(&stop, &1u64.to_ne_bytes());
        });
        let mut turns = 0;
        while reception.participants.is_empty() {
            assert!(reception.turn(&mut events), "turned away");
            turns += 1;
        }
        assert!(turns < 10, "{turns} turns: the host must not spin");
        welcome(&late);
        drop(silent);
    }

    #[test]
    fn a_process_whose_life_cannot_be_watched_is_turned_away() {
        let mut reception = reception("unwatched");
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(reception.watch(2, file.into()).unwrap_err().contains("watch"));
        assert!(reception.participants.is_empty());
    }

    #[test]
    fn a_host_without_a_number_left_says_that_it_refuses() {
        let name = format!("refuses.p{}", std::process::id());
        let schema = Schema::new("host", 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]);
        let plan = Plan { slots: 2, request: schema.unwrap(), reply: None };
        let arena = Arena::create(&name, plan, 0, 0, &mut || Ok(())).unwrap();
        let host = Host::start(arena, None, &mut || Ok(())).unwrap();
        while let Some(id) = host.arena().vacant(|_| true) {
            host.arena().enter(id, std::process::id(), 1);
        }
        let error =
            attach(&name, Role::Sender, &Expected::default(), None, &mut || Ok(())).map(drop).unwrap_err();
        assert!(matches!(&error, Error::Refused { reason, .. } if reason.contains("numbers")), "{error}");
    }
}
