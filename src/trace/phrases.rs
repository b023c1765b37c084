//! Facts, orders and events in words. Text from outside is passed on as it is: whoever shows it escapes it.

use crate::core::action::Action;
use crate::core::input::{Input, Relief, SpawnFailure};
use crate::model::command::Command;
use crate::model::event::{EndReason, ItemFate, RunEvent, Stage};
use crate::model::ids::{Batch, ItemId};
use crate::model::outcome::{Outcome, Settlement, StopReason};
use crate::model::time::Duration;
use crate::model::words::{self, counted, seconds};

/// `item 7`, `items 7-12`.
#[must_use]
pub fn items(first: ItemId, count: u32) -> String {
    match count {
        0 | 1 => format!("item {first}"),
        _ => format!("items {first}-{}", first.plus(u64::from(count - 1))),
    }
}

/// `item 7, attempt 2`; the first attempt is not named.
#[must_use]
pub fn batch(batch: Batch) -> String {
    let items = items(batch.first, batch.count);
    if batch.attempt.0 > 1 { format!("{items}, attempt {}", batch.attempt) } else { items }
}

/// `512 B`, `1.5 KiB`, `20 MiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// `12 us`, `3.4 ms`, `1.2 s`: three digits are enough for people.
#[must_use]
pub fn length(length: Duration) -> String {
    let us = length.0 as f64 / 1e3;
    match us {
        ..10.0 => format!("{us:.1} us"),
        ..1e3 => format!("{us:.0} us"),
        ..1e4 => format!("{:.1} ms", us / 1e3),
        ..1e6 => format!("{:.0} ms", us / 1e3),
        ..1e7 => format!("{:.2} s", us / 1e6),
        _ => format!("{:.1} s", us / 1e6),
    }
}

/// `descriptors 0 (/dev/null), 4 (items)`.
#[must_use]
pub fn descriptors(fds: &[(i32, String)]) -> String {
    let named: Vec<_> = fds.iter().map(|(number, meaning)| format!("{number} ({meaning})")).collect();
    format!("descriptors {}", named.join(", "))
}

