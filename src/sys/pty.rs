//! Pseudo-terminals: what a program takes for a terminal, with our end in place of a person.
//!
//! Bytes go through unchanged in both directions: no carriage return is added, nothing is echoed, and no byte is a
//! signal. The terminal is nobody's controlling terminal, so that process groups and their signals are as with pipes, and
//! a program that opens `/dev/tty` finds the one of our session.
//!
//! Invariant: only our end is non-blocking. Each end is an open file of its own.

use super::fd;
use super::refusal;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, unlockpt};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The window of a terminal that nobody sees, if ours has no size.
const WINDOW: libc::winsize = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// What a terminal that reads lines takes for the end of the input.
const END_OF_INPUT: u8 = 4;

/// A pseudo-terminal.
pub struct Pty {
    pub ours: PtyEnd,
    /// The terminal, for the program's stdin, stdout and stderr.
    pub theirs: OwnedFd,
}

impl Pty {
    /// A new one, with the window of our own terminal, or of 80 columns and 24 rows.
    ///
    /// # Errors
    /// The system is short of descriptors or of terminals.
    pub fn open() -> io::Result<Self> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
            .map_err(refusal::of_call("posix_openpt"))?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: the descriptor is open while `master` lives, and the call accesses no memory. Its answer is a new
        // descriptor without an owner.
        let theirs =
            unsafe { OwnedFd::from_raw_fd(Errno::result(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags))?) };
        let mut attributes = tcgetattr(&theirs)?;
        cfmakeraw(&mut attributes);
        tcsetattr(&theirs, SetArg::TCSANOW, &attributes)?;
        let window = own_window().unwrap_or(WINDOW);
        // SAFETY: the descriptor is open, and the pointer is to memory of the type that this request reads.
        Errno::result(unsafe { libc::ioctl(theirs.as_raw_fd(), libc::TIOCSWINSZ, &raw const window) })?;
        let ours = File::from(OwnedFd::from(master));
        fd::set_nonblocking(&ours)?;
        Ok(Self { ours: PtyEnd(ours), theirs })
    }
}

/// The window of the terminal that one of our streams is.
fn own_window() -> Option<libc::winsize> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    [stdout.as_fd(), stderr.as_fd(), stdin.as_fd()].into_iter().find_map(super::window::size)
}

/// Our end of a pseudo-terminal, non-blocking. When the last program has closed the terminal, and what they wrote has
/// been read, it is at its end.
#[derive(Debug)]
pub struct PtyEnd(File);

impl PtyEnd {
    /// A second descriptor of the same end.
    ///
    /// # Errors
    /// The system is short of descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Lets the program read end-of-file behind what was written. There is no way to close one direction: the terminal is
    /// switched to reading lines, and then gets the byte that ends an input at a keyboard.
    pub fn end_input(&self) {
        let Ok(mut attributes) = tcgetattr(&self.0) else { return };
        attributes.local_flags |= LocalFlags::ICANON;
        attributes.control_chars.fill(libc::_POSIX_VDISABLE);
        attributes.control_chars[SpecialCharacterIndices::VEOF as usize] = END_OF_INPUT;
        // A program that has ended needs no end of its input; one that does not read is ended by its limits.
        let _ = tcsetattr(&self.0, SetArg::TCSANOW, &attributes);
        // One ends a line that is not complete, which the program then reads; the next one is the end.
        let _ = (&self.0).write(&[END_OF_INPUT; 2]);
    }
}

impl AsFd for PtyEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<PtyEnd> for OwnedFd {
    fn from(end: PtyEnd) -> Self {
        end.0.into()
    }
}

impl Read for PtyEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into) {
            Err(error) if is_end(&error) => Ok(0),
            read => read,
        }
    }
}

impl Write for PtyEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a read says that no program has the terminal any more (`pty(7)`). A pipe never says so.
#[must_use]
pub fn is_end(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poller::{Interest, Poller};
    use std::io::IsTerminal;

    /// What arrives at our end up to its end.
    fn read_all(ours: &mut PtyEnd) -> Vec<u8> {
        let mut poller = Poller::new().unwrap();
        poller.add(&*ours, Interest::READ, 0).unwrap();
        let (mut all, mut ready, mut buffer) = (Vec::new(), Vec::new(), [0; 4096]);
        loop {
            match ours.read(&mut buffer) {
                Ok(0) => return all,
                Ok(bytes) => all.extend_from_slice(&buffer[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => poller.wait(&mut ready, None).unwrap(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn bytes_go_through_unchanged_and_the_end_comes_after_them() {
        let Pty { mut ours, theirs } = Pty::open().unwrap();
        assert!(theirs.is_terminal());
        let all: Vec<u8> = (0..=255).collect();
        let mut program = File::from(theirs);
        program.write_all(&all).unwrap();
        program.write_all(b"one\ntwo\r\n").unwrap();
        ours.write_all(&all).unwrap();
        let mut read = vec![0; all.len()];
        program.read_exact(&mut read).unwrap();
        assert_eq!(read, all, "no byte is echoed, changed or taken for a signal");
        drop(program);
        assert_eq!(read_all(&mut ours), [&all[..], b"one\ntwo\r\n"].concat());
    }

    #[test]
    fn the_end_of_the_input_comes_behind_what_was_written() {
        for written in [&b""[..], b"no newline", b"a\nb\n"] {
            let Pty { mut ours, theirs } = Pty::open().unwrap();
            ours.write_all(written).unwrap();
            let reader = std::thread::spawn(move || {
                let mut text = Vec::new();
                File::from(theirs).read_to_end(&mut text).unwrap();
                text
            });
            ours.end_input();
            assert_eq!(reader.join().unwrap(), written);
        }
    }

    #[test]
    fn its_window_has_a_size() {
        let Pty { theirs, .. } = Pty::open().unwrap();
        assert!(crate::sys::window::columns(&theirs).is_some());
    }
}
