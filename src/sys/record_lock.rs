//! Locks on a byte of a file, which processes share: record locks (`fcntl(2)`), of which the system refuses the one that
//! would close a circle of waiting processes, and locks of an open file (`F_OFD_SETLK`).
//!
//! Invariant: a process holds a record lock until it releases it, closes *any* descriptor of the file, or ends.

use super::interruption::retried;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;
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

/// Locks a whole file for this open file: until the last descriptor of it, in whichever process, is closed (`F_OFD_SETLK`,
/// `fcntl(2)`).
///
/// # Errors
/// `WouldBlock`: another open file has it. Others: the file system has no such locks.
pub fn lock_open_file(file: &File) -> io::Result<()> {
    let lock = whole_file(libc::F_WRLCK);
    match retried(|| fcntl(file, FcntlArg::F_OFD_SETLK(&lock))) {
        Ok(_) => Ok(()),
        Err(Errno::EACCES | Errno::EAGAIN) => Err(io::ErrorKind::WouldBlock.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// The same, and waits as long as another open file has it (`F_OFD_SETLKW`).
///
/// # Errors
/// The file system has no such locks.
pub fn wait_for_open_file(file: &File) -> io::Result<()> {
    let lock = whole_file(libc::F_WRLCK);
    retried(|| fcntl(file, FcntlArg::F_OFD_SETLKW(&lock))).map_err(|errno: Errno| io::Error::from(errno)).map(drop)
}

/// Whether another open file has a part of this one for itself. Takes no lock, and a descriptor that is open for reading
/// is enough.
///
/// # Errors
/// `EINVAL`, `ENOLCK`: the file system has no such locks.
pub fn is_locked(fd: impl AsFd) -> io::Result<bool> {
    // Only a write lock stands in the way of a read lock.
    let mut lock = whole_file(libc::F_RDLCK);
    retried(|| fcntl(&fd, FcntlArg::F_OFD_GETLK(&mut lock))).map_err(|errno: Errno| io::Error::from(errno))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

const fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
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
    fn a_file_is_locked_until_the_last_descriptor_of_the_open_file_is_closed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (first, other) = (file.reopen().unwrap(), file.reopen().unwrap());
        assert!(!is_locked(&other).unwrap());
        lock_open_file(&first).unwrap();
        lock_open_file(&first).unwrap();
        let copy = first.try_clone().unwrap();
        drop(first);
        assert_eq!(lock_open_file(&other).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(is_locked(File::open(file.path()).unwrap()).unwrap() && !is_locked(&copy).unwrap());
        drop(copy);
        // Until its `exec`, a child of another thread has a copy, too.
        while is_locked(&other).unwrap() {
            std::thread::yield_now();
        }
        lock_open_file(&other).unwrap();
    }

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
