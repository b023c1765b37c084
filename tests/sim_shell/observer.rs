//! What becomes visible, and when: a reporter and a durable record that compare what they are passed with the true
//! state of the world.

use crate::check::{Check, hold};
use crate::commands;
use crate::disk::{Disk, SimulatedFile, stage_of};
use crate::items::{Item, ids, push_payload};
use crate::marks::Mark;
use crate::process::place_of;
use crate::world::{Shared, World};
use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use supervisor::engine::parts::{
    Answer, BegunSession, DurableRecord, Feed, Journaled, Recording, SessionPlan, SessionRules,
};
use supervisor::engine::replay::Difference;
use supervisor::journal::record::{GivenAway, JournalMark, JournalRecord};
use supervisor::model::event::{EndReason, ItemFate, RunEvent};
use supervisor::model::exit::ExitStatus;
use supervisor::model::exit_rule::{ExitRule, rule_for};
use supervisor::model::ids::{Batch, ItemId};
use supervisor::model::journal_spec::{ResumeBy, TriedAgain};
use supervisor::model::outcome::{Cause, CauseKind, FailReason, Outcome, Settlement};
use supervisor::model::spec::Policy;
use supervisor::model::time::Instant;
use supervisor::reporter::own_file::OwnFile;
use supervisor::reporter::results::RawResults;
use supervisor::reporter::{Content, Reporter, ReporterError, Settled};
use supervisor::sys::durable_file::DurableFile;
use supervisor::sys::outbox::Outbox;
use supervisor::trace::frame::{Direction, FrameKind, TracedFrame};

/// The first reporter of a run: it sees results before another one takes them.
pub struct Observer(pub Shared);

impl Reporter for Observer {
    fn event(&mut self, _: Instant, event: &RunEvent, _: &mut Outbox, err: &mut Outbox) -> Result<(), ReporterError> {
        let world = &mut *self.0.borrow_mut();
        world.saw(event);
        if world.scenario.talkative {
            err.push(b"something happened\n");
        }
        Ok(())
    }

    fn settled(
        &mut self,
        _: Instant,
        settled: &mut Settled<'_>,
        _: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        self.0.borrow_mut().shown(settled);
        Ok(())
    }

    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    fn flush(&mut self) -> Result<(), ReporterError> {
        let world = &mut *self.0.borrow_mut();
        if world.scenario.reporter_fails_at.is_some_and(|at| world.now >= at) {
            world.scenario.reporter_fails_at = None;
            world.marks.hit(Mark::ReporterFailed);
            world.storage_failed = true;
            let error = io::Error::from_raw_os_error(libc::ENOSPC);
            return Err(ReporterError::Write { path: "events".to_owned(), error });
        }
        Ok(())
    }
}

/// Shows lines of commands that run.
pub struct EarlyObserver {
    pub world: Shared,
    pub results: RawResults,
}

impl Reporter for EarlyObserver {
    fn event(&mut self, _: Instant, _: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        Ok(())
    }

