//! How a run ends: Running -> Draining -> Terminating -> Killing -> Finished.
//!
//! Invariant: the stage only rises, and a weaker reason never replaces a stronger one. Every stage ends: a drain has
//! its grace, the term sequence ends with KILL. The drain of `--halt soon` alone waits for the running items however
//! long they take; the grace begins with a later reason to stop, or when no item is left.

use super::Core;
use super::action::Action;
use super::reason::TakeBackReason;
use super::slot::KillReason;
use super::timers::Timer;
use crate::model::command::{Command, Origin};
use crate::model::event::{RunEvent, Stage};
use crate::model::ids::WorkerId;
use crate::model::outcome::{RunOutcome, StopReason};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;

/// The same signal within this time counts once. `timeout(1)` signals its child and then the child's process group, so
/// every signal arrives twice.
const SIGNAL_REPEAT: Duration = Duration::from_millis(100);

impl Core {
    /// Whether this signal, at this time, only repeats the last one that asked for a stop.
    #[must_use]
    pub fn is_repeated(&self, signal: Signal, now: Instant) -> bool {
        let repeated = self.last_signal.is_some_and(|(last, at)| last == signal && now.since(at) < SIGNAL_REPEAT);
        mutant!(RepeatedSignalCounts, repeated, false)
    }

    /// Handles the command of a signal or of a caller.
    pub(super) fn on_command(&mut self, command: Command, origin: Origin) {
        if let Origin::Signal { signal, sender_pid } = origin {
            // QUIT asks for two things, and came once.
            if command != Command::Status || signal == Signal::USR1 {
                self.report(RunEvent::SignalReceived { signal, sender_pid });
            }
        }
        let firmness = match (command, origin) {
            (Command::Status, _) => {
                let status = Box::new(self.status());
                return self.push(Action::ShowStatus(status));
            }
            (Command::Scale { workers }, _) => return self.scale(workers),
            (Command::AddWorker, _) => return self.scale_by_one(true),
            (Command::RemoveWorker, _) => return self.scale_by_one(false),
            (Command::Restart { worker }, _) => return self.restart_workers(worker),
            (Command::Pause, _) => return self.pause(),
            (Command::Continue, _) => return self.continue_run(),
            (Command::SignalWorker { worker, signal }, _) => return self.signal_worker(worker, signal),
            (Command::ReportStarts { wanted }, _) => return self.report_starts(wanted),
            (_, Origin::Signal { signal, .. }) if self.is_repeated(signal, self.clock.latest()) => return,
            (Command::Stop, _) => self.firmness.saturating_add(1),
            (Command::Drain, _) => self.firmness.max(1),
            (Command::Terminate, Origin::Signal { .. }) => self.firmness.saturating_add(1).max(2),
            (Command::Terminate, Origin::Caller) => self.firmness.max(2),
            (Command::Kill, _) => self.firmness.max(3),
        };
        self.firmness = firmness;
        let reason = match origin {
            Origin::Signal { signal, .. } => {
                self.last_signal = Some((signal, self.clock.latest()));
                StopReason::Signal(signal)
            }
            Origin::Caller => StopReason::Requested,
        };
        let stage = match firmness {
            0 | 1 => Stage::Draining,
            2 => Stage::Terminating,
            _ => Stage::Killing,
        };
        self.stop(stage, reason);
    }

    /// Replaces the reason if this one is stronger; `true` if so.
    pub(super) fn strengthen(&mut self, reason: StopReason) -> bool {
        let stronger = match &self.reason {
            None => true,
            Some(old) => mutant!(ReasonWeakened, reason.outranks(old), true),
        };
        if stronger {
            self.reason = Some(reason);
        }
        stronger
    }

    /// Raises the stage to `stage`, and replaces the reason if this one is stronger.
    pub(super) fn stop(&mut self, stage: Stage, reason: StopReason) {
        if self.stage == Stage::Finished {
            return;
        }
        mutant!(StopStaysPaused, self.continue_run(), {});
        let waits = mutant!(HaltSoonHurried, reason.waits_for_running_items(), false);
        let stronger = self.strengthen(reason);
        let rises = stage > self.stage;
        self.stage = self.stage.max(stage);
        if let Some(reason) = self.reason.clone().filter(|_| rises || (stronger && self.stage > Stage::Running)) {
            self.report(RunEvent::Stopping { stage: self.stage, reason });
        }
        if self.stage == Stage::Draining && !waits && (rises || self.grace_timer.is_none()) {
            self.timers.clear(Timer::WholeRun, &mut self.run_timer);
            self.set_grace(self.policy.grace);
        }
        if !rises {
            return;
        }
        self.close_source();
        mutant!(HandsOutliveStop, self.recall_hands(TakeBackReason::Stopping), {});
        if mutant!(DispatchInDrain, true, stage > Stage::Draining) {
            self.skip_queue();
        }
        match stage {
            Stage::Running | Stage::Finished => {}
            Stage::Draining => {
                mutant!(DispatchInDrain, self.ask_all_to_leave(), {});
            }
            Stage::Terminating => self.terminate_all(),
            Stage::Killing => self.kill_all(),
        }
    }

