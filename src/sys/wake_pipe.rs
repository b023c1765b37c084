//! A pipe by which one process wakes another one.
//!
//! Not an eventfd, which is one open file: its other side could clear `O_NONBLOCK` and make our next read or write wait
//! for ever. Each end of a pipe is an open file of its own, so each process decides on its own end alone.
//!
//! Invariant: no call waits, except [`WakeReceiver::wait`], whatever the process at the other end does. It can make the
//! receiver readable at any time, and nothing more.

use super::interruption::retried;
use super::refusal;
use super::wake_fd::check_nonblocking;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Wakes that are cleared in one read. A sender that is not hostile sends one for each announced sleep.
const CLEARED_MAX: usize = 256;

/// The end that waits. Readable from a wake to [`clear`](Self::clear), and for ever once the sender is closed.
#[derive(Debug)]
pub struct WakeReceiver(OwnedFd);

/// The end that wakes.
#[derive(Debug)]
pub struct WakeSender(OwnedFd);

/// Both ends, close-on-exec and non-blocking.
///
/// # Errors
/// The system is short of descriptors.
pub fn wake_pipe() -> io::Result<(WakeReceiver, WakeSender)> {
    let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let (receiver, sender) = nix::unistd::pipe2(flags).map_err(refusal::of_call("pipe2"))?;
    Ok((WakeReceiver(receiver), WakeSender(sender)))
}

/// Whether the other end of a wake pipe is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherEnd {
    Open,
    Closed,
}

impl WakeReceiver {
    /// Takes ownership of a receiver that another process made.
    ///
    /// # Errors
    /// The fd is blocking, so it is no end of a wake pipe.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        check_nonblocking(&fd).map(|()| Self(fd))
    }

    /// Clears the wakes so far. More of them than a sender ever sends may be left.
    pub fn clear(&self) -> OtherEnd {
        match retried(|| nix::unistd::read(&self.0, &mut [0; CLEARED_MAX])) {
            Ok(0) => OtherEnd::Closed,
            // It was clear already, or there were wakes.
            _ => OtherEnd::Open,
        }
    }

    /// Waits for a wake or for the end of the sender, and clears the wakes.
    ///
    /// # Errors
    /// Those of `poll(2)`, except `EINTR`.
    pub fn wait(&self) -> io::Result<OtherEnd> {
        retried(|| poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE))?;
        Ok(self.clear())
    }
}

impl WakeSender {
    /// Takes ownership of a sender that another process made.
    ///
    /// # Errors
    /// The fd is blocking, so it is no end of a wake pipe.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        check_nonblocking(&fd).map(|()| Self(fd))
    }

    pub fn wake(&self) {
        // EAGAIN: the pipe is full, so the receiver is readable. EPIPE: the receiver is gone.
        let _ = retried(|| nix::unistd::write(&self.0, &[1]));
    }
}

impl AsFd for WakeReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<WakeReceiver> for OwnedFd {
    fn from(receiver: WakeReceiver) -> Self {
        receiver.0
    }
}

impl From<WakeSender> for OwnedFd {
    fn from(sender: WakeSender) -> Self {
        sender.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, fcntl};

    fn is_woken(receiver: &WakeReceiver) -> bool {
        poll(&mut [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn a_wake_lasts_until_it_is_cleared_and_the_end_of_the_sender_for_ever() {
        let (receiver, sender) = wake_pipe().unwrap();
        assert_eq!((receiver.clear(), is_woken(&receiver)), (OtherEnd::Open, false));
        sender.wake();
        sender.wake();
        assert_eq!(receiver.wait().unwrap(), OtherEnd::Open);
        assert!(!is_woken(&receiver));
        drop(sender);
        assert!(is_woken(&receiver));
        assert_eq!((receiver.wait().unwrap(), receiver.clear()), (OtherEnd::Closed, OtherEnd::Closed));
        assert!(WakeReceiver::from_fd(std::io::pipe().unwrap().0.into()).is_err());
    }

    #[test]
    fn a_process_that_makes_its_end_blocking_does_not_block_the_other_end() {
        let (receiver, sender) = wake_pipe().unwrap();
        fcntl(&sender, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        assert_eq!(receiver.clear(), OtherEnd::Open);
        let (receiver, sender) = wake_pipe().unwrap();
        fcntl(&receiver, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        // More wakes than any pipe holds.
        for _ in 0..100_000 {
            sender.wake();
        }
        drop(receiver);
        sender.wake();
    }

    impl AsFd for WakeSender {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}
