//! Commands, as the loop sees them: orders to the launchers, and reports from them.
//!
//! A command is a process for one item, and its exit is the item's result. Launchers own the processes; orders and reports
//! travel through mailboxes, once a turn.
//!
//! Invariant: a deadline counts only when every launcher has reported what happened before it.

use super::super::super::answer::Reply;
use super::super::super::turn::Turn;
use super::folders::{ItemFolders, RunFolder};
use super::launchers::LauncherConfig;
use super::messages::{CommandExit, CommandRules, InHand, ItemBytes, Order, Report};
use super::questions::{CommandStart, Questions};
use super::shares::Shares;
use super::thread;
use crate::command::capture::Collector;
use crate::command::exec::Commander;
use crate::command::line::quote;
use crate::core::input::{Input, SpawnFailure};
use crate::model::command::{self, Origin};
use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::model::signal::Signal;
use crate::model::time::Instant;
use crate::mutant::mutant;
use crate::sys::block::BlockSlice;
use crate::sys::children::ChildChange;
use crate::sys::clock::Clock;
use crate::sys::guard::Groups;
use crate::sys::mailbox::Mailbox;
use crate::sys::refusal;
use crate::sys::signals;
use crate::sys::spill::SpillFile;
use crate::sys::terminal::Terminal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Two bring the most: while one waits for an exec, the other has a processor; a third would only take turns with them.
pub const LAUNCHERS_MAX: usize = 2;

/// Through which the loop and its launchers speak.
pub struct LauncherMailboxes {
    /// One for each launcher.
    pub orders: Vec<Arc<Mailbox<Order>>>,
    pub reports: Arc<Mailbox<Report>>,
}

impl LauncherMailboxes {
    /// # Errors
    /// No file descriptor is left.
    pub fn new(launchers: usize) -> io::Result<Self> {
        let orders = (0..launchers).map(|_| Mailbox::new().map(Arc::new)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { orders, reports: Arc::new(Mailbox::new()?) })
    }
}

/// The launchers, and what is on its way to them.
pub struct CommandPool {
    launchers: Vec<LauncherHandle>,
    reports: Arc<Mailbox<Report>>,
    /// Scratch space for a batch of reports.
    received: Vec<Report>,
    /// A deadline has passed, and launchers have yet to report what came before it.
    probes: Option<Probes>,
    /// Whether each slot has a command, as its launcher reported last.
    running: Vec<bool>,
    /// Prints commands before they start, if that was asked for.
    printer: Option<Box<Commander>>,
    /// Asks before commands start, if that was asked for.
    questions: Option<Questions>,
    /// Hands further blocks to commands, if that was asked for.
    shares: Option<Shares>,
    /// Where commands get temporary folders, if that was asked for. Dropped after the launchers.
    folders: Option<ItemFolders>,
}

/// What every launcher is asked when a deadline has passed.
struct Probes {
    /// Launchers that have not answered.
    left: usize,
    /// When they were asked: the answers cover what came before.
    asked: Instant,
}

struct LauncherHandle {
    orders: Arc<Mailbox<Order>>,
    /// Orders of this turn.
    waiting: Vec<Order>,
    /// The launcher has to look at them, if it sleeps.
    is_urgent: bool,
    /// It may sleep with orders waiting, none of them urgent.
    may_oversleep: bool,
    thread: Option<JoinHandle<()>>,
}

impl CommandPool {
    /// A pool whose launchers are driven by the other side of these mailboxes.
    pub fn new(mailboxes: &LauncherMailboxes, printer: Option<Box<Commander>>) -> Self {
        let launcher = |orders: &Arc<_>| LauncherHandle {
            orders: Arc::clone(orders),
            waiting: Vec::new(),
            is_urgent: false,
            may_oversleep: false,
            thread: None,
        };
        Self {
            launchers: mailboxes.orders.iter().map(launcher).collect(),
            reports: Arc::clone(&mailboxes.reports),
            received: Vec::new(),
            probes: None,
            running: Vec::new(),
            printer,
            questions: None,
            shares: None,
            folders: None,
        }
    }

