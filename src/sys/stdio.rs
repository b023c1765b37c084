//! Whether stdin, stdout and stderr were closed when the program started, and whether stdin holds input.
//!
//! Before `main`, std opens `/dev/null` in place of a closed one, so it looks like an empty input or a sink. To report
//! it as the caller's mistake, it must be checked earlier: a function in `.init_array` runs before std does.
//!
//! Invariant: the check runs once and changes nothing.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bit N: fd N was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

#[used]
#[unsafe(link_section = ".init_array")]
static RECORD: extern "C" fn() = record;

extern "C" fn record() {
    let mut closed = 0;
    for fd in 0..3 {
        // SAFETY: the call returns an error if the number is closed; it needs nothing that is set up before main.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            closed |= 1 << fd;
        }
    }
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Whether fd 0, 1 or 2 was closed at the start; false for any other number.
#[must_use]
pub fn was_closed(fd: i32) -> bool {
    (0..3).contains(&fd) && CLOSED.load(Ordering::Relaxed) & (1 << fd) != 0
}

/// Whether text on this stream has colors unless somebody says otherwise: it is a terminal that can show them, and the
/// environment does not forbid them (<https://no-color.org>).
#[must_use]
pub fn shows_color(stream: &impl IsTerminal) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// If stdin is no terminal and bytes wait in it. Nothing is read, and nothing is waited for.
#[must_use]
pub fn stdin_holds_bytes() -> bool {
    let stdin = std::io::stdin();
    if was_closed(0) || stdin.is_terminal() {
        return false;
    }
    let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    if !poll(&mut ready, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        return false;
    }
    super::fd::unread_bytes(&stdin).is_ok_and(|bytes| bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, lines_of, play};
    use super::*;

    #[test]
    fn a_closed_descriptor_is_known_although_std_opened_it() {
        const TEST: &str = "sys::stdio::tests::a_closed_descriptor_is_known_although_std_opened_it";
        if is_role(TEST) {
            eprintln!("@{:?}", [0, 1, 2, 3].map(was_closed));
            return;
        }
        for (redirect, expected) in [
            ("<&-", "@[true, false, false, false]"),
            (">&-", "@[false, true, false, false]"),
            ("", "@[false, false, false, false]"),
        ] {
            let program = play(TEST);
            let mut shell = std::process::Command::new("/bin/sh");
            shell.args(["-c", &format!("exec \"$0\" \"$@\" {redirect}")]).arg(program.get_program());
            shell.args(program.get_args()).envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
            assert_eq!(lines_of(&shell.output().unwrap().stderr, '@'), [expected]);
        }
    }
}
