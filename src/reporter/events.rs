//! `--events FILE`: each event as one JSON object a line, for tests and tools.
//!
//! Lines are buffered and written once a loop turn. The file may be a FIFO or `/dev/stderr`. If it takes less than
//! happens, the run waits as it does for stdout.

use super::object::Object;
use super::own_file::OwnFile;
use super::{Reporter, ReporterError, Settled};
use crate::model::event::{EndReason, ItemFate, RunEvent, Stage};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{RunOutcome, Settlement, StopReason};
use crate::model::signal::Signal;
use crate::model::time::Instant;
use crate::model::words;
use crate::sys::outbox::Outbox;
use std::path::Path;

/// The reporter of `--events`.
pub struct Events(OwnFile);

impl Events {
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> Result<Self, ReporterError> {
        OwnFile::create(path).map(Self)
    }
}

impl Reporter for Events {
    fn event(&mut self, now: Instant, event: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        if let Some(buffer) = self.0.buffer() {
            push_event(buffer, now, event);
        }
        Ok(())
    }

    /// Shows no results.
    fn settled(
        &mut self,
        _: Instant,
        _: &mut Settled<'_>,
        _: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        Ok(())
    }

    fn file(&mut self) -> Option<&mut OwnFile> {
        Some(&mut self.0)
    }

    /// The engine writes the file.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

fn begin<'a>(out: &'a mut Vec<u8>, now: Instant, name: &str) -> Object<'a> {
    let mut object = Object::begin(out);
    object.text("event", name);
    object.seconds("t", now.0);
    object
}

fn begin_process<'a>(
    out: &'a mut Vec<u8>,
    now: Instant,
    name: &str,
    worker: WorkerId,
    incarnation: Incarnation,
    pid: Option<u32>,
) -> Object<'a> {
    let mut object = begin(out, now, name);
    object.number("worker", u64::from(worker.number()));
    object.number("incarnation", u64::from(incarnation.0));
    object.number_if("pid", pid.map(u64::from));
    object
}

/// `process`: its slot, incarnation and pid.
fn begin_attempt<'a>(
    out: &'a mut Vec<u8>,
    now: Instant,
    name: &str,
    item: ItemId,
    attempt: Attempt,
    (worker, incarnation, pid): (WorkerId, Incarnation, u32),
) -> Object<'a> {
    let mut object = begin(out, now, name);
    object.number("item", item.0);
    object.number("attempt", u64::from(attempt.0));
    object.number("worker", u64::from(worker.number()));
    object.number("incarnation", u64::from(incarnation.0));
    object.number("pid", u64::from(pid));
    object
}

