//! Stretches of files mapped into memory, to be read.
//!
//! Somebody may cut a file short while it is mapped; touching what is gone raises SIGBUS, which would end us. So there
//! is a handler: if the fault lies in a mapping of ours it puts pages of zeros there, marks the mapping as lost and
//! counts the loss, and whoever used the bytes asks afterwards ([`Mapping::is_lost`], [`losses`]) and throws away what
//! came of them. Any other SIGBUS has its default action.
//!
//! Invariant: no byte of a mapping is touched before it is in the handler's table, or after it has left it.

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Once};

/// Most mappings at a time; whoever needs more reads instead.
const MAPPINGS_MAX: usize = 512;

/// A row of the handler's table. Free: `start` is 0. Being filled in: 1.
struct Row {
    start: AtomicUsize,
    end: AtomicUsize,
    lost: AtomicBool,
}

static TABLE: [Row; MAPPINGS_MAX] = [const { Row::free() }; MAPPINGS_MAX];

static LOSSES: AtomicU64 = AtomicU64::new(0);

static PAGE_BYTES: AtomicUsize = AtomicUsize::new(4096);

static HANDLER: Once = Once::new();

/// How often, in this process, bytes of a mapping turned out to be gone. Remember it before bytes are used, compare it
/// afterwards: if it has grown, they may have been zeros.
#[must_use]
pub fn losses() -> u64 {
    LOSSES.load(Relaxed)
}

/// Bytes of a file, read-only.
#[derive(Debug)]
pub struct Mapping {
    file: Arc<File>,
    offset: u64,
    /// Of the page in which the bytes begin.
    base: NonNull<u8>,
    /// Of whole pages.
    mapped_bytes: usize,
    /// Bytes of the first page that lie before.
    skipped: usize,
    bytes: usize,
    row: usize,
    cold: bool,
}

// SAFETY: the mapping belongs to this value alone until it is dropped, and is only read.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `bytes` bytes of `file` from `offset` on. That they are there is not asked: what is not is lost.
    ///
    /// # Errors
    /// This file cannot be mapped, nothing is to be mapped, or too much is mapped already.
    pub fn new(file: &Arc<File>, offset: u64, bytes: usize) -> io::Result<Self> {
        install_handler();
        let page_bytes = PAGE_BYTES.load(Relaxed);
        let skipped = (offset % page_bytes as u64) as usize;
        let mapped_bytes = bytes.checked_add(skipped + page_bytes - 1).ok_or(ErrorKind::InvalidInput)?;
        let mapped_bytes = mapped_bytes / page_bytes * page_bytes;
        let length = NonZeroUsize::new(mapped_bytes).filter(|_| bytes > 0).ok_or(ErrorKind::InvalidInput)?;
        let start = i64::try_from(offset - skipped as u64).map_err(|_| ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at an address of the system's choice; nobody else's memory is touched.
        let base = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &**file, start) }?.cast();
        let Some(row) = Row::claim(base.as_ptr() as usize, mapped_bytes) else {
            // SAFETY: made above, and nobody has seen it.
            let _ = unsafe { munmap(base.cast::<c_void>(), mapped_bytes) };
            return Err(ErrorKind::QuotaExceeded.into());
        };
        Ok(Self { file: Arc::clone(file), offset, base, mapped_bytes, skipped, bytes, row, cold: false })
    }

    /// The file.
    #[must_use]
    pub const fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Where in the file the bytes begin.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Nobody here means to look at more than a few of the bytes: they take no memory of this process.
    #[must_use]
    pub const fn cold(mut self) -> Self {
        self.cold = true;
        self
    }

    /// Nobody here means to look at them.
    #[must_use]
    pub const fn is_cold(&self) -> bool {
        self.cold
    }

    /// Forgets all but the first `bytes` bytes.
    pub fn truncate(&mut self, bytes: usize) {
        self.bytes = self.bytes.min(bytes);
    }

    /// Some of the bytes turned out to be gone, and read as zeros from now on.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        TABLE[self.row].lost.load(Acquire)
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is that long and lives as long as `self`; if its file is cut short the handler keeps it
        // readable. Another process may write to the file meanwhile: then any bytes may be read, and any bytes are
        // valid. Nothing is read into pointers, lengths or text on the strength of an earlier look.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(self.skipped), self.bytes) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        TABLE[self.row].release();
        // SAFETY: made by `new` with this length, and no borrow of it can outlive `self`. It can only fail for a wrong
        // address.
        let _ = unsafe { munmap(self.base.cast::<c_void>(), self.mapped_bytes) };
    }
}

