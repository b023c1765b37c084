//! Pairs of connected sockets.
//!
//! Invariant: close-on-exec, as every descriptor made here.

use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, getsockopt, setsockopt, shutdown, socketpair, sockopt,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Two ends of one stream, both ways.
///
/// # Errors
/// No file descriptor is left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Asks that so much may be written before it is read; a system that allows less gives what it allows.
pub fn enlarge(fd: impl AsFd, bytes: usize) {
    let _ = setsockopt(&fd, sockopt::SndBuf, &bytes);
}

/// The other end reads end-of-file; what it writes still comes.
///
/// # Errors
/// It is no socket, or the other end is gone.
pub fn end_output(fd: impl AsFd) -> io::Result<()> {
    Ok(shutdown(fd.as_fd().as_raw_fd(), Shutdown::Write)?)
}

/// A process, and its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub pid: u32,
    pub uid: u32,
}

impl Peer {
    /// As others see this process.
    #[must_use]
    pub fn this_process() -> Self {
        Self { pid: std::process::id(), uid: nix::unistd::geteuid().as_raw() }
    }
}

/// Who made the pair that this is an end of.
///
/// # Errors
/// It is no socket.
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
    fn a_pair_goes_both_ways_and_each_way_ends_alone() {
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
        one.read_to_string(&mut text).unwrap();
        assert_eq!(text, "there and back");
        assert!(peer(File::open("/dev/null").unwrap()).is_err());
    }
}
