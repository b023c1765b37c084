//! The state of a run, as clients are shown it.
//!
//! Invariant: it decides nothing, and looks at no more than [`WORKERS_MAX`] workers.

use super::super::fleet::Fleet;
use super::super::progress::item_of;
use crate::control::answer::{ControlAnswer, RunView, WorkerView};
use crate::core::Core;
use crate::model::config::{Config, SourceSpec, WorkerSpec};
use crate::model::status::{SlotStatus, Status};
use crate::model::time::{Duration, Instant};
use crate::model::words;
use crate::sys::clock::unix_ns;
use crate::sys::process_usage::ProcessUsage;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Workers in an answer.
const WORKERS_MAX: usize = 4096;
/// The processes of more workers are not looked at.
const USAGES_MAX: usize = 256;
const WORK_CHARS_MAX: usize = 200;

/// What does not change.
pub struct RunFacts {
    run_id: String,
    work: String,
    started_unix_ms: u64,
    journal: Option<PathBuf>,
    keep_open: bool,
    /// A process is started for each item.
    is_per_item: bool,
    /// Workers are threads of this process.
    has_threads: bool,
    /// The starts of attempts are reported in any case.
    pub reports_starts: bool,
}

impl RunFacts {
    pub fn of(config: &Config) -> Self {
        let journal = config.journal.as_ref();
        Self {
            run_id: config.run_id.clone(),
            work: work(&config.worker),
            started_unix_ms: unix_ns() / 1_000_000,
            journal: journal.map(|spec| std::path::absolute(&spec.file).unwrap_or_else(|_| spec.file.clone())),
            keep_open: matches!(config.source, SourceSpec::Queue),
            is_per_item: config.policy.worker.starts_with_item(),
            has_threads: matches!(config.worker, WorkerSpec::Thread { .. }),
            reports_starts: config.policy.report_starts,
        }
    }

    /// The answer to `status`.
    pub fn status(&self, core: &Core, fleet: &mut Fleet, now: Instant) -> ControlAnswer {
        let status = core.status();
        let left_out = status.slots.len().saturating_sub(WORKERS_MAX);
        let run = self.run(&status, core.wanted_workers(), left_out, now);
        let looks = status.slots.len() <= USAGES_MAX && !self.has_threads;
        let slots = status.slots.iter().take(WORKERS_MAX);
        let workers = slots.map(|slot| self.worker(slot, core, fleet, looks, now)).collect();
        ControlAnswer { run: Some(Box::new(run)), workers: Some(workers), ..ControlAnswer::done(None) }
    }

    fn run(&self, status: &Status, workers: usize, left_out: usize, now: Instant) -> RunView {
        let totals = &status.totals;
        let journal = self.journal.as_ref();
        RunView {
            pid: std::process::id(),
            run_id: self.run_id.clone(),
            work: self.work.clone(),
            started_unix_ms: self.started_unix_ms,
            seconds: milliseconds(now.since(Instant::ZERO)),
            stage: format!("{:?}", status.stage).to_lowercase(),
            reason: status.reason.as_ref().and_then(|reason| words::why_stopping(reason, None)),
            paused: status.is_paused,
            workers: u32::try_from(workers).unwrap_or(u32::MAX),
            accepted: totals.accepted,
            done: totals.done,
            failed: totals.failed,
            dead: totals.dead,
            skipped: totals.skipped,
            at_workers: status.in_flight,
            waiting: status.queued,
            delayed: status.delayed,
            deaths: totals.deaths,
            source_ended: status.source_ended,
            journal: journal.and_then(|path| path.to_str()).map(str::to_owned),
            journal_base64: journal
                .filter(|path| path.to_str().is_none())
                .map(|path| STANDARD.encode(path.as_os_str().as_bytes())),
            keep_open: self.keep_open,
            workers_left_out: left_out as u64,
        }
    }

    fn worker(&self, slot: &SlotStatus, core: &Core, fleet: &mut Fleet, looks: bool, now: Instant) -> WorkerView {
        let usage = slot.pid.filter(|_| looks).and_then(ProcessUsage::of);
        let progress = fleet.progress(slot.worker).filter(|_| slot.lease.is_some());
        let begun = slot.incarnation.0;
        WorkerView {
            worker: slot.worker.number(),
            pid: slot.pid.filter(|_| !self.has_threads),
            incarnation: begun,
            state: slot.state.to_string(),
            stopped: slot.stopped.map(|signal| signal.name()),
            item: item_of(slot, fleet).or_else(|| progress.map(|(item, _)| item)).map(|item| item.0),
            seconds: slot.busy.map(|busy| milliseconds(Duration(busy.0 + core.time_since_fact(now).0))),
            progress: progress.map(|(_, share)| share),
            held: slot.in_flight,
            items: match self.is_per_item {
                true => u64::from(begun.saturating_sub(u32::from(slot.in_flight > 0))),
                false => slot.settled,
            },
            restarts: (!self.is_per_item).then(|| begun.saturating_sub(1)),
            rss_bytes: usage.map(|usage| usage.rss_bytes),
            cpu_seconds: usage.map(|usage| milliseconds(usage.cpu)),
        }
    }
}

/// Seconds, to the millisecond.
fn milliseconds(time: Duration) -> f64 {
    (time.0 / 1_000_000) as f64 / 1e3
}

/// What workers do, in a few words.
fn work(worker: &WorkerSpec) -> String {
    let (head, argv): (String, &[OsString]) = match worker {
        WorkerSpec::BuiltIn { task, .. } => (format!("task {task}"), &[]),
        WorkerSpec::Thread { task, .. } => (format!("task {task} on threads"), &[]),
        WorkerSpec::Frames { argv, .. } => (String::new(), argv),
        WorkerSpec::Foreign(spec) => (String::new(), &spec.argv),
        WorkerSpec::Exec(spec) => (String::new(), &spec.argv),
    };
    let words: Vec<_> = argv.iter().map(|word| word.to_string_lossy()).collect();
    let text = format!("{head}{}", words.join(" "));
    text.chars().take(WORK_CHARS_MAX).collect()
}
