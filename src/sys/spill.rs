//! A temporary file without a name, for content that is too large to keep in memory.
//!
//! Content is owned: a [`SpilledContent`] stands for bytes in the file, and dropping it frees them. Freed bytes are
//! returned to the file system as holes, and the file is truncated when nothing is left in it. Content of a size that
//! is known beforehand gets a **region** of the file, and a later content gets the same region again: to overwrite
//! existing pages is three times as fast as to allocate new ones and to free them (2026-11-25). So the file holds
//! little more than the content that is alive. It disappears with the process, however the process ends.
//!
//! Invariant: the file has no name, other users cannot open it, and no content is kept in memory.

use super::interruption::retried;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate, open};
use nix::sys::stat::Mode;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Holes consist of whole blocks; this is the largest block size of the common file systems.
const BLOCK_BYTES: u64 = 4096;

/// The smallest region. The part that is never written takes no disk space.
const REGION_BYTES_MIN: u64 = 4 << 20;

/// How many idle regions keep their pages.
const WARM_REGIONS_MAX: usize = 4;

/// How many names are tried on a file system that has no nameless files.
const NAMES_MAX: u32 = 100;

/// The file. It is created by the first write. All owners of content share it.
#[derive(Debug)]
pub struct SpillFile {
    folder: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    file: Option<Arc<File>>,
    end: u64,
    /// Freed ranges outside of regions, start -> end. No two of them touch.
    free: BTreeMap<u64, u64>,
    /// Bytes that are reserved and not yet freed.
    live_bytes: u64,
    regions: Vec<Region>,
}

/// A range of the file that is reused.
#[derive(Debug)]
struct Region {
    offset: u64,
    bytes: u64,
    /// Bytes of the present content that are not yet freed; 0: the region is idle.
    live_bytes: u64,
}

/// A range of the file, freed on drop.
#[derive(Debug)]
struct Extent {
    spill: Arc<SpillFile>,
    offset: u64,
    bytes: u64,
    in_region: bool,
}

/// Content in a spill file. It has one owner, and its bytes in the file are freed when it is dropped.
#[derive(Debug, Default)]
pub struct SpilledContent {
    extents: VecDeque<Extent>,
}

impl SpillFile {
    /// A file in the folder for temporary files: `TMPDIR`, else `/tmp`.
    #[must_use]
    pub fn new() -> Self {
        Self::in_folder(std::env::temp_dir())
    }

    /// A file in this folder.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), inner: Mutex::default() }
    }

    /// The folder of the file, for the text of an error.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many bytes are owned by some content, or reserved for one.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.lock().live_bytes
    }

    /// Writes these bytes behind everything else.
    fn append(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Extent> {
        let (file, extent) = self.reserve(bytes.len() as u64, false)?;
        // Without the lock: several threads write at the same time, each to a range of its own.
        file.write_all_at(bytes, extent.offset)?;
        Ok(extent)
    }

    /// Reserves a region for content of this size, which arrives piece by piece.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn fill(self: &Arc<Self>, bytes: u64) -> io::Result<Filling> {
        let (file, extent) = self.reserve(bytes, true)?;
        Ok(Filling { file, extent, filled: 0 })
    }

    fn reserve(self: &Arc<Self>, bytes: u64, in_region: bool) -> io::Result<(Arc<File>, Extent)> {
        let mut inner = self.lock();
        let file = match &inner.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(inner.file.insert(Arc::new(nameless_file(&self.folder)?))),
        };
        let offset = if in_region { inner.take_region(bytes) } else { inner.take_end(bytes) };
        inner.live_bytes = inner.live_bytes.saturating_add(bytes);
        Ok((file, Extent { spill: Arc::clone(self), offset, bytes, in_region }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that holds the lock leaves the counts half updated, so they are right even after a panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let file = self.lock().file.clone();
        file.ok_or(io::ErrorKind::UnexpectedEof)?.read_exact_at(buffer, offset)
    }

    /// Damages the file as a failing disk would.
    #[cfg(test)]
    pub(super) fn truncate(&self, bytes: u64) {
        self.lock().file.as_ref().unwrap().set_len(bytes).unwrap();
    }

    fn free(&self, offset: u64, bytes: u64, in_region: bool) {
        if bytes > 0 {
            self.lock().free(offset, bytes, in_region);
        }
    }
}

