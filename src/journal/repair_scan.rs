//! What a damaged journal tells of what is lost in it, as a first reading of all that is whole shows.
//!
//! Invariant: pure. What is kept of a block of items that is lost follows from the blocks before and behind it alone.

use super::read_through::{FoundPart, JournalDamage};
use super::record::{ContentKind, ContentPiece, JournalRecord};
use crate::model::ids::ItemId;
use std::collections::{BTreeMap, BTreeSet};

/// The most items whose acceptance is taken for lost between two blocks. More are no run's.
const GAP_ITEMS_MAX: u64 = 1 << 40;

/// Items whose acceptance is lost, between blocks that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostBlock {
    /// Of the damage that it was lost in, or that lies before all records of these items.
    pub damage: u64,
    pub first: ItemId,
    pub items: u64,
    /// Where they lie in the input.
    pub offset: u64,
    pub bytes: u64,
}

/// What the first reading has found.
#[derive(Debug, Default)]
pub struct RepairScan {
    pub lost_blocks: Vec<LostBlock>,
    /// Outcomes a part of whose result may be lost: the first one behind each damage.
    pub doubtful: BTreeSet<u64>,
    /// Pieces of contents that are not whole, or whose outcome is lost.
    pub useless_pieces: BTreeSet<u64>,
    /// The results that were given away are not in the records before this offset.
    pub compacted_end: u64,
    /// Something of these is damaged.
    pub is_compacted_part_damaged: bool,
    /// The run writes its results to a file.
    pub has_output_file: bool,
    /// The damage that no crash explains.
    pub faults: u64,
    compacted_sessions: Option<u64>,
    sessions: u64,
    next: ExpectedBlock,
    /// Since the last outcome.
    is_behind_damage: bool,
    pieces: LoosePieces,
}

/// Where the next block of items begins.
#[derive(Debug, Default)]
struct ExpectedBlock {
    item: u64,
    offset: u64,
    /// The first damage since the last block.
    damage: Option<u64>,
}

impl RepairScan {
    /// Takes what comes next in the file.
    pub fn take(&mut self, part: &FoundPart<'_>) {
        match part {
            FoundPart::Damage(damage) => self.damage(damage),
            FoundPart::Record(offset, record) => self.record(*offset, record),
        }
    }

    fn damage(&mut self, damage: &JournalDamage) {
        self.faults += u64::from(damage.is_fault());
        self.next.damage.get_or_insert(damage.offset());
        self.is_behind_damage = true;
        if self.sessions == 0 && damage.is_fault() {
            // The record that tells how much was compacted may be lost.
            self.compacted_sessions.get_or_insert(u64::MAX);
        }
        self.is_compacted_part_damaged |= damage.is_fault() && self.is_in_compacted_part();
        self.pieces.lose_all(&mut self.useless_pieces);
    }

    fn is_in_compacted_part(&self) -> bool {
        self.compacted_sessions.is_some_and(|sessions| self.sessions <= sessions)
    }

    fn record(&mut self, offset: u64, record: &JournalRecord<'_>) {
        if self.is_in_compacted_part() {
            self.compacted_end = offset;
        }
        match record {
            JournalRecord::Opened { facts, .. } => {
                self.has_output_file |= facts.iter().any(|fact| fact.name == "output file");
            }
            JournalRecord::Compacted { sessions } => self.compacted_sessions = Some(*sessions),
            JournalRecord::Session { .. } => {
                self.sessions += 1;
                self.pieces = LoosePieces::default();
            }
            JournalRecord::Accepted(block) => self.block((block.first, block.count), block.offset, block.bytes),
            JournalRecord::Recovered { first, count, offset, bytes } => self.block((*first, *count), *offset, *bytes),
            JournalRecord::Content(piece) => self.pieces.take(offset, piece, &mut self.useless_pieces),
            JournalRecord::Settled(settled) => {
                if std::mem::take(&mut self.is_behind_damage) {
                    self.doubtful.insert(offset);
                }
                self.pieces.settle(settled.first, settled.count, &mut self.useless_pieces);
            }
            JournalRecord::Returned { first, count, .. } => self.pieces.give_up(*first, *count),
            JournalRecord::Retried { item, .. } => self.pieces.give_up(*item, 1),
            JournalRecord::Begun { .. }
            | JournalRecord::Reopened { .. }
            | JournalRecord::Dropped { .. }
            | JournalRecord::Asked { .. }
            | JournalRecord::Heeded { .. }
            | JournalRecord::Hashes { .. }
            | JournalRecord::Anew { .. }
            | JournalRecord::Emitted { .. }
            | JournalRecord::Safe { .. }
            | JournalRecord::ResultsKept
            | JournalRecord::Closed { .. } => {}
        }
    }