    fn settled(
        &mut self,
        now: Instant,
        settled: &mut Settled<'_>,
        out: &mut Outbox,
        err: &mut Outbox,
    ) -> Result<(), ReporterError> {
        self.world.borrow_mut().lines_shown(settled);
        self.results.settled(now, settled, out, err)
    }

    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

/// The durable record, if the run has one.
pub struct Record {
    pub world: Shared,
    pub flushes: u32,
    pub lost: bool,
    /// Something was added since the last flush.
    pub behind: bool,
    /// What a real run records, on a simulated disk.
    pub real: Option<Recording>,
}

impl Record {
    /// The record of this run or session. Only the ids of items from 0 on, all of this run, have books.
    pub fn begin(world: &Shared, feed: Feed) -> Result<(Journaled, Feed), String> {
        let scenario = world.borrow().scenario.clone();
        let record = |real| Box::new(Self { world: world.clone(), flushes: 0, lost: false, behind: false, real });
        let policy = scenario.policy;
        if policy.first_item != ItemId(0) || !scenario.finished.is_empty() {
            let in_order = policy.keep_order.then_some(policy.first_item);
            return Ok((Journaled::new(record(None), in_order, None), feed.with_journal(0, None)));
        }
        let (file, found, spill) = {
            let world = &mut *world.borrow_mut();
            let new = || {
                let disk = Disk::of(Vec::new(), scenario.record.and_then(|plan| plan.fault));
                SimulatedFile(Rc::new(RefCell::new(disk)))
            };
            (world.journal.get_or_insert_with(new).clone(), world.session.found.take(), Arc::clone(&world.spill))
        };
        let (readable, earlier) = match found {
            Some((file, state)) => (file, Some(state)),
            None => (tempfile::tempfile().map_err(|error| error.to_string())?, None),
        };
        let bytes = file.0.borrow().after_kill().len() as u64;
        let mut file = DurableFile::of(file, bytes);
        if earlier.is_none() && bytes > 0 {
            file.cut(0).map_err(|error| error.to_string())?;
        }
        let plan = SessionPlan {
            path: Path::new("journal"),
            run_id: "sim",
            facts: &[],
            new_mark: JournalMark(7),
            earlier,
            again: TriedAgain::None,
            resume_by: ResumeBy::Position,
            queue: None,
            rules: SessionRules {
                syncs: true,
                is_forced: false,
                keeps_results: true,
                results_stay: false,
                keeps_order: policy.keep_order,
            },
            started_unix_ns: 0,
        };
        let begun = plan.begin(file, &Arc::new(readable), feed, spill).map_err(|error| error.to_string())?;
        let BegunSession { recording, in_order, pending, feed, .. } = begun;
        Ok((Journaled::new(record(Some(recording)), in_order, pending), feed))
    }
}

impl DurableRecord for Record {
    fn taken_in(&mut self, record: &JournalRecord<'_>) {
        if let Some(real) = &mut self.real {
            real.taken_in(record);
        }
    }

    fn begun(&mut self, now: Instant, batch: Batch) {
        if let Some(real) = &mut self.real {
            real.begun(now, batch);
        }
        self.behind = true;
        let attempts = Some(batch.attempt.0);
        self.world.borrow_mut().recorded_begin(ids(batch.first, batch.count), true, attempts);
    }

    fn returned(&mut self, now: Instant, batch: Batch) {
        if let Some(real) = &mut self.real {
            real.returned(now, batch);
        }
        self.behind = true;
        let attempts = Some(batch.attempt.0 - 1);
        self.world.borrow_mut().recorded_begin(ids(batch.first, batch.count), false, attempts);
    }

    fn happened(&mut self, now: Instant, event: &RunEvent) {
        if let Some(real) = &mut self.real {
            real.happened(now, event);
        }
        if let RunEvent::ItemRetried { item, .. } = event {
            self.behind = true;
            self.world.borrow_mut().recorded_begin(ids(*item, 1), false, None);
        }
    }

    fn settled(&mut self, now: Instant, settlement: &Settlement, answer: Option<&Answer<'_>>, item: &[u8]) -> bool {
        let is_outcome = self.real.as_mut().is_none_or(|real| real.settled(now, settlement, answer, item));
        self.behind = true;
        let world = &mut *self.world.borrow_mut();
        let none = Content::default();
        let found = bytes_of(answer.map_or(&none, |answer| &answer.results), world);
        let Settlement { first, count, ref outcome, pid, .. } = *settlement;
        world.check_results(first.0, count, outcome, pid, &found);
        for id in ids(first, count) {
            let again = world.items.get(id).is_none_or(|item| std::mem::replace(&mut item.recorded, true));
            hold!(world, !again, Settled, "item {id} is recorded twice, or never arrived");
            if let Some(item) = world.items.get(id) {
                item.recorded_stage = is_outcome.then_some(stage_of(outcome));
                item.left_open = !is_outcome;
            }
        }
        if is_outcome {
            world.items.recorded_results.insert(first.0, (count, found));
        }
        is_outcome
    }

