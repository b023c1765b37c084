//! Lesson `countdown`: a slow task is stopped in the middle.

use super::error::TourError;
use super::report::{Unit, millis};
use super::runs::{EndedRun, follow, quiet, result_of};
use super::stage::LessonStage;
use super::text::countdown as text;
use crate::config::{Credit, Duration};
use crate::events::{ItemReport, Notification, RunEvent};
use crate::outcomes::{CauseKind, Outcome};
use crate::sys::clock;
use crate::{Run, start};

const ITEMS: usize = 16;
const DELAY_MS: u64 = 100;
/// At least so many are done when the stop is asked for.
const STOP_AT: usize = 4;
const WORKERS: u32 = 2;

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::TASK, &[("items", &ITEMS), ("delay", &DELAY_MS), ("stop", &STOP_AT)])?;
    let (drained, done_after_stop) = &stopped(stage, "drain", Run::drain)?;
    let totals = &drained.outcome.totals;
    let is_balanced = |run: &EndedRun| {
        let totals = &run.outcome.totals;
        let is_each_once =
            (0..ITEMS as u64).all(|item| run.items.iter().filter(|report| report.item.0 == item).count() == 1);
        is_each_once && totals.accepted == totals.done + totals.skipped && totals.accepted == ITEMS as u64
    };
    stage.claim(&text::RUNNING_FINISH, totals.interrupted == 0 && totals.done >= STOP_AT as u64);
    // Each worker has one item at a time.
    stage.claim(&text::NOTHING_NEW, totals.skipped > 0 && *done_after_stop <= u64::from(WORKERS));
    stage.pause()?;
    stage.say(&text::KILLED, &[])?;
    let (killed, _) = &stopped(stage, "kill", Run::kill)?;
    let interrupted: Vec<&ItemReport> = killed.items.iter().filter(|report| was_interrupted(report)).collect();
    let is_told = interrupted.iter().all(|report| report.outcome == Outcome::Skipped);
    let counted = interrupted.len() as u64 == killed.outcome.totals.interrupted;
    stage.claim(&text::KILL_INTERRUPTS, !interrupted.is_empty() && is_told && counted);
    stage.claim(&text::BOOKS_BALANCE, is_balanced(drained) && is_balanced(killed));
    Ok(())
}

fn was_interrupted(report: &ItemReport) -> bool {
    report.causes.iter().any(|cause| matches!(cause.kind, CauseKind::Interrupted(_)))
}

/// Runs the countdowns and stops them in this way once [`STOP_AT`] are done and another one runs. Returns also how many were done after the stop
/// had begun.
fn stopped(stage: &mut LessonStage<'_>, name: &str, stop: fn(&Run)) -> Result<(EndedRun, u64), TourError> {
    let config = quiet().task("countdown").workers(WORKERS).credit(Credit::Items(1));
    let config = config.delay(Duration::from_millis(DELAY_MS)).items(["5"; ITEMS]).build()?;
    let (mut done, mut stopped_at, mut stops, mut done_after_stop) = (0, None, false, 0);
    let run = follow(start(config)?, |run, notification| {
        stops |= matches!(notification, Notification::Event { event: RunEvent::Stopping { .. }, .. });
        // In the middle of an item: one that was only sent to its worker would not be interrupted.
        let has_begun = matches!(notification, Notification::Event { event: RunEvent::ItemStarted { .. }, .. });
        if has_begun && done >= STOP_AT && stopped_at.is_none() {
            stop(run);
            stopped_at = Some(clock::monotonic_ns());
            stage.show(&text::REQUESTED, &[])?;
        }
        let Notification::Item(report) = notification else { return Ok(()) };
        if report.outcome != Outcome::Done {
            return Ok(());
        }
        done_after_stop += u64::from(stops);
        stage.show(&text::ITEM, &[("item", &report.item), ("result", &result_of(report))])?;
        done += 1;
        Ok(())
    })?;
    let took = stopped_at.map_or(0, |at| clock::monotonic_ns() - at);
    let skipped = run.items.iter().filter(|report| report.outcome == Outcome::Skipped);
    let skipped: Vec<String> = skipped.map(|report| report.item.to_string()).collect();
    stage.show(&text::SKIPPED, &[("items", &skipped.join(" "))])?;
    let totals = run.outcome.totals;
    stage.value(&format!("{name}_done"), &text::DONE, totals.done, Unit::Count)?;
    stage.value(&format!("{name}_skipped"), &text::SKIPPED_COUNT, totals.skipped, Unit::Count)?;
    stage.value(&format!("{name}_interrupted"), &text::INTERRUPTED, totals.interrupted, Unit::Count)?;
    stage.value(&format!("{name}_took_ms"), &text::STOP_TOOK, millis(took), Unit::Milliseconds)?;
    Ok((run, done_after_stop))
}
