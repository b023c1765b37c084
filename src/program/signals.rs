//! `supervisor signals`: what each signal does, and what is true for the supervisors that run.
//!
//! Invariant: it looks, and sends nothing.

use super::answer::{fail, show, show_bytes};
use crate::cli::subcommand::signals::SignalsFlags;
use crate::cli::{self, AnswerForm};
use crate::exit_code;
use crate::model::signal::Signal;
use crate::model::signal_table::ROWS;
use crate::reporter::object::Object;
use crate::sys::processes::{ProcessState, SignalSet};
use std::fmt::Write;
use std::process::ExitCode;

/// A supervisor and its workers.
struct ShownRun {
    supervisor: ProcessState,
    /// With the numbers of their slots.
    workers: Vec<(Option<u64>, ProcessState)>,
}

/// Shows the table, and the runs.
pub fn run(flags: &SignalsFlags) -> ExitCode {
    let runs = found(flags.run);
    if let (Some(pid), true) = (flags.run, runs.is_empty()) {
        let error = format_args!("no supervisor of this user has pid {pid}; leave --run out to see those that run");
        return fail(&error, exit_code::REFUSED);
    }
    match flags.output.unwrap_or_default() {
        AnswerForm::Text => show(&text(&runs)),
        AnswerForm::Json => show_bytes(&json(&runs)),
    }
}

/// The supervisors of this user, or the one of this pid.
fn found(wanted: Option<u32>) -> Vec<ShownRun> {
    let own = std::process::id();
    let all = ProcessState::all();
    let user = all.iter().find(|process| process.pid == own).map(|process| process.user);
    // A guard is a fork of the supervisor, in which all signals are blocked; workers handle none of these.
    let is_run = |process: &&ProcessState| {
        let handles = process.handled.has(Signal::TERM) && process.handled.has(Signal::USR1);
        process.pid != own && Some(process.user) == user && handles && !process.blocked.has(Signal::TERM)
    };
    let runs = all.iter().filter(|process| wanted.is_none_or(|pid| process.pid == pid)).filter(is_run);
    let runs = runs.filter(|process| process.runs_own_program() || process.program == "supervisor");
    runs.map(|supervisor| {
        let children = all.iter().filter(|process| process.parent == supervisor.pid);
        let is_guard = |process: &&ProcessState| process.runs_own_program() && process.blocked.has(Signal::TERM);
        let slot = |process: &ProcessState| process.variable("SUPERVISOR_WORKER")?.parse().ok();
        let workers = children.filter(|process| !is_guard(process)).map(|process| (slot(process), process.clone()));
        let mut workers: Vec<_> = workers.collect();
        workers.sort_by_key(|(slot, process)| (*slot, process.pid));
        ShownRun { supervisor: supervisor.clone(), workers }
    })
    .collect()
}

fn text(runs: &[ShownRun]) -> String {
    let labels: Vec<String> = ROWS.iter().map(|row| row.label()).collect();
    let width = labels.iter().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    // To write into a text cannot fail.
    for (row, label) in ROWS.iter().zip(&labels) {
        let _ = writeln!(text, "{label:width$}  {}", row.does);
    }
    if runs.is_empty() {
        text.push_str("\nno supervisor of this user runs\n");
    }
    for run in runs {
        push_process(&mut text, "supervisor", &run.supervisor);
        for (slot, worker) in &run.workers {
            let name = slot.map_or_else(|| "a child".to_owned(), |slot| format!("worker {slot}"));
            push_process(&mut text, &name, worker);
        }
    }
    text
}

fn push_process(text: &mut String, name: &str, process: &ProcessState) {
    let ProcessState { pid, program, state, .. } = process;
    let program = cli::escaped(program);
    let _ = writeln!(text, "\n{name}, pid {pid} ({program}), {state}");
    for (what, set) in sets(process) {
        let names: Vec<String> = set.signals().map(Signal::name).collect();
        let _ = writeln!(text, "  {what:8} {}", if names.is_empty() { "none".to_owned() } else { names.join(" ") });
    }
}

const fn sets(process: &ProcessState) -> [(&'static str, SignalSet); 4] {
    let ProcessState { handled, ignored, blocked, pending, .. } = process;
    [("handled", *handled), ("ignored", *ignored), ("blocked", *blocked), ("pending", *pending)]
}

fn json(runs: &[ShownRun]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    object.objects("signals", ROWS.iter(), |object, row| {
        let names: Vec<String> = row.signals.iter().map(|signal| signal.name()).collect();
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        object.list("names", &names);
        if !row.from.is_empty() {
            object.text("from", row.from);
        }
        object.text("does", row.does);
    });
    object.objects("runs", runs.iter(), |object, run| {
        fill(object, &run.supervisor);
        object.objects("workers", run.workers.iter(), |object, (slot, worker)| {
            object.number_if("worker", *slot);
            fill(object, worker);
        });
    });
    object.end_line();
    out
}

fn fill(object: &mut Object<'_>, process: &ProcessState) {
    object.number("pid", u64::from(process.pid));
    object.text("program", &process.program);
    object.text("state", &process.state);
    for (what, set) in sets(process) {
        let names: Vec<String> = set.signals().map(Signal::name).collect();
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        object.list(what, &names);
    }
}
