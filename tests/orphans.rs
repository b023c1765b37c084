//! Orphans that the supervisor inherits, as the first process of a container or as a subreaper.

mod support;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use support::{Run, SUPERVISOR};

/// Leaves an orphan in a session of its own for each item, then waits until the supervisor has no zombie.
const ORPHANS: [&str; 8] = [
    "-j1",
    "--timeout",
    "30s",
    "--",
    "sh",
    "-c",
    "case $1 in last) while ps --ppid $PPID -o stat= | grep -q Z; do :; done;; *) setsid true & esac",
    "sh",
];

fn items() -> Vec<String> {
    (0..40).map(|item| item.to_string()).chain(["last".to_owned()]).collect()
}

#[test]
fn a_subreaper_reaps_the_orphans_that_it_adopts() {
    let items = items();
    let arguments: Vec<&str> = ORPHANS.into_iter().chain([":::"]).chain(items.iter().map(String::as_str)).collect();
    let run = Run::start_with(&arguments, b"", |command| {
        // SAFETY: a system call.
        unsafe { command.pre_exec(|| Ok(nix::sys::prctl::set_child_subreaper(true)?)) };
    });
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done")), (0, 41), "{}", run.stderr);
}

#[test]
fn the_first_process_of_a_pid_namespace_reaps_orphans_and_reports_its_own() {
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-Urpf", "--mount-proc"]).args(arguments);
        command.stdin(Stdio::null()).output()
    };
    match inside(&["true"]) {
        Ok(output) if output.status.success() => {}
        refused => return eprintln!("skipped: this machine permits no pid namespace: {refused:?}"),
    }
    let items = items();
    let arguments: Vec<&str> =
        [SUPERVISOR].into_iter().chain(ORPHANS).chain([":::"]).chain(items.iter().map(String::as_str)).collect();
    let run = inside(&arguments).unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    // Workers are children of the same thread as orphans; the exits of both kinds come at the same time.
    let codes: Vec<String> = (0..60).map(|item| (1 + item % 9).to_string()).collect();
    let flags = [SUPERVISOR, "-j4", "--task", "exit", "--crash-limit", "1", "--max-dead", "never", "--output", "json"];
    let arguments: Vec<&str> = flags.into_iter().chain([":::"]).chain(codes.iter().map(String::as_str)).collect();
    let run = inside(&arguments).unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), codes.len(), "{}", String::from_utf8_lossy(&run.stderr));
    for line in lines {
        assert_eq!(line["causes"][0]["exit"]["code"].to_string(), line["input"].as_str().unwrap(), "{line}");
    }
}
