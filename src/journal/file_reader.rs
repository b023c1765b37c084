//! The records of a journal that lies in a file, one after the other, in memory that does not grow with the file.
//!
//! Invariant: reads what the file held when it was opened; another process may append to it meanwhile.

use super::layout::{self, FoundHead, HEAD_BYTES};
use super::reader::{HeadError, JournalEnd, Search, record_at};
use super::record::{JournalHead, JournalRecord};
use crate::wire::record;
use std::borrow::Borrow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Read at once. A record is longer only if it holds much of a result.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// The longest record.
pub(super) const RECORD_BYTES_MAX: usize = record::HEAD_BYTES + record::PAYLOAD_BYTES_MAX;

/// Why a file cannot be read as a journal. The texts complete "the file ...".
#[derive(Debug, thiserror::Error)]
pub enum JournalReadError {
    #[error("{0}")]
    Head(#[from] HeadError),
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Whether the session that the records are of syncs what it appends, after this one.
pub(super) const fn note_sync(is_synced: &mut bool, record: &JournalRecord<'_>) {
    match record {
        JournalRecord::Session { .. } => *is_synced = false,
        JournalRecord::Safe { .. } => *is_synced = true,
        _ => {}
    }
}

/// What records say of a place before them.
#[derive(Clone, Copy, Debug, Default)]
struct SaidBehind {
    /// It was synced.
    was_safe: bool,
    /// It was written with them, before the next sync.
    was_unsafe: bool,
    /// A session began behind it, which goes on with whole records alone, and that was not at the same time.
    was_read: bool,
}

/// The records of a file.
#[derive(Debug)]
pub struct JournalFileReader<F> {
    file: F,
    head: JournalHead,
    /// Bytes of the file when it was opened.
    file_bytes: u64,
    /// Of the next record.
    offset: u64,
    /// A part of the file, and the offset of its start.
    window: Vec<u8>,
    window_offset: u64,
    /// Read at once, unless a record is longer.
    read_bytes: usize,
    /// The session that the records are of syncs what it appends.
    is_synced: bool,
}

impl<F: Borrow<File>> JournalFileReader<F> {
    /// # Errors
    /// The file is no journal, or cannot be read.
    pub fn new(file: F) -> Result<Self, JournalReadError> {
        Self::with_window(file, READ_BYTES)
    }

    /// That reads so many bytes at once, unless a record is longer.
    pub(super) fn with_window(file: F, read_bytes: usize) -> Result<Self, JournalReadError> {
        let file_bytes = file.borrow().metadata()?.len();
        let mut reader = Self {
            file,
            head: JournalHead { mark: super::record::JournalMark(0) },
            file_bytes,
            offset: HEAD_BYTES as u64,
            window: Vec::new(),
            window_offset: 0,
            read_bytes,
            is_synced: false,
        };
        let found = layout::find_head(reader.bytes_at(0, HEAD_BYTES)?);
        match found {
            FoundHead::Journal(head) => Ok(Self { head, ..reader }),
            FoundHead::Version(version) => Err(HeadError::Version(version).into()),
            FoundHead::Damaged => Err(HeadError::Damaged.into()),
            FoundHead::Foreign if file_bytes == 0 => Err(HeadError::Empty.into()),
            FoundHead::Foreign => Err(HeadError::Foreign.into()),
        }
    }

    #[must_use]
    pub const fn head(&self) -> JournalHead {
        self.head
    }

    /// Of the next record.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the file when it was opened.
    #[must_use]
    pub const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Goes on at an offset at which a record begins.
    pub fn go_to(&mut self, offset: u64) {
        self.offset = offset.min(self.file_bytes);
    }

    /// The records before this offset were read by another reader. `is_synced`: see [`AheadEnd`](super::read_ahead::AheadEnd).
    pub(super) fn go_on_from(&mut self, offset: u64, is_synced: bool) {
        self.go_to(offset);
        self.is_synced = is_synced;
    }

    /// Another process may have appended: reads on to the end that the file has now.
    ///
    /// # Errors
    /// The file cannot be asked.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.file_bytes = self.file.borrow().metadata()?.len();
        // What was no whole record may be another one now.
        self.window.clear();
        self.window_offset = self.offset;
        Ok(())
    }

    /// Goes on at the first whole record from an offset on, if there is one. Returns whether there is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn go_to_record_from(&mut self, offset: u64) -> io::Result<bool> {
        let found = self.record_from(offset)?;
        self.offset = found.unwrap_or(self.offset);
        Ok(found.is_some())
    }