impl Row {
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

    /// The end of this row's mapping, if `address` lies in it. Its mapping cannot go meanwhile, since somebody is
    /// reading there; a row that changes is another's.
    fn end_if_holds(&self, address: usize) -> Option<usize> {
        let start = self.start.load(SeqCst);
        let end = self.end.load(SeqCst);
        let holds = start > 1 && (start..end).contains(&address) && self.start.load(SeqCst) == start;
        holds.then_some(end)
    }
}

fn install_handler() {
    HANDLER.call_once(|| {
        // SAFETY: asks for a number.
        let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        PAGE_BYTES.store(usize::try_from(page_bytes).unwrap_or(4096), Relaxed);
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_bus_error;
        // SAFETY: all zeros is an action that blocks nothing.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the handler does only what is allowed in one; see there. It cannot fail for this signal.
        unsafe { libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) };
    });
}

/// In the middle of anything: atomics and system calls only, no allocation, no lock.
extern "C" fn on_bus_error(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system hands over a valid description; of a fault, with its address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let is_fault = code > 0;
    if is_fault && replace_lost_pages(address) {
        return;
    }
    // Not ours: back to the fault, or to what somebody sent, with the default action.
    // SAFETY: both are allowed in a handler. The signal is blocked until it returns.
    unsafe {
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
        if !is_fault {
            libc::raise(libc::SIGBUS);
        }
    }
}

/// Puts zeros where a mapping has lost its file, from the page of `address` to the mapping's end.
fn replace_lost_pages(address: usize) -> bool {
    let Some((row, end)) = TABLE.iter().find_map(|row| Some((row, row.end_if_holds(address)?))) else { return false };
    let page = address / PAGE_BYTES.load(Relaxed) * PAGE_BYTES.load(Relaxed);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: replaces pages of a mapping of ours, which stays as long as it was; the thread that reads there waits for
    // this handler. errno is as before for the code that was interrupted.
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
    fn a_stretch_of_a_file_is_mapped_wherever_it_lies() {
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
    fn bytes_that_are_cut_off_read_as_zeros_and_are_told() {
        let file = file_of(&[7; 40_000]);
        let (whole, other) = (Mapping::new(&file, 100, 39_000).unwrap(), Mapping::new(&file, 0, 4096).unwrap());
        assert!(whole.iter().all(|byte| *byte == 7));
        let before = losses();
        file.set_len(10_000).unwrap();
        assert_eq!(whole[9_000], 7);
        assert_eq!(whole[30_000], 0);
        assert!(losses() > before);
        assert!(whole.is_lost() && !other.is_lost());
        // Once lost, always lost, also if the file grows again.
        file.set_len(40_000).unwrap();
        assert_eq!(whole.iter().filter(|byte| **byte == 7).count(), 10_000 - 100);
        let anew = Mapping::new(&file, 100, 39_000).unwrap();
        assert!(!anew.is_lost());
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
        // Alone, since the table is the process's.
        assert!(play(TEST).output().unwrap().status.success());
    }

    #[test]
    fn a_bus_error_of_anybody_else_ends_the_process() {
        const TEST: &str = "sys::mapping::tests::a_bus_error_of_anybody_else_ends_the_process";
        if is_role(TEST) {
            let file = file_of(&[1; 8192]);
            let _ours = Mapping::new(&file, 0, 8192).unwrap();
            if std::env::var_os("SENT").is_some() {
                // SAFETY: sends a signal, touches no memory.
                unsafe { libc::kill(libc::getpid(), libc::SIGBUS) };
            }
            let length = NonZeroUsize::new(8192).unwrap();
            // SAFETY: a new mapping; that it faults is what is tried.
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
