//! Eventfds: a thread uses them to wake another one that waits in a poll set. For processes there is
//! [`super::wake_pipe`].
//!
//! Each of the two kinds has a state that lasts until it is changed, so a wake before the wait is not missed. Code that
//! changes this state together with other data does so under one lock.
//!
//! Invariant: no call waits, and no other process has the descriptor of an eventfd.

use super::interruption::retried;
use super::refusal;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The largest value of an eventfd; at this value it is not writable.
const FULL: u64 = u64::MAX - 1;

fn eventfd() -> io::Result<EventFd> {
    EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map_err(refusal::of_call("eventfd2"))
}

/// Adds to the counter of an eventfd, unless it would exceed [`FULL`].
fn add(fd: &EventFd, number: u64) {
    let _ = retried(|| fd.write(number));
}

/// Sets the counter of an eventfd to 0, and returns what it was.
fn take(fd: &EventFd) -> u64 {
    retried(|| fd.read()).unwrap_or(0)
}

/// # Errors
/// Reads and writes of this fd wait.
pub(super) fn check_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    if flags.contains(OFlag::O_NONBLOCK) { Ok(()) } else { Err(Errno::EINVAL.into()) }
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
        // It has no effect only if the counter is at its maximum, and then the fd is readable.
        add(&self.0, 1);
    }

    /// Clears the fd and returns how many wakes there were; 0 if it was clear.
    pub fn clear(&self) -> u64 {
        take(&self.0)
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
        add(&self.0, FULL);
    }

    /// Makes it writable.
    pub fn unblock(&self) {
        take(&self.0);
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
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

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
}
