//! A temporary file without a name, for bytes that are too many to keep in memory.
//!
//! Pieces are appended; what is no longer needed of them is given back to the file system as holes, and the file starts
//! anew when nothing is left in it. What comes piece by piece and is large gets a **room**, and the next one gets the
//! same: pages that are there are written anew three times as fast as new ones are made and given back. So the file never
//! holds much more than what is alive, and it is gone with the process, however that ends.
//!
//! Invariant: no name in the file system, no access for others, no bytes kept in memory.

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate, open};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Holes are made of whole blocks: the largest size of a block in use.
const BLOCK_BYTES: u64 = 4096;

/// Of a room; what is not written of it takes none of the disk.
const ROOM_BYTES_MIN: u64 = 4 << 20;

/// So many rooms that are not in use keep what was written in them.
const WARM_ROOMS_MAX: usize = 4;

/// How many names are tried where the file system cannot make a file without one.
const NAMES_MAX: u32 = 100;

/// Where some bytes lie in a spill file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub offset: u64,
    pub bytes: u64,
}

/// The file, made when it is first written to. Shared by all who hold extents of it.
#[derive(Debug)]
pub struct SpillFile {
    folder: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    file: Option<Arc<File>>,
    end: u64,
    /// What was discarded and not yet forgotten: start -> end, apart from each other.
    free: BTreeMap<u64, u64>,
    /// What is appended, or has a room, and is not yet discarded.
    live_bytes: u64,
    rooms: Vec<GrowableBuffer>,
}

/// A stretch of the file that is used again and again.
#[derive(Debug)]
struct GrowableBuffer {
    offset: u64,
    bytes: u64,
    /// What is not yet discarded of the bytes that have it now.
    live_bytes: u64,
}

impl SpillFile {
    /// In the folder for temporary files: `TMPDIR`, else `/tmp`.
    #[must_use]
    pub fn new() -> Self {
        Self::in_folder(std::env::temp_dir())
    }

    /// In this folder.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), inner: Mutex::default() }
    }

    /// The folder that the file lies in, for the text of an error.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many bytes are appended and not discarded.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.lock().live_bytes
    }

    /// Keeps these bytes.
    ///
    /// # Errors
    /// The file cannot be made, or the disk is full. Nothing is kept then.
    pub fn append(&self, bytes: &[u8]) -> io::Result<Extent> {
        let (file, extent) = self.reserve(|inner| {
            let extent = Extent { offset: inner.end, bytes: bytes.len() as u64 };
            inner.end = inner.end.saturating_add(extent.bytes);
            extent
        })?;
        // Not under the lock: several threads write at the same time, each where nobody else does.
        if let Err(error) = file.write_all_at(bytes, extent.offset) {
            self.discard(extent);
            return Err(error);
        }
        Ok(extent)
    }

    /// Keeps so many bytes, which are to come piece by piece: in a room of their own.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn fill(self: &Arc<Self>, bytes: u64) -> io::Result<Filling> {
        let (file, extent) = self.reserve(|inner| inner.room(bytes))?;
        Ok(Filling { spill: Arc::clone(self), file, extent, filled: 0 })
    }

    /// GrowableBuffer in the file, which counts as kept from now on.
    fn reserve(&self, place: impl FnOnce(&mut Inner) -> Extent) -> io::Result<(Arc<File>, Extent)> {
        let mut inner = self.lock();
        let file = match &inner.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(inner.file.insert(Arc::new(nameless_file(&self.folder)?))),
        };
        let extent = place(&mut inner);
        inner.live_bytes = inner.live_bytes.saturating_add(extent.bytes);
        Ok((file, extent))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A count that a panic left behind is one that was right before.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `bytes` with what lies at `offset`.
    ///
    /// # Errors
    /// The disk, or bytes that were never appended.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let file = self.lock().file.clone();
        match file {
            Some(file) => file.read_exact_at(bytes, offset),
            None if bytes.is_empty() => Ok(()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// These bytes are not needed any more; once for each extent, or for each part of it. GrowableBuffer that cannot be given
    /// back now is given back at the end.
    pub fn discard(&self, extent: Extent) {
        let mut inner = self.lock();
        if extent.bytes == 0 {
            return;
        }
        inner.live_bytes = inner.live_bytes.saturating_sub(extent.bytes);
        if inner.leave_room(extent) {
            return;
        }
        if inner.live_bytes == 0 && inner.rooms.is_empty() {
            // A failure costs room only.
            let _ = inner.file.as_ref().map(|file| file.set_len(0));
            inner.free.clear();
            inner.end = 0;
            return;
        }
        let freed = inner.join_free(extent);
        let (start, end) = (freed.0.next_multiple_of(BLOCK_BYTES), freed.1 / BLOCK_BYTES * BLOCK_BYTES);
        // Only the blocks that this extent completed; the others of the joined range are holes already.
        let start = start.max(extent.offset / BLOCK_BYTES * BLOCK_BYTES);
        let end = end.min((extent.offset + extent.bytes).next_multiple_of(BLOCK_BYTES));
        inner.punch(start, end);
    }
}

impl Default for SpillFile {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes in a spill file that are yet to come. What nobody took is given back.
#[derive(Debug)]
pub struct Filling {
    spill: Arc<SpillFile>,
    file: Arc<File>,
    /// Nothing, once it is taken.
    extent: Extent,
    filled: u64,
}

impl Filling {
    /// How many bytes are to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.extent.bytes - self.filled
    }

    /// The folder that the file lies in, for the text of an error.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.spill.folder()
    }

    /// Keeps the next bytes.
    ///
    /// # Errors
    /// The disk is full, or there are more than was said.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() as u64 > self.left() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.file.write_all_at(bytes, self.extent.offset + self.filled)?;
        self.filled += bytes.len() as u64;
        Ok(())
    }

    /// Where they lie. Whoever takes them discards them.
    #[must_use]
    pub fn take(mut self) -> Extent {
        std::mem::replace(&mut self.extent, Extent { offset: 0, bytes: 0 })
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.spill.discard(self.extent);
    }
}

