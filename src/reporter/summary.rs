//! The table on stderr at the end: the worker processes and how each ended, the failed and dead items with their causes,
//! what the [`Digest`] has of items, and a line of totals.
//!
//! Invariant: memory is bounded, however many processes a run has. The first `ROWS_MAX` processes have a row and the
//! others are counted; failed and dead items likewise. With a process per item there is a row for each slot.

use super::digest::Digest;
use super::own_file::OwnFile;
use super::{Reporter, ReporterError, Settled};
use crate::model::config::{OutputMode, OutputSpec, SummaryMode};
use crate::model::event::{EndReason, RunEvent};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Incarnation, WorkerId};
use crate::model::outcome::{Outcome, RunOutcome, Settlement, StopReason, Totals};
use crate::model::spec::Policy;
use crate::model::time::Instant;
use crate::model::words::{self, counted, escaped};
use crate::sys::outbox::Outbox;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

const ROWS_MAX: usize = 50;
const UNSUCCESSFUL_MAX: usize = 10;
/// Different exits that a slot's row lists.
const EXITS_MAX: usize = 4;

/// The reporter of `--summary`.
pub struct Summary {
    mode: SummaryMode,
    per_item: bool,
    /// By slot and incarnation; with a process per item by slot alone.
    rows: BTreeMap<(WorkerId, Incarnation), SummaryRow>,
    rows_left_out: u64,
    /// The first failed and dead items.
    unsuccessful: Vec<Settlement>,
    left_out: u64,
    digest: Option<Rc<RefCell<Digest>>>,
    /// It was asked for, also if nothing is unusual.
    asked_for: bool,
    /// A worker has sent its hello, or a command was started.
    any_was_ready: bool,
    /// The run has a plan of chaos.
    has_chaos: bool,
}

/// A process, or all the processes of a slot.
#[derive(Default)]
struct SummaryRow {
    pid: u32,
    processes: u64,
    items: u64,
    usage: Usage,
    /// How processes ended, and how many ended that way.
    exits: Vec<(String, u64)>,
}

impl SummaryRow {
    fn count_exit(&mut self, exit: String) {
        if let Some((_, count)) = self.exits.iter_mut().find(|(known, _)| *known == exit) {
            *count += 1;
        } else if self.exits.len() < EXITS_MAX {
            self.exits.push((exit, 1));
        } else if let Some(last) = self.exits.last_mut() {
            *last = ("other ends".to_owned(), last.1 + 1);
        }
    }

    fn exits(&self) -> String {
        match self.exits.as_slice() {
            [(exit, 1)] => exit.clone(),
            several => {
                let parts: Vec<String> = several.iter().map(|(exit, count)| format!("{count} x {exit}")).collect();
                parts.join(", ")
            }
        }
    }
}

impl Summary {
    /// `None` if the run has no summary.
    #[must_use]
    pub fn new(output: &OutputSpec, policy: &Policy, digest: Option<&Rc<RefCell<Digest>>>) -> Option<Self> {
        let mode = match output.summary {
            SummaryMode::Never => return None,
            SummaryMode::Auto if output.quiet => return None,
            SummaryMode::Auto if output.mode == OutputMode::Narrate => SummaryMode::Always,
            mode => mode,
        };
        Some(Self {
            mode,
            per_item: policy.worker.starts_with_item(),
            rows: BTreeMap::new(),
            rows_left_out: 0,
            unsuccessful: Vec::new(),
            left_out: 0,
            digest: digest.cloned(),
            asked_for: output.summary == SummaryMode::Always,
            any_was_ready: policy.worker.starts_with_item(),
            has_chaos: policy.chaos.is_some(),
        })
    }

    fn exited(
        &mut self,
        key: (WorkerId, Incarnation),
        pid: u32,
        (exit, reason): (ExitStatus, &EndReason),
        items: u64,
        usage: Usage,
    ) {
        let key = if self.per_item { (key.0, Incarnation(0)) } else { key };
        if self.rows.len() >= ROWS_MAX && !self.rows.contains_key(&key) {
            self.rows_left_out += 1;
            return;
        }
        let row = self.rows.entry(key).or_default();
        row.pid = pid;
        row.processes += 1;
        row.items += items;
        row.usage.user_us += usage.user_us;
        row.usage.system_us += usage.system_us;
        row.usage.rss_max_kib = row.usage.rss_max_kib.max(usage.rss_max_kib);
        row.count_exit(words::exit(exit, reason));
    }

    fn keep_unsuccessful(&mut self, settlement: &Settlement) {
        if !matches!(settlement.outcome, Outcome::Failed | Outcome::Dead) {
            return;
        }
        if self.unsuccessful.len() < UNSUCCESSFUL_MAX {
            self.unsuccessful.push(settlement.clone());
        } else {
            self.left_out += 1;
        }
    }

    fn is_wanted(&self, outcome: &RunOutcome) -> bool {
        let totals = &outcome.totals;
        let as_planned = matches!(outcome.reason, StopReason::SourceEnded | StopReason::HaltMet);
        let all_well =
            as_planned && totals.failed + totals.dead + (totals.skipped - totals.declined) + totals.deaths == 0;
        match self.mode {
            SummaryMode::Always => true,
            SummaryMode::Auto if self.has_chaos => outcome.reason != StopReason::SinkClosed,
            // The notice says all: no worker has ever worked.
            SummaryMode::Auto if matches!(outcome.reason, StopReason::RestartLimit { .. }) && !self.any_was_ready => {
                false
            }
            // The reader of stdout has gone and wants nothing more.
            SummaryMode::Auto => !all_well && outcome.reason != StopReason::SinkClosed,
            SummaryMode::Never => false,
        }
    }

