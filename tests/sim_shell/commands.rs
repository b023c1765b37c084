//! Commands, a process for each item: what the launchers do with the orders that reach them through their mailboxes.
//!
//! The shell's pool and both sides' mailboxes are the real ones; the launcher threads are replaced. A launcher has its
//! turn some time after an order reaches it or one of its commands has ended.

use crate::agenda::{Effect, End};
use crate::check::hold;
use crate::items::{Fate, push_payload};
use crate::marks::Mark;
use crate::scenario::Fault;
use crate::world::World;
use std::sync::Arc;
use supervisor::command::capture::Capture;
use supervisor::core::input::SpawnFailure;
use supervisor::engine::parts::{
    CommandExit, CommandReply, EarlyLines, HandFate, Hands, InHand, LauncherMailboxes, Order, Report, Reports,
};
use supervisor::model::exit::{ExitStatus, Usage};
use supervisor::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use supervisor::model::signal::Signal;
use supervisor::model::time::{Duration, Instant};
use supervisor::reporter::ItemTime;
use supervisor::sys::mailbox::Mailbox;
use supervisor::sys::spill::SpilledContent;

/// Pids of commands follow from their index, and are far above those of resident workers.
const FIRST_PID: u32 = 1_000_000;

/// How long the end of the output of a command that has ended is awaited.
const OUTPUT_HELD_NS_MAX: u64 = 1_000_000_000;

/// An outbox writes a piece of this many bytes to the descriptor itself, past the fake system.
const PASSED_BYTES: usize = 16 * 1024;

pub struct Command {
    pub slot: WorkerId,
    incarnation: Incarnation,
    pub item: u64,
    pub started: u64,
    fault: Option<Fault>,
    /// It will not end by itself.
    pub hangs: bool,
    /// A signal has stopped it; its time is over meanwhile, or another signal waits for it.
    pub is_stopped: bool,
    is_due: bool,
    waiting: Option<Signal>,
    pub ended: Option<u64>,
    pub status: ExitStatus,
    /// An order of the shell has ended it.
    pub killed: bool,
    pub reported: bool,
    /// Until when another process holds its output open after its end, and whether the shell was told.
    held_until: Option<u64>,
    held_told: bool,
    pub charged: bool,
    /// Lines that it writes while it runs, and has not reported.
    lines_left: u32,
    /// The shell has asked for more lines.
    takes_lines: bool,
    /// Lines that were reported, and their bytes.
    lines_told: u32,
    told_bytes: u64,
    /// Those of them that were shown.
    pub lines_shown: u32,
    pub shown_bytes: u64,
}

#[derive(Default)]
pub struct Commands {
    pub mailboxes: Option<LauncherMailboxes>,
    pub all: Vec<Command>,
    /// Launchers whose turn is planned.
    planned: [bool; 2],
    /// What the slots of each launcher have in hand.
    hands: [Hands; 2],
    /// What each launcher reports.
    reports: Vec<Reports>,
    /// Further attempts that were left out.
    pub declined_again: u64,
}

pub const fn pid_of(index: usize) -> u32 {
    FIRST_PID + index as u32
}

impl Commands {
    /// The command of this pid.
    pub fn by_pid(&mut self, pid: u32) -> Option<&mut Command> {
        self.all.get_mut(pid.checked_sub(FIRST_PID)? as usize)
    }

    /// Whether the end of a command has to wait until it goes on.
    pub fn waits_to_go_on(&mut self, index: usize) -> bool {
        let command = &mut self.all[index];
        let waits = command.is_stopped && command.ended.is_none();
        command.is_due |= waits;
        waits
    }

    fn launchers(&self) -> usize {
        self.mailboxes.as_ref().map_or(0, |mailboxes| mailboxes.orders.len())
    }

    /// Every command has ended, and the launchers with the supervisor.
    pub fn clear_away(&mut self, now: u64) {
        for command in &mut self.all {
            command.ended.get_or_insert(now);
            (command.reported, command.charged, command.incarnation) = (true, true, Incarnation(u32::MAX));
        }
        let all = std::mem::take(&mut self.all);
        *self = Self { all, ..Self::default() };
    }

    /// Whether reports wait that the loop has not taken.
    pub fn has_reports(&self) -> bool {
        self.mailboxes.as_ref().is_some_and(|mailboxes| !mailboxes.reports.is_empty() && !mailboxes.reports.is_armed())
    }
}

