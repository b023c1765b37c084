//! Signals at the edges of a run: pending before its program begins, and while it ends.

mod support;

use nix::sys::signal::{SigSet, Signal, raise};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};
use support::{Run, SUPERVISOR};

/// Starts the program with `signal` blocked and pending: it arrives as soon as the program clears its mask.
fn run_with_pending(signal: Signal, action: fn()) -> Output {
    let mut command = Command::new(SUPERVISOR);
    command.args(["-w", "1", "--items", "3"]).stdin(Stdio::null());
    // SAFETY: the calls between fork and exec are system calls.
    unsafe {
        command.pre_exec(move || {
            action();
            SigSet::from(signal).thread_block()?;
            raise(signal)?;
            Ok(())
        });
    }
    command.output().unwrap()
}

fn set_action(handler: nix::sys::signal::SigHandler) {
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        // SAFETY: neither action runs code of this process.
        unsafe { nix::sys::signal::signal(signal, handler) }.unwrap();
    }
}

fn default() {
    set_action(nix::sys::signal::SigHandler::SigDfl);
}

fn ignore() {
    set_action(nix::sys::signal::SigHandler::SigIgn);
}

#[test]
fn a_signal_that_is_pending_before_the_program_begins_does_what_it_does_in_the_run() {
    let output = run_with_pending(Signal::SIGUSR1, default);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("supervisor: status: running"), "{stderr}");
    // A process has sent it: itself.
    let output = run_with_pending(Signal::SIGHUP, default);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let output = run_with_pending(signal, default);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(signal as i32), "{signal}: {stderr}");
        // The run has begun and ends in order.
        assert!(stderr.contains("3 items: ") || stderr.contains("0 items: "), "{signal}: {stderr}");
    }
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        assert_eq!(run_with_pending(signal, ignore).status.code(), Some(0), "{signal}");
    }
}

#[test]
fn requests_for_the_status_while_a_run_ends_do_not_end_it() {
    for arguments in
        [["-w", "2", ":::", "1"].as_slice(), &["-w", "2", "--", "true", ":::", "1"], &["--fail-fast", ":::", "x"]]
    {
        for _ in 0..5 {
            let mut run = Run::start(arguments);
            run.wait_for_event("run_started");
            let pid = run.pid();
            let storm = std::thread::spawn(move || {
                // Its end is not yet taken, so the number is still its own.
                while support::alive(pid) {
                    support::send(pid, Signal::SIGUSR1);
                }
            });
            storm.join().unwrap();
            let run = run.finish();
            assert_eq!(run.status.signal(), None, "{}", run.stderr);
        }
    }
}
