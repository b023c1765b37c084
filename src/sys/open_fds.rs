//! All descriptors of this process from a number on, in one go.
//!
//! `close_range` does it. Old container profiles and emulators refuse that call; then the open descriptors are found in
//! `/proc/self/fd`, and without `/proc` every number up to the limit is tried.
//!
//! Invariant: system calls only, because a child between clone and exec calls these functions.

use super::entries::for_each_name;
use super::fd::is_open;
use super::raw_call::raw_call;
use std::ffi::c_uint;
use std::os::fd::RawFd;

/// Without `/proc`, higher numbers are not tried.
const NUMBERS_MAX: u64 = 1 << 20;

/// Marks them as close-on-exec. Leaves `errno` alone if [`can_mark_at_once`].
pub(super) fn mark_close_on_exec(first: RawFd) {
    if !mark_from(first.cast_unsigned()) {
        // SAFETY: as above; if the number is not open the call fails.
        for_each(first, |fd| _ = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) });
    }
}

/// Whether the system marks all of them in one call.
pub(super) fn can_mark_at_once() -> bool {
    // No descriptor has this number.
    mark_from(c_uint::MAX)
}

fn mark_from(first: c_uint) -> bool {
    let arguments = [first as usize, c_uint::MAX as usize, libc::CLOSE_RANGE_CLOEXEC as usize];
    // SAFETY: changes flags of this process's own descriptors.
    unsafe { raw_call(libc::SYS_close_range, arguments) }.is_ok()
}

/// Closes them.
///
/// # Safety
/// Nothing of this process uses them any more.
pub(super) unsafe fn close(first: RawFd) {
    // SAFETY: the caller's promise.
    unsafe {
        if libc::close_range(first.cast_unsigned(), c_uint::MAX, 0) != 0 {
            for_each(first, |fd| _ = libc::close(fd));
        }
    }
}

/// How many there are.
pub(super) fn count() -> u64 {
    let mut count = 0;
    for_each(0, |fd| count += u64::from(is_open(fd)));
    count
}

/// Those that programs inherit: they are open, and not close-on-exec.
#[must_use]
pub fn inherited(first: RawFd) -> Vec<RawFd> {
    let mut found = Vec::new();
    // SAFETY: reads a flag; if the number is not open the call fails.
    for_each(first, |fd| {
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == 0 {
            found.push(fd)
        }
    });
    found
}

/// Calls `each` with every open descriptor; without `/proc` also with numbers that are not open.
fn for_each(first: RawFd, mut each: impl FnMut(RawFd)) {
    // SAFETY: a path that ends with a NUL.
    let folder = unsafe { libc::open(c"/proc/self/fd".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) };
    if folder < 0 {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to memory of the right type.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        return (first..limit.rlim_max.min(NUMBERS_MAX) as RawFd).for_each(each);
    }
    for_each_name(folder, |name| {
        let fd = number(name.to_bytes());
        fd.into_iter().filter(|fd| *fd >= first && *fd != folder).for_each(&mut each);
    });
    // SAFETY: opened above.
    unsafe { libc::close(folder) };
}

/// The number that these digits are.
fn number(digits: &[u8]) -> Option<RawFd> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0, |number: RawFd, byte| {
        let digit = byte.is_ascii_digit().then(|| RawFd::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn each_open_descriptor_is_found_once_without_close_range() {
        let files: Vec<_> = (0..300).map(|_| crate::sys::fd::dev_null().unwrap()).collect();
        let first = files[0].as_raw_fd();
        let mut found = Vec::new();
        for_each(first, |fd| found.push(fd));
        for file in &files {
            let times = found.iter().filter(|fd| **fd == file.as_raw_fd()).count();
            assert_eq!(times, usize::from(file.as_raw_fd() >= first), "{file:?}");
        }
        assert!(found.iter().all(|fd| *fd >= first));
        assert_eq!([number(b"17"), number(b"."), number(b""), number(b"99999999999")], [Some(17), None, None, None]);
    }
}
