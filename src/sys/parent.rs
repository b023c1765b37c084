//! Dying with the parent: a process that outlives its supervisor is of use to nobody.
//!
//! Invariant: asked for after the exec, by the process itself; what a program was started with may
//! have been lost on the way (a set-user-id program drops it).

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use std::io;
use std::os::unix::process::parent_id;
use std::path::Path;

/// From now on this process gets KILL when its parent ends. `false` if the supervisor, the process
/// `supervisor_pid`, has ended already. It need not be the parent itself: a script may stand between.
///
/// # Errors
/// None that is known.
pub fn die_with_parent(supervisor_pid: u32) -> io::Result<bool> {
    set_pdeathsig(Signal::SIGKILL)?;
    // Asked for first, then looked: a supervisor that ends in between is seen by one or the other.
    Ok(parent_id() == supervisor_pid || Path::new("/proc").join(supervisor_pid.to_string()).exists())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, lines_of, play};
    use super::*;

    #[test]
    fn the_parent_is_known_and_its_death_is_asked_for() {
        const TEST: &str = "sys::parent::tests::the_parent_is_known_and_its_death_is_asked_for";
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
