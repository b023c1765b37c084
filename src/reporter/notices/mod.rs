//! The lines on stderr: what happens to workers and to the run, at once, in every output mode.
//!
//! A death is reported once: as the death of a resident worker, or as the failure of its item with a process per item.
//! An error that ends the run is reported even with `--quiet`.

mod ends;
mod state;
mod steering;
mod stops;

pub use state::Notices;

use super::own_file::OwnFile;
use super::{Reporter, ReporterError, Settled};
use crate::model::chaos::ChaosKind;
use crate::model::event::RunEvent;
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Cause, CauseKind, FailReason, Outcome, Settlement};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::model::words::{self, counted, escaped, seconds};
use crate::sys::outbox::Outbox;
use ends::ProcessEnd;
use state::{Starting, push_notice};
use std::fmt::Write;

impl Notices {
    fn spawned(&mut self, worker: WorkerId, incarnation: Incarnation, pid: u32, err: &mut Outbox) {
        *self.ready_of(worker) = false;
        match &mut self.starting {
            Some(starting) => starting.pids.push(pid),
            None if self.narrate && !self.per_item && incarnation.0 > 1 => {
                push_notice(err, &format!("worker {worker} has a new process: pid {pid}"));
            }
            None => {}
        }
        self.push_started_if_complete(err);
    }

    fn not_spawned(&mut self, error: &str, err: &mut Outbox) {
        if let Some(starting) = &mut self.starting {
            starting.not_started += 1;
        }
        // With a process per item, the item's failure is reported instead.
        if !self.quiet && !self.per_item {
            push_notice(err, &format!("failed to {}", escaped(error)));
        }
        self.push_started_if_complete(err);
    }

    fn push_started_if_complete(&mut self, err: &mut Outbox) {
        if let Some(starting) = &self.starting
            && starting.pids.len() + starting.not_started >= starting.workers
        {
            self.push_started(err);
        }
    }

    /// Reports the pids that were started, before anything else about them.
    fn push_started(&mut self, err: &mut Outbox) {
        let Some(starting) = self.starting.take() else { return };
        if starting.pids.is_empty() {
            return;
        }
        let pids: Vec<String> = starting.pids.iter().map(u32::to_string).collect();
        let workers = counted(pids.len() as u64, "worker", "workers");
        let why = self.workers_why.take().map(|why| format!(" ({})", escaped(&why))).unwrap_or_default();
        push_notice(err, &format!("started {workers}{why}: pid {}", pids.join(", ")));
    }

    fn retried(&mut self, name: &str, attempt: Attempt, delay: Duration, cause: &Cause, err: &mut Outbox) {
        let (died, ends_worker) = match &cause.kind {
            CauseKind::Crashed(_) | CauseKind::Killed(_) => (true, true),
            CauseKind::Failed(FailReason::TimedOut { .. }) => (false, true),
            CauseKind::Failed(_) | CauseKind::Interrupted(_) => (false, false),
            CauseKind::Chaos(_) => (true, true),
        };
        // The notice about the end of a resident worker contains it.
        let is_reported = ends_worker && !self.per_item;
        if self.quiet || is_reported || !self.repeats.is_told(Some(format!("{}, tried again", words::kind(cause)))) {
            return;
        }
        let how = match cause.kind {
            CauseKind::Chaos(_) => "was",
            _ if died => "died:",
            _ => "failed:",
        };
        let cause = words::cause(cause);
        let mut line = format!("{name} {how} {}; will be tried again (attempt {attempt})", escaped(&cause));
        if delay > Duration::ZERO {
            // Writing to a string cannot fail.
            let _ = write!(line, " in {}", seconds(delay));
        }
        push_notice(err, &line);
    }

    fn push_chaos(&mut self, err: &mut Outbox) {
        if let Some(chaos) = self.chaos.take().filter(|_| !self.quiet) {
            push_notice(err, &chaos);
        }
    }

