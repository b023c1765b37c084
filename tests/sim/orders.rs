//! The shadow model judges every order of the core.

use crate::items::{DueOutcome, ItemPlace, ids};
use crate::marks::{Mark, Marks};
use crate::shadow::{KillWhy, Phase, Shadow, Truth};
use crate::violation::{BrokenCheck, ensure};
use supervisor::core::action::Action;
use supervisor::model::event::Stage;
use supervisor::model::exit::ExitStatus;
use supervisor::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::outcome::{CauseKind, FailReason, Outcome, Settlement, StopReason};
use supervisor::model::signal::Signal;
use supervisor::model::spec::{Credit, QueueOrder};
use supervisor::model::time::{Duration, Instant};

/// What a worker holds at most with `Credit::Auto`: four batches, or many short ones.
const AUTO_BATCHES_MAX: usize = 4;
const AUTO_ITEMS_MAX: u64 = 4096;

type Judgement = Result<(), BrokenCheck>;

/// A skipped item that was running when the run was stopped.
fn is_interrupted(settlement: &Settlement) -> bool {
    settlement.causes.last().is_some_and(|cause| matches!(cause.kind, CauseKind::Interrupted(_)))
}

impl Shadow {
    pub fn action(&mut self, action: &Action, now: Instant, truth: Truth, marks: &mut Marks) -> Judgement {
        ensure!(!self.finished, Finish, "{action:?} after the end");
        match action {
            Action::Demand { items } => self.demands(*items, now),
            Action::CloseSource => {
                ensure!(!self.source_closed, Demand, "the source is closed twice");
                self.source_closed = true;
                Ok(())
            }
            Action::Spawn { worker, incarnation, batch: None } => self.spawns(*worker, *incarnation, now, marks),
            Action::Spawn { worker, incarnation, batch: Some(batch) } => {
                self.launches(*worker, *incarnation, *batch, now, marks)
            }
            Action::ShowStatus(status) => {
                marks.hit(Mark::StatusShown);
                self.shows(status)
            }
            Action::Dispatch { worker, incarnation, batch } => {
                self.dispatches(*worker, *incarnation, *batch, now, marks)
            }
            Action::CloseInput { worker, incarnation } | Action::Recall { worker, incarnation } => {
                let slot = self.living(*worker, *incarnation)?;
                self.is_asked_to_leave(slot, marks)?;
                (self.slots[slot].leaving, self.slots[slot].leaving_at) = (true, now);
                Ok(())
            }
            Action::Probe { worker, incarnation } => {
                let slot = self.living(*worker, *incarnation)?;
                let oldest = self.slots[slot].leases.front().map(|batch| batch.first);
                let for_start = oldest.is_some_and(|id| self.starts.is_awaited(id));
                let useful = self.policy.timeout.is_some() || for_start;
                ensure!(useful, Timeouts, "worker {worker} is probed, but there is nothing to learn");
                ensure!(self.slots[slot].held > 0, Timeouts, "worker {worker} is probed, but holds nothing");
                Ok(())
            }
            Action::Kill { worker, incarnation, signal } => {
                self.kills(*worker, *incarnation, *signal, now, truth, marks)
            }
            Action::Settle { settlement, in_turn } => {
                self.settles(settlement, marks)?;
                // A settlement in turn is committed with it.
                if *in_turn { self.commits(settlement.first, settlement.count) } else { Ok(()) }
            }
            Action::Commit { first, count } => self.commits(*first, *count),
            Action::Report(event) => self.reports(event, now, marks),
            Action::Because(_) => Ok(()),
            Action::InHand { worker, batch } => self.gives_in_hand(*worker, *batch, now),
            Action::TakeBack { worker } => self.takes_back(*worker),
            Action::Finish(outcome) => self.finishes(outcome, marks),
        }
    }

    fn demands(&mut self, items: u64, now: Instant) -> Judgement {
        ensure!(!self.source_closed || items == 0, Demand, "items are asked of a closed source");
        let delayed = self.delayed.values().filter(|not_before| **not_before > now).count() as u64;
        let waiting = self.fresh_items() + delayed;
        let max = self.policy.queue_items_max;
        ensure!(
            items == 0 || waiting + items <= max,
            Demand,
            "{waiting} wait, {items} more are asked for, limit {max}"
        );
        self.demand = items;
        Ok(())
    }

