//! 64-bit words that two processes share: a sealed memory file, passed as an fd.
//!
//! Invariant: the size is sealed, so neither process can make the other one fault by truncating the file. The other
//! process writes the words at will: check every value.

use super::interruption::retried;
use super::refusal;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::ftruncate;
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// The largest area that is mapped: far above any use, a limit for an fd that another process made.
const WORDS_MAX: usize = 1 << 20;

/// 64-bit words in shared memory, zero at first.
#[derive(Debug)]
pub struct SharedWords {
    first: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the mapping belongs to this value alone until it is dropped, and all access to it is by atomics.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Creates an area and the fd (close-on-exec) by which another process maps it.
    ///
    /// # Errors
    /// The system is short of descriptors or memory, or the number of words is 0 or too large.
    pub fn create(words: usize) -> io::Result<(Self, OwnedFd)> {
        let bytes = bytes_of(words)?;
        let fd = sealable_file().map_err(refusal::of_call("memfd_create"))?;
        retried(|| ftruncate(&fd, bytes as i64)).map_err(refusal::of_call("ftruncate"))?;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL))
            .map_err(refusal::of_call("fcntl"))?;
        Ok((Self::map(&fd, words)?, fd))
    }

    /// Maps the area of an fd that another process got from [`SharedWords::create`]. The fd may be closed afterwards.
    ///
    /// # Errors
    /// The fd is no sealed memory file, or the file is too large.
    pub fn from_fd(fd: impl AsFd) -> io::Result<Self> {
        let seals = SealFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GET_SEALS)?);
        if !seals.contains(SealFlag::F_SEAL_SHRINK) {
            return Err(Errno::EINVAL.into());
        }
        let bytes = usize::try_from(nix::sys::stat::fstat(&fd)?.st_size).map_err(|_| Errno::EINVAL)?;
        Self::map(&fd, bytes / size_of::<AtomicU64>())
    }

    /// Maps the same number of words at the start of a regular file. For a side that trusts every process that can truncate
    /// the file: to touch a word that is gone raises SIGBUS.
    ///
    /// # Errors
    /// It is no regular file, or of another size.
    pub fn from_trusted_file(fd: impl AsFd, words: usize) -> io::Result<Self> {
        let status = nix::sys::stat::fstat(&fd)?;
        let is_regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
        if !is_regular || usize::try_from(status.st_size) != Ok(bytes_of(words)?) {
            return Err(Errno::EINVAL.into());
        }
        Self::map(fd, words)
    }

    fn map(fd: impl AsFd, words: usize) -> io::Result<Self> {
        let bytes = NonZeroUsize::new(bytes_of(words)?).ok_or(Errno::EINVAL)?;
        // SAFETY: a new mapping at an address of the system's choice; no other memory is affected.
        let first =
            unsafe { mmap(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, fd, 0) }?;
        Ok(Self { first: first.cast(), words })
    }

    /// The number of words.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.words
    }

    /// Never true: there is at least one word.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// The word at `index`.
    ///
    /// # Panics
    /// If there is no such word, as a slice does.
    #[must_use]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: the mapping has this length, is aligned to a page, lives as long as `self`, and cannot be truncated
        // (sealed). All bits are a valid word.
        let words = unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.words) };
        &words[index]
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and no borrow of it can outlive `self`. The call
        // fails only for a wrong address.
        let _ = unsafe { munmap(self.first.cast::<c_void>(), self.words * size_of::<AtomicU64>()) };
    }
}

fn bytes_of(words: usize) -> io::Result<usize> {
    if (1..=WORDS_MAX).contains(&words) { Ok(words * size_of::<AtomicU64>()) } else { Err(Errno::EINVAL.into()) }
}

/// An empty file in memory, without a name. It may be opened again by its descriptor's name below `/proc`.
///
/// # Errors
/// The system is short of descriptors, or refuses the call.
pub fn memory_file() -> io::Result<File> {
    Ok(File::from(sealable_file().map_err(refusal::of_call("memfd_create"))?))
}

/// A system may require `MFD_NOEXEC_SEAL` (`vm.memfd_noexec`, Linux 6.3), and an older one does not know it.
pub(super) fn sealable_file() -> nix::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let strict = MFdFlags::from_bits_retain(flags.bits() | libc::MFD_NOEXEC_SEAL);
    match memfd_create(c"supervisor", strict) {
        Err(Errno::EINVAL) => memfd_create(c"supervisor", flags),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn both_mappings_show_the_same_words() {
        let (ours, fd) = SharedWords::create(64).unwrap();
        let theirs = SharedWords::from_fd(&fd).unwrap();
        drop(fd);
        assert_eq!(theirs.len(), 64);
        theirs.word(63).store(7, Relaxed);
        assert_eq!(ours.word(63).load(Relaxed), 7);
        assert_eq!(ours.word(0).load(Relaxed), 0);
    }

    #[test]
    fn the_size_is_sealed() {
        let (_ours, fd) = SharedWords::create(16).unwrap();
        assert_eq!(ftruncate(&fd, 0), Err(Errno::EPERM));
        assert_eq!(ftruncate(&fd, 1 << 20), Err(Errno::EPERM));
    }

    #[test]
    fn a_foreign_fd_is_refused() {
        assert!(SharedWords::from_fd(tempfile::tempfile().unwrap()).is_err());
        let (reader, _writer) = std::io::pipe().unwrap();
        assert!(SharedWords::from_fd(reader).is_err());
        assert!(SharedWords::create(0).is_err());
        assert!(SharedWords::create(usize::MAX).is_err());
    }
}
