//! Messages with file descriptors over a Unix socket.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, recvmsg, sendmsg, socket_with,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::Error;
use crate::memory::Process;
use crate::sync::step;

/// The most descriptors a message carries.
const MAX_FDS: usize = 4;

/// A message and the descriptors that came with it.
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
}

/// A new socket that keeps messages apart.
pub(super) fn new_socket(flags: SocketFlags) -> Result<OwnedFd, Error> {
    let flags = flags | SocketFlags::CLOEXEC;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(|errno| match errno {
        Errno::MFILE | Errno::NFILE => Error::TooManyFiles { what: "a socket" },
        errno => Error::Io { what: "socket", source: errno.into() },
    })
}

pub(super) fn address(path: &Path) -> Result<SocketAddrUnix, Error> {
    SocketAddrUnix::new(path).map_err(|errno| Error::Io { what: "a socket address", source: errno.into() })
}

/// Sends one message with descriptors.
pub(super) fn send(socket: &OwnedFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    debug_assert!(fds.len() <= MAX_FDS);
    step();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(fds));
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).map(|_| ())
}

/// Receives one message of at most `limit` bytes; `None` at the end of the connection. Does not block on a non-blocking
/// socket.
pub(super) fn receive(socket: &OwnedFd, limit: usize) -> Result<Option<Message>, Errno> {
    let mut bytes = vec![0; limit];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        // The kernel drops descriptors that this process has no room for.
        return Err(Errno::MFILE);
    }
    bytes.truncate(received.bytes);
    Ok((received.bytes > 0).then_some(Message { bytes, fds }))
}

/// Waits until the socket can be read, for at most `timeout`; whether it can.
pub(super) fn readable(socket: &OwnedFd, timeout: Duration) -> bool {
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// The process at the other end: its id, its user, and a descriptor that tells when it has ended.
pub(super) struct Peer {
    pub(super) pid: u32,
    pub(super) uid: u32,
    /// `None` when the process is gone already.
    pub(super) process: Option<Process>,
    /// Whether the kernel itself says that `process` is who connected, or only its number does.
    pub(super) proven: bool,
}

/// Who is at the other end. For a connection to a listener that is whoever called `listen`.
pub(super) fn peer_of(socket: &OwnedFd) -> Result<Peer, Error> {
    let io = |what| move |errno: Errno| Error::Io { what, source: errno.into() };
    // Not by way of rustix: its process ids are never 0, but that of a process in a foreign namespace is.
    let credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    // SAFETY: the value is a `ucred`.
    let credentials = unsafe { option(socket, libc::SO_PEERCRED, credentials) }.map_err(io("SO_PEERCRED"))?;
    let mut proven = true;
    // SAFETY: the value is a descriptor.
    let pidfd = match unsafe { option::<libc::c_int>(socket, libc::SO_PEERPIDFD, -1) } {
        // SAFETY: on success the kernel has installed a fresh descriptor that nobody else owns.
        Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        // Before Linux 6.5. The id can have been given to another process meanwhile, which only makes a dead host look
        // alive, never the reverse.
        Err(Errno::NOPROTOOPT) => {
            proven = false;
            Pid::from_raw(credentials.pid)
                .ok_or(Errno::NOPROTOOPT)
                .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()))
        }
        Err(errno) => Err(errno),
    };
    let process = match pidfd {
        Ok(fd) => Some(Process::new(fd)),
        // It has ended and was waited for: ESRCH, or EINVAL from most kernels.
        Err(Errno::SRCH | Errno::INVAL) => None,
        Err(Errno::MFILE | Errno::NFILE) => return Err(Error::TooManyFiles { what: "a pidfd" }),
        Err(errno) => return Err(io("SO_PEERPIDFD")(errno)),
    };
    Ok(Peer { pid: credentials.pid as u32, uid: credentials.uid, process, proven })
}

/// An option of a socket; `value` is where it goes.
///
/// # Safety
/// The kernel's value for this option must be a `T`.
unsafe fn option<T>(socket: &OwnedFd, name: libc::c_int, mut value: T) -> Result<T, Errno> {
    let mut length = size_of::<T>() as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: pointer and length describe the local variable; what the kernel writes there is a `T`, says the caller.
    let result =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length) };
    if result == 0 {
        return Ok(value);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL))
}