/// What a fact says.
#[must_use]
pub fn fact(input: &Input) -> String {
    match input {
        Input::Start => "the run begins".to_owned(),
        Input::BatchArrived { first, count, priority: 0 } => format!("{} arrived", items(*first, *count)),
        Input::BatchArrived { first, priority, .. } => format!("item {first} arrived, with priority {priority}"),
        Input::ItemRejected { item, reason } => format!("item {item} cannot be handed out: {reason}"),
        Input::Restored { first, count, .. } => {
            format!("{} have their outcome from an earlier run", items(*first, *count))
        }
        Input::SourceIdle => "the source has nothing at the moment".to_owned(),
        Input::SourceEnded => "the source has ended".to_owned(),
        Input::SourceLost { error } => format!("the source is lost: {error}"),
        Input::GivenUp { item } => format!("item {item} is given up"),
        Input::SignalNoted { signal, .. } => format!("signal {signal}"),
        Input::SourceDiffers { error } => format!("failed to {error}"),
        Input::ArrivedAgain { first, count, attempt, .. } => {
            format!("{} arrived again, for attempt {attempt}", items(*first, *count))
        }
        Input::Spawned { pid, .. } => format!("it runs as pid {pid}"),
        Input::SpawnFailed { error, .. } => format!("it cannot be started: failed to {}", spawn_failure(error)),
        Input::Hello { .. } => "it said hello".to_owned(),
        Input::Settled { first, count, attempt, .. } => {
            format!("{} done", batch(Batch { first: *first, count: *count, attempt: *attempt }))
        }
        Input::ResultBegins { item, .. } => format!("a large result of item {item} begins"),
        Input::Failed { item, reason, .. } => format!("item {item} failed: {reason}"),
        Input::ProbeResult { running: Some(item), .. } => format!("it is at item {item}"),
        Input::ProbeResult { running: None, .. } => "it is at no item that can be seen".to_owned(),
        Input::TimeExcluded { .. } => "its time does not count while nothing is read from it".to_owned(),
        Input::Stopped { by: Some(signal), .. } => format!("signal {signal} has stopped it"),
        Input::Stopped { by: None, .. } => "it goes on after a stop".to_owned(),
        Input::ChannelClosed { .. } => "it closed its channel".to_owned(),
        Input::ProtocolError { error, .. } => format!("it broke the protocol: {error}"),
        Input::Exited { status, running: Some(item), .. } => format!("it ended at item {item}: {status}"),
        Input::Exited { status, running: None, .. } => format!("it ended: {status}"),
        Input::OutputHeld { .. } => "it has ended, and what it left behind holds its output open".to_owned(),
        Input::Command { command, .. } => format!("asked to {}", command_name(*command)),
        Input::Congested { congested: true } => "the output takes less than the workers give".to_owned(),
        Input::Congested { congested: false } => "the output takes enough again".to_owned(),
        Input::StartsPermitted { count: Some(0) } => "no process may be started for the moment".to_owned(),
        Input::StartsPermitted { count: Some(count) } => {
            format!("{} may be started", counted(u64::from(*count), "process", "processes"))
        }
        Input::StartsPermitted { count: None } => "any number of processes may be started".to_owned(),
        Input::Relief(Relief::Run { count }) => {
            format!("the machine is short: {} on", counted(u64::from(*count), "worker goes", "workers go"))
        }
        Input::Relief(Relief::GoOn) => "one more worker may go on".to_owned(),
        Input::Relief(Relief::EndYoungest) => "the machine is short: the worker that began last makes room".to_owned(),
        Input::SinkClosed => "the reader of stdout is gone".to_owned(),
        Input::SinkLost { error } | Input::StorageLost { error } => format!("failed to {error}"),
        Input::TakenBack { item, .. } => format!("item {item} is not started by it"),
    }
}

fn spawn_failure(failure: &SpawnFailure) -> &str {
    match failure {
        SpawnFailure::Declined => "get a yes: the item is left out",
        SpawnFailure::Shortage(error)
        | SpawnFailure::Item(error)
        | SpawnFailure::Unfit(error)
        | SpawnFailure::Lost { error, .. }
        | SpawnFailure::Program(error) => error,
    }
}

fn command_name(command: Command) -> String {
    match command {
        Command::Stop => "stop".to_owned(),
        Command::Drain => "drain".to_owned(),
        Command::Terminate => "terminate the workers".to_owned(),
        Command::Kill => "kill the workers".to_owned(),
        Command::Status => "show its state".to_owned(),
        Command::SignalWorker { worker, signal } => format!("send signal {signal} to worker {worker}"),
        Command::ReportStarts { wanted: true } => "report the start of each attempt".to_owned(),
        Command::ReportStarts { wanted: false } => "report the start of attempts as before".to_owned(),
        Command::Scale { workers } => format!("go on with {}", counted(u64::from(workers), "worker", "workers")),
        Command::Restart { worker: None } => "restart the workers".to_owned(),
        Command::Restart { worker: Some(worker) } => format!("restart worker {worker}"),
        Command::AddWorker => "go on with one worker more".to_owned(),
        Command::RemoveWorker => "go on with one worker fewer".to_owned(),
        Command::Pause => "pause".to_owned(),
        Command::Continue => "go on".to_owned(),
    }
}

