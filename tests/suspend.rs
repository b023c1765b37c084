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

#[test]
fn signals_that_are_ignored_at_the_start_stay_ignored_but_term() {
    // HUP from a process is no stop: it says that there is nothing to replace.
    for (signal, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGQUIT, Some(131)), (Signal::SIGHUP, None)] {
        for ignored in [false, true] {
            let trap = if ignored { "trap '' INT QUIT HUP TERM;" } else { "" };
            let mut run = Run::start_with(
                &["-j1", "--grace", "50ms", "--", "sh", "-c", "exec sleep 1000", ":::", "x"],
                b"",
                |command| {
                    let line = format!("{trap} exec \"$0\" \"$@\"");
                    let program = std::mem::replace(command, std::process::Command::new("/bin/sh"));
                    command.args(["-c", &line]).arg(program.get_program()).args(program.get_args());
                    command.stdin(std::process::Stdio::piped());
                    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                },
            );
            run.wait_for_event("item_started");
            run.signal(signal);
            let ends = !ignored && code.is_some();
            if !ignored && code.is_none() {
                run.wait_for_event("restart_started");
            }
            if !ends {
                run.signal(Signal::SIGTERM);
            }
            let stopping = run.wait_for_event("stopping");
            assert_eq!(stopping["signal"], if ends { signal as i32 } else { 15 });
            let run = run.finish();
            assert_eq!(run.code(), code.filter(|_| ends).unwrap_or(143), "{}", run.stderr);
            let was_told = run.events("signal_received").iter().any(|event| event["signal"] == signal as i32);
            assert_eq!(was_told, !ignored, "{:#?}", run.events);
        }
    }
}
