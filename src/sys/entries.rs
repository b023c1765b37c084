//! The names in a folder, without memory of its own.
//!
//! Invariant: system calls only, because a child between clone and exec and the guard call these functions.

use std::ffi::{CStr, c_long};
use std::os::fd::RawFd;

/// `struct linux_dirent64`: inode, offset, then the length of the entry, its type, and its name with a NUL.
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

/// Calls `each` with every name in an open folder, from where it was read last, `.` and `..` too. Returns whether the end
/// was reached.
pub(super) fn for_each_name(folder: RawFd, mut each: impl FnMut(&CStr)) -> bool {
    let mut entries = [0_u64; 256];
    loop {
        // SAFETY: the system writes at most the length that it is told.
        let read: c_long =
            unsafe { libc::syscall(libc::SYS_getdents64, folder, entries.as_mut_ptr(), size_of_val(&entries)) };
        // SAFETY: the bytes of an array of integers, for as long as it is not changed.
        let bytes = unsafe { std::slice::from_raw_parts(entries.as_ptr().cast::<u8>(), size_of_val(&entries)) };
        let Some(mut rest) = usize::try_from(read).ok().filter(|read| *read > 0).and_then(|read| bytes.get(..read))
        else {
            return read == 0;
        };
        while let Some(length) = rest.get(LENGTH_AT..).and_then(|from| from.first_chunk::<2>()) {
            let length = usize::from(u16::from_ne_bytes(*length));
            let name = rest.get(NAME_AT..length).and_then(|name| CStr::from_bytes_until_nul(name).ok());
            name.into_iter().for_each(&mut each);
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
    }
}
