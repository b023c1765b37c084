//! For the tests of this floor: a test that plays a second role in a process of its own, and waits with a time limit.

use super::clock::Clock;
use super::pidfd::Process;
use super::poller::{Interest, Poller};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::time::{Duration, Instant};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;

const ROLE: &str = "SUPERVISOR_TEST_ROLE";

/// The time limit of a wait, enough for the slowest machine.
const EVENT_WITHIN: Duration = Duration::from_secs(60);

/// Runs this test, by its full name, in a new process, where [`is_role`] is true.
pub fn play(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, test);
    command
}

pub fn is_role(test: &str) -> bool {
    std::env::var_os(ROLE).is_some_and(|role| role == test)
}

/// The part from `mark` on of each line that has it: the test harness writes to the same stream.
pub fn lines_of(output: &[u8], mark: char) -> Vec<String> {
    text(output).lines().filter_map(|line| line.find(mark).map(|start| line[start..].to_owned())).collect()
}

pub fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

pub fn wait_readable(fd: BorrowedFd<'_>) {
    let mut poller = Poller::new().unwrap();
    let mut ready = Vec::new();
    poller.add(fd, Interest::READ, 0).unwrap();
    let clock = Clock::start();
    while ready.is_empty() {
        let left = (Instant::ZERO + EVENT_WITHIN).since(clock.now());
        assert_ne!(left, Duration::ZERO, "nothing happened within {} s", EVENT_WITHIN.as_secs_f64());
        // A signal to this process, from another test, ends a wait early.
        poller.wait(&mut ready, Some(left)).unwrap();
    }
}

pub fn wait(process: &Process) -> (ExitStatus, Usage) {
    wait_readable(process.as_fd());
    process.reap().unwrap().unwrap()
}
