//! Eventfds: a thread or process uses them to wake another one that waits in a poll set.
//!
//! Each of the two kinds has a state that lasts until it is changed, so a wake before the wait is not missed. Code that
//! changes this state together with other data does so under one lock.
//!
//! Invariant: no call waits, except [`WakeFd::wait`]. A process that shares a wake fd can set or clear it, and nothing
//! more.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The largest value of an eventfd; at this value it is not writable.
const FULL: u64 = u64::MAX - 1;

fn eventfd() -> io::Result<EventFd> {
    Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)
}

/// Readable from [`wake`](Self::wake) to [`clear`](Self::clear).
#[derive(Debug)]
pub struct WakeFd(EventFd);

impl WakeFd {
    /// A cleared wake fd.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn new() -> io::Result<Self> {
        eventfd().map(Self)
    }

    pub fn wake(&self) {
        // It fails only if the counter is at its maximum, and then the fd is readable.
        let _ = self.0.write(1);
    }

    /// Clears the fd and returns how many wakes there were; 0 if it was clear.
    pub fn clear(&self) -> u64 {
        self.0.read().unwrap_or(0)
    }

    /// Takes ownership of a descriptor of a wake fd that another process made.
    ///
    /// # Errors
    /// The fd is blocking, so it is no wake fd.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        if !flags.contains(OFlag::O_NONBLOCK) {
            return Err(Errno::EINVAL.into());
        }
        // SAFETY: it is used only for reads and writes of 8 bytes, which are safe on any fd.
        Ok(Self(unsafe { EventFd::from_owned_fd(fd) }))
    }

    /// Another descriptor of the same wake fd, close-on-exec.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn to_fd(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }

    /// Waits for a wake, and clears the fd. A signal may end the wait early. For a thread that has nothing else to do.
    ///
    /// # Errors
    /// Those of `poll(2)`, except `EINTR`.
    pub fn wait(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE) {
            Ok(_) => _ = self.clear(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Writable unless it is blocked.
#[derive(Debug)]
pub struct WritableFd(EventFd);

impl WritableFd {
    /// A writable one.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn new() -> io::Result<Self> {
        eventfd().map(Self)
    }

    /// Makes it not writable. Call it only while it is writable.
    pub fn block(&self) {
        let _ = self.0.write(FULL);
    }

    /// Makes it writable.
    pub fn unblock(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for WritableFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ready(fd: &impl AsFd, flag: PollFlags) -> bool {
        poll(&mut [PollFd::new(fd.as_fd(), flag)], PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn a_wake_fd_is_readable_until_it_is_cleared_and_a_writable_fd_writable_until_it_is_blocked() {
        let wake_fd = WakeFd::new().unwrap();
        let is_woken = |wake_fd: &WakeFd| is_ready(wake_fd, PollFlags::POLLIN);
        assert!(!is_woken(&wake_fd));
        wake_fd.wake();
        wake_fd.wake();
        assert!(is_woken(&wake_fd) && is_woken(&wake_fd));
        wake_fd.clear();
        assert!(!is_woken(&wake_fd));
        wake_fd.clear();
        let writable_fd = WritableFd::new().unwrap();
        let is_writable = |writable_fd: &WritableFd| is_ready(writable_fd, PollFlags::POLLOUT);
        assert!(is_writable(&writable_fd));
        writable_fd.block();
        assert!(!is_writable(&writable_fd));
        writable_fd.unblock();
        writable_fd.unblock();
        assert!(is_writable(&writable_fd));
    }

    #[test]
    fn each_descriptor_of_a_wake_fd_wakes() {
        let ours = WakeFd::new().unwrap();
        let theirs = WakeFd::from_fd(ours.to_fd().unwrap()).unwrap();
        theirs.wake();
        ours.wait().unwrap();
        assert!(!is_ready(&theirs, PollFlags::POLLIN));
        assert!(WakeFd::from_fd(std::io::pipe().unwrap().0.into()).is_err());
    }
}
