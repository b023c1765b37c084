//! A launcher: a thread that owns some of the slots completely. It starts their commands, waits for them, reads what
//! they write, feeds them, ends what is left of their process groups, and reaps them.
//!
//! To start a process takes the caller a moment, up to the exec where nothing else is to be done, and so does to end one. On
//! two threads that share nothing these moments overlap, and the loop has none of them.
//!
//! A command has ended when its process has. Its output is complete when both pipes are closed. A grandchild that holds
//! a pipe open may write on for [`LINGER`](super::dues::LINGER); then the leftovers of the process group are ended. The group is signalled
//! before its leader is reaped: until then its number is its own.
//!
//! Output is read also while stdout takes less than the commands write: what is too much for memory goes to a file, and
//! no command stands still, with its time running, because of a slow reader.
//!
//! Invariant: decides nothing: it carries out orders and reports facts. It never waits for the loop, and lives as long as
//! the run: its commands would die with it. At most a handful of facts for each slot wait for the loop.

use super::super::super::answer::CommandReply;
use super::super::super::system::reap;
use super::super::super::token::{Part, Port};
use super::dues::{Due, Dues};
use super::folders::FolderMaker;
use super::hands::{HandFate, Hands};
use super::held_output;
use super::messages::{CommandExit, CommandRules, InHand, ItemBytes, Order, Report};
use super::reports::Reports;
use super::running::RunningCommand;
use super::slots::LauncherSlots;
use crate::command::capture::Collector;
use crate::command::exec::Commander;
use crate::command::job_control::goes_on_at_terminal;
use crate::model::exit::ExitStatus;
use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::model::signal::Signal;
use crate::model::spec::Leftovers;
use crate::model::time::{Duration, Instant};
use crate::reporter::ItemTime;
use crate::sys::children::ChildChange;
use crate::sys::clock::Clock;
use crate::sys::guard::Groups;
use crate::sys::mailbox::Mailbox;
use crate::sys::poller::{Interest, Poller, Ready};
use crate::sys::spawn::Spawner;
use crate::sys::terminal::Terminal;
use std::io;
use std::sync::Arc;

/// Reads from one pipe of a command before the others are read.
const READS_PER_EVENT: u32 = 16;
/// Reads from one pipe of a command that has ended: more than a pipe holds (1 MiB at most).
const READS_AT_END: u32 = 64;

/// Output of a command after which the next ones are expected to write more than a pipe holds.
const WORDY_BYTES: u64 = 32 * 1024;

/// How long a launcher without commands yields before it sleeps, after it has reported an end: the next start usually
/// follows sooner than a wake-up would take.
const ANSWER_WAIT: Duration = Duration(50_000);

/// What a launcher is made of.
pub struct LauncherConfig {
    /// The number of launchers. Each owns every `step`th slot.
    pub step: usize,
    pub commander: Commander,
    pub collector: Collector,
    pub groups: Groups,
    pub clock: Clock,
    pub rules: CommandRules,
    /// Lent to each command while it runs. The launcher is the only one then, and has one slot.
    pub terminal: Option<Terminal>,
    /// Makes a temporary folder for each attempt.
    pub folders: Option<FolderMaker>,
    pub orders: Arc<Mailbox<Order>>,
    pub reports: Arc<Mailbox<Report>>,
}

/// What the thread of a launcher has.
pub struct Launcher {
    /// Before what the start of a command uses: it is dropped first.
    pub(super) slots: LauncherSlots,
    pub(super) config: LauncherConfig,
    pub(super) spawner: Spawner,
    pub(super) poller: Poller,
    now: Instant,
    /// The next item of each owned slot.
    hands: Hands,
    pub(super) reports: Reports,
    /// An end was reported in this turn.
    awaits_answer: bool,
    /// It has an order to look, and has not yet.
    probing: bool,
    /// Commands whose output is not read yet, and ended ones whose output is still open.
    dues: Dues,
    /// The last command that has ended wrote so much that the next ones are read from the beginning.
    is_wordy: bool,
}

