//! One process, by its pidfd: wait for it in the poll set, signal it, reap it.
//!
//! A pidfd becomes readable when its process has ended. Until [`Process::reap`] has returned the status, the process
//! keeps its number (as a zombie), and so does its group: signals can hit nobody else. Hence the order at an end:
//! signal what is left of the group, forget the number, reap.
//!
//! Invariant: never waits for any process but its own (no `waitpid(-1)`, no SIGCHLD handler), never blocks.

use crate::model::exit::{ExitStatus, Usage};
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A process that we started. Dropping it neither ends nor reaps it.
#[derive(Debug)]
pub struct Process {
    pub pid: u32,
    pub pidfd: OwnedFd,
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Process {
    /// A handle on a process that we did not start: it can be signalled and watched, not reaped. The caller knows that
    /// the number has not changed its owner.
    ///
    /// # Errors
    /// There is no such process, or no file descriptor is left.
    pub fn open(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).map_err(|_| Errno::EINVAL)?;
        // SAFETY: opens a new fd, touches no memory.
        let answer = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, number, 0_u32) })?;
        let fd = i32::try_from(answer).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the call succeeded, so this is a new fd (close-on-exec) that nobody else owns.
        Ok(Self { pid, pidfd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Signals the process alone. One that has ended is no error.
    ///
    /// # Errors
    /// `EPERM`: it has changed its user. `EINVAL`: no such signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        // SAFETY: a system call on an fd that we own; the null pointer asks for the siginfo of `kill(2)`.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                i32::from(signal.0),
                std::ptr::null::<libc::siginfo_t>(),
                0_u32,
            )
        };
        gone_is_fine(Errno::result(answer).map(drop))
    }

    /// Signals all processes of the group that this process leads. A group that is gone is no error. Not after
    /// [`Process::reap`] has returned the status: the number may have a new owner then.
    ///
    /// # Errors
    /// `EPERM`: all of them have changed their user. `EINVAL`: no such signal.
    pub fn signal_group(&self, signal: Signal) -> io::Result<()> {
        let group = i32::try_from(self.pid).map_err(|_| Errno::EINVAL)?;
        // SAFETY: sends a signal, touches no memory.
        gone_is_fine(Errno::result(unsafe { libc::killpg(group, i32::from(signal.0)) }).map(drop))
    }

    /// Ends the whole group and waits until the process has ended; it is left to be reaped. For one that cannot be
    /// watched. Short, as nothing survives KILL but a wait inside the system.
    pub fn end(&self) {
        let _ = self.signal_group(Signal::KILL);
        let mut ended = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        while poll(&mut ended, PollTimeout::NONE) == Err(Errno::EINTR) {}
    }

    /// How the process ended and what it used, its reaped descendants included; its number is free afterwards. `None`:
    /// it still runs. Never waits.
    ///
    /// The system call itself, because the one of the C library has no place for the rusage.
    ///
    /// # Errors
    /// `ECHILD`: it is reaped already, or the system reaped it because SIGCHLD is ignored (see
    /// [`super::signals::normalise`]).
    pub fn reap(&self) -> io::Result<Option<(ExitStatus, Usage)>> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: both pointers are to memory of the right size and type, which outlives the call.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                self.pidfd.as_raw_fd(),
                info.as_mut_ptr(),
                libc::WEXITED | libc::WNOHANG,
                usage.as_mut_ptr(),
            )
        };
        Errno::result(answer)?;
        // SAFETY: zeroes are a valid value of both, and so is what the system wrote.
        let (info, usage) = unsafe { (info.assume_init(), usage.assume_init()) };
        // SAFETY: a siginfo of waitid has a pid and a status; zeroes if there was nothing to report.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        Ok((pid != 0).then(|| (status_of(info.si_code, status), usage_of(&usage))))
    }
}

/// What the calling thread has used. Memory is that of the whole process, which is nobody's part.
#[must_use]
pub fn usage_of_thread() -> Usage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to memory of the right type; zeroes are a valid value, and so is what the system writes.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    usage_of(&usage)
}

fn gone_is_fine(result: nix::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => Ok(other?),
    }
}

/// `waitid(2)`: for CLD_EXITED the status is the exit code, else the signal.
fn status_of(code: i32, status: i32) -> ExitStatus {
    let low = (status & 0xff) as u8;
    if code == libc::CLD_EXITED {
        ExitStatus::Code(low)
    } else {
        ExitStatus::Signal { signal: Signal(low), core_dumped: code == libc::CLD_DUMPED }
    }
}

fn usage_of(usage: &libc::rusage) -> Usage {
    Usage {
        user_us: micros_of(usage.ru_utime),
        system_us: micros_of(usage.ru_stime),
        rss_max_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    }
}

fn micros_of(time: libc::timeval) -> u64 {
    let (secs, micros) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_usec).unwrap_or(0));
    secs.saturating_mul(1_000_000).saturating_add(micros)
}
