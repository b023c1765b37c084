//! `supervisor check-worker`: a few short runs of one worker, and what they show of it.
//!
//! Invariant: what a run of items would do to the worker is what is checked, by such a run; nothing here speaks a protocol.

use super::answer::{fail, show};
use crate::cli::subcommand::check_worker::CheckWorker;
use crate::exit_code;
use crate::model::config::{OutputMode, SummaryMode};
use crate::model::event::{EndReason, RunEvent};
use crate::model::exit::ExitStatus;
use crate::model::notification::{ItemReport, Notification};
use crate::model::outcome::{CauseKind, FailReason, Outcome};
use crate::model::spec::{Credit, ProtocolKind};
use crate::model::text::{escaped, quoted_start};
use crate::{Config, EngineError, start_with};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// Items that are sent ahead.
const AHEAD: u32 = 8;

/// Characters of an item in a line of the report.
const SHOWN_CHARS_MAX: usize = 40;

/// One run, and what it shows.
struct Trial {
    shows: &'static str,
    items: Vec<Vec<u8>>,
    credit: u32,
}

/// What was seen in a trial.
#[derive(Default)]
struct Seen {
    items: Vec<ItemReport>,
    /// How the worker ended.
    end: Option<(ExitStatus, EndReason)>,
}

/// Checks the worker, and says what was found.
pub fn run(check: &CheckWorker) -> ExitCode {
    let mut report = String::new();
    let mut is_good = true;
    let mut leaves = Err("it did not end when its input ended".to_owned());
    for trial in trials(check) {
        let seen = match hold(check, &trial) {
            Ok(seen) => seen,
            Err(error) => {
                return fail(&format_args!("failed to {error}"), exit_code::of_class(error.class()));
            }
        };
        let answered = verdict(check, &trial, &seen);
        is_good &= answered.is_ok();
        push(&mut report, trial.shows, &answered);
        if answered.is_err() {
            // The others would show the same again.
            break;
        }
        leaves = leaving(&seen);
    }
    if is_good {
        is_good = leaves.is_ok();
        push(&mut report, "it ends when its input ends", &leaves);
    }
    let words: Vec<_> = check.command.iter().map(|word| word.to_string_lossy()).collect();
    let keeps = if is_good { "keeps" } else { "does not keep" };
    // To write into a text does not fail.
    let _ = writeln!(report, "{} {keeps} the protocol {}", escaped(&words.join(" ")), check.protocol.name());
    match show(&report) {
        code if code == ExitCode::from(exit_code::DONE) && !is_good => ExitCode::from(exit_code::ITEMS_NOT_DONE),
        code => code,
    }
}

fn push(report: &mut String, shows: &str, found: &Result<String, String>) {
    // To write into a text does not fail.
    let _ = match found {
        Ok(detail) => writeln!(report, "ok  {shows}: {detail}"),
        Err(why) => writeln!(report, "no  {shows}: {why}"),
    };
}

fn trials(check: &CheckWorker) -> Vec<Trial> {
    let items = match &check.items {
        Some(items) => items.iter().map(|item| item.as_bytes().to_vec()).collect(),
        None => (1..=10).map(|number: u32| number.to_string().into_bytes()).collect::<Vec<_>>(),
    };
    let mut trials = vec![
        Trial { shows: "it answers items one at a time", items: items.clone(), credit: 1 },
        Trial { shows: "it answers items that are sent ahead, 8 of them in flight", items, credit: AHEAD },
    ];
    if check.protocol == ProtocolKind::Json {
        let odd = [&b"a \"b\"\n\\c\t\xc3\xa9"[..], b"", b"\xff\xfe not UTF-8 \x00"];
        let shows = "it answers items with quotes, newlines and bytes that are not UTF-8, be it with an error";
        trials.push(Trial { shows, items: odd.map(<[u8]>::to_vec).to_vec(), credit: 1 });
    }
    trials
}

