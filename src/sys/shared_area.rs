//! Memory that two processes share: words, two rings, an arena for bodies that are too large for a ring, and a staging
//! area in which one side prepares its output.
//!
//! All of it is one sealed memory file. Each ring is mapped twice in a row, so that bytes which continue at the start
//! of the ring are still one slice. Pages become resident when they are first touched.
//!
//! Invariant: the size is sealed, so neither process can make the other one fault by truncating the file. A side that
//! does not trust the other one copies bytes out ([`SharedArea::take`]) before it checks them.

use super::interruption::retried;
use super::memfd::sealable_file;
use super::refusal;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use nix::unistd::ftruncate;
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// Every part begins and ends at a multiple of this: the largest page size that Linux uses.
const GRAIN_BYTES: usize = 64 * 1024;

/// Words at the start of the area.
pub const WORDS: usize = 512;

/// A part of the area that holds bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaPart {
    RingA,
    RingB,
    /// Mapped once.
    Arena,
    /// Mapped once. One side writes it, through
    /// [`GrowableBuffer::staging`](super::growable_buffer::GrowableBuffer::staging); the other side reads it after the
    /// first one has ended.
    StagingArea,
}

/// The sizes of the parts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The size of each ring; a power of two and at least 64 KiB.
    pub ring_bytes: usize,
    /// A multiple of 64 KiB.
    pub arena_bytes: usize,
    /// A multiple of 64 KiB.
    pub staging_bytes: usize,
}

impl Plan {
    /// The size of the memory file.
    #[must_use]
    pub const fn file_bytes(self) -> usize {
        GRAIN_BYTES + 2 * self.ring_bytes + self.staging_bytes + self.arena_bytes
    }

    /// The address space that each side maps.
    #[must_use]
    pub const fn mapped_bytes(self) -> usize {
        GRAIN_BYTES + 4 * self.ring_bytes + self.staging_bytes + self.arena_bytes
    }

    /// The pieces to map: offset in the mapping, offset in the file, length.
    const fn pieces(self) -> [(usize, usize, usize); 6] {
        let (ring, rings) = (self.ring_bytes, GRAIN_BYTES);
        [
            (0, 0, GRAIN_BYTES),
            (rings, rings, ring),
            (rings + ring, rings, ring),
            (rings + 2 * ring, rings + ring, ring),
            (rings + 3 * ring, rings + ring, ring),
            (rings + 4 * ring, rings + 2 * ring, self.staging_bytes + self.arena_bytes),
        ]
    }
}

/// The mapped area.
#[derive(Debug)]
pub struct SharedArea {
    first: NonNull<u8>,
    plan: Plan,
    /// The staging area has been handed out.
    staging_taken: AtomicBool,
}

// SAFETY: the mapping belongs to this value alone until it is dropped, and the two sides agree by the atomic words on
// which range belongs to which side.
unsafe impl Send for SharedArea {}
// SAFETY: as above.
unsafe impl Sync for SharedArea {}