/// What an order says. One that reports an event says what the event says.
#[must_use]
pub fn order(action: &Action) -> String {
    match action {
        Action::Demand { items: 0 } => "take nothing from the source".to_owned(),
        Action::Demand { items } => format!("take up to {} from the source", counted(*items, "item", "items")),
        Action::CloseSource => "close the source".to_owned(),
        Action::Spawn { batch: Some(of), .. } => format!("start a process for {}", batch(*of)),
        Action::Spawn { batch: None, .. } => "start a process".to_owned(),
        Action::Dispatch { batch: of, .. } => format!("send {}", batch(*of)),
        Action::CloseInput { .. } => "asked to leave".to_owned(),
        Action::Recall { .. } => "asked to leave after the item it is at".to_owned(),
        Action::Probe { .. } => "look at which item it is".to_owned(),
        Action::Kill { signal, .. } => format!("signal {signal}"),
        Action::Settle { settlement, .. } => self::settlement(settlement),
        Action::Commit { first, count } => format!("the turn of {} has come", items(*first, *count)),
        Action::ShowStatus(_) => "show the state of the run".to_owned(),
        Action::Because(reason) => format!("because {reason}"),
        Action::Report(event) => self::event(event),
        Action::Finish(_) => "the run is over".to_owned(),
        Action::InHand { batch: of, .. } => format!("start a process for {} next", batch(*of)),
        Action::TakeBack { .. } => "asked for what it is to start next".to_owned(),
    }
}

/// `item 7 is dead after 3 attempts: signal 9 (KILL)`.
#[must_use]
pub fn settlement(settlement: &Settlement) -> String {
    let Settlement { first, count, outcome, attempts, causes, .. } = settlement;
    let (is, items) = (if *count > 1 { "are" } else { "is" }, items(*first, *count));
    let attempts = counted(u64::from(*attempts), "attempt", "attempts");
    match outcome {
        Outcome::Done if causes.is_empty() => format!("{items} {is} done"),
        Outcome::Done => format!("{items} {is} done after {attempts}"),
        Outcome::Failed if causes.is_empty() => format!("{items} failed"),
        Outcome::Failed => format!("{items} failed after {attempts}: {}", words::last_cause(causes)),
        Outcome::Dead => format!("{items} {is} dead after {attempts}: {}", words::last_cause(causes)),
        Outcome::Skipped => format!("{items} {is} skipped"),
    }
}

/// What an event says.
#[must_use]
pub fn event(event: &RunEvent) -> String {
    match event {
        RunEvent::RunStarted { workers } => {
            format!("begins with {}", counted(u64::from(*workers), "worker", "workers"))
        }
        RunEvent::WorkerSpawned { pid, .. } => format!("started as pid {pid}"),
        RunEvent::WorkerNotSpawned { error, .. } => format!("not started: failed to {error}"),
        RunEvent::WorkerReady { .. } => "is ready".to_owned(),
        RunEvent::WorkerExited { .. } => exit(event),
        RunEvent::WorkerStopped { signal, .. } => format!("stopped by signal {signal}"),
        RunEvent::WorkerContinued { .. } => "goes on".to_owned(),
        RunEvent::WorkerRestarting { delay: Duration::ZERO, .. } => "another process is started at once".to_owned(),
        RunEvent::WorkerRestarting { delay, .. } => format!("another process is started in {}", seconds(*delay)),
        RunEvent::ItemStarted { item, attempt, .. } => {
            format!("is at {}", batch(Batch { first: *item, count: 1, attempt: *attempt }))
        }
        RunEvent::ItemsReturned { first, count, .. } => {
            format!("{} back in the queue, uncharged", items(*first, *count))
        }
        RunEvent::ItemRetried { item, attempt, delay, cause, .. } => {
            let when = if *delay == Duration::ZERO { String::new() } else { format!(" in {}", seconds(*delay)) };
            format!("item {item} is tried again{when}, attempt {attempt}: {}", words::cause(cause))
        }
        RunEvent::ItemsSettled(settlement) => self::settlement(settlement),
        RunEvent::SourceLost { error } => format!("the source is lost: {error}"),
        RunEvent::SignalReceived { signal, sender_pid: Some(pid) } => format!("signal {signal} from pid {pid}"),
        RunEvent::SignalReceived { signal, sender_pid: None } => format!("signal {signal}"),
        RunEvent::Stopping { stage, reason } => {
            let why = match reason {
                StopReason::SinkClosed => Some("the reader of stdout is gone".to_owned()),
                StopReason::Signal(signal) => Some(format!("signal {signal}")),
                reason => words::why_stopping(reason, None),
            };
            let how = match stage {
                Stage::Running | Stage::Draining => "stops: running items may finish",
                Stage::Terminating => "stops: workers are ended",
                Stage::Killing => "stops: workers are killed",
                Stage::Finished => "stops",
            };
            why.map_or_else(|| how.to_owned(), |why| format!("{how} ({why})"))
        }
        RunEvent::Chaos { kind, item, time, .. } => {
            let at = item.map(|item| format!(" at item {item}")).unwrap_or_default();
            let length = time.map(|time| format!(" for {}", seconds(time))).unwrap_or_default();
            format!("{kind} by chaos{at}{length}")
        }
        RunEvent::Scaled { from, to } => format!("goes on with {to} workers instead of {from}"),
        RunEvent::RestartBegun { workers } => {
            format!("restarts {}, one after another", counted(u64::from(*workers), "worker", "workers"))
        }
        RunEvent::RestartEnded { replaced, error: None } => {
            format!("has replaced {}", counted(u64::from(*replaced), "worker", "workers"))
        }
        RunEvent::RestartEnded { error: Some(error), .. } => format!("replaces no worker: failed to {error}"),
        RunEvent::RunPaused => "is paused".to_owned(),
        RunEvent::RunContinued => "goes on".to_owned(),
        RunEvent::WorkerSignalled { signal, .. } => format!("is sent signal {signal}, as asked"),
        RunEvent::RunFinished(outcome) => {
            let totals = &outcome.totals;
            format!(
                "ends: {} of {} done, {} failed, {} dead, {} skipped",
                totals.done,
                counted(totals.accepted, "item", "items"),
                totals.failed,
                totals.dead,
                totals.skipped
            )
        }
    }
}

