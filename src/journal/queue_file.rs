//! The queue of a journal: items that other processes add for the run that keeps its journal open, and what they ask of
//! items. It is a file of the same format beside the journal, of contents of items and of [`JournalRecord::Asked`].
//!
//! Invariant: what was added is there whole, and safe from the end of the machine, before the process that adds it goes on;
//! what cannot be made safe is taken back. Items are counted from 0, and no number is given twice.

use super::books::ItemStage;
use super::file_reader::{JournalFileReader, JournalReadError};
use super::layout::HEAD_BYTES;
use super::reader::{HeadError, JournalEnd};
use super::record::{ContentKind, ItemRequest, JournalMark, JournalRecord, RunFact};
use super::writer::{ContentPlace, JournalWriter};
use crate::model::ids::ItemId;
use crate::model::outcome::ExitClass;
use crate::model::spec::ITEM_BYTES_MAX;
use crate::sys::durable_file::{self, DurableFile, DurableFileError};
use crate::sys::random;
use crate::sys::record_lock;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Behind the name of the journal.
const SUFFIX: &str = ".queue";

/// Its only fact.
const FACT: &str = "queue";

/// Stands behind each item of an entry of several. An item that holds it is an entry of its own.
pub const DELIMITER: u8 = b'\n';

/// Items go together into an entry up to this size.
const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// How much of the end of the file is read to find its last entry. Many times what an entry takes, or a piece of a large
/// item.
const TAIL_BYTES: u64 = 1 << 20;

