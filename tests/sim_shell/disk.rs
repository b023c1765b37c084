//! The disk that the journal of a run lies on: what every process leaves there when it is killed, and what a loss of power
//! leaves, which is what was synced, and of the rest any sectors in any order.

use crate::check::{Check, hold};
use crate::choice::Rng;
use crate::marks::Mark;
use crate::world::World;
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use supervisor::journal::books::ItemStage;
use supervisor::journal::state::JournalState;
use supervisor::model::ids::ItemId;
use supervisor::model::outcome::Outcome;
use supervisor::sys::durable_file::AppendedFile;

/// A disk writes a sector whole or not at all.
const SECTOR_BYTES: usize = 512;

/// After one of so many barriers the disk is looked at.
const LOOKED_AT_ONE_OF: u64 = 30;

/// What was written, and how much of it was synced.
#[derive(Debug, Default)]
pub struct Disk {
    written: Vec<u8>,
    synced: usize,
    /// Where each append began.
    appends: Vec<usize>,
}

/// The file of the journal.
#[derive(Clone, Debug, Default)]
pub struct DiskFile(pub Rc<RefCell<Disk>>);

impl AppendedFile for DiskFile {
    fn end(&self) -> u64 {
        self.0.borrow().written.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let disk = &mut *self.0.borrow_mut();
        disk.appends.push(disk.written.len());
        disk.written.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let disk = &mut *self.0.borrow_mut();
        disk.synced = disk.written.len();
        Ok(())
    }

    fn give_back_space(&mut self) {}
}

impl Disk {
    /// Of what was not synced, each sector may be there or not, or be what lay there before; and so the length of the file.
    fn after_power_loss(&self, rng: &mut Rng) -> Vec<u8> {
        if rng.below(3) == 0 {
            return self.with_earlier_block(rng);
        }
        let mut left = self.written.clone();
        let mut from = self.synced;
        while from < left.len() {
            let end = (from / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES).min(left.len());
            match rng.below(6) {
                0 | 1 => left[from..end].fill(0),
                2 => left[from..end].fill(0xff),
                // An earlier place of the same file, at the same place of a sector.
                3 if end >= SECTOR_BYTES => {
                    let back = SECTOR_BYTES * rng.between(1, (end / SECTOR_BYTES) as u64) as usize;
                    if from >= back {
                        left.copy_within(from - back..end - back, from);
                    }
                }
                _ => {}
            }
            from = end;
        }
        let unsynced = (left.len() - self.synced) as u64;
        let cut = if rng.below(2) == 0 { unsynced } else { rng.below(unsynced + 1) };
        left.truncate(self.synced + cut as usize);
        left
    }

    /// Behind what was synced lies a block of an earlier time.
    fn with_earlier_block(&self, rng: &mut Rng) -> Vec<u8> {
        let earlier: Vec<usize> = self.appends.iter().copied().filter(|at| (1..self.synced).contains(at)).collect();
        if earlier.is_empty() {
            return self.written[..self.synced].to_vec();
        }
        let from = earlier[rng.below(earlier.len() as u64) as usize];
        [&self.written[..self.synced], &self.written[from..self.synced]].concat()
    }
}

/// Where an item of this outcome stands in the books.
pub const fn stage_of(outcome: &Outcome) -> ItemStage {
    match outcome {
        Outcome::Done => ItemStage::Done,
        Outcome::Failed => ItemStage::Failed,
        Outcome::Dead => ItemStage::Dead,
        Outcome::Skipped => ItemStage::Skipped,
    }
}

impl World {
    /// The barrier has been passed: what is on the disk keeps the promise of the journal.
    pub fn look_at_disk(&mut self) {
        if self.journal.is_none() || self.rng.below(LOOKED_AT_ONE_OF) > 0 {
            return;
        }
        let Some(file) = self.journal.clone() else { return };
        let (killed, lost) = {
            let disk = file.0.borrow();
            (disk.written.clone(), disk.after_power_loss(&mut self.rng))
        };
        self.marks.hit(Mark::DiskRead);
        self.check_disk("KILL", &killed);
        self.check_disk("a loss of power", &lost);
    }

    fn check_disk(&mut self, what: &str, bytes: &[u8]) {
        let read = tempfile::tempfile().and_then(|file: File| file.write_all_at(bytes, 0).map(|()| file));
        let state = match read.map(|file| JournalState::read(&file)) {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => return self.violate(Check::Disk, format!("after {what} the journal {error}")),
            Err(error) => return self.violate(Check::Disk, error.to_string()),
        };
        let accepted = self.items.accepted();
        let known = state.books.next_item().0;
        hold!(self, known <= accepted, Disk, "after {what} {known} items are known, and {accepted} were accepted");
        let safe: Vec<_> = self.items.all().map(|(id, item)| (id, item.on_disk())).collect();
        for (id, (expected, is_safe, is_begun)) in safe {
            let found = state.books.item(ItemId(id));
            let stage = found.map(|state| state.stage).filter(|stage| stage.is_settled());
            let fits = match (stage, expected) {
                (None, expected) => !is_safe || expected.is_none(),
                (stage, expected) => stage == expected,
            };
            hold!(self, fits, Disk, "after {what} item {id} is {stage:?}, not {expected:?} (safe: {is_safe})");
            // An attempt that somebody declined does not count.
            let begun = found.is_some_and(|state| state.attempts > 0 || state.stage == ItemStage::Skipped);
            hold!(self, begun || !is_begun, Disk, "after {what} nobody knows that item {id} was begun");
        }
    }
}
