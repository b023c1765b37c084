//! The page of a trace in a real browser: `browser/checks.mjs` drives Chromium over pages that this program writes, of
//! made-up histories and of real runs.
//!
//! `tests/browser/install` gets the browser and its driver. Without them the checks are skipped and say so, unless
//! `SUPERVISOR_BROWSER_TESTS=required`.

mod support;
#[path = "browser/synthetic.rs"]
mod synthetic;

use nix::sys::signal::Signal;
use serde_json::Value;
use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use supervisor::trace::history::History;
use supervisor::trace::html;
use supervisor::trace::step::Step;
use support::{Run, SUPERVISOR, output, pid_of, send};

/// How many steps the large page has. The page has to stay quick with them.
const STEPS_LARGE: usize = 100_000;
/// The most bytes of the large page.
const BYTES_LARGE_MAX: usize = 12_000_000;

fn written(made: &History) -> Vec<u8> {
    let steps: Vec<&Step> = made.steps.iter().collect();
    let mut bytes = Vec::new();
    html::write(made, &steps, &mut bytes).unwrap();
    bytes
}

/// Writes the page of a trace, as a user does.
fn write_page(trace: &Path, page: &Path) {
    let arguments = ["flow", trace.to_str().unwrap(), "--format", "html", "-o", page.to_str().unwrap()];
    let run = output(&arguments, b"");
    assert_eq!((run.code(), run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
}

/// The trace of a run over pipes with five workers. The one at item 7 is stopped, so that it is still at it when the
/// other items are done, and is killed then: a worker that is idle takes the item.
fn record_kill_at_seven(trace: &Path) {
    let sizes = ["--workers", "5", "--items", "20", "--delay", "100ms", "--credit", "1", "--transport", "pipe"];
    let mut run = Run::start(&[&sizes[..], &["--trace", trace.to_str().unwrap(), "--trace-items"]].concat());
    let is_seven = |event: &Value, attempt: u32| {
        event["event"] == "item_started" && event["item"] == 7 && event["attempt"] == attempt
    };
    let settled = Cell::new(0);
    let killed = pid_of(&run.wait_for(|event| {
        settled.set(settled.get() + u32::from(event["event"] == "item_settled"));
        is_seven(event, 1)
    }));
    send(killed, Signal::SIGSTOP);
    for _ in settled.get()..19 {
        run.wait_for(|event| event["event"] == "item_settled");
    }
    send(killed, Signal::SIGKILL);
    let second = run.wait_for(|event| is_seven(event, 2));
    let run = run.finish();
    assert_eq!((run.code(), run.settled("done")), (0, 20), "{}", run.stderr);
    let of_killed = run.events("worker_exited").into_iter().find(|event| pid_of(event) == killed).unwrap();
    assert_ne!(of_killed["worker"], second["worker"], "the restarted worker took the item");
}

/// The trace of a run with a process for each of six items, of which the last one's fails. Each item has a slot: a slot
/// with more items may start the next process without an order, and the wait for such a process is not known. None ends
/// before the start of each is known: its work is longer than a turn of the loop.
fn record_commands(trace: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut opened = fs::File::options().read(true).write(true).open(&gate).unwrap();
    let script = ["sh", "-c", "read x < $0; test $1 -lt 6", gate.to_str().unwrap(), "{}"];
    let flags = ["-j", "6", "--trace", trace.to_str().unwrap(), "--"];
    let items = [":::", "1", "2", "3", "4", "5", "6"];
    let mut run = Run::start(&[&flags[..], &script, &items].concat());
    for _ in 0..6 {
        run.wait_for_event("worker_spawned");
    }
    // A byte for each of them.
    opened.write_all(b"\n\n\n\n\n\n").unwrap();
    let run = run.finish();
    assert_eq!(run.code(), 1, "{}", run.stderr);
}

/// Where the driver of the browser was installed.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("browser")
}

/// What is missing for a test in a browser.
fn missing() -> Option<&'static str> {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if !runs("node") {
        Some("node")
    } else if !runs("chromium") {
        Some("chromium")
    } else if !modules().join("node_modules/playwright-core").is_dir() {
        Some("playwright-core")
    } else {
        None
    }
}

#[test]
fn a_browser_shows_the_page() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).unwrap();
    let pages = [
        ("small.html", synthetic::killed_at_seven()),
        ("large.html", synthetic::large(STEPS_LARGE)),
        ("hostile.html", synthetic::hostile()),
        ("empty.html", synthetic::empty()),
    ];
    for (name, made) in &pages {
        std::fs::write(folder.join(name), written(made)).unwrap();
    }
    let trace = folder.join("real.trace");
    record_kill_at_seven(&trace);
    write_page(&trace, &folder.join("real.html"));
    record_commands(&folder.join("commands.trace"));
    write_page(&folder.join("commands.trace"), &folder.join("commands.html"));
    if let Some(missing) = missing() {
        let text = format!("{missing} is missing; tests/browser/install gets it");
        assert!(std::env::var_os("SUPERVISOR_BROWSER_TESTS").is_none_or(|how| how != "required"), "{text}");
        println!("skipped: the checks in a browser, since {text}");
        return;
    }
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/checks.mjs");
    let mut node = Command::new("node");
    let names = ["small.html", "real.html", "large.html", "hostile.html", "empty.html", "commands.html"];
    node.arg(checks).args(names.map(|name| folder.join(name))).env("BROWSER_MODULES", modules());
    let output = node.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    println!("{text}");
}

#[test]
fn a_large_page_is_no_larger_than_it_has_to_be() {
    let made = synthetic::large(STEPS_LARGE);
    let bytes = written(&made).len();
    assert!(made.steps.len() > STEPS_LARGE - 100, "only {} steps", made.steps.len());
    assert!(bytes < BYTES_LARGE_MAX, "{bytes} bytes for {} steps", made.steps.len());
}

#[test]
fn text_of_a_trace_is_never_markup() {
    let calm = String::from_utf8(written(&synthetic::killed_at_seven())).unwrap();
    let evil = String::from_utf8(written(&synthetic::hostile())).unwrap();
    assert!(evil.len() > calm.len() + 5000);
    for markup in ["<img", "</script", "<!--", "<script", "\u{2028}", "\0"] {
        assert_eq!(evil.matches(markup).count(), calm.matches(markup).count(), "{markup:?}");
    }
}

#[test]
fn a_page_has_the_command_line_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, page) = (folder.path().join("run.trace"), folder.path().join("page.html"));
    let arguments = ["--workers", "1", "--output", "none", "--trace", trace.to_str().unwrap()];
    let run = output(&[&arguments[..], &["--task", "echo", ":::", "a b", "ü"]].concat(), b"");
    assert_eq!(run.code(), 0, "{}", run.stderr);
    write_page(&trace, &page);
    let page = std::fs::read_to_string(page).unwrap();
    // A backslash is escaped in the data of a page.
    let line = format!("\"command\":\"{SUPERVISOR} {} --task echo ::: a\\u005c b ü\"", arguments.join(" "));
    assert!(page.contains(&line), "{line}");
}

#[test]
fn an_empty_trace_has_a_page() {
    let page = String::from_utf8(written(&synthetic::empty())).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>") && !page.contains("{{"));
}

/// A place that takes no bytes: the error comes back, and nothing panics.
#[test]
fn an_error_of_the_output_is_reported() {
    let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = html::write(&synthetic::killed_at_seven(), &[], &mut full).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}