    /// Blocks follow one another, so one that begins later tells how many items were lost before it.
    fn block(&mut self, (first, count): (ItemId, u32), offset: u64, bytes: u64) {
        let next = &mut self.next;
        if first.0 > next.item {
            let (items, lost_bytes) = (first.0 - next.item, offset.checked_sub(next.offset));
            let (Some(damage), Some(bytes), true) = (next.damage, lost_bytes, items <= GAP_ITEMS_MAX) else { return };
            let lost = LostBlock { damage, first: ItemId(next.item), items, offset: next.offset, bytes };
            self.lost_blocks.push(lost);
        } else if first.0 < next.item {
            return;
        }
        *next =
            ExpectedBlock { item: first.plus(u64::from(count)).0, offset: offset.saturating_add(bytes), damage: None };
    }
}

/// Pieces whose outcome is yet to come.
#[derive(Debug, Default)]
struct LoosePieces {
    /// By the first item, the item behind the last one, and the kind.
    contents: BTreeMap<(u64, u64, ContentKind), LooseContent>,
    /// The most items of one of these contents.
    items_max: u64,
}

#[derive(Debug, Default)]
struct LooseContent {
    /// Where the next piece begins.
    bytes: u64,
    is_whole: bool,
    /// The records.
    offsets: Vec<u64>,
}

impl LoosePieces {
    fn take(&mut self, offset: u64, piece: &ContentPiece<'_>, useless: &mut BTreeSet<u64>) {
        let key = (piece.first.0, piece.first.plus(u64::from(piece.count)).0, piece.kind);
        self.items_max = self.items_max.max(u64::from(piece.count));
        let content = self.contents.entry(key).or_default();
        let follows = piece.at == content.bytes && !content.is_whole;
        if !follows {
            useless.extend(content.offsets.drain(..));
            *content = LooseContent::default();
            if piece.at > 0 {
                useless.insert(offset);
                self.contents.remove(&key);
                return;
            }
        }
        content.offsets.push(offset);
        content.bytes = piece.at.saturating_add(piece.bytes.len() as u64);
        content.is_whole = piece.is_last;
    }

    /// Those of the outcome belong to it, if they are whole.
    fn settle(&mut self, first: ItemId, count: u32, useless: &mut BTreeSet<u64>) {
        for key in self.of_items(first, count) {
            let Some(content) = self.contents.remove(&key) else { continue };
            if !content.is_whole {
                useless.extend(content.offsets);
            }
        }
    }

    fn give_up(&mut self, first: ItemId, count: u32) {
        for key in self.of_items(first, count) {
            self.contents.remove(&key);
        }
    }

    fn lose_all(&mut self, useless: &mut BTreeSet<u64>) {
        for content in std::mem::take(&mut self.contents).into_values() {
            useless.extend(content.offsets);
        }
    }

    fn of_items(&self, first: ItemId, count: u32) -> Vec<(u64, u64, ContentKind)> {
        if self.contents.is_empty() {
            return Vec::new();
        }
        let (begin, end) = (first.0, first.plus(u64::from(count)).0);
        let from = (begin.saturating_sub(self.items_max), 0, ContentKind::Output);
        let until = (end, 0, ContentKind::Output);
        let keys = self.contents.range(from..until).map(|(key, _)| *key);
        keys.filter(|(_, last, _)| *last > begin).collect()
    }
}
