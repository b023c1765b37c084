//! Ranges of files mapped into memory, read-only.
//!
//! Another process may truncate a file while it is mapped; reading a page that is gone raises SIGBUS, which would end
//! this process. So SIGBUS has a handler while there are mappings: if the fault is in a mapping of ours, the handler
//! puts pages of zeros there, marks the mapping as lost and counts the loss. Code that has used the bytes checks
//! afterwards ([`Mapping::is_lost`], [`losses`]) and discards what it has made of them. For any other SIGBUS the
//! handler calls the one that was there before, or applies the default action.
//!
//! Invariant: no byte of a mapping is touched before it is in the handler's table, or after it has left the table.

use super::disposition::{self, Change, Disposition};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// The most mappings at a time. Beyond it, files are read.
const MAPPINGS_MAX: usize = 512;

/// A row of the handler's table. `start` is 0: the row is free; 1: it is being filled in.
struct MappingRow {
    start: AtomicUsize,
    end: AtomicUsize,
    lost: AtomicBool,
}

static TABLE: [MappingRow; MAPPINGS_MAX] = [const { MappingRow::free() }; MAPPINGS_MAX];

static LOSSES: AtomicU64 = AtomicU64::new(0);

static PAGE_BYTES: AtomicUsize = AtomicUsize::new(4096);

/// How often, in this process, bytes of a mapping were found to be gone. Compare the number from before bytes are used
/// with the one from afterwards: if it has grown, the bytes may have been zeros.
#[must_use]
pub fn losses() -> u64 {
    LOSSES.load(Relaxed)
}

/// Bytes of a file, read-only.
#[derive(Debug)]
pub struct Mapping {
    file: Arc<File>,
    offset: u64,
    /// Address of the page in which the bytes begin.
    base: NonNull<u8>,
    /// A multiple of the page size.
    mapped_bytes: usize,
    /// Bytes of the first page before the first byte.
    skipped: usize,
    bytes: usize,
    row: usize,
    cold: bool,
    /// Keeps the handler installed.
    _handler: Option<Disposition>,
}

// SAFETY: the mapping belongs to this value alone until it is dropped, and is only read.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `bytes` bytes of `file` from `offset` on. The size of the file is not checked: bytes beyond its end are
    /// lost.
    ///
    /// # Errors
    /// This file cannot be mapped, `bytes` is 0, or there are too many mappings already.
    pub fn new(file: &Arc<File>, offset: u64, bytes: usize) -> io::Result<Self> {
        let handler = install_handler()?;
        let page_bytes = PAGE_BYTES.load(Relaxed);
        let skipped = (offset % page_bytes as u64) as usize;
        let mapped_bytes = bytes.checked_add(skipped + page_bytes - 1).ok_or(ErrorKind::InvalidInput)?;
        let mapped_bytes = mapped_bytes / page_bytes * page_bytes;
        let length = NonZeroUsize::new(mapped_bytes).filter(|_| bytes > 0).ok_or(ErrorKind::InvalidInput)?;
        let start = i64::try_from(offset - skipped as u64).map_err(|_| ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at an address of the system's choice; no other memory is affected.
        let base = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &**file, start) }?.cast();
        let Some(row) = MappingRow::claim(base.as_ptr() as usize, mapped_bytes) else {
            // SAFETY: made above, and no pointer to it is left.
            let _ = unsafe { munmap(base.cast::<c_void>(), mapped_bytes) };
            return Err(ErrorKind::QuotaExceeded.into());
        };
        Ok(Self {
            file: Arc::clone(file),
            offset,
            base,
            mapped_bytes,
            skipped,
            bytes,
            row,
            cold: false,
            _handler: handler,
        })
    }

    /// The file.
    #[must_use]
    pub const fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The offset of the first byte in the file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Marks the bytes as cold: this process will read a few of them at most, so they take none of its memory.
    #[must_use]
    pub const fn cold(mut self) -> Self {
        self.cold = true;
        self
    }

    /// Whether this process will read a few of the bytes at most.
    #[must_use]
    pub const fn is_cold(&self) -> bool {
        self.cold
    }

    /// Forgets all but the first `bytes` bytes.
    pub fn truncate(&mut self, bytes: usize) {
        self.bytes = self.bytes.min(bytes);
    }

    /// Whether some of the bytes were found to be gone; they read as zeros from then on.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        TABLE[self.row].lost.load(Acquire)
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping has this length and lives as long as `self`; if its file is truncated the handler keeps
        // it readable. Another process may write to the file meanwhile: then any bytes may be read, and any bytes are
        // valid. No pointer, length or text is made of bytes that were checked in an earlier read.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(self.skipped), self.bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        TABLE[self.row].release();
        // SAFETY: made by `new` with this length, and no borrow of it can outlive `self`. It fails only for a wrong
        // address.
        let _ = unsafe { munmap(self.base.cast::<c_void>(), self.mapped_bytes) };
    }
}

