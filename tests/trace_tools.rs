//! What can be read from the trace of a real run with a kill: `why`, `stats`, `export`.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::{Finished, Run, output, pid_of, send, shell, trace_events};

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
        "The worker had finished it, after ".to_owned(),
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

/// The events whose keys have these values.
fn with<'a>(events: &'a [Value], keys: &[(&str, &str)]) -> Vec<&'a Value> {
    events.iter().filter(|event| keys.iter().all(|(key, value)| event[*key] == *value)).collect()
}

#[test]
fn export_writes_events_that_keep_the_rules_of_the_format() {
    let Recorded { trace, killed, second, .. } = recorded();
    let run = tool("export", trace, &["--format", "perfetto"]);
    assert_eq!((run.code(), run.stderr.as_str()), (0, ""));
    assert_eq!(tool("export", trace, &[]).stdout, run.stdout, "the format is the default");
    let events = trace_events::check(run.stdout.as_bytes());

    let rows = with(&events, &[("ph", "M"), ("name", "thread_name")]);
    for pid in [killed, second] {
        assert!(rows.iter().any(|row| row["args"]["pid"] == *pid), "a row for process {pid}");
        assert_eq!(with(&events, &[("ph", "B"), ("name", &format!("pid {pid}"))]).len(), 1);
    }
    let row_of = |event: &Value| rows.iter().find(|row| row["tid"] == event["tid"]).unwrap()["args"]["pid"].clone();
    let deaths = with(&events, &[("ph", "i"), ("cat", "death")]);
    assert_eq!(deaths.len(), 1, "{deaths:?}");
    assert!(deaths[0]["name"].as_str().unwrap().starts_with("signal 9 (KILL) at item 4"), "{}", deaths[0]);
    assert_eq!(row_of(deaths[0]), *killed);
    assert_eq!(with(&events, &[("ph", "i"), ("cat", "restart")]).len(), 1);

    let items = with(&events, &[("ph", "B"), ("cat", "item")]);
    assert_eq!(items.len(), 9, "--trace-items");
    let again = with(&events, &[("ph", "B"), ("cat", "item"), ("name", "item 4, attempt 2")]);
    assert_eq!((again.len(), row_of(again[0])), (1, (*second).into()));
    assert_eq!(again[0]["args"]["text"], "4");
    let unfinished = with(&events, &[("ph", "B"), ("name", "item 4, not finished")]);
    assert_eq!((unfinished.len(), row_of(unfinished[0])), (1, (*killed).into()));

    // Each answer ends an arrow, and so does the death.
    let [starts, works, ends] = ["s", "t", "f"].map(|phase| with(&events, &[("ph", phase)]).len());
    assert_eq!((starts, works), (ends, ends - 1), "each worker tells the times of its work");
    assert!(ends >= 4, "{ends}");
    let counters = with(&events, &[("ph", "C")]);
    let last = &counters.last().unwrap()["args"];
    assert_eq!((&last["queued"], &last["in flight"]), (&Value::from(0), &Value::from(0)));
    assert!(counters.iter().any(|counter| counter["args"]["queued"] != 0), "{counters:?}");
}

#[test]
fn export_writes_to_a_file_and_not_over_the_trace() {
    let Recorded { trace, _folder: folder, .. } = recorded();
    let file = folder.path().join("run.json");
    let run = tool("export", trace, &["-o", file.to_str().unwrap()]);
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), tool("export", trace, &[]).stdout);
    let before = std::fs::read(trace).unwrap();
    let run = tool("export", trace, &["-o", trace.to_str().unwrap()]);
    assert_eq!((run.code(), run.stderr.lines().count()), (2, 1), "{}", run.stderr);
    assert_eq!(std::fs::read(trace).unwrap(), before);
}

#[test]
fn export_refuses_other_formats_with_the_list() {
    let run = tool("export", &recorded().trace, &["--format", "xml"]);
    assert_eq!((run.code(), run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("xml") && run.stderr.contains("[possible values: perfetto, "), "{}", run.stderr);
}

#[test]
fn export_of_commands_has_a_slice_for_each_process() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("commands.trace");
    let items = ["-j", "2", "--trace", trace.to_str().unwrap(), "--trace-items", "--", "true", ":::", "a", "b\"c", "d"];
    let run = output(&items, b"");
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let events = trace_events::check(tool("export", &trace, &[]).stdout.as_bytes());
    let mut processes: Vec<_> = with(&events, &[("ph", "B"), ("cat", "process")])
        .iter()
        .map(|slice| {
            [&slice["name"], &slice["args"]["text"], &slice["args"]["exit"]].map(|text| text.as_str().unwrap())
        })
        .collect();
    processes.sort_unstable();
    assert_eq!(processes, [["item 0", "a", "exit 0"], ["item 1", "b\"c", "exit 0"], ["item 2", "d", "exit 0"]]);
}

#[test]
fn a_cut_trace_says_so_in_its_export() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut");
    let whole = std::fs::read(&recorded().trace).unwrap();
    // One of the two lengths ends within a record, for no record is one byte long.
    let told = [whole.len() / 2, whole.len() / 2 - 1].map(|length| {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let run = tool("export", &cut, &[]);
        trace_events::check(run.stdout.as_bytes());
        let file: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(file["otherData"]["dropped_records"], 0);
        file["otherData"]["cut"].as_str().unwrap().to_owned()
    });
    let is_within = |told: &String| told.starts_with("the trace is cut off within a record at byte ");
    let is_between = |told: &String| told.starts_with("the trace ends before the run: ");
    assert!(told.iter().all(|told| is_within(told) || is_between(told)) && told.iter().any(is_within), "{told:?}");
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
        run.code() == 2 && run.stderr.ends_with("it is the file that is read; give another one\n"),
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
const TOOLS: &[(&str, &[&str])] =
    &[("why", &["4"]), ("stats", &[]), ("stats", &["--format", "json"]), ("export", &["--format", "perfetto"])];

#[test]
fn a_cut_trace_is_shown_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut");
    let whole = std::fs::read(&recorded().trace).unwrap();
    std::fs::write(&cut, &whole[..whole.len() - 1]).unwrap();
    for (name, arguments) in TOOLS {
        let run = tool(name, &cut, arguments);
        assert_eq!(run.code(), 0, "{}", run.stderr);
        assert!(run.stderr.starts_with("supervisor: the trace is cut off within a record at byte "), "{}", run.stderr);
        assert!(run.stderr.lines().count() == 1 && !run.stdout.is_empty(), "{}", run.stderr);
    }
}

#[test]
fn a_reader_that_leaves_is_no_error_and_a_full_disk_or_a_closed_stdout_is_one() {
    let trace = recorded().trace.to_str().unwrap();
    for (name, arguments) in TOOLS {
        let line = format!("$SUPERVISOR {name} {trace} {}", arguments.join(" "));
        let run = shell(&format!("set -o pipefail; {line} | true"));
        assert_eq!((run.code(), run.stderr.as_str()), (0, ""), "{name}");
        for lost in ["> /dev/full", ">&-"] {
            let run = shell(&format!("{line} {lost}"));
            assert_eq!((run.code(), run.stderr.lines().count()), (5, 1), "{name}: {}", run.stderr);
        }
    }
}