impl Default for SpillFile {
    fn default() -> Self {
        Self::new()
    }
}

impl SpilledContent {
    /// How many bytes the content has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.extents.iter().map(|extent| extent.bytes).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.extents.iter().all(|extent| extent.bytes == 0)
    }

    /// The folder of the file, for the text of an error; `None` if there never was any content.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.extents.front().map(|extent| extent.spill.folder())
    }

    /// Writes more bytes to the file, behind the present content.
    ///
    /// # Errors
    /// The file cannot be created, or the disk is full. The content is unchanged then.
    pub fn push(&mut self, spill: &Arc<SpillFile>, bytes: &[u8]) -> io::Result<()> {
        let next = spill.append(bytes)?;
        match self.extents.back_mut() {
            Some(last) if last.precedes(&next) => last.join(next),
            _ => self.extents.push_back(next),
        }
        Ok(())
    }

    /// Fills `buffer` with the bytes from `offset` on, counted from the beginning of the content.
    ///
    /// # Errors
    /// The disk's, or `UnexpectedEof` if the content ends before the buffer is full.
    pub fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        for extent in &self.extents {
            if offset >= extent.bytes {
                offset -= extent.bytes;
                continue;
            }
            let bytes = (extent.bytes - offset).min(buffer.len() as u64);
            let (part, rest) = buffer.split_at_mut(bytes as usize);
            extent.spill.read_at(extent.offset + offset, part)?;
            (offset, buffer) = (0, rest);
        }
        if buffer.is_empty() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Cuts off the first bytes as content of their own; all of it, if it is no longer than that. Nothing is read or
    /// written.
    #[must_use]
    pub fn split_front(&mut self, mut bytes: u64) -> Self {
        let mut extents = VecDeque::new();
        while let Some(front) = self.extents.front_mut() {
            if front.bytes > bytes {
                if bytes > 0 {
                    let Extent { ref spill, offset, in_region, .. } = *front;
                    extents.push_back(Extent { spill: Arc::clone(spill), offset, bytes, in_region });
                    (front.offset, front.bytes) = (offset + bytes, front.bytes - bytes);
                }
                break;
            }
            bytes -= front.bytes;
            extents.extend(self.extents.pop_front());
        }
        Self { extents }
    }

    /// Moves the first bytes, at most `bytes_max`, from the file into `buffer`, whose old content is lost. The buffer
    /// is empty afterwards only if no content is left.
    ///
    /// # Errors
    /// The disk's. The content is unchanged then, and the buffer empty.
    pub fn take_front(&mut self, buffer: &mut Vec<u8>, bytes_max: usize) -> io::Result<()> {
        while self.extents.front().is_some_and(|extent| extent.bytes == 0) {
            self.extents.pop_front();
        }
        let Some(front) = self.extents.front_mut() else {
            buffer.clear();
            return Ok(());
        };
        let bytes = front.bytes.min(bytes_max as u64);
        buffer.resize(bytes as usize, 0);
        if let Err(error) = front.spill.read_at(front.offset, buffer) {
            buffer.clear();
            return Err(error);
        }
        front.free_front(bytes);
        Ok(())
    }
}

impl Extent {
    fn precedes(&self, next: &Self) -> bool {
        // A region is freed by itself.
        !self.in_region
            && !next.in_region
            && self.offset + self.bytes == next.offset
            && Arc::ptr_eq(&self.spill, &next.spill)
    }

    fn join(&mut self, mut next: Self) {
        self.bytes += std::mem::take(&mut next.bytes);
    }

    fn free_front(&mut self, bytes: u64) {
        self.spill.free(self.offset, bytes, self.in_region);
        self.offset += bytes;
        self.bytes -= bytes;
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        self.spill.free(self.offset, self.bytes, self.in_region);
    }
}

