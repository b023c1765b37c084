//! Eventfds: by them one thread wakes another that waits in a poll set.
//!
//! Both kinds say a yes or no that stays until it is taken back, so a waker that comes before the
//! waiter is not missed. Who changes the answer and the thing it is about does so under one lock.
//!
//! Invariant: never waits.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The most that an eventfd holds: with it, no write fits.
const FULL: u64 = u64::MAX - 1;

fn eventfd() -> io::Result<EventFd> {
    Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)
}

/// Readable from [`ring`](Self::ring) to [`silence`](Self::silence).
#[derive(Debug)]
pub struct Bell(EventFd);

impl Bell {
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

    pub fn silence(&self) {
        // The only failure is that there was nothing to take.
        let _ = self.0.read();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Writable unless it is shut.
#[derive(Debug)]
pub struct Gate(EventFd);

impl Gate {
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

impl AsFd for Gate {
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
    fn a_bell_is_readable_while_it_rings_and_a_gate_writable_while_it_is_open() {
        let bell = Bell::new().unwrap();
        let rings = |bell: &Bell| is_ready(bell, PollFlags::POLLIN);
        assert!(!rings(&bell));
        bell.ring();
        bell.ring();
        assert!(rings(&bell) && rings(&bell));
        bell.silence();
        assert!(!rings(&bell));
        bell.silence();
        let gate = Gate::new().unwrap();
        let is_open = |gate: &Gate| is_ready(gate, PollFlags::POLLOUT);
        assert!(is_open(&gate));
        gate.shut();
        assert!(!is_open(&gate));
        gate.open();
        gate.open();
        assert!(is_open(&gate));
    }
}
