//! What the machine allows: a bare cache line and a bare futex between two processes.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::thread::futex::{Flags, Timespec, wait, wake};

use super::peer::Peer;
use super::stats::{Run, time_each};

/// How the two processes of a bare ping-pong wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bare {
    Spin,
    Futex,
}

impl Bare {
    fn name(self) -> &'static str {
        match self {
            Bare::Spin => "spin",
            Bare::Futex => "futex",
        }
    }
}

/// Two processes that pass one 32-bit word to and fro; the other one ends when this is dropped.
pub(crate) struct PingPong {
    bare: Bare,
    word: &'static AtomicU32,
    turn: u32,
    _peer: Peer,
}

impl PingPong {
    pub(crate) fn start(bare: Bare, pinned: bool) -> PingPong {
        let memory = memfd_create("ping-pong", MemfdFlags::empty()).expect("memfd");
        ftruncate(&memory, 4096).expect("ftruncate");
        let fd = memory.as_raw_fd().to_string();
        let peer = Peer::start(&["limit", bare.name(), &fd], pinned);
        PingPong { bare, word: map(memory.as_raw_fd()), turn: 0, _peer: peer }
    }

    /// There and back.
    pub(crate) fn round(&mut self) {
        self.word.store(self.turn + 1, Ordering::Release);
        notify(self.bare, self.word);
        until(self.bare, self.word, self.turn + 2);
        self.turn += 2;
    }
}

/// Round trips of one 32-bit word.
pub(crate) fn ping_pong(bare: Bare, rounds: usize, pinned: bool) -> Run {
    let mut pair = PingPong::start(bare, pinned);
    time_each(rounds, || pair.round())
}

/// The other side.
pub(crate) fn answer(bare: &str, fd: &str) -> ! {
    let bare = if bare == "spin" { Bare::Spin } else { Bare::Futex };
    let word = map(fd.parse().expect("a descriptor"));
    let mut turn = 1;
    loop {
        until(bare, word, turn);
        word.store(turn + 1, Ordering::Release);
        notify(bare, word);
        turn += 2;
    }
}

fn until(bare: Bare, word: &AtomicU32, expected: u32) {
    loop {
        let found = word.load(Ordering::Acquire);
        if found == expected {
            return;
        }
        match bare {
            Bare::Spin => std::hint::spin_loop(),
            Bare::Futex => {
                let slice = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                let _ = wait(word, Flags::empty(), found, Some(&slice));
            }
        }
    }
}

fn notify(bare: Bare, word: &AtomicU32) {
    if bare == Bare::Futex {
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
