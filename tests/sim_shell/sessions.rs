//! Several sessions of one run, in a row, on one journal: how each of them ends, what the next one finds, and the delivery
//! contract over all of them.
//!
//! A session ends by itself, by KILL of every process at any call of the shell, by a loss of power at any call, or by an
//! error of the disk. The last one is undisturbed.

use crate::agenda::Agenda;
use crate::check::{Check, hold};
use crate::choice::Rng;
use crate::commands::pid_of;
use crate::disk::{Disk, DiskFault, KILL, SimulatedFile};
use crate::machine::Machine;
use crate::marks::Mark;
use crate::observer::is_death;
use crate::output::OutputStreams;
use crate::poll_set::PollSet;
use crate::process::place_of;
use crate::scenario::{CallFaults, RecordPlan, Scenario, SourcePlan, StreamPlan};
use crate::source::SourceState;
use crate::world::{PATIENCE_CALLS, World};
use std::cell::RefCell;
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use supervisor::journal::audit::JournalAudit;
use supervisor::journal::books::ItemStage;
use supervisor::journal::state::JournalState;
use supervisor::model::exit::ExitStatus;
use supervisor::model::ids::ItemId;
use supervisor::model::item_set::ItemSet;
use supervisor::model::outcome::StopReason;
use supervisor::model::signal::Signal;
use supervisor::sys::spill::SpillFile;

/// With this every process of a session ends at once.
pub struct Killed;

/// How a session ends, unless it ends by itself before.
#[derive(Clone, Copy, Debug)]
pub enum SessionEnd {
    /// At this call of the shell, counted from its start.
    Kill(u64),
    PowerLoss(u64),
    Disk(DiskFault),
    ByItself,
}

/// What is known of the sessions of a run.
#[derive(Default)]
pub struct Session {
    /// The call at which all is killed, and whether that has happened.
    pub killed_at: Option<u64>,
    pub is_killed: bool,
    /// The machine stops, too.
    loses_power: bool,
    /// Worker processes and commands of earlier sessions.
    processes_before: usize,
    commands_before: usize,
    /// What the journal says at the start of a session that goes on, and the file.
    pub found: Option<(File, JournalState)>,
    /// What the disk holds.
    left: Vec<u8>,
    /// The journal has items.
    pub goes_on: bool,
    /// The session could not begin.
    pub refused: Option<String>,
    /// Results of turns of which all had left at the last barrier that held.
    pub told: usize,
    /// Results that were shown: the first item, how many, and where they end in stdout.
    pub shown: Vec<(u64, u32, usize)>,
}

impl Session {
    /// Processes of earlier sessions, as the user counts them.
    pub const fn started_before(&self) -> usize {
        self.processes_before + self.commands_before / 4
    }

    /// Whether this was a process of an earlier session.
    pub const fn is_earlier(&self, pid: u32) -> bool {
        place_of(pid) < self.processes_before || (pid >= pid_of(0) && pid < pid_of(self.commands_before))
    }
}

impl SessionEnd {
    fn draw(rng: &mut Rng) -> Self {
        let most = rng.pick(&[30, 150, 600, 2000]);
        let call = 1 + rng.below(most);
        match rng.below(8) {
            0..=2 => Self::Kill(call),
            3..=5 => Self::PowerLoss(call),
            6 => {
                let most = rng.pick(&[6, 30, 100]);
                let call = 1 + rng.below(most) as u32;
                Self::Disk(DiskFault::draw(rng, call))
            }
            _ => Self::ByItself,
        }
    }
}

/// A scenario of a run with a journal, and how its sessions end.
pub fn draw(rng: &mut Rng) -> (Scenario, Vec<SessionEnd>) {
    let mut scenario = Scenario::draw(rng);
    scenario.record = Some(RecordPlan { fails_at: None, for_good: false, fault: None });
    (scenario.policy.first_item, scenario.finished) = (ItemId(0), ItemSet::default());
    // What an outbox writes past the fake system cannot be followed from one session to the next.
    (scenario.huge_result, scenario.early, scenario.hanging) = (false, false, 0);
    if scenario.big_results {
        (scenario.big_results, scenario.items) = (false, 40);
    }
    scenario.calls.spool = 0;
    let ends = (0..rng.between(1, 4)).map(|_| SessionEnd::draw(rng)).collect();
    (scenario, ends)
}