    fn place(&self) -> u64 {
        self.real.as_ref().map_or(0, |real| real.place())
    }

    fn given_away(&mut self, shown: GivenAway, output_bytes: u64) {
        if let Some(real) = &mut self.real {
            real.given_away(shown, output_bytes);
        }
    }

    fn is_behind(&self) -> bool {
        self.behind
    }

    fn flush(&mut self) -> io::Result<()> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        self.flushes += 1;
        hold!(world, !self.lost, Barrier, "a record that was lost is flushed again");
        let fails = world.scenario.record.is_some_and(|plan| {
            plan.fails_at.is_some_and(|at| self.flushes == at + 1 || (plan.for_good && self.flushes > at))
        });
        if fails {
            world.marks.hit(Mark::RecordFailed);
            (world.storage_failed, world.record_lost, self.lost) = (true, true, true);
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        self.behind = false;
        if let Some(Err(error)) = self.real.as_mut().map(Recording::flush) {
            world.marks.hit(Mark::RecordFailed);
            (world.storage_failed, world.record_lost, self.lost) = (true, true, true);
            return Err(error);
        }
        world.session.told = world.output.told();
        world.marks.hit(Mark::BarrierPassed);
        world.items.make_safe();
        world.look_at_disk();
        Ok(())
    }

    fn close(&mut self, exit_code: u8, all: bool) -> io::Result<()> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        if let Some(Err(error)) = self.real.as_mut().map(|real| real.close(exit_code, all)) {
            world.marks.hit(Mark::RecordFailed);
            world.storage_failed = true;
            return Err(error);
        }
        hold!(world, !self.lost, Barrier, "a record that was lost is closed");
        Ok(())
    }
}

impl World {
    fn saw(&mut self, event: &RunEvent) {
        if matches!(event, RunEvent::WorkerExited { reason: EndReason::Relief, .. }) {
            self.marks.hit(Mark::MadeRoom);
        }
        if matches!(event, RunEvent::WorkerExited { reason: EndReason::Chaos, .. }) {
            self.marks.hit(Mark::EndedByChaos);
        }
        match event {
            RunEvent::ItemsSettled(settlement) => self.settled(settlement),
            RunEvent::WorkerExited { item, waiting, .. }
                if *waiting > 0 || matches!(item, Some((_, ItemFate::Again(_)))) =>
            {
                self.marks.hit(Mark::ItemReturned);
            }
            RunEvent::Scaled { .. } => self.marks.hit(Mark::Scaled),
            RunEvent::RestartEnded { replaced: 1.., .. } => self.marks.hit(Mark::Restarted),
            RunEvent::RunPaused => self.marks.hit(Mark::Suspended),
            RunEvent::RunFinished(outcome) => self.saw_the_end(outcome.totals.accepted),
            _ => {}
        }
        self.note(&[50], || format!("      {event:?}"));
    }

    fn settled(&mut self, settlement: &Settlement) {
        let Settlement { first, count, ref outcome, ref causes, .. } = *settlement;
        let recorded = self.scenario.record.is_some();
        for id in ids(first, count) {
            let Some(item) = self.items.get(id) else {
                return self.violate(Check::Settled, format!("item {id} never arrived"));
            };
            let again = std::mem::replace(&mut item.settled, true);
            let Item { completed, failures, safe, charges, rejected, holder, .. } = *item;
            item.done = *outcome == Outcome::Done;
            self.items.settled += 1;
            hold!(self, !again, Settled, "item {id} is settled twice");
            hold!(self, safe || !recorded, Barrier, "the outcome of item {id} is visible before its record is safe");
            // If its worker broke the protocol later, the world does not know what was read before.
            let unknown = holder.is_some_and(|holder| !self.processes[holder].honest);
            let rule = causes.last().and_then(|cause| rule_of(&self.scenario.policy, cause));
            let fits = match outcome {
                Outcome::Failed | Outcome::Dead if rule.is_some() => rule == Some(outcome.clone()),
                Outcome::Done => completed || unknown,
                Outcome::Failed => rejected || failures > 0 || unknown || causes.iter().any(is_timeout),
                Outcome::Dead => causes.iter().any(|cause| cause.kind.death().is_some()),
                Outcome::Skipped => true,
            };
            hold!(self, fits, Outcome, "item {id} is {outcome:?}, {causes:?}; its workers did not cause that");
            let crashes = causes.iter().filter(|cause| is_death(cause)).count() as u32;
            let crashes = crashes + settlement.causes_omitted as u32;
            hold!(self, crashes >= charges, Blame, "item {id} has {crashes} crashes on record; {charges} are certain");
            if rule.is_some() && *outcome != Outcome::Done {
                self.marks.hit(Mark::CommandRuled);
            }
            if *outcome == Outcome::Dead {
                self.marks.hit(Mark::ItemDead);
            }
        }
        for cause in causes {
            self.check_cause(first.0, cause);
        }
    }