impl MappingRow {
    const fn free() -> Self {
        Self { start: AtomicUsize::new(0), end: AtomicUsize::new(0), lost: AtomicBool::new(false) }
    }

    /// Takes a free row for a mapping.
    fn claim(start: usize, bytes: usize) -> Option<usize> {
        let index = TABLE.iter().position(|row| row.start.compare_exchange(0, 1, AcqRel, Relaxed).is_ok())?;
        let row = &TABLE[index];
        row.lost.store(false, Relaxed);
        row.end.store(start + bytes, SeqCst);
        row.start.store(start, SeqCst);
        Some(index)
    }

    fn release(&self) {
        self.end.store(0, SeqCst);
        self.start.store(0, SeqCst);
    }

    /// The end of this row's mapping, if `address` is in it. That mapping cannot end meanwhile, because a thread is
    /// reading it; a row that changes belongs to another mapping.
    fn end_if_holds(&self, address: usize) -> Option<usize> {
        let start = self.start.load(SeqCst);
        let end = self.end.load(SeqCst);
        let holds = start > 1 && (start..end).contains(&address) && self.start.load(SeqCst) == start;
        holds.then_some(end)
    }
}

fn install_handler() -> io::Result<Option<Disposition>> {
    // SAFETY: returns a number.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    PAGE_BYTES.store(usize::try_from(page_bytes).unwrap_or(4096), Relaxed);
    Disposition::change(libc::SIGBUS, Change::Handle(on_bus_error))
}

/// It may interrupt any code, so it makes atomic accesses and system calls only: no allocation, no lock.
extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes a valid description; of a fault, with its address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let is_fault = code > 0;
    if is_fault && replace_lost_pages(address) {
        return;
    }
    // Not ours. Without an earlier handler the fault, or the signal that a process sent, is repeated with the default
    // action.
    // SAFETY: the arguments of this handler. The calls are allowed in a handler, and the signal is blocked until it
    // returns.
    unsafe {
        if disposition::call_previous(signal, info, context) {
            return;
        }
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
        if !is_fault {
            libc::raise(libc::SIGBUS);
        }
    }
}