    /// Asks before each command starts, instead of printing it.
    pub fn give_questions(&mut self, questions: Questions) {
        self.questions = Some(questions);
    }

    /// Gives each command a temporary folder in this one. Before [`CommandPool::start_threads`].
    ///
    /// # Errors
    /// No thread is left.
    pub fn give_folders(&mut self, run: RunFolder) -> io::Result<()> {
        self.folders = Some(ItemFolders::start(run, Arc::clone(&self.reports))?);
        Ok(())
    }

    /// Starts a thread for each launcher. The threads take no signals: those are for the loop's thread.
    ///
    /// # Errors
    /// No thread is left.
    pub fn start_threads(
        &mut self,
        commander: &Commander,
        spill: &Arc<SpillFile>,
        groups: &Groups,
        clock: Clock,
        rules: CommandRules,
        mut terminal: Option<Terminal>,
    ) -> io::Result<()> {
        let step = self.launchers.len();
        for (number, launcher) in self.launchers.iter_mut().enumerate() {
            let config = LauncherConfig {
                step,
                commander: commander.clone(),
                collector: Collector::new(Arc::clone(spill)).finding_lines(rules.lines),
                groups: groups.clone(),
                clock,
                rules,
                // There is one launcher if there is a terminal to lend.
                terminal: terminal.take(),
                folders: self.folders.as_ref().and_then(ItemFolders::maker),
                orders: Arc::clone(&launcher.orders),
                reports: Arc::clone(&self.reports),
            };
            let builder = Builder::new().name(format!("launcher-{}", number + 1));
            let thread = signals::with_blocked(|| builder.spawn(move || thread::main(config)));
            let thread = thread.map_err(refusal::of_std("clone3 or clone, for a thread"))?;
            launcher.thread = Some(thread);
        }
        Ok(())
    }

    /// Hands further blocks to commands.
    pub fn give_shares(&mut self, shares: Shares) {
        self.shares = Some(shares);
    }

    /// The input of further blocks is readable.
    pub fn on_blocks(&self) {
        self.shares.iter().for_each(Shares::on_ready);
    }

    /// Hands out blocks to the commands that wait for one. Returns whether there is more to do at once.
    pub fn hand_out_blocks(&mut self, congested: bool, turn: &mut Turn) -> bool {
        let Some(shares) = &mut self.shares else { return false };
        let (orders, more) = shares.hand_out(congested, turn);
        orders.into_iter().for_each(|(worker, order)| self.order(worker, order));
        more
    }

    fn order(&mut self, worker: WorkerId, order: Order) {
        let count = self.launchers.len().max(1);
        if let Some(launcher) = self.launchers.get_mut(worker.index() % count) {
            launcher.waiting.push(order);
            launcher.is_urgent = true;
        }
    }

    /// Gives a launcher the next item of a slot, at which it looks when the present command has ended.
    pub fn give_in_hand(&mut self, worker: WorkerId, batch: Batch, body: BlockSlice<'_>) {
        let runs = self.running.get(worker.index()).is_some_and(|runs| *runs);
        let order = Order::InHand(InHand { worker, batch, item: ItemBytes::from(body) });
        let count = self.launchers.len().max(1);
        if let Some(launcher) = self.launchers.get_mut(worker.index() % count) {
            launcher.waiting.push(order);
            launcher.is_urgent |= !runs;
        }
    }

    /// Asks for what a slot has in hand.
    pub fn take_back(&mut self, worker: WorkerId) {
        self.order(worker, Order::TakeBack { worker });
    }

    /// A slot has a command, or its command has ended.
    fn set_running(&mut self, worker: WorkerId, runs: bool) {
        if self.running.len() <= worker.index() {
            self.running.resize(worker.index() + 1, false);
        }
        self.running[worker.index()] = runs;
    }

