//! The parent-death signal: a worker must not outlive its supervisor.
//!
//! Invariant: the worker sets it itself, after the exec, because the setting from before the exec may be lost (a
//! set-user-id program drops it).

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io;
use std::os::unix::process::parent_id;

/// Makes the system send KILL to this process when its parent ends. `false`: the supervisor, the process
/// `supervisor_pid`, has ended already. It need not be the parent itself: the parent may be a script.
///
/// # Errors
/// None is known.
pub fn die_with_parent(supervisor_pid: u32) -> io::Result<bool> {
    // Where the system refuses it, the supervisor's guard alone ends the worker.
    let _ = set_pdeathsig(Signal::SIGKILL);
    // First set, then check: a supervisor that ends in between is noticed by one of the two.
    Ok(parent_id() == supervisor_pid || exists(supervisor_pid))
}

/// Whether there is a process with this number, whoever's it is. `/proc` may be hidden.
fn exists(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, lines_of, play};
    use super::*;

    #[test]
    fn the_parent_is_checked_and_the_signal_is_set() {
        const TEST: &str = "sys::parent::tests::the_parent_is_checked_and_the_signal_is_set";
        if is_role(TEST) {
            let parent = std::env::var("PARENT").unwrap().parse().unwrap();
            // No process has a number that large (`PID_MAX_LIMIT` is 2^22).
            eprintln!("@{} {}", die_with_parent(parent).unwrap(), die_with_parent(u32::MAX).unwrap());
            eprintln!("@{:?}", nix::sys::prctl::get_pdeathsig().unwrap());
            return;
        }
        let output = play(TEST).env("PARENT", std::process::id().to_string()).output().unwrap();
        assert_eq!(lines_of(&output.stderr, '@'), ["@true false", "@Some(SIGKILL)"]);
    }
}
