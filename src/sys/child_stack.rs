//! The stack of a child between clone and exec, in our memory.

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The stack of the child's code and of the C library's functions that it calls, with a guard area below. Pages that are
/// not touched take no memory.
const STACK_BYTES: usize = 64 * 1024 + GUARD_BYTES;
/// A multiple of the page size on every machine: the largest that Linux uses is 64 KiB.
const GUARD_BYTES: usize = 64 * 1024;

/// The stack of a child until its exec.
#[derive(Debug)]
pub(super) struct Stack {
    lowest: NonNull<c_void>,
}

impl Stack {
    /// # Errors
    /// There is no memory for it.
    pub(super) fn new() -> io::Result<Self> {
        let bytes = NonZeroUsize::new(STACK_BYTES).ok_or(Errno::EINVAL)?;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK;
        // SAFETY: a new mapping at an address of the system's choice.
        let lowest = unsafe { mmap_anonymous(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }?;
        let stack = Self { lowest };
        // SAFETY: the lowest part of our own mapping, which is not used yet.
        unsafe { mprotect(lowest, GUARD_BYTES, ProtFlags::PROT_NONE) }?;
        Ok(stack)
    }

    /// The lowest byte that may be used, and the number of bytes from there.
    pub(super) fn range(&self) -> (*mut c_void, usize) {
        // SAFETY: within our own mapping.
        (unsafe { self.lowest.as_ptr().byte_add(GUARD_BYTES) }, STACK_BYTES - GUARD_BYTES)
    }

    /// One past the highest byte, where a stack begins; aligned to a page.
    pub(super) fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of our own mapping.
        unsafe { self.lowest.as_ptr().byte_add(STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which no child uses: a spawn returns when its child has left the stack.
        let _ = unsafe { munmap(self.lowest, STACK_BYTES) };
    }
}
