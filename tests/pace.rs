//! The pace of a run, on the real program: the number of workers in a file, and what delays or limits a command.

mod support;

use nix::sys::signal::Signal;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use supervisor::sys::machine::MachineState;
use supervisor::sys::pidfd::Process;
use support::{Run, output};

/// Writes the file as an editor does: another one takes its place.
fn replace(file: &Path, content: &str) {
    let new = file.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn the_number_of_workers_follows_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs");
    fs::write(&file, "1\n").unwrap();
    let jobs = file.to_str().unwrap();
    let mut run = Run::start(&["-j", jobs, "--grace", "0", "--", "sleep", "1000{}", ":::", "1", "2", "3"]);
    run.wait_for_event("item_started");
    fs::write(&file, "3").unwrap();
    let scaled = run.wait_for_event("scaled");
    assert_eq!((&scaled["from"], &scaled["to"]), (&1.into(), &3.into()));
    run.wait_for_event("item_started");
    run.wait_for_event("item_started");
    // Nothing of it is a number: the last one stays.
    replace(&file, "many");
    replace(&file, " 2 ");
    let scaled = run.wait_for_event("scaled");
    assert_eq!((&scaled["from"], &scaled["to"]), (&3.into(), &2.into()));
    run.signal(Signal::SIGINT);
    let run = run.finish();
    assert_eq!(run.code(), 130, "{}", run.stderr);
    let lines = run.stderr.lines().filter(|line| line.contains("goes on with 3 workers")).count();
    assert!(lines <= 1, "the file may have been read after the next replacement only: {}", run.stderr);
}

#[test]
fn a_file_without_a_number_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("zero"), "0\n").unwrap();
    fs::write(path("bytes"), b"\xff\x1b[31m").unwrap();
    fs::write(path("long"), "1".repeat(100_000)).unwrap();
    for (name, why) in [
        ("empty", "it holds \"\": give a number"),
        ("zero", "it holds \"0\\n\": give a number"),
        ("bytes", "it holds \"\u{fffd}\\u{1b}[31m\": give a number"),
        ("long", "at most 4294967295 is possible"),
        ("missing", "No such file or directory (os error 2); give a number of workers, or a file with one"),
        (".", "it is no regular file; give a number of workers, or a file with one"),
    ] {
        for line in
            [vec!["-j", &path(name), "--", "true", ":::", "x"], vec!["-j", &path(name), "--dry-run", ":::", "x"]]
        {
            let run = output(&line, b"");
            assert_eq!((run.code(), run.stdout.as_str()), (2, ""), "{name}: {}", run.stderr);
            assert!(run.stderr.starts_with("supervisor: failed to read the number of workers from "), "{}", run.stderr);
            assert!(run.stderr.contains(why) && run.stderr.lines().count() == 1, "{name}: {}", run.stderr);
        }
    }
}

#[test]
fn a_command_that_takes_far_longer_than_the_others_is_ended() {
    let mut line = vec![
        "-j",
        "2",
        "--timeout",
        "10000%",
        "--",
        "sh",
        "-c",
        "test {} = slow && exec sleep 1000 || sleep 0.01",
        ":::",
    ];
    line.extend(["1", "slow", "2", "3", "4"]);
    let run = output(&line, b"");
    assert_eq!(run.code(), 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("item 1 \"slow\" failed: timed out after ") || run.stderr.contains("timed out after"),
        "{}",
        run.stderr
    );
}

#[test]
fn starts_are_delayed_and_a_run_without_further_starts_is_over_at_once() {
    let mut run = Run::start(&["-j", "9", "--start-delay", "1ms..2ms", "-k", "--", "echo", "{}", ":::", "a", "b", "c"]);
    let starts: Vec<f64> = (0..3).map(|_| run.wait_for_event("worker_spawned")["t"].as_f64().unwrap()).collect();
    assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "{starts:?}");
    let run = run.finish();
    assert_eq!((run.code(), run.stdout.as_str()), (0, "a\nb\nc\n"), "{}", run.stderr);
    let long = output(&["--start-delay", "1h", "--", "echo", "{}", ":::", "only"], b"");
    assert_eq!((long.code(), long.stdout.as_str()), (0, "only\n"), "{}", long.stderr);
}

