//! Runs a program to its end, and reports what it used.
//!
//! Invariant: the program does not outlive the thread that waits for it.

use super::interruption::retried;
use super::pidfd::{status_of_wait, usage_of};
use crate::model::exit::{ExitStatus, Usage};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Runs a program and waits for it. What it used includes what its own children used that it has waited for.
///
/// # Errors
/// The program cannot be started, or other code of this process has taken its exit status.
pub fn run(mut command: Command) -> io::Result<(ExitStatus, Usage)> {
    // SAFETY: the closure runs in the child between fork and exec. It makes one system call, and neither allocates nor
    // takes a lock.
    unsafe { command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)) };
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).map_err(|_| Errno::EINVAL)?;
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both pointers are to memory of the right type, which outlives the call.
    let mut wait = || unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    retried(|| Errno::result(wait()))?;
    // SAFETY: zeroes are a valid value, and so is what the system wrote.
    Ok((status_of_wait(status), usage_of(&unsafe { usage.assume_init() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_sleeps_often_has_voluntary_switches_and_its_children_count() {
        let shell = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            run(command).unwrap()
        };
        let (exit, one) = shell("/bin/sh -c :; exit 3");
        assert_eq!(exit, ExitStatus::Code(3));
        let (exit, many) = shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/sh -c :; done");
        assert_eq!(exit, ExitStatus::Code(0));
        // Each child is waited for.
        assert!(many.voluntary_switches >= one.voluntary_switches + 15, "{one:?} {many:?}");
        assert!(many.rss_max_kib > 0);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert_eq!(run(Command::new("/nonexistent/program")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