/// Appends an event as a line, or as one for each item that it is about.
pub(super) fn push_event(out: &mut Vec<u8>, now: Instant, event: &RunEvent) {
    match event {
        RunEvent::RunStarted { workers } => push_workers(begin(out, now, "run_started"), *workers),
        RunEvent::WorkerSpawned { worker, incarnation, pid } => {
            begin_process(out, now, "worker_spawned", *worker, *incarnation, Some(*pid)).end_line();
        }
        RunEvent::WorkerNotSpawned { worker, incarnation, error } => {
            let mut object = begin_process(out, now, "worker_not_spawned", *worker, *incarnation, None);
            object.text("error", error);
            object.end_line();
        }
        RunEvent::WorkerReady { worker, incarnation, pid } => {
            begin_process(out, now, "worker_ready", *worker, *incarnation, Some(*pid)).end_line();
        }
        RunEvent::WorkerExited { worker, incarnation, pid, exit, reason, item, items, usage, stderr, .. } => {
            let object = begin_process(out, now, "worker_exited", *worker, *incarnation, Some(*pid));
            push_exit(object, *exit, reason, *item, *items, *usage, stderr.as_deref());
        }
        RunEvent::WorkerStopped { worker, incarnation, pid, signal, item, .. } => {
            let object = begin_process(out, now, "worker_stopped", *worker, *incarnation, Some(*pid));
            push_signal(object, *signal, "item", item.map(|item| item.0));
        }
        RunEvent::WorkerContinued { worker, incarnation, pid } => {
            begin_process(out, now, "worker_continued", *worker, *incarnation, Some(*pid)).end_line();
        }
        RunEvent::WorkerRestarting { worker, incarnation, delay } => {
            let mut object = begin_process(out, now, "worker_restarting", *worker, *incarnation, None);
            object.seconds("delay", delay.0);
            object.end_line();
        }
        RunEvent::ItemStarted { item, attempt, worker, incarnation, pid } => {
            begin_attempt(out, now, "item_started", *item, *attempt, (*worker, *incarnation, *pid)).end_line();
        }
        RunEvent::ItemsReturned { first, count, attempt, worker, incarnation, pid, running } => {
            for item in (0..*count).map(|index| first.plus(u64::from(index))) {
                let process = (*worker, *incarnation, *pid);
                let mut object = begin_attempt(out, now, "item_returned", item, *attempt, process);
                object.flag("running", *running == Some(item));
                object.end_line();
            }
        }
        RunEvent::ItemRetried { item, attempt, delay, cause, .. } => {
            let mut object = begin(out, now, "item_retried");
            object.number("item", item.0);
            object.number("attempt", u64::from(attempt.0));
            object.seconds("delay", delay.0);
            object.cause("cause", cause);
            object.end_line();
        }
        RunEvent::ItemsSettled(settlement) => push_settlement(out, now, settlement),
        RunEvent::SourceLost { error } => push_source_lost(begin(out, now, "source_lost"), error),
        RunEvent::SignalReceived { signal, sender_pid } => {
            push_signal(begin(out, now, "signal_received"), *signal, "sender_pid", sender_pid.map(u64::from));
        }
        RunEvent::Stopping { stage, reason } => push_stopping(begin(out, now, "stopping"), *stage, reason),
        RunEvent::Scaled { from, to } => push_scaled(begin(out, now, "scaled"), *from, *to),
        RunEvent::RestartBegun { workers } => push_workers(begin(out, now, "restart_started"), *workers),
        RunEvent::RestartEnded { replaced, error } => {
            push_restart_end(begin(out, now, "restart_finished"), *replaced, error.as_deref());
        }
        RunEvent::RunPaused => begin(out, now, "run_paused").end_line(),
        RunEvent::RunContinued => begin(out, now, "run_continued").end_line(),
        RunEvent::RunFinished(outcome) => push_finish(begin(out, now, "run_finished"), outcome),
        RunEvent::WorkerSignalled { .. } => push_signalled(out, now, event),
        RunEvent::Chaos { .. } => push_chaos(out, now, event),
    }
}

fn push_chaos(out: &mut Vec<u8>, now: Instant, event: &RunEvent) {
    let RunEvent::Chaos { kind, worker, incarnation, pid, item, time } = event else { return };
    let mut object = begin_process(out, now, "chaos", *worker, *incarnation, Some(*pid));
    object.text("kind", kind.name());
    object.number_if("item", item.map(|item| item.0));
    if let Some(time) = time {
        object.seconds("time", time.0);
    }
    object.end_line();
}

/// A signal, and a number that may be unknown.
fn push_signal(mut object: Object<'_>, signal: Signal, key: &str, number: Option<u64>) {
    object.number("signal", u64::from(signal.0));
    object.text("name", &signal.name());
    object.number_if(key, number);
    object.end_line();
}

fn push_stopping(mut object: Object<'_>, stage: Stage, reason: &StopReason) {
    object.text("stage", &format!("{stage:?}").to_ascii_lowercase());
    push_reason(&mut object, reason);
    object.end_line();
}

fn push_workers(mut object: Object<'_>, workers: u32) {
    object.number("workers", u64::from(workers));
    object.end_line();
}

fn push_restart_end(mut object: Object<'_>, replaced: u32, error: Option<&str>) {
    object.number("replaced", u64::from(replaced));
    if let Some(error) = error {
        object.text("error", error);
    }
    object.end_line();
}

fn push_signalled(out: &mut Vec<u8>, now: Instant, event: &RunEvent) {
    if let RunEvent::WorkerSignalled { worker, incarnation, pid, signal } = event {
        let object = begin_process(out, now, "worker_signalled", *worker, *incarnation, Some(*pid));
        push_signal(object, *signal, "item", None);
    }
}

fn push_scaled(mut object: Object<'_>, from: u32, to: u32) {
    object.number("from", u64::from(from));
    object.number("to", u64::from(to));
    object.end_line();
}

fn push_source_lost(mut object: Object<'_>, error: &str) {
    object.text("error", error);
    object.end_line();
}

