//! The bytes of a journal, and the books that are made of them.

use super::Bytes;
use std::collections::BTreeMap;
use supervisor::journal::books::Books;
use supervisor::journal::known_items::KnownItems;
use supervisor::journal::layout::{self, HEAD_BYTES};
use supervisor::journal::reader::{JournalEnd, JournalReader};
use supervisor::journal::record::{JournalHead, JournalMark, JournalRecord};
use supervisor::wire::record;

const MARK: JournalMark = JournalMark(7);

/// An even first byte: the rest is the file. An odd one: the rest is records, each a kind, and fields behind their length
/// in two bytes, to which heads, marks and places are added.
pub fn journal(data: &[u8]) {
    let mut data = Bytes(data);
    let bytes = if data.byte() % 2 == 0 { data.0.to_vec() } else { framed(data) };
    let Ok(mut reader) = JournalReader::new(&bytes) else { return };
    let (mut books, mut again) = (Books::new(), layout::head(reader.head()).to_vec());
    let mut known = KnownItems::default();
    loop {
        for (offset, record) in reader.by_ref() {
            match &record {
                JournalRecord::Hashes { first, hashes } => known.push(*first, hashes),
                JournalRecord::Anew { .. } => known.end_list(&books, BTreeMap::new(), &BTreeMap::new()),
                _ => {}
            }
            books.take(offset, &record);
            again.resize(offset as usize, 0);
            layout::append(&mut again, MARK, offset, &record).unwrap();
        }
        match reader.end() {
            JournalEnd::Damaged { at, next } => {
                assert!(at == reader.offset() && at < next && next < bytes.len() as u64);
                reader.go_to(next);
            }
            JournalEnd::Torn { at, bytes: torn } => break assert_eq!(at + torn, bytes.len() as u64),
            JournalEnd::Whole => break assert_eq!(reader.offset(), bytes.len() as u64),
        }
    }
    if reader.head() == (JournalHead { mark: MARK }) {
        let whole = reader.offset() as usize;
        assert_eq!(again.len(), whole, "written again, records take what they took");
    }
    let (items, done) = known.totals();
    assert!(done <= items);
    let totals = books.totals();
    let all = [totals.waiting, totals.in_flight, totals.done, totals.failed, totals.dead, totals.skipped];
    assert_eq!(all.iter().sum::<u64>(), totals.accepted, "the books balance whatever was entered");
    let listed: u64 = books.from(supervisor::model::ids::ItemId(0)).map(|(first, end, _)| end.0 - first.0).sum();
    assert_eq!(listed, totals.accepted);
}

fn framed(mut data: Bytes<'_>) -> Vec<u8> {
    let mut bytes = layout::head(JournalHead { mark: MARK }).to_vec();
    assert_eq!(bytes.len(), HEAD_BYTES);
    while !data.is_empty() {
        let (kind, length) = (data.byte(), usize::from(u16::from_le_bytes([data.byte(), data.byte()])));
        let fields = data.take(length);
        let offset = bytes.len() as u64;
        let appended = record::append::<std::convert::Infallible>(&mut bytes, kind, |out| {
            out.extend(MARK.0.to_le_bytes());
            out.extend(offset.to_le_bytes());
            out.extend_from_slice(fields);
            Ok(())
        });
        assert!(appended.is_ok());
    }
    bytes
}
