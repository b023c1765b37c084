//! Pairs of connected sockets.
//!
//! Invariant: every descriptor made here is close-on-exec.

use super::interruption::retried;
use super::poller::Interest;
use super::refusal;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, connect, getsockopt, recv, send, setsockopt,
    shutdown, socket, socketpair, sockopt,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// The two ends of a stream in both directions.
///
/// # Errors
/// The system is short of descriptors.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC);
    pair.map_err(refusal::of_call("socketpair"))
}

/// The two ends of a pair that keeps packets whole: each is received by one reader, however many share an end.
///
/// # Errors
/// The system is short of descriptors.
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
    pair.map_err(refusal::of_call("socketpair"))
}

/// Asks for a send buffer of this size; the system may grant less.
pub fn enlarge(fd: impl AsFd, bytes: usize) {
    let _ = setsockopt(&fd, sockopt::SndBuf, &bytes);
}

/// Closes our direction: the other end reads end-of-file, and what it writes still arrives.
///
/// # Errors
/// The fd is no socket, or the other end is closed.
pub fn end_output(fd: impl AsFd) -> io::Result<()> {
    Ok(shutdown(fd.as_fd().as_raw_fd(), Shutdown::Write)?)
}

/// Connects to the packet socket at this path and closes the connection without sending.
///
/// # Errors
/// No process listens there; those of `connect(2)`.
pub fn connect_and_close(path: &Path) -> io::Result<()> {
    let ours =
        socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    let address = UnixAddr::new(path)?;
    Ok(retried(|| connect(ours.as_raw_fd(), &address))?)
}

/// Whether the fd is a packet socket, which keeps packets whole and in order.
#[must_use]
pub fn is_of_packets(fd: impl AsFd) -> bool {
    getsockopt(&fd, sockopt::SockType) == Ok(SockType::SeqPacket)
}

/// The next packet of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its full length. 0: the other end is closed, and there is no packet.
    pub bytes: usize,
    /// It carries more than bytes, such as descriptors.
    pub has_more: bool,
}

/// Copies the beginning of the next packet to `buffer` and leaves the packet in the socket. Does not wait.
///
/// # Errors
/// `WouldBlock` if there is no packet yet; those of `recvmsg(2)`.
pub fn peek(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<Packet> {
    let mut slice = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: zeroes are a valid message, without an address and without a control buffer.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut slice, 1);
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT | libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
    loop {
        // SAFETY: `message` refers to `buffer` only, which outlives the call.
        let received = unsafe { libc::recvmsg(fd.as_fd().as_raw_fd(), &raw mut message, flags) };
        match Errno::result(received) {
            Ok(bytes) => {
                let has_more = message.msg_flags & libc::MSG_CTRUNC != 0;
                return Ok(Packet { bytes: bytes.unsigned_abs(), has_more });
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Sends one packet.
///
/// # Errors
/// Those of `send(2)`.
pub fn send_packet(fd: impl AsFd, packet: &[u8]) -> io::Result<()> {
    retried(|| send(fd.as_fd().as_raw_fd(), packet, MsgFlags::MSG_NOSIGNAL))?;
    Ok(())
}

/// Whether there is nothing to read and the other end is open.
#[must_use]
pub fn is_silent(fd: impl AsFd) -> bool {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    retried(|| recv(fd.as_fd().as_raw_fd(), &mut [0], flags)) == Err(Errno::EAGAIN)
}

/// Waits until `fd` is ready, or until the socket `line`, over which nothing is sent, ends. `false`: the line has
/// ended: for `READ`, its other end has closed its direction; for `WRITE`, its other end is closed.
///
/// # Errors
/// Those of `poll(2)`.
pub fn wait_beside(line: impl AsFd, fd: impl AsFd, interest: Interest) -> io::Result<bool> {
    let (of_fd, of_line) =
        if interest.read { (PollFlags::POLLIN, PollFlags::POLLIN) } else { (PollFlags::POLLOUT, PollFlags::empty()) };
    let mut fds = [PollFd::new(fd.as_fd(), of_fd), PollFd::new(line.as_fd(), of_line)];
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            polled => {
                polled?;
                return Ok(!fds[1].any().unwrap_or(true));
            }
        }
    }
}

/// A process and its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub pid: u32,
    pub uid: u32,
}

impl Peer {
    /// This process, as a peer reports it.
    #[must_use]
    pub fn this_process() -> Self {
        Self { pid: std::process::id(), uid: nix::unistd::geteuid().as_raw() }
    }
}

/// The process that created the pair of this end.
///
/// # Errors
/// The fd is no socket.
pub fn peer(fd: impl AsFd) -> io::Result<Peer> {
    let credentials = getsockopt(&fd, sockopt::PeerCredentials)?;
    Ok(Peer { pid: credentials.pid().unsigned_abs(), uid: credentials.uid() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    #[test]
    fn each_direction_of_a_pair_is_closed_separately() {
        let (one, other) = pair().unwrap();
        enlarge(&one, 1 << 18);
        assert_eq!(peer(&other).unwrap(), Peer::this_process());
        let (mut one, mut other) = (File::from(one), File::from(other));
        one.write_all(b"there").unwrap();
        end_output(&one).unwrap();
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        other.write_all(b" and back").unwrap();
        drop(other);
        assert!(!is_silent(&one));
        one.read_to_string(&mut text).unwrap();
        assert_eq!(text, "there and back");
        assert!(!is_silent(&one), "it has ended");
        assert!(peer(File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn the_end_of_a_silent_pair_ends_a_wait() {
        let (ours, theirs) = pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert!(is_silent(&theirs));
        assert!(wait_beside(&theirs, &writer, Interest::WRITE).unwrap());
        (&writer).write_all(b"x").unwrap();
        assert!(wait_beside(&theirs, &reader, Interest::READ).unwrap());
        reader.read_exact(&mut [0]).unwrap();
        end_output(&ours).unwrap();
        assert!(!wait_beside(&theirs, &reader, Interest::READ).unwrap());
        assert!(wait_beside(&theirs, &writer, Interest::WRITE).unwrap(), "the other end can still read");
        drop(ours);
        assert!(!wait_beside(&theirs, &writer, Interest::WRITE).unwrap());
    }
}