/// Content of a known size that has not arrived completely. Dropping it frees its region.
#[derive(Debug)]
pub struct Filling {
    file: Arc<File>,
    extent: Extent,
    filled: u64,
}

impl Filling {
    /// How many bytes have not arrived.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.extent.bytes - self.filled
    }

    /// The folder of the file, for the text of an error.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.extent.spill.folder()
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// The disk is full, or there are more bytes than announced.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > self.left() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.file.write_all_at(bytes, self.extent.offset + self.filled)?;
        self.filled += bytes.len() as u64;
        Ok(())
    }

    /// The content, as far as it has arrived.
    #[must_use]
    pub fn take(mut self) -> SpilledContent {
        let missing = self.left();
        self.extent.bytes -= missing;
        self.extent.spill.free(self.extent.offset + self.filled, missing, true);
        SpilledContent { extents: VecDeque::from([self.extent]) }
    }
}

impl Inner {
    fn take_end(&mut self, bytes: u64) -> u64 {
        let offset = self.end;
        self.end = offset.saturating_add(bytes);
        offset
    }

    /// Occupies the first idle region that is large enough, which is the one whose pages are most likely present;
    /// else a new region at the end.
    fn take_region(&mut self, bytes: u64) -> u64 {
        let idle = self.regions.iter_mut().find(|region| region.live_bytes == 0 && region.bytes >= bytes);
        if let Some(region) = idle {
            region.live_bytes = bytes;
            return region.offset;
        }
        self.end = self.end.next_multiple_of(BLOCK_BYTES);
        let region_bytes = bytes.next_power_of_two().max(REGION_BYTES_MIN);
        let offset = self.take_end(region_bytes);
        self.regions.push(Region { offset, bytes: region_bytes, live_bytes: bytes });
        offset
    }

    fn free(&mut self, offset: u64, bytes: u64, in_region: bool) {
        self.live_bytes = self.live_bytes.saturating_sub(bytes);
        if in_region {
            self.free_in_region(offset, bytes);
        } else if self.live_bytes == 0 && self.regions.is_empty() {
            // A failure costs disk space only.
            let _ = self.file.as_ref().map(|file| file.set_len(0));
            self.free.clear();
            self.end = 0;
        } else {
            self.free_appended(offset, bytes);
        }
    }

    fn free_in_region(&mut self, offset: u64, bytes: u64) {
        let holds = |region: &&mut Region| (region.offset..region.offset + region.bytes).contains(&offset);
        let Some(region) = self.regions.iter_mut().find(holds) else { return };
        region.live_bytes = region.live_bytes.saturating_sub(bytes);
        let (start, end, is_idle) = (region.offset, region.offset + region.bytes, region.live_bytes == 0);
        if is_idle && self.regions.iter().filter(|region| region.live_bytes == 0).count() > WARM_REGIONS_MAX {
            self.punch(start, end);
        }
    }

    fn free_appended(&mut self, offset: u64, bytes: u64) {
        let (start, end) = self.join_free(offset, offset.saturating_add(bytes));
        let (start, end) = (start.next_multiple_of(BLOCK_BYTES), end / BLOCK_BYTES * BLOCK_BYTES);
        // Only the blocks that this range completed; the others of the joined range are holes already.
        let start = start.max(offset / BLOCK_BYTES * BLOCK_BYTES);
        let end = end.min((offset + bytes).next_multiple_of(BLOCK_BYTES));
        self.punch(start, end);
    }

    /// Returns whole blocks to the file system.
    fn punch(&self, start: u64, end: u64) {
        if let (Some(file), true) = (&self.file, start < end) {
            let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // Not every file system has holes; a failure costs disk space only.
            let _ = retried(|| fallocate(file, flags, start.cast_signed(), (end - start).cast_signed()));
        }
    }

    /// Adds a range to the free ones and returns the joined range that now contains it.
    fn join_free(&mut self, mut start: u64, mut end: u64) -> (u64, u64) {
        if let Some((&before, &before_end)) = self.free.range(..start).next_back()
            && before_end == start
        {
            start = before;
        }
        if let Some(after_end) = self.free.remove(&end) {
            end = after_end;
        }
        self.free.insert(start, end);
        (start, end)
    }
}