    /// The trace was told of a frame.
    pub fn traced(&mut self, frame: &TracedFrame) {
        let TracedFrame { direction, kind, batch, queued, passed, .. } = *frame;
        let is_past = queued <= passed && passed.0 <= self.now;
        hold!(self, is_past, Trace, "at {}: {frame:?}", self.now);
        let is_to_worker = direction == Direction::ToWorker;
        hold!(self, is_to_worker == (kind == FrameKind::Items), Trace, "the wrong way: {frame:?}");
        hold!(self, batch.is_none() == (kind == FrameKind::Hello), Trace, "about the wrong items: {frame:?}");
        if let (true, Some(batch)) = (is_to_worker, batch) {
            let have_arrived = batch.end().0 <= self.items.next();
            hold!(self, have_arrived, Trace, "items that never arrived: {frame:?}");
        }
        self.traced.push(*frame);
    }

    /// A fresh core was told the same facts.
    pub fn replayed(&mut self, replayed: Result<(), Difference>) {
        hold!(self, replayed.is_ok(), Replay, "{replayed:?}");
    }

    /// Only the item that was running is charged for a death, and only once.
    fn check_cause(&mut self, item: u64, cause: &Cause) {
        let Some(pid) = cause.pid else { return };
        if is_timeout(cause) {
            self.marks.hit(Mark::ItemTimedOut);
        }
        let limit = self.scenario.policy.timeout.map_or(0, |limit| limit.0);
        if self.session.is_earlier(pid) {
            // Judged there.
            return;
        }
        if let Some(command) = self.commands.by_pid(pid) {
            let (of, status) = (command.item, command.status);
            let runtime = command.ended.map(|ended| ended - command.started);
            let again = std::mem::replace(&mut command.charged, true);
            hold!(self, of == item && !again, Blame, "item {item} is charged for the command of item {of}");
            let fits = match &cause.kind {
                CauseKind::Crashed(_) | CauseKind::Killed(_) => cause.kind.death() == Some(status),
                CauseKind::Interrupted(found) | CauseKind::Chaos(found) => *found == status,
                CauseKind::Failed(FailReason::Exited(code)) => status == ExitStatus::Code(*code),
                CauseKind::Failed(FailReason::TimedOut { .. }) => {
                    let in_time = runtime.is_some_and(|runtime| runtime < limit);
                    hold!(self, !in_time, TimeLimit, "item {item} timed out, but took {runtime:?} ns of {limit}");
                    true
                }
                CauseKind::Failed(_) => false,
            };
            hold!(self, fits, Blame, "item {item}: {cause:?}, but its command ended with {status}");
            return;
        }
        if cause.kind.death().is_none() {
            return;
        }
        let Some(process) = self.processes.get_mut(place_of(pid)) else { return };
        self.marks.hit(Mark::ItemCharged);
        let again = std::mem::replace(&mut process.charged, true);
        let (charge, heard) = (process.charge, process.honest && !process.half_closed);
        hold!(self, !again, Blame, "two items are charged for the death of pid {pid}");
        hold!(
            self,
            charge == Some(item) || !heard,
            Blame,
            "item {item} is charged for pid {pid}, which ran {charge:?}"
        );
    }