/// `exit 0`, `signal 9 (KILL) at item 7, which is tried again, attempt 2; 3 more go back`.
fn exit(event: &RunEvent) -> String {
    let RunEvent::WorkerExited { exit, reason, item, waiting, .. } = event else { return String::new() };
    let mut text = words::exit(*exit, reason);
    match item {
        Some((item, ItemFate::Again(attempt))) if attempt.0 > 1 => {
            text.push_str(&format!(" at item {item}, which is tried again, attempt {attempt}"));
        }
        Some((item, ItemFate::Again(_))) => text.push_str(&format!(" at item {item}, which goes back uncharged")),
        Some((item, ItemFate::Settled)) => text.push_str(&format!(" at item {item}")),
        None => {}
    }
    if *waiting > 0 {
        text.push_str(&format!("; {} more that waited there", counted(*waiting, "item", "items")));
    }
    text
}

/// Whether the end of a process is something that a person looks for.
#[must_use]
pub fn is_bad_end(event: &RunEvent) -> bool {
    match event {
        RunEvent::WorkerExited { exit, reason: EndReason::Asked | EndReason::Own, .. } => !exit.is_success(),
        RunEvent::WorkerExited {
            reason: EndReason::Stopped | EndReason::Strategy | EndReason::Relief | EndReason::GivenUp | EndReason::Chaos,
            ..
        } => false,
        RunEvent::WorkerExited { .. } | RunEvent::WorkerNotSpawned { .. } | RunEvent::SourceLost { .. } => true,
        _ => false,
    }
}

/// A moment in UTC, `2026-11-27T10:31:33Z`.
#[must_use]
pub fn rfc_3339(unix_ns: u64) -> String {
    let secs = i64::try_from(unix_ns / 1_000_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(secs).map_or_else(|_| "at an unknown time".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(rfc_3339(1_795_775_493_999_999_999), "2026-11-27T10:31:33Z");
        assert_eq!(rfc_3339(u64::MAX), "2554-07-21T23:34:33Z");
    }
}