/// Why a queue is not taken. The texts complete "the file ...".
#[derive(Debug, thiserror::Error)]
pub enum QueueFileError {
    #[error("is refused: {0}")]
    File(#[from] DurableFileError),
    #[error(transparent)]
    Read(#[from] JournalReadError),
    #[error("is no queue of a journal")]
    Foreign,
    #[error("is damaged at byte {at}")]
    Damaged { at: u64 },
    #[error("cannot be written: {0}")]
    Write(io::Error),
    #[error("takes no item of {bytes} bytes, which is more than {ITEM_BYTES_MAX}")]
    LongItem { bytes: usize },
}

impl From<io::Error> for QueueFileError {
    fn from(error: io::Error) -> Self {
        Self::Read(error.into())
    }
}

impl QueueFileError {
    /// What the program exits with.
    #[must_use]
    pub const fn class(&self) -> ExitClass {
        match self {
            Self::Write(_) => ExitClass::Storage,
            Self::LongItem { .. } => ExitClass::Usage,
            _ => ExitClass::Refused,
        }
    }
}

/// Whether something is in the file: the process that made it may have ended before it had written its head.
#[must_use]
pub fn is_begun(file: &File) -> bool {
    let is_short = file.metadata().is_ok_and(|metadata| metadata.len() < HEAD_BYTES as u64);
    !is_short || !is_cut_head(file)
}

fn is_cut_head(file: &File) -> bool {
    let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
    is_empty || matches!(JournalFileReader::new(file), Err(JournalReadError::Head(HeadError::Damaged)))
}

/// Whether a file is a queue, and no journal.
#[must_use]
pub fn is_queue(file: &File) -> bool {
    let Ok(mut records) = JournalFileReader::new(file) else { return false };
    matches!(records.next_record(), Ok(Some((_, first))) if opens_queue(&first))
}

fn opens_queue(first: &JournalRecord<'_>) -> bool {
    matches!(first, JournalRecord::Opened { facts, .. } if facts.iter().any(|fact| fact.name == FACT))
}

/// Where the queue of a journal lies.
#[must_use]
pub fn path_of(journal: &Path) -> PathBuf {
    let mut name = OsString::from(journal);
    name.push(SUFFIX);
    name.into()
}

/// Adds to a queue, as the only process that does.
#[derive(Debug)]
pub struct QueueWriter {
    writer: JournalWriter,
    path: PathBuf,
    is_new: bool,
    /// Cuts off again what cannot be finished.
    undo: Option<(File, u64)>,
    /// The number of the next item.
    next: ItemId,
    /// Items that go into the next entry.
    open: Vec<u8>,
    open_items: u32,
}

impl QueueWriter {
    /// Opens the queue, or makes one. Waits while another process adds to it.
    ///
    /// # Errors
    /// The file is refused, or is damaged; it stays as it is.
    pub fn open(path: &Path) -> Result<Self, QueueFileError> {
        let mut file = DurableFile::open_in_turn(path)?;
        let is_new = !is_begun(file.file());
        let (mark, next) = if is_new {
            file.cut(0).map_err(QueueFileError::Write)?;
            (JournalMark(u64::from_le_bytes(random::bytes()?)), ItemId(0))
        } else {
            let mut reader = QueueReader::new(file.file().try_clone()?)?;
            let next = reader.go_to_end()?;
            // The rest of an entry whose process did not come to its end: nobody was told that it is there.
            if file.end() > reader.offset() {
                file.cut(reader.offset()).map_err(QueueFileError::Write)?;
            }
            (reader.records.head().mark, next)
        };
        let undo = Some((file.file().try_clone()?, file.end()));
        let mut writer = JournalWriter::new(file, path, mark, true);
        if is_new {
            let facts = vec![RunFact { name: FACT.into(), value: b"".as_slice().into() }];
            writer.record(&JournalRecord::Opened { run_id: "".into(), facts });
        }
        Ok(Self { writer, path: path.to_owned(), is_new, undo, next, open: Vec::new(), open_items: 0 })
    }

    /// The number of the next item, which is how many there are.
    #[must_use]
    pub const fn next_item(&self) -> ItemId {
        self.next
    }

    /// Adds an item. It is there when [`QueueWriter::finish`] returns.
    ///
    /// # Errors
    /// It is too long; it was not added.
    pub fn add(&mut self, item: &[u8]) -> Result<(), QueueFileError> {
        if item.len() > ITEM_BYTES_MAX {
            return Err(QueueFileError::LongItem { bytes: item.len() });
        }
        let is_alone = item.len() >= ENTRY_BYTES_MAX || item.contains(&DELIMITER);
        if is_alone || self.open.len() + item.len() >= ENTRY_BYTES_MAX {
            self.close_entry();
        }
        if is_alone {
            let place = ContentPlace { first: self.next, count: 1, kind: ContentKind::Item, at: 0 };
            self.writer.content(place, item, true);
            self.next = self.next.plus(1);
        } else {
            self.open.extend_from_slice(item);
            self.open.push(DELIMITER);
            self.open_items += 1;
        }
        Ok(())
    }

    /// Asks something of an item.
    pub fn ask(&mut self, item: ItemId, request: ItemRequest) {
        self.close_entry();
        self.writer.record(&JournalRecord::Asked { item, request });
    }

    /// Makes what was added safe. Returns how many items there are.
    ///
    /// # Errors
    /// It is not safe, and was taken back.
    pub fn finish(mut self) -> Result<ItemId, QueueFileError> {
        self.close_entry();
        self.writer.flush().map_err(QueueFileError::Write)?;
        self.writer.close();
        if self.is_new {
            durable_file::sync_folder_of(&self.path).map_err(QueueFileError::Write)?;
        }
        self.undo = None;
        Ok(self.next)
    }

    fn close_entry(&mut self) {
        if self.open_items == 0 {
            return;
        }
        // Of one, the item without a delimiter.
        let bytes = self.open.len() - usize::from(self.open_items == 1);
        let place = ContentPlace { first: self.next, count: self.open_items, kind: ContentKind::Item, at: 0 };
        self.writer.content(place, &self.open[..bytes], true);
        self.next = self.next.plus(u64::from(self.open_items));
        self.open.clear();
        self.open_items = 0;
    }
}

impl Drop for QueueWriter {
    /// The queue is as it was if it was not finished. Nobody else adds to it yet. Only while a run has the journal, what was
    /// written stays: the run may have taken it, and a number that is given twice would be two items.
    fn drop(&mut self) {
        if let Some((file, end)) = self.undo.take().filter(|_| !is_taken(&self.path)) {
            // Of what stays all the same, nobody was told that it is there.
            let _ = file.set_len(end);
        }
    }
}

/// Whether a run has the journal of a queue. One that begins waits for the lock of the queue first.
fn is_taken(queue: &Path) -> bool {
    let name = queue.as_os_str().as_bytes();
    let journal = name.strip_suffix(SUFFIX.as_bytes()).map(|name| File::open(OsStr::from_bytes(name)));
    matches!(journal, Some(Ok(journal)) if record_lock::is_locked(&journal).unwrap_or(true))
}

/// What is in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueEntry {
    /// Of several, each item has a [`DELIMITER`] behind it; `count` is at least 1.
    Items { first: ItemId, count: u32, bytes: Vec<u8> },
    /// Something is asked of an item; the entry ends before this offset.
    Asked { item: ItemId, request: ItemRequest, end: u64 },
}

/// The last request for each item.
#[derive(Clone, Debug, Default)]
pub struct QueueRequests {
    /// With where its entry ends.
    by_item: BTreeMap<ItemId, (ItemRequest, u64)>,
    /// Behind the last entry that was read.
    end: u64,
}

impl QueueRequests {
    /// Reads all of a queue.
    ///
    /// # Errors
    /// As of [`QueueReader::next_entry`].
    pub fn read(file: impl Borrow<File>) -> Result<Self, QueueFileError> {
        let (mut reader, mut by_item) = (QueueReader::new(file)?, BTreeMap::new());
        while let Some(entry) = reader.next_entry()? {
            if let QueueEntry::Asked { item, request, end } = entry {
                by_item.insert(item, (request, end));
            }
        }
        Ok(Self { by_item, end: reader.offset() })
    }

