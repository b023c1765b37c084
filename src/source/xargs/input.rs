//! The input of xargs, a block at a time.
//!
//! Invariant: no call waits, and nothing is read while bytes are left. stdin is never made non-blocking: it is shared with
//! the user's shell.

use super::super::SourceError;
use crate::model::config::InputSpec;
use crate::sys::stdio;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};

/// Most bytes of a block.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockRead {
    Some,
    /// Nothing now: wait for the descriptor.
    None,
    Ended,
}

/// An opened input.
pub struct BlockInput {
    /// `None`: it was closed when the program started, and is empty.
    file: Option<File>,
    /// It is always ready, and `epoll` cannot watch it.
    is_regular: bool,
    block: Vec<u8>,
    /// The next byte of the block.
    at: usize,
}

impl BlockInput {
    /// # Errors
    /// The file cannot be opened.
    pub fn open(input: &InputSpec) -> Result<Self, SourceError> {
        let failed = |name: String| move |error| SourceError::Open { name, error };
        let file = match input {
            InputSpec::Stdin if stdio::was_closed(0) => None,
            InputSpec::Stdin => {
                Some(io::stdin().as_fd().try_clone_to_owned().map(File::from).map_err(failed("stdin".to_owned()))?)
            }
            InputSpec::File(path) => Some(File::open(path).map_err(failed(path.display().to_string()))?),
        };
        let metadata = file.as_ref().and_then(|file| file.metadata().ok());
        let is_regular = metadata.is_none_or(|metadata| metadata.is_file() || metadata.is_dir());
        Ok(Self { file, is_regular, block: Vec::new(), at: 0 })
    }

    pub fn byte(&mut self) -> Option<u8> {
        let byte = self.block.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// Reads the next block. An input that cannot be read ends there, as in xargs.
    pub fn read(&mut self) -> BlockRead {
        let is_ready = self.is_regular || self.is_ready();
        let Some(file) = self.file.as_mut() else { return BlockRead::Ended };
        if !is_ready {
            return BlockRead::None;
        }
        self.block.resize(BLOCK_BYTES_MAX, 0);
        self.at = 0;
        let read = file.read(&mut self.block);
        self.block.truncate(*read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => BlockRead::Ended,
            Ok(_) => BlockRead::Some,
            // Another process has made it non-blocking, or has read the bytes.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => BlockRead::None,
            Err(_) => BlockRead::Ended,
        }
    }

    fn is_ready(&self) -> bool {
        let Some(file) = &self.file else { return true };
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) {
            Ok(ready) => ready > 0,
            Err(Errno::EINTR) => false,
            // The read says why.
            Err(_) => true,
        }
    }

    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().filter(|_| !self.is_regular).map(AsFd::as_fd)
    }
}
