//! Traces of real runs: what is recorded, what is seen of it, and what is refused.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use supervisor::config::OutputMode;
use supervisor::events::{Notification, RunEvent};
use supervisor::{Config, start};
use support::{Run, SUPERVISOR, output, pid_of, send, shell};

/// A trace of a run whose worker was killed at item 4.
fn with_kill(folder: &Path, transport: &str) -> PathBuf {
    let trace = folder.join(format!("{transport}.trace"));
    let path = trace.to_str().unwrap();
    let arguments = [
        "--workers",
        "3",
        "--items",
        "9",
        "--delay",
        "200ms",
        "--transport",
        transport,
        "--trace",
        path,
        "--trace-items",
    ];
    let mut run = Run::start(&arguments);
    let started = loop {
        let event = run.wait_for_event("item_started");
        if event["item"] == 4 {
            break event;
        }
    };
    send(pid_of(&started), Signal::SIGKILL);
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done")), (0, 9), "{}", run.stderr);
    trace
}

fn flow(trace: &Path, arguments: &[&str]) -> String {
    let run = output(&[&["flow", trace.to_str().unwrap()], arguments].concat(), b"");
    assert_eq!((run.code(), run.stderr.as_str()), (0, ""), "{arguments:?}");
    run.stdout
}

fn steps(trace: &Path, arguments: &[&str]) -> Vec<Value> {
    let lines = flow(trace, &[&["--format", "json"], arguments].concat());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_with_a_kill_is_seen_in_each_form_and_replays_to_the_same_orders() {
    let folder = tempfile::tempdir().unwrap();
    for transport in ["pipe", "shm"] {
        let trace = with_kill(folder.path(), transport);
        let mode = trace.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "others cannot read it");

        // Item 4 went to a worker that died, and to another process.
        let steps = steps(&trace, &["--item", "4"]);
        let of = |kind: &str| steps.iter().filter(|step| step["kind"] == kind).collect::<Vec<_>>();
        let sent: Vec<_> = of("frame").into_iter().filter(|step| step["from"] == "supervisor").collect();
        assert_eq!(sent.iter().map(|step| &step["attempt"]).collect::<Vec<_>>(), [1, 2], "{transport}");
        assert_ne!(sent[0]["pid"], sent[1]["pid"]);
        assert_eq!(of("process")[0].get("attempt"), None, "what a trace does not tell is left out");
        let death = of("process")[0]["label"].as_str().unwrap();
        assert!(death.starts_with("signal 9 (KILL) at item 4, which is tried again, attempt 2"), "{death}");

        // The life of its second frame, by one clock.
        let time = |name: &str| sent[1][name].as_f64().unwrap_or_else(|| panic!("{name}: {}", sent[1]));
        let life = ["queued", "sent", "received", "began", "finished"].map(time);
        assert!(life.is_sorted() && life[4] - life[3] > 0.19, "{transport}: {life:?}");

        let facts = flow(&trace, &["--kind", "fact", "--format", "lines"]);
        assert!(
            facts.contains("every process is given descriptors 0 (/dev/null), 1 (the supervisor's stderr)"),
            "{facts}"
        );
        assert!(facts.contains("-> worker 3     it is given descriptors ") && facts.contains(" (the progress page)"));

        for (arguments, beginning) in [
            (&["--format", "text"][..], "supervisor"),
            (&["--ascii", "--scale", "time"], "supervisor"),
            (&["--format", "lines"], "begins with 3 workers"),
            (&["--format", "mermaid"], "sequenceDiagram"),
            (&["--format", "svg"], "<svg "),
            (&["--io"], " in "),
        ] {
            let shown = flow(&trace, arguments);
            let first = shown.lines().next().unwrap();
            assert!(first.contains(beginning), "{arguments:?}: {first}");
            assert!(shown.contains("signal 9 (KILL)"), "{arguments:?}");
        }
        let replayed = output(&["replay", trace.to_str().unwrap()], b"");
        assert_eq!(replayed.code(), 0, "{}", replayed.stdout);
        assert!(replayed.stdout.ends_with("all of them are the same\n"), "{}", replayed.stdout);
        let steps = output(&["replay", trace.to_str().unwrap(), "--item", "4"], b"").stdout;
        assert!(steps.contains("send item 4 (") && steps.contains("item 4 is done after 2 attempts"), "{steps}");
    }
}

#[test]
fn a_replay_that_differs_names_the_step_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["1", "2"].map(|workers| {
        let trace = folder.path().join(workers);
        let path = trace.to_str().unwrap();
        assert_eq!(output(&["-w", workers, "--items", "3", "-q", "--trace", path], b"").code(), 0);
        std::fs::read(trace).unwrap()
    });
    // The header of one run, and the records of another.
    let end_of_header = |trace: &[u8]| 10 + 9 + u32::from_le_bytes(trace[10..14].try_into().unwrap()) as usize;
    let mixed = [&one[..end_of_header(&one)], &two[end_of_header(&two)..]].concat();
    let path = folder.path().join("mixed");
    std::fs::write(&path, mixed).unwrap();
    let run = output(&["replay", path.to_str().unwrap()], b"");
    assert_eq!(run.code(), 1);
    assert!(run.stdout.starts_with("step 1, at 0.") && run.stdout.contains("begins with 2 workers"), "{}", run.stdout);
}