    fn skip_queue(&mut self) {
        for batch in self.queue.drain() {
            mutant!(SkipForgotten, self.skip(batch, None, None), {});
        }
    }

    fn ask_all_to_leave(&mut self) {
        for index in 0..self.pool.slots.len() {
            self.ask_to_leave(index);
        }
    }

    fn set_grace(&mut self, grace: Duration) {
        let deadline = self.now + mutant!(GraceIgnored, grace, Duration(u64::MAX));
        self.timers.set(Timer::Grace, &mut self.grace_timer, deadline, self.now);
    }

    fn terminate_all(&mut self) {
        self.timers.clear(Timer::WholeRun, &mut self.run_timer);
        self.timers.clear(Timer::Grace, &mut self.grace_timer);
        for index in 0..self.pool.slots.len() {
            if self.pool.slots[index].is_up() {
                self.terminate(index, KillReason::Stopped);
            } else {
                self.clear_slot_timer(index);
                self.pool.update_sets(index);
            }
        }
    }

    fn kill_all(&mut self) {
        self.timers.clear(Timer::WholeRun, &mut self.run_timer);
        self.timers.clear(Timer::Grace, &mut self.grace_timer);
        for index in 0..self.pool.slots.len() {
            let slot = &mut self.pool.slots[index];
            if slot.is_up() {
                if !slot.output_held && matches!(slot.kill_reason, None | Some(KillReason::Asked)) {
                    slot.kill_reason = Some(KillReason::Stopped);
                }
                self.kill(index);
            } else {
                self.clear_slot_timer(index);
                self.pool.update_sets(index);
                mutant!(
                    KillReaped,
                    {},
                    if self.pool.slots[index].incarnation.0 > 0 {
                        self.push_kill(index, crate::model::signal::Signal::KILL);
                    }
                );
            }
        }
    }

    /// The time of the whole run has passed. If every process that is left has ended already, and only the end of its
    /// output is awaited, its exit decides: a further attempt would begin too late.
    pub(super) fn on_run_timeout(&mut self) {
        let waiting = self.queue.items() + self.queue.delayed_items() + self.pool.hands;
        self.run_overdue = self.stage == Stage::Running
            && self.admission.ended
            && waiting == 0
            && self.unsettled() > 0
            && self.pool.slots.iter().all(|slot| slot.leases.is_empty() || slot.output_held);
        let is_over = self.admission.ended && self.unsettled() == 0;
        if !self.run_overdue && !is_over {
            self.stop(Stage::Terminating, StopReason::RunTimeout);
        }
    }

    /// The grace of a drain, or of the normal end, has passed.
    pub(super) fn on_grace(&mut self) {
        let reason = self.reason.clone().unwrap_or(StopReason::SourceEnded);
        self.stop(Stage::Terminating, reason);
    }

    /// Ends the run if nothing is left to do. Called after every step.
    #[inline]
    pub(super) fn end_if_over(&mut self) {
        let unsettled = self.unsettled();
        if self.stage == Stage::Running && self.started && !self.closing {
            if self.admission.ended && unsettled == 0 {
                self.closing = true;
                // Every item ended in time. How long the workers may take to leave has a limit of its own.
                self.timers.clear(Timer::WholeRun, &mut self.run_timer);
                self.ask_all_to_leave();
                self.set_grace(self.policy.leave_time());
            } else if self.pool.retired == self.pool.target && unsettled > 0 {
                self.give_up();
            }
        }
        if self.stage == Stage::Draining && self.grace_timer.is_none() && unsettled == 0 {
            // No item is left to wait for, only workers that have to leave.
            self.timers.clear(Timer::WholeRun, &mut self.run_timer);
            self.set_grace(self.policy.leave_time());
        }
        let ending = self.closing || self.stage > Stage::Running;
        if ending && self.stage < Stage::Finished && mutant!(FinishEarly, self.pool.up == 0, self.pool.up <= 1) {
            self.finish();
        }
    }

    /// Items that were accepted and have no outcome yet.
    pub(super) fn unsettled(&self) -> u64 {
        self.totals.accepted.saturating_sub(self.totals.settled())
    }

    /// Stops the run: no slot gets a process again, and items are left.
    fn give_up(&mut self) {
        let (worker, last) = match self.last_end.take() {
            Some((worker, last)) => (worker, format!("{last}, and no worker is left")),
            None => (WorkerId::from_index(0), "no worker is left".to_owned()),
        };
        self.stop(Stage::Terminating, StopReason::RestartLimit { worker, last });
    }

    fn finish(&mut self) {
        self.stage = Stage::Finished;
        self.timers.clear(Timer::Grace, &mut self.grace_timer);
        self.timers.clear(Timer::WholeRun, &mut self.run_timer);
        self.timers.clear(Timer::StartDelay, &mut self.gate.delay_timer);
        self.timers.clear(Timer::Hands, &mut self.hand_timer);
        self.end_chaos();
        let reason = self.reason.clone().unwrap_or(StopReason::SourceEnded);
        let outcome = RunOutcome { reason, totals: self.totals, halted: self.halted.clone() };
        self.report(RunEvent::RunFinished(outcome.clone()));
        self.push(Action::Finish(outcome));
    }
}