/// Puts zeros where a mapping has lost its file: from the page of `address` to the end of the mapping.
fn replace_lost_pages(address: usize) -> bool {
    let Some((row, end)) = TABLE.iter().find_map(|row| Some((row, row.end_if_holds(address)?))) else { return false };
    let page = address / PAGE_BYTES.load(Relaxed) * PAGE_BYTES.load(Relaxed);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: replaces pages of a mapping of ours, which keeps its length; the thread that reads there waits for this
    // handler. errno is as before for the code that was interrupted.
    let mapped = unsafe {
        let errno = *libc::__errno_location();
        let mapped = libc::mmap(page as *mut c_void, end - page, libc::PROT_READ, flags, -1, 0);
        *libc::__errno_location() = errno;
        mapped
    };
    if mapped == libc::MAP_FAILED {
        return false;
    }
    row.lost.store(true, Release);
    LOSSES.fetch_add(1, Relaxed);
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, play};
    use super::*;
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;

    fn file_of(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[test]
    fn any_range_of_a_file_can_be_mapped() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|number| number as u8).collect();
        let file = file_of(&bytes);
        for (offset, length) in [(0, 1), (0, 20_000), (1, 4096), (4095, 2), (4096, 4096), (9999, 10_001)] {
            let mapping = Mapping::new(&file, offset as u64, length).unwrap();
            assert_eq!(&*mapping, &bytes[offset..offset + length]);
            assert_eq!((mapping.offset(), mapping.is_lost()), (offset as u64, false));
        }
        let mut mapping = Mapping::new(&file, 5, 100).unwrap();
        mapping.truncate(3);
        assert_eq!(&*mapping, &bytes[5..8]);
    }

    #[test]
    fn what_cannot_be_mapped_is_an_error() {
        assert!(Mapping::new(&file_of(b"x"), 0, 0).is_err());
        assert!(Mapping::new(&file_of(b"x"), u64::MAX, 1).is_err());
        assert!(Mapping::new(&file_of(b"x"), 0, usize::MAX).is_err());
        assert!(Mapping::new(&Arc::new(File::open("/").unwrap()), 0, 1).is_err());
        assert!(Mapping::new(&Arc::new(File::open("/proc/self/stat").unwrap()), 0, 1).is_err());
    }

    #[test]
    fn bytes_that_are_cut_off_read_as_zeros_and_count_as_lost() {
        let file = file_of(&[7; 40_000]);
        let (whole, other) = (Mapping::new(&file, 100, 39_000).unwrap(), Mapping::new(&file, 0, 4096).unwrap());
        assert!(whole.iter().all(|byte| *byte == 7));
        let before = losses();
        file.set_len(10_000).unwrap();
        assert_eq!(whole[9_000], 7);
        assert_eq!(whole[30_000], 0);
        assert!(losses() > before);
        assert!(whole.is_lost() && !other.is_lost());
        // Lost bytes stay lost when the file grows again.
        file.set_len(40_000).unwrap();
        assert_eq!(whole.iter().filter(|byte| **byte == 7).count(), 10_000 - 100);
        let anew = Mapping::new(&file, 100, 39_000).unwrap();
        assert!(!anew.is_lost());
    }

    #[test]
    fn dropping_the_last_mapping_restores_the_handler() {
        const TEST: &str = "sys::mapping::tests::dropping_the_last_mapping_restores_the_handler";
        if !is_role(TEST) {
            assert!(play(TEST).output().unwrap().status.success());
            return;
        }
        let handler = || disposition::present(libc::SIGBUS).unwrap().sa_sigaction;
        let before = handler();
        let file = file_of(&[1; 10]);
        let (first, second) = (Mapping::new(&file, 0, 10).unwrap(), Mapping::new(&file, 0, 5).unwrap());
        drop(first);
        assert_ne!(handler(), before);
        drop(second);
        assert_eq!(handler(), before);
    }

    #[test]
    fn many_threads_lose_their_mappings_at_once() {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..50 {
                        let file = file_of(&[1; 8192]);
                        let mapping = Mapping::new(&file, 0, 8192).unwrap();
                        file.set_len(0).unwrap();
                        assert!(mapping.iter().all(|byte| *byte == 0) && mapping.is_lost());
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn more_mappings_than_the_table_holds_are_refused() {
        const TEST: &str = "sys::mapping::tests::more_mappings_than_the_table_holds_are_refused";
        if is_role(TEST) {
            let file = file_of(&[1; 10]);
            let mut mappings: Vec<Mapping> = Vec::new();
            let error = loop {
                match Mapping::new(&file, 0, 10) {
                    Ok(mapping) => mappings.push(mapping),
                    Err(error) => break error,
                }
            };
            assert_eq!((mappings.len(), error.kind()), (MAPPINGS_MAX, ErrorKind::QuotaExceeded));
            mappings.pop();
            assert!(Mapping::new(&file, 0, 10).is_ok());
            return;
        }
        // In a process of its own, which has the table for itself.
        assert!(play(TEST).output().unwrap().status.success());
    }

    #[test]
    fn a_bus_error_outside_of_our_mappings_ends_the_process() {
        const TEST: &str = "sys::mapping::tests::a_bus_error_outside_of_our_mappings_ends_the_process";
        if is_role(TEST) {
            let file = file_of(&[1; 8192]);
            let _ours = Mapping::new(&file, 0, 8192).unwrap();
            if std::env::var_os("SENT").is_some() {
                // SAFETY: sends a signal, touches no memory.
                unsafe { libc::kill(libc::getpid(), libc::SIGBUS) };
            }
            let length = NonZeroUsize::new(8192).unwrap();
            // SAFETY: a new mapping. The test expects the fault.
            let theirs = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &*file, 0) }.unwrap();
            file.set_len(0).unwrap();
            // SAFETY: within the mapping.
            std::process::exit(i32::from(unsafe { theirs.cast::<u8>().as_ptr().read_volatile() }));
        }
        for sent in [false, true] {
            let mut command = play(TEST);
            if sent {
                command.env("SENT", "1");
            }
            assert_eq!(command.output().unwrap().status.signal(), Some(libc::SIGBUS), "sent: {sent}");
        }
    }
}