    fn delayed_by_chaos(
        &mut self,
        kind: ChaosKind,
        name: &str,
        item: Option<ItemId>,
        time: Duration,
        err: &mut Outbox,
    ) {
        if self.quiet || !self.repeats.is_told(Some(format!("{kind} by chaos"))) {
            return;
        }
        let at = item.map(|item| format!(" at item {item}")).unwrap_or_default();
        let what = if kind == ChaosKind::Slow { "delayed" } else { "stopped" };
        push_notice(err, &format!("{name} was {what} by chaos for {}{at}", seconds(time)));
    }

    fn settled_items(&mut self, settlement: &Settlement, err: &mut Outbox) {
        let died = match settlement.outcome {
            Outcome::Failed => false,
            Outcome::Dead => true,
            Outcome::Done | Outcome::Skipped => {
                if !self.deaths.is_empty() {
                    self.deaths.remove(&settlement.first);
                }
                return;
            }
        };
        self.deaths.remove(&settlement.first);
        // In narrate mode this is a line on stdout, and the notice about a worker's death contains its last item.
        if self.quiet || self.narrate || (died && !self.per_item) {
            return;
        }
        let mut line = format!("{} {}", words::item(settlement), if died { "died" } else { "failed" });
        if settlement.attempts > 1 {
            // Writing to a string cannot fail.
            let _ = write!(line, " after {} attempts", settlement.attempts);
        }
        let cause = words::last_cause(&settlement.causes);
        push_notice(err, &format!("{line}: {}", escaped(&cause)));
        let refused_by_handler =
            matches!(settlement.causes.last(), Some(Cause { kind: CauseKind::Failed(FailReason::Message(_)), .. }));
        if refused_by_handler && std::mem::take(&mut self.advice.task_by_default) {
            let advice = "no command was given, so the built-in task square ran; a command goes behind --, \
                          another task is named with --task";
            push_notice(err, advice);
        }
    }

    fn restarting(&mut self, worker: WorkerId, delay: Duration, err: &mut Outbox) {
        let is_early = !self.any_was_ready && self.early_deaths > 0;
        let is_wanted = !self.quiet && !self.per_item && !is_early && delay > Duration::ZERO;
        if is_wanted && self.repeats.is_told(Some("a worker that starts again".to_owned())) {
            push_notice(err, &format!("worker {worker} starts again in {}", seconds(delay)));
        }
    }

    /// `event`: of a worker that a signal has stopped.
    fn worker_stopped(&mut self, event: &RunEvent, err: &mut Outbox) {
        let RunEvent::WorkerStopped { worker, pid, signal, item, shown_item, .. } = event else { return };
        self.push_started(err);
        if !self.quiet {
            let name = match item {
                Some(item) => words::command_of(*item, shown_item.as_deref()),
                None => format!("worker {worker} (pid {pid})"),
            };
            push_notice(err, &words::stopped(&name, *signal, self.per_item, self.advice.has_terminal));
        }
    }

    /// Reports the deaths before the first hello, now that they are no reason to give up.
    fn push_early_death(&mut self, err: &mut Outbox) {
        let Some(mut line) = self.first_early_death.take().filter(|_| !self.quiet) else { return };
        if self.early_deaths > 1 {
            // Writing to a string cannot fail.
            let _ = write!(line, " (and {} more like it)", self.early_deaths - 1);
        }
        push_notice(err, &line);
    }
}