    /// The next whole record, with its offset. After `None`, [`JournalFileReader::end`] says why.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_record(&mut self) -> io::Result<Option<(u64, JournalRecord<'_>)>> {
        let (offset, mark) = (self.offset, self.head.mark);
        // As many bytes as the length of the record asks for, which is not trusted.
        let mut bytes_min = record::HEAD_BYTES;
        loop {
            let bytes = self.bytes_at(offset, bytes_min)?;
            let claimed = bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
            let wanted = record::HEAD_BYTES.saturating_add(claimed);
            if wanted > RECORD_BYTES_MAX || bytes.len() < bytes_min {
                return Ok(None);
            }
            if wanted <= bytes_min {
                break;
            }
            bytes_min = wanted;
        }
        let start = (offset - self.window_offset) as usize;
        let Ok(Some((found, bytes))) = record_at(self.window.get(start..).unwrap_or_default(), offset, mark) else {
            return Ok(None);
        };
        note_sync(&mut self.is_synced, &found);
        self.offset += bytes as u64;
        Ok(Some((offset, found)))
    }

    /// How the journal ends, behind the last record that was given. When the machine ends, a disk may have written what was
    /// appended last in any order, and records may follow bytes that are none. In a session that syncs that is no
    /// damage, unless something says that these bytes were safe, or a later session has read them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn end(&mut self) -> io::Result<JournalEnd> {
        let end = self.end_by_records()?;
        let JournalEnd::Damaged { at, next } = end else { return Ok(end) };
        let behind = self.said_behind(at, next)?;
        let was_written_last = self.is_synced || behind.was_unsafe;
        if !was_written_last || behind.was_safe || behind.was_read {
            return Ok(end);
        }
        Ok(JournalEnd::Torn { at, bytes: self.file_bytes - at })
    }

    /// What the records from `next` on say of what lies at this offset.
    fn said_behind(&mut self, at: u64, next: u64) -> io::Result<SaidBehind> {
        let (offset, is_synced, mut from) = (self.offset, self.is_synced, Some(next));
        let mut said = SaidBehind::default();
        while let Some(next) = from.take().filter(|_| !said.was_safe) {
            self.offset = next;
            while let Some((_, record)) = self.next_record()? {
                match record {
                    JournalRecord::Safe { until } if until > at => said.was_safe = true,
                    JournalRecord::Safe { .. } => (said.was_unsafe, said.was_read) = (true, false),
                    JournalRecord::Session { .. } => said.was_read = true,
                    _ => {}
                }
            }
            if let JournalEnd::Damaged { next, .. } = self.end_by_records()? {
                from = Some(next);
            }
        }
        (self.offset, self.is_synced) = (offset, is_synced);
        Ok(said)
    }

    fn end_by_records(&mut self) -> io::Result<JournalEnd> {
        let at = self.offset;
        if at >= self.file_bytes {
            return Ok(JournalEnd::Whole);
        }
        Ok(match self.record_from(at + 1)? {
            Some(next) => JournalEnd::Damaged { at, next },
            None => JournalEnd::Torn { at, bytes: self.file_bytes - at },
        })
    }

    /// Where the first whole record from an offset on begins.
    fn record_from(&mut self, mut from: u64) -> io::Result<Option<u64>> {
        let mut search = Search::new(self.head.mark, self.file_bytes);
        while from < self.file_bytes {
            let bytes = self.bytes_at(from, self.read_bytes)?;
            let held = bytes.len();
            if let Some(claim) = search.next_claim(bytes, from) {
                if search.holds(self.bytes_at(claim, RECORD_BYTES_MAX)?, claim) {
                    return Ok(Some(claim));
                }
                from = claim + 1;
            } else if from + held as u64 >= self.file_bytes {
                break;
            } else {
                // What a head and a place take may lie across the end of the window.
                let overlap = record::HEAD_BYTES + layout::PLACE_BYTES;
                from += (held.saturating_sub(overlap)).max(1) as u64;
            }
        }
        Ok(None)
    }

    /// At least this many bytes from an offset on, or all that follow it.
    fn bytes_at(&mut self, offset: u64, bytes_min: usize) -> io::Result<&[u8]> {
        let window_end = self.window_offset + self.window.len() as u64;
        let wanted_end = self.file_bytes.min(offset.saturating_add(bytes_min as u64));
        if offset < self.window_offset || offset > window_end || wanted_end > window_end {
            self.read_window(offset, bytes_min)?;
        }
        let start = (offset - self.window_offset) as usize;
        Ok(self.window.get(start..).unwrap_or_default())
    }

    fn read_window(&mut self, offset: u64, bytes_min: usize) -> io::Result<()> {
        let left = usize::try_from(self.file_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let kept_from = offset.checked_sub(self.window_offset).map(|from| from as usize);
        match kept_from.filter(|from| *from <= self.window.len()) {
            Some(from) => drop(self.window.drain(..from)),
            None => self.window.clear(),
        }
        self.window_offset = offset;
        let held = self.window.len();
        self.window.resize(bytes_min.max(self.read_bytes).min(left), 0);
        let read = fill(self.file.borrow(), offset + held as u64, &mut self.window[held..]);
        let held = held + *read.as_ref().unwrap_or(&0);
        let is_shorter = held < self.window.len();
        self.window.truncate(held);
        read?;
        // It was made shorter meanwhile.
        if is_shorter {
            self.file_bytes = offset + held as u64;
        }
        Ok(())
    }
}

