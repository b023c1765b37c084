//! Where a journal has the outcome and the contents of each item.
//!
//! A first pass enters the books, and notes which items each chunk of the file is about. The places of a window of items
//! are then found in the chunks that are about them.
//!
//! Invariant: memory grows with the changes from one item to the next, with the chunks of the file, and with the items of
//! one window; never with all items or with contents.

use super::books::Books;
use super::file_reader::{JournalFileReader, JournalReadError};
use super::read_through::{self, ReadExtent};
use super::record::{ContentKind, ContentPiece, JournalRecord, RunFact};
use std::collections::BTreeMap;
use std::fs::File;
use std::num::NonZeroU64;

/// Bytes of a chunk. One of a long file costs 32 bytes of memory.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Items of a window.
const WINDOW_ITEMS: u64 = 64 * 1024;

/// The items that the records of a part of the file are about.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    start: u64,
    end: u64,
    first_item: u64,
    items_end: u64,
}

/// What a first pass has found.
#[derive(Debug, Default)]
pub struct JournalIndex {
    pub run_id: String,
    /// What the run is made of, by name.
    pub facts: Vec<(String, Vec<u8>)>,
    pub books: Books,
    pub extent: ReadExtent,
    /// The offset of each session, and when it began.
    sessions: Vec<(u64, u64)>,
    chunks: Vec<Chunk>,
}

impl JournalIndex {
    /// Reads a whole journal.
    ///
    /// # Errors
    /// The file is no journal, or cannot be read.
    pub fn of(file: &File) -> Result<Self, JournalReadError> {
        let mut index = Self::default();
        let extent = read_through::read(file, |offset, record| index.take(offset, record))?;
        Ok(Self { extent, ..index })
    }

    fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        self.books.take(offset, record);
        match record {
            JournalRecord::Opened { run_id, facts } if self.facts.is_empty() => {
                self.run_id = run_id.clone().into_owned();
                self.facts = owned(facts);
            }
            // What was before is of another list.
            JournalRecord::Anew { facts } => {
                self.facts = owned(facts);
                self.chunks.clear();
            }
            JournalRecord::Session { started_unix_ns, .. } => self.sessions.push((offset, *started_unix_ns)),
            _ => {}
        }
        let Some((first, items_end)) = items_of(record) else { return };
        match self.chunks.last_mut() {
            Some(chunk) if offset < chunk.start.saturating_add(CHUNK_BYTES) => {
                chunk.end = offset + 1;
                chunk.first_item = chunk.first_item.min(first);
                chunk.items_end = chunk.items_end.max(items_end);
            }
            _ => self.chunks.push(Chunk { start: offset, end: offset + 1, first_item: first, items_end }),
        }
    }

    /// The values of a fact of this name, in their order.
    pub fn facts_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.facts.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// The time of day, since 1970, at the start of the session of a record at this offset.
    #[must_use]
    pub fn session_start_unix_ns(&self, offset: u64) -> u64 {
        let later = self.sessions.partition_point(|(session, _)| *session <= offset);
        later.checked_sub(1).and_then(|at| self.sessions.get(at)).map_or(0, |(_, started)| *started)
    }

    /// The places of a window of items, from this one on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn places(&self, file: &File, first: u64) -> Result<ItemPlaces, JournalReadError> {
        let end = first.saturating_add(WINDOW_ITEMS).min(self.books.next_item().0);
        let mut places = ItemPlaces::new(first, end);
        let mut reader = JournalFileReader::new(file)?;
        for chunk in self.chunks.iter().filter(|chunk| chunk.first_item < end && first < chunk.items_end) {
            reader.go_to(chunk.start);
            while reader.offset() < chunk.end {
                match reader.next_record()? {
                    Some((offset, record)) => places.take(offset, &record),
                    // Damage lies within the chunk.
                    None => match self.next_behind_damage(reader.offset()) {
                        Some(next) => reader.go_to(next),
                        None => break,
                    },
                }
            }
        }
        Ok(places)
    }

    fn next_behind_damage(&self, offset: u64) -> Option<u64> {
        let mut damage = self.extent.damage.iter();
        damage.find_map(|damage| damage.next_record().filter(|_| damage.offset() == offset))
    }
}

