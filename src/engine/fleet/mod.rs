//! Everything that is a worker: resident workers, which stay, and commands, a process for each item.
//!
//! Invariant: decides nothing. The core orders which worker is started, what it is sent, and when it is ended; the fleet
//! reports what became of the order.

mod command;
mod resident;
mod thread;

pub use command::{
    CommandExit, CommandPool, CommandRules, HandFate, Hands, InHand, ItemBytes, LAUNCHERS_MAX, LauncherMailboxes,
    Order, Questions, Report, Reports, RunFolder, Shares,
};
pub use resident::{
    Conversation, GIVE_WAY_HELD_MIN, Handshake, LaunchSpec, LogFiles, Program, ProgressSource, Residents, Stdio,
    WorkerLogs, WorkerStreams,
};
pub use thread::ThreadMain;

use super::answer::{Answer, Reply};
use super::token::Port;
use super::turn::{Reaction, Turn};
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::sys::block::BlockSlice;
use crate::sys::children::ChildChange;
use crate::sys::poller::Ready;
use std::io;

/// The workers of a run.
pub enum Fleet {
    Residents(Residents),
    Commands(CommandPool),
}

impl Fleet {
    /// Starts a worker. `batch`: the items that a command is started for, and their bytes.
    pub fn spawn(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Option<(Batch, BlockSlice<'_>)>,
        turn: &mut Turn,
    ) {
        match (self, batch) {
            (Self::Residents(residents), _) => residents.spawn(worker, incarnation, turn),
            (Self::Commands(pool), Some((batch, body))) => pool.launch(worker, incarnation, batch, body, turn),
            // The core starts no command without an item.
            (Self::Commands(_), None) => {}
        }
    }

    /// Gives a slot its next item ahead of the end of its command.
    pub fn give_in_hand(&mut self, worker: WorkerId, batch: Batch, body: BlockSlice<'_>) {
        if let Self::Commands(pool) = self {
            pool.give_in_hand(worker, batch, body);
        }
    }

    /// Asks for the next item of a slot again.
    pub fn take_back(&mut self, worker: WorkerId) {
        if let Self::Commands(pool) = self {
            pool.take_back(worker);
        }
    }

    /// Sends a batch to a resident worker.
    pub fn dispatch(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        body: &BlockSlice<'_>,
        turn: &mut Turn,
    ) {
        if let Self::Residents(residents) = self {
            residents.dispatch(worker, incarnation, batch, body, turn);
        }
    }

    /// Closes the input of a resident worker behind what it was sent.
    pub fn close_input(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if let Self::Residents(residents) = self {
            residents.close_input(worker, incarnation);
        }
    }

    /// Asks a resident worker to leave after its present item.
    pub fn recall(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if let Self::Residents(residents) = self {
            residents.recall(worker, incarnation);
        }
    }

    /// Signals a worker. One that is already gone is no error.
    pub fn kill(&mut self, worker: WorkerId, incarnation: Incarnation, signal: Signal, turn: &mut Turn) {
        match self {
            Self::Residents(residents) => residents.kill(worker, incarnation, signal, turn),
            Self::Commands(pool) => pool.kill(worker, incarnation, signal),
        }
    }

    /// The lines of a command that were reported last have been shown.
    pub fn take_more_lines(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if let Self::Commands(pool) = self {
            pool.take_more_lines(worker, incarnation);
        }
    }

    /// A person has typed at the terminal.
    pub fn on_answers(&mut self, turn: &mut Turn) {
        if let Self::Commands(pool) = self {
            pool.on_answers(turn);
        }
    }

    /// The run stops: what nobody has answered yet is not started, and commands get no further block. Returns whether a
    /// question is left open on its line.
    pub fn note_stop(&mut self, turn: &mut Turn) -> bool {
        match self {
            Self::Residents(_) => false,
            Self::Commands(pool) => pool.note_stop(turn),
        }
    }

    /// The input of further blocks for commands is readable.
    pub fn on_blocks(&self) {
        if let Self::Commands(pool) = self {
            pool.on_blocks();
        }
    }

    /// Hands further blocks to commands. Returns whether there is more to do at once.
    pub fn hand_out_blocks(&mut self, congested: bool, turn: &mut Turn) -> bool {
        match self {
            Self::Residents(_) => false,
            Self::Commands(pool) => pool.hand_out_blocks(congested, turn),
        }
    }

    /// A child was stopped, or goes on. One that is no worker is not ours.
    pub fn note_change(&mut self, change: ChildChange, turn: &mut Turn) {
        match self {
            Self::Residents(residents) => residents.note_change(change, turn),
            Self::Commands(pool) => pool.note_change(change),
        }
    }

    /// Whether this child of the loop's thread is a worker. Launchers start commands on threads of their own.
    pub fn has_process(&self, pid: u32) -> bool {
        match self {
            Self::Residents(residents) => residents.has_process(pid),
            Self::Commands(_) => false,
        }
    }

    /// The end of what a process of a slot wrote to stderr, where that is read, once it has ended.
    pub fn last_stderr(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<Box<str>> {
        match self {
            Self::Residents(residents) => residents.last_stderr(worker, incarnation),
            Self::Commands(_) => None,
        }
    }

    /// The item that a worker said it is at, and the share of it that is done.
    pub fn progress(&self, worker: WorkerId) -> Option<(ItemId, f64)> {
        match self {
            Self::Residents(residents) => residents.progress(worker),
            Self::Commands(_) => None,
        }
    }

    /// Reports which item a resident worker is at.
    pub fn probe(&mut self, worker: WorkerId, incarnation: Incarnation, turn: &mut Turn) {
        if let Self::Residents(residents) = self {
            residents.probe(worker, incarnation, turn);
        }
    }

    /// The item that a resident worker is at, if it says so.
    pub fn running(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<ItemId> {
        match self {
            Self::Residents(residents) => residents.running(worker, incarnation),
            Self::Commands(_) => None,
        }
    }

    /// A descriptor of a worker is ready.
    pub fn on_ready(&mut self, port: Port, turn: &mut Turn) -> Reaction {
        match (self, port) {
            (Self::Residents(residents), Port::Worker { part, index, generation }) => {
                residents.on_ready(part, index, generation, turn)
            }
            // Reports of launchers are received in each turn.
            _ => Reaction::Done,
        }
    }

    /// Begins a turn: takes reports, and ends pauses that are over.
    ///
    /// # Errors
    /// A launcher is gone, and its commands with it.
    pub fn begin_turn(&mut self, turn: &mut Turn) -> io::Result<()> {
        match self {
            Self::Residents(residents) => {
                residents.begin_turn(turn);
                Ok(())
            }
            Self::Commands(pool) => pool.receive(turn),
        }
    }

    /// Ends a turn: everything that was ordered leaves.
    pub fn end_turn(&mut self, turn: &mut Turn) {
        match self {
            Self::Residents(residents) => residents.end_turn(turn),
            Self::Commands(pool) => pool.post(),
        }
    }

    /// Nothing is begun any more: the record is lost. Orders of this turn that begin something are taken back.
    pub fn withhold(&mut self, turn: &mut Turn) {
        match self {
            Self::Residents(residents) => residents.withhold(),
            Self::Commands(pool) => pool.withhold(turn),
        }
    }

    /// Whether something was ordered since the last end of a turn and has not left.
    pub fn has_unsent(&self) -> bool {
        match self {
            Self::Residents(residents) => residents.has_unsent(),
            // `arm` sends it.
            Self::Commands(_) => false,
        }
    }

    /// stdout and stderr take less than the workers give, or enough again. Commands that run are read all the same: what
    /// they write goes to a file, and a command that waits in a write would run into its time limit. The core starts no
    /// others meanwhile.
    pub fn set_congested(&mut self, congested: bool, turn: &mut Turn) {
        if let Self::Residents(residents) = self {
            residents.set_congested(congested, turn);
        }
    }

    /// Polls what has to be busy-polled; `true` if something was there. `busy`: the loop has something else to do.
    pub fn poll(&mut self, busy: bool, turn: &mut Turn) -> bool {
        match self {
            Self::Residents(residents) => residents.poll(busy, turn),
            Self::Commands(_) => false,
        }
    }

    /// Whether the poll set is due, after a poll.
    pub fn is_wait_due(&mut self, found: bool) -> bool {
        match self {
            Self::Residents(residents) => residents.is_wait_due(found),
            Self::Commands(_) => true,
        }
    }

    /// The loop is about to wait: first it may give its core to the workers.
    pub fn give_way(&mut self, turn: &mut Turn) {
        if let Self::Residents(residents) = self {
            residents.give_way(turn);
        }
    }

    /// Whether [`Fleet::spin`] has something to poll.
    pub fn spins(&self) -> bool {
        match self {
            Self::Residents(residents) => residents.spins(),
            Self::Commands(_) => false,
        }
    }

    /// Goes on polling for a while; `true` if something happened.
    ///
    /// # Errors
    /// The poll set failed.
    pub fn spin(&mut self, most: Option<Duration>, ready: &mut Vec<Ready>, turn: &mut Turn) -> io::Result<bool> {
        match self {
            Self::Residents(residents) => residents.spin(most, ready, turn),
            Self::Commands(_) => Ok(false),
        }
    }

    /// The loop is about to wait: from now on a descriptor reports whatever happens. `false`: something is there now.
    pub fn arm(&mut self) -> bool {
        match self {
            Self::Residents(residents) => residents.arm(),
            Self::Commands(pool) => pool.arm(),
        }
    }

    /// When the fleet itself has something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Residents(residents) => residents.next_timeout(),
            Self::Commands(_) => None,
        }
    }

    /// Up to when deadlines of the core count, if one `has_passed`: not before everything that came before is reported.
    pub fn late_until(&mut self, has_passed: bool, now: Instant) -> Option<Instant> {
        match self {
            Self::Residents(_) => has_passed.then_some(now),
            Self::Commands(pool) => pool.late_until(has_passed, now),
        }
    }

    /// Asks whether everything that was ordered is carried out; until the answer is there, it `is_probing`.
    pub fn ask_whether_done(&mut self, now: Instant) {
        if let Self::Commands(pool) = self {
            pool.ask_whether_done(now);
        }
    }

    /// Whether that is being found out: until then deadlines do not end a wait.
    pub fn is_probing(&self) -> bool {
        match self {
            Self::Residents(_) => false,
            Self::Commands(pool) => pool.is_probing(),
        }
    }

    /// The results that came with a fact.
    pub fn answer<'a>(&'a self, reply: &'a mut Reply) -> Option<Answer<'a>> {
        match (self, reply) {
            (Self::Residents(residents), Reply::Resident(reply)) => residents.answer(reply),
            (_, Reply::Command(reply)) => Some(reply.answer()),
            (Self::Commands(_), Reply::Resident(_)) => None,
        }
    }
}
