//! Appends records to a journal: gathered in memory, and written at the barrier of each turn of the loop.
//!
//! Invariant: the file holds whole records in the order in which they were appended, and at its end perhaps a part of one.

use super::layout;
use super::record::{ContentKind, ContentPiece, JournalHead, JournalMark, JournalRecord};
use crate::model::ids::ItemId;
use crate::mutant::mutant;
use crate::sys::durable_file::AppendedFile;
use std::io;
use std::path::{Path, PathBuf};

/// So many bytes are written at once, ahead of the barrier: those of a large result.
const GATHERED_BYTES_MAX: usize = 1 << 20;

/// A larger content is several pieces.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;

/// Whose content a piece is, and where it lies in that.
#[derive(Clone, Copy, Debug)]
pub struct ContentPlace {
    pub first: ItemId,
    pub count: u32,
    pub kind: ContentKind,
    pub at: u64,
}

/// A journal that is appended to.
#[derive(Debug)]
pub struct JournalWriter {
    file: Box<dyn AppendedFile>,
    path: PathBuf,
    mark: JournalMark,
    /// Records that are not written.
    gathered: Vec<u8>,
    /// What was written is synced before the barrier is passed.
    syncs: bool,
    /// Something was written since the last sync.
    is_unsynced: bool,
    /// The first failure, until it is reported.
    failure: Option<io::Error>,
}

impl JournalWriter {
    /// Of a file that holds nothing, or a journal with this mark.
    #[must_use]
    pub fn new(file: impl AppendedFile + 'static, path: &Path, mark: JournalMark, syncs: bool) -> Self {
        let gathered = if file.end() == 0 { layout::head(JournalHead { mark }).to_vec() } else { Vec::new() };
        // What an earlier session has written may not have been synced.
        let is_unsynced = syncs;
        Self { file: Box::new(file), path: path.to_owned(), mark, gathered, syncs, is_unsynced, failure: None }
    }

    /// Of the next record.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.file.end() + self.gathered.len() as u64
    }

    /// Whether something waits for [`JournalWriter::flush`].
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        !self.gathered.is_empty() || self.is_unsynced || self.failure.is_some()
    }

    /// Begins a session with these records: what an earlier one has written is made safe first, and said to be.
    pub fn begin(&mut self, records: &[JournalRecord<'_>]) {
        let end = self.file.end();
        if self.syncs && end > 0 {
            self.failure = self.file.sync().err();
        }
        records.iter().for_each(|record| self.append(record));
        if self.syncs {
            self.append(&JournalRecord::Safe { until: end });
        }
    }

    /// Appends a record.
    pub fn record(&mut self, record: &JournalRecord<'_>) {
        let until = self.offset();
        if self.syncs && self.gathered.is_empty() && !self.is_unsynced {
            self.append(&JournalRecord::Safe { until });
        }
        self.append(record);
    }

    fn append(&mut self, record: &JournalRecord<'_>) {
        let offset = self.offset();
        if let Err(error) = layout::append(&mut self.gathered, self.mark, offset, record) {
            self.failure.get_or_insert_with(|| io::Error::other(error));
        }
        if self.gathered.len() > GATHERED_BYTES_MAX {
            self.write();
        }
    }

    /// Appends a part of a content in pieces; `is_last`: its end.
    pub fn content(&mut self, place: ContentPlace, bytes: &[u8], is_last: bool) {
        let ContentPlace { first, count, kind, mut at } = place;
        let mut pieces = bytes.chunks(PIECE_BYTES_MAX).peekable();
        if pieces.peek().is_none() && is_last {
            let bytes = b"".as_slice().into();
            self.record(&JournalRecord::Content(ContentPiece { first, count, kind, at, is_last, bytes }));
        }
        while let Some(piece) = pieces.next() {
            let is_last = is_last && pieces.peek().is_none();
            let bytes = piece.into();
            self.record(&JournalRecord::Content(ContentPiece { first, count, kind, at, is_last, bytes }));
            at += piece.len() as u64;
        }
    }

    /// Something that has to be recorded could not be had: nothing more is written.
    pub fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }

    /// The barrier: when it returns, everything that was appended survives the end of every process, and with `syncs` that of
    /// the machine.
    ///
    /// # Errors
    /// It does not; the text names the file. Nothing more can be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write();
        if self.syncs && self.is_unsynced && self.failure.is_none() {
            let synced = mutant!(SyncSkipped, self.file.sync(), Ok(()));
            self.failure = synced.err();
            self.is_unsynced = false;
        }
        match self.failure.take() {
            None => Ok(()),
            Some(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))),
        }
    }

    /// Frees the space that is reserved and not used: nothing follows.
    pub fn close(&mut self) {
        self.file.give_back_space();
    }

    fn write(&mut self) {
        if !self.gathered.is_empty() && self.failure.is_none() {
            self.failure = self.file.append(&self.gathered).err();
            self.is_unsynced = self.syncs;
        }
        self.gathered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::file_reader::JournalFileReader;
    use super::super::reader::JournalEnd;
    use super::super::reader::tests::{MARK, records};
    use super::*;
    use crate::sys::durable_file::reopened;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    fn writer(path: &Path) -> JournalWriter {
        JournalWriter::new(reopened(path), path, MARK, true)
    }

    #[test]
    fn what_was_appended_is_read_back_also_by_a_second_writer() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let (records, mut first) = (records(), writer(&path));
        assert!(first.is_behind());
        records[..3].iter().for_each(|record| first.record(record));
        first.flush().unwrap();
        assert!(!first.is_behind());
        first.close();
        drop(first);
        let mut second = writer(&path);
        records[3..].iter().for_each(|record| second.record(record));
        let large = vec![7; PIECE_BYTES_MAX * 5 + 1];
        let place = ContentPlace { first: ItemId(1), count: 1, kind: ContentKind::Output, at: 0 };
        second.content(place, &large, true);
        second.content(place, b"", true);
        let offset = second.offset();
        assert!(second.file.end() > 0 && second.file.end() < offset, "a large content is written ahead");
        second.flush().unwrap();
        let mut reader = JournalFileReader::new(File::open(&path).unwrap()).unwrap();
        for expected in &records {
            assert_eq!(reader.next_record().unwrap().unwrap().1, *expected);
        }
        let mut content = Vec::new();
        while let Some((_, JournalRecord::Content(piece))) = reader.next_record().unwrap() {
            assert_eq!(piece.at, if piece.bytes.is_empty() { 0 } else { content.len() as u64 });
            content.extend_from_slice(&piece.bytes);
            assert_eq!(piece.is_last, content.len() == large.len());
        }
        assert!(content == large && reader.offset() == offset && reader.end().unwrap() == JournalEnd::Whole);
    }

    #[test]
    fn a_failure_is_told_at_the_barrier_with_the_name_of_the_file_and_nothing_follows() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal");
        let mut writer = writer(&path);
        writer.flush().unwrap();
        let facts = vec![super::super::record::RunFact { name: "x".into(), value: vec![1; 5 << 20].into() }];
        writer.record(&JournalRecord::Opened { run_id: "r".into(), facts });
        let error = writer.flush().unwrap_err().to_string();
        assert!(error.contains("journal: a record of ") && error.contains("longer than"), "{error}");
        let mut byte = [0];
        assert_eq!(File::open(&path).unwrap().read_at(&mut byte, 22).unwrap(), 0);
    }
}