/// Creates a file without a name in this folder. Other users cannot open it.
///
/// # Errors
/// Those of `open(2)`.
pub fn nameless_file(folder: &Path) -> io::Result<File> {
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_EXCL;
    match retried(|| open(folder, flags, mode)) {
        Ok(file) => Ok(file.into()),
        // The file system has no nameless files: the file has a name until it is unlinked.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT) => unlinked_file(folder, mode),
        Err(errno) => Err(errno.into()),
    }
}

fn unlinked_file(folder: &Path, mode: Mode) -> io::Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    for number in 0..NAMES_MAX {
        let path = folder.join(format!(".supervisor-spill-{}-{number}", std::process::id()));
        match retried(|| open(&path, flags, mode)) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file.into());
            }
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Errno::EEXIST.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn disk_bytes(spill: &SpillFile) -> u64 {
        spill.lock().file.as_ref().unwrap().metadata().unwrap().blocks() * 512
    }

    fn spilled(spill: &Arc<SpillFile>, bytes: &[u8]) -> SpilledContent {
        let mut content = SpilledContent::default();
        content.push(spill, bytes).unwrap();
        content
    }

    fn all_of(content: &SpilledContent) -> Vec<u8> {
        let mut bytes = vec![0; content.bytes() as usize];
        content.read_at(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn appended_bytes_can_be_read_and_the_file_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Arc::new(SpillFile::in_folder(folder.path()));
        let mut content = spilled(&spill, b"hello ");
        let other = spilled(&spill, b"between");
        content.push(&spill, b"wor").unwrap();
        content.push(&spill, b"ld").unwrap();
        assert_eq!((all_of(&content), content.extents.len()), (b"hello world".to_vec(), 2), "neighbours are joined");
        let mut bytes = [0; 8];
        content.read_at(3, &mut bytes).unwrap();
        assert_eq!(&bytes, b"lo world");
        assert_eq!(content.read_at(4, &mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(spill.lock().file.as_ref().unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        drop(content);
        assert_eq!((spill.live_bytes(), all_of(&other)), (7, b"between".to_vec()));
    }

    #[test]
    fn a_file_with_a_name_loses_it_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = unlinked_file(folder.path(), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn content_that_is_taken_from_the_front_is_freed_as_it_goes() {
        let spill = Arc::new(SpillFile::new());
        let mut content = spilled(&spill, b"abcdef");
        let _other = spilled(&spill, b"x");
        content.push(&spill, b"").unwrap();
        content.push(&spill, b"gh").unwrap();
        let mut buffer = b"old".to_vec();
        for (part, live) in [(&b"abcd"[..], 5), (b"ef", 3), (b"gh", 1), (b"", 1)] {
            content.take_front(&mut buffer, 4).unwrap();
            assert_eq!((buffer.as_slice(), spill.live_bytes()), (part, live));
        }
        assert!(content.is_empty());
    }

    #[test]
    fn content_that_is_cut_in_two_is_freed_in_two() {
        let spill = Arc::new(SpillFile::new());
        let mut content = spilled(&spill, b"abc");
        let other = spilled(&spill, b"x");
        content.push(&spill, b"defg").unwrap();
        for (bytes, part, live) in [(0, &b""[..], 8), (2, b"ab", 6), (3, b"cde", 3), (9, b"fg", 1)] {
            let front = content.split_front(bytes);
            assert_eq!((all_of(&front), front.bytes()), (part.to_vec(), part.len() as u64));
            drop(front);
            assert_eq!(spill.live_bytes(), live);
        }
        assert!(content.is_empty());
        assert_eq!(all_of(&other), b"x");
    }

    #[test]
    fn dropped_content_becomes_holes_even_if_no_content_fills_a_block() {
        let spill = Arc::new(SpillFile::new());
        let mut pieces: Vec<Option<SpilledContent>> = (0..1000).map(|_| Some(spilled(&spill, &[7; 1000]))).collect();
        let before = disk_bytes(&spill);
        assert!(before >= 1_000_000, "{before}");
        // The even ones first, then the odd ones backwards, so that ranges join before, behind and on both sides.
        for at in (0..1000).step_by(2).chain((1..1000).step_by(2).rev()).take(999) {
            pieces[at] = None;
        }
        assert_eq!(spill.live_bytes(), 1000);
        let after = disk_bytes(&spill);
        assert!(after <= 2 * BLOCK_BYTES, "{after}");
        assert!(spill.lock().free.len() <= 2);
        assert_eq!(all_of(pieces[1].as_ref().unwrap()), [7; 1000], "the last one is intact");
    }

    #[test]
    fn regions_are_reused_and_unfinished_content_is_freed() {
        const LARGE: u64 = REGION_BYTES_MIN + 7;
        let spill = Arc::new(SpillFile::new());
        let mut alive = VecDeque::new();
        let mut buffer = Vec::new();
        for round in 0..20_u8 {
            let mut filling = spill.fill(LARGE).unwrap();
            let half = vec![round; LARGE as usize / 2];
            filling.push(&half).unwrap();
            filling.push(&half).unwrap();
            assert!(filling.left() == 1 && filling.push(b"ab").is_err());
            filling.push(b"a").unwrap();
            alive.push_back((round, filling.take()));
            drop(spill.fill(LARGE).unwrap());
            // At the peak more regions are in use than are kept warm.
            while alive.len() > if round < 10 { WARM_REGIONS_MAX + 2 } else { 1 } {
                let (round, mut content) = alive.pop_front().unwrap();
                let mut bytes = all_of(&content);
                assert!(bytes.pop() == Some(b'a') && bytes.iter().all(|byte| *byte == round));
                // As an outbox does it: a part is taken, then the rest is dropped.
                content.take_front(&mut buffer, 100_000).unwrap();
                assert_eq!(content.bytes(), LARGE - 100_000);
            }
        }
        assert_eq!(spill.live_bytes(), LARGE);
        assert_eq!(spill.lock().regions.len(), WARM_REGIONS_MAX + 4);
        let disk = disk_bytes(&spill);
        assert!(disk <= (WARM_REGIONS_MAX as u64 + 2) * (LARGE + BLOCK_BYTES), "{disk}");
        // Appended content does not disturb them.
        drop((0..10).map(|_| spilled(&spill, &[7; 1000])).collect::<Vec<_>>());
        assert_eq!(spill.live_bytes(), LARGE);
        let mut byte = [0];
        alive[0].1.read_at(0, &mut byte).unwrap();
        assert_eq!(byte, [19]);
        alive[0].1.push(&spill, b"behind").unwrap();
        alive.clear();
        let mut half = spill.fill(LARGE).unwrap();
        half.push(b"half").unwrap();
        let half = half.take();
        assert_eq!((all_of(&half), spill.live_bytes()), (b"half".to_vec(), 4));
        drop(half);
        assert_eq!(spill.live_bytes(), 0);
        assert!(spill.lock().regions.iter().all(|region| region.live_bytes == 0));
    }

    #[test]
    fn an_empty_file_is_truncated() {
        let spill = Arc::new(SpillFile::new());
        drop(spilled(&spill, &[1; 10_000]));
        assert_eq!(disk_bytes(&spill), 0);
        assert_eq!(spilled(&spill, b"x").extents[0].offset, 0);
    }

    #[test]
    fn a_full_disk_and_a_missing_folder_are_errors_that_keep_nothing() {
        let missing = Arc::new(SpillFile::in_folder("/nonexistent"));
        assert!(SpilledContent::default().push(&missing, b"x").is_err());
        let full = Arc::new(SpillFile::new());
        full.lock().file = Some(Arc::new(File::options().write(true).open("/dev/full").unwrap()));
        let mut content = SpilledContent::default();
        assert_eq!(content.push(&full, b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((content.is_empty(), full.live_bytes()), (true, 0));
    }
}