impl SharedArea {
    /// Creates an area, all zero, and the fd (close-on-exec) by which another process maps it.
    ///
    /// # Errors
    /// The system is short of descriptors or memory, or a size is not as [`Plan`] says.
    pub fn create(plan: Plan) -> io::Result<(Self, OwnedFd)> {
        let Plan { ring_bytes, arena_bytes, staging_bytes } = plan;
        let others_fit = [arena_bytes, staging_bytes].iter().all(|bytes| bytes.is_multiple_of(GRAIN_BYTES));
        if !ring_bytes.is_power_of_two() || ring_bytes < GRAIN_BYTES || !others_fit {
            return Err(Errno::EINVAL.into());
        }
        let fd = sealable_file().map_err(refusal::of_call("memfd_create"))?;
        retried(|| ftruncate(&fd, plan.file_bytes() as i64)).map_err(refusal::of_call("ftruncate"))?;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL))
            .map_err(refusal::of_call("fcntl"))?;
        Ok((Self::map(&fd, plan)?, fd))
    }

    /// Maps the area of an fd from [`SharedArea::create`] with the same plan. The fd may be closed afterwards.
    ///
    /// # Errors
    /// The fd is no sealed memory file of this size.
    pub fn from_fd(fd: impl AsFd, plan: Plan) -> io::Result<Self> {
        let seals = SealFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GET_SEALS)?);
        let size = nix::sys::stat::fstat(&fd)?.st_size;
        if !seals.contains(SealFlag::F_SEAL_SHRINK) || usize::try_from(size) != Ok(plan.file_bytes()) {
            return Err(Errno::EINVAL.into());
        }
        Self::map(&fd, plan)
    }

    fn map(fd: &impl AsFd, plan: Plan) -> io::Result<Self> {
        let length = |bytes| NonZeroUsize::new(bytes).ok_or(Errno::EINVAL);
        let reserved = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice; no other memory is affected.
        let first = unsafe { mmap_anonymous(None, length(plan.mapped_bytes())?, ProtFlags::PROT_NONE, reserved) }?;
        // From here on its drop unmaps the addresses.
        let area = Self { first: first.cast(), plan, staging_taken: AtomicBool::new(false) };
        let (access, shared) =
            (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED | MapFlags::MAP_FIXED);
        for (at, offset, bytes) in plan.pieces() {
            if bytes > 0 {
                let place = length(first.as_ptr() as usize + at)?;
                // SAFETY: replaces only addresses that were reserved above and belong to `area` alone.
                unsafe { mmap(Some(place), length(bytes)?, access, shared, fd, offset as i64) }?;
            }
        }
        Ok(area)
    }

    /// The word at `index`.
    ///
    /// # Panics
    /// If `index` is not below [`WORDS`], as a slice does.
    #[inline]
    #[must_use]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: the mapping begins with this many words, is aligned to a page, lives as long as `self`, and cannot be
        // truncated (sealed). All bits are a valid word.
        let words = unsafe { std::slice::from_raw_parts(self.first.as_ptr().cast::<AtomicU64>(), WORDS) };
        &words[index]
    }

    /// Copies `bytes` to `at`; a position in a ring may be any number and counts modulo its size.
    ///
    /// # Panics
    /// If the bytes are longer than the part, or go beyond the end of the arena or the staging area.
    #[inline]
    pub fn put(&self, part: AreaPart, at: u64, bytes: &[u8]) {
        let place = self.place(part, at, bytes.len());
        // SAFETY: `place` checked that this many bytes are mapped there. No reference to them exists in this process
        // (see `borrow_bytes`).
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
    }

    /// Copies bytes from `at` out to `into`; positions as in [`put`](Self::put).
    ///
    /// # Panics
    /// As [`put`](Self::put) does.
    #[inline]
    pub fn take(&self, part: AreaPart, at: u64, into: &mut [u8]) {
        let place = self.place(part, at, into.len());
        // SAFETY: `place` checked that this many bytes are mapped there. The other side may change them meanwhile: then
        // the copy holds a mixture, which is checked like any other bytes.
        unsafe { std::ptr::copy_nonoverlapping(place, into.as_mut_ptr(), into.len()) };
    }

    /// The bytes at `at`, without a copy. For a side that trusts the other one not to change them until they are
    /// reported as read: the worker, for bytes that the supervisor wrote.
    ///
    /// # Panics
    /// As [`put`](Self::put) does.
    #[inline]
    #[must_use]
    pub fn borrow_bytes(&self, part: AreaPart, at: u64, bytes: usize) -> &[u8] {
        let place = self.place(part, at, bytes);
        // SAFETY: `place` checked that this many bytes are mapped there, as long as `self` lives. This side never
        // writes to a part that it reads in place, and the other side does not change the bytes, as said above.
        unsafe { std::slice::from_raw_parts(place, bytes) }
    }

    /// The first byte of each half of the staging area, and the length of a half. `None` from the second call on, so
    /// that the caller is the only code of this process that accesses them.
    pub(super) fn take_staging(&self) -> Option<([NonNull<u8>; 2], usize)> {
        if self.staging_taken.swap(true, Relaxed) {
            return None;
        }
        let half = self.plan.staging_bytes / 2;
        let first = |at: usize| NonNull::new(self.place(AreaPart::StagingArea, at as u64, half));
        Some(([first(0)?, first(half)?], half))
    }

    #[inline]
    fn place(&self, part: AreaPart, at: u64, bytes: usize) -> *mut u8 {
        let Plan { ring_bytes, arena_bytes, staging_bytes } = self.plan;
        let in_ring = at as usize & (ring_bytes - 1);
        let (start, at, end) = match part {
            AreaPart::RingA => (GRAIN_BYTES, in_ring, in_ring + ring_bytes),
            AreaPart::RingB => (GRAIN_BYTES + 2 * ring_bytes, in_ring, in_ring + ring_bytes),
            AreaPart::StagingArea => (GRAIN_BYTES + 4 * ring_bytes, at as usize, staging_bytes),
            AreaPart::Arena => (GRAIN_BYTES + 4 * ring_bytes + staging_bytes, at as usize, arena_bytes),
        };
        assert!(at <= end && bytes <= end - at, "{bytes} bytes at {at} are not within {part:?}");
        // SAFETY: within the mapping, as the line above checks: a ring is mapped twice in a row.
        unsafe { self.first.as_ptr().add(start + at) }
    }
}

