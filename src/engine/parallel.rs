//! What a run in the place of GNU parallel takes from the system.

use crate::sys::ancestors;
use std::path::PathBuf;

/// The program of the nearest ancestor of this process that is a shell.
#[must_use]
pub fn shell_around() -> Option<PathBuf> {
    ancestors::shell()
}
