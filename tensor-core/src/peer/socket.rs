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

use crate::error::Error;
use crate::memory::Process;

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
}

/// Who is at the other end. For a connection to a listener that is whoever called `listen`.
pub(super) fn peer_of(socket: &OwnedFd) -> Result<Peer, Error> {
    let credentials = rustix::net::sockopt::socket_peercred(socket)
        .map_err(|errno| Error::Io { what: "SO_PEERCRED", source: errno.into() })?;
    let pid = credentials.pid;
    let process = match peer_pidfd(socket) {
        Ok(fd) => Some(Process::new(fd)),
        Err(Errno::SRCH) => None,
        Err(Errno::NOPROTOOPT) => {
            // Before Linux 6.5. The id can have been given to another process meanwhile, which only makes a dead host look
            // alive, never the reverse.
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok().map(Process::new)
        }
        Err(Errno::MFILE | Errno::NFILE) => return Err(Error::TooManyFiles { what: "a pidfd" }),
        Err(errno) => return Err(Error::Io { what: "SO_PEERPIDFD", source: errno.into() }),
    };
    Ok(Peer { pid: pid.as_raw_pid() as u32, uid: credentials.uid.as_raw(), process })
}

fn peer_pidfd(socket: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mut fd: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is one `c_int`; pointer and length describe the local variable that receives it.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        let error = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL));
    }
    // SAFETY: on success the kernel has installed a fresh descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
