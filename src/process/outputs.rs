//! What a command writes, if that is captured: one pipe for each stream, read into memory.

use super::error::ProcessError;
use crate::command::capture::Progress;
use crate::sys::fd;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;

/// The most bytes of one read: a full pipe of the usual size.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Our end of a pipe, and what has come out of it.
#[derive(Debug)]
pub struct OutputPipe {
    /// `None` after end-of-file.
    pub pipe: Option<PipeReader>,
    pub bytes: Vec<u8>,
}

impl OutputPipe {
    /// Our end, and the command's.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn open() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = fd::pipe()?;
        fd::set_nonblocking(&ours)?;
        Ok((Self { pipe: Some(ours.into()), bytes: Vec::new() }, theirs))
    }

    /// Reads at most `reads` times. The pipe stays until its owner has taken it out of the poll set.
    ///
    /// # Errors
    /// Those of `read(2)`.
    pub fn read(&mut self, reads: u32) -> Result<Progress, ProcessError> {
        let Some(pipe) = &mut self.pipe else { return Ok(Progress::Closed) };
        for _ in 0..reads {
            let filled = self.bytes.len();
            self.bytes.resize(filled + READ_BYTES_MAX, 0);
            let read = pipe.read(&mut self.bytes[filled..]);
            self.bytes.truncate(filled + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Ok(Progress::Closed),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(Progress::Blocked),
                    _ => return Err(ProcessError::system("read the output of the command")(error)),
                },
            }
        }
        Ok(Progress::More)
    }
}
