//! What the machine allows: a bare cache line, a bare futex and a bare pair of sockets between two processes.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::thread::futex::{Flags, Timespec, wait, wake};

use super::peer::Peer;
use super::stats::{Run, time_each};

/// How the two processes of a bare ping-pong wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bare {
    Spin,
    Futex,
    /// A byte each way. A socket wakes its reader as somebody whose waker is about to sleep; a futex does not.
    Socket,
}

impl Bare {
    fn name(self) -> &'static str {
        match self {
            Bare::Spin => "spin",
            Bare::Futex => "futex",
            Bare::Socket => "socket",
        }
    }
}

/// What the two processes pass to and fro.
enum Link {
    Word { sleeps: bool, word: &'static AtomicU32 },
    Socket(UnixStream),
}

/// Two processes that pass one 32-bit word or a byte to and fro; the other one ends when this is dropped.
pub(crate) struct PingPong {
    link: Link,
    turn: u32,
    _peer: Peer,
}

impl PingPong {
    pub(crate) fn start(bare: Bare, pinned: bool) -> PingPong {
        let start = |fd: i32| Peer::start(&["limit", bare.name(), &fd.to_string()], pinned);
        let (link, peer) = if bare == Bare::Socket {
            let (near, far) = UnixStream::pair().expect("a pair of sockets");
            fcntl_setfd(&far, FdFlags::empty()).expect("a socket to inherit");
            (Link::Socket(near), start(far.as_raw_fd()))
        } else {
            let memory = memfd_create("ping-pong", MemfdFlags::empty()).expect("memfd");
            ftruncate(&memory, 4096).expect("ftruncate");
            let link = Link::Word { sleeps: bare == Bare::Futex, word: map(memory.as_raw_fd()) };
            (link, start(memory.as_raw_fd()))
        };
        PingPong { link, turn: 0, _peer: peer }
    }

    /// There and back.
    pub(crate) fn round(&mut self) {
        match &mut self.link {
            Link::Word { sleeps, word } => {
                word.store(self.turn + 1, Ordering::Release);
                notify(*sleeps, word);
                until(*sleeps, word, self.turn + 2);
                self.turn += 2;
            }
            Link::Socket(socket) => {
                let mut byte = [1];
                socket.write_all(&byte).expect("the other process lives");
                socket.read_exact(&mut byte).expect("the other process lives");
            }
        }
    }
}

/// Round trips of one 32-bit word or byte.
pub(crate) fn ping_pong(bare: Bare, rounds: usize, pinned: bool) -> Run {
    let mut pair = PingPong::start(bare, pinned);
    time_each(rounds, || pair.round())
}

/// The other side.
pub(crate) fn answer(bare: &str, fd: &str) -> ! {
    let fd = fd.parse().expect("a descriptor");
    if bare == Bare::Socket.name() {
        echo(fd);
    }
    let (sleeps, word) = (bare == Bare::Futex.name(), map(fd));
    let mut turn = 1;
    loop {
        until(sleeps, word, turn);
        word.store(turn + 1, Ordering::Release);
        notify(sleeps, word);
        turn += 2;
    }
}

/// Sends back each byte that comes.
fn echo(fd: i32) -> ! {
    // SAFETY: the descriptor is open in this process: the parent made it inheritable and names it on the command line. Nobody
    // else here has it.
    let mut socket = unsafe { UnixStream::from_raw_fd(fd) };
    let mut byte = [0];
    loop {
        if socket.read_exact(&mut byte).and_then(|()| socket.write_all(&byte)).is_err() {
            std::process::exit(0);
        }
    }
}

fn until(sleeps: bool, word: &AtomicU32, expected: u32) {
    loop {
        let found = word.load(Ordering::Acquire);
        if found == expected {
            return;
        }
        if sleeps {
            let slice = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            let _ = wait(word, Flags::empty(), found, Some(&slice));
        } else {
            std::hint::spin_loop();
        }
    }
}

fn notify(sleeps: bool, word: &AtomicU32) {
    if sleeps {
        let _ = wake(word, Flags::empty(), 1);
    }
}

fn map(fd: i32) -> &'static AtomicU32 {
    // SAFETY: the descriptor is open in this process: the parent made it inheritable and names it on the command line.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh mapping of a whole page, never unmapped, used as one atomic word.
    unsafe {
        let address = mmap(std::ptr::null_mut(), 4096, protection, MapFlags::SHARED, fd, 0).expect("mmap");
        AtomicU32::from_ptr(address.cast())
    }
}

/// Copying 602,112 bytes that are warm in this core's cache.
pub(crate) fn memcpy(rounds: usize) -> Run {
    let source = vec![1u8; 602_112];
    let mut target = vec![0u8; 602_112];
    time_each(rounds, || {
        target.copy_from_slice(std::hint::black_box(&source));
        std::hint::black_box(&target);
    })
}

/// A pause between measurements, so that a sleeping core is not measured by accident.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(50));
}
