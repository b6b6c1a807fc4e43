//! Attaching to an arena that another process, or another thread, hosts.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketFlags, connect};

use super::Role;
use super::directory::Directory;
use super::handshake::{ATTACHED, Hello, MAX_MESSAGE, Welcome};
use super::name::{file_name, remove_if_dead};
use super::socket::{Message, address, new_socket, peer_of, readable, receive, send};
use crate::arena::{ABI, Arena, Expected};
use crate::error::Error;
use crate::memory::{Process, user_id};
use crate::wait::SLICE;

/// How soon a host that is not there yet is looked for again.
const RETRY: Duration = Duration::from_millis(5);

/// Attaches to `name`, waiting for its host for up to `timeout` (`None`: for ever). `look_around` is called while waiting and ends it with
/// its error.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotTensorbridge`], [`Error::AbiMismatch`], [`Error::WrongUser`], [`Error::Refused`],
/// [`Error::Timeout`] when the host is there and does not answer, those of the directory, and those of [`Arena::attach`].
pub(crate) fn attach(
    name: &str,
    role: Role,
    expected: &Expected,
    timeout: Option<Duration>,
    look_around: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Arena, Error> {
    let directory = Directory::open()?;
    let file = file_name(name)?;
    let not_ours =
        |found: &str| Error::NotTensorbridge { path: directory.path_of(&file), found: found.to_owned() };
    let start = Instant::now();
    let mut looked = start;
    let (socket, answer) = loop {
        let mut closed = false;
        // Non-blocking: the queue of a host that is stopped may be full.
        let socket = new_socket(SocketFlags::NONBLOCK)?;
        match connect(&socket, &address(&directory.short_path(&file))?) {
            Ok(()) => match shake_hands(&socket, name, role, timeout, start, look_around)? {
                Answer::Message(Ok(message)) => break (socket, message),
                Answer::Message(Err(errno)) => return Err(not_ours(&errno.to_string())),
                Answer::Closed => closed = true,
                Answer::Dead => remove_if_dead(&directory, name)?,
            },
            Err(Errno::CONNREFUSED) => remove_if_dead(&directory, name)?,
            Err(Errno::NOENT | Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::PROTOTYPE) => return Err(not_ours("a socket of another type")),
            Err(errno) => return Err(not_ours(&errno.to_string())),
        }
        let waited = start.elapsed();
        if timeout.is_some_and(|timeout| waited >= timeout) {
            return Err(match closed {
                true => not_ours("it closes every connection"),
                false => Error::NotFound { name: name.to_owned(), waited, path: directory.path_of(&file) },
            });
        }
        if looked.elapsed() >= SLICE {
            looked = Instant::now();
            look_around()?;
        }
        std::thread::sleep(RETRY.min(timeout.map_or(RETRY, |timeout| timeout - waited)));
    };
    let welcome = Welcome::decode(&answer.bytes).ok_or_else(|| not_ours("it answers something else"))?;
    if welcome.abi != ABI {
        return Err(Error::AbiMismatch { ours: ABI, theirs: welcome.abi });
    }
    let participant = welcome.verdict.map_err(|reason| Error::Refused { name: name.to_owned(), reason })?;
    let fds: [OwnedFd; 3] = answer.fds.try_into().map_err(|_| not_ours("it hands over no memory"))?;
    let [control, data, host] = fds;
    let arena = Arena::attach(control, data, host, participant, expected, role != Role::Observer)?;
    // A host that is gone by now is noticed by the first wait.
    let _ = send(&socket, ATTACHED, &[]);
    Ok(arena)
}

/// What became of a hello.
enum Answer {
    Message(Result<Message, Errno>),
    /// The host closed the connection: it is closing, or the hello came too late.
    Closed,
    /// The host is dead, and another process has its listener open.
    Dead,
}

/// Says hello and waits for the answer until the timeout that began at `start`; for one slice in any case.
fn shake_hands(
    socket: &OwnedFd,
    name: &str,
    role: Role,
    timeout: Option<Duration>,
    start: Instant,
    look_around: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Answer, Error> {
    let (expected, peer) = (user_id(), peer_of(socket)?);
    if peer.uid != expected {
        return Err(Error::WrongUser { what: format!("the host of `{name}`"), found: peer.uid, expected });
    }
    let is_dead = || peer.process.as_ref().is_none_or(Process::has_ended);
    if is_dead() {
        return Ok(Answer::Dead);
    }
    let me = Process::this()?;
    if send(socket, &Hello::new(role as u32).encode(), &[me.as_fd()]).is_err() {
        return Ok(Answer::Closed);
    }
    while !readable(socket, SLICE) {
        if is_dead() {
            return Ok(Answer::Dead);
        }
        if timeout.is_some_and(|timeout| start.elapsed() >= timeout) {
            return Err(Error::Timeout { what: "the handshake with the host", after: start.elapsed() });
        }
        look_around()?;
    }
    Ok(match receive(socket, MAX_MESSAGE) {
        Ok(Some(message)) => Answer::Message(Ok(message)),
        Ok(None) | Err(Errno::CONNRESET) => Answer::Closed,
        Err(Errno::MFILE) => return Err(Error::TooManyFiles { what: "the arena's memory" }),
        Err(errno) => Answer::Message(Err(errno)),
    })
}
