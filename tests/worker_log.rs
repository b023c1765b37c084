//! The stderr of workers that stay: passed on, in files, and its end in the report of a death.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use support::{Run, output};

/// Says which line it got, answers it, and dies of `die`.
const LOUD: &str =
    "while read n; do echo \"at $n\" >&2; test $n = die && { printf unfinished >&2; kill -9 $$; }; echo $n; done";

fn loud(flags: &str, items: &str) -> Run {
    let words: Vec<&str> = flags.split_whitespace().chain(["--protocol", "lines", "--", "sh", "-c", LOUD]).collect();
    Run::start_with(&words, items.as_bytes(), |_| {})
}

#[test]
fn lines_of_workers_are_passed_on_whole_and_told_apart_if_asked() {
    let plain = loud("-j1", "1\n2\n").finish();
    assert_eq!((plain.code(), plain.stderr.as_str()), (0, "at 1\nat 2\n"));
    let prefix = loud("-j1 --worker-log prefix", "1\n2\n").finish();
    assert_eq!((prefix.code(), prefix.stderr.as_str()), (0, "worker 1: at 1\nworker 1: at 2\n"));
    let raw = loud("-j1 --worker-log raw", "1\n2\n").finish();
    assert_eq!((raw.code(), raw.stderr.as_str()), (0, "at 1\nat 2\n"));
}

#[test]
fn the_report_of_a_death_has_the_end_of_what_the_worker_wrote() {
    let died = loud("-j1 --crash-limit 1", "1\ndie\n").finish();
    assert_eq!(died.code(), 1, "{}", died.stderr);
    assert!(died.stderr.starts_with("at 1\nat die\nunfinished\nsupervisor: worker 1 (pid "), "{}", died.stderr);
    let exits: Vec<_> = died.events.iter().filter(|event| event["event"] == "worker_exited").collect();
    let ends: Vec<_> = exits.iter().map(|event| event["stderr"].as_str()).collect();
    assert!(ends.contains(&Some("at 1\nat die\nunfinished")), "{ends:?}");
    let raw = loud("-j1 --crash-limit 1 --worker-log raw", "die\n").finish();
    assert!(raw.events.iter().all(|event| event.get("stderr").is_none()), "{:?}", raw.events);
}

#[test]
fn each_slot_has_a_file_of_its_own_that_begins_anew_when_it_is_long() {
    let place = tempfile::tempdir().unwrap();
    let logs = place.path().join("logs");
    let flags = format!("-j1 --crash-limit 1 --worker-log-max 12 --worker-log {}", logs.display());
    let died = loud(&flags, "1\n2\n3\ndie\n").finish();
    assert_eq!(died.code(), 1, "{}", died.stderr);
    let told = "; its stderr ends with \"unfinished\"";
    assert!(!died.stderr.contains("at 1\n") && died.stderr.contains(told), "{}", died.stderr);
    let read = |name: &str| fs::read_to_string(logs.join(name)).unwrap();
    assert_eq!(
        (read("worker-1.log.1"), read("worker-1.log")),
        ("at 3\nat die\n".to_owned(), "unfinished\n".to_owned())
    );
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&logs), mode(&logs.join("worker-1.log"))), (0o700, 0o600));
}

#[test]
fn a_run_that_gives_up_shows_the_end_of_what_the_worker_wrote() {
    let place = tempfile::tempdir().unwrap();
    let script = "echo starting >&2; echo 'no such database' >&2; exit 3";
    let flags = ["-j1", "--protocol", "frames", "--worker-log", place.path().to_str().unwrap()];
    let words: Vec<&str> = flags.into_iter().chain(["--", "sh", "-c", script, ":::", "a"]).collect();
    let gave_up = output(&words, b"");
    assert_eq!(gave_up.code(), 3, "{}", gave_up.stderr);
    let told = "supervisor: the end of what worker 1 wrote to stderr:\n  starting\n  no such database\n";
    assert!(gave_up.stderr.contains(told), "{}", gave_up.stderr);
}

#[test]
fn a_log_that_cannot_be_written_ends_the_run() {
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", place.path().join("worker-1.log")).unwrap();
    let lost = loud(&format!("-j1 --worker-log {}", place.path().display()), "1\n2\n").finish();
    assert_eq!(lost.code(), 4, "{}", lost.stderr);
    assert!(lost.stderr.contains("worker-1.log"), "{}", lost.stderr);
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = output(&["--worker-log", file.to_str().unwrap(), "--items", "2"], b"");
    assert_eq!(refused.code(), 2, "{}", refused.stderr);
    for (words, told) in [
        (&["--worker-log-max", "1K", "--items", "2"][..], "--worker-log-max is for the files"),
        (&["--worker-log", "prefix", "--", "true", ":::", "a"], "--worker-log"),
        (&["--start-timeout", "1s", "--protocol", "lines", "--", "cat", ":::", "a"], "--start-timeout"),
    ] {
        let refused = output(words, b"");
        assert!(refused.code() == 2 && refused.stderr.contains(told), "{words:?}: {}", refused.stderr);
    }
}

#[test]
fn a_worker_that_never_gets_ready_is_a_failed_start() {
    let flags =
        ["-j1", "--start-timeout", "50ms", "--max-restarts", "0/10s", "--term-seq", "KILL,0", "--protocol", "frames"];
    let words: Vec<&str> = flags.into_iter().chain(["--", "sh", "-c", "exec sleep 1000", ":::", "a"]).collect();
    let gave_up = output(&words, b"");
    assert_eq!(gave_up.code(), 3, "{}", gave_up.stderr);
    assert!(gave_up.stderr.contains("50ms") || gave_up.stderr.contains("0.05"), "{}", gave_up.stderr);
}

#[test]
fn a_worker_that_floods_its_stderr_is_held_back_by_a_reader_that_does_not_read() {
    // 8 MiB of stderr, of which the supervisor holds no more than it passes on.
    let script = "while read n; do head -c 8388608 /dev/zero | tr '\\0' x >&2; echo $n; done";
    let words = ["-j1", "--protocol", "lines", "--", "sh", "-c", script];
    let run = Run::start_with(&words, b"1\n", |_| {}).finish();
    assert_eq!((run.code(), run.stdout.as_str()), (0, "1\n"));
    assert_eq!(run.stderr.bytes().filter(|byte| *byte == b'x').count(), 8 << 20);
}