    /// The slot of this incarnation, whose process was spawned and has not ended.
    pub fn living(&self, worker: WorkerId, incarnation: Incarnation) -> Result<usize, BrokenCheck> {
        let slot = self.slots.get(worker.index());
        let fits = slot.is_some_and(|slot| slot.phase > Phase::Asked && slot.incarnation == incarnation.0);
        ensure!(fits, LivingProcess, "an order to worker {worker} incarnation {}, which is not there", incarnation.0);
        Ok(worker.index())
    }

    /// A process is started: the slot is empty, and its back-off is over.
    fn fills(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        now: Instant,
        marks: &mut Marks,
    ) -> Result<usize, BrokenCheck> {
        ensure!(!self.clock.is_paused(), Paused, "worker {worker} is started while the run is paused");
        self.starts_spare(worker.index(), marks);
        ensure!(worker.index() < self.slots.len(), DownSlot, "there is no worker {worker}");
        let slot = &mut self.slots[worker.index()];
        ensure!(slot.phase == Phase::Down, DownSlot, "worker {worker} is filled though it is {:?}", slot.phase);
        ensure!(
            incarnation.0 == slot.incarnation + 1,
            DownSlot,
            "worker {worker}: incarnation {} follows {}",
            incarnation.0,
            slot.incarnation
        );
        ensure!(!slot.removed, Scale, "worker {worker} is started though the run was scaled down by it");
        slot.begin(incarnation.0);
        let (waited, pause) = (now.since(slot.last_end), slot.pause);
        ensure!(waited >= pause, Restarts, "worker {worker} is started after {waited:?}, the back-off is {pause:?}");
        let (counted, allowed) = (slot.counted.len(), self.policy.intensity.restarts_max as usize);
        let passed = slot.last_counted && counted > allowed;
        ensure!(!passed, Restarts, "worker {worker}: {counted} deaths within the period, {allowed} allowed");
        ensure!(self.stage == Stage::Running, StopRises, "worker {worker} is started while the run stops");
        self.keeps_pace(worker, now, marks)?;
        Ok(worker.index())
    }

    /// A process is started: none is held back, and the delay after the last one is over.
    fn keeps_pace(&mut self, worker: WorkerId, now: Instant, marks: &mut Marks) -> Judgement {
        ensure!(self.permitted != Some(0), Pace, "worker {worker} is started while no process may be");
        self.permitted = self.permitted.map(|count| count - 1);
        let waited = self.last_start.map(|last| now.since(last));
        let wait = self.policy.start_delay.map_or(Duration::ZERO, |delay| delay.min);
        ensure!(waited.is_none_or(|waited| waited >= wait), Pace, "worker {worker} is started after {waited:?}");
        if self.last_start.is_some() && self.policy.start_delay.is_some() {
            marks.hit(Mark::StartDelayed);
        }
        if std::mem::take(&mut self.was_held) {
            marks.hit(Mark::StartHeld);
        }
        self.last_start = Some(now);
        Ok(())
    }

    fn spawns(&mut self, worker: WorkerId, incarnation: Incarnation, now: Instant, marks: &mut Marks) -> Judgement {
        let index = self.fills(worker, incarnation, now, marks)?;
        ensure!(!self.policy.worker.starts_with_item(), DownSlot, "worker {worker} is started without an item");
        let slot = &self.slots[index];
        ensure!(!slot.retired, Restarts, "worker {worker} is started again, its restart type forbids it");
        if slot.pause > Duration::ZERO {
            marks.hit(Mark::RestartedAfterBackoff);
        }
        Ok(())
    }

    fn launches(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        now: Instant,
        marks: &mut Marks,
    ) -> Judgement {
        ensure!(batch.count == 1, Credit, "a process for {} items", batch.count);
        ensure!(!self.congested, Congestion, "a process is started for {batch:?} while the output is congested");
        let index = self.fills(worker, incarnation, now, marks)?;
        ensure!(self.policy.worker.starts_with_item(), DownSlot, "worker {worker} is started for an item");
        self.leases(index, batch, now)?;
        // The item has not started before its process is spawned.
        self.items[batch.first].started = false;
        Ok(())
    }