impl Drop for SharedArea {
    fn drop(&mut self) {
        // SAFETY: all these addresses were reserved by `map`, and no borrow of them can outlive `self`. The call fails
        // only for a wrong address.
        let _ = unsafe { munmap(self.first.cast::<c_void>(), self.plan.mapped_bytes()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { ring_bytes: 1 << 16, arena_bytes: 1 << 16, staging_bytes: 1 << 16 };

    #[test]
    fn both_mappings_show_the_same_words_and_bytes() {
        let (ours, fd) = SharedArea::create(PLAN).unwrap();
        let theirs = SharedArea::from_fd(&fd, PLAN).unwrap();
        drop(fd);
        theirs.word(WORDS - 1).store(7, Relaxed);
        assert_eq!(ours.word(WORDS - 1).load(Relaxed), 7);
        for (part, at) in [(AreaPart::RingA, 5), (AreaPart::RingB, (7 << 16) + 3), (AreaPart::Arena, (1 << 16) - 4)] {
            ours.put(part, at, format!("{part:?}").get(..4).unwrap().as_bytes());
        }
        assert_eq!(
            (theirs.borrow_bytes(AreaPart::RingA, 5, 4), theirs.borrow_bytes(AreaPart::RingB, 3, 4)),
            (&b"Ring"[..], &b"Ring"[..])
        );
        let mut taken = [0; 4];
        theirs.take(AreaPart::Arena, (1 << 16) - 4, &mut taken);
        assert_eq!(&taken, b"Aren");
    }

    #[test]
    fn bytes_past_the_end_of_a_ring_continue_at_its_start() {
        let (area, _fd) = SharedArea::create(PLAN).unwrap();
        for part in [AreaPart::RingA, AreaPart::RingB] {
            area.put(part, (1 << 16) - 2, b"abcd");
            assert_eq!(
                (area.borrow_bytes(part, 0, 2), area.borrow_bytes(part, (5 << 16) - 2, 4)),
                (&b"cd"[..], &b"abcd"[..])
            );
            assert_eq!(area.borrow_bytes(part, u64::MAX, 1 << 16).len(), 1 << 16);
        }
        assert_eq!(area.borrow_bytes(AreaPart::Arena, 0, 1 << 16), vec![0; 1 << 16]);
    }

    #[test]
    #[should_panic(expected = "are not within")]
    fn nothing_beyond_a_part_is_reached() {
        let (area, _fd) = SharedArea::create(PLAN).unwrap();
        let _ = area.borrow_bytes(AreaPart::Arena, u64::MAX - 1, 4);
    }

    #[test]
    fn the_size_is_sealed_and_other_files_are_refused() {
        let (_ours, fd) = SharedArea::create(PLAN).unwrap();
        assert_eq!(ftruncate(&fd, 0), Err(Errno::EPERM));
        assert_eq!(ftruncate(&fd, 1 << 30), Err(Errno::EPERM));
        assert!(SharedArea::from_fd(&fd, Plan { ring_bytes: 1 << 17, ..PLAN }).is_err());
        assert!(SharedArea::from_fd(tempfile::tempfile().unwrap(), PLAN).is_err());
        assert!(SharedArea::create(Plan { ring_bytes: 3 << 15, ..PLAN }).is_err());
        assert!(SharedArea::create(Plan { arena_bytes: 5, ..PLAN }).is_err());
    }
}
