//! The items of a journal in their order, each with its outcome and its contents.
//!
//! Invariant: the contents of one item, or of the items that share one content, are in memory at a time.

use super::books::{ItemStage, ItemState};
use super::file_reader::{JournalFileReader, JournalReadError};
use super::index::{ContentPlaces, ItemPlaces, JournalIndex};
use super::record::{ContentKind, JournalRecord, SettledItems};
use crate::model::ids::ItemId;
use std::fs::File;
use std::io;

/// Read at once. Outcomes and contents are read side by side, each where it was left.
const READ_BYTES: usize = 16 * 1024;

/// What a journal has of one item.
#[derive(Debug)]
pub struct RecordedItem<'a> {
    pub item: ItemId,
    pub state: ItemState,
    /// If the item has its outcome.
    pub settled: Option<SettledItems<'a>>,
    /// The time of day at the start of the session of its outcome, since 1970.
    pub session_start_unix_ns: u64,
    /// The item itself. Contents are `None` where the journal has none, and where they were not asked for.
    pub text: Option<&'a [u8]>,
    pub output: Option<&'a [u8]>,
    pub errors: Option<&'a [u8]>,
    /// Of the output, also where it was not asked for.
    pub output_bytes: u64,
}

/// Why not all items could be given.
#[derive(Debug, thiserror::Error)]
pub enum RecordedItemsError {
    /// Completes "the file ...".
    #[error("{0}")]
    Read(#[from] JournalReadError),
    /// What the caller said of an item.
    #[error("{0}")]
    Given(io::Error),
}

impl From<io::Error> for RecordedItemsError {
    fn from(error: io::Error) -> Self {
        Self::Read(error.into())
    }
}

/// Gives each item that stands where `wanted` says, with its contents of these kinds. `item_end`: what ends each of
/// several items in one content.
///
/// # Errors
/// The file cannot be read, or `give` failed.
pub fn each(
    (file, index): (&File, &JournalIndex),
    kinds: &[ContentKind],
    item_end: u8,
    wanted: impl Fn(ItemStage) -> bool,
    mut give: impl FnMut(&RecordedItem<'_>) -> io::Result<()>,
) -> Result<(), RecordedItemsError> {
    let mut places: Option<ItemPlaces> = None;
    let mut outcomes = JournalFileReader::with_window(file, READ_BYTES)?;
    let mut texts = ContentReader::new(file, item_end)?;
    let mut outputs = ContentReader::new(file, b'\n')?;
    let mut errors = ContentReader::new(file, b'\n')?;
    let stretches = index.books.from(ItemId(0)).filter(|(_, _, state)| wanted(state.stage));
    for (item, state) in stretches.flat_map(|(first, end, state)| (first.0..end.0).map(move |item| (item, state))) {
        if places.as_ref().is_none_or(|places| !places.holds(item)) {
            // The memory of the old window first.
            drop(places.take());
        }
        let places = match &mut places {
            Some(places) => places,
            none => none.insert(index.places(file, item)?),
        };
        let place = |kind| places.content(item, kind).filter(|_| kinds.contains(&kind));
        let output_bytes = match places.content(item, ContentKind::Output) {
            Some(output) if output.count == 1 => output.bytes,
            Some(output) => outputs.read(output, item)?.len() as u64 + 1,
            None => 0,
        };
        let settled_offset = places.settled(item).filter(|_| state.stage.is_settled());
        let settled = match settled_offset {
            None => None,
            Some(offset) => {
                outcomes.go_to(offset);
                match outcomes.next_record()? {
                    Some((_, JournalRecord::Settled(settled))) => Some(settled),
                    _ => return Err(changed().into()),
                }
            }
        };
        give(&RecordedItem {
            item: ItemId(item),
            state,
            settled,
            session_start_unix_ns: settled_offset.map_or(0, |offset| index.session_start_unix_ns(offset)),
            text: place(ContentKind::Item).map(|place| texts.read(place, item)).transpose()?,
            output: place(ContentKind::Output).map(|place| outputs.read(place, item)).transpose()?,
            errors: place(ContentKind::Errors).map(|place| errors.read(place, item)).transpose()?,
            output_bytes,
        })
        .map_err(RecordedItemsError::Given)?;
    }
    Ok(())
}

/// Another process has written over what was read.
fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it was changed meanwhile")
}

/// Reads the contents of one kind. Those of items that share a content are found one after the other.
struct ContentReader<'a> {
    reader: JournalFileReader<&'a File>,
    /// Ends each of several items.
    item_end: u8,
    /// The first piece of the content that is in memory.
    held: Option<u64>,
    bytes: Vec<u8>,
    /// An item of it, and where it begins.
    next: (u64, usize),
}

impl<'a> ContentReader<'a> {
    fn new(file: &'a File, item_end: u8) -> Result<Self, JournalReadError> {
        let reader = JournalFileReader::with_window(file, READ_BYTES)?;
        Ok(Self { reader, item_end, held: None, bytes: Vec::new(), next: (0, 0) })
    }

    /// The bytes of one item, without what ends it among several.
    fn read(&mut self, places: &ContentPlaces, item: u64) -> io::Result<&[u8]> {
        if self.held != places.pieces.first().copied() {
            self.load(places)?;
        }
        if places.count == 1 {
            return Ok(&self.bytes);
        }
        if item < self.next.0 {
            self.next = (places.first, 0);
        }
        loop {
            let (at, start) = self.next;
            let rest = self.bytes.get(start..).unwrap_or_default();
            let length = memchr::memchr(self.item_end, rest);
            if at == item {
                return Ok(&self.bytes[start.min(self.bytes.len())..][..length.unwrap_or(rest.len())]);
            }
            self.next = match length {
                Some(length) => (at + 1, start + length + 1),
                // It has fewer lines than items.
                None => (item, self.bytes.len()),
            };
        }
    }

    fn load(&mut self, places: &ContentPlaces) -> io::Result<()> {
        self.held = None;
        self.bytes.clear();
        for offset in &places.pieces {
            self.reader.go_to(*offset);
            match self.reader.next_record()? {
                Some((_, JournalRecord::Content(piece))) => self.bytes.extend_from_slice(&piece.bytes),
                _ => return Err(changed()),
            }
        }
        self.held = places.pieces.first().copied();
        self.next = (places.first, 0);
        Ok(())
    }
}