/// The same run without anything that ends it early.
pub fn undisturbed(scenario: &Scenario) -> Scenario {
    let mut calm = scenario.clone();
    calm.calls = CallFaults::default();
    (calm.fault_chance, calm.program_gone_at) = (0, None);
    calm.source = SourcePlan { breaks_at: None, stalls_at: None, ..scenario.source };
    (calm.stdout, calm.stderr) = (StreamPlan::CALM, StreamPlan::CALM);
    (calm.stdout_closed_at, calm.reporter_fails_at) = (None, None);
    (calm.signals, calm.leaps, calm.scale) = (Vec::new(), Vec::new(), None);
    let policy = &mut calm.policy;
    (policy.halt, policy.dead_max, policy.run_timeout, policy.stop_at_abort) = (None, None, None, false);
    policy.exit_rules.clear();
    (policy.restart, policy.intensity.restarts_max) = (supervisor::model::spec::RestartType::Permanent, 1000);
    policy.start_exits_max = None;
    calm
}

impl World {
    /// The next session begins so.
    pub fn plan_session(&mut self, end: SessionEnd) {
        let at = |call| Some(self.calls + call);
        (self.session.killed_at, self.session.loses_power) = match end {
            SessionEnd::Kill(call) => (at(call), false),
            SessionEnd::PowerLoss(call) => (at(call), true),
            SessionEnd::Disk(_) | SessionEnd::ByItself => (None, false),
        };
        let fault = if let SessionEnd::Disk(fault) = end { Some(fault) } else { None };
        self.note(&[80], || format!("a session begins; {end:?}"));
        let disk = Disk::of(self.session.left.clone(), fault);
        self.journal = Some(SimulatedFile(Rc::new(RefCell::new(disk))));
    }

    /// A session has ended, in whichever way: what it has left keeps the contract.
    pub fn end_session(&mut self) {
        let was_killed = std::mem::take(&mut self.session.is_killed);
        self.note(&[81], || format!("the session has ended; killed: {was_killed}"));
        self.note_delivered();
        let Some(file) = self.journal.clone() else { return };
        let (killed, lost) = {
            let disk = file.0.borrow();
            (disk.after_kill(), disk.after_power_loss(&mut self.rng))
        };
        let failed = file.0.borrow().failed;
        let behind = file.0.borrow().calls_behind;
        hold!(self, behind == 0, Barrier, "{behind} calls of the disk follow a {failed:?} that failed");
        let knows = self.storage_failed || self.session.refused.is_some() || was_killed;
        hold!(self, knows || failed.is_none(), Barrier, "a {failed:?} of the disk failed, and nobody noticed");
        self.check_disk(KILL, &killed);
        self.check_disk("a loss of power", &lost);
        let loses_power = was_killed && self.session.loses_power;
        let left = if loses_power || failed == Some("sync") { lost } else { killed };
        self.marks.hit(match (was_killed, loses_power, failed) {
            (true, false, _) => Mark::SessionKilled,
            (true, true, _) => Mark::PowerLost,
            (false, _, Some("sync")) => Mark::SyncFailed,
            (false, _, Some(_)) => Mark::DiskWriteFailed,
            (false, _, None) => Mark::SessionEnded,
        });
        self.session.left = left;
        self.clear_away();
    }

    /// Results that have left stdout as a whole are delivered. What was told before the last barrier is not repeated.
    fn note_delivered(&mut self) {
        let taken = self.output.taken();
        let told = std::mem::take(&mut self.session.told);
        for (at, (first, count, end)) in std::mem::take(&mut self.session.shown).into_iter().enumerate() {
            if end > taken {
                break;
            }
            for id in first..first + u64::from(count) {
                if let Some(item) = self.items.get(id) {
                    item.delivered = true;
                    item.told |= at < told;
                }
            }
        }
    }

    /// Every process has ended, and the supervisor with its descriptors.
    fn clear_away(&mut self) {
        let now = self.now;
        (self.agenda, self.poll_set, self.machine) = (Agenda::default(), PollSet::default(), Machine::default());
        for process in &mut self.processes {
            let unknown = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
            process.death.get_or_insert(unknown);
            (process.reaped, process.forgotten, process.group_killed) = (true, true, true);
            (process.honest, process.charged) = (true, true);
        }
        for pipe in &mut self.pipes {
            (pipe.dropped, pipe.read_to_end) = (true, true);
        }
        self.commands.clear_away(now);
        self.signals.clear();
        (self.signalled, self.impatience, self.patient_until) = (false, 0, self.calls + PATIENCE_CALLS);
        self.record_lost = false;
        (self.storage_failed, self.dismissed, self.finished) = (false, false, false);
        (self.repeats, self.moved, self.starts) = (0, false, 0);
        self.session.processes_before = self.processes.len();
        self.session.commands_before = self.commands.all.len();
        self.session.refused = None;
    }

