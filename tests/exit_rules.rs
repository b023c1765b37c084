//! What the exit statuses of commands mean: the ordinary ones, `--on`, and what is refused.

mod support;

use serde_json::Value;
use support::{Finished, Run, output};

/// Each item is what its command does: an exit code, or the name of a signal.
const ENDS: &str = "case $0 in [0-9]*) exit $0;; esac; kill -$0 $$; exit 99";

fn run(flags: &[&str], items: &[&str]) -> Finished {
    let run = Run::start(&[&["-j1", "-k"], flags, &["--", "sh", "-c", ENDS, ":::"], items].concat()).finish();
    run.assert_no_process_left();
    run
}

/// The outcome of each item, and its last attempt.
fn outcomes(run: &Finished) -> Vec<(String, u64)> {
    let outcome =
        |event: &&Value| (event["outcome"].as_str().unwrap().to_owned(), event["attempt"].as_u64().unwrap_or(0));
    run.events("item_settled").iter().map(outcome).collect()
}

#[track_caller]
fn check(flags: &[&str], items: &[&str], expected: &[(&str, u64)]) {
    let run = run(flags, items);
    let expected: Vec<(String, u64)> = expected.iter().map(|(name, attempt)| ((*name).to_owned(), *attempt)).collect();
    assert_eq!(outcomes(&run), expected, "{}", run.stderr);
    assert_eq!(run.code(), 1, "{}", run.stderr);
}

#[test]
fn a_temporary_failure_is_tried_again_and_bad_data_never() {
    let items = ["0", "75", "65", "3"];
    check(&[], &items, &[("done", 1), ("failed", 4), ("failed", 1), ("failed", 1)]);
    check(&["--retries", "1"], &items, &[("done", 1), ("failed", 2), ("failed", 1), ("failed", 2)]);
    check(&["--retries", "0"], &items, &[("done", 1), ("failed", 1), ("failed", 1), ("failed", 1)]);
}

#[test]
fn a_temporary_failure_that_passes_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("echo x >> {0}; test $(wc -l < {0}) -ge 4 || exit 75", dir.path().join("marks").display());
    let run = Run::start(&["--", "sh", "-c", &line, ":::", "x"]).finish();
    assert_eq!((run.code(), outcomes(&run)), (0, vec![("done".to_owned(), 4)]), "{}", run.stderr);
    let told = "item 0 (\"x\") failed: exit 75; will be tried again (attempt 4)";
    assert!(run.stderr.contains(told), "{}", run.stderr);
}

#[test]
fn a_rule_of_the_run_comes_before_the_ordinary_one() {
    check(&["--on", "75=fail"], &["75"], &[("failed", 1)]);
    check(&["--on", "65=retry"], &["65"], &[("failed", 4)]);
    check(
        &["--on", "3,4=retry", "--on", "5=dead"],
        &["3", "4", "5", "6"],
        &[("failed", 4), ("failed", 4), ("dead", 1), ("failed", 1)],
    );
    check(
        &["--retries", "2", "--on", "3=fail", "--on", "4=dead"],
        &["3", "4", "5"],
        &[("failed", 1), ("dead", 1), ("failed", 3)],
    );
}

#[test]
fn a_signal_is_named() {
    check(
        &["--retries", "2", "--on", "SEGV=dead", "--on", "sigusr1=fail"],
        &["SEGV", "USR1", "USR2"],
        &[("dead", 1), ("failed", 1), ("dead", 3)],
    );
    check(&["--on", "KILL,TERM=retry"], &["KILL", "TERM", "SEGV"], &[("dead", 4), ("dead", 4), ("dead", 1)]);
    // 11 is an exit code.
    check(&["--on", "11=retry"], &["SEGV", "11"], &[("dead", 1), ("failed", 4)]);
}

#[test]
fn a_rule_to_halt_stops_the_run_at_once() {
    let halted = run(&["--retries", "5", "--on", "3=halt"], &["0", "3", "0", "0"]);
    assert_eq!(halted.code(), 1, "{}", halted.stderr);
    let skipped = ("skipped".to_owned(), 0);
    let expected = vec![("done".to_owned(), 1), ("failed".to_owned(), 1), skipped.clone(), skipped];
    assert_eq!(outcomes(&halted), expected, "{}", halted.stderr);
    assert!(halted.stderr.contains("a command ended with exit 3, at which the run stops"), "{}", halted.stderr);
    let finished = halted.events("run_finished")[0];
    assert_eq!((&finished["reason"], &finished["exit"]["code"]), (&"halt_exit".into(), &3.into()));
    // Commands that run are ended: the second one never ends by itself.
    let line = "test $0 = halt && { read _ < \"$1\"; kill -SEGV $$; }; echo > \"$1\"; exec sleep 1000";
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = fifo.to_str().unwrap();
    let both = Run::start(&["-j2", "--on", "SEGV=halt", "--", "sh", "-c", line, "{}", fifo, ":::", "halt", "x"]);
    let both = both.finish();
    assert_eq!((both.code(), both.settled("failed"), both.settled("skipped")), (1, 1, 1), "{}", both.stderr);
    both.assert_no_process_left();
}

#[test]
fn what_is_no_rule_is_refused_on_one_line() {
    for (flags, text) in [
        (&["--on", "0=fail"][..], "exit 0 is always done; give codes from 1 to 255, or names of signals"),
        (&["--on", "3=stop"], "give CODE=RULE, such as 3=retry or 3,4=dead or SEGV=halt"),
        (&["--on", "256=fail"], "\"256\" is no exit code; give one from 1 to 255"),
        (&["--on", "SEGF=fail"], "no signal is called \"SEGF\"; give an exit code from 1 to 255"),
        (&["--on", "3=fail", "--on", "4,3=dead"], "--on gives exit 3 two rules, fail and dead"),
        (&["--protocol", "lines", "--on", "3=fail"], "--on is for a command that runs once per item"),
    ] {
        let run = output(&[flags, &["--", "true", ":::", "x"]].concat(), b"");
        assert_eq!((run.code(), run.stdout.as_str()), (2, ""), "{flags:?}: {}", run.stderr);
        assert!(run.stderr.contains(text) && run.stderr.lines().count() == 1, "{flags:?}: {}", run.stderr);
    }
    let built_in = output(&["--on", "3=fail"], b"");
    assert!(built_in.code() == 2 && built_in.stderr.contains("--on is for a command"), "{}", built_in.stderr);
}