impl Launcher {
    /// # Errors
    /// No descriptor is left.
    pub fn new(config: LauncherConfig) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(config.orders.as_ref(), Interest::READ, Port::Orders.token())?;
        Ok(Self {
            spawner: Spawner::for_deaf_thread()?,
            poller,
            now: Instant::ZERO,
            slots: LauncherSlots::new(config.step),
            hands: Hands::default(),
            reports: Reports::new(Arc::clone(&config.reports)),
            awaits_answer: false,
            probing: false,
            dues: Dues::default(),
            is_wordy: false,
            config,
        })
    }

    /// Runs until the order to leave.
    ///
    /// # Errors
    /// The poll set fails.
    pub fn run(mut self) -> io::Result<()> {
        let (mut orders, mut ready) = (Vec::new(), Vec::new());
        loop {
            // Ends before starts: the loop finds more work for the slots while they are filled.
            self.post();
            self.config.orders.take(&mut orders);
            for order in orders.drain(..) {
                if !self.obey(order) {
                    return Ok(());
                }
            }
            self.post();
            self.await_answer();
            let at_once = self.probing || !self.config.orders.arm();
            let timeout = if at_once { Some(Duration::ZERO) } else { self.next_timeout() };
            self.poller.wait(&mut ready, timeout)?;
            self.now = self.config.clock.now();
            self.report_starts();
            // What is in hand is settled before the ends of commands, behind which the next ones are started.
            self.config.orders.take(&mut orders);
            let is_of_hand = |order: &mut Order| matches!(order, Order::InHand(_) | Order::TakeBack { .. });
            for order in orders.extract_if(.., is_of_hand) {
                self.obey(order);
            }
            for event in &ready {
                self.on_ready(*event);
            }
            self.on_timeouts();
            if std::mem::take(&mut self.probing) {
                self.reports.push(Report::Probed);
            }
        }
    }

    /// Carries out an order; `false` if it is the one to leave.
    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Launch { worker, incarnation, batch, item } => self.launch(worker, incarnation, batch, item),
            Order::Kill { worker, incarnation, signal } => self.kill(worker, incarnation, signal),
            Order::MoreLines { worker, incarnation } => self.take_more_lines(worker, incarnation),
            Order::Changed(change) => self.note_change(change),
            Order::Block { worker, incarnation, block } => self.take_block(worker, incarnation, block),
            Order::EndStdin { worker, incarnation } => self.end_stdin(worker, incarnation),
            Order::InHand(hand) => self.take_in_hand(hand),
            Order::TakeBack { worker } => self.take_back(worker.index()),
            Order::Probe => self.probing = true,
            Order::Leave => return false,
        }
        true
    }

    /// Yields for a moment, so that the loop can answer, if this launcher has nothing else to do.
    fn await_answer(&mut self) {
        if !std::mem::take(&mut self.awaits_answer) || self.slots.running() > 0 {
            return;
        }
        let until = self.config.clock.now() + ANSWER_WAIT;
        while self.config.orders.is_empty() && self.config.clock.now() < until {
            std::thread::yield_now();
        }
    }

    fn post(&mut self) {
        self.reports.post(&self.hands, self.config.step, self.now);
    }

    fn next_timeout(&self) -> Option<Duration> {
        let next = [self.dues.next(), self.reports.next_timeout()];
        next.into_iter().flatten().min().map(|at| at.since(self.config.clock.now()))
    }

    fn on_timeouts(&mut self) {
        self.reports.on_timeout(self.now);
        while let Some((due, token)) = self.dues.pop(self.now) {
            let Some(Port::Worker { index, generation, .. }) = Port::of(token) else { continue };
            let Some(has_ended) = self.slots.of_event(index, generation).map(|command| command.ended.is_some()) else {
                continue;
            };
            match due {
                Due::Read if self.slots.is_starting(index as usize) => {
                    self.dues.read_later(self.now, token);
                }
                Due::Read => self.watch_output(index as usize),
                // The time of its leftovers is over.
                Due::End if has_ended => self.settle(index as usize),
                Due::End => {}
            }
        }
    }

    fn on_ready(&mut self, event: Ready) {
        let Some(Port::Worker { part, index, generation }) = Port::of(event.token) else { return };
        if self.slots.of_event(index, generation).is_none() {
            return;
        }
        let index = index as usize;
        match part {
            Part::Process => self.ended(index),
            Part::CommandStdin => self.write_stdin(index),
            Part::CommandStdout | Part::Stderr => {
                // Lines that may be reported leave from memory: with more of them, some would go to the file first.
                let reads = if self.config.rules.lines { 1 } else { READS_PER_EVENT };
                let is_closed = self.read(index, part, reads);
                self.report_lines(index);
                if is_closed {
                    self.settle_if_complete(index);
                }
            }
            // Of resident workers.
            Part::Frames | Part::Writable => {}
        }
    }

    /// From now on the output of a command is read as it comes. If the system is short of what that takes, it is tried again.
    fn watch_output(&mut self, index: usize) {
        let Some(command) = self.slots.at(index) else {
            return;
        };
        if command.watch_output(&self.poller).is_err() {
            self.dues.read_later(self.now, command.token(Part::Process));
        }
    }

    fn launch(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Batch, item: ItemBytes) {
        self.hands.begin(self.slots.place(worker.index()), incarnation);
        let command = match self.start(worker, incarnation, batch, item) {
            Ok(command) => command,
            Err(error) => return self.not_started(worker, incarnation, error),
        };
        let (pid, stdin) = (command.execution.process.pid, command.execution.stdin.is_some());
        let (token, has_output) = (command.token(Part::Process), command.execution.stdout.is_some());
        let is_known = command.execution.pending.is_none();
        self.slots.insert(command);
        if is_known {
            self.reports.push(Report::Spawned { worker, incarnation, pid });
        } else if self.hands.is_empty(self.slots.place(worker.index())) && !self.report_start(worker.index()) {
            // With nothing in hand the loop is to know of the start at once, and before what becomes of a block. It has failed.
            return;
        }
        let is_read = self.is_wordy || self.config.rules.lines;
        if is_read {
            self.watch_output(worker.index());
        }
        if self.slots.is_starting(worker.index()) || (has_output && !is_read) {
            self.dues.read_later(self.config.clock.now(), token);
        }
        if stdin {
            self.write_stdin(worker.index());
        }
    }

    /// The next item of a slot.
    fn take_in_hand(&mut self, hand: InHand) {
        let (index, runs) = (hand.worker.index(), self.slots.at(hand.worker.index()).is_some());
        match self.hands.give(self.slots.place(index), runs, hand) {
            HandFate::Kept => {}
            HandFate::Start(hand, incarnation) => self.launch(hand.worker, incarnation, hand.batch, hand.item),
            HandFate::Return(InHand { worker, batch, .. }) => {
                self.reports.push(Report::TakenBack { worker, item: batch.first });
            }
        }
    }

    /// What a slot has in hand comes back.
    pub(super) fn take_back(&mut self, index: usize) {
        let returned = self.hands.take_all(self.slots.place(index));
        let report = |hand: InHand| Report::TakenBack { worker: hand.worker, item: hand.batch.first };
        self.reports.extend(returned.map(report));
    }

    /// Signals a command and its process group. A command that has ended is no error.
    fn kill(&mut self, worker: WorkerId, incarnation: Incarnation, signal: Signal) {
        // Before its exec it may not lead its group yet.
        self.report_start(worker.index());
        let command = self.slots.of(worker, incarnation);
        let Some(command) = command else { return };
        // One that is held, or goes on, is not asked to end.
        command.signalled |= !matches!(signal, Signal::STOP | Signal::CONT);
        let process = &command.execution.process;
        if let Err(error) = process.signal_all(signal) {
            let error = format!("send {signal} to worker {worker} (pid {}): {error}", process.pid);
            self.reports.push(Report::NotSignalled { error });
        }
    }

    /// Lines that were reported have been shown.
    fn take_more_lines(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let command = self.slots.of(worker, incarnation);
        if let Some(command) = command {
            command.takes_lines = true;
            self.report_lines(worker.index());
        }
    }

    /// Reports the whole lines of a command, if there are some and the loop takes them.
    fn report_lines(&mut self, index: usize) {
        let lines = self.slots.at(index).and_then(RunningCommand::lines);
        self.reports.extend(lines.map(|lines| Report::Lines(Box::new(lines))));
    }

    /// A child was stopped, or goes on. Between a stop at the terminal and the shell's order to go on, the whole
    /// supervisor stands still in here, as the job that the person at the terminal has stopped.
    fn note_change(&mut self, change: ChildChange) {
        let Some(command) = self.slots.of_pid(change.pid) else { return };
        let (worker, incarnation) = (command.worker, command.incarnation);
        if let (Some(terminal), Some(signal)) = (&mut self.config.terminal, change.stopped)
            && goes_on_at_terminal(terminal, signal, &command.execution.process)
        {
            return;
        }
        self.reports.push(Report::Stopped { worker, incarnation, by: change.stopped });
    }

    /// Writes the item to the command's stdin.
    fn write_stdin(&mut self, index: usize) {
        if let Some(command) = self.slots.at(index) {
            let (worker, incarnation) = (command.worker, command.incarnation);
            let taken = command.write_stdin(&self.poller);
            self.reports.extend(taken.map(|taken| Report::BlockEnded { worker, incarnation, taken }));
        }
    }

    /// A further block for the stdin of a command. One that has ended takes nothing of it.
    fn take_block(&mut self, worker: WorkerId, incarnation: Incarnation, block: ItemBytes) {
        let command = self.slots.at(worker.index());
        let taken = match command.filter(|command| command.incarnation == incarnation) {
            Some(command) => command.take_block(block, &self.poller),
            None => Some(Err(block.bytes().len())),
        };
        self.reports.extend(taken.map(|taken| Report::BlockEnded { worker, incarnation, taken }));
    }

    /// The command reads end-of-file.
    fn end_stdin(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let command = self.slots.of(worker, incarnation);
        if let Some(command) = command.filter(|command| !command.watched.stdin) {
            command.execution.stdin = None;
        }
    }

    /// Reads one pipe, at most `reads` times. Returns whether it is closed.
    fn read(&mut self, index: usize, part: Part, reads: u32) -> bool {
        let Some(command) = self.slots.at(index) else {
            return true;
        };
        command.read(part, reads, &mut self.config.collector, &self.poller).unwrap_or_else(|error| {
            self.reports.push(Report::StorageLost { error: error.to_string() });
            true
        })
    }

    /// The process of a command has ended: reads what is left, and waits for leftovers of its group that hold the output
    /// open.
    fn ended(&mut self, index: usize) {
        let now = self.now;
        if !self.report_start(index) {
            return;
        }
        let Some(command) = self.slots.at(index) else {
            return;
        };
        if command.ended.replace(now).is_some() {
            return;
        }
        let (token, worker, incarnation) = (command.token(Part::Process), command.worker, command.incarnation);
        let _ = self.poller.remove(&command.execution.process);
        if let Some(terminal) = &mut self.config.terminal {
            terminal.take_back();
        }
        self.read(index, Part::CommandStdout, READS_AT_END);
        self.read(index, Part::Stderr, READS_AT_END);
        if !self.settle_if_complete(index) {
            self.watch_output(index);
            self.dues.end_later(now, token);
            // It ended now, whatever limits pass while its output is awaited.
            self.reports.push(Report::OutputHeld { worker, incarnation });
        }
    }

    fn settle_if_complete(&mut self, index: usize) -> bool {
        let Some(command) = self.slots.at(index) else { return true };
        let execution = &command.execution;
        let complete = command.ended.is_some() && execution.stdout.is_none() && execution.stderr.is_none();
        if complete {
            self.settle(index);
        }
        complete
    }

    /// Ends the leftovers unless they may stay, reaps the process, and reports its exit and output.
    fn settle(&mut self, index: usize) {
        let Some(mut command) = self.slots.take(index) else { return };
        // Whole lines were written whatever becomes of the attempt.
        command.takes_lines = self.config.rules.lines;
        self.reports.extend(command.lines().map(|lines| Report::Lines(Box::new(lines))));
        self.awaits_answer = true;
        command.unwatch(&self.poller);
        if let bytes @ 1.. = command.unwritten_bytes()
            && command.is_share
        {
            let (worker, incarnation) = (command.worker, command.incarnation);
            self.reports.push(Report::BlockEnded { worker, incarnation, taken: Err(bytes) });
        }
        if let Some(ended) = command.ended.filter(|_| !self.config.rules.quiet) {
            let held = self.now.since(ended);
            let notice = held_output::notice(&command.execution, command.id, command.item.bytes(), held);
            self.reports.extend(notice.map(Report::Notice));
        }
        let RunningCommand { execution, worker, incarnation, id, folder, ended, signalled, .. } = *command;
        self.is_wordy = execution.out.bytes() + execution.err.bytes() >= WORDY_BYTES;
        if self.config.rules.leftovers == Leftovers::Kill {
            let _ = execution.process.signal_group(Signal::KILL);
        }
        self.config.groups.clear(worker.index());
        let (status, usage) = reap(&execution.process);
        // Now that nothing of the command is left to use it.
        drop(folder);
        let interrupted = match status {
            ExitStatus::Signal { signal: signal @ (Signal::INT | Signal::QUIT), .. } => Some(signal),
            _ => None,
        };
        let interrupted = interrupted.filter(|_| self.config.terminal.is_some() && !signalled);
        let runtime = ended.unwrap_or(self.now).since(execution.started);
        let place = self.slots.place(index);
        let had_next = !self.hands.is_empty(place);
        if !self.hands.end(place, status) {
            self.take_back(index);
        }
        self.reports.push(Report::Exited(Box::new(CommandExit {
            worker,
            incarnation,
            status,
            usage,
            interrupted,
            had_next,
            reply: CommandReply {
                item: id,
                out: execution.out,
                err: execution.err,
                time: ItemTime { started: execution.started, runtime },
                exit: status,
            },
        })));
        if let Some((hand, incarnation)) = self.hands.pop_next(place) {
            self.launch(hand.worker, incarnation, hand.batch, hand.item);
        }
    }
}
