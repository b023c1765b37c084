//! The pipes of a command that is being started, or the terminal that stands for them.

use super::capture::Progress;
use super::stdin_feed::StdinFeed;
use crate::sys::fd;
use crate::sys::pty::Pty;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;

/// Both ends of all pipes of a process that is being started.
pub struct Pipes {
    /// `None`: the process reads from /dev/null.
    pub stdin: Option<OwnedFd>,
    pub stdout: OwnedFd,
    /// Our end and the command's; `None`: it writes stderr where it writes stdout.
    pub stderr: Option<(PipeReader, OwnedFd)>,
    pub feed: Option<StdinFeed>,
    pub ours_stdout: PipeReader,
}

impl Pipes {
    /// `pty`: what it writes to is a terminal, stderr too. `stays_open`: its stdin does not end with this input.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(input: Option<&[u8]>, stays_open: bool, merges: bool, pty: bool) -> io::Result<Self> {
        let output = || -> io::Result<(PipeReader, OwnedFd)> {
            let (ours, theirs) = fd::pipe_to_poll()?;
            Ok((ours.into(), theirs))
        };
        let (ours_stdout, stdout) = if pty {
            let Pty { ours, theirs } = Pty::open()?;
            (ours.into(), theirs)
        } else {
            output()?
        };
        let stderr = (!merges && !pty).then(output).transpose()?;
        let (mut stdin, mut feed) = (None, None);
        if let Some(item) = input {
            let (theirs, mut start) = StdinFeed::open()?;
            // Most items fit into the pipe, and then nothing has to be written after the start.
            feed = (start.write(item)? != Progress::Closed || stays_open).then_some(start);
            stdin = Some(theirs);
        }
        Ok(Self { stdin, stdout, stderr, feed, ours_stdout })
    }
}
