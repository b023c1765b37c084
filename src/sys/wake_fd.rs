//! Eventfds: by them one thread, or process, wakes another that waits in a poll set.
//!
//! Both kinds say a yes or no that stays until it is taken back, so a waker that comes before the
//! waiter is not missed. Who changes the answer and the thing it is about does so under one lock.
//!
//! Invariant: never waits, but in [`WakeFd::wait`]. Whoever shares a bell can make it ring, or silence it, and no more.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The most that an eventfd holds: with it, no write fits.
const FULL: u64 = u64::MAX - 1;

fn eventfd() -> io::Result<EventFd> {
    Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)
}

/// Readable from [`ring`](Self::ring) to [`silence`](Self::silence).
#[derive(Debug)]
pub struct WakeFd(EventFd);

impl WakeFd {
    /// A silent one.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Self> {
        eventfd().map(Self)
    }

    pub fn ring(&self) {
        // The only failure is that it holds all it can: then it rings.
        let _ = self.0.write(1);
    }

    /// Returns how often it was rung. The only failure is that there was nothing to take.
    pub fn silence(&self) -> u64 {
        self.0.read().unwrap_or(0)
    }
}

impl WakeFd {
    /// Takes over an end of a bell that another process made.
    ///
    /// # Errors
    /// It does not say `WouldBlock` where it would wait, so it is none.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        if !flags.contains(OFlag::O_NONBLOCK) {
            return Err(Errno::EINVAL.into());
        }
        // SAFETY: only reads and writes of 8 bytes are made through it, which are safe on any fd.
        Ok(Self(unsafe { EventFd::from_owned_fd(fd) }))
    }

    /// One more descriptor of the same bell, close-on-exec.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn to_fd(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }

    /// Waits until it rings, and silences it. For a thread that has nothing else to do.
    ///
    /// # Errors
    /// Those of `poll(2)`, but for `EINTR`.
    pub fn wait(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE) {
            Ok(_) => _ = self.silence(),
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

/// Writable unless it is shut.
#[derive(Debug)]
pub struct WritableFd(EventFd);

impl WritableFd {
    /// An open one.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Self> {
        eventfd().map(Self)
    }

    /// To be called when it is open.
    pub fn shut(&self) {
        let _ = self.0.write(FULL);
    }

    pub fn open(&self) {
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
    fn a_bell_is_readable_while_it_rings_and_a_gate_writable_while_it_is_open() {
        let wake_fd = WakeFd::new().unwrap();
        let rings = |wake_fd: &WakeFd| is_ready(wake_fd, PollFlags::POLLIN);
        assert!(!rings(&wake_fd));
        wake_fd.ring();
        wake_fd.ring();
        assert!(rings(&wake_fd) && rings(&wake_fd));
        wake_fd.silence();
        assert!(!rings(&wake_fd));
        wake_fd.silence();
        let writable_fd = WritableFd::new().unwrap();
        let is_open = |writable_fd: &WritableFd| is_ready(writable_fd, PollFlags::POLLOUT);
        assert!(is_open(&writable_fd));
        writable_fd.shut();
        assert!(!is_open(&writable_fd));
        writable_fd.open();
        writable_fd.open();
        assert!(is_open(&writable_fd));
    }

    #[test]
    fn a_bell_rings_through_each_of_its_descriptors() {
        let ours = WakeFd::new().unwrap();
        let theirs = WakeFd::from_fd(ours.to_fd().unwrap()).unwrap();
        theirs.ring();
        ours.wait().unwrap();
        assert!(!is_ready(&theirs, PollFlags::POLLIN));
        assert!(WakeFd::from_fd(std::io::pipe().unwrap().0.into()).is_err());
    }
}