    /// Behind the last entry that was read.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// What is asked of an item that stands there, and was not carried out. `heeded_until`: what is asked before this offset
    /// was. To give an item up is carried out once it has its outcome.
    pub fn open(
        &self,
        heeded_until: u64,
        stage: impl Fn(ItemId) -> ItemStage,
    ) -> impl Iterator<Item = (ItemId, ItemRequest)> {
        self.by_item.iter().filter_map(move |(item, (request, end))| {
            let stage = stage(*item);
            let is_open = match request {
                ItemRequest::GiveUp => !stage.is_settled(),
                ItemRequest::Again => {
                    *end > heeded_until && matches!(stage, ItemStage::Failed | ItemStage::Dead | ItemStage::Skipped)
                }
            };
            is_open.then_some((*item, *request))
        })
    }
}

/// The items of an entry.
pub fn items_of(count: u32, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (one, several) = match bytes.strip_suffix(&[DELIMITER]) {
        Some(several) if count > 1 => (None, Some(several)),
        _ => (Some(bytes), None),
    };
    one.into_iter().chain(several.into_iter().flat_map(|items| items.split(|byte| *byte == DELIMITER)))
}

/// Reads a queue, also one that is added to meanwhile.
#[derive(Debug)]
pub struct QueueReader<F> {
    records: JournalFileReader<F>,
    /// The number of the next item; `None`: that of the next entry, whatever it is.
    next: Option<ItemId>,
    /// The pieces of a large item that have come.
    large: Vec<u8>,
}

impl<F: Borrow<File>> QueueReader<F> {
    /// # Errors
    /// The file is no queue, or cannot be read.
    pub fn new(file: F) -> Result<Self, QueueFileError> {
        let mut records = JournalFileReader::new(file)?;
        let is_queue = match records.next_record()? {
            Some((_, first)) => opens_queue(&first),
            // Its process ended before it had written that.
            None => true,
        };
        if !is_queue {
            return Err(QueueFileError::Foreign);
        }
        Ok(Self { records, next: Some(ItemId(0)), large: Vec::new() })
    }

    /// Of the next entry.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.records.offset()
    }

    /// Goes to the entry at this offset, or stays at the first one.
    pub fn go_to(&mut self, offset: u64) {
        if offset > self.offset() {
            self.records.go_to(offset);
            self.next = None;
        }
    }

