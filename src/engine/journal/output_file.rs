//! The file of results whose length is in the journal.
//!
//! Invariant: a session begins to write where the last record says that the file ends; what lies behind is cut off, and written
//! again from the journal.

use super::error::{JournalError, named};
use crate::journal::state::JournalState;
use crate::sys::durable_file::DurableFile;
use crate::sys::outbox::Outbox;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The file, locked.
pub struct OutputFile {
    file: DurableFile,
    path: PathBuf,
    /// Where the session begins to write.
    begins_at: u64,
    /// It was made, or was empty.
    is_new: bool,
}

impl OutputFile {
    /// Opens the file of a run, which goes on if there is a state.
    ///
    /// # Errors
    /// It is not a file of ours alone, or holds less than was recorded, or something although nothing was.
    pub fn open(path: &Path, state: Option<&JournalState>, unlocked: bool) -> Result<Self, JournalError> {
        let refused = |error| JournalError::OutputFile { path: path.to_owned(), error };
        let file = DurableFile::open(path, unlocked).map_err(refused)?;
        let (bytes, is_new) = (file.end(), file.end() == 0);
        let recorded = state.map_or(0, |state| state.output_bytes);
        if bytes < recorded {
            return Err(JournalError::OutputShort { path: path.to_owned(), bytes, recorded });
        }
        if !is_new && state.is_none_or(|state| state.opened.is_none()) {
            return Err(JournalError::OutputExists { path: path.to_owned() });
        }
        Ok(Self { file, path: path.to_owned(), begins_at: recorded, is_new })
    }

    /// What takes the place of stdout.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn outbox(&self) -> io::Result<Outbox> {
        Ok(Outbox::of_own_file(self.file.file().try_clone()?.into(), None))
    }

    /// Cuts off what lies behind the place where the session begins. Returns the file and that place.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn begin(mut self) -> Result<(DurableFile, u64), JournalError> {
        let failed = |error: io::Error| JournalError::Write { error: named(&self.path, &error) };
        if self.file.end() > self.begins_at {
            self.file.cut(self.begins_at).map_err(failed)?;
        }
        // Its position is that of the outbox, too: both are the same open file.
        let mut file: &File = self.file.file();
        file.seek(SeekFrom::Start(self.begins_at)).map_err(failed)?;
        Ok((self.file, self.begins_at))
    }

    /// Removes a file that was made for a run that did not begin.
    pub fn remove_if_new(self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
