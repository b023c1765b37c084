//! The one place where the loop of a run waits: a level-triggered epoll set.
//!
//! Remove an fd ([`Poller::remove`]) *before* closing it: a child between its clone and its exec still holds a copy, so
//! closing alone does not remove it from the set, and a stale event would be taken for one of the next fd with that
//! number. Put a generation into the token for the same reason. Remove an fd at end-of-file too: a level-triggered
//! hang-up is reported in every wait.
//!
//! Invariant: the poller never owns a watched fd, and never makes one non-blocking.

use super::refusal;
use crate::model::time::Duration;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::stat::fstat;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Initial and largest number of events of one wait. The buffer grows, so that one wait reports all that is ready.
const EVENTS_INITIAL: usize = 256;
const EVENTS_MAX: usize = 1 << 16;

/// What to wait for. Errors and hang-ups are always reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    pub read: bool,
    pub write: bool,
}

impl Interest {
    pub const READ: Self = Self { read: true, write: false };
    pub const WRITE: Self = Self { read: false, write: true };
    pub const NONE: Self = Self { read: false, write: false };

    fn flags(self) -> EpollFlags {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, self.read);
        flags.set(EpollFlags::EPOLLOUT, self.write);
        flags
    }
}

/// What [`Poller::add`] did with an fd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    Watched,
    /// A regular file or a folder: it never blocks and cannot be watched. Neither modify nor remove it.
    AlwaysReady,
}

/// An fd that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub token: u64,
    pub readable: bool,
    pub writable: bool,
    /// The other side is closed. There may still be something to read.
    pub hangup: bool,
    /// For the write end of a pipe: the read end is closed.
    pub error: bool,
}

/// An epoll set.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Poller {
    /// # Errors
    /// The system is short of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let epoll = new_epoll()?;
        Ok(Self { epoll, events: vec![EpollEvent::empty(); EVENTS_INITIAL] })
    }

    /// Watches an fd that is not in the set yet; each of its events carries `token`.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`, except `EPERM`, which is [`Added::AlwaysReady`].
    pub fn add(&self, fd: impl AsFd, interest: Interest, token: u64) -> io::Result<Added> {
        match self.epoll.add(&fd, EpollEvent::new(interest.flags(), token)) {
            Ok(()) => Ok(Added::Watched),
            Err(Errno::EPERM) if !can_be_watched(&fd) => Ok(Added::AlwaysReady),
            Err(errno) => Err(refusal::of_call("epoll_ctl")(errno)),
        }
    }

    /// Changes the interest and the token of a watched fd.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub fn modify(&self, fd: impl AsFd, interest: Interest, token: u64) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(interest.flags(), token))?)
    }

    /// Removes a watched fd. Call it before closing the fd.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    /// Waits for events and writes them to `ready`, whose old content is lost. `ready` is empty after a timeout, or
    /// after a signal if no fd is ready. After a signal it polls once more, so that events that happened while the
    /// process was stopped are reported before its deadlines. `None` waits without a timeout. Timeouts are rounded up to milliseconds, so that a deadline has
    /// passed when the wait for it ends.
    ///
    /// # Errors
    /// Those of `epoll_wait(2)`, except `EINTR`.
    pub fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        ready.clear();
        let mut found = self.epoll.wait(&mut self.events, timeout_of(timeout));
        if found == Err(Errno::EINTR) {
            found = self.epoll.wait(&mut self.events, EpollTimeout::ZERO);
        }
        // All ready fds are reported before any deadline, also if they are more than the buffer holds. The set is
        // level-triggered, so the second wait finds the first events again.
        while found == Ok(self.events.len()) && self.events.len() < EVENTS_MAX {
            self.events.resize(2 * self.events.len(), EpollEvent::empty());
            found = self.epoll.wait(&mut self.events, EpollTimeout::ZERO);
        }
        let found = match found {
            Ok(found) => found,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(refusal::of_call("epoll_wait")(errno)),
        };
        ready.extend(self.events.iter().take(found).map(|event| {
            let flags = event.events();
            Ready {
                token: event.data(),
                readable: flags.contains(EpollFlags::EPOLLIN),
                writable: flags.contains(EpollFlags::EPOLLOUT),
                hangup: flags.contains(EpollFlags::EPOLLHUP),
                error: flags.contains(EpollFlags::EPOLLERR),
            }
        }));
        Ok(())
    }
}