#[test]
fn the_flow_of_commands_and_of_a_run_that_lasts_is_shown_live() {
    let run = output(&["--flow", "-j1", "-k", "--", "sh", "-c", "exit {}", ":::", "0", "3"], b"");
    assert_eq!(run.code(), 1);
    for line in [
        "supervisor -> worker 1     started as pid ",
        " for item 1 (the only idle worker",
        "supervisor <- worker 1     exit 3 at item 1",
        "item 1 failed after 1 attempt: exit 3",
        "supervisor                 ends: 1 of 2 items done, 1 failed",
    ] {
        assert!(run.stderr.contains(line), "{line:?} in\n{}", run.stderr);
    }
    assert!(!run.stderr.contains('\x1b'), "no colors where stderr is no terminal");
    let colored = output(&["--flow", "--color", "always", "--items", "2", "-q"], b"");
    assert!(colored.stderr.contains("\x1b[36m"), "{}", colored.stderr);

    // `--follow` shows the end of a run that has not begun to end when it is started.
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let line = format!(
        "mkfifo {0}/go; $SUPERVISOR --trace {0}/trace -j1 -- sh -c 'read go < {0}/go' ::: 1 & \
         until $SUPERVISOR flow {0}/trace >/dev/null 2>&1; do :; done; \
         $SUPERVISOR flow --follow --format lines {0}/trace | while read line; do \
             echo \"$line\"; case $line in *' for item 0 '*) echo go > {0}/go;; esac; done",
        folder.path().display()
    );
    let followed = shell(&line);
    assert!(followed.stdout.contains("ends: 1 of 1 item done"), "{}{}", followed.stdout, followed.stderr);
    assert!(trace.is_file());
}

#[test]
fn a_followed_run_that_grows_is_drawn_with_a_column_for_each_new_worker() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let fifos = ["a", "b"].map(|name| folder.path().join(name));
    for fifo in &fifos {
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    }
    let config = Config::builder().command(["cat"]).items(fifos.clone()).workers(1).output(OutputMode::None);
    let mut run = start(config.quiet(true).trace(&trace).build().unwrap()).unwrap();
    let wait_for_start = |run: &mut supervisor::Run| loop {
        let news = run.next().expect("the run goes on");
        if matches!(news, Notification::Event { event: RunEvent::ItemStarted { .. }, .. }) {
            break;
        }
    };
    wait_for_start(&mut run);
    run.scale(2);
    // Both run at once: each waits for a writer.
    wait_for_start(&mut run);
    fifos.iter().for_each(|fifo| std::fs::write(fifo, "go").unwrap());
    assert_eq!(run.join().unwrap().totals.done, 2);
    let drawn = flow(&trace, &["--follow"]);
    let heads: Vec<&str> = drawn.lines().filter(|line| line.contains("supervisor  ")).map(str::trim).collect();
    let names =
        |head: &str| head.split("  ").map(str::trim).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
    assert_eq!(names(heads[0]), "supervisor, worker 1");
    assert!(heads[1..].iter().any(|head| names(head).starts_with("supervisor, worker 1, worker 2")), "{drawn}");
    let second = drawn.split("worker 2").nth(1).unwrap();
    assert!(second.contains("\u{25b6}") && second.contains("\u{2534}"), "it begins and ends in its column: {drawn}");
}

#[test]
fn what_is_no_trace_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("text"), "not a trace").unwrap();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("newer"), b"SVTRACE\n\xff\x7f").unwrap();
    std::fs::write(path("older"), b"SVTRACE\n\x01\x00").unwrap();
    std::fs::write(path("start"), b"SVTR").unwrap();
    std::os::unix::fs::symlink(path("target"), path("link")).unwrap();
    for (name, words) in [
        ("text", "it is no trace; `supervisor --trace FILE ...` writes one"),
        ("empty", "the file is empty"),
        ("newer", "its format is version 32767, and this program reads version "),
        ("older", "its format is version 1, and this program reads version 2; use the program that wrote it"),
        ("start", "it ends before the run began"),
        ("missing", "No such file or directory"),
        (".", "Is a directory"),
    ] {
        for subcommand in ["flow", "replay"] {
            let run = output(&[subcommand, &path(name)], b"");
            assert_eq!((run.code(), run.stdout.as_str()), (2, ""), "{subcommand} {name}");
            assert!(
                run.stderr.contains(words) && run.stderr.lines().count() == 1,
                "{subcommand} {name}: {}",
                run.stderr
            );
        }
    }
    for (name, code, words) in [
        ("text", 6, "the file is there and is no trace"),
        ("link", 2, "it is a symbolic link"),
        (".", 2, "it is a folder"),
        ("missing/file", 2, "No such file or directory"),
    ] {
        let run = output(&["--trace", &path(name), "--items", "1", "-q", "--output", "results"], b"");
        assert_eq!((run.code(), run.stdout.as_str()), (code, ""), "{name}: nothing was run");
        assert!(run.stderr.contains(words) && run.stderr.lines().count() == 1, "{name}: {}", run.stderr);
    }
    assert_eq!(std::fs::read(path("text")).unwrap(), b"not a trace");
    assert!(!Path::new(&path("target")).exists());
    let both = output(&["--trace-items", "--items", "1"], b"");
    assert_eq!((both.code(), both.stderr.contains("--trace-items is for a trace; add --trace FILE")), (2, true));
}

