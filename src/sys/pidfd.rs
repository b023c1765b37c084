//! One process, by its pidfd: wait for it in the poll set, signal it, reap it.
//!
//! A pidfd becomes readable when its process has ended. Until [`Process::reap`] has returned the status, the process
//! keeps its pid (as a zombie), and so does its group: a signal cannot reach another process. Hence the order at an
//! exit: signal the rest of the group, clear the pid, reap.
//!
//! A host program may reap our processes (`waitpid(-1)` in a SIGCHLD handler). Since Linux 6.15 the pidfd still has the
//! exit status then; before, the status is lost and reported as [`ExitStatus::Unknown`].
//!
//! Invariant: waits for no process but its own (no `waitpid(-1)`, no SIGCHLD handler), and never blocks.

use super::interruption::retried;
use super::refusal;
use crate::model::exit::{ExitStatus, Usage};
use crate::model::signal::Signal;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, getpgid};
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
    /// A handle on a process that we did not start: it can be signalled and watched, but not reaped. The caller must
    /// know that the pid still belongs to the same process.
    ///
    /// # Errors
    /// There is no such process, or the system is short of descriptors.
    pub fn open(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).map_err(|_| Errno::EINVAL)?;
        // SAFETY: opens a new fd, accesses no memory.
        let answer = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, number, 0_u32) })?;
        let fd = i32::try_from(answer).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the call succeeded, so this is a new fd (close-on-exec) without an owner.
        Ok(Self { pid, pidfd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Signals this process only. That it has ended already is no error.
    ///
    /// # Errors
    /// `EPERM`: it has changed its user. `EINVAL`: there is no such signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        // SAFETY: a system call on an fd that we own; the null pointer asks for the siginfo of `kill(2)`.
        let send = || unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                i32::from(signal.0),
                std::ptr::null::<libc::siginfo_t>(),
                0_u32,
            )
        };
        gone_is_fine(retried(|| Errno::result(send())).map(drop))
    }

    /// Signals all processes of the group that this process leads. That the group is gone is no error. Do not call it
    /// after [`Process::reap`] has returned the status: the number may belong to another group then.
    ///
    /// # Errors
    /// `EPERM`: all of them have changed their user. `EINVAL`: there is no such signal.
    pub fn signal_group(&self, signal: Signal) -> io::Result<()> {
        let group = i32::try_from(self.pid).map_err(|_| Errno::EINVAL)?;
        // SAFETY: sends a signal, accesses no memory.
        gone_is_fine(retried(|| Errno::result(unsafe { libc::killpg(group, i32::from(signal.0)) })).map(drop))
    }

    /// Signals this process and all processes of the group that it was started to lead. A process that has left that group
    /// is signalled by its pidfd. As for [`Process::signal_group`], not after [`Process::reap`] has returned the status.
    ///
    /// # Errors
    /// `EPERM`: it has changed its user. `EINVAL`: there is no such signal.
    pub fn signal_all(&self, signal: Signal) -> io::Result<()> {
        let group = self.signal_group(signal);
        // A second KILL does no harm, and a process cannot leave its group between the question and the signal. Other
        // signals may mean more if they come twice.
        if signal == Signal::KILL || !self.leads_its_group() { self.signal(signal).and(group) } else { group }
    }

    fn leads_its_group(&self) -> bool {
        let pid = Pid::from_raw(self.pid.cast_signed());
        getpgid(Some(pid)) == Ok(pid)
    }

    /// Waits until the process has ended, at most `timeout_ms`. `false`: it has not. It need not be our child.
    ///
    /// # Errors
    /// None is known.
    pub fn wait_for_end(&self, timeout_ms: u16) -> io::Result<bool> {
        let mut ended = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        Ok(retried(|| poll(&mut ended, PollTimeout::from(timeout_ms)))? > 0)
    }

    /// Kills the process and its whole group and waits until the process has ended; it must still be reaped. For a process that cannot
    /// be watched. The wait is short: only a system call that cannot be interrupted delays the end by KILL.
    pub fn end(&self) {
        let _ = self.signal_all(Signal::KILL);
        let mut ended = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        let _ = retried(|| poll(&mut ended, PollTimeout::NONE));
    }

    /// The exit status of the process and what it used, with the descendants that it has reaped; the pid is free
    /// afterwards. `None`: the process has not ended. Never waits.
    ///
    /// If other code has reaped the process, or the system has because SIGCHLD is ignored, the usage is lost, and
    /// before Linux 6.15 the status is unknown.
    ///
    /// The system call itself, because the C library's function does not return the usage.
    ///
    /// # Errors
    /// None is known.
    pub fn reap(&self) -> io::Result<Option<(ExitStatus, Usage)>> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: both pointers are to memory of the right size and type, which outlives the call.
        let mut wait = || unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                self.pidfd.as_raw_fd(),
                info.as_mut_ptr(),
                libc::WEXITED | libc::WNOHANG,
                usage.as_mut_ptr(),
            )
        };
        match retried(|| Errno::result(wait())) {
            Ok(_) => {}
            Err(Errno::ECHILD) => {
                let status = self.status_after_reaping().unwrap_or(ExitStatus::Unknown);
                return Ok(Some((status, Usage::default())));
            }
            // The call is refused, or the system (before Linux 5.4) does not know it with a pidfd.
            Err(errno) if refusal::is_refusal(errno) => return self.reap_by_pid(),
            Err(errno) => return Err(errno.into()),
        }
        // SAFETY: zeroes are a valid value of both, and so is what the system wrote.
        let (info, usage) = unsafe { (info.assume_init(), usage.assume_init()) };
        // SAFETY: a siginfo of waitid has a pid and a status; both are 0 if the process has not ended.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        Ok((pid != 0).then(|| (status_of(info.si_code, status), usage_of(&usage))))
    }

    /// The signal that has stopped the process, if it is stopped and that was not reported yet. Never waits.
    #[must_use]
    pub fn stopped_by(&self) -> Option<Signal> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the pointer is to memory of the right type, which outlives the call. The number is the process's own
        // until it is reaped.
        let mut wait =
            || unsafe { libc::waitid(libc::P_PID, self.pid, info.as_mut_ptr(), libc::WSTOPPED | libc::WNOHANG) };
        retried(|| Errno::result(wait())).ok()?;
        // SAFETY: zeroes are a valid value, and so is what the system wrote; a siginfo of waitid has a pid and a status.
        let (pid, status) = unsafe {
            let info = info.assume_init();
            (info.si_pid(), info.si_status())
        };
        (pid != 0).then_some(Signal((status & 0x7f) as u8))
    }

    /// [`Process::reap`] by the older call. The number is the process's own until it is reaped.
    fn reap_by_pid(&self) -> io::Result<Option<(ExitStatus, Usage)>> {
        let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
        let pid = i32::try_from(self.pid).map_err(|_| Errno::EINVAL)?;
        // SAFETY: both pointers are to memory of the right type, which outlives the call.
        let mut wait = || unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
        match retried(|| Errno::result(wait())) {
            Ok(0) => Ok(None),
            // SAFETY: zeroes are a valid value, and so is what the system wrote.
            Ok(_) => Ok(Some((status_of_wait(status), usage_of(&unsafe { usage.assume_init() })))),
            Err(Errno::ECHILD) => Ok(Some((ExitStatus::Unknown, Usage::default()))),
            Err(errno) => Err(refusal::of_call("waitid and wait4")(errno)),
        }
    }

    /// The exit status of a process that other code has reaped, from its pidfd; `None` before Linux 6.15.
    fn status_after_reaping(&self) -> Option<ExitStatus> {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the request names the size of the memory that the pointer is to. A system that does not know the
        // request returns an error.
        let answer = unsafe { libc::ioctl(self.pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
        if answer != 0 || info.mask & PIDFD_INFO_EXIT == 0 {
            return None;
        }
        Some(status_of_wait(info.exit_code))
    }
}

/// A status in the form of `wait4(2)`.
pub(super) fn status_of_wait(status: i32) -> ExitStatus {
    if libc::WIFEXITED(status) {
        ExitStatus::Code((libc::WEXITSTATUS(status) & 0xff) as u8)
    } else {
        let signal = Signal((libc::WTERMSIG(status) & 0x7f) as u8);
        ExitStatus::Signal { signal, core_dumped: libc::WCOREDUMP(status) }
    }
}

/// `struct pidfd_info` in its first version (`linux/pidfd.h`).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    /// pid, tgid, ppid, then four pairs of user and group.
    ids: [u32; 11],
    exit_code: i32,
}

