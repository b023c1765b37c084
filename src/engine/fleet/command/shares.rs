//! The blocks of an input for commands that stay (`--round-robin`): whichever command has taken its block gets the next
//! one, in rotation where several have.
//!
//! The first block of each command is its item; the supply has those behind. A block is read only for a command that waits
//! for one, so that no more than one for each command is held. When the input has ended, each stdin is closed behind
//! its last block.
//!
//! Invariant: decides nothing about commands: their exits are their results, as ever. What a command has left of its block is
//! said, and what no command can read any more ends the run as a lost source.

use super::super::super::token::Port;
use super::super::super::turn::Turn;
use super::messages::{ItemBytes, Order};
use crate::model::ids::{Incarnation, WorkerId};
use crate::source::SourceError;
use crate::source::spread::{BlockSupply, NextBlock};
use crate::sys::block::BlockSlice;
use crate::sys::poller::{Added, Interest};
use std::collections::BTreeMap;

/// Blocks that are handed out in one turn.
const BLOCKS_PER_TURN: u32 = 8;

/// The commands of a run, and the blocks for them.
pub struct Shares {
    supply: BlockSupply,
    /// Commands that run and take blocks, by the index of their slot.
    readers: BTreeMap<usize, Reader>,
    /// The slot that got the last block.
    last: usize,
    /// Commands that have not ended. Items wait for a start meanwhile, which adds one.
    awaited: u32,
    /// The input is in the poll set.
    watched: bool,
    quiet: bool,
}

struct Reader {
    incarnation: Incarnation,
    /// It has taken what it was given.
    waits: bool,
}

impl Shares {
    /// `commands`: how many there may be in all.
    pub const fn new(supply: BlockSupply, commands: u32, quiet: bool) -> Self {
        Self { supply, readers: BTreeMap::new(), last: 0, awaited: commands, watched: false, quiet }
    }

    /// A command runs, and is given its first block.
    pub fn started(&mut self, worker: WorkerId, incarnation: Incarnation) {
        self.readers.insert(worker.index(), Reader { incarnation, waits: false });
    }

    /// What a command was given has been taken, or some bytes of it never will be.
    pub fn block_ended(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        taken: Result<(), usize>,
        turn: &mut Turn,
    ) {
        let reader = self.readers.get_mut(&worker.index()).filter(|reader| reader.incarnation == incarnation);
        match taken {
            Ok(()) => reader.into_iter().for_each(|reader| reader.waits = true),
            Err(bytes) => {
                if reader.is_some() {
                    self.readers.remove(&worker.index());
                }
                if !self.quiet {
                    turn.notice(&format!(
                        "supervisor: the command of worker {worker} has left {bytes} bytes of its last block unread: they \
                         are lost"
                    ));
                }
            }
        }
    }

    /// A command has ended, or will never run.
    pub fn ended(&mut self, worker: WorkerId) {
        self.readers.remove(&worker.index());
        self.awaited = self.awaited.saturating_sub(1);
    }

    /// The input is readable.
    pub fn on_ready(&self) {
        self.supply.on_ready();
    }

    /// The run stops: commands get no more, and their stdin ends.
    pub fn stop(&self) {
        self.supply.end(None);
    }

    /// Hands blocks to the commands that wait for one, and ends their stdin at the end of the input. `congested`: no more
    /// output is wanted. Returns the orders, and whether there is more to do at once.
    pub fn hand_out(&mut self, congested: bool, turn: &mut Turn) -> (Vec<(WorkerId, Order)>, bool) {
        let (mut orders, mut more) = (Vec::new(), false);
        for _ in 0..BLOCKS_PER_TURN {
            more = false;
            if congested && !self.supply.is_over() {
                break;
            }
            let next = self.next_reader();
            let has_reader = next.is_some();
            if !has_reader && !self.is_deserted() {
                break;
            }
            match self.supply.next() {
                NextBlock::Block(payload) => match next {
                    Some((index, incarnation)) => {
                        let block = ItemBytes::from(BlockSlice::new(&payload.block, payload.range));
                        let worker = WorkerId::from_index(index);
                        self.last = index;
                        self.readers.insert(index, Reader { incarnation, waits: false });
                        orders.push((worker, Order::Block { worker, incarnation, block }));
                        more = true;
                    }
                    None => self.supply.end(Some(SourceError::NoReader)),
                },
                NextBlock::Nothing { asks_again } => {
                    more = asks_again;
                    break;
                }
                NextBlock::Ended => {
                    self.end_waiting(&mut orders);
                    break;
                }
            }
        }
        let wanted = !congested && self.supply.is_idle();
        let wanted = wanted && (!self.supply.has_begun() || self.next_reader().is_some() || self.is_deserted());
        self.watch(wanted, turn);
        (orders, more)
    }

    /// Every command has had its block, and none takes another one.
    fn is_deserted(&self) -> bool {
        self.supply.has_begun() && self.readers.is_empty() && self.awaited == 0
    }

    /// The next command in rotation that waits for a block.
    fn next_reader(&self) -> Option<(usize, Incarnation)> {
        let behind = self.readers.range(self.last + 1..).chain(self.readers.range(..=self.last));
        let mut waiting = behind.filter(|(_, reader)| reader.waits);
        waiting.next().map(|(index, reader)| (*index, reader.incarnation))
    }

    fn end_waiting(&mut self, orders: &mut Vec<(WorkerId, Order)>) {
        for (index, reader) in self.readers.iter_mut().filter(|(_, reader)| reader.waits) {
            let (worker, incarnation) = (WorkerId::from_index(*index), reader.incarnation);
            reader.waits = false;
            orders.push((worker, Order::EndStdin { worker, incarnation }));
        }
    }

    fn watch(&mut self, wanted: bool, turn: &mut Turn) {
        if wanted == self.watched {
            return;
        }
        let system = &mut turn.system;
        let watched = self.supply.with_fd(|fd| {
            if wanted {
                return matches!(system.watch(fd, Interest::READ, Port::Blocks.token()), Ok(Added::Watched));
            }
            system.unwatch(fd);
            false
        });
        self.watched = watched.unwrap_or(false);
        if wanted && !self.watched {
            // What cannot be waited for is always ready, or fails by itself when it is read.
            self.supply.on_ready();
        }
    }
}
