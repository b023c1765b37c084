//! Which workers are restarted, and when the run gives up: restart types, strategies and limits, with real workers that
//! are killed or cannot start.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;
use support::{Finished, PATIENCE, Run, SUPERVISOR, output, pid_of, send, wait_until_gone};

/// Three workers with one item each; the second worker is killed. The input ends after `processes` starts in total,
/// because a run whose items are nearly finished restarts no worker.
fn kill_the_second_of_three(flags: &[&str], processes: usize) -> Finished {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let fixed = ["-j3", "--credit", "1", "-a", "-", "--task", "sleep", "--output", "none"];
    let mut run = Run::start_with(&[&fixed[..], flags].concat(), b"", |command| {
        command.stdin(reader);
    });
    (0..3).for_each(|_| drop(run.wait_for_event("worker_ready")));
    writer.write_all(b"200ms\n200ms\n200ms\n").unwrap();
    let second = run.wait_for(|event| event["event"] == "item_started" && event["worker"] == 2);
    send(pid_of(&second), Signal::SIGKILL);
    run.wait_for(|event| event["event"] == "worker_exited" && event["worker"] == 2);
    (3..processes).for_each(|_| drop(run.wait_for_event("worker_spawned")));
    drop(writer);
    run.finish()
}

/// The reason for the end of each worker's first process: `own`, `asked`, `strategy` ...
fn first_ends(run: &Finished) -> Vec<&str> {
    let first = |worker: u64| {
        let ended = |event: &&&Value| event["worker"] == worker && event["incarnation"] == 1;
        let exits = run.events("worker_exited");
        exits.iter().find(ended).and_then(|event| event["reason"].as_str()).unwrap_or("none")
    };
    (1..=3).map(first).collect()
}

/// The number of processes of each worker.
fn processes(run: &Finished) -> Vec<usize> {
    let of = |worker: u64| run.events("worker_spawned").iter().filter(|event| event["worker"] == worker).count();
    (1..=3).map(of).collect()
}

#[test]
fn the_strategy_decides_which_workers_are_restarted_together() {
    for (strategy, ends, counts) in [
        ("one-for-one", ["asked", "own", "asked"], [1, 2, 1]),
        ("rest-for-one", ["asked", "own", "strategy"], [1, 2, 2]),
        ("one-for-all", ["strategy", "own", "strategy"], [2, 2, 2]),
    ] {
        let run = kill_the_second_of_three(&["--strategy", strategy], counts.iter().sum());
        assert_eq!((first_ends(&run), processes(&run)), (ends.to_vec(), counts.to_vec()), "{strategy}: {}", run.stderr);
        assert_eq!((run.code(), run.settled("done")), (0, 3), "{strategy}: {}", run.stderr);
        // Only the death of the killed worker is charged: the supervisor ended the others.
        let charged = |event: &&&Value| event["attempt"].as_u64() > Some(1);
        assert!(run.events("item_settled").iter().filter(charged).count() <= 1, "{strategy}: {:#?}", run.events);
        run.assert_no_process_left();
    }
}

#[test]
fn the_type_decides_if_a_worker_is_restarted() {
    for (kind, counts) in [("permanent", [1, 2, 1]), ("transient", [1, 2, 1]), ("temporary", [1, 1, 1])] {
        let run = kill_the_second_of_three(&["--restart", kind], counts.iter().sum());
        assert_eq!(processes(&run), counts, "{kind}: {}", run.stderr);
        // If the worker is not restarted, another one gets the item.
        assert_eq!((run.code(), run.settled("done")), (0, 3), "{kind}: {}", run.stderr);
    }
}

#[test]
fn a_transient_worker_is_restarted_unless_it_exited_with_0() {
    let spawned = |kind: &str, code: &str| {
        let items = ["--task", "exit", "--crash-limit", "3", ":::", code];
        let run = Run::start(&[&["-j1", "--restart", kind], &items[..]].concat()).finish();
        (run.events("worker_spawned").len(), run.code(), run.settled("dead"))
    };
    assert_eq!(spawned("transient", "3"), (3, 1, 1));
    assert_eq!(spawned("transient", "0"), (1, 3, 0));
    assert_eq!(spawned("permanent", "0"), (3, 1, 1));
}

#[test]
fn a_run_without_workers_gives_up_and_reports_it() {
    let run = output(&["-j2", "--restart", "temporary", "--task", "exit", ":::", "3", "4", "5"], b"");
    assert_eq!(run.code(), 3, "{}", run.stderr);
    assert!(run.stderr.contains("supervisor: giving up: worker "), "{}", run.stderr);
    assert!(run.stderr.contains(", and no worker is left): "), "{}", run.stderr);
    assert!(run.stderr.contains("3 skipped; 2 processes, 2 deaths"), "{}", run.stderr);
}

#[test]
fn a_worker_that_cannot_start_is_retried_up_to_the_limit_with_growing_delays() {
    let limits = ["-j1", "--protocol", "frames", "--max-restarts", "3/1000s", "--backoff", "10ms..20ms"];
    let run = Run::start(&[&limits[..], &["--", "sh", "-c", "exit 7", ":::", "a"]].concat()).finish();
    assert_eq!((run.code(), run.settled("skipped")), (3, 1), "{}", run.stderr);
    assert_eq!(run.events("worker_spawned").len(), 4, "the first and three restarts");
    let waits = run.events("worker_restarting");
    let waits: Vec<_> = waits.iter().map(|event| event["delay"].as_f64().unwrap()).collect();
    assert_eq!(waits, [0.01, 0.02, 0.02]);
    assert_eq!(run.events.last().unwrap()["reason"], "restart_limit");
    assert!(
        run.stderr.contains("giving up: worker 1 cannot be kept running (exit 7 before its hello): "),
        "{}",
        run.stderr
    );
}

