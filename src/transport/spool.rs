//! The spool of one worker: a file that holds the bytes of its items until they are settled.
//!
//! The file is divided into segments. Items are appended to the present segment. When that is full, a segment is reused
//! whose items are all settled, or a new one is added. So the size of the file follows from the items in flight and not
//! from the number of all items, and its pages stay in the caches.
//!
//! The supervisor writes the file with `pwrite` and never maps it: a full disk is an error and no SIGBUS, and a worker
//! that truncates the file harms only itself.
//!
//! Invariant: the bytes of an item are not overwritten before the item is settled.

use crate::sys::folder::Folder;
use crate::sys::spill::nameless_file;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The least size of a segment: four messages of the largest batch size, which stay in the second-level cache.
const SEGMENT_BYTES: u64 = 256 * 1024;

/// A file that is larger than this is truncated to 0 when all its items are settled.
const KEPT_BYTES: u64 = 4 << 20;

/// The place in which spools are created.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Files without a name, in this folder.
    Nameless(PathBuf),
    Named(Rc<Names>),
}

/// Names of spools in the folder of `--spool`. The name of a worker that has ended is used again, so that there are
/// never more files than workers at one time.
#[derive(Debug)]
pub(super) struct Names {
    folder: Folder,
    unused: RefCell<Vec<u32>>,
    /// The next number that was never used.
    next: RefCell<u32>,
}

impl Place {
    pub(super) fn named(folder: Folder) -> Self {
        Self::Named(Rc::new(Names { folder, unused: RefCell::default(), next: RefCell::new(1) }))
    }

    /// The folder, for the text of an error.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Nameless(folder) => folder,
            Self::Named(names) => names.folder.path(),
        }
    }
}

