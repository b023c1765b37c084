//! What worker processes are started in: their working directory, variables and priority.
//!
//! Invariant: pure. Whether the folder is there and the priority is allowed is found when a run starts.

#![deny(missing_docs)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Each variable whose name begins so is the supervisor's own.
const OWN_PREFIX: &[u8] = b"SUPERVISOR_";
/// Those that a command gets for scripts that know GNU parallel.
const OF_PARALLEL: [&str; 3] = ["PARALLEL_SEQ", "PARALLEL_JOBSLOT", "PARALLEL_PID"];

/// What a worker process is started in, beside its program and its descriptors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Its working directory; `None`: ours. In that of a command, placeholders stand for the item. A program whose name
    /// has a slash and begins with none is looked up from there.
    pub workdir: Option<OsString>,
    /// Variables of its environment in place of those that are inherited, each a name and a value; the last one of a
    /// name counts.
    pub variables: Vec<(OsString, OsString)>,
    /// Added to our own nice value.
    pub nice: i32,
}

impl Surroundings {
    /// The variable of this name, unless it is inherited.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_os_str())
    }
}

/// Whether a run sets this variable itself, or may in a later version.
#[must_use]
pub fn is_own_variable(name: &OsStr) -> bool {
    name.as_bytes().starts_with(OWN_PREFIX) || OF_PARALLEL.iter().any(|own| *own == name)
}