impl World {
    /// Plans a turn of each launcher that has orders waiting.
    pub fn notice_orders(&mut self) {
        for index in 0..self.commands.launchers() {
            let mailboxes = self.commands.mailboxes.as_ref();
            let is_woken = |orders: &Mailbox<Order>| !orders.is_empty() && !orders.is_armed();
            if mailboxes.is_some_and(|mailboxes| is_woken(&mailboxes.orders[index])) {
                self.plan_launcher(index);
            }
        }
    }

    fn plan_launcher(&mut self, index: usize) {
        if !std::mem::replace(&mut self.commands.planned[index], true) {
            let wait = self.rng.below(self.scenario.launcher_ns_max + 1);
            self.after(wait, Effect::LauncherGoesOn(index));
        }
    }

    pub fn launcher_goes_on(&mut self, launcher: usize) {
        self.commands.planned[launcher] = false;
        self.launcher_reports(launcher, Vec::new());
        let mut orders = Vec::new();
        if let Some(mailboxes) = &self.commands.mailboxes {
            mailboxes.orders[launcher].take(&mut orders);
        }
        let (mut reports, mut probing) = (Vec::new(), false);
        for order in orders {
            match order {
                Order::Launch { worker, incarnation, batch, item } => {
                    self.leaves(batch.first.0);
                    self.launch(worker, incarnation, batch, item.bytes(), &mut reports);
                }
                Order::Kill { worker, incarnation, signal } => {
                    if let Some(report) = self.kill_command(worker, incarnation, signal) {
                        reports.push(report);
                    }
                }
                Order::InHand(hand) => self.take_in_hand(hand, &mut reports),
                Order::TakeBack { worker } => {
                    self.marks.hit(Mark::HandRecalled);
                    self.take_back(worker, &mut reports);
                }
                Order::Probe => probing = true,
                Order::MoreLines { worker, incarnation } => self.take_more_lines(worker, incarnation),
                // Its input has no blocks.
                Order::Block { .. } | Order::EndStdin { .. } => {}
                Order::Changed(_) | Order::Leave => {}
            }
        }
        self.report_lines(launcher, &mut reports);
        for index in 0..self.commands.all.len() {
            let command = &self.commands.all[index];
            let own = command.slot.index() % self.commands.launchers() == launcher;
            if !own || command.ended.is_none() || command.reported {
                continue;
            }
            if command.held_until.is_none_or(|until| until <= self.now) {
                if self.commands.all[index].lines_left > 0 && self.rng.per_mille(500) {
                    self.marks.hit(Mark::LastLines);
                    reports.push(self.report_line(index));
                }
                self.end_command(index, &mut reports);
            } else if !command.held_told {
                self.marks.hit(Mark::OutputHeld);
                let command = &mut self.commands.all[index];
                command.held_told = true;
                let (worker, incarnation) = (command.slot, command.incarnation);
                reports.push(Report::OutputHeld { worker, incarnation });
            }
        }
        if probing {
            self.marks.hit(Mark::LauncherProbed);
            reports.push(Report::Probed);
        }
        self.note(&[40, launcher as u64, reports.len() as u64], || {
            format!("launcher {launcher} reports {} things", reports.len())
        });
        self.launcher_reports(launcher, reports);
        let mailboxes = self.commands.mailboxes.as_ref();
        if mailboxes.is_some_and(|mailboxes| !mailboxes.orders[launcher].arm()) {
            self.plan_launcher(launcher);
        }
    }

    /// A launcher posts its reports, and has a turn when the loop has to be woken for quiet ones.
    fn launcher_reports(&mut self, launcher: usize, new: Vec<Report>) {
        let (launchers, now) = (self.commands.launchers(), Instant(self.now));
        let Some(mailboxes) = &self.commands.mailboxes else { return };
        while self.commands.reports.len() < launchers {
            self.commands.reports.push(Reports::new(Arc::clone(&mailboxes.reports)));
        }
        let reports = &mut self.commands.reports[launcher];
        reports.on_timeout(now);
        reports.extend(new);
        reports.post(&self.commands.hands[launcher], launchers, now);
        let next = reports.next_timeout();
        let untold = !mailboxes.reports.is_empty() && mailboxes.reports.is_armed();
        let waits = self.commands.reports.iter().any(|reports| reports.next_timeout().is_some());
        hold!(self, !untold || waits, LostWakeUp, "reports were posted quietly, and the loop is not woken for them");
        if let Some(at) = next {
            self.after(at.since(now).0, Effect::LauncherGoesOn(launcher));
        }
    }