impl Names {
    fn create(&self) -> io::Result<(File, u32)> {
        if let Some(number) = self.unused.borrow_mut().pop() {
            // A new file, since processes that the old worker left behind may hold the old file open.
            let name = name(number);
            match self.folder.remove(&name) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            return Ok((self.folder.create(&name)?, number));
        }
        loop {
            let number = *self.next.borrow();
            *self.next.borrow_mut() = number.checked_add(1).ok_or(ErrorKind::AlreadyExists)?;
            match self.folder.create(&name(number)) {
                Ok(file) => return Ok((file, number)),
                // A killed supervisor of the same pid left a file of this name.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn name(number: u32) -> String {
    format!("supervisor-{}-{number}.spool", std::process::id())
}

/// A range of the file.
#[derive(Debug)]
struct SpoolSegment {
    offset: u64,
    bytes: u64,
    filled: u64,
    /// The number of `Written` in it that are not settled.
    live: u32,
}

/// The bytes of one `append`.
#[derive(Debug)]
struct Written {
    /// The bytes are needed until this many items of the worker are settled, counted from its first.
    until: u64,
    segment: usize,
}

#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    named: Option<(Rc<Names>, u32)>,
    segments: Vec<SpoolSegment>,
    present: usize,
    /// Oldest first; a worker answers in this order.
    unsettled: VecDeque<Written>,
    /// The number of items that were sent to the worker, in the spool or elsewhere.
    handed_out: u64,
    /// The number of items that the worker has answered.
    settled: u64,
}

impl Spool {
    /// Creates an empty spool.
    ///
    /// # Errors
    /// The file cannot be created.
    pub(super) fn create(place: &Place) -> io::Result<Self> {
        let (file, named) = match place {
            Place::Nameless(folder) => (nameless_file(folder)?, None),
            Place::Named(names) => {
                let (file, number) = names.create()?;
                (file, Some((Rc::clone(names), number)))
            }
        };
        Ok(Self {
            file,
            named,
            segments: Vec::new(),
            present: 0,
            unsettled: VecDeque::new(),
            handed_out: 0,
            settled: 0,
        })
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Keeps the bytes of the next `items` items until all of them are settled. Returns the offset in the file.
    ///
    /// # Errors
    /// The disk is full or fails. Nothing was kept.
    pub(super) fn append(&mut self, items: u32, bytes: &[u8]) -> io::Result<u64> {
        if bytes.is_empty() {
            self.pass_over(items);
            return Ok(0);
        }
        let length = bytes.len() as u64;
        let index = self.segment_for(length);
        let fresh = SpoolSegment { offset: self.end(), bytes: length.max(SEGMENT_BYTES), filled: 0, live: 0 };
        let segment = self.segments.get(index).unwrap_or(&fresh);
        let offset = segment.offset + segment.filled;
        self.file.write_all_at(bytes, offset)?;
        if index == self.segments.len() {
            self.segments.push(fresh);
        }
        let segment = &mut self.segments[index];
        segment.filled += length;
        segment.live += 1;
        self.present = index;
        self.pass_over(items);
        self.unsettled.push_back(Written { until: self.handed_out, segment: index });
        Ok(offset)
    }

    /// Counts the next `items` items as sent, without keeping bytes.
    pub(super) fn pass_over(&mut self, items: u32) {
        self.handed_out = self.handed_out.saturating_add(u64::from(items));
    }

    /// The index of a segment with `length` free bytes; the number of segments if a new one is needed.
    fn segment_for(&self, length: u64) -> usize {
        let fits = |segment: &SpoolSegment| segment.bytes - segment.filled >= length;
        match self.segments.get(self.present) {
            Some(present) if fits(present) => self.present,
            _ => {
                let free = |segment: &SpoolSegment| segment.live == 0 && fits(segment);
                self.segments.iter().position(free).unwrap_or(self.segments.len())
            }
        }
    }

    fn end(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.offset + segment.bytes)
    }

    /// The worker has answered the next `items` items, so their bytes are not needed any more.
    pub(super) fn settle(&mut self, items: u64) {
        // Limited to the items that were sent: a worker that answers more does not free the bytes of later items.
        self.settled = self.settled.saturating_add(items).min(self.handed_out);
        let settled = self.settled;
        while let Some(written) = self.unsettled.pop_front_if(|written| written.until <= settled) {
            let segment = &mut self.segments[written.segment];
            segment.live -= 1;
            if segment.live == 0 {
                segment.filled = 0;
            }
        }
        if self.unsettled.is_empty() && self.end() > KEPT_BYTES {
            // A failure costs only disk space.
            let _ = self.file.set_len(0);
            self.segments.clear();
            self.present = 0;
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some((names, number)) = &self.named {
            names.unused.borrow_mut().push(*number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn spool() -> Spool {
        Spool::create(&Place::Nameless(std::env::temp_dir())).unwrap()
    }

    fn read(spool: &Spool, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        spool.file().read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    #[test]
    fn a_million_items_take_no_more_space_than_those_in_flight() {
        let mut spool = spool();
        let mut places = VecDeque::new();
        for item in 0..100_000_u64 {
            let bytes = item.to_le_bytes().repeat(1 + item as usize % 400);
            places.push_back((item, spool.append(1, &bytes).unwrap(), bytes));
            if places.len() == 100 {
                for _ in 0..1 + item as usize % 100 {
                    let (item, offset, bytes) = places.pop_front().unwrap();
                    assert!(read(&spool, offset, bytes.len()) == bytes, "item {item}");
                    spool.settle(1);
                }
            }
        }
        let bytes = spool.file().metadata().unwrap().blocks() * 512;
        assert!(bytes <= 4 * SEGMENT_BYTES, "{bytes}");
    }

    #[test]
    fn a_segment_is_free_when_the_last_item_in_it_is_settled() {
        let mut spool = spool();
        let full = vec![1; SEGMENT_BYTES as usize];
        assert_eq!(spool.append(10, &full).unwrap(), 0);
        spool.settle(5);
        assert_eq!(spool.append(10, &full).unwrap(), SEGMENT_BYTES);
        spool.settle(5);
        assert_eq!(spool.append(10, &full).unwrap(), 0);
        // One answer for the items of two messages, with items between whose bytes are elsewhere.
        spool.pass_over(7);
        spool.settle(27);
        assert!(spool.unsettled.is_empty());
        // An answer for items that were never handed out frees nothing of what follows.
        spool.settle(u64::MAX);
        assert_eq!(spool.append(1, &full).unwrap(), 0);
        assert_eq!(spool.append(1, &full).unwrap(), SEGMENT_BYTES);
    }

    #[test]
    fn what_huge_items_took_is_given_back() {
        let mut spool = spool();
        let huge = vec![1; 16 << 20];
        for _ in 0..4 {
            spool.append(1, &huge).unwrap();
        }
        assert_eq!(spool.append(1, b"").unwrap(), 0);
        spool.settle(4);
        assert_eq!(spool.file().metadata().unwrap().blocks(), 0);
        assert_eq!(spool.append(1, b"small").unwrap(), 0);
        assert_eq!(read(&spool, 0, 5), b"small");
    }

    #[test]
    fn named_spools_stay_and_there_are_no_more_of_them_than_workers() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::named(Folder::open(folder.path()).unwrap());
        let names = || {
            let mut names: Vec<_> =
                std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        std::fs::write(folder.path().join(name(1)), "another's").unwrap();
        let (first, second) = (Spool::create(&place).unwrap(), Spool::create(&place).unwrap());
        assert_eq!(names(), [name(1), name(2), name(3)].map(std::ffi::OsString::from));
        let inode = |spool: &Spool| spool.file().metadata().unwrap().ino();
        let (kept, old) = (inode(&second), File::open(folder.path().join(name(2))).unwrap());
        drop(first);
        let again = Spool::create(&place).unwrap();
        assert_eq!(names().len(), 3);
        assert_ne!(inode(&again), old.metadata().unwrap().ino(), "a file of its own");
        drop((again, second));
        assert_eq!(names().len(), 3);
        assert_eq!(std::fs::metadata(folder.path().join(name(3))).unwrap().ino(), kept);
        assert_eq!(std::fs::read(folder.path().join(name(1))).unwrap(), b"another's");
    }
}