impl AsFd for Poller {
    /// Readable while a watched fd is ready.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Several fds to be waited for as one: readable when one of them is.
#[derive(Debug)]
pub struct AnyOf(Epoll);

impl AnyOf {
    /// Watches these fds; keep them open as long as this value exists.
    ///
    /// # Errors
    /// No file descriptor is left, or one cannot be watched.
    pub fn new(fds: &[BorrowedFd<'_>]) -> io::Result<Self> {
        let epoll = new_epoll()?;
        for fd in fds {
            epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        }
        Ok(Self(epoll))
    }
}

impl AsFd for AnyOf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// Whether the system can watch files of this kind: then `EPERM` is a refusal of the call, and to take the file for one
/// that is always ready would poll without end.
fn can_be_watched(fd: impl AsFd) -> bool {
    let kind = fstat(fd).map_or(0, |status| status.st_mode & libc::S_IFMT);
    // No kind at all: pidfds, eventfds and their like.
    matches!(kind, 0 | libc::S_IFIFO | libc::S_IFSOCK)
}

fn new_epoll() -> io::Result<Epoll> {
    Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(refusal::of_call("epoll_create1"))
}

fn timeout_of(timeout: Option<Duration>) -> EpollTimeout {
    match timeout {
        None => EpollTimeout::NONE,
        // A wait that is too long for the call (24 days) ends early; the caller then waits again.
        Some(Duration(ns)) => {
            let ms = i32::try_from(ns.div_ceil(1_000_000)).unwrap_or(i32::MAX);
            EpollTimeout::try_from(ms).unwrap_or(EpollTimeout::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_pipe_with_bytes_is_readable_and_its_end_is_a_hangup() {
        let mut poller = Poller::new().unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut ready = Vec::new();
        assert_eq!(poller.add(&reader, Interest::READ, 42).unwrap(), Added::Watched);
        poller.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        assert_eq!(ready, []);
        writer.write_all(b"x").unwrap();
        poller.wait(&mut ready, None).unwrap();
        assert_eq!(ready, [Ready { token: 42, readable: true, writable: false, hangup: false, error: false }]);
        drop(writer);
        poller.modify(&reader, Interest::NONE, 43).unwrap();
        poller.wait(&mut ready, None).unwrap();
        assert_eq!(ready, [Ready { token: 43, readable: false, writable: false, hangup: true, error: false }]);
        poller.remove(&reader).unwrap();
        poller.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        assert_eq!(ready, []);
    }

    #[test]
    fn the_writing_end_reports_that_the_reader_left() {
        let mut poller = Poller::new().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let mut ready = Vec::new();
        poller.add(&writer, Interest::NONE, 1).unwrap();
        drop(reader);
        poller.wait(&mut ready, None).unwrap();
        assert_eq!(ready, [Ready { token: 1, readable: false, writable: false, hangup: false, error: true }]);
    }

    #[test]
    fn several_are_waited_for_as_one() {
        let mut poller = Poller::new().unwrap();
        let pipes = [std::io::pipe().unwrap(), std::io::pipe().unwrap()];
        let any = AnyOf::new(&[pipes[0].0.as_fd(), pipes[1].0.as_fd()]).unwrap();
        poller.add(&any, Interest::READ, 1).unwrap();
        let mut ready = Vec::new();
        for (_, writer) in &pipes {
            poller.wait(&mut ready, Some(Duration::ZERO)).unwrap();
            assert_eq!(ready, []);
            let mut writer = writer;
            writer.write_all(b"x").unwrap();
            poller.wait(&mut ready, None).unwrap();
            assert!(ready[0].readable);
            if let Some((reader, _)) = pipes.iter().find(|(_, own)| std::ptr::eq(own, writer)) {
                let mut reader = reader;
                std::io::Read::read(&mut reader, &mut [0]).unwrap();
            }
        }
        assert!(AnyOf::new(&[tempfile::tempfile().unwrap().as_fd()]).is_err());
    }

    #[test]
    fn a_regular_file_is_always_ready() {
        let poller = Poller::new().unwrap();
        let file = tempfile::tempfile().unwrap();
        assert_eq!(poller.add(&file, Interest::READ, 1).unwrap(), Added::AlwaysReady);
    }

    #[test]
    fn timeouts_round_up_and_never_wrap() {
        assert_eq!(timeout_of(None), EpollTimeout::NONE);
        assert_eq!(timeout_of(Some(Duration::ZERO)), EpollTimeout::ZERO);
        assert_eq!(timeout_of(Some(Duration(1))), EpollTimeout::try_from(1).unwrap());
        assert_eq!(timeout_of(Some(Duration(1_000_001))), EpollTimeout::try_from(2).unwrap());
        assert_eq!(timeout_of(Some(Duration(u64::MAX))), EpollTimeout::try_from(i32::MAX).unwrap());
    }

    #[test]
    fn one_wait_reports_everything_that_is_ready() {
        let mut poller = Poller::new().unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let copies: Vec<_> = (0..3 * EVENTS_INITIAL).map(|_| reader.try_clone().unwrap()).collect();
        for (token, copy) in (0..).zip(&copies) {
            poller.add(copy, Interest::READ, token).unwrap();
        }
        let mut ready = Vec::new();
        poller.wait(&mut ready, None).unwrap();
        let mut tokens: Vec<u64> = ready.iter().map(|event| event.token).collect();
        tokens.sort_unstable();
        assert!(tokens.into_iter().eq(0..copies.len() as u64));
    }
}
