//! Bytes for the stdin of a command, written as far as its pipe takes them.

use super::capture::Progress;
use crate::sys::fd;
use std::io::{self, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Our end of a command's stdin, and how much has been written.
#[derive(Debug)]
pub struct StdinFeed {
    pipe: PipeWriter,
    written: usize,
    broken: bool,
}

impl AsFd for StdinFeed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl StdinFeed {
    /// The command's end, and ours.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn open() -> io::Result<(OwnedFd, Self)> {
        let (theirs, ours) = fd::pipe()?;
        fd::set_nonblocking(&ours)?;
        Ok((theirs, Self { pipe: ours.into(), written: 0, broken: false }))
    }

    /// Other bytes follow those that were written.
    pub const fn begin_next(&mut self) {
        self.written = 0;
    }

    /// Bytes that were written of the present ones.
    #[must_use]
    pub const fn written(&self) -> usize {
        self.written
    }

    /// Whether the command has closed its stdin before it was given all bytes.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Writes until all bytes, which are the same in each call, are written or the pipe is full. A command that closes its
    /// stdin early, as `head` does, is no error. Drop the feed when it is closed: the command then reads end-of-file.
    ///
    /// # Errors
    /// Those of `write(2)`, except these two.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Progress> {
        while let Some(rest) = bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.pipe.write(rest) {
                Ok(count) => self.written += count,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(Progress::Blocked),
                    io::ErrorKind::BrokenPipe => {
                        self.broken = true;
                        return Ok(Progress::Closed);
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(Progress::Closed)
    }
}