#[test]
fn a_trace_that_is_cut_or_damaged_is_shown_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let path = trace.to_str().unwrap();
    assert_eq!(output(&["--items", "4", "-w", "2", "-q", "--trace", path], b"").code(), 0);
    // A trace is replaced by the next one, and made unreadable for others.
    std::fs::set_permissions(&trace, Permissions::from_mode(0o666)).unwrap();
    assert_eq!(output(&["--items", "4", "-w", "2", "-q", "--trace", path], b"").code(), 0);
    assert_eq!(trace.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let whole = std::fs::read(&trace).unwrap();
    let all = steps(&trace, &[]).len();
    for (bytes, words) in [
        (whole[..whole.len() - 1].to_vec(), "the trace is cut off within a record at byte "),
        (whole[..whole.len() - 5].to_vec(), "the trace is cut off within a record at byte "),
        ([&whole[..whole.len() - 40], &[0xff; 40][..]].concat(), "the trace is damaged at byte "),
    ] {
        std::fs::write(&trace, bytes).unwrap();
        let run = output(&["flow", path, "--format", "json"], b"");
        assert_eq!(run.code(), 0);
        assert!(run.stderr.contains(words), "{}", run.stderr);
        let shown = run.stdout.lines().count();
        assert!(shown > all / 2 && shown <= all, "{shown} of {all}");
        assert_eq!(output(&["replay", path], b"").code(), 0, "what is there replays");
    }
}

#[test]
fn a_message_for_each_item_is_a_frame_for_each_item() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let path = trace.to_str().unwrap();
    let run = output(&["--items", "300", "-w1", "--batch-max", "1", "-q", "--output", "none", "--trace", path], b"");
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let run = output(&["flow", path, "--format", "json", "--kind", "frame"], b"");
    let steps = run.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let sent: Vec<_> = steps.filter(|step| step["from"] == "supervisor").collect();
    assert_eq!(sent.len(), 300);
    assert!(sent.iter().all(|step| step["count"] == 1 && step["because"].is_string()), "{:?}", sent[0]);
}

#[test]
fn a_disk_that_is_full_costs_the_trace_and_nothing_else() {
    // Results go to a pipe, and only the trace meets the limit.
    let line = "cd $(mktemp -d) && (ulimit -f 8; exec $SUPERVISOR --trace t --items 3000 --batch-max 1 -w2 --output results) \
                | sort -n | tail -1; $SUPERVISOR flow t --format lines 2>&1 | tail -1; rm -r $PWD";
    let run = shell(line);
    assert!(run.stdout.starts_with("8994001\n"), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("failed to write the trace t: File too large"), "{}", run.stderr);
}

#[test]
fn a_reader_that_leaves_and_a_closed_stdout_end_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    assert_eq!(
        output(&["--items", "400", "--batch-max", "1", "-q", "--trace", trace.to_str().unwrap()], b"").code(),
        0
    );
    let path = trace.display();
    let run = shell(&format!("$SUPERVISOR flow {path} --format json | head -1; echo ${{PIPESTATUS[0]}}"));
    assert!(run.stdout.ends_with("\n0\n") && run.stderr.is_empty(), "{}{}", run.stdout, run.stderr);
    let run =
        shell(&format!("$SUPERVISOR flow {path} >/dev/full; echo $?; $SUPERVISOR flow {path} -o /dev/full; echo $?"));
    assert_eq!(run.stdout, "5\n5\n");
    assert_eq!(run.stderr.matches("No space left on device").count(), 2, "{}", run.stderr);
    // The trace itself is not written over, under whatever name.
    let whole = std::fs::read(&trace).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&trace, &link).unwrap();
    for name in [&trace, &link] {
        let refused = output(&["flow", trace.to_str().unwrap(), "--format", "svg", "-o", name.to_str().unwrap()], b"");
        assert_eq!(
            (refused.code(), refused.stderr.contains("it is the file that is read; give another one")),
            (2, true)
        );
    }
    assert!(std::fs::read(&trace).unwrap() == whole);
    let nothing = output(&["flow", trace.to_str().unwrap(), "--item", "4000"], b"");
    assert_eq!(nothing.stderr, "supervisor: no step of the trace is of that item, worker, kind and time\n");
    let narrow = Command::new(SUPERVISOR).args(["flow"]).arg(&trace).env("COLUMNS", "40").output().unwrap();
    let said = String::from_utf8(narrow.stderr).unwrap();
    assert!(narrow.status.success() && said.contains("6 columns of a diagram do not fit into 40"), "{said}");
}