    /// The command of a slot has ended. `had_next`: its launcher had the next item. If it had none, one may lie in its
    /// mailbox by now.
    fn note_exit(&mut self, worker: WorkerId, had_next: bool) {
        self.set_running(worker, false);
        let count = self.launchers.len().max(1);
        if let Some(launcher) = self.launchers.get_mut(worker.index() % count) {
            launcher.is_urgent |= !had_next && launcher.may_oversleep;
        }
    }

    /// Has a command started for an item.
    pub fn launch(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        body: BlockSlice<'_>,
        turn: &mut Turn,
    ) {
        if let Some(questions) = &mut self.questions {
            let start = CommandStart { worker, incarnation, batch, item: ItemBytes::from(body) };
            let started = questions.ask(start, turn);
            return self.start_all(started);
        }
        if let Some(commander) = &mut self.printer {
            turn.notices.extend_from_slice(&commander.quoted_line(body.bytes(), batch.first, worker, quote));
            turn.notices.push(b'\n');
        }
        self.order(worker, Order::Launch { worker, incarnation, batch, item: ItemBytes::from(body) });
    }

    /// Starts what has a yes. A command that was left out takes no block.
    fn start_all(&mut self, starts: Vec<CommandStart>) {
        let declined = self.questions.as_mut().map(Questions::take_declined).unwrap_or_default();
        if let Some(shares) = &mut self.shares {
            declined.into_iter().for_each(|worker| shares.ended(worker));
        }
        for CommandStart { worker, incarnation, batch, item } in starts {
            self.order(worker, Order::Launch { worker, incarnation, batch, item });
        }
    }

    /// A person has typed at the terminal.
    pub fn on_answers(&mut self, turn: &mut Turn) {
        let started = self.questions.as_mut().map(|questions| questions.on_ready(turn));
        self.start_all(started.unwrap_or_default());
    }

    /// The run stops: what nobody has answered yet is not started, and commands get no further block. Returns whether a
    /// question is left open on its line.
    pub fn note_stop(&mut self, turn: &mut Turn) -> bool {
        self.shares.iter().for_each(Shares::stop);
        self.questions.as_mut().is_some_and(|questions| questions.withdraw(turn))
    }

    /// Has the process group of a command signalled.
    pub fn kill(&mut self, worker: WorkerId, incarnation: Incarnation, signal: Signal) {
        self.order(worker, Order::Kill { worker, incarnation, signal });
    }

    /// The lines of a command that were reported last have been shown.
    pub fn take_more_lines(&mut self, worker: WorkerId, incarnation: Incarnation) {
        self.order(worker, Order::MoreLines { worker, incarnation });
    }

    /// A child was stopped, or goes on: the launcher that has it knows of which command it is the process.
    pub fn note_change(&mut self, change: ChildChange) {
        for launcher in &mut self.launchers {
            launcher.waiting.push(Order::Changed(change));
            launcher.is_urgent = true;
        }
    }

    /// Takes back the orders of this turn that start a command.
    pub fn withhold(&mut self, turn: &mut Turn) {
        for launcher in &mut self.launchers {
            launcher.waiting.retain(|order| match order {
                Order::Launch { worker, incarnation, .. } => {
                    let (worker, incarnation) = (*worker, *incarnation);
                    let error = SpawnFailure::Shortage("start a command: its attempt is not recorded".to_owned());
                    turn.report(Input::SpawnFailed { worker, incarnation, error });
                    false
                }
                Order::InHand(hand) => {
                    turn.report(Input::TakenBack { worker: hand.worker, item: hand.batch.first });
                    false
                }
                _ => true,
            });
        }
    }

    /// Sends the orders of this turn.
    pub fn post(&mut self) {
        for launcher in &mut self.launchers {
            if std::mem::take(&mut launcher.is_urgent) {
                launcher.orders.post(&mut launcher.waiting);
                launcher.orders.wake_for_messages();
                launcher.may_oversleep = false;
            } else if !launcher.waiting.is_empty() {
                launcher.orders.post_quietly(&mut launcher.waiting);
                launcher.may_oversleep = true;
            }
        }
    }