    /// The next entry; `None`: there is none yet.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn next_entry(&mut self) -> Result<Option<QueueEntry>, QueueFileError> {
        loop {
            let begins_at = self.records.offset();
            let Some((_, record)) = self.records.next_record()? else { break };
            let piece = match record {
                JournalRecord::Asked { item, request } => {
                    return Ok(Some(QueueEntry::Asked { item, request, end: self.records.offset() }));
                }
                JournalRecord::Content(piece) => piece,
                _ => continue,
            };
            let next = *self.next.get_or_insert(piece.first);
            if piece.at == 0 {
                // The process that added an item before had not come to its end.
                self.large.clear();
            }
            let bytes = self.large.len() + piece.bytes.len();
            if piece.first != next || piece.at != self.large.len() as u64 || bytes > ITEM_BYTES_MAX + ENTRY_BYTES_MAX {
                return Err(QueueFileError::Damaged { at: begins_at });
            }
            self.large.extend_from_slice(&piece.bytes);
            if piece.is_last {
                let (first, count) = (piece.first, piece.count);
                let bytes = std::mem::take(&mut self.large);
                if count > 1 && memchr::memchr_iter(DELIMITER, &bytes).count() != count as usize {
                    return Err(QueueFileError::Damaged { at: begins_at });
                }
                self.next = Some(first.plus(u64::from(count)));
                return Ok(Some(QueueEntry::Items { first, count, bytes }));
            }
        }
        match self.records.end()? {
            JournalEnd::Damaged { at, .. } => Err(QueueFileError::Damaged { at }),
            JournalEnd::Whole | JournalEnd::Torn { .. } => Ok(None),
        }
    }

    /// Sees also what was added since the file was opened.
    ///
    /// # Errors
    /// The file cannot be asked.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.records.refresh()
    }

    /// Goes behind the last entry. Returns how many items there are.
    ///
    /// # Errors
    /// As of [`QueueReader::next_entry`].
    pub fn go_to_end(&mut self) -> Result<ItemId, QueueFileError> {
        let start = self.offset();
        let tail = self.records.file_bytes().saturating_sub(TAIL_BYTES);
        if tail > start && self.records.go_to_record_from(tail)? {
            self.next = None;
            if let Some(items) = self.read_to_end()? {
                return Ok(items);
            }
            self.records.go_to(start);
            self.next = Some(ItemId(0));
        }
        Ok(self.read_to_end()?.unwrap_or(ItemId(0)))
    }

    /// Returns how many items there are, if that is known of the entries that were left.
    fn read_to_end(&mut self) -> Result<Option<ItemId>, QueueFileError> {
        self.skip_pieces()?;
        while self.next_entry()?.is_some() {}
        Ok(self.next)
    }

    /// Of a large item the first pieces may lie before the tail.
    fn skip_pieces(&mut self) -> Result<(), QueueFileError> {
        while self.next.is_none() {
            let begins_at = self.records.offset();
            match self.records.next_record()? {
                Some((_, JournalRecord::Content(piece))) if piece.at == 0 => self.records.go_to(begins_at),
                Some((_, JournalRecord::Content(piece))) if piece.is_last => {
                    self.next = Some(piece.first.plus(u64::from(piece.count)));
                    continue;
                }
                Some(_) => continue,
                None => return Ok(()),
            }
            return Ok(());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{FileExt, PermissionsExt};

    fn added(path: &Path, items: &[&[u8]]) -> u64 {
        let mut queue = QueueWriter::open(path).unwrap();
        items.iter().for_each(|item| queue.add(item).unwrap());
        queue.finish().unwrap().0
    }

    fn entries<F: Borrow<File>>(reader: &mut QueueReader<F>) -> Vec<(u64, Vec<u8>)> {
        let mut found = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            match entry {
                QueueEntry::Items { first, count: 1, bytes } => found.push((first.0, bytes)),
                QueueEntry::Items { first, count, bytes } => {
                    let lines = bytes.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
                    let before = found.len();
                    found.extend((first.0..).zip(lines.map(<[u8]>::to_vec)));
                    assert_eq!(found.len() - before, count as usize);
                }
                QueueEntry::Asked { item, request, .. } => found.push((item.0, format!("{request:?}").into_bytes())),
            }
        }
        found
    }

    #[test]
    fn items_of_any_bytes_come_in_the_order_in_which_they_were_added() {
        let place = tempfile::tempdir().unwrap();
        let path = path_of(&place.path().join("journal"));
        let large = vec![b'x'; 3 << 20];
        assert_eq!(added(&path, &[b"a", b"", b"two\nlines", b"b"]), 4);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let mut reader = QueueReader::new(File::open(&path).unwrap()).unwrap();
        let first: [&[u8]; 4] = [b"a", b"", b"two\nlines", b"b"];
        assert_eq!(entries(&mut reader), (0..).zip(first.map(<[u8]>::to_vec)).collect::<Vec<_>>());
        assert_eq!(added(&path, &[&large, b"c"]), 6);
        assert_eq!(entries(&mut reader), [], "it is looked at again only when it is told to");
        reader.refresh().unwrap();
        assert_eq!(entries(&mut reader), [(4, large), (5, b"c".to_vec())]);
        let mut queue = QueueWriter::open(&path).unwrap();
        assert!(matches!(queue.add(&vec![0; ITEM_BYTES_MAX + 1]), Err(QueueFileError::LongItem { .. })));
        queue.ask(ItemId(2), ItemRequest::GiveUp);
        assert_eq!(queue.finish().unwrap(), ItemId(6));
        reader.refresh().unwrap();
        assert_eq!(entries(&mut reader), [(2, b"GiveUp".to_vec())]);
    }

    #[test]
    fn the_number_of_items_is_found_at_the_end_of_a_large_queue() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("queue");
        let line = [b'y'; 1000];
        assert_eq!(added(&path, &vec![&line[..]; 3000]), 3000);
        assert_eq!(added(&path, &[b"last"]), 3001);
        // The last pieces of a large item fill the end.
        assert_eq!(added(&path, &[&vec![b'z'; 5 << 20]]), 3002);
        assert_eq!(added(&path, &[]), 3002);
        let mut queue = QueueWriter::open(&path).unwrap();
        (0..40_000).for_each(|item| queue.ask(ItemId(item), ItemRequest::Again));
        queue.finish().unwrap();
        assert_eq!(QueueWriter::open(&path).unwrap().next_item(), ItemId(3002), "no item is at the end");
    }

    #[test]
    fn the_rest_of_an_entry_that_was_cut_off_is_no_entry_and_is_written_over() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("queue");
        added(&path, &[b"a", b"b"]);
        let whole = std::fs::read(&path).unwrap();
        added(&path, &[b"never told of"]);
        let longer = std::fs::read(&path).unwrap();
        for end in whole.len()..longer.len() {
            std::fs::write(&path, &longer[..end]).unwrap();
            let mut reader = QueueReader::new(File::open(&path).unwrap()).unwrap();
            assert_eq!(entries(&mut reader).len(), 2, "{end}");
            assert_eq!(added(&path, &[b"c"]), 3, "{end}");
            reader.refresh().unwrap();
            assert_eq!(entries(&mut reader), [(2, b"c".to_vec())], "{end}");
        }
        // Of a large item, its last piece.
        std::fs::write(&path, &whole).unwrap();
        added(&path, &[&vec![b'x'; 1 << 20]]);
        let last = path.metadata().unwrap().len() - 1;
        File::options().write(true).open(&path).unwrap().set_len(last).unwrap();
        let mut reader = QueueReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(entries(&mut reader).len(), 2);
        assert_eq!(added(&path, &[b"c"]), 3);
        reader.refresh().unwrap();
        assert_eq!(entries(&mut reader), [(2, b"c".to_vec())]);
        for end in 0..HEAD_BYTES {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert_eq!(added(&path, &[b"c"]), 1, "{end}");
        }
    }

    #[test]
    fn what_is_no_queue_or_is_damaged_stays_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("queue");
        std::fs::write(&path, "something else").unwrap();
        assert!(matches!(
            QueueWriter::open(&path),
            Err(QueueFileError::Read(JournalReadError::Head(HeadError::Foreign)))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"something else");
        std::fs::remove_file(&path).unwrap();
        added(&path, &[b"a"]);
        let at = path.metadata().unwrap().len();
        added(&path, &[b"b"]);
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"?", at - 1).unwrap();
        assert!(matches!(QueueWriter::open(&path), Err(QueueFileError::Damaged { .. })));
        // A journal.
        let journal = place.path().join("journal");
        let (bytes, _) = super::super::reader::tests::journal(&super::super::reader::tests::records());
        File::create(&journal).unwrap().write_all(&bytes).unwrap();
        assert!(matches!(QueueWriter::open(&journal), Err(QueueFileError::Foreign)));
    }
}