#[test]
fn a_command_that_is_asked_first_says_when_a_process_starts() {
    let dir = tempfile::tempdir().unwrap();
    let (asked, free) = (dir.path().join("asked"), dir.path().join("free"));
    nix::unistd::mkfifo(&asked, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("test -e {} || {{ echo x > {}; exit 1; }}", free.display(), asked.display());
    let mut run = Run::start(&["--limit", &script, "-k", "--", "echo", "{}", ":::", "a", "b"]);
    run.wait_for_event("run_started");
    // The first answer is no; the second question comes a second later.
    assert_eq!(fs::read_to_string(&asked).unwrap(), "x\n");
    fs::write(&free, "").unwrap();
    let run = run.finish();
    assert_eq!((run.code(), run.stdout.as_str()), (0, "a\nb\n"), "{}", run.stderr);
}

/// A script for `--limit` that tells its process and one that it has started, and then stays.
fn stays(told: &Path) -> String {
    nix::unistd::mkfifo(told, nix::sys::stat::Mode::S_IRWXU).unwrap();
    format!("sleep 1000 & echo $$ $! > {}; wait", told.display())
}

/// Both processes of [`stays`], once they run.
fn processes_that_stay(told: &Path) -> Vec<Process> {
    let pids = fs::read_to_string(told).unwrap();
    pids.split_whitespace().map(|pid| Process::open(pid.parse().unwrap()).unwrap()).collect()
}

fn assert_ended(processes: &[Process]) {
    assert_eq!(processes.len(), 2);
    for process in processes {
        assert!(process.wait_for_end(60_000).unwrap(), "process {} is left", process.pid);
    }
}

#[test]
fn a_command_that_is_asked_does_not_outlive_a_killed_supervisor() {
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let run = Run::start(&["--limit", &stays(&told), "--", "echo", "{}", ":::", "a"]);
    let processes = processes_that_stay(&told);
    run.signal(Signal::SIGKILL);
    assert_ended(&processes);
    assert_eq!(run.finish().code(), 137);
}

#[test]
fn a_command_that_is_asked_ends_with_the_workers_though_stdout_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let [told, asked, gate] = ["told", "asked", "gate"].map(|name| dir.path().join(name));
    // The first process may start, and the second question is not answered.
    let script = format!("test -e {0} || {{ touch {0}; exit 0; }}; {1}", asked.display(), stays(&told));
    let mut gates = gates(dir.path(), &["gate"]);
    let (mut output, stdout) = std::io::pipe().unwrap();
    let more_than_a_pipe_holds = format!("read x < {}; head -c 300000 /dev/zero", gate.display());
    let line = ["-j", "2", "--halt", "now,success=1", "--limit", &script, "--", "sh", "-c", &more_than_a_pipe_holds];
    let run = Run::start_with(&[&line[..], &[":::", "a", "b"]].concat(), b"", |command| _ = command.stdout(stdout));
    let processes = processes_that_stay(&told);
    gates[0].write_all(b"go\n").unwrap();
    assert_ended(&processes);
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).unwrap();
    let run = run.finish();
    assert_eq!((run.code(), bytes.len()), (0, 300_000), "{}", run.stderr);
}

/// Named pipes that commands wait at, for a line. They are open for both, so nobody waits for the other end.
fn gates(folder: &Path, names: &[&str]) -> Vec<fs::File> {
    let gate = |name: &&str| {
        let path = folder.join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
    };
    names.iter().map(gate).collect()
}

/// Waits at its gate, and then prints its item.
const AT_GATE: [&str; 4] = ["--", "sh", "-c", "read x < {}; echo {}"];

