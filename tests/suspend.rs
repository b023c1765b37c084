//! A supervisor that SIGSTOP suspends for a while.

mod support;

use nix::sys::signal::Signal;
use support::{Run, pid_of, shell, wait_until_gone, wait_until_idle};

#[test]
fn events_that_arrived_while_the_supervisor_was_stopped_come_before_its_deadlines() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut run = Run::start(&["-j1", "--timeout", "1.5s", "--", "cat", "{}", ":::", fifo.to_str().unwrap()]);
    let spawned = run.wait_for_event("worker_spawned");
    wait_until_idle(run.pid());
    run.signal(Signal::SIGSTOP);
    std::fs::write(&fifo, "x").unwrap();
    wait_until_gone(&[pid_of(&spawned)]);
    // The time limit passes while the supervisor is stopped.
    assert!(shell("sleep 1.6").status.success());
    run.signal(Signal::SIGCONT);
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
}
