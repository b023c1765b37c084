//! An idle run uses no processor time: a supervisor that waits for a slow item, the worker with the item and the worker
//! without one make no system call, over every transport.

mod support;

use nix::sys::signal::Signal;
use std::fs;
use supervisor::model::spec::TransportKind;
use support::{Run, pid_of, shell, wait_until_idle};

/// How often each thread of this process was scheduled. The count of a sleeping thread does not change.
fn wakes(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_task = |path: std::path::PathBuf| {
        let status = fs::read_to_string(path.join("status")).unwrap();
        let counts = status.lines().filter(|line| line.contains("ctxt_switches")).collect::<Vec<_>>().join(", ");
        format!("{}: {counts}", path.display())
    };
    let mut wakes: Vec<String> = tasks.map(|task| of_task(task.unwrap().path())).collect();
    wakes.sort();
    wakes
}

/// Starts a run of two idle workers, one of them with a sleeping item; returns all processes of the run.
fn start(arguments: &[&str], workers: usize) -> (Run, Vec<u32>) {
    let mut run = Run::start(arguments);
    let mut pids = vec![run.pid()];
    for _ in 0..workers {
        pids.push(pid_of(&run.wait_for_event("worker_spawned")));
    }
    run.wait_for_event("item_started");
    for pid in &pids {
        wait_until_idle(*pid);
    }
    (run, pids)
}

#[test]
fn waiting_processes_make_no_system_calls() {
    let transports = TransportKind::ALL.map(|kind| ["--transport", kind.name()]);
    let hang = ["-j2", "--task", "hang", ":::", "a"];
    let mut runs: Vec<(String, (Run, Vec<u32>))> = transports
        .iter()
        .chain([&["--isolation", "thread"]])
        .map(|flags| (flags.join(" "), start(&[flags.as_slice(), &hang].concat(), 2)))
        .collect();
    runs.push(("a command".to_owned(), start(&["-j2", "--", "sleep", "1000", ":::", "0"], 1)));
    let counts_of_all = || runs.iter().map(|(_, (_, pids))| pids.iter().map(|pid| wakes(*pid)).collect()).collect();
    // On a busy machine the last thread may fall asleep late; a thread with a timer wakes in every round.
    let mut woken = Vec::new();
    for _ in 0..3 {
        let before: Vec<Vec<_>> = counts_of_all();
        assert!(shell("sleep 2").status.success());
        let after: Vec<Vec<_>> = counts_of_all();
        let pairs = runs.iter().zip(before.iter().zip(&after));
        woken = pairs
            .filter(|(_, (before, after))| before != after)
            .map(|((name, _), counts)| format!("{name}: {counts:?}"))
            .collect();
        if woken.is_empty() {
            break;
        }
    }
    assert!(woken.is_empty(), "{woken:#?}");
    for (_, (run, _)) in runs {
        run.signal(Signal::SIGQUIT);
        assert_eq!(run.finish().code(), 128 + Signal::SIGQUIT as i32);
    }
}
