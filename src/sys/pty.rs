//! Pseudo-terminals: what a program takes for a terminal, with our end in place of a person.
//!
//! Bytes go through unchanged in both directions: no carriage return is added, nothing is echoed, and no byte is a
//! signal. The terminal is nobody's controlling terminal, so that process groups and their signals are as with pipes, and
//! a program that opens `/dev/tty` finds the one of our session.
//!
//! A terminal of lines ([`Pty::open_lines`]) gives a program its input line by line, as one where a person types does. So
//! its input can end, which that of another terminal cannot: by the byte [`END_OF_INPUT`]. A line that does not fit into
//! the kernel's buffer would be cut there.
//!
//! Invariant: only our end is non-blocking. Each end is an open file of its own.

use super::fd;
use super::interruption::retried;
use super::refusal;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, unlockpt};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::write;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// The window of a terminal that nobody sees, if ours has no size.
const WINDOW: libc::winsize = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// The byte that ends the input of a terminal of lines (Ctrl-D), and that no line on it may hold.
pub const END_OF_INPUT: u8 = 4;

/// Most bytes of a line on a terminal of lines, its newline aside: the kernel's buffer has 4,096 bytes (`N_TTY_BUF_SIZE`),
/// of which one stays free.
pub const LINE_BYTES_MAX: usize = 4094;

/// How often the input of a terminal of lines is ended. A program that reads on behind an end gets another one.
const ENDS: usize = 8;

/// A pseudo-terminal.
pub struct Pty {
    /// Our end, non-blocking. When the last program has closed the terminal, and what they wrote has been read, a read
    /// fails ([`is_end`]).
    pub ours: OwnedFd,
    /// The terminal, for the program.
    pub theirs: OwnedFd,
}

impl Pty {
    /// A new one, with the window of our own terminal, or of 80 columns and 24 rows.
    ///
    /// # Errors
    /// The system is short of descriptors or of terminals.
    pub fn open() -> io::Result<Self> {
        Self::open_with(cfmakeraw)
    }

    /// A new one that gives lines to the program. All bytes but [`END_OF_INPUT`] go through unchanged.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn open_lines() -> io::Result<Self> {
        Self::open_with(|attributes| {
            cfmakeraw(attributes);
            attributes.local_flags.insert(LocalFlags::ICANON);
            // The others would erase, or end a line.
            attributes.control_chars.fill(libc::_POSIX_VDISABLE);
            attributes.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
            attributes.control_chars[SpecialCharacterIndices::VEOF as usize] = END_OF_INPUT;
        })
    }

    fn open_with(set: impl FnOnce(&mut Termios)) -> io::Result<Self> {
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
        set(&mut attributes);
        tcsetattr(&theirs, SetArg::TCSANOW, &attributes)?;
        let window = own_window().unwrap_or(WINDOW);
        // SAFETY: the descriptor is open, and the pointer is to memory of the type that this request reads.
        Errno::result(unsafe { libc::ioctl(theirs.as_raw_fd(), libc::TIOCSWINSZ, &raw const window) })?;
        let ours = OwnedFd::from(master);
        fd::set_nonblocking(&ours)?;
        Ok(Self { ours, theirs })
    }
}

/// The window of the terminal that one of our streams is.
fn own_window() -> Option<libc::winsize> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    [stdout.as_fd(), stderr.as_fd(), stdin.as_fd()].into_iter().find_map(super::window::size)
}

/// Whether a read says that no program has the terminal any more (`pty(7)`). A pipe never says so.
#[must_use]
pub fn is_end(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

/// Ends the input of a terminal of lines behind the lines that were written, by our end. `false`: the terminal takes no
/// more at the moment.
///
/// # Errors
/// The system's.
pub fn end_input(ours: impl AsFd) -> io::Result<bool> {
    match retried(|| write(&ours, &[END_OF_INPUT; ENDS])) {
        // A part of it is an end, too.
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poller::{Interest, Poller};
    use std::fs::File;
    use std::io::{IsTerminal, Read, Write};

    /// What arrives at our end up to its end.
    fn read_all(mut ours: File) -> Vec<u8> {
        let mut poller = Poller::new().unwrap();
        poller.add(&ours, Interest::READ, 0).unwrap();
        let (mut all, mut ready, mut buffer) = (Vec::new(), Vec::new(), [0; 4096]);
        loop {
            match ours.read(&mut buffer) {
                Ok(bytes) => all.extend_from_slice(&buffer[..bytes]),
                Err(error) if is_end(&error) => return all,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => poller.wait(&mut ready, None).unwrap(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn bytes_go_through_unchanged_and_the_end_comes_after_them() {
        let Pty { ours, theirs } = Pty::open().unwrap();
        assert!(theirs.is_terminal());
        let (mut ours, mut program) = (File::from(ours), File::from(theirs));
        let all: Vec<u8> = (0..=255).collect();
        program.write_all(&all).unwrap();
        program.write_all(b"one\ntwo\r\n").unwrap();
        ours.write_all(&all).unwrap();
        let mut read = vec![0; all.len()];
        program.read_exact(&mut read).unwrap();
        assert_eq!(read, all, "no byte is changed or taken for a signal");
        drop(program);
        assert_eq!(read_all(ours), [&all[..], b"one\ntwo\r\n"].concat(), "nothing is echoed");
    }

    #[test]
    fn lines_of_any_bytes_but_one_go_through_and_the_input_ends() {
        let Pty { ours, theirs } = Pty::open_lines().unwrap();
        let (mut ours, mut program) = (File::from(ours), File::from(theirs));
        let all: Vec<u8> = (0..=255).filter(|byte| *byte != END_OF_INPUT && *byte != b'\n').chain([b'\n']).collect();
        let longest = [vec![b'x'; LINE_BYTES_MAX], vec![b'\n']].concat();
        for line in [&all, &longest] {
            ours.write_all(line).unwrap();
            let mut read = vec![0; 2 * longest.len()];
            let bytes = program.read(&mut read).unwrap();
            assert!(read[..bytes] == **line, "{bytes} of {} bytes", line.len());
        }
        ours.write_all(b"last\n").unwrap();
        assert!(end_input(&ours).unwrap());
        let mut read = Vec::new();
        program.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"last\n");
        assert_eq!(program.read(&mut [0]).unwrap(), 0, "a program that reads on gets another end");
        program.write_all(b"out\n").unwrap();
        drop(program);
        assert_eq!(read_all(ours), b"out\n", "nothing is echoed");
    }

    #[test]
    fn a_terminal_that_is_full_takes_no_end_before_it_is_read() {
        let Pty { ours, theirs } = Pty::open_lines().unwrap();
        let (mut ours, mut program) = (File::from(ours), File::from(theirs));
        let mut written = 0;
        while let Ok(bytes) = ours.write(b"a\n") {
            written += bytes;
        }
        assert!(!end_input(&ours).unwrap());
        let mut read = 0;
        let mut ended = false;
        while !ended {
            read += program.read(&mut [0; 4096]).unwrap();
            ended = end_input(&ours).unwrap();
        }
        while let bytes @ 1.. = program.read(&mut [0; 4096]).unwrap() {
            read += bytes;
        }
        assert_eq!(read, written);
    }

    #[test]
    fn its_window_has_a_size() {
        let pty = Pty::open().unwrap();
        assert!(crate::sys::window::columns(&pty.theirs).is_some());
    }
}
