//! The shadow model judges what the core reports: events, how a stop goes on, and the end.

use crate::items::ItemPlace;
use crate::marks::{Mark, Marks};
use crate::shadow::{KillWhy, Phase, Shadow};
use crate::violation::{BrokenCheck, ensure};
use supervisor::model::event::{EndReason, ItemFate, RunEvent, Stage};
use supervisor::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::outcome::{CauseKind, RunOutcome, StopReason, Totals};
use supervisor::model::time::{Duration, Instant};

/// A delay that grows is not doubled beyond this.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(3600);

type Judgement = Result<(), BrokenCheck>;

impl Shadow {
    pub fn reports(&mut self, event: &RunEvent, now: Instant, marks: &mut Marks) -> Judgement {
        match event {
            RunEvent::Stopping { stage, reason } => self.stops(*stage, reason, now, marks),
            RunEvent::ItemRetried { item, attempt, delay, cause, .. } => {
                self.starts.reports_end(*item, Some(cause))?;
                let (id, known) = (*item, &self.items[*item]);
                let text = "item is retried in the reports";
                ensure!(known.place == ItemPlace::Queued && known.attempt == *attempt, Reports, "{text}: {event:?}");
                // What chaos has ended begins again at once.
                let waits = !matches!(cause.kind, CauseKind::Chaos(_));
                let base = if waits { self.policy.retry_delay } else { Duration::ZERO };
                let by_chaos =
                    known.causes.iter().filter(|cause| matches!(cause.kind, CauseKind::Chaos(_))).count() as u32;
                let doubled = base.doubled(attempt.0.saturating_sub(2 + by_chaos)).min(RETRY_DELAY_MAX.max(base));
                ensure!(delay.0 >= doubled.0 / 2 && *delay <= doubled, Attempts, "{event:?}, the delay is {doubled:?}");
                if let Some(not_before) = self.delayed.get_mut(&id) {
                    *not_before = now + *delay;
                }
                if *delay > Duration::ZERO {
                    marks.hit(Mark::ItemRetriedLater);
                }
                self.totals.retried += 1;
                Ok(())
            }
            RunEvent::WorkerExited { worker, incarnation, reason, item, waiting, .. } => {
                let (held, reported) = (self.slots[worker.index()].ended_with, waiting + u64::from(item.is_some()));
                ensure!(held == reported, Reports, "worker {worker} ended with {held} items, reported {event:?}");
                self.reports_exit(*worker, *incarnation, reason, *item)?;
                // The process of what is in hand follows.
                self.begins_hand(worker.index(), now);
                Ok(())
            }
            RunEvent::ItemStarted { item, attempt, worker, incarnation, .. } => {
                let holder = self.items[*item].holder.map(|(slot, incarnation, _)| (slot, incarnation));
                let reported = Some((worker.index(), incarnation.0));
                ensure!(holder == reported, Reports, "item {item} is held by {holder:?}, reported {event:?}");
                self.starts.reports_start(*item, *attempt)
            }
            RunEvent::ItemsReturned { first, count, attempt, worker, incarnation, running, .. } => {
                let holder = self.items[*first].holder.map(|(slot, incarnation, _)| (slot, incarnation));
                let reported = Some((worker.index(), incarnation.0));
                ensure!(holder == reported, Reports, "item {first} was held by {holder:?}, reported {event:?}");
                if running.is_some() {
                    marks.hit(Mark::RunningReturned);
                }
                self.starts.reports_return(Batch { first: *first, count: *count, attempt: *attempt }, *running)
            }
            RunEvent::Scaled { to, .. } => {
                let count = self.wanted_slots().count();
                ensure!(*to as usize == count, Scale, "there are {count} workers, reported {event:?}");
                Ok(())
            }
            RunEvent::Chaos { .. } => self.chaos(event, now, marks),
            RunEvent::RestartBegun { .. }
            | RunEvent::RestartEnded { .. }
            | RunEvent::RunPaused
            | RunEvent::RunContinued => self.reports_steering(event, marks),
            RunEvent::WorkerReady { worker, incarnation, .. } => self.living(*worker, *incarnation).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn reports_exit(
        &self,
        worker: WorkerId,
        incarnation: Incarnation,
        reason: &EndReason,
        item: Option<(ItemId, ItemFate)>,
    ) -> Judgement {
        let slot = &self.slots[worker.index()];
        ensure!(slot.incarnation == incarnation.0, Reports, "worker {worker} exits as incarnation {}", incarnation.0);
        let fits = match reason {
            EndReason::Own | EndReason::Asked => slot.kill.is_none(),
            EndReason::TimedOut => matches!(slot.kill, Some(KillWhy::TimedOut(_))),
            EndReason::NoHello => slot.kill == Some(KillWhy::NoHello),
            EndReason::Protocol(_) => slot.kill == Some(KillWhy::Protocol),
            EndReason::Strategy => slot.kill == Some(KillWhy::Strategy),
            EndReason::Stopped => slot.kill == Some(KillWhy::Stopped),
            EndReason::Relief => slot.kill == Some(KillWhy::Relief),
            EndReason::GivenUp => slot.kill == Some(KillWhy::GivenUp),
            EndReason::Chaos => slot.chaos.ended,
        };
        let fits = fits && slot.chaos.ended == (*reason == EndReason::Chaos);
        ensure!(fits, Reports, "worker {worker} ended because of {:?}, reported {reason:?}", slot.kill);
        match item {
            Some((id, ItemFate::Again(attempt))) => {
                let known = &self.items[id];
                ensure!(known.attempt == attempt, Reports, "item {id} again as {attempt}, due is {}", known.attempt);
            }
            Some((id, ItemFate::Settled)) => {
                let place = self.items[id].place;
                ensure!(
                    place != ItemPlace::Queued || self.stage > Stage::Running || self.given_up.contains(&id),
                    Reports,
                    "item {id} is called settled"
                );
            }
            None => {}
        }
        Ok(())
    }

    fn stops(&mut self, stage: Stage, reason: &StopReason, now: Instant, marks: &mut Marks) -> Judgement {
        ensure!(stage >= self.stage, StopRises, "{stage:?} after {:?}", self.stage);
        ensure!(!self.clock.is_paused(), Paused, "it stops ({stage:?}) and stays paused");
        if let Some(before) = &self.reason {
            // Of two reasons of one kind the first stays: its signal is raised again at the end.
            let alike = std::mem::discriminant(before) == std::mem::discriminant(reason);
            ensure!(
                if alike { before == reason } else { reason.outranks(before) },
                StopRises,
                "{reason:?} replaces {before:?}"
            );
        }
        if self.reason.as_ref() == Some(reason) {
            self.may_rise(stage, now)?;
        } else {
            self.may_stop(reason, now)?;
        }
        if stage > self.stage {
            self.stage_since = now;
            // The same step that ended a worker ends the run: none is restarted any more.
            for index in self.new_companions.drain(..) {
                self.slots[index].companion = false;
            }
        }
        self.stage = stage;
        self.reason = Some(reason.clone());
        marks.hit(match stage {
            Stage::Running | Stage::Draining => Mark::Drained,
            Stage::Terminating => Mark::Terminated,
            Stage::Killing | Stage::Finished => Mark::Killed,
        });
        match reason {
            StopReason::RestartLimit { .. } => marks.hit(Mark::RestartLimit),
            StopReason::DeadLimit { .. } => marks.hit(Mark::DeadLimit),
            StopReason::RunTimeout => marks.hit(Mark::RunTimedOut),
            StopReason::HaltMet | StopReason::HaltFailed => {
                let now = self.policy.halt.is_some_and(|halt| halt.now);
                marks.hit(if now { Mark::HaltedNow } else { Mark::HaltedSoon });
            }
            _ => {}
        }
        Ok(())
    }

    pub fn finishes(&mut self, outcome: &RunOutcome, marks: &mut Marks) -> Judgement {
        let up = self.slots.iter().position(|slot| slot.phase != Phase::Down);
        ensure!(up.is_none(), Finish, "the run is over, and worker {} is there", up.unwrap_or(0) + 1);
        if matches!(outcome.reason, StopReason::HaltMet | StopReason::HaltFailed) {
            let met = outcome.halted.as_ref().and_then(|halted| self.meets_halt(&halted.totals));
            ensure!(met.as_ref() == Some(&outcome.reason), Finish, "it stopped by --halt at {:?}", outcome.halted);
        }
        let open = self.totals.accepted - self.totals.settled();
        ensure!(open == 0, Finish, "the run is over, and {open} items are open");
        ensure!(
            self.committed + self.totals.restored == self.totals.accepted,
            CommitOrder,
            "{} of {} results were committed",
            self.committed,
            self.totals.accepted - self.totals.restored
        );
        // `stale` is a minimum: some facts name a present process and are stale by their content.
        let reported = Totals { stale: 0, ..outcome.totals };
        let counted = Totals { stale: 0, ..self.totals };
        ensure!(
            reported == counted && outcome.totals.stale >= self.totals.stale,
            Conservation,
            "totals: counted {counted:?}, reported {reported:?}"
        );
        match &self.reason {
            Some(reason) => {
                ensure!(*reason == outcome.reason, Finish, "it stopped for {reason:?}, reported {outcome:?}")
            }
            None => {
                ensure!(outcome.reason == StopReason::SourceEnded, Finish, "it never stopped, reported {outcome:?}");
                marks.hit(Mark::EndedNormally);
            }
        }
        self.finished = true;
        Ok(())
    }
}