    /// The launcher of a slot, and the slot's place among those of the launcher.
    fn place_of(&self, slot: WorkerId) -> (usize, usize) {
        let launchers = self.commands.launchers();
        (slot.index() % launchers, slot.index() / launchers)
    }

    fn take_in_hand(&mut self, hand: InHand, reports: &mut Vec<Report>) {
        self.leaves(hand.batch.first.0);
        let (launcher, place) = self.place_of(hand.worker);
        let runs = self.commands.all.iter().any(|command| command.slot == hand.worker && !command.reported);
        match self.commands.hands[launcher].give(place, runs, hand) {
            HandFate::Kept => self.marks.hit(Mark::HandKept),
            HandFate::Start(InHand { worker, batch, item }, incarnation) => {
                self.marks.hit(Mark::HandStartedLate);
                self.launch(worker, incarnation, batch, item.bytes(), reports);
            }
            HandFate::Return(InHand { worker, batch, .. }) => {
                self.marks.hit(Mark::HandReturned);
                reports.push(Report::TakenBack { worker, item: batch.first });
            }
        }
    }

    fn take_back(&mut self, slot: WorkerId, reports: &mut Vec<Report>) {
        let (launcher, place) = self.place_of(slot);
        for hand in self.commands.hands[launcher].take_all(place) {
            self.marks.hit(Mark::HandReturned);
            reports.push(Report::TakenBack { worker: slot, item: hand.batch.first });
        }
    }

    /// Reports the end of a command, and starts what is in hand behind it.
    fn end_command(&mut self, index: usize, reports: &mut Vec<Report>) {
        let Command { slot, status, .. } = self.commands.all[index];
        let (launcher, place) = self.place_of(slot);
        let had_next = !self.commands.hands[launcher].is_empty(place);
        if !self.commands.hands[launcher].end(place, status) {
            self.take_back(slot, reports);
        }
        reports.push(self.report_exit(index, had_next));
        if let Some((InHand { worker, batch, item }, incarnation)) = self.commands.hands[launcher].pop_next(place) {
            self.marks.hit(Mark::HandStarted);
            hold!(self, status.is_success(), Executions, "slot {slot} goes on behind {status} by itself");
            self.launch(worker, incarnation, batch, item.bytes(), reports);
        }
    }

    /// Reports a line of each command that has one to report, if the shell has asked for more.
    fn report_lines(&mut self, launcher: usize, reports: &mut Vec<Report>) {
        let launchers = self.commands.launchers();
        for index in 0..self.commands.all.len() {
            let command = &mut self.commands.all[index];
            let own = command.slot.index() % launchers == launcher;
            if !own || command.reported || !command.takes_lines || command.lines_left == 0 {
                continue;
            }
            command.takes_lines = false;
            reports.push(self.report_line(index));
        }
    }

    /// Reports the next line of a command.
    fn report_line(&mut self, index: usize) -> Report {
        let command = &mut self.commands.all[index];
        command.lines_left -= 1;
        let text = format!("{} {}\n", pid_of(index), command.lines_told).into_bytes();
        let before = command.told_bytes;
        command.lines_told += 1;
        command.told_bytes += text.len() as u64;
        let (worker, incarnation, item) = (command.slot, command.incarnation, ItemId(command.item));
        let mut out = Capture { before, ..Capture::default() };
        if self.rng.per_mille(200) {
            out.spilled.push(&self.spill, &text).expect("the folder for temporary files takes a line");
        } else {
            out.memory = text;
        }
        Report::Lines(Box::new(EarlyLines { worker, incarnation, item, out, err: Capture::default() }))
    }

    fn take_more_lines(&mut self, slot: WorkerId, incarnation: Incarnation) {
        let of = |command: &Command| command.slot == slot && command.incarnation == incarnation;
        let Some(index) = self.commands.all.iter().position(of) else { return };
        let command = &mut self.commands.all[index];
        // The last lines of a command come unasked.
        let is_due = command.reported || (command.lines_shown == command.lines_told && !command.takes_lines);
        command.takes_lines = true;
        self.marks.hit(Mark::MoreLines);
        hold!(self, is_due, Results, "more lines of command {index} are asked for before the last ones were shown");
    }

