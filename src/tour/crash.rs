//! Lesson `crash`: blame, retry, the dead letter; and what other pools lose, as it was recorded.

use super::actor::send_signal;
use super::error::TourError;
use super::report::Unit;
use super::runs::{EndedRun, follow, quiet};
use super::stage::LessonStage;
use super::text::crash as text;
use crate::events::{ItemReport, Notification, RunEvent};
use crate::model::signal::Signal;
use crate::outcomes::{CauseKind, ExitStatus, Outcome};
use crate::start;
use std::collections::BTreeSet;

/// Items of the task `signal`: 17 (CHLD) does no harm, 11 (SEGV) crashes.
const POISONED: [&str; 12] = ["17", "17", "17", "17", "17", "11", "17", "17", "17", "17", "17", "17"];
const POISON: u64 = 5;
/// Workers that an item may end.
const CRASH_LIMIT: u32 = 3;
const SLEEPS: [&str; 6] = ["300ms"; 6];
/// The item whose worker is killed.
const VICTIM: u64 = 2;
/// Fails at the first attempt.
const FLAKY: [&str; 3] = ["sh", "-c", "test $SUPERVISOR_ATTEMPT -ge 2"];

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    poison(stage)?;
    stage.pause()?;
    killed_from_outside(stage)?;
    stage.pause()?;
    flaky(stage)?;
    stage.pause()?;
    stage.say(&text::RECORDED, &[])?;
    for line in [text::RECORDED_POOL, text::RECORDED_EXECUTOR, text::RECORDED_XARGS] {
        stage.show(&line, &[])?;
    }
    Ok(())
}

fn item(run: &EndedRun, number: u64) -> Option<&ItemReport> {
    run.items.iter().find(|report| report.item.0 == number)
}

/// Shows a death as it is reported.
fn show_death(stage: &mut LessonStage<'_>, notification: &Notification) -> Result<(), TourError> {
    let Notification::Event { event, .. } = notification else { return Ok(()) };
    let RunEvent::WorkerExited { worker, pid, exit, item: Some((item, _)), waiting, .. } = event else { return Ok(()) };
    let with: super::stage::FilledWith<'_> =
        &[("worker", worker), ("pid", pid), ("exit", exit), ("item", item), ("waiting", waiting)];
    stage.show(&text::DIED, with)
}

fn poison(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::POISON, &[("poison", &POISON)])?;
    let config = quiet().task("signal").workers(2).crash_limit(CRASH_LIMIT).items(POISONED).build()?;
    let run = follow(start(config)?, |_, notification| show_death(stage, notification))?;
    let dead = item(&run, POISON);
    let causes = dead.map_or(&[][..], |report| &report.causes);
    stage.say(&text::DEAD_HAS, &[])?;
    for cause in causes {
        let exit = cause.kind.death().unwrap_or(ExitStatus::Unknown);
        let pid = cause.pid.unwrap_or(0);
        stage.show(&text::CAUSE, &[("item", &POISON), ("attempt", &cause.attempt), ("pid", &pid), ("exit", &exit)])?;
    }
    stage.value("poison_done", &text::POISON_DONE, run.outcome.totals.done, Unit::Count)?;
    stage.value("poison_deaths", &text::DEATHS, run.outcome.totals.deaths, Unit::Count)?;
    let attempts = dead.map_or(0, |report| report.attempts);
    stage.value("poison_attempts", &text::POISON_ATTEMPTS, attempts, Unit::Count)?;
    let is_innocent =
        |report: &ItemReport| report.outcome == Outcome::Done && report.attempts == 1 && report.causes.is_empty();
    let others_are_done = run.items.iter().filter(|report| report.item.0 != POISON).all(is_innocent);
    stage.claim(&text::BLAME, others_are_done && run.items.len() == POISONED.len());
    let is_crash =
        |kind: &CauseKind| matches!(kind, CauseKind::Crashed(ExitStatus::Signal { signal: Signal::SEGV, .. }));
    let pids: BTreeSet<_> = causes.iter().filter_map(|cause| cause.pid).collect();
    let is_dead = dead.is_some_and(|report| report.outcome == Outcome::Dead && report.attempts == CRASH_LIMIT);
    let limit = CRASH_LIMIT as usize;
    let has_causes = causes.len() == limit && pids.len() == limit && causes.iter().all(|cause| is_crash(&cause.kind));
    stage.claim(&text::DEAD_LETTER, is_dead && has_causes);
    Ok(())
}

fn killed_from_outside(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::OUTSIDE, &[("victim", &VICTIM)])?;
    let config = quiet().task("sleep").workers(2).items(SLEEPS).build()?;
    let mut is_killed = false;
    let run = follow(start(config)?, |_, notification| {
        show_death(stage, notification)?;
        match notification {
            Notification::Event { event: RunEvent::ItemStarted { item, pid, .. }, .. }
                if item.0 == VICTIM && !is_killed =>
            {
                is_killed = true;
                // The worker may have finished the item and left, on a machine that let this thread wait that long.
                let _ = send_signal(*pid, Signal::KILL);
                Ok(())
            }
            Notification::Item(report) => {
                let pid = report.pid.unwrap_or(0);
                let with: super::stage::FilledWith<'_> =
                    &[("item", &report.item), ("attempts", &report.attempts), ("pid", &pid)];
                stage.show(&text::SETTLED, with)
            }
            Notification::Event { .. } => Ok(()),
        }
    })?;
    let victim = item(&run, VICTIM);
    let is_again = victim.is_some_and(|report| report.outcome == Outcome::Done && report.attempts == 2);
    stage.value("killed_deaths", &text::DEATHS, run.outcome.totals.deaths, Unit::Count)?;
    stage.claim(&text::AGAIN, is_again);
    let is_done_once = |number| {
        let reports: Vec<_> = run.items.iter().filter(|report| report.item.0 == number).collect();
        reports.len() == 1 && reports[0].outcome == Outcome::Done
    };
    stage.claim(&text::NOTHING_LOST, (0..SLEEPS.len() as u64).all(is_done_once));
    Ok(())
}

fn flaky(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::FLAKY, &[])?;
    stage.command("supervisor --retries 2 -- sh -c 'test $SUPERVISOR_ATTEMPT -ge 2' ::: a")?;
    let config = quiet().command(FLAKY).workers(1).retries(2).items(["a"]).build()?;
    let run = follow(start(config)?, |_, _| Ok(()))?;
    let attempts = item(&run, 0).map_or(0, |report| report.attempts);
    stage.value("flaky_attempts", &text::FLAKY_ATTEMPTS, attempts, Unit::Count)?;
    stage.claim(&text::RETRY, attempts == 2 && run.outcome.totals.done == 1);
    Ok(())
}