    fn dispatches(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        now: Instant,
        marks: &mut Marks,
    ) -> Judgement {
        let ready = self.slots.get(worker.index()).is_some_and(|slot| {
            let fit = !slot.leaving && !slot.closed && !slot.broken;
            slot.phase == Phase::Ready && slot.incarnation == incarnation.0 && fit
        });
        ensure!(
            ready && !self.policy.worker.starts_with_item(),
            ReadySlot,
            "{batch:?} to worker {worker}, which is not ready"
        );
        ensure!(self.stage == Stage::Running, StopRises, "{batch:?} is dispatched while the run stops");
        ensure!(!self.clock.is_paused(), Paused, "{batch:?} is dispatched while the run is paused");
        let index = worker.index();
        ensure!(!self.slots[index].is_held, Relief, "{batch:?} to worker {worker}, which is held");
        self.leases(index, batch, now)?;
        let slot = &self.slots[index];
        ensure!(
            batch.count <= self.policy.batch_max,
            Credit,
            "a batch of {}, limit {}",
            batch.count,
            self.policy.batch_max
        );
        let within = match self.policy.worker.credit {
            Credit::Items(max) => slot.held <= max.into(),
            Credit::Auto => slot.leases.len() <= AUTO_BATCHES_MAX || slot.held <= AUTO_ITEMS_MAX,
        };
        ensure!(within, Credit, "worker {worker} holds {} items in {} batches", slot.held, slot.leases.len());
        if slot.leases.len() > 1 {
            let idle = self.idle_slot();
            ensure!(idle.is_none(), WorkConserving, "{batch:?} in advance to worker {worker}, and {idle:?} is idle");
            marks.hit(Mark::BatchesWaiting);
        }
        if batch.count > 1 && self.fresh.front().is_some_and(|next| *next == batch.end()) {
            marks.hit(Mark::BatchSplit);
        }
        Ok(())
    }

    /// Leases a batch to a slot: every item of it waits, has this attempt, and is the next in order.
    fn leases(&mut self, index: usize, batch: Batch, now: Instant) -> Judgement {
        ensure!(batch.count > 0, QueuedItem, "an empty batch");
        let together = self.policy.start_together && !self.policy.worker.starts_with_item();
        ensure!(
            !together || self.dispatched || self.all_met(),
            ReadySlot,
            "{batch:?} is dispatched before every slot was ready"
        );
        self.dispatched = true;
        for id in ids(batch.first, batch.count) {
            self.takes_from_queue(id, batch, now)?;
            let (incarnation, pid) = (self.slots[index].incarnation, self.slots[index].pid);
            let item = &mut self.items[id];
            item.place = ItemPlace::Leased(index);
            item.started = true;
            item.sent_at = now;
            item.holder = Some((index, incarnation, pid));
        }
        self.starts.dispatched(batch)?;
        let slot = &mut self.slots[index];
        if slot.held == 0 {
            slot.sent_at = now;
        }
        slot.leases.push_back(batch);
        slot.held += u64::from(batch.count);
        self.in_flight += u64::from(batch.count);
        self.oldest_counts(index);
        Ok(())
    }

    pub fn takes_from_queue(&mut self, id: ItemId, batch: Batch, now: Instant) -> Judgement {
        let Some(item) = self.items.get(id) else {
            ensure!(false, QueuedItem, "item {id} never arrived");
            return Ok(());
        };
        ensure!(item.place == ItemPlace::Queued, QueuedItem, "item {id} is dispatched, but it is {:?}", item.place);
        ensure!(
            batch.attempt == item.attempt,
            Attempts,
            "item {id} as attempt {}, due is {}",
            batch.attempt,
            item.attempt
        );
        if let Some(not_before) = self.delayed.remove(&id) {
            ensure!(now >= not_before, Attempts, "item {id} again at {}, not before {}", now.0, not_before.0);
            return Ok(());
        }
        let fifo = self.policy.queue_order == QueueOrder::Fifo;
        if self.policy.queue_order == QueueOrder::Priority {
            let key = (item.priority, id);
            let first = self.ranked.first().copied();
            ensure!(first == Some(key), DispatchOrder, "item {id} (priority {}) before {first:?}", item.priority);
            self.ranked.pop_first();
            if item.holder.is_none() {
                ensure!(self.released(), DispatchOrder, "item {id} is dispatched while the queue still fills");
                self.ranked_fresh -= 1;
            }
            return Ok(());
        }
        if let Some(&first) = self.returned.front() {
            ensure!(first == id, DispatchOrder, "item {id} is dispatched, but {first} came back before it");
            self.returned.pop_front();
            return Ok(());
        }
        if let Some(first) = self.unbegun.pop_first() {
            ensure!(first == id, DispatchOrder, "item {id} is dispatched, but {first} was in hand before it");
            return Ok(());
        }
        let first = if fifo { self.fresh.pop_front() } else { self.fresh.pop_back() };
        ensure!(first == Some(id), DispatchOrder, "item {id} is dispatched, but {first:?} is next");
        ensure!(self.released(), DispatchOrder, "item {id} is dispatched while the queue still fills");
        Ok(())
    }