    fn launch(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        bytes: &[u8],
        reports: &mut Vec<Report>,
    ) {
        let (launcher, place) = self.place_of(worker);
        self.commands.hands[launcher].begin(place, incarnation);
        let report = self.started(worker, incarnation, batch, bytes);
        if matches!(report, Report::NotSpawned { .. }) {
            self.take_back(worker, reports);
        }
        reports.push(report);
    }

    fn started(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Batch, bytes: &[u8]) -> Report {
        let item = batch.first.0;
        let mut expected = Vec::new();
        push_payload(item, &mut expected);
        hold!(self, batch.count == 1 && bytes == expected, ItemBytes, "the command of item {item} gets {bytes:?}");
        let busy = self.commands.all.iter().any(|command| command.slot == worker && !command.reported);
        hold!(self, !busy, Executions, "a second command is launched in slot {worker}");
        if self.chance(self.scenario.calls.start_shortage) {
            self.marks.hit(Mark::CommandShortage);
            let error = SpawnFailure::Shortage("start a command: no memory".to_owned());
            return Report::NotSpawned { worker, incarnation, error };
        }
        let fault = self.chance(self.scenario.fault_chance).then(|| self.rng.pick(&self.scenario.faults));
        if fault == Some(Fault::WrongToken) && self.rng.below(3) == 0 {
            self.marks.hit(Mark::CommandDeclined);
            self.commands.declined_again += u64::from(batch.attempt > Attempt::FIRST);
            return Report::NotSpawned { worker, incarnation, error: SpawnFailure::Declined };
        }
        if fault == Some(Fault::WrongToken) {
            self.marks.hit(Mark::CommandNotStarted);
            if let Some(item) = self.items.get(item) {
                item.failures += 1;
            }
            let error = "start a command: not found".to_owned();
            let error = match self.rng.below(2) {
                0 => SpawnFailure::Item(error),
                _ => SpawnFailure::Lost { error, missing: true },
            };
            return Report::NotSpawned { worker, incarnation, error };
        }
        self.start_command(worker, incarnation, batch, fault)
    }

    fn start_command(
        &mut self,
        slot: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        fault: Option<Fault>,
    ) -> Report {
        let item = batch.first.0;
        self.begins(item, batch.attempt.0);
        let fate = self.items.fate(item);
        let crashes = fate == Fate::Kills || matches!(fault, Some(Fault::DiesMidItem | Fault::DiesBeforeHello));
        let hangs = fate == Fate::Hangs || fault == Some(Fault::Hangs);
        let status = match fate {
            _ if crashes => ExitStatus::from(End::Signal(11)),
            Fate::Fails => ExitStatus::from(End::Code(4)),
            _ => ExitStatus::from(End::Code(0)),
        };
        let index = self.commands.all.len();
        let started = self.now;
        let lines_left = if self.scenario.early { self.rng.below(4) as u32 } else { 0 };
        self.commands.all.push(Command {
            slot,
            incarnation,
            item,
            started,
            fault,
            hangs,
            is_stopped: false,
            is_due: false,
            waiting: None,
            ended: None,
            status,
            killed: false,
            reported: false,
            held_until: None,
            held_told: false,
            charged: false,
            lines_left,
            takes_lines: true,
            lines_told: 0,
            told_bytes: 0,
            lines_shown: 0,
            shown_bytes: 0,
        });
        if lines_left > 0 {
            let wait = self.rng.below(self.scenario.item_ns_max + 1);
            self.after(wait, Effect::LauncherGoesOn(slot.index() % self.commands.launchers()));
        }
        if hangs {
            self.marks.hit(Mark::Hung);
        } else {
            let length = self.rng.below(self.scenario.item_ns_max + 1);
            self.after(length, Effect::CommandEnds(index));
        }
        self.note_start();
        self.note(&[41, index as u64, item], || format!("command {index} starts with item {item}, fault {fault:?}"));
        Report::Spawned { worker: slot, incarnation, pid: pid_of(index) }
    }

