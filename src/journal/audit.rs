//! The audit of a journal: whether all that it says can be true, and whether all of it can be read.
//!
//! Invariant: reads alone. Memory grows with the changes from one item to the next, never with the items.

use super::books::{BookTotals, Books};
use super::content_order::ContentOrder;
use super::file_reader::JournalReadError;
use super::read_through::{self, ReadExtent};
use super::record::JournalRecord;
use std::fs::File;

/// What an audit has found.
#[derive(Clone, Debug)]
pub struct JournalAudit {
    pub books: Books,
    pub contents: ContentOrder,
    pub sessions: u64,
    pub extent: ReadExtent,
}

impl JournalAudit {
    /// Reads a whole journal.
    ///
    /// # Errors
    /// The file is no journal, or cannot be read.
    pub fn of(file: &File) -> Result<Self, JournalReadError> {
        let (mut books, mut contents, mut sessions) = (Books::new(), ContentOrder::default(), 0);
        let extent = read_through::read(file, |offset, record| {
            sessions += u64::from(matches!(record, JournalRecord::Session { .. }));
            books.take(offset, record);
            contents.take(offset, record);
        })?;
        Ok(Self { books, contents, sessions, extent })
    }

    /// The first faults, in the order of the file, each with the offset of its record; and how many there are beside them.
    #[must_use]
    pub fn faults(&self) -> (Vec<(u64, String)>, u64) {
        let ((books, more_of_books), (contents, more_of_contents)) = (self.books.faults(), self.contents.faults());
        let of_books = books.iter().map(|fault| (fault.offset, fault.kind.to_string()));
        let of_contents = contents.iter().map(|fault| (fault.offset, fault.kind.to_string()));
        let mut faults: Vec<_> = of_books.chain(of_contents).collect();
        faults.sort_by_key(|(offset, _)| *offset);
        (faults, more_of_books + more_of_contents)
    }

    /// Whether all records can be true, and each accepted item stands in one place.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.books.balance() && self.contents.faults().0.is_empty() && is_sum(&self.books.totals())
    }

    /// Whether it is damaged in a way that no crash explains.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.extent.damage.iter().any(|damage| damage.is_fault())
    }
}

/// accepted = done + failed + dead + skipped + in flight + waiting
const fn is_sum(totals: &BookTotals) -> bool {
    let settled = totals.done + totals.failed + totals.dead + totals.skipped;
    totals.accepted == settled + totals.in_flight + totals.waiting
}
