//! Locks on a byte of a file, which processes share: record locks (`fcntl(2)`), of which the system refuses the one that
//! would close a circle of waiting processes, and locks of an open file (`flock(2)`), of which it refuses none.
//!
//! Invariant: a process holds a record lock until it releases it, closes *any* descriptor of the file, or ends.

use super::interruption::retried;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::io;
use std::os::fd::AsFd;

/// Waits until this process has the byte for itself.
///
/// # Errors
/// `EDEADLK`: to wait would be a deadlock ([`is_deadlock`]). `EBADF`: the descriptor is not open for writing.
pub fn lock_byte(fd: impl AsFd, byte: u32) -> io::Result<()> {
    set(fd, byte, libc::F_WRLCK)
}

/// Gives the byte back.
///
/// # Errors
/// None is known.
pub fn unlock_byte(fd: impl AsFd, byte: u32) -> io::Result<()> {
    set(fd, byte, libc::F_UNLCK)
}

/// Whether the system has refused to wait because nobody in the circle could ever go on.
#[must_use]
pub fn is_deadlock(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EDEADLK)
}

fn set(fd: impl AsFd, byte: u32, kind: libc::c_int) -> io::Result<()> {
    let lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: libc::off_t::from(byte),
        l_len: 1,
        l_pid: 0,
    };
    retried(|| fcntl(&fd, FcntlArg::F_SETLKW(&lock))).map_err(|errno: Errno| errno.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_locked_and_given_back() {
        let file = tempfile::tempfile().unwrap();
        lock_byte(&file, 3).unwrap();
        lock_byte(&file, 3).unwrap();
        unlock_byte(&file, 3).unwrap();
        let read_only = std::fs::File::open("/dev/null").unwrap();
        let refused = lock_byte(&read_only, 0).unwrap_err();
        assert!(!is_deadlock(&refused), "{refused}");
        assert!(is_deadlock(&Errno::EDEADLK.into()));
    }
}
