//! What must hold for every command line, whatever it asks for.

use super::line::{Line, Output, Ran};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use supervisor::exit_code as code;

/// How far a line came, for the count of what the lines reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    Refused,
    Ran,
    Other,
}

/// What is wrong, a line each.
pub fn judge(line: &Line, ran: &Ran) -> (Reached, Vec<String>) {
    let mut faults = Vec::new();
    for process in &ran.processes_left {
        faults.push(format!("a process is left: {process}"));
    }
    let Some(status) = ran.status else {
        faults.push("it did not end".into());
        return (Reached::Other, faults);
    };
    let was_killed = status.signal() == Some(Signal::SIGKILL as i32) && ran.sent.contains(&Signal::SIGKILL);
    if was_killed || line.is_wild {
        return (Reached::Other, faults);
    }
    for file in &ran.files_left {
        faults.push(format!("a file is left: {file}"));
    }
    // The task `panic` reports its panic as an outcome, without a place.
    if ran.stderr.contains("panicked at") {
        faults.push("it panicked".into());
    }
    let events = match events(line, ran) {
        Ok(events) => events,
        Err(fault) => {
            faults.push(fault);
            return (Reached::Other, faults);
        }
    };
    let finished = events.iter().find(|event| event["event"] == "run_finished");
    let outcome = (status.code(), status.signal());
    if let (None, Some(signal)) = outcome {
        let was_sent = ran.sent.iter().any(|sent| *sent as i32 == signal);
        let is_broken_pipe = signal == libc::SIGPIPE && matches!(line.stdout, Output::Gone);
        // Before `main` its default action is in force.
        let is_early = signal != libc::SIGUSR1 || events.is_empty();
        if !(was_sent && is_early || is_broken_pipe) {
            faults.push(format!("it died of signal {signal}, which it was not sent"));
        }
    }
    if let (Some(exit), _) = outcome {
        faults.extend(exit_fault(line, exit, finished));
    }
    if let Some(finished) = finished {
        faults.extend(total_faults(&events, finished));
    }
    // With `--exit-code count` it is a number of items.
    let is_refused = outcome == (Some(code::USAGE.into()), None) && line.exit_style() != Some("count");
    if is_refused && (!events.is_empty() || !ran.stdout.is_empty()) {
        faults.push("wrong usage, but it began".into());
    }
    let reached = match (finished, outcome) {
        (Some(_), _) => Reached::Ran,
        (None, (Some(exit), _)) if exit == i32::from(code::USAGE) => Reached::Refused,
        _ => Reached::Other,
    };
    (reached, faults)
}

/// The events of the file `events`, if the last word about events names it and the file is complete.
fn events(line: &Line, ran: &Ran) -> Result<Vec<Value>, String> {
    if !line.has_events || line.flags.contains(&"dry_run") {
        return Ok(Vec::new());
    }
    let text = ran.events.as_deref().unwrap_or_default();
    let parsed: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    let events = parsed.map_err(|error| format!("an event is no JSON: {error}"))?;
    match events.last() {
        None => Ok(events),
        Some(last) if last["event"] == "run_finished" => Ok(events),
        Some(last) => Err(format!("the last event is {last}")),
    }
}

/// Every item that was read has one outcome, and the totals say so.
fn total_faults(events: &[Value], finished: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let total = |name: &str| finished[name].as_u64().unwrap_or(u64::MAX);
    let outcomes = ["done", "failed", "dead", "skipped"];
    let sum = outcomes.iter().map(|name| u128::from(total(name))).sum::<u128>();
    if sum != u128::from(total("items")) {
        faults.push(format!("the totals do not add up: {finished}"));
    }
    if total("interrupted") > total("skipped") {
        faults.push(format!("more are interrupted than skipped: {finished}"));
    }
    let settled = || events.iter().filter(|event| event["event"] == "item_settled");
    for name in outcomes {
        let count = settled().filter(|event| event["outcome"] == name).count() as u64;
        if count != total(name) {
            faults.push(format!("{count} items are reported as {name}, but the total is {}", total(name)));
        }
    }
    let different: BTreeSet<u64> = settled().filter_map(|event| event["item"].as_u64()).collect();
    if different.len() != settled().count() {
        faults.push("an item has two outcomes".into());
    }
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    if count("worker_spawned") != count("worker_exited") {
        faults.push(format!("{} processes started, {} ended", count("worker_spawned"), count("worker_exited")));
    }
    faults
}

fn exit_fault(line: &Line, exit: i32, finished: Option<&Value>) -> Option<String> {
    let style = line.exit_style();
    let Ok(exit) = u8::try_from(exit) else { return Some(format!("exit {exit}")) };
    let reason = finished.and_then(|event| event["reason"].as_str());
    let allowed: &[u8] = match reason {
        None => &[
            code::DONE,
            code::ITEMS_NOT_DONE,
            code::USAGE,
            code::GAVE_UP,
            code::STORAGE,
            code::LOST,
            code::REFUSED,
            code::RUN_TIMEOUT,
            code::NOT_EXECUTABLE,
            code::NOT_FOUND,
        ],
        Some("restart_limit" | "dead_limit") => &[code::GAVE_UP],
        Some("run_timeout") => &[code::RUN_TIMEOUT],
        Some("command_lost") => &[code::NOT_EXECUTABLE, code::NOT_FOUND],
        Some("aborted") => &[code::XARGS_ABORTED, code::XARGS_SIGNALLED],
        Some("source_lost" | "sink_lost") => &[code::LOST],
        Some("storage_lost") => &[code::STORAGE],
        Some(_) => &[],
    };
    if allowed.contains(&exit) {
        return None;
    }
    let by_style = match (style, reason) {
        (Some("xargs"), None) => (code::XARGS_FAILED..=code::XARGS_SIGNALLED).contains(&exit),
        (Some("count"), None) => exit <= code::COUNT_MORE,
        _ => false,
    };
    let by_items = matches!(reason, Some("source_ended" | "halt_met" | "halt_failed" | "halt_exit"))
        .then(|| finished.map(|finished| of_items(finished, style)));
    if by_style || by_items == Some(Some(exit)) {
        return None;
    }
    Some(format!("exit {exit} does not fit: {finished:?}"))
}

/// The exit code that the table of the command line gives for these totals.
fn of_items(finished: &Value, style: Option<&str>) -> u8 {
    let total = |name: &str| finished[name].as_u64().unwrap_or_default();
    let not_done = total("failed") + total("dead");
    match style {
        _ if not_done == 0 && (total("skipped") == total("declined") || finished["reason"] == "halt_met") => 0,
        Some("count") => u8::try_from(not_done.clamp(1, 101)).unwrap_or(101),
        Some("xargs") if total("dead") > 0 => 125,
        Some("xargs") => 123,
        _ => 1,
    }
}