    /// The loop is about to wait: the last orders leave. `false`: there are reports already.
    pub fn arm(&mut self) -> bool {
        self.post();
        mutant!(ReportsNotArmed, self.reports.arm(), true)
    }

    /// Up to when deadlines count, if one `has_passed`: up to the moment at which the launchers were asked, once they have
    /// reported everything that came before it. After a stop of the whole program they may not have had their turn yet.
    pub fn late_until(&mut self, has_passed: bool, now: Instant) -> Option<Instant> {
        if mutant!(DeadlineNotProbed, false, true) {
            return has_passed.then_some(now);
        }
        let probed = self.probes.take_if(|probes| probes.left == 0);
        if has_passed && probed.is_none() && self.probes.is_none() {
            self.ask_whether_done(now);
        }
        probed.filter(|_| has_passed).map(|probes| probes.asked)
    }

    /// Asks every launcher whether it has carried out what it was ordered.
    pub fn ask_whether_done(&mut self, now: Instant) {
        self.probes = Some(Probes { left: self.launchers.len(), asked: now });
        for launcher in &mut self.launchers {
            launcher.waiting.push(Order::Probe);
            launcher.is_urgent = true;
        }
    }

    /// Whether launchers have yet to answer that.
    pub fn is_probing(&self) -> bool {
        self.probes.as_ref().is_some_and(|probes| probes.left > 0)
    }

    /// Takes what the launchers have reported, as facts.
    ///
    /// # Errors
    /// A launcher is gone, and its commands with it.
    pub fn receive(&mut self, turn: &mut Turn) -> io::Result<()> {
        let mut received = std::mem::take(&mut self.received);
        self.reports.take(&mut received);
        for report in received.drain(..) {
            match report {
                Report::Spawned { worker, incarnation, pid } => {
                    self.set_running(worker, true);
                    self.shares.iter_mut().for_each(|shares| shares.started(worker, incarnation));
                    turn.report(Input::Spawned { worker, incarnation, pid });
                }
                Report::BlockEnded { worker, incarnation, taken } => {
                    self.shares.iter_mut().for_each(|shares| shares.block_ended(worker, incarnation, taken, turn));
                }
                Report::NotSpawned { worker, incarnation, error } => {
                    // What the system is short of, it may have later.
                    if !matches!(error, SpawnFailure::Shortage(_)) {
                        self.shares.iter_mut().for_each(|shares| shares.ended(worker));
                    }
                    turn.report(Input::SpawnFailed { worker, incarnation, error });
                }
                Report::Stopped { worker, incarnation, by } => turn.report(Input::Stopped { worker, incarnation, by }),
                Report::TakenBack { worker, item } => turn.report(Input::TakenBack { worker, item }),
                Report::NotSignalled { error } => turn.notice(&format!("supervisor: failed to {error}")),
                Report::OutputHeld { worker, incarnation } => turn.report(Input::OutputHeld { worker, incarnation }),
                Report::Notice(line) => turn.notice(&line),
                Report::Lines(lines) => turn.lines.push(*lines),
                Report::StorageLost { error } => turn.report(Input::StorageLost { error }),
                Report::Exited(exit) => {
                    let CommandExit { worker, incarnation, status, usage, reply, interrupted, had_next } = *exit;
                    self.note_exit(worker, had_next);
                    self.shares.iter_mut().for_each(|shares| shares.ended(worker));
                    // Before the exit, after which the next command would start.
                    for command in interrupted.map_or(&[][..], |signal| command::of_signal(signal, false)) {
                        let signal = interrupted.unwrap_or(Signal::INT);
                        let origin = Origin::Signal { signal, sender_pid: None };
                        turn.report(Input::Command { command: *command, origin });
                    }
                    let fact = Input::Exited { worker, incarnation, status, usage, running: None };
                    turn.report_with(fact, Reply::Command(Box::new(reply)));
                }
                Report::Probed => {
                    if let Some(probes) = &mut self.probes {
                        probes.left = probes.left.saturating_sub(1);
                    }
                }
                Report::Lost { error } => return Err(error),
            }
        }
        self.received = received;
        Ok(())
    }
}

