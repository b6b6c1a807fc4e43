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

/// How long a host that answers the connection may take for the handshake, whatever the timeout.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Attaches to `name`, waiting for its host for up to `timeout` (`None`: for ever). `look_around` is called while waiting and ends it with
/// its error.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NotTensorbridge`], [`Error::AbiMismatch`], [`Error::WrongUser`], [`Error::Refused`],
/// those of the directory, and those of [`Arena::attach`].
pub(crate) fn attach(
    name: &str,
    role: Role,
    expected: &Expected,
    timeout: Option<Duration>,
    look_around: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Arena, Error> {
    let directory = Directory::open()?;
    let file = file_name(name)?;
    let start = Instant::now();
    let mut looked = start;
    let socket = loop {
        let socket = new_socket(SocketFlags::empty())?;
        match connect(&socket, &address(&directory.short_path(&file))?) {
            Ok(()) => break socket,
            Err(Errno::CONNREFUSED) => remove_if_dead(&directory, &file)?,
            Err(Errno::NOENT | Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => {
                let found = match errno {
                    Errno::PROTOTYPE => "a socket of another type".to_owned(),
                    errno => errno.to_string(),
                };
                return Err(Error::NotTensorbridge { path: directory.path_of(&file), found });
            }
        }
        let waited = start.elapsed();
        if timeout.is_some_and(|timeout| waited >= timeout) {
            return Err(Error::NotFound { name: name.to_owned(), waited, path: directory.path_of(&file) });
        }
        if looked.elapsed() >= SLICE {
            looked = Instant::now();
            look_around()?;
        }
        std::thread::sleep(RETRY.min(timeout.map_or(RETRY, |timeout| timeout - waited)));
    };
    let me = user_id();
    let peer = peer_of(&socket)?;
    if peer.uid != me {
        return Err(Error::WrongUser {
            what: format!("the host of `{name}`"),
            found: peer.uid,
            expected: me,
        });
    }
    let not_ours =
        |found: &str| Error::NotTensorbridge { path: directory.path_of(&file), found: found.to_owned() };
    let answer = shake_hands(&socket, role, &not_ours)?;
    let welcome = Welcome::decode(&answer.bytes).ok_or_else(|| not_ours("it answers something else"))?;
    if welcome.abi != ABI {
        return Err(Error::AbiMismatch { ours: ABI, theirs: welcome.abi });
    }
    let participant = welcome.verdict.map_err(|reason| Error::Refused { name: name.to_owned(), reason })?;
    let fds: [OwnedFd; 3] = answer.fds.try_into().map_err(|_| not_ours("it hands over no memory"))?;
    let [control, data, host] = fds;
    let arena = Arena::attach(control, data, host, participant, expected)?;
    // A host that is gone by now is noticed by the first wait.
    let _ = send(&socket, ATTACHED, &[]);
    Ok(arena)
}

fn shake_hands(socket: &OwnedFd, role: Role, not_ours: &impl Fn(&str) -> Error) -> Result<Message, Error> {
    let me = Process::this()?;
    let gone = |_: Errno| not_ours("it closed the connection");
    send(socket, &Hello::new(role as u32).encode(), &[me.as_fd()]).map_err(gone)?;
    if !readable(socket, HANDSHAKE) {
        return Err(Error::Timeout { what: "the handshake with the host", after: HANDSHAKE });
    }
    match receive(socket, MAX_MESSAGE) {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(not_ours("it closed the connection")),
        Err(Errno::MFILE) => Err(Error::TooManyFiles { what: "the arena's memory" }),
        Err(errno) => Err(not_ours(&errno.to_string())),
    }
}
