//! The content of a regular file, cut into items without a copy: blocks are mapped windows of the file. If the bytes are
//! sent from memory anyway, each window is read once, into a block that is reused when its items are settled.
//!
//! One window at a time is cut after its last whole item, and the next one begins there. So the memory in use is that of
//! the windows whose items are not yet settled. If blocks are cut by size, no byte is read.
//!
//! Invariant: the size of the file is checked before each window and at the end. A file that has become shorter is a lost
//! source, never a fault; a file that grows is read up to its end at the time when that is reached.

use super::kept::ReusedBlocks;
use super::splitter::Splitter;
use super::{Delivery, Source, SourceError};
use crate::model::config::Split;
use crate::model::spec::ITEM_BYTES_MAX;
use crate::sys::block::Block;
use crate::sys::mapping::{self, Mapping};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A mapped window of lines: several batches, and small enough for a few windows to be in memory at once.
const WINDOW_BYTES: usize = 1 << 20;

/// A window of lines that is read.
const READ_BYTES: usize = 128 * 1024;

/// A mapped window holds at least this many blocks.
const WINDOW_BLOCKS: usize = 4;

/// After this many windows without a whole item, `next` returns, so that the loop can do its other work.
const WINDOWS_MAX: u32 = 16;

/// How the bytes of a window are obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Mapping,
    Reading,
}

/// A source that maps a file, or reads it by windows.
pub(super) struct Windows {
    by: By,
    /// Blocks that were read.
    reused: ReusedBlocks,
    name: String,
    file: Arc<File>,
    splitter: Splitter,
    /// The byte behind each item of several.
    delimiter: u8,
    /// The offset of the next window.
    at: u64,
    /// The file's size at the last check.
    size: u64,
    /// The size of a window for items of usual length.
    window_bytes_min: usize,
    /// The size of the next window: larger if a longer item has begun.
    window_bytes: usize,
    /// This process reads only a few bytes of a window.
    cold: bool,
    /// The bytes up to the next delimiter belong to an item over the limit.
    skipping: bool,
    ended: bool,
    /// [`mapping::losses`] at the beginning.
    losses: u64,
}

impl Windows {
    /// # Errors
    /// The file cannot be mapped (a file of `/proc`, an empty file): read it instead. The arguments are returned.
    pub(super) fn new(by: By, name: String, file: File, split: Split, priority: bool) -> Result<Self, (String, File)> {
        let file = Arc::new(file);
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        let maps = size > 0 && Mapping::new(&file, 0, 1).is_ok();
        match Arc::try_unwrap(file) {
            Ok(file) if !maps => Err((name, file)),
            Ok(file) => Ok(Self::of(by, name, Arc::new(file), size, split, priority)),
            Err(file) => Ok(Self::of(by, name, file, size, split, priority)),
        }
    }

    fn of(by: By, name: String, file: Arc<File>, size: u64, split: Split, priority: bool) -> Self {
        let (block_bytes, cold) = match &split {
            Split::Delimiter(_) | Split::Records(_) => (0, false),
            Split::Block { bytes, .. } => (usize::try_from(*bytes).unwrap_or(usize::MAX).min(ITEM_BYTES_MAX), true),
        };
        let window_bytes = match by {
            By::Mapping => WINDOW_BYTES.max(WINDOW_BLOCKS * block_bytes),
            // Whole blocks, so that no byte is read twice if blocks are cut by size.
            By::Reading if block_bytes > 0 => READ_BYTES.next_multiple_of(block_bytes),
            By::Reading => READ_BYTES,
        };
        let splitter = Splitter::new(split, priority);
        Self {
            by,
            reused: ReusedBlocks::default(),
            name,
            file,
            delimiter: splitter.delimiter().unwrap_or(b'\n'),
            splitter,
            at: 0,
            size,
            window_bytes_min: window_bytes,
            window_bytes,
            cold,
            skipping: false,
            ended: false,
            losses: mapping::losses(),
        }
    }

    /// Passes the whole items of the next window to the splitter, if it has any.
    fn load(&mut self) -> Result<(), SourceError> {
        self.check_size()?;
        let left = self.size - self.at;
        let length = left.min(self.window_bytes as u64) as usize;
        if length == 0 {
            self.end();
            return Ok(());
        }
        let is_rest = length as u64 == left;
        let mut block = match self.window(length) {
            Ok(block) => block,
            Err(error) => {
                self.check_size()?;
                return Err(SourceError::Read { name: self.name.clone(), error });
            }
        };
        if self.skipping {
            self.skip(&block, is_rest);
            return self.check_losses();
        }
        match self.splitter.whole_bytes(&block) {
            // The last item, without a delimiter.
            0 if is_rest => {
                self.at += length as u64;
                self.put(block);
                self.ended = true;
            }
            0 if length > ITEM_BYTES_MAX => {
                self.at += length as u64;
                self.skipping = true;
            }
            0 => self.window_bytes *= 2,
            whole => {
                self.at += whole as u64;
                block.truncate(whole);
                self.put(block);
                self.window_bytes = self.window_bytes_min;
            }
        }
        self.check_losses()
    }