    /// The session could not begin: the disk has failed, and nothing has started.
    pub fn refused(&mut self, error: String) {
        self.marks.hit(Mark::SessionRefused);
        let has_fault = self.journal.as_ref().is_some_and(|file| file.0.borrow().has_fault());
        hold!(self, has_fault, Engine, "failed to {error}");
        hold!(self, error.contains("journal"), Engine, "{error:?} does not name the journal");
        self.session.refused = Some(error);
    }

    /// The next session of a run finds what the last one has left.
    pub fn begin_session(&mut self, scenario: Scenario, calls_max: u64) {
        (self.scenario, self.calls_max) = (scenario, self.calls + calls_max);
        self.source = SourceState::new(&self.scenario);
        self.output = OutputStreams::new(&self.scenario);
        self.spill = Arc::new(SpillFile::new());
        let left = self.session.left.clone();
        self.session.found = self.read_journal("the end of a session", &left);
        if self.session.found.is_none() {
            // The user removes a file that was never a journal.
            self.session.left.clear();
        }
        self.go_on_with_items();
        self.plan_the_outside();
    }

    fn go_on_with_items(&mut self) {
        self.items.begin_session();
        let found = self.session.found.take();
        let of = |id: u64| {
            let (_, state) = found.as_ref()?;
            let item = state.books.item(ItemId(id))?;
            let groups = state.pending.values().map(|pending| {
                let first = pending.settled.first.0;
                first..first + u64::from(pending.settled.count)
            });
            let pending_until = groups.filter(|group| group.contains(&id)).map(|group| group.end).next();
            let causes =
                state.causes.get(&id).map_or(0, |causes| causes.iter().filter(|cause| is_death(cause)).count() as u32);
            Some((item, pending_until, causes))
        };
        for id in 0..self.items.known() {
            let known = of(id);
            let Some(item) = self.items.get(id) else { continue };
            let (stage, attempts, pending_until, crashes) = match known {
                Some((item, pending_until, crashes)) => (item.stage, item.attempts, pending_until, crashes),
                None => (ItemStage::Waiting, 0, None, 0),
            };
            let (is_settled, is_pending) = (stage.is_settled(), pending_until.is_some());
            let lost = is_settled && !is_pending && !item.delivered && stage != ItemStage::Skipped;
            let again = is_settled && is_pending && item.told;
            item.go_on(stage, attempts, pending_until, crashes);
            hold!(self, !lost, Settled, "the result of item {id} is not shown again, and never left");
            hold!(
                self,
                !again,
                Settled,
                "the result of item {id} had left before the last barrier, and is shown again"
            );
        }
        self.session.goes_on = found.is_some();
        self.session.found = found;
    }

    /// The last session has ended.
    pub fn check_run(&mut self, reason: &StopReason) {
        if *reason != StopReason::SourceEnded {
            return;
        }
        let left = self.session.left.clone();
        let Some((file, state)) = self.read_journal("the end of the run", &left) else {
            return self.violate(Check::Disk, "the journal of a run that has ended is empty".to_owned());
        };
        let (accepted, totals) = (self.items.accepted(), state.books.totals());
        hold!(self, totals.accepted == accepted, Disk, "the books have {totals:?} of {accepted} items");
        let open = totals.waiting + totals.in_flight;
        hold!(self, open == 0, Disk, "{open} items have no outcome at the end of the run");
        let pending = state.pending.len();
        hold!(self, pending == 0, Disk, "{pending} outcomes were not given away at the end of the run");
        match JournalAudit::of(&file) {
            Ok(audit) => {
                let (balanced, faults) = (audit.is_balanced() && !audit.is_damaged(), audit.faults());
                hold!(self, balanced && faults.0.is_empty(), Disk, "the audit of the journal says {faults:?}");
            }
            Err(error) => self.violate(Check::Disk, error.to_string()),
        }
        let lost =
            self.items.all().find(|(_, item)| !item.delivered && item.recorded_stage != Some(ItemStage::Skipped));
        let lost = lost.map(|(id, item)| (id, *item));
        hold!(self, lost.is_none(), Settled, "a result never left stdout: {lost:?}");
        self.marks.hit(Mark::WentOn);
    }
}
