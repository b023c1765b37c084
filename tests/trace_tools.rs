//! What can be read from the trace of a real run with a kill: `why`, `stats`.

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
fn stats_counts_what_each_worker_did_and_how_long_it_took() {
    let Recorded { trace, .. } = recorded();
    let run = tool("stats", trace, &["--format", "json"]);
    assert_eq!((run.code(), run.stderr.as_str()), (0, ""));
    let stats: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let workers = stats["workers"].as_array().unwrap();
    let sum = |name: &str| workers.iter().map(|worker| worker[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((workers.len(), sum("items"), sum("restarts"), sum("deaths")), (3, 9, 1, 1), "{stats:#}");
    assert_eq!((sum("processes"), &stats["items"]["done"], &stats["items"]["retried"]), (4, &9.into(), &1.into()));
    let items = stats["throughput"]["items"].as_array().unwrap();
    assert_eq!(items.iter().map(|items| items.as_u64().unwrap()).sum::<u64>(), 9);
    assert_eq!((&stats["unknown"], &stats["missing"]), (&serde_json::json!([]), &serde_json::json!({ "dropped": 0 })));
    for part in ["at_work", "item_at_work"] {
        let found = &stats["durations"][part];
        assert!(found["p50"].as_f64().unwrap() >= 0.1 && found["count"] == 9, "{part}: {found}");
    }
    // The message to the worker that was killed, and perhaps one that waited there.
    assert!(stats["messages"]["unanswered"].as_u64().unwrap() >= 1, "{stats:#}");
    for worker in workers {
        let share = worker["busy_share"].as_f64().unwrap();
        assert!(share > 0.0 && share <= 1.0, "{worker}");
    }
}

#[test]
fn stats_fits_a_narrow_terminal() {
    let trace = recorded().trace.to_str().unwrap();
    for columns in [40, 80] {
        let run = shell(&format!("COLUMNS={columns} $SUPERVISOR stats {trace}"));
        assert_eq!((run.code(), run.stderr.as_str()), (0, ""));
        assert!(run.stdout.lines().all(|line| line.chars().count() <= columns), "{}", run.stdout);
        let words = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("9 arrived: 9 done; 1 tried again"), "{words}");
    }
}

#[test]
fn stats_refuses_a_closed_stdout() {
    let run = shell(&format!("$SUPERVISOR stats {} >&-", recorded().trace.to_str().unwrap()));
    assert_eq!((run.code(), run.stderr.lines().count()), (5, 1), "{}", run.stderr);
}

#[test]
fn stats_draws_a_plot_and_not_over_the_trace() {
    let Recorded { trace, .. } = recorded();
    let folder = tempfile::tempdir().unwrap();
    for (name, start) in [("a.svg", &b"<svg "[..]), ("a.png", b"\x89PNG\r\n\x1a\n")] {
        let plot = folder.path().join(name);
        let run = tool("stats", trace, &["--plot", plot.to_str().unwrap()]);
        assert_eq!((run.code(), run.stderr.as_str()), (0, ""));
        assert!(std::fs::read(&plot).unwrap().starts_with(start) && run.stdout.starts_with("Ran "), "{name}");
    }
    let svg = std::fs::read_to_string(folder.path().join("a.svg")).unwrap();
    for text in [
        "Items a second",
        "Message (microseconds, logarithmic scale)",
        "on the way back",
        "order to hello",
        "9 of them done",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    let named = folder.path().join("trace.svg");
    std::fs::copy(trace, &named).unwrap();
    let run = tool("stats", &named, &["--plot", named.to_str().unwrap()]);
    assert!(
        run.code() == 2 && run.stderr.ends_with("it is the trace that is read; give another file\n"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read(&named).unwrap(), std::fs::read(trace).unwrap());
    let run = tool("stats", trace, &["--plot", folder.path().join("no/a.svg").to_str().unwrap()]);
    assert!(run.code() == 2 && run.stderr.starts_with("supervisor: failed to create "), "{}", run.stderr);
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
const TOOLS: &[(&str, &[&str])] = &[("why", &["4"]), ("stats", &[]), ("stats", &["--format", "json"])];

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