/// A run with one worker, until the first item that it does not answer.
fn hold(check: &CheckWorker, trial: &Trial) -> Result<Seen, EngineError> {
    let config = Config::builder()
        .worker_program(check.command.iter().cloned())
        .protocol(check.protocol)
        .workers(1)
        .credit(Credit::Items(trial.credit))
        .timeout(check.timeout)
        .crash_limit(1)
        .kill_limit(Some(1))
        .dead_max(None)
        .output(OutputMode::None)
        .summary(SummaryMode::Never)
        .keep_order(true)
        .quiet(true)
        .build();
    let mut seen = Seen::default();
    // The settings above fit each other.
    let Ok(config) = config else { return Ok(seen) };
    let mut run = start_with(config, trial.items.clone())?;
    let controls = run.controls();
    for notification in run.notifications() {
        match notification {
            Notification::Item(report) => {
                let timed_out = report.causes.iter().any(|cause| is_timeout(&cause.kind));
                if report.outcome == Outcome::Dead || timed_out {
                    controls.kill();
                }
                seen.items.push(report);
            }
            Notification::Event { event: RunEvent::WorkerExited { exit, reason, .. }, .. } => {
                // What comes after a bad end is of another process.
                seen.end.get_or_insert((exit, reason));
            }
            Notification::Event { .. } => {}
        }
    }
    run.join()?;
    Ok(seen)
}

const fn is_timeout(kind: &CauseKind) -> bool {
    matches!(kind, CauseKind::Failed(FailReason::TimedOut { .. }))
}

/// What the answers of a trial show.
fn verdict(check: &CheckWorker, trial: &Trial, seen: &Seen) -> Result<String, String> {
    if let Some((_, EndReason::Protocol(error))) = &seen.end {
        return Err(escaped(error).into_owned());
    }
    let (mut results, mut errors) = (0, 0);
    for report in &seen.items {
        let index = usize::try_from(report.item.0).unwrap_or(usize::MAX);
        let item = quoted_start(trial.items.get(index).map_or(b"", Vec::as_slice), SHOWN_CHARS_MAX);
        match (&report.outcome, report.causes.last().map(|cause| &cause.kind)) {
            (Outcome::Done, _) => results += 1,
            (Outcome::Failed, Some(CauseKind::Failed(FailReason::Message(_) | FailReason::Panicked(_)))) => errors += 1,
            (Outcome::Failed, Some(CauseKind::Failed(FailReason::Rejected(why)))) => {
                return Err(format!("item {item} cannot be sent: {why}"));
            }
            (_, Some(CauseKind::Failed(FailReason::TimedOut { limit }))) => {
                return Err(format!(
                    "no answer to item {item} within {}s{}",
                    limit.as_secs_f64(),
                    advice(check.protocol)
                ));
            }
            (_, Some(kind)) => {
                let how = kind.death().map_or_else(|| "it failed".to_owned(), |exit| exit.to_string());
                return Err(format!("it ended ({how}) while it had to answer item {item}"));
            }
            (_, None) => {
                let how = seen.end.as_ref().map_or_else(String::new, |(exit, _)| format!(" ({exit})"));
                return Err(format!("it ended{how} before it had answered item {item}"));
            }
        }
    }
    match (results, errors) {
        (0, 0) => Err("it was never ready".to_owned()),
        (results, 0) => Ok(format!("{results} results")),
        (results, errors) => Ok(format!("{results} results and {errors} errors")),
    }
}

const fn advice(protocol: ProtocolKind) -> &'static str {
    match protocol {
        ProtocolKind::Lines => {
            ": it has to print one line for each, and to write it at once (flush; mawk -W interactive, sed -u, python3 -u)"
        }
        ProtocolKind::Json => ": it has to print an object with the id of each, and to write it at once (flush)",
        ProtocolKind::Frames => "",
    }
}

/// How the worker left when all was answered.
fn leaving(seen: &Seen) -> Result<String, String> {
    match &seen.end {
        Some((exit @ ExitStatus::Code(0), EndReason::Asked)) => Ok(exit.to_string()),
        Some((exit, EndReason::Asked | EndReason::Own)) => Err(format!("it ended with {exit}, and exit 0 is expected")),
        Some(_) | None => Err("it went on, and was ended".to_owned()),
    }
}