    pub fn command_ends(&mut self, index: usize) {
        let now = self.now;
        let command = &mut self.commands.all[index];
        if command.ended.is_some() {
            return;
        }
        command.ended = Some(now);
        let (slot, item, status, runtime) = (command.slot, command.item, command.status, now - command.started);
        let in_time = self.scenario.policy.timeout.is_none_or(|limit| runtime < limit.0);
        self.marks.hit(match status {
            ExitStatus::Code(0) => Mark::Commands,
            ExitStatus::Code(_) => Mark::CommandFailed,
            ExitStatus::Signal { .. } | ExitStatus::Unknown => Mark::CommandCrashed,
        });
        if let Some(item) = self.items.get(item) {
            item.returns += u32::from(!status.is_success() || !in_time);
            item.failures += u32::from(matches!(status, ExitStatus::Code(code) if code > 0));
            item.completed |= status.is_success();
            item.counts |= status.is_success() && in_time;
        }
        if self.rng.per_mille(50) {
            // The launcher has a turn at the end of that time too.
            let held = self.rng.below(OUTPUT_HELD_NS_MAX);
            self.commands.all[index].held_until = Some(now + held);
            self.after(held, Effect::LauncherGoesOn(slot.index() % self.commands.launchers()));
        }
        self.plan_launcher(slot.index() % self.commands.launchers());
    }

    /// A signal for a command; one for a command that is gone has no effect.
    fn kill_command(&mut self, slot: WorkerId, incarnation: Incarnation, signal: Signal) -> Option<Report> {
        let of = |command: &Command| command.slot == slot && command.incarnation == incarnation && !command.reported;
        let index = self.commands.all.iter().position(of)?;
        let command = &mut self.commands.all[index];
        if signal != Signal::KILL && command.fault == Some(Fault::ChangedUser) {
            self.marks.hit(Mark::SignalRefused);
            return Some(Report::NotSignalled { error: format!("send {signal} to worker {slot}") });
        }
        if command.ended.is_some() && signal == Signal::KILL {
            // It ends whatever holds the output open.
            command.held_until = None;
        }
        if matches!(signal, Signal::STOP | Signal::CONT) {
            self.stop_command(index, signal);
            return None;
        }
        if command.ended.is_some() || (signal != Signal::KILL && command.fault == Some(Fault::IgnoresSignals)) {
            return None;
        }
        if command.is_stopped && signal != Signal::KILL {
            command.waiting = command.waiting.or(Some(signal));
            return None;
        }
        self.marks.hit(Mark::CommandKilled);
        command.killed = true;
        command.status = ExitStatus::Signal { signal, core_dumped: false };
        self.command_ends(index);
        None
    }

    /// STOP reaches a command, or CONT.
    fn stop_command(&mut self, index: usize, signal: Signal) {
        let command = &mut self.commands.all[index];
        let was_stopped = std::mem::replace(&mut command.is_stopped, signal == Signal::STOP);
        if signal == Signal::STOP {
            return self.marks.hit(Mark::CommandHeld);
        }
        let (slot, incarnation, waiting) = (command.slot, command.incarnation, command.waiting.take());
        if std::mem::take(&mut command.is_due) {
            self.after(1_000, Effect::CommandEnds(index));
        }
        if let Some(signal) = waiting {
            self.kill_command(slot, incarnation, signal);
        }
        if was_stopped {
            self.let_go();
        }
    }

    fn report_exit(&mut self, index: usize, had_next: bool) -> Report {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let command = &mut self.commands.all[index];
        command.reported = true;
        let Command { slot, incarnation, item, started, ended, status, told_bytes: before, .. } = *command;
        self.push_output(item, status, &mut out);
        err.extend_from_slice(b"noise\n");
        // A large output goes to the temporary file: from memory it would be written past the fake system.
        let out = if out.len() >= PASSED_BYTES || (self.rng.per_mille(20) && !out.is_empty()) {
            self.marks.hit(Mark::CommandSpilled);
            let mut spilled = SpilledContent::default();
            spilled.push(&self.spill, &out).expect("the folder for temporary files takes one");
            Capture { spilled, before, ..Capture::default() }
        } else {
            Capture { memory: out, before, ..Capture::default() }
        };
        let runtime = Duration(ended.unwrap_or(started) - started);
        let reply = CommandReply {
            item: ItemId(item),
            out,
            err: Capture { memory: err, ..Capture::default() },
            time: ItemTime { started: Instant(started), runtime },
            exit: status,
        };
        let usage = Usage::default();
        let (worker, interrupted) = (slot, None);
        Report::Exited(Box::new(CommandExit { worker, incarnation, status, usage, reply, interrupted, had_next }))
    }

    /// What a command that ended with this status has written: all of its result, or a part.
    pub fn push_output(&self, item: u64, status: ExitStatus, out: &mut Vec<u8>) {
        if status.is_success() {
            self.items.push_result(item, out);
        } else {
            out.extend_from_slice(b"a part");
        }
    }
}
