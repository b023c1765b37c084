//! Streams over sockets with names: to listen, to connect, to read and write without waiting.
//!
//! Invariant: every descriptor made here is close-on-exec, and no call waits but [`wait_for`].

use super::interruption::retried;
use super::poller::Interest;
use crate::model::time::Duration;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, accept4, bind, connect, listen, recv, send, socket,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// Connections that wait until they are accepted.
const BACKLOG: i32 = 64;

fn stream() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?)
}

/// A socket of this path that listens. `before`: what has to be done to the file first.
///
/// # Errors
/// There is such a file; those of `bind(2)`, and of `before`.
pub(super) fn listen_at(path: &Path, before: impl FnOnce() -> io::Result<()>) -> io::Result<OwnedFd> {
    let fd = stream()?;
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    before()?;
    listen(&fd, Backlog::new(BACKLOG)?)?;
    Ok(fd)
}

/// Connects to the socket of this path.
///
/// # Errors
/// `ConnectionRefused`: no process listens there. `WouldBlock`: too many wait to be accepted.
pub(super) fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    let fd = stream()?;
    let address = UnixAddr::new(path)?;
    retried(|| connect(fd.as_raw_fd(), &address))?;
    Ok(fd)
}

/// The next connection; `None`: there is none at the moment.
///
/// # Errors
/// The system is short of descriptors.
pub fn accept(listener: impl AsFd) -> io::Result<Option<OwnedFd>> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    loop {
        match accept4(listener.as_fd().as_raw_fd(), flags) {
            // SAFETY: a descriptor that the system has just made for us.
            Ok(fd) => return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) })),
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Reads what is there, at most as much as fits. 0: the other end has closed its direction.
///
/// # Errors
/// `WouldBlock`: nothing is there. Those of `recv(2)`.
pub fn receive(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(retried(|| recv(fd.as_fd().as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT))?)
}

/// Writes what the socket takes at the moment.
///
/// # Errors
/// `WouldBlock`: it takes nothing. Those of `send(2)`.
pub fn send_some(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    Ok(retried(|| send(fd.as_fd().as_raw_fd(), bytes, flags))?)
}

/// Waits until the socket is ready, or the time has passed (`None`: as long as it takes). Returns whether it is ready.
///
/// # Errors
/// Those of `poll(2)`.
pub fn wait_for(fd: impl AsFd, interest: Interest, timeout: Option<Duration>) -> io::Result<bool> {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, interest.read);
    events.set(PollFlags::POLLOUT, interest.write);
    let timeout = match timeout {
        None => PollTimeout::NONE,
        Some(timeout) => i32::try_from(timeout.0.div_ceil(1_000_000))
            .ok()
            .and_then(|ms| PollTimeout::try_from(ms).ok())
            .unwrap_or(PollTimeout::MAX),
    };
    // Interrupted, it waits for the whole time again: a signal that this program survives is rare.
    Ok(retried(|| poll(&mut [PollFd::new(fd.as_fd(), events)], timeout))? > 0)
}
