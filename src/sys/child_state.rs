//! Stops and continuations of a child, as `waitid(2)` reports them to its parent.
//!
//! Invariant: never takes the end of a child from the code that waits for it.

use super::interruption::retried;
use crate::model::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::io;

/// What has happened to a child that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// This signal has stopped it.
    Stopped(Signal),
    Continued,
}

/// Waits until our child is stopped or continued.
///
/// # Errors
/// It is no child of ours, or has ended.
pub fn wait_for_change(pid: u32) -> io::Result<StateChange> {
    let pid = Pid::from_raw(pid.cast_signed());
    match retried(|| waitid(Id::Pid(pid), WaitPidFlag::WSTOPPED | WaitPidFlag::WCONTINUED))? {
        WaitStatus::Stopped(_, signal) => Ok(StateChange::Stopped(Signal((signal as i32 & 0x7f) as u8))),
        WaitStatus::Continued(_) => Ok(StateChange::Continued),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_stop_and_a_continuation_are_seen_and_the_end_is_left_to_the_owner() {
        let mut child = Command::new("/bin/sh").args(["-c", "kill -STOP $$; exit 3"]).spawn().unwrap();
        assert_eq!(wait_for_change(child.id()).unwrap(), StateChange::Stopped(Signal::STOP));
        let process = super::super::pidfd::Process::open(child.id()).unwrap();
        process.signal(Signal::CONT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
    }
}