/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::Ioctl = (3 << 30) | ((size_of::<PidfdInfo>() as libc::Ioctl) << 16) | (0xff << 8) | 11;
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// What the calling thread has used. The memory is that of the whole process.
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

/// `waitid(2)`: with CLD_EXITED the status is the exit code, otherwise the signal.
fn status_of(code: i32, status: i32) -> ExitStatus {
    let low = (status & 0xff) as u8;
    if code == libc::CLD_EXITED {
        ExitStatus::Code(low)
    } else {
        ExitStatus::Signal { signal: Signal(low), core_dumped: code == libc::CLD_DUMPED }
    }
}

pub(super) fn usage_of(usage: &libc::rusage) -> Usage {
    let count = |number: libc::c_long| u64::try_from(number).unwrap_or(0);
    Usage {
        user_us: micros_of(usage.ru_utime),
        system_us: micros_of(usage.ru_stime),
        rss_max_kib: count(usage.ru_maxrss),
        voluntary_switches: count(usage.ru_nvcsw),
        involuntary_switches: count(usage.ru_nivcsw),
    }
}

fn micros_of(time: libc::timeval) -> u64 {
    let (secs, micros) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_usec).unwrap_or(0));
    secs.saturating_mul(1_000_000).saturating_add(micros)
}

#[cfg(test)]
mod tests {
    use super::super::testing::wait_readable;
    use super::*;

    /// A host program's handler of SIGCHLD reaps each child of the process.
    #[test]
    fn the_status_of_a_process_that_other_code_has_reaped_is_right_or_unknown() {
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        for (script, status) in [("exit 7", ExitStatus::Code(7)), ("kill -KILL $$", killed)] {
            let mut child = std::process::Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
            let process = Process::open(child.id()).unwrap();
            wait_readable(process.as_fd());
            child.wait().unwrap();
            let (reaped, _) = process.reap().unwrap().unwrap();
            // The kernel of this machine decides which of the two it is.
            let is_known = process.status_after_reaping().is_some();
            assert_eq!(reaped, if is_known { status } else { ExitStatus::Unknown });
        }
    }
}