    /// Passes a block of whole items to the splitter.
    fn put(&mut self, block: Block) {
        let block = Arc::new(block);
        if self.by == By::Reading {
            self.reused.keep(&block);
        }
        self.splitter.put(block);
    }

    /// The next bytes: mapped, or read if the source reads or there are too many mappings.
    fn window(&mut self, length: usize) -> io::Result<Block> {
        if self.by == By::Mapping
            && let Ok(mapping) = Mapping::new(&self.file, self.at, length)
        {
            return Ok(if self.cold { mapping.cold() } else { mapping }.into());
        }
        let mut bytes = self.reused.memory();
        bytes.resize(length, 0);
        self.file.read_exact_at(&mut bytes, self.at)?;
        Ok(bytes.into())
    }

    /// Searches the end of an item over the limit.
    fn skip(&mut self, bytes: &[u8], is_rest: bool) {
        let end = self.splitter.delimiter().and_then(|delimiter| memchr::memchr(delimiter, bytes));
        self.at += end.map_or(bytes.len(), |end| end + 1) as u64;
        self.window_bytes = self.window_bytes_min;
        if end.is_some() {
            self.skipping = false;
            self.splitter.pass_too_long();
        } else if is_rest {
            self.end();
        }
    }

    fn end(&mut self) {
        self.ended = true;
        if std::mem::take(&mut self.skipping) {
            self.splitter.pass_too_long();
        }
    }

    fn check_size(&mut self) -> Result<(), SourceError> {
        let before = self.size;
        let metadata = self.file.metadata();
        self.size = metadata.map_err(|error| SourceError::Read { name: self.name.clone(), error })?.len();
        if self.size < before {
            return Err(SourceError::Shrunk { name: self.name.clone(), before, after: self.size });
        }
        Ok(())
    }

    /// Fails if the bytes that were just read may have been zeros.
    fn check_losses(&mut self) -> Result<(), SourceError> {
        if self.losses == mapping::losses() {
            return Ok(());
        }
        self.check_size()?;
        // Its size is as before: it grew again, its disk fails, or the loss is another file's.
        if self.splitter.is_lost() {
            let error = io::Error::other("some of it could not be read");
            return Err(SourceError::Read { name: self.name.clone(), error });
        }
        Ok(())
    }
}