impl Reporter for Notices {
    fn event(&mut self, now: Instant, event: &RunEvent, _: &mut Outbox, err: &mut Outbox) -> Result<(), ReporterError> {
        match event {
            RunEvent::RunStarted { workers } => {
                let starting = || Starting { workers: *workers as usize, not_started: 0, pids: Vec::new() };
                self.starting = (self.narrate && !self.per_item).then(starting);
                self.push_chaos(err);
            }
            RunEvent::WorkerSpawned { worker, incarnation, pid } => self.spawned(*worker, *incarnation, *pid, err),
            RunEvent::WorkerNotSpawned { error, .. } => self.not_spawned(error, err),
            RunEvent::WorkerReady { worker, .. } => {
                self.push_early_death(err);
                self.any_was_ready = true;
                *self.ready_of(*worker) = true;
            }
            RunEvent::WorkerExited { worker, pid, exit, reason, item, waiting, stderr, .. } => {
                self.push_started(err);
                self.note_stderr(*worker, stderr.as_deref());
                let (worker, pid, exit, item, waiting) = (*worker, *pid, *exit, *item, *waiting);
                self.exited(&ProcessEnd { worker, pid, exit, reason, item, waiting }, err);
            }
            RunEvent::WorkerStopped { .. } => self.worker_stopped(event, err),
            RunEvent::WorkerRestarting { worker, delay, .. } => self.restarting(*worker, *delay, err),
            RunEvent::ItemRetried { item, attempt, delay, cause, shown_item } => {
                let name = words::item_of(*item, shown_item.as_deref());
                self.retried(&name, *attempt, *delay, cause, err);
            }
            RunEvent::ItemsSettled(settlement) => {
                self.push_started(err);
                self.settled_items(settlement, err);
            }
            // Reported even with `--quiet`: the run will not succeed because of it.
            RunEvent::SourceLost { error } => {
                let error = escaped(error);
                push_notice(err, &format!("failed to {error}: no new items; those that were read still run"));
            }
            RunEvent::SignalReceived { signal, .. } => {
                let stops = matches!(*signal, Signal::INT | Signal::TERM | Signal::QUIT);
                self.signal = Some(*signal).filter(|_| stops).or(self.signal);
            }
            RunEvent::Stopping { stage, reason } => self.stopping(now, *stage, reason, err),
            RunEvent::Scaled { .. }
            | RunEvent::RestartBegun { .. }
            | RunEvent::RestartEnded { .. }
            | RunEvent::RunPaused
            | RunEvent::RunContinued
            | RunEvent::WorkerSignalled { .. } => self.steered(event, err),
            RunEvent::RunFinished(_) if !self.quiet => {
                for line in self.repeats.counted() {
                    push_notice(err, &line);
                }
            }
            RunEvent::Chaos { kind, worker, pid, item, time: Some(time), .. } => {
                self.push_started(err);
                let name = format!("worker {worker} (pid {pid})");
                self.delayed_by_chaos(*kind, &name, *item, *time, err);
            }
            // Told by the end of the worker.
            RunEvent::Chaos { .. }
            | RunEvent::WorkerContinued { .. }
            | RunEvent::ItemStarted { .. }
            | RunEvent::ItemsReturned { .. }
            | RunEvent::RunFinished(_) => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{Advice, OutputMode, OutputSpec};
    use crate::model::event::{EndReason, ItemFate, Stage};
    use crate::model::exit::ExitStatus;
    use crate::model::ids::ItemId;
    use crate::model::outcome::StopReason;
    use crate::model::outcome::{RunOutcome, Totals};
    use crate::reporter::recorded::{
        KILLED, RESIDENT, Recorder, TERMED, cause, check, exited, output, settlement, worker,
    };
    use snapbox::str;

    #[test]
    fn each_end_of_a_worker_and_each_reason_to_stop_has_its_notice() {
        let mut stage = Recorder::new(&output(OutputMode::Results), RESIDENT);
        stage.event(RunEvent::WorkerReady { worker: worker(1), incarnation: Incarnation(1), pid: 101 });
        let again = |item| Some((item, ItemFate::Again(Attempt(2))));
        let segv = ExitStatus::Signal { signal: Signal(11), core_dumped: true };
        stage.event(exited(1, 1, 101, segv, EndReason::Own, None));
        stage.event(exited(1, 2, 102, ExitStatus::Code(3), EndReason::Own, None));
        stage.event(exited(1, 3, 103, TERMED, EndReason::TimedOut, again(7)));
        stage.event(exited(1, 4, 104, TERMED, EndReason::TimedOut, Some((7, ItemFate::Settled))));
        stage.event(exited(1, 5, 105, KILLED, EndReason::NoHello, None));
        stage.event(exited(1, 6, 106, TERMED, EndReason::Protocol("frame\x07 of kind 9".to_owned()), again(8)));
        stage.event(exited(1, 7, 107, TERMED, EndReason::Strategy, None));
        stage.event(exited(1, 8, 108, KILLED, EndReason::Asked, None));
        let mut between = exited(1, 9, 109, KILLED, EndReason::Own, None);
        if let RunEvent::WorkerExited { waiting, .. } = &mut between {
            *waiting = 2;
        }
        stage.event(between);
        stage.event(RunEvent::WorkerNotSpawned {
            worker: worker(2),
            incarnation: Incarnation(1),
            error: "spawn worker 2 from ./w: permission denied".to_owned(),
        });
        let flaky = cause(1, 1, CauseKind::Failed(FailReason::Panicked("oh".to_owned())));
        stage.event(RunEvent::ItemRetried {
            item: ItemId(9),
            attempt: Attempt(2),
            delay: Duration::from_millis(1500),
            cause: flaky,
            shown_item: Some("\"/etc/b.conf\"".into()),
        });
        let stop = |stage: Stage, reason: &StopReason| RunEvent::Stopping { stage, reason: reason.clone() };
        stage.event(stop(Stage::Draining, &StopReason::SourceEnded));
        stage.event(stop(Stage::Terminating, &StopReason::SourceEnded));
        stage.event(stop(Stage::Terminating, &StopReason::HaltFailed));
        stage.event(stop(Stage::Terminating, &StopReason::SinkClosed));
        stage.event(stop(Stage::Terminating, &StopReason::RunTimeout));
        let limit = StopReason::RestartLimit { worker: worker(2), last: "exit 3".to_owned() };
        stage.event(stop(Stage::Terminating, &limit));
        stage.event(stop(Stage::Terminating, &StopReason::DeadLimit { dead: 20 }));
        let lost = StopReason::CommandLost { error: "run ./c: no such file".to_owned(), missing: true };
        stage.event(stop(Stage::Draining, &lost));
        stage.event(stop(Stage::Draining, &StopReason::Aborted { signal: None }));
        stage.event(stop(Stage::Draining, &StopReason::Aborted { signal: Some(Signal::KILL) }));
        stage.event(RunEvent::SourceLost { error: "read stdin: broken".to_owned() });
        let int = StopReason::Signal(Signal::INT);
        for (signal, rise) in
            [(Signal::INT, Stage::Draining), (Signal::TERM, Stage::Terminating), (Signal::INT, Stage::Killing)]
        {
            stage.event(RunEvent::SignalReceived { signal, sender_pid: None });
            stage.event(stop(rise, &int));
        }
        check(
            stage.written(),
            str![[r#"
---
supervisor: worker 1 (pid 101) died: signal 11 (SEGV), core dumped while idle
supervisor: worker 1 (pid 102) died: exit 3 before its hello
supervisor: worker 1 (pid 103) was ended: item 7 timed out after 2s (signal 15 (TERM)); item 7 will be tried again (attempt 2)
supervisor: worker 1 (pid 104) was ended: item 7 timed out after 2s (signal 15 (TERM))
supervisor: worker 1 (pid 105) was ended: it said no hello within 5s (signal 9 (KILL))
supervisor: worker 1 (pid 106) was ended: it broke the protocol: frame\u{7} of kind 9 (signal 15 (TERM)) while at item 8; item 8 will be tried again (attempt 2)
supervisor: worker 1 (pid 108) died: signal 9 (KILL) when asked to leave
supervisor: worker 1 (pid 109) died: signal 9 (KILL) between items; 2 items are handed out again
supervisor: failed to spawn worker 2 from ./w: permission denied
supervisor: item 9 ("/etc/b.conf") failed: panicked: oh; will be tried again (attempt 2) in 1.5s
supervisor: the workers have not left within 10s: ending the workers (TERM, then KILL)
supervisor: too many items failed: ending the workers (TERM, then KILL)
supervisor: the time for the run is up: ending the workers (TERM, then KILL)
supervisor: giving up: worker 2 cannot be kept running (exit 3): ending the workers (TERM, then KILL)
supervisor: giving up: 20 items in a row died and none was done: ending the workers (TERM, then KILL)
supervisor: giving up: the command cannot be executed any more: failed to run ./c: no such file: no new items; waiting up to 10s for running ones
supervisor: a command asked to stop: exit 255: no new items; waiting up to 10s for running ones
supervisor: a command was ended by signal 9 (KILL): no new items; waiting up to 10s for running ones
supervisor: failed to read stdin: broken: no new items; those that were read still run
supervisor: INT: no new items; waiting up to 10s for running ones; again to terminate them
supervisor: TERM: ending the workers (TERM, then KILL); again to kill them
supervisor: INT: killing the workers

"#]],
        );
    }

    fn retried(number: u64, verbose: bool) -> RunEvent {
        let kind = if verbose { FailReason::Exited(1) } else { FailReason::Message(format!("bad {number}")) };
        RunEvent::ItemRetried {
            item: ItemId(number),
            attempt: Attempt(2),
            delay: Duration::ZERO,
            cause: cause(1, 1, CauseKind::Failed(kind)),
            shown_item: Some(format!("\"{number}.conf\"").into()),
        }
    }

    #[test]
    fn of_attempts_that_end_alike_the_first_three_are_told_and_the_others_counted() {
        let mut stage = Recorder::new(&output(OutputMode::Results), RESIDENT);
        stage.event(RunEvent::WorkerReady { worker: worker(1), incarnation: Incarnation(1), pid: 101 });
        for number in 0..40 {
            stage.event(retried(number, false));
            stage.event(exited(1, 1, 101, KILLED, EndReason::Own, Some((number, ItemFate::Again(Attempt(2))))));
        }
        // Another kind of end.
        stage.event(exited(1, 2, 101, ExitStatus::Code(3), EndReason::Own, Some((5, ItemFate::Again(Attempt(2))))));
        stage.event(RunEvent::RunFinished(RunOutcome {
            reason: StopReason::SourceEnded,
            totals: Totals::default(),
            halted: None,
        }));
        check(
            stage.written(),
            str![[r#"
---
supervisor: item 0 ("0.conf") failed: bad 0; will be tried again (attempt 2)
supervisor: worker 1 (pid 101) died: signal 9 (KILL) while at item 0; item 0 will be tried again (attempt 2)
supervisor: item 1 ("1.conf") failed: bad 1; will be tried again (attempt 2)
supervisor: worker 1 (pid 101) died: signal 9 (KILL) while at item 1; item 1 will be tried again (attempt 2)
supervisor: item 2 ("2.conf") failed: bad 2; will be tried again (attempt 2)
supervisor: worker 1 (pid 101) died: signal 9 (KILL) while at item 2; item 2 will be tried again (attempt 2)
supervisor: worker 1 (pid 101) died: exit 3 while at item 5; item 5 will be tried again (attempt 2)
supervisor: ... and 37 more like it: a failure with a text of its own, tried again; -v shows each
supervisor: ... and 37 more like it: signal 9 (KILL), tried again; -v shows each

"#]],
        );
        let verbose = OutputSpec { verbose: true, ..output(OutputMode::Results) };
        let mut stage = Recorder::new(&verbose, RESIDENT);
        for number in 0..40 {
            stage.event(retried(number, true));
        }
        assert_eq!(stage.written().matches("will be tried again").count(), 40);
    }

    #[test]
    fn a_halt_that_waits_for_running_items_names_no_limit_until_a_signal_sets_one() {
        let mut stage = Recorder::new(&output(OutputMode::Results), RESIDENT);
        stage.event(RunEvent::Stopping { stage: Stage::Draining, reason: StopReason::HaltFailed });
        stage.event(RunEvent::Stopping { stage: Stage::Terminating, reason: StopReason::HaltFailed });
        let mut signalled = Recorder::new(&output(OutputMode::Results), RESIDENT);
        signalled.event(RunEvent::Stopping { stage: Stage::Draining, reason: StopReason::HaltMet });
        signalled.event(RunEvent::SignalReceived { signal: Signal::TERM, sender_pid: None });
        let reason = StopReason::Signal(Signal::TERM);
        signalled.event(RunEvent::Stopping { stage: Stage::Draining, reason });
        check(
            format!("{}{}", stage.written(), signalled.written()),
            str![[r#"
---
supervisor: too many items failed: no new items; running ones may finish
supervisor: the workers have not left within 10s: ending the workers (TERM, then KILL)
---
supervisor: enough items are settled: no new items; running ones may finish
supervisor: TERM: no new items; waiting up to 10s for running ones; again to terminate them

"#]],
        );
    }

    #[test]
    fn deaths_before_any_hello_are_one_notice() {
        let advice = Advice { speaks_frames: true, ..Advice::default() };
        let frames = OutputSpec { advice, ..output(OutputMode::Results) };
        let dies = |slot| exited(1, slot, 100, ExitStatus::Code(7), EndReason::Own, None);
        let limit = StopReason::RestartLimit { worker: worker(1), last: "exit 7".to_owned() };
        let again = RunEvent::WorkerRestarting {
            worker: worker(1),
            incarnation: Incarnation(2),
            delay: Duration::from_millis(100),
        };
        let mut stage = Recorder::new(&frames, RESIDENT);
        stage.event(dies(1));
        stage.event(again.clone());
        stage.event(dies(1));
        stage.event(RunEvent::Stopping { stage: Stage::Terminating, reason: limit });
        check(
            stage.written(),
            str![[r#"
---
supervisor: giving up: worker 1 cannot be kept running (exit 7): ending the workers (TERM, then KILL); --protocol frames needs a program that speaks frames, and without it the command runs once per item

"#]],
        );
        let mut stage = Recorder::new(&frames, RESIDENT);
        stage.event(dies(1));
        stage.event(again);
        stage.event(dies(1));
        stage.event(RunEvent::WorkerReady { worker: worker(1), incarnation: Incarnation(3), pid: 101 });
        stage.event(exited(3, 1, 101, KILLED, EndReason::Own, Some((7, ItemFate::Again(Attempt(2))))));
        check(
            stage.written(),
            str![[r#"
---
supervisor: worker 1 (pid 100) died: exit 7 before its hello (and 1 more like it)
supervisor: worker 3 (pid 101) died: signal 9 (KILL) while at item 7; item 7 will be tried again (attempt 2)

"#]],
        );
    }

    #[test]
    fn a_failure_names_the_item_and_the_first_one_advises() {
        let advice = Advice { task_by_default: true, ..Advice::default() };
        let mut stage = Recorder::new(&OutputSpec { advice, ..output(OutputMode::Results) }, RESIDENT);
        for number in 2..4 {
            let reason = FailReason::Message("not an integer: \"/etc/b.conf\"".to_owned());
            let mut settlement =
                settlement(number, 1, Outcome::Failed, 1, vec![cause(1, 1, CauseKind::Failed(reason))]);
            settlement.shown_item = Some("\"/etc/b.conf\"".into());
            stage.event(RunEvent::ItemsSettled(settlement));
        }
        check(
            stage.written(),
            str![[r#"
---
supervisor: item 2 ("/etc/b.conf") failed: not an integer: "/etc/b.conf"
supervisor: no command was given, so the built-in task square ran; a command goes behind --, another task is named with --task
supervisor: item 3 ("/etc/b.conf") failed: not an integer: "/etc/b.conf"

"#]],
        );
    }
}