    fn kills(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        signal: Signal,
        now: Instant,
        truth: Truth,
        marks: &mut Marks,
    ) -> Judgement {
        let index = self.living(worker, incarnation)?;
        if self.asked_signal == Some((worker, signal)) {
            return self.sends_asked_signal(marks);
        }
        ensure!(truth.exists, LivingProcess, "{signal} to worker {worker}, whose process is gone");
        if self.chaos_signals(index, signal, now, marks) {
            return Ok(());
        }
        if matches!(signal, Signal::STOP | Signal::CONT) {
            return self.holds(index, signal, marks);
        }
        self.slots[index].got_kill |= signal == Signal::KILL;
        if self.slots[index].output_held {
            let fine = signal == Signal::KILL && self.stage == Stage::Killing;
            ensure!(fine, ReasonToKill, "{signal} to worker {worker}, whose process has ended by itself");
            return Ok(());
        }
        if self.slots[index].kill.is_none() {
            let why = self.why_kill(index, now, truth);
            ensure!(why.is_some(), ReasonToKill, "{signal} to worker {worker} for no reason");
            self.slots[index].kill = why;
            self.slots[index].passed = self.limit();
            if matches!(why, Some(KillWhy::TimedOut(_))) && self.policy.timeout_percent.is_some() {
                marks.hit(Mark::MedianPassed);
            }
            if why == Some(KillWhy::Relief) {
                marks.hit(Mark::MadeRoom);
            }
            if why == Some(KillWhy::Stopped) && self.stage == Stage::Running {
                marks.hit(Mark::RemovedEnded);
            }
        }
        let last = self.policy.term_sequence.len() - 1;
        let stage = self.stage;
        let slot = &mut self.slots[index];
        let step = slot.kill_step;
        slot.kill_step += 1;
        slot.leaving = true;
        if signal == Signal::KILL && stage == Stage::Killing {
            marks.hit(Mark::EscalatedToKill);
            return Ok(());
        }
        ensure!(step <= last, ReasonToKill, "worker {worker} gets {signal} after the end of the term sequence");
        if signal == Signal::KILL && slot.broken && slot.kill == Some(KillWhy::Protocol) {
            return Ok(());
        }
        let expected = self.policy.term_sequence[step].signal;
        ensure!(signal == expected, ReasonToKill, "worker {worker} gets {signal} where {expected} is due");
        if step > 0 {
            let wait = self.policy.term_sequence[step - 1].wait;
            let waited = now.since(slot.killed_at);
            ensure!(waited >= wait, ReasonToKill, "worker {worker} gets {signal} after {waited:?} instead of {wait:?}");
        }
        if step == last && last > 0 {
            marks.hit(Mark::EscalatedToKill);
        }
        slot.killed_at = now;
        Ok(())
    }

    fn settles(&mut self, settlement: &Settlement, marks: &mut Marks) -> Judgement {
        ensure!(settlement.count > 0, OneOutcome, "an empty settlement");
        let arrived = self.items.has(settlement.first, settlement.count);
        ensure!(arrived, Conservation, "{settlement:?} of items that never arrived");
        let verdict = DueOutcome::of(&settlement.outcome);
        for index in ids(settlement.first, settlement.count) {
            let place = self.items[index].place;
            match (verdict, place) {
                (Some(verdict), ItemPlace::Due(due)) => {
                    ensure!(verdict == due, OneOutcome, "item {index} is {due:?}, but settled {verdict:?}");
                    self.due -= 1;
                }
                (None, ItemPlace::Due(DueOutcome::LeftOut)) => {
                    self.due -= 1;
                    self.totals.declined += u64::from(self.items[index].attempt == Attempt::FIRST);
                    marks.hit(Mark::ItemLeftOut);
                }
                (None, ItemPlace::Queued) => {
                    self.skips(index);
                    let is_given_up = self.given_up.contains(&index);
                    self.skipped_now += u64::from(!is_given_up);
                    if is_given_up {
                        marks.hit(Mark::ItemGivenUp);
                    }
                }
                _ => ensure!(false, OneOutcome, "item {index} settled {:?}, but it is {place:?}", settlement.outcome),
            }
            self.items[index].place = ItemPlace::Settled;
            self.given_up.remove(&index);
            self.checks_history(index, settlement)?;
            if verdict.is_some() || is_interrupted(settlement) {
                let cause = settlement.causes.last().filter(|_| verdict != Some(DueOutcome::Done));
                self.starts.reports_end(index, cause)?;
            }
        }
        let count = u64::from(settlement.count);
        match settlement.outcome {
            Outcome::Done => {
                self.totals.done += count;
                self.dead_row = 0;
            }
            Outcome::Failed => self.totals.failed += count,
            Outcome::Dead => {
                marks.hit(Mark::ItemDead);
                self.totals.dead += count;
                self.dead_row += 1;
            }
            Outcome::Skipped => {
                self.totals.skipped += count;
                self.totals.interrupted += u64::from(is_interrupted(settlement));
            }
        }
        let row = self.dead_row;
        if self.policy.dead_max.is_some_and(|max| row >= max) {
            self.given.push(StopReason::DeadLimit { dead: row });
        }
        if self.policy.stop_at_abort && matches!(settlement.outcome, Outcome::Failed | Outcome::Dead) {
            let last = settlement.causes.last();
            if let Some(ExitStatus::Signal { signal, .. }) = last.and_then(|cause| cause.kind.death()) {
                self.given.push(StopReason::Aborted { signal: Some(signal) });
            } else if last.is_some_and(|cause| cause.kind == CauseKind::Failed(FailReason::Exited(255))) {
                self.given.push(StopReason::Aborted { signal: None });
            }
        }
        Ok(())
    }