impl Inner {
    /// An idle room that is large enough, the first one: it is the warmest. Else a new one, at the end.
    fn room(&mut self, bytes: u64) -> Extent {
        let idle = self.rooms.iter_mut().find(|room| room.live_bytes == 0 && room.bytes >= bytes);
        if let Some(room) = idle {
            room.live_bytes = bytes;
            return Extent { offset: room.offset, bytes };
        }
        let offset = self.end.next_multiple_of(BLOCK_BYTES);
        let room = GrowableBuffer { offset, bytes: bytes.next_power_of_two().max(ROOM_BYTES_MIN), live_bytes: bytes };
        self.end = offset.saturating_add(room.bytes);
        self.rooms.push(room);
        Extent { offset, bytes }
    }

    /// Gives a piece of a room back; `false` if it lies in none.
    fn leave_room(&mut self, extent: Extent) -> bool {
        let holds = |room: &&mut GrowableBuffer| (room.offset..room.offset + room.bytes).contains(&extent.offset);
        let Some(room) = self.rooms.iter_mut().find(holds) else { return false };
        room.live_bytes = room.live_bytes.saturating_sub(extent.bytes);
        let (offset, bytes, is_idle) = (room.offset, room.bytes, room.live_bytes == 0);
        if is_idle && self.rooms.iter().filter(|room| room.live_bytes == 0).count() > WARM_ROOMS_MAX {
            self.punch(offset, offset + bytes);
        }
        true
    }

    /// Gives whole blocks back to the file system.
    fn punch(&self, start: u64, end: u64) {
        if let (Some(file), true) = (&self.file, start < end) {
            let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            // Not every file system makes holes; a failure costs room only.
            let _ = fallocate(file, flags, start.cast_signed(), (end - start).cast_signed());
        }
    }