fn owned(facts: &[RunFact<'_>]) -> Vec<(String, Vec<u8>)> {
    facts.iter().map(|fact| (fact.name.clone().into(), fact.value.clone().into())).collect()
}

/// The items that a record has an outcome or a content of.
fn items_of(record: &JournalRecord<'_>) -> Option<(u64, u64)> {
    let (first, count) = match record {
        JournalRecord::Settled(settled) => (settled.first, settled.count),
        JournalRecord::Content(piece) => (piece.first, piece.count),
        JournalRecord::Reopened { first, count } | JournalRecord::Dropped { first, count } => (*first, *count),
        _ => return None,
    };
    Some((first.0, first.plus(u64::from(count)).0))
}

/// Where the pieces of a content lie.
#[derive(Clone, Debug, Default)]
pub struct ContentPlaces {
    pub first: u64,
    pub count: u32,
    pub bytes: u64,
    /// The offsets of their records.
    pub pieces: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ItemPlace {
    /// The record of the outcome. None lies at the start of a file.
    settled: Option<NonZeroU64>,
    /// By kind, an index into the contents of the window.
    contents: [Option<u32>; 3],
}

/// Where a window of items has its outcomes and contents, the newest ones.
#[derive(Debug)]
pub struct ItemPlaces {
    first: u64,
    places: Vec<ItemPlace>,
    contents: Vec<ContentPlaces>,
    /// Contents whose last piece is yet to come.
    open: BTreeMap<(u64, u32, ContentKind), ContentPlaces>,
}

impl ItemPlaces {
    fn new(first: u64, end: u64) -> Self {
        let items = end.saturating_sub(first).min(WINDOW_ITEMS) as usize;
        Self { first, places: vec![ItemPlace::default(); items], contents: Vec::new(), open: BTreeMap::new() }
    }

    /// Whether the window has this item.
    #[must_use]
    pub const fn holds(&self, item: u64) -> bool {
        self.first <= item && item - self.first < self.places.len() as u64
    }

    /// The offset of the record of its outcome.
    #[must_use]
    pub fn settled(&self, item: u64) -> Option<u64> {
        self.place(item)?.settled.map(NonZeroU64::get)
    }

    /// Where its content of this kind lies.
    #[must_use]
    pub fn content(&self, item: u64, kind: ContentKind) -> Option<&ContentPlaces> {
        self.contents.get(self.place(item)?.contents[kind as usize]? as usize)
    }

    fn place(&self, item: u64) -> Option<&ItemPlace> {
        self.places.get(usize::try_from(item.checked_sub(self.first)?).ok()?)
    }

    /// Those of these items that the window has.
    fn among(&mut self, first: u64, count: u32) -> impl Iterator<Item = &mut ItemPlace> {
        let end = first.saturating_add(u64::from(count)).saturating_sub(self.first).min(self.places.len() as u64);
        let begin = first.saturating_sub(self.first).min(end);
        self.places[begin as usize..end as usize].iter_mut()
    }

    fn take(&mut self, offset: u64, record: &JournalRecord<'_>) {
        match record {
            // A second outcome is none, unless the item was reopened.
            JournalRecord::Settled(settled) => self
                .among(settled.first.0, settled.count)
                .filter(|place| place.settled.is_none())
                .for_each(|place| place.settled = NonZeroU64::new(offset)),
            JournalRecord::Reopened { first, count } | JournalRecord::Dropped { first, count } => {
                self.among(first.0, *count).for_each(|place| {
                    let text = place.contents[ContentKind::Item as usize];
                    *place = ItemPlace::default();
                    place.contents[ContentKind::Item as usize] = text;
                })
            }
            JournalRecord::Session { .. } => self.open.clear(),
            JournalRecord::Content(piece) => self.piece(offset, piece),
            _ => {}
        }
    }

    fn piece(&mut self, offset: u64, piece: &ContentPiece<'_>) {
        if self.among(piece.first.0, piece.count).next().is_none() {
            return;
        }
        let (first, count) = (piece.first.0, piece.count);
        let key = (first, count, piece.kind);
        let begun = self.open.remove(&key).filter(|_| piece.at > 0);
        let mut content = begun.unwrap_or_else(|| ContentPlaces { first, count, ..ContentPlaces::default() });
        // What does not follow is no part of the content.
        if content.bytes != piece.at {
            return;
        }
        content.bytes += piece.bytes.len() as u64;
        content.pieces.push(offset);
        if !piece.is_last {
            self.open.insert(key, content);
            return;
        }
        let index = u32::try_from(self.contents.len()).ok();
        self.contents.push(content);
        self.among(first, count).for_each(|place| place.contents[piece.kind as usize] = index);
    }
}

#[cfg(test)]
mod tests {
    use super::super::reader::tests::journal;
    use super::super::record::SettledItems;
    use super::*;
    use crate::model::ids::ItemId;
    use crate::model::outcome::Outcome;
    use std::io::Write;

    fn settled(first: u64, count: u32, outcome: Outcome) -> JournalRecord<'static> {
        JournalRecord::Settled(SettledItems::plain(ItemId(first), count, outcome, 0))
    }

    fn piece(first: u64, count: u32, at: u64, is_last: bool) -> JournalRecord<'static> {
        let (first, kind) = (ItemId(first), ContentKind::Output);
        JournalRecord::Content(ContentPiece { first, count, kind, at, is_last, bytes: b"ab".into() })
    }

    #[test]
    fn what_was_before_a_new_list_is_of_other_items() {
        let fact = RunFact { name: "command".into(), value: b"other".into() };
        let session = JournalRecord::Session { started_unix_ns: 5, pid: 1 };
        let accepted = super::super::record::Accepted { first: ItemId(0), count: 2, offset: 0, bytes: 0, hash: 0 };
        let records = [
            JournalRecord::Opened { run_id: "".into(), facts: Vec::new() },
            session.clone(),
            JournalRecord::Accepted(accepted),
            piece(0, 1, 0, true),
            settled(0, 2, Outcome::Done),
            session,
            JournalRecord::Anew { facts: vec![fact] },
            JournalRecord::Accepted(accepted),
            settled(1, 1, Outcome::Failed),
        ];
        let (bytes, starts) = journal(&records);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let index = JournalIndex::of(&file).unwrap();
        let places = index.places(&file, 0).unwrap();
        assert_eq!((places.settled(0), places.settled(1)), (None, Some(starts[8] as u64)));
        assert!(places.content(0, ContentKind::Output).is_none());
        assert_eq!(index.facts_of("command").collect::<Vec<_>>(), [b"other"]);
    }

    #[test]
    fn the_newest_places_are_found_in_each_window() {
        let last = WINDOW_ITEMS + 1;
        let records = [
            settled(last, 1, Outcome::Failed),
            piece(0, 2, 0, false),
            piece(0, 2, 7, true),
            piece(1, 1, 0, false),
            piece(1, 1, 2, true),
            settled(0, 3, Outcome::Done),
            settled(1, 1, Outcome::Failed),
            JournalRecord::Reopened { first: ItemId(last), count: 1 },
            settled(last, 1, Outcome::Done),
        ];
        let (bytes, starts) = journal(&records);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut index = JournalIndex::of(&file).unwrap();
        for items in [40_000, 25_536, 10] {
            let accepted = super::super::record::Accepted {
                first: index.books.next_item(),
                count: items,
                offset: 0,
                bytes: 0,
                hash: 0,
            };
            for record in [
                JournalRecord::Opened { run_id: "".into(), facts: Vec::new() },
                JournalRecord::Session { started_unix_ns: 1, pid: 1 },
                JournalRecord::Accepted(accepted),
            ] {
                index.books.take(0, &record);
            }
        }
        let places = index.places(&file, 0).unwrap();
        assert!(places.holds(0) && places.holds(WINDOW_ITEMS - 1) && !places.holds(WINDOW_ITEMS));
        let at = |index: usize| starts[index] as u64;
        assert_eq!((places.settled(0), places.settled(1), places.settled(3)), (Some(at(5)), Some(at(5)), None));
        assert!(places.content(0, ContentKind::Output).is_none());
        let content = places.content(1, ContentKind::Output).unwrap();
        assert_eq!((content.bytes, &content.pieces[..]), (4, &[at(3), at(4)][..]));
        let places = index.places(&file, WINDOW_ITEMS).unwrap();
        assert_eq!((places.settled(last), places.settled(last - 1)), (Some(at(8)), None));
    }
}
