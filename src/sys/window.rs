//! The size of a terminal's window.

use std::io::IsTerminal;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

/// Columns of the terminal at this descriptor; `None` if it is no terminal or does not say.
#[must_use]
pub fn columns(fd: impl AsFd) -> Option<u16> {
    let fd = fd.as_fd();
    if !fd.is_terminal() {
        return None;
    }
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the pointer is to memory of the type that this request fills in, and outlives the call.
    let answer = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) };
    // SAFETY: zeroes are a valid value, and so is what the system wrote.
    let columns = unsafe { size.assume_init() }.ws_col;
    (answer == 0 && columns > 0).then_some(columns)
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