fn push_exit(
    mut object: Object<'_>,
    exit: ExitStatus,
    reason: &EndReason,
    item: Option<(ItemId, ItemFate)>,
    items: u64,
    usage: Usage,
    stderr: Option<&str>,
) {
    object.exit("exit", exit);
    object.text("reason", words::reason(reason));
    if let EndReason::Protocol(error) = reason {
        object.text("error", error);
    }
    if let Some((item, fate)) = item {
        object.number("item", item.0);
        if let ItemFate::Again(attempt) = fate {
            object.number("next_attempt", u64::from(attempt.0));
        }
    }
    object.number("items", items);
    object.seconds("user", usage.user_us.saturating_mul(1000));
    object.seconds("system", usage.system_us.saturating_mul(1000));
    object.number("rss_max_kib", usage.rss_max_kib);
    if let Some(stderr) = stderr {
        object.text("stderr", stderr);
    }
    object.end_line();
}

/// One line for each item of the settlement.
fn push_settlement(out: &mut Vec<u8>, now: Instant, settlement: &Settlement) {
    for index in 0..settlement.count {
        let mut object = begin(out, now, "item_settled");
        object.number("item", settlement.first.plus(u64::from(index)).0);
        object.text("outcome", words::outcome(&settlement.outcome));
        object.number_if("attempt", (settlement.attempts > 0).then_some(u64::from(settlement.attempts)));
        object.number_if("worker", settlement.worker.map(|worker| u64::from(worker.number())));
        object.number_if("incarnation", settlement.incarnation.map(|incarnation| u64::from(incarnation.0)));
        object.number_if("pid", settlement.pid.map(u64::from));
        if !settlement.causes.is_empty() {
            object.causes(settlement);
        }
        object.end_line();
    }
}

fn push_reason(object: &mut Object<'_>, reason: &StopReason) {
    let (name, detail) = match reason {
        StopReason::SourceEnded => ("source_ended", None),
        StopReason::HaltMet => ("halt_met", None),
        StopReason::HaltFailed => ("halt_failed", None),
        StopReason::HaltExit { .. } => ("halt_exit", None),
        StopReason::SinkClosed => ("sink_closed", None),
        StopReason::RunTimeout => ("run_timeout", None),
        StopReason::RestartLimit { last, .. } => ("restart_limit", Some(last)),
        StopReason::DeadLimit { .. } => ("dead_limit", None),
        StopReason::CommandLost { error, .. } => ("command_lost", Some(error)),
        StopReason::Aborted { .. } => ("aborted", None),
        StopReason::SourceLost(error) => ("source_lost", Some(error)),
        StopReason::SourceDiffers(error) => ("source_differs", Some(error)),
        StopReason::SinkLost(error) => ("sink_lost", Some(error)),
        StopReason::StorageLost(error) => ("storage_lost", Some(error)),
        StopReason::Requested => ("requested", None),
        StopReason::Signal(_) => ("signal", None),
    };
    object.text("reason", name);
    if let Some(detail) = detail {
        object.text("error", detail);
    }
    match reason {
        StopReason::RestartLimit { worker, .. } => object.number("worker", u64::from(worker.number())),
        StopReason::HaltExit { exit } => object.exit("exit", *exit),
        StopReason::DeadLimit { dead } => object.number("dead", u64::from(*dead)),
        StopReason::Aborted { signal: Some(signal) } | StopReason::Signal(signal) => {
            object.number("signal", u64::from(signal.0))
        }
        _ => {}
    }
}

fn push_finish(mut object: Object<'_>, outcome: &RunOutcome) {
    let totals = &outcome.totals;
    push_reason(&mut object, &outcome.reason);
    object.number("items", totals.accepted);
    object.number("done", totals.done);
    object.number("failed", totals.failed);
    object.number("dead", totals.dead);
    object.number("skipped", totals.skipped);
    object.number("interrupted", totals.interrupted);
    object.number("declined", totals.declined);
    object.number("retried", totals.retried);
    object.number("deaths", totals.deaths);
    object.number("spawned", totals.spawned);
    object.number("stale", totals.stale);
    let is_by_chaos = totals.chaos_deaths > 0;
    object.number_if("chaos_deaths", is_by_chaos.then_some(totals.chaos_deaths));
    object.number_if("chaos_returned", is_by_chaos.then_some(totals.chaos_returned));
    object.end_line();
}
