//! What happens to the children of this process beside their ends: they are stopped, they go on, and strangers are
//! adopted.
//!
//! The end of each of our processes is seen by its pidfd, where a stop is not reported: the system reports it to the
//! parent by SIGCHLD alone, which it also sends for each end. So SIGCHLD is blocked in all threads and read from a
//! signalfd. While one is unread the system drops those that follow, at no price; so whoever reads the descriptor
//! decides how often the ends of commands wake it.
//!
//! The first process of a pid namespace, and a subreaper, inherit the orphans of their descendants, which stay zombies
//! until they are reaped. Orphans become children of the process's *first* thread, and `__WNOTHREAD` restricts a wait
//! to the children of one thread: that keeps the children that other threads have started apart.
//!
//! Invariant: never waits, and reaps no process that the caller calls its own.

use super::disposition::present;
use super::interruption::retried;
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal as SystemSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

/// Children that one call looks at: more than ever change at once, and an end to a flood.
const CHILDREN_PER_CALL: usize = 4096;

/// A child that was stopped, or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildChange {
    pub pid: u32,
    /// The signal that has stopped it; `None`: it goes on.
    pub stopped: Option<Signal>,
}

/// Readable when something has happened to a child, its end included.
#[derive(Debug)]
pub struct ChildChanges(SignalFd);

impl AsFd for ChildChanges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ChildChanges {
    /// Blocks SIGCHLD on this thread, and on the threads that it starts from now on
    /// ([`super::signals::Normalised`] restores the mask). `None`: this is not the first thread of the process, or a
    /// handler of the host program wants SIGCHLD.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn watch() -> io::Result<Option<Self>> {
        let is_first_thread = nix::unistd::gettid() == nix::unistd::getpid();
        if !is_first_thread || present(libc::SIGCHLD)?.sa_sigaction != libc::SIG_DFL {
            return Ok(None);
        }
        let signal = SigSet::from(SystemSignal::SIGCHLD);
        signal.thread_block()?;
        Ok(Some(Self(SignalFd::with_flags(&signal, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)))
    }

    /// The stops and continuations since the last call, in the order in which the system finds them.
    pub fn drain(&mut self) -> Vec<ChildChange> {
        // One stands for all that happened before.
        self.acknowledge();
        let mut changes = Vec::new();
        while changes.len() < CHILDREN_PER_CALL
            && let Some(found) = wait(libc::P_ALL, 0, libc::WSTOPPED | libc::WCONTINUED)
        {
            let stopped = (found.code == libc::CLD_STOPPED).then_some(Signal((found.status & 0x7f) as u8));
            changes.push(ChildChange { pid: found.pid, stopped });
        }
        changes
    }

    /// Takes note of what has happened, for a caller that asks each of its processes itself
    /// ([`super::pidfd::Process::stopped_by`]).
    pub fn acknowledge(&self) {
        let _ = self.0.read_signal();
    }

    /// Reaps the orphans that have ended. Returns whether one may be left, because a child of `is_ours` that nobody has
    /// reaped yet hides it: then ask again.
    pub fn reap_adopted(&self, is_ours: impl Fn(u32) -> bool) -> bool {
        for _ in 0..CHILDREN_PER_CALL {
            let Some(ended) = wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOWAIT | libc::__WNOTHREAD) else {
                return false;
            };
            if is_ours(ended.pid) {
                return true;
            }
            wait(libc::P_PID, ended.pid, libc::WEXITED | libc::__WNOTHREAD);
        }
        true
    }
}

/// What `waitid(2)` has found.
struct Found {
    pid: u32,
    code: i32,
    status: i32,
}

fn wait(which: libc::idtype_t, pid: u32, options: i32) -> Option<Found> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the pointer is to memory of the right type, which outlives the call.
    let mut wait = || unsafe { libc::waitid(which, pid, info.as_mut_ptr(), options | libc::WNOHANG) };
    // Without a child the call fails (`ECHILD`).
    retried(|| Errno::result(wait())).ok()?;
    // SAFETY: zeroes are a valid value, and so is what the system wrote; a siginfo of waitid has a pid and a status.
    let (info, pid, status) = unsafe {
        let info = info.assume_init();
        (info, info.si_pid(), info.si_status())
    };
    // 0: no child is in such a state.
    u32::try_from(pid).ok().filter(|pid| *pid > 0).map(|pid| Found { pid, code: info.si_code, status })
}
