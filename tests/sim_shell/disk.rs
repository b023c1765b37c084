//! The disk that the journal of a run lies on: what every process leaves there when it is killed, and what a loss of power
//! leaves, which is what was synced, and of the rest any sectors in any order.

use crate::check::{Check, hold};
use crate::choice::Rng;
use crate::items::OnDisk;
use crate::marks::Mark;
use crate::world::World;
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use supervisor::journal::books::ItemStage;
use supervisor::journal::file_reader::JournalReadError;
use supervisor::journal::state::{JournalState, JournalStateError};
use supervisor::model::ids::ItemId;
use supervisor::model::outcome::Outcome;
use supervisor::sys::durable_file::FileCalls;

/// A disk writes a sector whole or not at all.
const SECTOR_BYTES: usize = 512;

/// After one of so many barriers the disk is looked at.
const LOOKED_AT_ONE_OF: u64 = 30;

/// Errors of a disk, of a limit and of a quota.
const ERRORS: [i32; 4] = [libc::ENOSPC, libc::EIO, libc::EFBIG, libc::EDQUOT];

/// A call that fails.
#[derive(Clone, Copy, Debug)]
pub struct DiskFault {
    /// Which one, from 1 on: a write, a sync, a reservation of space, a cut.
    pub call: u32,
    pub errno: i32,
    /// A write takes a part of the bytes first, and the next one fails.
    pub is_short: bool,
    /// So does every call behind it. Otherwise they succeed, as they do on Linux after a failed sync.
    pub for_good: bool,
}

impl DiskFault {
    pub fn draw(rng: &mut Rng, call: u32) -> Self {
        Self { call, errno: rng.pick(&ERRORS), is_short: rng.per_mille(500), for_good: rng.per_mille(300) }
    }
}

/// What was written, and how much of it was synced.
#[derive(Debug, Default)]
pub struct Disk {
    written: Vec<u8>,
    synced: usize,
    /// What a failed sync has thrown away: processes read it, and no later sync writes it.
    dropped: Vec<Range<usize>>,
    /// Where each write began.
    writes: Vec<usize>,
    calls: u32,
    fault: Option<DiskFault>,
    /// What was called that failed and cannot be done without.
    pub failed: Option<&'static str>,
    /// Writes and syncs behind that.
    pub calls_behind: u32,
}

/// The file of the journal.
#[derive(Clone, Debug, Default)]
pub struct SimulatedFile(pub Rc<RefCell<Disk>>);

impl FileCalls for SimulatedFile {
    fn write_some_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let disk = &mut *self.0.borrow_mut();
        disk.calls_behind += u32::from(disk.failed.is_some());
        let mut taken = bytes.len();
        if let Some(fault) = disk.fails() {
            if !fault.is_short || taken < 2 {
                return Err(disk.fail("write", fault));
            }
            taken /= 2;
            disk.fault = Some(DiskFault { call: fault.call + 1, is_short: false, ..fault });
        }
        let offset = offset as usize;
        disk.writes.push(offset);
        disk.written.resize(offset.max(disk.written.len()), 0);
        disk.written.truncate(offset);
        disk.written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn reserve(&mut self, _: u64, _: u64) -> io::Result<()> {
        let disk = &mut *self.0.borrow_mut();
        match disk.fails() {
            // One that cannot be had twice ends the run: there is no space.
            Some(fault) if fault.for_good && fault.errno != libc::EIO => Err(disk.fail("reserve", fault)),
            Some(fault) => Err(io::Error::from_raw_os_error(fault.errno)),
            None => Ok(()),
        }
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let disk = &mut *self.0.borrow_mut();
        disk.calls_behind += u32::from(disk.failed.is_some());
        let (from, end) = (disk.synced, disk.written.len());
        disk.synced = end;
        if let Some(fault) = disk.fails() {
            disk.dropped.push(from..end);
            return Err(disk.fail("sync", fault));
        }
        Ok(())
    }

    fn cut_to(&mut self, bytes: u64) -> io::Result<()> {
        let disk = &mut *self.0.borrow_mut();
        if let Some(fault) = disk.fails() {
            return Err(io::Error::from_raw_os_error(fault.errno));
        }
        disk.written.truncate(bytes as usize);
        // The size of a file is written with the next sync.
        disk.synced = disk.synced.min(bytes as usize);
        Ok(())
    }
}

impl Disk {
    /// With these bytes, all of them safe.
    pub fn of(bytes: Vec<u8>, fault: Option<DiskFault>) -> Self {
        Self { synced: bytes.len(), written: bytes, fault, ..Self::default() }
    }

