//! Why a process could not be started.

use super::refusal;
use nix::errno::Errno;
use std::fmt;

/// Where a spawn failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnStep {
    /// The system is short of processes (`EAGAIN`), descriptors (`EMFILE`) or memory (`ENOMEM`).
    Clone,
    /// The process could not get a group of its own.
    Group,
    /// The limit of open files could not be restored.
    Limit,
    /// A descriptor could not be moved to its number.
    Files,
    /// The working directory could not be entered.
    Folder,
    /// It could not get its nice value.
    Priority,
    /// The program cannot be executed: `ENOENT`, `EACCES`, `E2BIG`, ...
    Exec,
}

/// Why no process was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {}", self.reason())]
pub struct SpawnError {
    pub step: SpawnStep,
    pub errno: i32,
}

impl SpawnError {
    /// Whether the system does not allow or does not know a call that every start of a process needs.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.call().is_some() && refusal::is_refusal(Errno::from_raw(self.errno))
    }

    fn reason(&self) -> String {
        let errno = Errno::from_raw(self.errno);
        match self.call() {
            Some(call) if self.is_refusal() => refusal::text(call, errno),
            _ => errno.desc().to_owned(),
        }
    }

    const fn call(&self) -> Option<&'static str> {
        match self.step {
            SpawnStep::Clone => Some("clone"),
            SpawnStep::Group => Some("setpgid"),
            SpawnStep::Limit => Some("setrlimit"),
            SpawnStep::Files => Some("dup2"),
            SpawnStep::Folder | SpawnStep::Priority | SpawnStep::Exec => None,
        }
    }
}

/// Whether this errno means that the system is short of a resource, so that a later attempt may succeed (`clone(2)`,
/// `pipe(2)`, `memfd_create(2)`, `epoll_ctl(2)`).
#[must_use]
pub fn is_shortage(errno: i32) -> bool {
    [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSPC].contains(&errno)
}

impl fmt::Display for SpawnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clone => "create a process",
            Self::Group => "make a process group",
            Self::Limit => "restore the limit of open files",
            Self::Files => "hand over its files",
            Self::Folder => "enter its working directory",
            Self::Priority => "set its nice value",
            Self::Exec => "execute the program",
        })
    }
}
