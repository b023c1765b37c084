//! The size of a terminal's window.

use nix::sys::stat::fstat;
use std::io::IsTerminal;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

/// Columns of the terminal at this descriptor; `None` if it is no terminal or does not say.
#[must_use]
pub fn columns(fd: impl AsFd) -> Option<u16> {
    size(fd).map(|size| size.ws_col)
}

/// The window of the terminal at this descriptor; `None` if it is no terminal or does not say how wide it is.
#[must_use]
pub fn size(fd: impl AsFd) -> Option<libc::winsize> {
    let fd = fd.as_fd();
    if !fd.is_terminal() {
        return None;
    }
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the pointer is to memory of the type that this request fills in, and outlives the call.
    let answer = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) };
    // SAFETY: zeroes are a valid value, and so is what the system wrote.
    let size = unsafe { size.assume_init() };
    (answer == 0 && size.ws_col > 0).then_some(size)
}

/// Whether both descriptors are the same terminal.
#[must_use]
pub fn is_same_terminal(one: impl AsFd, other: impl AsFd) -> bool {
    let device = |fd: &dyn IsTerminal, status: nix::Result<nix::sys::stat::FileStat>| {
        status.ok().filter(|_| fd.is_terminal()).map(|status| status.st_rdev)
    };
    let (one, other) = (one.as_fd(), other.as_fd());
    let of_one = device(&one, fstat(one));
    of_one.is_some() && of_one == device(&other, fstat(other))
}

/// Whether text with movements of the cursor makes sense on this terminal: it is one, and its kind is known.
#[must_use]
pub fn moves_cursor(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Columns for text on stdout: those of `COLUMNS`, of the terminal, or 80.
#[must_use]
pub fn text_columns() -> usize {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    set.or_else(|| columns(std::io::stdout()).map(usize::from)).unwrap_or(80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_no_columns() {
        assert_eq!(columns(std::fs::File::open("/dev/null").unwrap()), None);
    }

    #[test]
    fn both_ends_of_a_program_may_be_the_same_terminal() {
        let (one, two) = (nix::pty::openpty(None, None).unwrap(), nix::pty::openpty(None, None).unwrap());
        assert!(is_same_terminal(&one.slave, one.slave.try_clone().unwrap()));
        assert!(!is_same_terminal(&one.slave, &two.slave));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(!is_same_terminal(&file, &file), "the same file, and no terminal");
    }
}
