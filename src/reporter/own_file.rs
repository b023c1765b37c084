//! A file that a reporter writes for itself. Like stdout it is written by the engine, and never waited for.
//!
//! A FIFO is opened also if no process reads it yet. By `open(2)`, to open one for writing alone waits for a reader, or
//! fails with `O_NONBLOCK`; so we hold its reading end ourselves until another process has read from it. What is
//! written until then stays in the FIFO.

use super::error::ReporterError;
use crate::sys::outbox::Outbox;
use nix::errno::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The file, and the bytes that it has not taken.
#[derive(Debug)]
pub struct OwnFile {
    /// As given.
    pub path: String,
    pub outbox: Outbox,
    /// It is in the poll set.
    pub is_watched: bool,
    /// It could not be written: what is appended from then on is dropped.
    lost: bool,
}

impl OwnFile {
    /// Opens the file, and empties a regular one. Never waits.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> Result<Self, ReporterError> {
        Self::open(path, true, 0o600)
    }

    /// The same with the permissions that the umask leaves, as for any output of a user.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create_by_umask(path: &Path) -> Result<Self, ReporterError> {
        Self::open(path, true, 0o666)
    }

    /// Opens the file; what it holds stays. Never waits.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn append(path: &Path) -> Result<Self, ReporterError> {
        Self::open(path, false, 0o600)
    }

    /// Opens a file that is for our user alone; `appends`: what it holds stays. Follows no symbolic link, and never waits.
    ///
    /// # Errors
    /// The file cannot be created, is a link, or belongs to another user.
    pub fn private(path: &Path, appends: bool) -> Result<Self, ReporterError> {
        Self::opened(path, open_private(path, !appends))
    }

    fn open(path: &Path, empties: bool, mode: u32) -> Result<Self, ReporterError> {
        Self::opened(path, open_file(path, empties, mode, 0))
    }

    fn opened(path: &Path, opened: io::Result<(File, Option<File>)>) -> Result<Self, ReporterError> {
        let name = path.display().to_string();
        match opened {
            Ok((file, reader)) => {
                let outbox = Outbox::of_own_file(file.into(), reader.map(Into::into));
                Ok(Self { path: name, outbox, is_watched: false, lost: false })
            }
            Err(error) => Err(ReporterError::Create { path: name, error }),
        }
    }

    /// Drops what waits when a write has failed, and all that follows.
    pub fn lose(&mut self, error: io::Error) -> ReporterError {
        self.discard();
        ReporterError::Write { path: self.path.clone(), error }
    }

    /// Drops what waits, and all that follows.
    pub fn discard(&mut self) {
        self.lost = true;
        self.outbox.clear();
    }

    /// Where to append, unless the file is lost.
    pub fn buffer(&mut self) -> Option<&mut Vec<u8>> {
        (!self.lost).then(|| self.outbox.buffer())
    }

    /// Whether something has yet to be written, or to be read by the first reader of a FIFO.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.lost && (!self.outbox.is_empty() || self.outbox.is_unread())
    }
}

/// Opens the file to append to it; `empties`: a regular one is truncated first. If stdout or stderr is redirected to the same file, that open file is used: a
/// second open file would have an offset of its own, and each would overwrite what the other wrote. With a FIFO that no
/// process reads comes its reading end.
fn open_file(path: &Path, empties: bool, mode: u32, flags: i32) -> io::Result<(File, Option<File>)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(mode).custom_flags(libc::O_NONBLOCK | flags);
    let file = match options.open(path) {
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) && is_fifo(path) => {
            let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
            return Ok((options.open(path)?, Some(reader)));
        }
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if metadata.is_file() {
        for stream in [io::stdout().as_fd(), io::stderr().as_fd()] {
            let Ok(stream) = stream.try_clone_to_owned().map(File::from) else { continue };
            let of_stream = stream.metadata();
            if of_stream.is_ok_and(|other| (other.dev(), other.ino()) == (metadata.dev(), metadata.ino())) {
                return Ok((stream, None));
            }
        }
        if empties {
            file.set_len(0)?;
        }
    }
    Ok((file, None))
}

fn open_private(path: &Path, empties: bool) -> io::Result<(File, Option<File>)> {
    let opened = open_file(path, empties, 0o600, libc::O_NOFOLLOW);
    let (file, reader) = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => io::Error::other("it is a symbolic link; give the name of the file itself"),
        _ => error,
    })?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        file.set_permissions(PermissionsExt::from_mode(0o600))?;
    }
    Ok((file, reader))
}

fn is_fifo(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}
