//! Lesson `signals`: children are ended, stopped and continued, and the supervisor's ladder is climbed.

use super::actor::{Actor, reply};
use super::error::TourError;
use super::language::Text;
use super::report::{Unit, millis};
use super::runs::{follow, quiet};
use super::stage::LessonStage;
use super::text::signals as text;
use crate::config::{Duration, TermStep};
use crate::events::{EndReason, RunEvent};
use crate::model::signal::Signal;
use crate::outcomes::ExitStatus;
use crate::start;
use crate::sys::child_state::{StateChange, wait_for_change};
use crate::sys::{queued_signals, signals};
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::thread;

/// The time limit of an item, and the wait after each TERM.
const LIMIT: Duration = Duration::from_millis(200);
const STEP: Duration = Duration::from_millis(100);

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::CHILDREN, &[])?;
    let plain = ended_by(stage, "plain", &text::PLAIN, Signal::TERM)?;
    stage.claim(&text::TERM_ENDS, is_by(plain, Signal::TERM));
    let polite = ended_by(stage, "polite", &text::POLITE, Signal::TERM)?;
    stage.claim(&text::TERM_IS_CAUGHT, polite.is_success());
    ignored(stage)?;
    stopped(stage)?;
    let crashed = ended_by(stage, "plain", &text::PLAIN, Signal::SEGV)?;
    stage.claim(&text::SEGV_ENDS, is_by(crashed, Signal::SEGV));
    stage.pause()?;
    ladder(stage)
}

fn is_by(exit: ExitStatus, by: Signal) -> bool {
    matches!(exit, ExitStatus::Signal { signal, .. } if signal == by)
}

/// A child of this kind that is ready for signals.
fn child(kind: &str) -> Result<Actor, TourError> {
    let mut child = Actor::start("signalled", &[kind])?;
    child.hear()?;
    Ok(child)
}

fn show(stage: &mut LessonStage<'_>, child: &Actor, kind: &Text, sent: Signal, seen: &str) -> Result<(), TourError> {
    let kind = kind.in_language(stage.language());
    stage.show(&text::TOLD, &[("pid", &child.pid()), ("kind", &kind), ("sent", &sent.name()), ("seen", &seen)])
}

fn ended_by(stage: &mut LessonStage<'_>, name: &str, kind: &Text, signal: Signal) -> Result<ExitStatus, TourError> {
    let mut child = child(name)?;
    child.signal(signal)?;
    let exit = child.wait()?;
    show(stage, &child, kind, signal, &exit.to_string())?;
    Ok(exit)
}

fn ignored(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    let mut child = child("deaf")?;
    child.signal(Signal::TERM)?;
    // It answers, so it lives.
    child.tell("are you there")?;
    let lives_on = child.hear()? == "yes";
    let seen = text::LIVES_ON.in_language(stage.language());
    show(stage, &child, &text::DEAF, Signal::TERM, seen)?;
    child.signal(Signal::KILL)?;
    let exit = child.wait()?;
    show(stage, &child, &text::DEAF, Signal::KILL, &exit.to_string())?;
    stage.claim(&text::TERM_IS_IGNORED, lives_on && is_by(exit, Signal::KILL));
    Ok(())
}

fn stopped(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    let mut child = child("plain")?;
    let changed = |child: &Actor| wait_for_change(child.pid()).map_err(TourError::system("watch a child"));
    child.signal(Signal::STOP)?;
    let stopped = changed(&child)?;
    show(stage, &child, &text::PLAIN, Signal::STOP, "stopped")?;
    child.signal(Signal::CONT)?;
    let continued = changed(&child)?;
    show(stage, &child, &text::PLAIN, Signal::CONT, "continued")?;
    child.tell("are you there")?;
    let answers = child.hear()? == "yes";
    let is_seen = stopped == StateChange::Stopped(Signal::STOP) && continued == StateChange::Continued;
    stage.claim(&text::STOP_AND_CONT, is_seen && answers);
    Ok(())
}

/// The part `signalled KIND`: says that it is ready, and answers each line with `yes` until a signal ends it.
pub fn signalled_part(arguments: &[OsString]) -> io::Result<ExitCode> {
    match arguments.first().and_then(|kind| kind.to_str()) {
        Some("deaf") => signals::ignore(Signal::TERM)?,
        Some("polite") => {
            queued_signals::hold_back(&[Signal::TERM]);
            reply("ready")?;
            while queued_signals::take(&[Signal::TERM], 60_000)?.is_none() {}
            // What there is to clean up would be cleaned up here.
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    // std catches SEGV to tell of a stack overflow, and would swallow one that is sent. No core file is left.
    signals::restore(Signal::SEGV)?;
    signals::forbid_core_files();
    reply("ready")?;
    while super::actor::told()?.is_some() {
        reply("yes")?;
    }
    loop {
        thread::park();
    }
}

fn ladder(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::LADDER, &[])?;
    let (sleeper, sleeper_ns) = climbed("sleep", "60")?;
    stage.value("sleeper_exit", &text::OF_SLEEPER, sleeper.to_string(), Unit::Words)?;
    stage.value("sleeper_ms", &text::AFTER, millis(sleeper_ns), Unit::Milliseconds)?;
    let (hanger, hanger_ns) = climbed("hang", "x")?;
    stage.value("hanger_exit", &text::OF_HANGER, hanger.to_string(), Unit::Words)?;
    stage.value("hanger_ms", &text::AFTER, millis(hanger_ns), Unit::Milliseconds)?;
    stage.claim(&text::LADDER_FIRST_STEP, is_by(sleeper, Signal::TERM));
    // The limit of an item of a worker that stays is kept to an eighth.
    let least = LIMIT.0 - LIMIT.0 / 8 + 2 * STEP.0;
    stage.claim(&text::LADDER_LAST_STEP, is_by(hanger, Signal::KILL) && hanger_ns >= least);
    Ok(())
}

/// How a worker whose item takes too long was ended, and when, in nanoseconds after it was ready.
fn climbed(task: &str, item: &str) -> Result<(ExitStatus, u64), TourError> {
    let step = |signal, wait| TermStep { signal, wait };
    let steps = vec![step(Signal::TERM, STEP), step(Signal::TERM, STEP), step(Signal::KILL, Duration::from_millis(25))];
    let config = quiet().task(task).workers(1).timeout(LIMIT).term_sequence(steps).items([item]).build()?;
    let run = follow(start(config)?, |_, _| Ok(()))?;
    let ready = run.events.iter().find_map(|(at, event)| matches!(event, RunEvent::WorkerReady { .. }).then_some(*at));
    let ended = run.events.iter().find_map(|(at, event)| match event {
        RunEvent::WorkerExited { exit, reason: EndReason::TimedOut, .. } => Some((*exit, *at)),
        _ => None,
    });
    let (exit, at) = ended.unwrap_or((ExitStatus::Unknown, 0));
    Ok((exit, at.saturating_sub(ready.unwrap_or(0))))
}
