//! The controlling terminal, which a command is lent while it runs.
//!
//! A terminal belongs to one process group, its foreground group. A process of another group that reads from it or sets
//! it is stopped (TTIN, TTOU), and Ctrl-C and Ctrl-Z go to the foreground group alone. The child of a spawn takes the
//! terminal itself before its program starts ([`super::spawn::SpawnPlan::terminal`]): later might be after its first
//! read.
//!
//! Invariant: it is taken back only from the group that it was lent to. A shell that has put this job into the
//! background has taken it meanwhile, and keeps it.

use super::disposition::with_default;
use super::interruption::retried;
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid, tcgetpgrp, tcsetpgrp};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// The controlling terminal. Dropping it takes it back.
#[derive(Debug)]
pub struct Terminal {
    file: File,
    lent_to: Option<Pid>,
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Terminal {
    /// # Errors
    /// This process has no controlling terminal (`ENXIO`).
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/tty")?;
        Ok(Self { file, lent_to: None })
    }

    /// The controlling terminal to read from, without waiting: an open file of its own.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn open_to_read() -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open("/dev/tty")
    }

    /// Another descriptor of it.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn try_clone(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Whether our own group is the foreground group, so that the terminal is ours to lend.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        tcgetpgrp(&self.file) == Ok(getpgrp())
    }

    /// Whether it is lent to a group.
    #[must_use]
    pub const fn is_lent(&self) -> bool {
        self.lent_to.is_some()
    }

    /// A child has taken it for its group at its start.
    pub fn note_lent(&mut self, group: u32) {
        self.lent_to = Some(Pid::from_raw(group.cast_signed()));
    }

    /// Makes this group the foreground group.
    ///
    /// The calling thread must block TTOU, or it would stop: it may be in the background.
    pub fn lend(&mut self, group: u32) {
        self.note_lent(group);
        if let Some(group) = self.lent_to {
            // A group that has just ended needs no terminal.
            let _ = retried(|| tcsetpgrp(&self.file, group));
        }
    }

    /// Makes our own group the foreground group again. The calling thread must block TTOU.
    pub fn take_back(&mut self) {
        if let Some(group) = self.lent_to.take()
            && tcgetpgrp(&self.file) == Ok(group)
        {
            // It fails if the terminal is gone.
            let _ = retried(|| tcsetpgrp(&self.file, getpgrp()));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// Whether our own group may draw on this terminal: it is the foreground group, or the terminal is not the controlling
/// one, which knows no groups of ours.
#[must_use]
pub fn is_in_foreground(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).map_or(true, |group| group == getpgrp())
}

/// Whether our group is a job of a shell that knows what to do with a job that stops. The system stops no group by the
/// signals of the terminal that no shell would continue.
#[must_use]
pub fn is_job() -> bool {
    let parent = getppid();
    getsid(Some(parent)) == getsid(None) && getpgid(Some(parent)) != Ok(getpgrp())
}

/// Stops our own group as the terminal does with this signal (TSTP, TTIN, TTOU). Returns when the group goes on, or at
/// once if the system does not stop it. If this process catches the signal, only on its first thread: another one may go
/// on for a moment.
pub fn suspend(signal: Signal) {
    let number = i32::from(signal.0);
    with_default(number, || {
        // SAFETY: sends a signal, accesses no memory. The group is our own, so the call does not fail.
        let _ = retried(|| Errno::result(unsafe { libc::kill(0, number) }));
    });
}

/// Stops this process alone in the same way: for a signal that the others of its group have got too. Also if this thread is
/// not the first one: it is the one that gets the signal.
pub fn suspend_alone(signal: Signal) {
    let number = i32::from(signal.0);
    with_default(number, || {
        // SAFETY: sends a signal to this thread, accesses no memory.
        let _ = retried(|| Errno::result(unsafe { libc::raise(number) }));
    });
}