#[test]
fn while_memory_is_short_the_youngest_is_stopped_and_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let mut gates = gates(dir.path(), &names);
    // Enough for starts, and not twice as much: two of them go on, or one more or less if others use the memory meanwhile.
    let free = MachineState::now().unwrap().free_bytes;
    let size = (free / 4 * 3).to_string();
    let line = ["-j", "5", "-k", "--workdir", dir.path().to_str().unwrap(), "--memsuspend", &size];
    let mut run = Run::start(&[&line[..], &AT_GATE, &[":::"], &names].concat());
    let youngest = run.wait_for(|event| event["event"] == "item_started" && event["item"] == 4);
    support::wait_until_stopped(support::pid_of(&youngest));
    for gate in &mut gates {
        gate.write_all(b"go\n").unwrap();
    }
    let run = run.finish();
    assert_eq!((run.code(), run.stdout.as_str()), (0, "a\nb\nc\nd\ne\n"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("memory is short").count(), 1, "{}", run.stderr);
    assert!(run.events("worker_stopped").is_empty(), "{}", run.stderr);
}

#[test]
fn what_is_stopped_ends_when_the_run_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let _gates = gates(dir.path(), &names);
    let size = (MachineState::now().unwrap().free_bytes / 4 * 3).to_string();
    let folder = dir.path().to_str().unwrap();
    let line =
        ["-j", "5", "--workdir", folder, "--memsuspend", &size, "--grace", "0", "--term-seq", "TERM,3600000,KILL,25"];
    let mut run = Run::start(&[&line[..], &AT_GATE, &[":::"], &names].concat());
    let youngest = run.wait_for(|event| event["event"] == "item_started" && event["item"] == 4);
    support::wait_until_stopped(support::pid_of(&youngest));
    run.signal(Signal::SIGINT);
    let run = run.finish();
    assert_eq!((run.code(), run.settled("skipped")), (130, 5), "{}", run.stderr);
    run.assert_no_process_left();
}

#[test]
fn exit_2_of_the_command_that_is_asked_ends_the_youngest_and_its_item_runs_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut gates = gates(dir.path(), &["a", "b"]);
    let (count, free) = (dir.path().join("count"), dir.path().join("free"));
    let script =
        format!("echo x >> {0}; test -e {1} || test $(wc -l < {0}) -le 2 || exit 2", count.display(), free.display());
    let line = ["-j", "2", "-k", "--workdir", dir.path().to_str().unwrap(), "--limit", &script];
    let mut run = Run::start(&[&line[..], &AT_GATE, &[":::", "a", "b"]].concat());
    let ended = run.wait_for(|event| event["event"] == "worker_exited");
    assert_eq!(ended["reason"], "relief", "{ended}");
    fs::write(&free, "").unwrap();
    for gate in &mut gates {
        gate.write_all(b"go\n").unwrap();
    }
    let run = run.finish();
    assert_eq!((run.code(), run.stdout.as_str()), (0, "a\nb\n"), "{}", run.stderr);
    let returned: Vec<_> = run.events("item_returned").iter().map(|event| event["item"].clone()).collect();
    assert_eq!(returned, [1], "{}", run.stderr);
    assert!(run.stderr.contains("was ended to make room (signal 15 (TERM)); item 1 runs again"), "{}", run.stderr);
}

#[test]
fn the_words_of_parallel_for_limits_are_read_and_one_is_refused() {
    let mem = output(&["--limit", "mem 1k", "-k", "--", "echo", "{}", ":::", "a", "b"], b"");
    assert_eq!((mem.code(), mem.stdout.as_str()), (0, "a\nb\n"), "{}", mem.stderr);
    let io = output(&["--limit", "io 10", "--", "echo", "{}", ":::", "a"], b"");
    assert_eq!((io.code(), io.stderr.lines().count()), (2, 1), "{}", io.stderr);
    assert!(io.stderr.contains("io N is not here"), "{}", io.stderr);
}

#[test]
fn the_number_of_workers_is_searched_for_up_to_a_maximum() {
    let items: Vec<String> = (0..100_000).map(|item| item.to_string()).collect();
    let mut run = Run::start_with(&["-j", "1", "--jobs-max", "2", "--", "true"], items.join("\n").as_bytes(), |_| ());
    let scaled = run.wait_for_event("scaled");
    assert_eq!((&scaled["from"], &scaled["to"]), (&1.into(), &2.into()));
    run.signal(Signal::SIGINT);
    let run = run.finish();
    assert_eq!(run.code(), 130, "{}", run.stderr);
}
