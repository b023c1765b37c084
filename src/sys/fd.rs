//! Small functions for file descriptors that `std` has only behind `unsafe` or not at all.
//!
//! Invariant: every fd made here is close-on-exec. An inherited stdin or stdout is never made non-blocking, because the
//! user's shell shares its open file.

use super::interruption::retried;
use super::refusal;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::stat::{Mode, umask};
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

/// A pipe: the end to read from, the end to write to.
///
/// # Errors
/// The system is short of descriptors.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(refusal::of_call("pipe2"))
}

/// A pipe whose end to read from, the first, does not block. The end to write to does, whoever gets it.
///
/// # Errors
/// The system is short of descriptors.
pub fn pipe_to_poll() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe()?;
    // A new pipe has no other flag that could be lost.
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(refusal::of_call("fcntl"))?;
    Ok((ours, theirs))
}

/// Reads what is there, up to so many bytes, from an fd that does not block. 0: its end.
///
/// # Errors
/// `WouldBlock`: nothing is there at the moment; those of `read(2)`.
pub fn read_now(fd: impl AsFd, bytes: &mut [u8]) -> io::Result<usize> {
    Ok(retried(|| nix::unistd::read(&fd, bytes))?)
}

/// Makes reads and writes return `WouldBlock` instead of waiting. For fds of our own only: the flag applies to every
/// process that shares the open file.
///
/// # Errors
/// Those of `fcntl(2)`.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = fcntl(&fd, FcntlArg::F_GETFL).map_err(refusal::of_call("fcntl"))?;
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(&fd, FcntlArg::F_SETFL(flags)).map_err(refusal::of_call("fcntl"))?;
    Ok(())
}

/// Asks for a larger pipe buffer and returns the resulting size. After a refusal (the user's limit, no pipe) the size
/// is unchanged.
#[must_use]
pub fn enlarge_pipe(fd: impl AsFd, bytes: u32) -> usize {
    let wanted = i32::try_from(bytes).unwrap_or(i32::MAX);
    let size = match fcntl(&fd, FcntlArg::F_GETPIPE_SZ) {
        // The system shrinks a buffer if it is asked for less.
        Ok(size) if size < wanted => fcntl(&fd, FcntlArg::F_SETPIPE_SZ(wanted)).or(Ok(size)),
        size => size,
    };
    size.ok().and_then(|size| usize::try_from(size).ok()).unwrap_or(0)
}

/// How many bytes can be read from a pipe, a socket or a file without waiting.
///
/// # Errors
/// It is of another kind.
pub fn unread_bytes(fd: impl AsFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and the call writes one integer to memory that outlives it.
    Errno::result(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut bytes) })?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// `/dev/null`, to read and to write.
///
/// # Errors
/// Those of `open(2)`.
pub fn dev_null() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}

/// Opens the same file again, read-only, with a position of its own at the beginning.
///
/// # Errors
/// Those of `open(2)`; `/proc` must be mounted.
fn reopen_to_read(file: &File) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// A descriptor of the same file for another process, read-only. It is an open file of its own where the system allows
/// that: then the other process changes neither the flags nor the position of ours.
///
/// # Errors
/// The system is short of descriptors.
pub fn to_read_elsewhere(file: &File) -> io::Result<File> {
    reopen_to_read(file).or_else(|_| file.try_clone())
}

/// Whether this process has a descriptor of this number.
#[must_use]
pub fn is_open(number: RawFd) -> bool {
    // SAFETY: reads a flag; if the number is not open the call fails.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

/// Whether this number is a pipe, or a FIFO.
#[must_use]
pub fn is_pipe(number: RawFd) -> bool {
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the pointer is to memory of the right type; zeroes are a valid value, and so is what the system writes.
    unsafe {
        libc::fstat(number, status.as_mut_ptr()) == 0 && status.assume_init().st_mode & libc::S_IFMT == libc::S_IFIFO
    }
}

/// Takes ownership of an inherited fd by its number, and makes it close-on-exec.
///
/// An inherited fd is not close-on-exec, and every fd that this program opens is: so each number is taken at most once,
/// and an fd that has an owner is refused. 0 to 2 are refused too, because `std` owns them.
///
/// # Errors
/// The number is not open, or was not inherited.
pub fn take_inherited(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: the calls below return an error if the number is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if FdFlag::from_bits_retain(fcntl(borrowed, FcntlArg::F_GETFD)?).contains(FdFlag::FD_CLOEXEC) {
        return Err(Errno::EBADF.into());
    }
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open, because the calls succeeded, and it has no owner: see above.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A second descriptor of the open file with this number.
///
/// # Errors
/// The number is not open, or the system is short of descriptors.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call below returns an error if the number is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number.max(0)) };
    let second = fcntl(borrowed, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: a new fd without an owner.
    Ok(unsafe { OwnedFd::from_raw_fd(second) })
}

/// Calls `make` with a umask that allows access to this user only. The umask is the process's: files that other threads
/// create meanwhile are private too.
pub fn with_files_for_us_alone<T>(make: impl FnOnce() -> T) -> T {
    // Without the lock one of two threads would take the other's umask for the one to restore.
    static UMASK: Mutex<()> = Mutex::new(());
    let _umask = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let before = umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let made = make();
    umask(before);
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_read_of_an_empty_nonblocking_pipe_does_not_wait() {
        let (reader, _writer) = pipe().unwrap();
        set_nonblocking(&reader).unwrap();
        let mut byte = [0];
        assert_eq!(File::from(reader).read(&mut byte).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn pipes_grow_and_other_things_do_not() {
        let (reader, _writer) = pipe().unwrap();
        let size = enlarge_pipe(&reader, 128 * 1024);
        assert!(size > 0);
        assert_eq!(enlarge_pipe(&reader, 4096), size);
        assert_eq!(enlarge_pipe(dev_null().unwrap(), 4096), 0);
    }

    #[test]
    fn a_file_without_a_name_is_opened_again_to_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let mut again = reopen_to_read(&file).unwrap();
        let mut text = String::new();
        again.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        assert!(again.write_all(b"x").is_err());
        let elsewhere = to_read_elsewhere(&file).unwrap();
        fcntl(&elsewhere, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let ours = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL).unwrap());
        assert!(!ours.contains(OFlag::O_NONBLOCK));
    }

    #[test]
    fn a_second_descriptor_outlives_the_first() {
        let (reader, writer) = pipe().unwrap();
        let second = duplicate(writer.as_raw_fd()).unwrap();
        assert!(FdFlag::from_bits_retain(fcntl(&second, FcntlArg::F_GETFD).unwrap()).contains(FdFlag::FD_CLOEXEC));
        drop(writer);
        std::io::Write::write_all(&mut File::from(second), b"x").unwrap();
        assert_eq!(File::from(reader).read(&mut [0; 2]).unwrap(), 1);
        assert!(duplicate(1_000_000).is_err());
    }

    #[test]
    fn an_inherited_fd_is_taken_once() {
        let (reader, _writer) = pipe().unwrap();
        assert!(take_inherited(reader.as_raw_fd()).is_err(), "it has an owner");
        let inherited = fcntl(&reader, FcntlArg::F_DUPFD(100)).unwrap();
        let taken = take_inherited(inherited).unwrap();
        assert_eq!(taken.as_raw_fd(), inherited);
        assert!(take_inherited(inherited).is_err());
        assert!(take_inherited(1_000_000).is_err());
        assert!(take_inherited(1).is_err());
    }
}
