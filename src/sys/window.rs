//! The size of a terminal's window.

use std::io::IsTerminal;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

/// Columns of the terminal at this descriptor; `None` if it is no terminal or does not say.
#[must_use]
pub fn columns(fd: impl AsFd) -> Option<u16> {
    size(fd).map(|size| size.ws_col)
}

/// The window of the terminal at this descriptor; `None` if it is no terminal or has no columns.
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
}