    fn shown(&mut self, settled: &mut Settled<'_>) {
        let Settlement { first, count, ref outcome, pid, .. } = *settled.settlement;
        let mut inputs = Vec::new();
        for id in ids(first, count) {
            let Some(item) = self.items.get(id) else {
                return self.violate(Check::Settled, format!("item {id} never arrived"));
            };
            let again = std::mem::replace(&mut item.shown, true);
            let Item { safe, rejected, .. } = *item;
            hold!(self, !again, Settled, "item {id} is shown twice");
            let recorded = self.scenario.record.is_some();
            hold!(self, safe || !recorded, Barrier, "item {id} is shown before its record is safe");
            self.items.shown += 1;
            if !rejected {
                push_payload(id, &mut inputs);
            }
            if count > 1 {
                inputs.push(b'\n');
            }
        }
        self.items.pass_restored();
        let turn = std::mem::replace(&mut self.items.turn, first.plus(u64::from(count)).0);
        if self.scenario.policy.keep_order {
            self.marks.hit(Mark::KeepOrder);
            hold!(self, turn == first.0, Order, "item {first} is shown when it is the turn of item {turn}");
        } else if turn != first.0 {
            self.marks.hit(Mark::ShownOutOfTurn);
        }
        let right = !self.scenario.wants_inputs || settled.inputs == inputs;
        hold!(self, right, Results, "item {first} is shown with other bytes than its own: {:?}", settled.inputs);
        let before = settled.results.before;
        let early = pid.and_then(|pid| self.commands.by_pid(pid)).map_or(0, |command| command.shown_bytes);
        hold!(
            self,
            before == early || settled.exit.is_none(),
            Results,
            "{early} bytes of item {first} were shown early, and not {before}"
        );
        let results = bytes_of(&settled.results, self);
        if self.items.get(first.0).is_some_and(|item| item.pending) {
            self.marks.hit(Mark::PendingShown);
        }
        if self.items.get(first.0).is_some_and(|item| item.pending) && self.scenario.launchers.is_some() {
            let same = self.items.has_recorded(first.0, &results);
            hold!(self, same, Results, "the result of item {first} is not shown as an earlier session had recorded it");
        } else {
            self.check_results(first.0, count, outcome, pid, &results);
        }
        self.output.expected.extend_from_slice(&results);
        self.session.shown.push((first.0, count, self.output.expected.len()));
        self.output.shown += 1;
        // The record has those of single items alone.
        let is_again = self.items.get(first.0).is_some_and(|item| item.pending);
        let timed = self.scenario.timed && *outcome == Outcome::Done && !is_again;
        let times = settled.times.map_or(0, <[_]>::len);
        hold!(self, !timed || times == count as usize, Results, "{times} times of {count} items from item {first}");
        if timed {
            self.marks.hit(Mark::Timed);
        }
    }

    /// Lines of a command that has not ended yet are shown: the next ones of theirs, in the turn of their item.
    fn lines_shown(&mut self, settled: &Settled<'_>) {
        let item = settled.settlement.first.0;
        let lines = bytes_of(&settled.results, self);
        let text = String::from_utf8_lossy(&lines).into_owned();
        let pid = text.split(' ').next().and_then(|pid| pid.parse().ok());
        self.items.pass_restored();
        let turn = self.items.turn;
        self.marks.hit(Mark::EarlyLines);
        hold!(
            self,
            !self.scenario.policy.keep_order || turn == item,
            Order,
            "{text:?} of item {item} in the turn of item {turn}"
        );
        let mut input = Vec::new();
        push_payload(item, &mut input);
        // An item that waits for its turn is released, unless it is shown itself.
        let right = !self.scenario.wants_inputs || settled.inputs == input;
        hold!(self, right, Results, "{text:?} is shown with the item {:?}", settled.inputs);
        let Some(command) = pid.and_then(|pid| self.commands.by_pid(pid)) else {
            return self.violate(Check::Results, format!("{text:?} is shown, of no command"));
        };
        let expected = format!(" {}\n", command.lines_shown);
        command.lines_shown += 1;
        command.shown_bytes += lines.len() as u64;
        let fits = command.item == item && text.ends_with(&expected);
        hold!(self, fits, Results, "{text:?} is shown for item {item}, and{expected:?} comes next");
        self.output.expected.extend_from_slice(&lines);
    }