    /// A skipped item leaves the queue, wherever it stood.
    fn skips(&mut self, id: ItemId) {
        if self.delayed.remove(&id).is_some() {
            return;
        }
        let item = &self.items[id];
        if self.policy.queue_order == QueueOrder::Priority {
            self.ranked.remove(&(item.priority, id));
            self.ranked_fresh -= u64::from(item.holder.is_none());
        } else if self.unbegun.remove(&id) {
            // It stood behind what was given back.
        } else if let Some(place) = self.returned.iter().position(|&queued| queued == id) {
            self.returned.remove(place);
        } else if let Some(place) = self.fresh.iter().position(|&queued| queued == id) {
            self.fresh.remove(place);
        }
    }

    fn checks_history(&self, index: ItemId, settlement: &Settlement) -> Judgement {
        let item = &self.items[index];
        let deaths = item.causes.iter().filter(|cause| cause.kind.death().is_some()).count();
        ensure!(
            deaths as u32 == item.crashes + item.kills,
            Blame,
            "item {index} ended {} workers, reported {settlement:?}",
            item.crashes + item.kills
        );
        // Only the worker knows whether an unfinished attempt began; if it did, its end is a cause.
        let interrupted = settlement.causes.last().filter(|_| is_interrupted(settlement));
        let (causes, omitted) = item.kept_causes(interrupted);
        ensure!(
            settlement.causes == causes && settlement.causes_omitted == omitted,
            Causes,
            "item {index}: {:?}, reported {settlement:?}",
            item.causes
        );
        if settlement.outcome == Outcome::Skipped {
            // Only the worker knows whether an unfinished attempt began.
            let fits = (item.attempt.0 - 1..=item.attempt.0).contains(&settlement.attempts);
            ensure!(fits, Causes, "item {index} had {} attempts, reported {settlement:?}", item.attempt);
            return Ok(());
        }
        // The attempt that is due counts only if it began.
        let attempts = item.attempt.0 - u32::from(!item.started);
        ensure!(
            settlement.attempts == attempts,
            Causes,
            "item {index} had {attempts} attempts, reported {settlement:?}"
        );
        let settled_by = (settlement.worker.map(WorkerId::index), settlement.incarnation.map(|it| it.0));
        let held = (item.holder.map(|(slot, ..)| slot), item.holder.map(|(_, incarnation, _)| incarnation));
        ensure!(settled_by == held, Causes, "item {index} was held by {held:?}, reported {settlement:?}");
        Ok(())
    }

    fn commits(&mut self, first: ItemId, count: u32) -> Judgement {
        ensure!(self.items.has(first, count), CommitOrder, "{count} results from {first} on");
        if self.policy.keep_order {
            // Restored items are never committed: their turn is passed over.
            while self.items.get(self.commit_next).is_some_and(|item| item.place == ItemPlace::Restored) {
                self.commit_next = self.commit_next.plus(1);
            }
            let next = self.commit_next;
            ensure!(first == next, CommitOrder, "results from {first} on are committed, {next} is next");
            self.commit_next = first.plus(u64::from(count));
        }
        for id in ids(first, count) {
            let item = &mut self.items[id];
            ensure!(item.place == ItemPlace::Settled, CommitOrder, "{id} is committed, and it is {:?}", item.place);
            ensure!(!std::mem::replace(&mut item.committed, true), CommitOrder, "{id} is committed twice");
        }
        self.committed += u64::from(count);
        Ok(())
    }
}
