//! What can be read from the trace of a real run with a kill: `why`.

mod support;

use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::{Finished, Run, output, pid_of, send, shell};

/// The item whose worker is killed.
const KILLED: u64 = 4;

/// A trace, and the processes that were at the item.
struct Recorded {
    _folder: tempfile::TempDir,
    trace: PathBuf,
    killed: u32,
    second: u32,
}

/// One run over pipes with 3 workers, of which one is killed in the middle of an item.
fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("run.trace");
        let path = trace.to_str().unwrap();
        let sizes = ["--workers", "3", "--items", "9", "--delay", "100ms", "--transport", "pipe"];
        let mut run = Run::start(&[&sizes[..], &["--trace", path, "--trace-items"]].concat());
        let is_start = |event: &serde_json::Value| event["event"] == "item_started" && event["item"] == KILLED;
        let killed = pid_of(&run.wait_for(is_start));
        send(killed, Signal::SIGKILL);
        let second = pid_of(&run.wait_for(|event| is_start(event) && event["attempt"] == 2));
        let run = run.finish();
        assert_eq!((run.code(), run.settled("done")), (0, 9), "{}", run.stderr);
        Recorded { _folder: folder, trace, killed, second }
    })
}

fn tool(name: &str, trace: &Path, arguments: &[&str]) -> Finished {
    output(&[&[name, trace.to_str().unwrap()], arguments].concat(), b"")
}

#[test]
fn why_tells_of_the_kill_and_of_both_workers() {
    let Recorded { trace, killed, second, .. } = recorded();
    let run = tool("why", trace, &[&KILLED.to_string()]);
    assert_eq!((run.code(), run.stderr.as_str()), (0, ""));
    let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.starts_with("item 4 (\"4\"): done after 2 attempts, "), "{text}");
    for part in [
        format!("(pid {killed}) ended: signal 9 (KILL), while it was at the item."),
        "The supervisor did not send this signal.".to_owned(),
        "tried again, attempt 2: signal 9 (KILL) from outside".to_owned(),
        format!("(pid {second}) as attempt 2: "),
        "The worker had finished it, after 100 ms at work.".to_owned(),
        "stdout has taken all output".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    assert_ne!(killed, second);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
}

#[test]
fn why_refuses_an_item_that_is_not_there() {
    let run = tool("why", &recorded().trace, &["9"]);
    let error = "supervisor: failed to find item 9 in the trace: it has items 0-8\n";
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (2, "", error));
}

#[test]
fn what_is_no_trace_is_refused_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    for file in [folder.path(), Path::new("/nowhere"), &empty, Path::new("/etc/passwd")] {
        for (name, arguments) in TOOLS {
            let run = tool(name, file, arguments);
            assert_eq!((run.code(), run.stdout.as_str(), run.stderr.lines().count()), (2, "", 1), "{}", run.stderr);
        }
    }
}

/// Each subcommand, with arguments behind FILE.
const TOOLS: &[(&str, &[&str])] = &[("why", &["4"])];

#[test]
fn a_cut_trace_is_shown_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut");
    let whole = std::fs::read(&recorded().trace).unwrap();
    std::fs::write(&cut, &whole[..whole.len() - 20]).unwrap();
    for (name, arguments) in TOOLS {
        let run = tool(name, &cut, arguments);
        assert_eq!(run.code(), 0, "{}", run.stderr);
        assert!(run.stderr.starts_with("supervisor: the trace is cut off within a record at byte "), "{}", run.stderr);
        assert!(run.stderr.lines().count() == 1 && !run.stdout.is_empty(), "{}", run.stderr);
    }
}

#[test]
fn a_reader_that_leaves_is_no_error_and_a_full_disk_is_one() {
    let trace = recorded().trace.to_str().unwrap();
    for (name, arguments) in TOOLS {
        let line = format!("$SUPERVISOR {name} {trace} {}", arguments.join(" "));
        let run = shell(&format!("set -o pipefail; {line} | true"));
        assert_eq!((run.code(), run.stderr.as_str()), (0, ""), "{name}");
        let run = shell(&format!("{line} > /dev/full"));
        assert_eq!((run.code(), run.stderr.lines().count()), (5, 1), "{name}: {}", run.stderr);
    }
}