/// Reads what a file holds from an offset on, as much as fits. Returns how many bytes that are.
pub(super) fn fill(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut held = 0;
    while held < bytes.len() {
        match file.read_at(&mut bytes[held..], offset + held as u64) {
            Ok(0) => break,
            Ok(read) => held += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::super::reader::JournalReader;
    use super::super::reader::tests::{MARK, journal, records};
    use super::super::record::{ContentKind, ContentPiece};
    use super::*;
    use crate::model::ids::ItemId;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// What is found in a file is what is found in its bytes, in one window or in many.
    fn compare(bytes: &[u8], read_bytes: usize) {
        let file = file_of(bytes);
        let mut of_file = JournalFileReader::with_window(&file, read_bytes).unwrap();
        let mut of_bytes = JournalReader::new(bytes).unwrap();
        assert_eq!(of_file.head(), of_bytes.head());
        loop {
            for expected in of_bytes.by_ref() {
                assert_eq!(of_file.next_record().unwrap(), Some(expected));
            }
            assert_eq!(of_file.next_record().unwrap(), None);
            let end = of_bytes.end();
            assert_eq!((of_file.end().unwrap(), of_file.offset()), (end, of_bytes.offset()));
            let JournalEnd::Damaged { next, .. } = end else { return };
            of_bytes.go_to(next);
            of_file.go_to(next);
        }
    }

    #[test]
    fn a_file_is_read_as_its_bytes_are() {
        let (whole, starts) = journal(&records());
        for read_bytes in [40, 64, 333, READ_BYTES] {
            for cut in starts.iter().chain([&whole.len()]) {
                compare(&whole[..*cut], read_bytes);
                compare(&whole[..cut.saturating_sub(3).max(HEAD_BYTES)], read_bytes);
            }
            for at in (HEAD_BYTES..whole.len()).step_by(7) {
                let mut bytes = whole.clone();
                bytes[at] ^= 0x10;
                compare(&bytes, read_bytes);
                bytes.splice(at..at, [0xff; 700]);
                compare(&bytes, read_bytes);
            }
        }
    }

    /// A disk wrote what was appended last in another order.
    #[test]
    fn bytes_that_were_never_safe_are_torn_and_others_are_damaged() {
        let until = |until| JournalRecord::Safe { until };
        let session = JournalRecord::Session { started_unix_ns: 1, pid: 2 };
        let closed = |exit_code| JournalRecord::Closed { exit_code, all: false };
        let (_, starts) = journal(&[session.clone(), until(0), closed(1), closed(2), closed(3), until(0), closed(4)]);
        let marks = [starts[1] as u64, starts[5] as u64];
        let records = [session.clone(), until(marks[0]), closed(1), closed(2), closed(3), until(marks[1]), closed(4)];
        let (bytes, _) = journal(&records);
        let end = |bytes: &[u8]| {
            let file = file_of(bytes);
            let mut reader = JournalFileReader::with_window(&file, 64).unwrap();
            while reader.next_record().unwrap().is_some() {}
            (reader.end().unwrap(), reader.offset())
        };
        let hole = |at: usize, length: usize| {
            let mut bytes = bytes[..length].to_vec();
            bytes[at + 26] ^= 1;
            bytes
        };
        let (at, next) = (starts[3] as u64, starts[4] as u64);
        // All of it was appended behind the first mark, and no later one follows.
        let torn = JournalEnd::Torn { at, bytes: marks[1] - at };
        assert_eq!(end(&hole(starts[3], starts[5])), (torn, at));
        // The second mark says that it was safe.
        assert_eq!(end(&hole(starts[3], bytes.len())), (JournalEnd::Damaged { at, next }, at));
        let mut lost = hole(starts[5], bytes.len());
        let torn = JournalEnd::Torn { at: starts[5] as u64, bytes: (bytes.len() - starts[5]) as u64 };
        assert_eq!(end(&lost), (torn, starts[5] as u64));
        // The first turn of a session: its record is lost, and the mark behind it says since when nothing was synced.
        let first = |until: u64| journal(&[session.clone(), JournalRecord::Safe { until }, closed(1), closed(2)]);
        let (_, starts) = first(0);
        let (mut bytes, _) = first(starts[0] as u64);
        bytes[starts[0] + 26] ^= 1;
        let torn = JournalEnd::Torn { at: starts[0] as u64, bytes: (bytes.len() - starts[0]) as u64 };
        assert_eq!(end(&bytes), (torn, starts[0] as u64));
        // A session that goes on behind it has read it.
        let (read, starts) =
            journal(&[session.clone(), until(HEAD_BYTES as u64), closed(1), session.clone(), closed(2)]);
        lost = read;
        lost[starts[2] + 26] ^= 1;
        let damaged = JournalEnd::Damaged { at: starts[2] as u64, next: starts[3] as u64 };
        assert_eq!(end(&lost), (damaged, starts[2] as u64));
        // A session that does not sync tells nothing of that.
        let (plain, starts) = journal(&[session, closed(1), closed(2)]);
        lost = plain;
        lost[starts[1] + 26] ^= 1;
        let damaged = JournalEnd::Damaged { at: starts[1] as u64, next: starts[2] as u64 };
        assert_eq!(end(&lost), (damaged, starts[1] as u64));
    }

    #[test]
    fn the_longest_records_are_read_and_what_is_no_journal_is_told() {
        let bytes = vec![7; record::PAYLOAD_BYTES_MAX - 100];
        let (first, count, kind) = (ItemId(0), 1, ContentKind::Output);
        let long = ContentPiece { first, count, kind, at: 0, is_last: true, bytes: bytes.into() };
        let long = JournalRecord::Content(long);
        let (bytes, _) = journal(&[long.clone(), long.clone(), JournalRecord::Closed { exit_code: 0, all: true }]);
        compare(&bytes, READ_BYTES);
        compare(&bytes[..bytes.len() - 1], 1000);
        let error = |bytes: &[u8]| JournalFileReader::new(&file_of(bytes)).unwrap_err().to_string();
        assert_eq!(error(b""), "is empty");
        assert_eq!(error(b"hello, world, this is no journal"), "is no journal");
        assert!(error(&layout::head(JournalHead { mark: MARK })[..9]).contains("its head is damaged"));
        let folder = File::open("/").unwrap();
        assert!(JournalFileReader::new(&folder).unwrap_err().to_string().starts_with("cannot be read: "));
    }
}