#[test]
fn a_worker_that_dies_while_idle_is_replaced_and_the_run_goes_on() {
    // With no failed start allowed.
    let flags = ["-j1", "--max-restarts", "0/1000s", "-a", "-", "--task", "echo", "--output", "results"];
    let (reader, writer) = std::io::pipe().unwrap();
    let mut run = Run::start_with(&flags, b"", |command| {
        command.stdin(reader);
    });
    for _ in 0..2 {
        let ready = run.wait_for_event("worker_ready");
        send(pid_of(&ready), Signal::SIGTERM);
    }
    run.wait_for_event("worker_ready");
    drop(writer);
    let run = run.finish();
    assert_eq!(run.code(), 0, "{}", run.stderr);
    assert!(run.stderr.contains("died: signal 15 (TERM) while idle"), "{}", run.stderr);
}

#[test]
fn in_the_demonstration_an_item_is_done_however_often_its_worker_is_killed() {
    let mut run = Run::start(&["--workers", "1", "--items", "1", "--delay", "300ms"]);
    // A death before the start of the item charges no item.
    let mut charged = 0;
    while charged < 5 {
        let started = run.wait_for_event("item_started");
        send(pid_of(&started), Signal::SIGKILL);
        let exited = run.wait_for_event("worker_exited");
        charged += usize::from(exited["item"] == 0);
    }
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done")), (0, 1), "{}", run.stderr);
    assert_eq!(run.events("item_settled")[0]["causes"].as_array().map(Vec::len), Some(5));
}

#[test]
fn deaths_at_work_are_charged_to_the_items_and_never_end_the_run() {
    let flags = ["-j1", "--max-restarts", "0/1000s", "--crash-limit", "3", "--task", "hang", ":::", "x"];
    let mut run = Run::start(&flags);
    for death in 1..=3 {
        let started = run.wait_for_event("item_started");
        wait_until_at_work(pid_of(&started));
        send(pid_of(&started), Signal::SIGKILL);
        let exited = run.wait_for_event("worker_exited");
        assert_eq!((&exited["item"], &started["attempt"]), (&0.into(), &death.into()), "{exited}");
    }
    let run = run.finish();
    assert_eq!((run.code(), run.settled("dead")), (1, 1), "{}", run.stderr);
}

/// `item_started` means that the worker got the item. The first action of `hang` shows that it has begun.
fn wait_until_at_work(pid: u32) {
    const IGNORES_TERM: u64 = 1 << 14;
    let deadline = Instant::now() + PATIENCE;
    let ignored = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap()
    };
    while ignored() & IGNORES_TERM == 0 {
        assert!(Instant::now() < deadline, "process {pid} does not begin");
        std::thread::yield_now();
    }
}

/// A tool that kills all children of a supervisor may kill the process that forks the guard.
#[test]
fn a_kill_of_the_first_child_at_the_start_is_no_failure() {
    for _ in 0..20 {
        let mut child = Command::new(SUPERVISOR)
            .args(["-q", "-j2", "--items", "4", "--output", "none"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        while child.try_wait().unwrap().is_none() {
            let found = std::fs::read_to_string(&children).unwrap_or_default();
            if let Some(first) = found.split(' ').find_map(|pid| pid.parse().ok()) {
                send(first, Signal::SIGKILL);
                break;
            }
        }
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

/// The guard is no child of the supervisor: it is found by the supervisor's pidfd of it.
fn guard_of(supervisor: u32) -> Option<u32> {
    let fds = std::fs::read_dir(format!("/proc/{supervisor}/fdinfo")).into_iter().flatten().flatten();
    let infos = fds.filter_map(|fd| std::fs::read_to_string(fd.path()).ok());
    let pids = infos.filter_map(|info| info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok());
    pids.into_iter().find(|pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "superv-guard\n")
    })
}

#[test]
fn a_killed_guard_is_replaced_and_the_new_one_ends_what_a_killed_supervisor_leaves_behind() {
    let script = "sleep 1000 & echo $! > $0; wait";
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("pid");
    let mut run = Run::start(&["-j1", "--stdin", "--", "sh", "-c", script, mark.to_str().unwrap(), ":::", "1"]);
    run.wait_for_event("worker_spawned");
    let grandchild = loop {
        if let Some(pid) = std::fs::read_to_string(&mark).ok().and_then(|text| text.trim().parse().ok()) {
            break pid;
        }
        std::thread::yield_now();
    };
    let first = guard_of(run.pid()).unwrap();
    send(first, Signal::SIGKILL);
    let deadline = Instant::now() + PATIENCE;
    while guard_of(run.pid()).is_none_or(|guard| guard == first) {
        assert!(Instant::now() < deadline, "there is no new guard");
        std::thread::yield_now();
    }
    run.signal(Signal::SIGKILL);
    let run = run.finish();
    assert!(run.stderr.contains("the guard was killed; pid "), "{}", run.stderr);
    wait_until_gone(&[grandchild]);
}
