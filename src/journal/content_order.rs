//! What the books leave open: whether the pieces of each content follow one another, and whether what was given away was
//! recorded before.
//!
//! Invariant: pure. Memory grows with the contents whose last piece is yet to come, never with their bytes.

use super::books::FAULTS_KEPT_MAX;
use super::record::{ContentKind, ContentPiece, GivenAway, JournalRecord};
use crate::model::ids::ItemId;
use std::collections::BTreeMap;

/// Why pieces cannot be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentFaultKind {
    #[error("the content of item {0} does not begin at its first byte")]
    NoStart(u64),
    #[error("a piece of the content of item {0} does not follow the piece before it")]
    Gap(u64),
    #[error("the content of item {0} began again before its last piece")]
    BegunAgain(u64),
    #[error("item {0} got its outcome before the last piece of its content")]
    SettledOpen(u64),
    #[error("the output was recorded up to offset {0}, which lies behind that record")]
    EmittedAhead(u64),
}

/// A fault, and the record that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentFault {
    /// Of the record.
    pub offset: u64,
    pub kind: ContentFaultKind,
}

/// The contents whose last piece is yet to come.
#[derive(Clone, Debug, Default)]
pub struct ContentOrder {
    /// By the first item, the item behind the last one, and the kind: where the next piece begins.
    open: BTreeMap<(u64, u64, ContentKind), u64>,
    /// The most items of one of these contents.
    items_max: u64,
    faults: Vec<ContentFault>,
    faults_omitted: u64,
}

impl ContentOrder {
    /// Takes the next record, which lies at this offset.
    pub fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        let checked = match record {
            JournalRecord::Content(piece) => self.piece(piece),
            JournalRecord::Settled(settled) => self.settle(settled.first, settled.count),
            // What an attempt that does not count has begun is not gone on with.
            JournalRecord::Returned { first, count, .. } => {
                self.give_up(*first, *count);
                Ok(())
            }
            JournalRecord::Retried { item, .. } => {
                self.give_up(*item, 1);
                Ok(())
            }
            JournalRecord::Session { .. } => {
                self.open.clear();
                self.items_max = 0;
                Ok(())
            }
            JournalRecord::Emitted { shown: GivenAway::RecordedBefore(before), .. } if *before > offset => {
                Err(ContentFaultKind::EmittedAhead(*before))
            }
            _ => Ok(()),
        };
        if let Err(kind) = checked {
            match self.faults.len() < FAULTS_KEPT_MAX {
                true => self.faults.push(ContentFault { offset, kind }),
                false => self.faults_omitted += 1,
            }
        }
    }

    /// Goes on behind a piece also if it is a fault, so that each fault is told once.
    fn piece(&mut self, piece: &ContentPiece<'_>) -> Result<(), ContentFaultKind> {
        let (first, count) = (piece.first.0, u64::from(piece.count));
        let key = (first, piece.first.plus(count).0, piece.kind);
        let expected = self.open.remove(&key);
        if !piece.is_last {
            self.open.insert(key, piece.at.saturating_add(piece.bytes.len() as u64));
            self.items_max = self.items_max.max(count);
        }
        match (expected, piece.at) {
            (Some(expected), at) if at == expected => Ok(()),
            (None, 0) => Ok(()),
            (None, _) => Err(ContentFaultKind::NoStart(first)),
            (Some(_), 0) => Err(ContentFaultKind::BegunAgain(first)),
            (Some(_), _) => Err(ContentFaultKind::Gap(first)),
        }
    }

    fn settle(&mut self, first: ItemId, count: u32) -> Result<(), ContentFaultKind> {
        match self.give_up(first, count) {
            Some(open) => Err(ContentFaultKind::SettledOpen(open)),
            None => Ok(()),
        }
    }

    /// Forgets the open contents of any of these items, and tells the first item of the first one.
    fn give_up(&mut self, first: ItemId, count: u32) -> Option<u64> {
        if self.open.is_empty() {
            return None;
        }
        let (begin, end) = (first.0, first.plus(u64::from(count)).0);
        let from = (begin.saturating_sub(self.items_max), 0, ContentKind::Output);
        let until = (end, 0, ContentKind::Output);
        let touched = self.open.range(from..until).map(|(key, _)| *key).filter(|(_, last, _)| *last > begin);
        let touched: Vec<_> = touched.collect();
        for key in &touched {
            self.open.remove(key);
        }
        touched.first().map(|(open, ..)| *open)
    }

    /// The first faults, and how many there are beside them.
    #[must_use]
    pub fn faults(&self) -> (&[ContentFault], u64) {
        (&self.faults, self.faults_omitted)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::SettledItems;
    use super::*;
    use crate::model::ids::Attempt;
    use crate::model::outcome::Outcome;
    use crate::model::time::Duration;

    type Record = JournalRecord<'static>;

    fn piece(first: u64, count: u32, at: u64, bytes: &'static [u8], is_last: bool) -> Record {
        let (first, kind) = (ItemId(first), ContentKind::Output);
        JournalRecord::Content(ContentPiece { first, count, kind, at, is_last, bytes: bytes.into() })
    }

    fn settled(first: u64, count: u32) -> Record {
        JournalRecord::Settled(SettledItems::plain(ItemId(first), count, Outcome::Done, 1))
    }

    fn faults(records: &[Record]) -> Vec<(u64, ContentFaultKind)> {
        let mut order = ContentOrder::default();
        (0..).zip(records).for_each(|(offset, record)| order.take(offset, record));
        order.faults().0.iter().map(|fault| (fault.offset, fault.kind)).collect()
    }

    #[test]
    fn pieces_that_follow_one_another_are_no_fault() {
        let first = Attempt::FIRST;
        let whole = [
            piece(0, 1, 0, b"ab", false),
            piece(5, 3, 0, b"", true),
            piece(0, 1, 2, b"c", true),
            settled(0, 1),
            piece(1, 1, 0, b"x", false),
            JournalRecord::Returned { first: ItemId(0), count: 4, attempt: first, at: Duration::ZERO },
            piece(1, 1, 0, b"x", false),
            JournalRecord::Session { started_unix_ns: 0, pid: 1 },
            piece(1, 1, 0, b"x", true),
            settled(1, 7),
            JournalRecord::Emitted { shown: GivenAway::RecordedBefore(10), output_bytes: 0 },
        ];
        assert_eq!(faults(&whole), []);
    }

    #[test]
    fn each_fault_of_pieces_is_told_once() {
        use ContentFaultKind as Kind;
        let open = || piece(3, 2, 0, b"ab", false);
        let cases: [(&[Record], Kind); 6] = [
            (&[piece(3, 1, 2, b"c", false), piece(3, 1, 3, b"", true)], Kind::NoStart(3)),
            (&[open(), piece(3, 2, 3, b"c", false), piece(3, 2, 4, b"", true)], Kind::Gap(3)),
            (&[open(), open(), piece(3, 2, 2, b"", true)], Kind::BegunAgain(3)),
            (&[open(), settled(4, 1), settled(3, 1)], Kind::SettledOpen(3)),
            (&[open(), settled(0, 4), settled(3, 1)], Kind::SettledOpen(3)),
            (&[JournalRecord::Emitted { shown: GivenAway::RecordedBefore(1), output_bytes: 0 }], Kind::EmittedAhead(1)),
        ];
        for (records, kind) in cases {
            let found = faults(records);
            assert_eq!(found.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), [kind], "{records:?}");
        }
        assert_eq!(faults(&[open(), settled(5, 1), settled(0, 3)]), []);
    }
}
