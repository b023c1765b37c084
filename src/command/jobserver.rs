//! make's jobserver: the descriptors by which a `make` that a command starts takes part in the limit of the outer one.
//!
//! A recipe of make that is marked with `+`, or calls `$(MAKE)`, inherits a pipe of tokens, and `MAKEFLAGS` names its
//! descriptors. Newer ones name a FIFO by its path instead, for which nothing has to be passed on.

use crate::sys::fd;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The options that name the pipe; the second one is that of make before 4.2.
const OPTIONS: [&str; 2] = ["--jobserver-auth=", "--jobserver-fds="];

/// Those that were inherited; none outside of make, and in a recipe that takes no part.
pub fn inherited() -> Vec<i32> {
    let Some(flags) = std::env::var_os("MAKEFLAGS") else { return Vec::new() };
    // make names them also where it has closed them.
    let named = named(&flags).filter(|fds| fds.iter().all(|fd| *fd > 2 && fd::is_pipe(*fd)));
    named.map_or_else(Vec::new, Vec::from)
}

/// The two descriptors that the last such option names.
fn named(flags: &OsStr) -> Option<[i32; 2]> {
    let words = flags.as_bytes().split(|byte| *byte == b' ');
    let mut values = words.filter_map(|word| {
        let word = std::str::from_utf8(word).ok()?;
        OPTIONS.iter().find_map(|option| word.strip_prefix(option))
    });
    let (read, write) = values.next_back()?.split_once(',')?;
    Some([read.parse().ok()?, write.parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pipe_that_the_flags_name_counts_and_a_fifo_is_none() {
        for (flags, fds) in [
            ("", None),
            ("-j4 -- A=--jobserver", None),
            (" -j4 --jobserver-auth=3,4", Some([3, 4])),
            ("w --jobserver-fds=5,6 -j -- X=1", Some([5, 6])),
            ("--jobserver-auth=3,4 --jobserver-auth=-2,-2", Some([-2, -2])),
            (" -j2 --jobserver-auth=fifo:/tmp/GMfifo123", None),
            ("--jobserver-auth=3", None),
        ] {
            assert_eq!(named(OsStr::new(flags)), fds, "{flags}");
        }
    }
}
