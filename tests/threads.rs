//! `--isolation thread`, by the real program: the same answers as from processes, and what is different.

mod support;

use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;
use support::{Run, SUPERVISOR, pid_of};

/// The bytes of stdout, and the exit code.
fn answer(isolation: &str, arguments: &[&str], stdin: &[u8]) -> (String, i32) {
    let arguments = [&["-j2", "-k", "--output", "results", "--isolation", isolation], arguments].concat();
    let run = Run::start_with(&arguments, stdin, |_| {}).finish();
    (run.stdout.clone(), run.code())
}

#[test]
fn threads_answer_as_processes_do_byte_for_byte() {
    let lines: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    let long = format!("{}\nshort\n\n{}\n", "x".repeat(3 << 20), "y".repeat(300_000));
    let table: [(&[&str], &[u8]); 7] = [
        (&["-a", "-", "--task", "square"], lines.as_bytes()),
        (&["-a", "-", "--task", "echo", "--batch-max", "1"], lines.as_bytes()),
        (&["-a", "-", "--task", "echo"], long.as_bytes()),
        (&["--task", "countdown", ":::", "3", "100000", "-1", "x"], b""),
        (&["--task", "hash", "-0", "-a", "-"], b"a\nb\0\0c"),
        (&["--task", "panic", "--tag", ":::", "a", "b"], b""),
        (&["--task", "signal", ":::", "URG", "CONT", "NOPE"], b""),
    ];
    for (arguments, stdin) in table {
        let threads = answer("thread", arguments, stdin);
        assert!(threads == answer("process", arguments, stdin), "{arguments:?}");
    }
}

#[test]
fn a_panic_fails_its_item_alone_and_the_thread_goes_on() {
    let run = Run::start(&["-j1", "--isolation", "thread", "--task", "panic", "--output", "json", ":::", "a", "b"]);
    let run = run.finish();
    assert_eq!((run.code(), run.settled("failed")), (1, 2), "{}", run.stderr);
    assert!(run.stdout.contains("panicked"), "{}", run.stdout);
    assert_eq!(run.events("worker_spawned").len(), 1);
    // The result contains the text of the panic; it is not reported a second time.
    assert!(!run.stderr.contains("thread '"), "{}", run.stderr);
}

#[test]
fn threads_are_named_by_the_supervisors_own_pid_and_end_as_processes_do() {
    let run = Run::start(&["-j2", "--isolation", "thread", "--items", "4"]);
    let pid = run.pid();
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done")), (0, 4), "{}", run.stderr);
    assert_eq!(run.events("worker_spawned").into_iter().map(pid_of).collect::<Vec<_>>(), [pid, pid]);
    let exits: Vec<_> = run.events("worker_exited").into_iter().map(|event| event["exit"]["code"].clone()).collect();
    assert_eq!(exits, [0, 0]);
    assert!(run.stderr.contains("exit 0"), "{}", run.stderr);
}

#[test]
fn what_ends_a_process_ends_the_whole_run() {
    for (task, item, code) in [("exit", "7", 7), ("signal", "TERM", 128 + 15), ("signal", "KILL", 128 + 9)] {
        let run = Run::start(&["-j2", "--isolation", "thread", "--task", task, ":::", item]).finish();
        assert_eq!(run.code(), code, "{task}: {}", run.stderr);
        assert_eq!(run.events("run_finished").len(), 0);
    }
}

#[test]
fn a_stop_lets_the_running_item_finish() {
    let mut run =
        Run::start(&["-j1", "--isolation", "thread", "--credit", "8", "--task", "sleep", ":::", "0.5", "60", "60"]);
    run.wait_for_event("worker_ready");
    run.signal(Signal::SIGINT);
    let run = run.finish();
    assert_eq!(run.code(), 128 + 2, "{}", run.stderr);
    assert_eq!(run.settled("done") + run.settled("skipped"), 3, "{:?}", run.events);
}

#[test]
fn a_thread_that_never_leaves_does_not_delay_the_end() {
    let start = || {
        let arguments = ["-j2", "--isolation", "thread", "--task", "hang", "--grace", "100ms", ":::", "a", "b"];
        let mut run = Run::start(&arguments);
        for _ in 0..2 {
            run.wait_for_event("worker_ready");
        }
        run
    };
    // `hang` ignores TERM; the supervisor must not inherit that.
    for signal in [Signal::SIGTERM, Signal::SIGQUIT] {
        let run = start();
        run.signal(signal);
        let run = run.finish();
        assert_eq!(run.code(), 128 + signal as i32, "{}", run.stderr);
        assert_eq!(run.settled("done"), 0);
        assert_eq!(run.events("run_finished").len(), 1);
        // No signal ends a thread: one that goes on is left alone, and how it ends is not known. A thread between its
        // hello and its item left by itself.
        let exits = run.events("worker_exited");
        let is_known = |exit: &serde_json::Value| exit["unknown"] == true || exit["code"] == 0;
        assert!(exits.len() == 2 && exits.iter().all(|event| is_known(&event["exit"])), "{:?}", run.events);
    }
}

#[test]
fn threads_do_not_change_how_the_supervisor_handles_signals() {
    let mut run = Run::start(&["-j1", "--isolation", "thread", "--task", "hang", "--grace", "0", ":::", "a"]);
    run.wait_for_event("item_started");
    let status = fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    assert_eq!(ignored & (1 << (Signal::SIGTERM as u64 - 1)), 0);
    run.signal(Signal::SIGTERM);
    assert_eq!(run.finish().code(), 128 + 15);
}

#[test]
fn the_help_names_what_threads_do_not_survive() {
    let help = Command::new(SUPERVISOR).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let (_, text) = help.split_once("Isolation of the built-in worker:").unwrap();
    for words in ["a panic still fails its item alone", "takes everything down", "no --timeout"] {
        assert!(text.contains(words), "{words}");
    }
}