    fn check_results(&mut self, first: u64, count: u32, outcome: &Outcome, pid: Option<u32>, found: &[u8]) {
        let mut expected = Vec::new();
        if self.scenario.launchers.is_some() {
            let command = pid.and_then(|pid| self.commands.by_pid(pid)).map(|command| command.status);
            if let Some(status) = command {
                self.push_output(first, status, &mut expected);
            }
        } else if *outcome == Outcome::Done {
            for id in first..first + u64::from(count) {
                self.items.push_result(id, &mut expected);
            }
        }
        let is_skipped = *outcome == Outcome::Skipped && found.is_empty();
        if found != expected && !is_skipped {
            let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            let (found, expected) = (text(found), text(&expected));
            let text = format!("{count} items from item {first}, {outcome:?}: {found:?} is shown, not {expected:?}");
            self.violate(Check::Results, text);
        }
    }

    /// The last event of a run: everything that was shown is on its way, and no memory of items is held.
    fn saw_the_end(&mut self, accepted: u64) {
        self.finished = true;
        if self.storage_failed {
            return;
        }
        // Lines of a command whose turn never comes go with the run.
        let in_order = self.scenario.policy.keep_order;
        let early = self.scenario.early && in_order && self.items.all().any(|(_, item)| item.left_open);
        let spilled = self.spill.live_bytes();
        hold!(self, spilled == 0 || early, Memory, "{spilled} bytes in the temporary file are held at the end");
        // Items whose results are shown again may wait for another session, with those, and what is not known to be the
        // same was never handed out.
        let is_held = self.items.all().any(|(_, item)| item.pending && !item.shown);
        if is_held || (self.session.goes_on && accepted < self.items.accepted()) {
            return;
        }
        let held = self.source.blocks.iter().filter(|block| Arc::strong_count(block) > 1).count();
        hold!(self, held == 0, Memory, "the bytes of {held} payloads are held at the end");
    }
}

/// The bytes in the temporary file, and those in memory.
fn bytes_of(content: &Content<'_>, world: &mut World) -> Vec<u8> {
    let mut bytes = vec![0; content.spilled.bytes() as usize];
    if let Err(error) = content.spilled.read_at(0, &mut bytes) {
        world.violate(Check::Results, error.to_string());
    }
    bytes.extend_from_slice(content.memory);
    bytes
}

/// The outcome of a command that ended so, if a rule alone decides about it.
fn rule_of(policy: &Policy, cause: &Cause) -> Option<Outcome> {
    let status = match &cause.kind {
        CauseKind::Failed(FailReason::Exited(code)) => ExitStatus::Code(*code),
        kind => kind.death()?,
    };
    match rule_for(&policy.exit_rules, status)? {
        ExitRule::Retry => None,
        ExitRule::Fail | ExitRule::Halt => Some(Outcome::Failed),
        ExitRule::Dead => Some(Outcome::Dead),
    }
}

/// Whether a worker died under the item, by whatever.
pub fn is_death(cause: &Cause) -> bool {
    cause.kind.death().is_some() || matches!(cause.kind, CauseKind::Chaos(_))
}

fn is_timeout(cause: &Cause) -> bool {
    matches!(cause.kind, CauseKind::Failed(FailReason::TimedOut { .. }))
}

impl crate::items::Items {
    /// A flush has succeeded: everything that was recorded is safe.
    fn make_safe(&mut self) {
        self.each(|item| {
            item.safe |= item.recorded;
            item.attempts_min = item.attempts;
            item.begun_safe |= item.begun;
        });
    }
}

/// Pids of commands and of workers do not overlap.
const _: () = assert!(commands::pid_of(0) > crate::process::pid_of(100_000));