impl Source for Windows {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        for _ in 0..WINDOWS_MAX {
            if let Some(delivery) = self.splitter.next(items_max) {
                self.check_losses()?;
                return Ok(delivery);
            }
            if self.ended {
                self.check_size()?;
                return Ok(Delivery::Ended);
            }
            self.load()?;
        }
        Ok(Delivery::Idle)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        (self.by == By::Mapping).then_some(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::InputSpec;
    use std::io::Write;

    const LINES: Split = Split::Delimiter(b'\n');

    fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn windows(by: By, file: &tempfile::NamedTempFile, split: Split, priority: bool, window_bytes: usize) -> Windows {
        let windows = Windows::new(by, "input".to_owned(), file.reopen().unwrap(), split, priority);
        let windows = windows.map_err(|_| "not mapped").unwrap();
        Windows { window_bytes, window_bytes_min: window_bytes, ..windows }
    }

    /// All items, each with its priority; for a rejected one, the reason.
    fn items(source: &mut dyn Source, items_max: u64) -> Result<Vec<(i64, Vec<u8>)>, SourceError> {
        let mut found = Vec::new();
        let delimiter = source.delimiter();
        loop {
            match source.next(items_max)? {
                Delivery::Items(payload) if payload.count == 1 => {
                    found.push((payload.priority, payload.block[payload.range].to_vec()));
                }
                Delivery::Items(payload) => {
                    assert!(u64::from(payload.count) <= items_max);
                    let before = found.len();
                    let body = &payload.block[payload.range];
                    let ended = body.strip_suffix(&[delimiter]).expect("each of several items is delimited");
                    found.extend(ended.split(|byte| *byte == delimiter).map(|item| (0, item.to_vec())));
                    assert_eq!(found.len() - before, payload.count as usize);
                }
                Delivery::Rejected(reason) => found.push((0, reason.to_string().into_bytes())),
                Delivery::Idle => {}
                Delivery::Ended => return Ok(found),
            }
        }
    }

    #[test]
    fn windows_deliver_the_same_items_as_reading() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize % below
        };
        let splits = [
            (LINES, false),
            (LINES, true),
            (Split::Delimiter(b'\t'), false),
            (Split::Block { bytes: 7, delimiter: Some(b'\n') }, false),
            (Split::Block { bytes: 7, delimiter: None }, false),
            (Split::Block { bytes: 1, delimiter: None }, false),
        ];
        for round in 0..600 {
            let bytes: Vec<u8> = (0..1 + random(200)).map(|_| b"1\t\nab"[random(5)]).collect();
            let file = file_of(&bytes);
            let (split, priority) = splits[round % splits.len()].clone();
            let mut read =
                super::super::lines::open(&InputSpec::File(file.path().to_owned()), split.clone(), priority, false)
                    .unwrap();
            let expected = items(&mut *read, u64::MAX).unwrap();
            for (window_bytes, by) in [1, 2, 1 + random(50), WINDOW_BYTES]
                .into_iter()
                .zip([By::Mapping, By::Reading].into_iter().cycle().skip(round / 6 % 2))
            {
                let mut source = windows(by, &file, split.clone(), priority, window_bytes);
                let windowed = items(&mut source, 1 + random(9) as u64).unwrap();
                assert!(windowed == expected, "{split:?} {window_bytes} {:?}", String::from_utf8_lossy(&bytes));
            }
        }
    }

    #[test]
    fn an_item_over_the_limit_is_rejected() {
        for (length, fits) in [(ITEM_BYTES_MAX, true), (ITEM_BYTES_MAX + 1, false), (3 * ITEM_BYTES_MAX, false)] {
            for end in ["", "\n", "\nafter", "\nafter\n"] {
                let file = file_of(&[b"before\n", &vec![b'x'; length][..], end.as_bytes()].concat());
                let found = items(&mut windows(By::Mapping, &file, LINES, false, WINDOW_BYTES), 9).unwrap();
                assert_eq!(found.len(), if end.len() > 1 { 3 } else { 2 }, "{length} {end:?}");
                assert_eq!(found[1].1.starts_with(b"x"), fits, "{length} {end:?}");
                assert_eq!(found[1].1.starts_with(b"item is over the limit"), !fits);
            }
        }
    }

    #[test]
    fn bytes_that_are_appended_meanwhile_are_read_too() {
        let mut file = file_of(b"a\nb\nbegin");
        let mut source = windows(By::Mapping, &file, LINES, false, WINDOW_BYTES);
        assert!(matches!(source.next(9), Ok(Delivery::Items(payload)) if payload.count == 2));
        file.write_all(b"ning\nlast").unwrap();
        let rest: Vec<_> = items(&mut source, 9).unwrap().into_iter().map(|(_, item)| item).collect();
        assert_eq!(rest, [&b"beginning"[..], b"last"]);
    }

    #[test]
    fn a_truncated_file_is_a_lost_source() {
        for (split, left) in
            [(LINES, 100_000), (LINES, 5000), (LINES, 0), (Split::Block { bytes: 4096, delimiter: None }, 9)]
        {
            let file = file_of(&b"0123456\n".repeat(100_000));
            let by = if left == 5000 { By::Reading } else { By::Mapping };
            let mut source = windows(by, &file, split, false, 64 * 1024);
            assert!(matches!(source.next(9), Ok(Delivery::Items(_))));
            file.as_file().set_len(left).unwrap();
            let error = items(&mut source, 9).unwrap_err().to_string();
            assert_eq!(error, format!("read input: it was cut short meanwhile, from 800000 to {left} bytes"));
        }
    }

    #[test]
    fn a_file_that_cannot_be_mapped_is_read() {
        for path in ["/proc/self/status", "/proc/cpuinfo", "/dev/null"] {
            assert!(Windows::new(By::Mapping, path.to_owned(), File::open(path).unwrap(), LINES, false).is_err());
            let source = super::super::lines::open(&InputSpec::File(path.into()), LINES, false, true);
            assert_eq!(items(&mut *source.unwrap(), 9).unwrap().is_empty(), path == "/dev/null");
        }
        assert!(Windows::new(By::Mapping, "empty".to_owned(), file_of(b"").reopen().unwrap(), LINES, false).is_err());
    }
}
