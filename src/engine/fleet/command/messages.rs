//! What the loop and the launchers of commands say to each other: orders one way, reports the other.

use super::super::super::answer::{CommandReply, EarlyLines};
use crate::core::input::SpawnFailure;
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::signal::Signal;
use crate::model::spec::Leftovers;
use crate::sys::block::{Block, BlockSlice};
use crate::sys::children::ChildChange;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What the configuration says of all commands.
#[derive(Clone, Copy, Debug)]
pub struct CommandRules {
    /// What becomes of the processes that a command leaves in its group.
    pub leftovers: Leftovers,
    /// Nothing is to be said about single commands.
    pub quiet: bool,
    /// Whole lines of their output are reported while they run.
    pub lines: bool,
    /// They get further blocks on their stdin.
    pub shares: bool,
}

/// The item of a command to come.
pub struct InHand {
    pub worker: WorkerId,
    pub batch: Batch,
    pub item: ItemBytes,
}

/// An order of the loop to a launcher. An order for an incarnation that is gone has no effect.
pub enum Order {
    /// Start a command for this item, in a slot that is empty. Answer: `Spawned` or `NotSpawned`.
    Launch { worker: WorkerId, incarnation: Incarnation, batch: Batch, item: ItemBytes },
    /// Signal this incarnation and its process group.
    Kill { worker: WorkerId, incarnation: Incarnation, signal: Signal },
    /// Write this block behind what its stdin was given. Answer: `BlockEnded`.
    Block { worker: WorkerId, incarnation: Incarnation, block: ItemBytes },
    /// No further block comes: close its stdin. Only if `BlockEnded` has answered the last one.
    EndStdin { worker: WorkerId, incarnation: Incarnation },
    /// The lines that were reported last have been shown: report more, if there are some.
    MoreLines { worker: WorkerId, incarnation: Incarnation },
    /// This child of the supervisor was stopped, or goes on. Answer: `Stopped`, if it is a command of this launcher.
    Changed(ChildChange),
    /// Start a command for this item as soon as the one that the slot has now has exited with 0. Answer: `TakenBack` ahead of
    /// another end of that; otherwise as for `Launch`, behind its `Exited`.
    InHand(InHand),
    /// Return what a slot has in hand. Answer: `TakenBack` for each item.
    TakeBack { worker: WorkerId },
    /// Report everything that has happened by now, then `Probed`.
    Probe,
    /// The last order: the thread ends, and its commands with it.
    Leave,
}

/// A report of a launcher to the loop. The reports of one incarnation come in this order.
pub enum Report {
    Spawned {
        worker: WorkerId,
        incarnation: Incarnation,
        pid: u32,
    },
    NotSpawned {
        worker: WorkerId,
        incarnation: Incarnation,
        error: SpawnFailure,
    },
    /// A process could not be signalled, since it has changed its user. The text completes "failed to ...".
    NotSignalled {
        error: String,
    },
    /// The output of a command could not be written to the temporary file.
    StorageLost {
        error: String,
    },
    /// This signal has stopped a command; `None`: it goes on.
    Stopped {
        worker: WorkerId,
        incarnation: Incarnation,
        by: Option<Signal>,
    },
    /// The process of a command has ended, and another one holds its output open. `Exited` follows.
    OutputHeld {
        worker: WorkerId,
        incarnation: Incarnation,
    },
    /// What the stdin of a command was given has been written, the item at first; `Err`: the command takes no more, and has
    /// left so many bytes of it.
    BlockEnded {
        worker: WorkerId,
        incarnation: Incarnation,
        taken: Result<(), usize>,
    },
    /// Lines of a command that runs. No more of them come before the order for more, or the end of the command.
    Lines(Box<EarlyLines>),
    /// An item that was in hand is not started.
    TakenBack {
        worker: WorkerId,
        item: ItemId,
    },
    /// Something to say about a command: a line for stderr.
    Notice(String),
    Exited(Box<CommandExit>),
    /// Everything that happened before the order to look has been reported.
    Probed,
    /// The thread is gone, and its commands with it.
    Lost {
        error: io::Error,
    },
}

/// How a command ended, and what it wrote.
pub struct CommandExit {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub status: ExitStatus,
    pub usage: Usage,
    pub reply: CommandReply,
    /// It had the terminal, and this signal of the terminal's has ended it: the person there stops the run, which is
    /// not in the foreground group and got no signal.
    pub interrupted: Option<Signal>,
    /// The slot had its next item in hand: what became of that is reported.
    pub had_next: bool,
}

/// An item's bytes, as a range of a block.
pub struct ItemBytes {
    block: Arc<Block>,
    range: Range<usize>,
}

impl From<BlockSlice<'_>> for ItemBytes {
    fn from(slice: BlockSlice<'_>) -> Self {
        Self { block: Arc::clone(slice.block()), range: slice.range() }
    }
}

impl ItemBytes {
    pub fn bytes(&self) -> &[u8] {
        &self.block[self.range.clone()]
    }
}