    pub const fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// Another call. Returns the fault if it fails.
    fn fails(&mut self) -> Option<DiskFault> {
        self.calls += 1;
        let calls = self.calls;
        self.fault.filter(|fault| calls == fault.call || (fault.for_good && calls > fault.call))
    }

    fn fail(&mut self, what: &'static str, fault: DiskFault) -> io::Error {
        self.failed.get_or_insert(what);
        io::Error::from_raw_os_error(fault.errno)
    }

    /// What the next process reads.
    pub fn after_kill(&self) -> Vec<u8> {
        self.written.clone()
    }
}

impl Disk {
    /// Of what was not synced, each sector may be there or not, or be what lay there before; and so the length of the file.
    pub fn after_power_loss(&self, rng: &mut Rng) -> Vec<u8> {
        let mut left = self.written.clone();
        if let Some(first) = self.dropped.first() {
            // Nothing behind it counts.
            self.dropped.iter().for_each(|dropped| left[dropped.clone()].fill(0));
            left.truncate(if rng.below(2) == 0 { left.len() } else { first.start });
            return left;
        }
        if rng.below(3) == 0 {
            return self.with_earlier_block(rng);
        }
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
        let earlier: Vec<usize> = self.writes.iter().copied().filter(|at| (1..self.synced).contains(at)).collect();
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

/// What leaves all that was written.
pub const KILL: &str = "KILL";

/// Whether a file does not begin as a journal does.
const fn is_no_journal(error: &JournalStateError) -> bool {
    matches!(error, JournalStateError::Read(JournalReadError::Head(_)))
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
            (disk.after_kill(), disk.after_power_loss(&mut self.rng))
        };
        self.marks.hit(Mark::DiskRead);
        self.check_disk(KILL, &killed);
        self.check_disk("a loss of power", &lost);
    }

    /// Reads a journal; `None`: it holds nothing yet.
    pub fn read_journal(&mut self, what: &str, bytes: &[u8]) -> Option<(File, JournalState)> {
        let read = tempfile::tempfile().and_then(|file: File| file.write_all_at(bytes, 0).map(|()| file));
        let file = match read {
            Ok(file) => file,
            Err(error) => {
                self.violate(Check::Disk, error.to_string());
                return None;
            }
        };
        match JournalState::read(&file) {
            Ok(state) => return Some((file, state)),
            // Before the first sync of a new file, anything may be there; without a loss of power, a part of the head.
            Err(error) if is_no_journal(&error) => {
                let is_cut = what != KILL || bytes.is_empty() || JournalState::is_cut_head(&error, bytes.len() as u64);
                hold!(self, is_cut, Disk, "after {what} the journal {error}");
                let safe = self.items.all().find(|(_, item)| item.safe || item.begun_safe).map(|(id, _)| id);
                hold!(self, safe.is_none(), Disk, "after {what} nothing is left, and item {safe:?} was safe");
            }
            Err(error) => self.violate(Check::Disk, format!("after {what} the journal {error}")),
        }
        None
    }

    pub fn check_disk(&mut self, what: &str, bytes: &[u8]) {
        let Some((_, state)) = self.read_journal(what, bytes) else { return };
        let accepted = self.items.known();
        let known = state.books.next_item().0;
        hold!(self, known <= accepted, Disk, "after {what} {known} items are known, and {accepted} were accepted");
        let safe: Vec<_> = self.items.known_items().map(|(id, item)| (id, item.on_disk())).collect();
        for (id, OnDisk { expected, is_safe, is_begun, attempts }) in safe {
            let found = state.books.item(ItemId(id));
            let stage = found.map(|state| state.stage).filter(|stage| stage.is_settled());
            let fits = match (stage, expected) {
                (None, expected) => !is_safe || expected.is_none(),
                (stage, expected) => stage == expected,
            };
            hold!(self, fits, Disk, "after {what} item {id} is {stage:?}, not {expected:?} (safe: {is_safe})");
            let counted = found.map_or(0, |state| state.attempts);
            let counts = stage.is_some() || counted >= attempts;
            hold!(self, counts, Disk, "after {what} item {id} has {counted} attempts, and {attempts} were begun");
            // An attempt that somebody declined does not count.
            let begun = found.is_some_and(|state| state.attempts > 0 || state.stage == ItemStage::Skipped);
            hold!(self, begun || !is_begun, Disk, "after {what} nobody knows that item {id} was begun");
        }
    }
}