/// Readable when there are reports and the loop waits.
impl AsFd for CommandPool {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reports.as_fd()
    }
}

/// The threads end with the commands that they still have; after a run there are none.
impl Drop for CommandPool {
    fn drop(&mut self) {
        for launcher in &mut self.launchers {
            launcher.orders.post(&mut vec![Order::Leave]);
        }
        for thread in self.launchers.iter_mut().filter_map(|launcher| launcher.thread.take()) {
            // A thread that panicked has reported that.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::commit::testing::Still;
    use crate::model::exit::{ExitStatus, Usage};
    use crate::model::ids::{Attempt, ItemId};
    use crate::reporter::ItemTime;
    use crate::sys::block::Block;

    fn exit(had_next: bool) -> Report {
        let (out, err, exit) = (Default::default(), Default::default(), ExitStatus::Code(0));
        let time = ItemTime { started: Instant::ZERO, runtime: crate::model::time::Duration::ZERO };
        Report::Exited(Box::new(CommandExit {
            worker: WorkerId::from_index(0),
            incarnation: Incarnation(1),
            status: exit,
            usage: Usage::default(),
            reply: crate::engine::parts::CommandReply { item: ItemId(0), out, err, time, exit },
            interrupted: None,
            had_next,
        }))
    }

    /// A pool whose one launcher has a command, and sleeps.
    fn with_command() -> (CommandPool, LauncherMailboxes, Turn) {
        let mailboxes = LauncherMailboxes::new(1).unwrap();
        let (mut pool, mut turn) = (CommandPool::new(&mailboxes, None), Turn::new(Box::new(Still)));
        let (worker, incarnation) = (WorkerId::from_index(0), Incarnation(1));
        mailboxes.reports.post(&mut vec![Report::Spawned { worker, incarnation, pid: 7 }]);
        pool.receive(&mut turn).unwrap();
        assert!(mailboxes.orders[0].arm());
        (pool, mailboxes, turn)
    }

    fn give(pool: &mut CommandPool) {
        let block = Arc::new(Block::from(b"item".to_vec()));
        let batch = Batch::of_one(ItemId(1), Attempt::FIRST);
        pool.give_in_hand(WorkerId::from_index(0), batch, BlockSlice::whole(&block));
        pool.post();
    }

    #[test]
    fn an_item_in_hand_wakes_no_launcher_whose_command_runs() {
        let (mut pool, mailboxes, mut turn) = with_command();
        give(&mut pool);
        assert!(mailboxes.orders[0].is_armed() && !mailboxes.orders[0].is_empty());
        // The end has told what became of it.
        mailboxes.reports.post(&mut vec![exit(true)]);
        pool.receive(&mut turn).unwrap();
        pool.post();
        assert!(mailboxes.orders[0].is_armed());
    }

    #[test]
    fn a_launcher_is_woken_for_an_item_in_hand_that_came_behind_the_end_of_its_command() {
        let (mut pool, mailboxes, mut turn) = with_command();
        give(&mut pool);
        mailboxes.reports.post(&mut vec![exit(false)]);
        pool.receive(&mut turn).unwrap();
        pool.post();
        assert!(!mailboxes.orders[0].is_armed());
        // Also if the end is known first.
        let (mut pool, mailboxes, mut turn) = with_command();
        mailboxes.reports.post(&mut vec![exit(false)]);
        pool.receive(&mut turn).unwrap();
        give(&mut pool);
        assert!(!mailboxes.orders[0].is_armed());
    }
}