    /// Adds a range to the free ones and returns the one that it is part of now.
    fn join_free(&mut self, extent: Extent) -> (u64, u64) {
        let (mut start, mut end) = (extent.offset, extent.offset.saturating_add(extent.bytes));
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

/// A file without a name in this folder, for nobody else.
///
/// # Errors
/// Those of `open(2)`.
pub fn nameless_file(folder: &Path) -> io::Result<File> {
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    match open(folder, OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_EXCL, mode) {
        Ok(file) => Ok(file.into()),
        // Not on this file system: a name for a moment.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT) => unlinked_file(folder, mode),
        Err(errno) => Err(errno.into()),
    }
}

fn unlinked_file(folder: &Path, mode: Mode) -> io::Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    for number in 0..NAMES_MAX {
        let path = folder.join(format!(".supervisor-spill-{}-{number}", std::process::id()));
        match open(&path, flags, mode) {
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

    fn blocks_bytes(spill: &SpillFile) -> u64 {
        spill.lock().file.as_ref().unwrap().metadata().unwrap().blocks() * 512
    }

    #[test]
    fn what_is_appended_can_be_read_and_leaves_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let spill = SpillFile::in_folder(folder.path());
        let (first, second) = (spill.append(b"hello ").unwrap(), spill.append(b"world").unwrap());
        assert_eq!((first.offset, second), (0, Extent { offset: 6, bytes: 5 }));
        let mut bytes = [0; 8];
        spill.read_at(3, &mut bytes).unwrap();
        assert_eq!(&bytes, b"lo world");
        assert!(spill.read_at(10, &mut bytes).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(spill.lock().file.as_ref().unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_with_a_name_loses_it_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = unlinked_file(folder.path(), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn discarded_pieces_become_holes_also_if_no_piece_fills_a_block() {
        let spill = SpillFile::new();
        let pieces: Vec<Extent> = (0..1000).map(|_| spill.append(&[7; 1000]).unwrap()).collect();
        let before = blocks_bytes(&spill);
        assert!(before >= 1_000_000, "{before}");
        // The even ones first, in both directions, so that pieces join before, behind and on both sides.
        for piece in pieces.iter().step_by(2).chain(pieces.iter().skip(1).step_by(2).rev()).take(999) {
            spill.discard(*piece);
        }
        assert_eq!(spill.live_bytes(), 1000);
        let after = blocks_bytes(&spill);
        assert!(after <= 2 * BLOCK_BYTES, "{after}");
        assert!(spill.lock().free.len() <= 2);
        let mut bytes = [0; 1000];
        spill.read_at(pieces[1].offset, &mut bytes).unwrap();
        assert_eq!(bytes, [7; 1000], "the last one lives");
    }

    #[test]
    fn rooms_are_used_again_and_what_nobody_takes_is_given_back() {
        const LARGE: u64 = ROOM_BYTES_MIN + 7;
        let spill = Arc::new(SpillFile::new());
        let mut living = std::collections::VecDeque::new();
        for round in 0..20_u8 {
            let mut filling = spill.fill(LARGE).unwrap();
            let half = vec![round; LARGE as usize / 2];
            filling.push(&half).unwrap();
            filling.push(&half).unwrap();
            assert!(filling.left() == 1 && filling.push(b"ab").is_err());
            filling.push(b"a").unwrap();
            living.push_back((round, filling.take()));
            drop(spill.fill(LARGE).unwrap());
            // Most at a time lie in more rooms than are kept warm.
            while living.len() > if round < 10 { WARM_ROOMS_MAX + 2 } else { 1 } {
                let (round, extent) = living.pop_front().unwrap();
                let mut bytes = vec![0; LARGE as usize];
                spill.read_at(extent.offset, &mut bytes).unwrap();
                assert!(bytes.pop() == Some(b'a') && bytes.iter().all(|byte| *byte == round));
                // As it is written on: a piece at a time.
                spill.discard(Extent { bytes: 100_000, ..extent });
                spill.discard(Extent { offset: extent.offset + 100_000, bytes: LARGE - 100_000 });
            }
        }
        assert_eq!(spill.live_bytes(), LARGE);
        assert_eq!(spill.lock().rooms.len(), WARM_ROOMS_MAX + 4);
        let blocks = blocks_bytes(&spill);
        assert!(blocks <= (WARM_ROOMS_MAX as u64 + 2) * (LARGE + BLOCK_BYTES), "{blocks}");
        // What is appended does not get in their way.
        let pieces: Vec<Extent> = (0..10).map(|_| spill.append(&[7; 1000]).unwrap()).collect();
        pieces.into_iter().for_each(|piece| spill.discard(piece));
        assert_eq!(spill.live_bytes(), LARGE);
        let mut byte = [0];
        spill.read_at(living[0].1.offset, &mut byte).unwrap();
        assert_eq!(byte, [19]);
    }

    #[test]
    fn with_nothing_left_the_file_starts_anew() {
        let spill = SpillFile::new();
        let extent = spill.append(&[1; 10_000]).unwrap();
        spill.discard(extent);
        assert_eq!(blocks_bytes(&spill), 0);
        assert_eq!(spill.append(b"x").unwrap().offset, 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(SpillFile::in_folder("/nonexistent").append(b"x").is_err());
    }
}