    fn table(&self) -> String {
        let mut lines: Vec<[String; 6]> = Vec::with_capacity(self.rows.len() + 1);
        let second = if self.per_item { "processes" } else { "pid" };
        lines.push(["worker", second, "items", "cpu", "memory", "ended by"].map(str::to_owned));
        for ((worker, _), row) in &self.rows {
            let cpu_ms = (row.usage.user_us + row.usage.system_us) / 1000;
            lines.push([
                worker.to_string(),
                if self.per_item { row.processes } else { u64::from(row.pid) }.to_string(),
                row.items.to_string(),
                format!("{}.{:03} s", cpu_ms / 1000, cpu_ms % 1000),
                format!("{}.{} MiB", row.usage.rss_max_kib / 1024, row.usage.rss_max_kib % 1024 * 10 / 1024),
                row.exits(),
            ]);
        }
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3), width(4)];
        let mut text = String::new();
        for line in &lines {
            for (cell, width) in line.iter().zip(widths) {
                text.push_str(&format!("{cell:>width$}  "));
            }
            text.push_str(&line[5]);
            text.push('\n');
        }
        if self.rows_left_out > 0 {
            text.push_str(&format!("and {} more\n", self.rows_left_out));
        }
        text
    }

    /// A line for each failed or dead item with the cause of each of its attempts.
    fn unsuccessful_items(&self) -> String {
        let mut text = String::new();
        for settlement in &self.unsuccessful {
            let what = if settlement.outcome == Outcome::Dead { "is dead" } else { "failed" };
            text.push_str(&format!("{} {what}: ", words::item(settlement)));
            for (index, cause) in settlement.causes.iter().enumerate() {
                text.push_str(if index > 0 { "; " } else { "" });
                // As many causes are kept of the first attempts as of the last ones.
                if settlement.causes_omitted > 0 && 2 * index == settlement.causes.len() {
                    text.push_str(&format!("{} more; ", settlement.causes_omitted));
                }
                text.push_str(&format!("attempt {}", cause.attempt));
                if let (Some(worker), Some(pid)) = (cause.worker, cause.pid) {
                    text.push_str(&format!(", worker {worker} (pid {pid})"));
                }
                text.push_str(&format!(": {}", escaped(&words::cause(cause))));
            }
            text.push('\n');
        }
        if self.left_out > 0 {
            let more = counted(self.left_out, "more failed or dead item", "more failed or dead items");
            text.push_str(&format!("and {more}\n"));
        }
        text
    }
}

/// `20 items: 20 done, 0 failed, 0 dead, 0 skipped; 5 processes, 0 deaths; 0.012 s`
fn totals_line(now: Instant, totals: &Totals) -> String {
    let mut line = format!(
        "{}: {} done, {} failed, {} dead, {} skipped; {}, {}",
        counted(totals.accepted, "item", "items"),
        totals.done,
        totals.failed,
        totals.dead,
        totals.skipped,
        counted(totals.spawned, "process", "processes"),
        counted(totals.deaths, "death", "deaths"),
    );
    if totals.declined > 0 {
        line.push_str(&format!(", {} left out", totals.declined));
    }
    if totals.interrupted > 0 {
        line.push_str(&format!(", {} interrupted", totals.interrupted));
    }
    if totals.retried > 0 {
        line.push_str(&format!(", {}", counted(totals.retried, "more attempt", "more attempts")));
    }
    line.push_str(&format!("; {:.3} s\n", now.as_secs_f64()));
    line
}

/// `17 deaths by chaos, 17 items returned or tried again, 0 lost`
fn chaos_line(totals: &Totals) -> String {
    format!(
        "{} by chaos, {} returned or tried again, {} lost\n",
        counted(totals.chaos_deaths, "death", "deaths"),
        counted(totals.chaos_returned, "item", "items"),
        totals.accepted.saturating_sub(totals.settled()),
    )
}

impl Reporter for Summary {
    fn event(&mut self, now: Instant, event: &RunEvent, _: &mut Outbox, err: &mut Outbox) -> Result<(), ReporterError> {
        match event {
            RunEvent::WorkerExited { worker, incarnation, pid, exit, reason, items, usage, .. } => {
                self.exited((*worker, *incarnation), *pid, (*exit, reason), *items, *usage);
            }
            RunEvent::WorkerReady { .. } => self.any_was_ready = true,
            RunEvent::ItemsSettled(settlement) => self.keep_unsuccessful(settlement),
            RunEvent::RunFinished(outcome) if self.is_wanted(outcome) => {
                let buffer = err.buffer();
                if !self.rows.is_empty() {
                    buffer.extend_from_slice(self.table().as_bytes());
                }
                buffer.extend_from_slice(self.unsuccessful_items().as_bytes());
                if let Some(digest) = &self.digest {
                    buffer.extend_from_slice(digest.borrow().text(self.asked_for).as_bytes());
                }
                buffer.extend_from_slice(totals_line(now, &outcome.totals).as_bytes());
                if self.has_chaos {
                    buffer.extend_from_slice(chaos_line(&outcome.totals).as_bytes());
                }
            }
            _ => {}
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

    /// Has no file of its own.
    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    /// Has nothing elsewhere.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}
