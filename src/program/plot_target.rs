//! The file that a subcommand draws a plot into.
//!
//! It is opened before the work begins, so that a wrong folder is told at once, and keeps what it had until the plot is
//! drawn.

use super::answer::fail;
use crate::exit_code;
use crate::model::plot_file::{PlotFile, PlotFormat};
use crate::plot::{self, PlotError, Sheet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Why there is no plot; completes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub(super) enum PlotTargetError {
    #[error("create {}: {error}", path.display())]
    Create { path: PathBuf, error: io::Error },
    #[error("write {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Plot(#[from] PlotError),
}

impl PlotTargetError {
    /// Reports it; the exit code is that of other files that are written.
    pub(super) fn report(&self) -> ExitCode {
        let code = match self {
            Self::Create { .. } => exit_code::USAGE,
            Self::Write { .. } => exit_code::STORAGE,
            Self::Plot(_) => exit_code::INTERNAL,
        };
        fail(&format_args!("failed to {self}"), code)
    }
}

/// The file, open.
pub(super) struct PlotTarget {
    path: PathBuf,
    file: File,
    format: PlotFormat,
}

impl PlotTarget {
    /// Opens the file, or creates it.
    pub(super) fn open(PlotFile { path, format }: PlotFile) -> Result<Self, PlotTargetError> {
        match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => Ok(Self { path, file, format }),
            Err(error) => Err(PlotTargetError::Create { path, error }),
        }
    }

    /// Draws the sheet into it, in place of what it had.
    pub(super) fn draw(mut self, sheet: &Sheet) -> Result<(), PlotTargetError> {
        let picture = match self.format {
            PlotFormat::Svg => plot::svg(sheet)?.into_bytes(),
            PlotFormat::Png => plot::png(sheet)?,
        };
        replace(&mut self.file, &picture).map_err(|error| PlotTargetError::Write { path: self.path, error })
    }
}

fn replace(file: &mut File, content: &[u8]) -> io::Result<()> {
    // A device or a pipe has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(content)
}
