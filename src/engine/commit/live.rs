//! Lines at the bottom of a terminal that are drawn again and again: the bar of `--progress`.
//!
//! They have an outbox of their own, on the terminal of stderr. The cursor rests behind the last line and is never
//! hidden, and no mode of the terminal is changed, so there is nothing to restore but the lines themselves: they are
//! erased before anything else is written, at the end of the run, and when this value is dropped.
//!
//! Invariant: at most one draw in [`REDRAW_EVERY`], and nothing is written to the terminal in the middle of one.

use super::super::system::System;
use crate::model::time::{Duration, Instant};
use crate::reporter::progress::line_columns;
use crate::sys::outbox::{Flushed, Outbox};
use crate::sys::window;
use std::io;

/// How soon the lines are drawn again.
pub const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// Lines at the bottom of a terminal.
pub struct LiveRegion {
    terminal: Outbox,
    /// stdout is the same terminal.
    pub shares_stdout: bool,
    /// What is to be there; empty: nothing.
    wanted: Vec<String>,
    /// `wanted` differs from what was drawn.
    is_new: bool,
    /// The columns of each line that is there.
    drawn: Vec<usize>,
    last_draw: Option<Instant>,
    /// The cursor is at the beginning of a line, where nothing of ours is.
    at_line_start: bool,
}

impl LiveRegion {
    /// `terminal`: another outbox for stderr.
    #[must_use]
    pub const fn new(terminal: Outbox, shares_stdout: bool) -> Self {
        Self {
            terminal,
            shares_stdout,
            wanted: Vec::new(),
            is_new: false,
            drawn: Vec::new(),
            last_draw: None,
            at_line_start: true,
        }
    }

    /// These lines are drawn as soon as they may be. None: what is there is erased before the next bytes.
    pub fn show(&mut self, lines: Vec<String>) {
        self.is_new = !lines.is_empty();
        self.wanted = lines;
    }

    /// Something else has had the terminal meanwhile: the lines are not where they were, and are not drawn before the next
    /// [`LiveRegion::show`].
    pub fn forget(&mut self) {
        self.show(Vec::new());
        self.drawn.clear();
        self.at_line_start = true;
    }

    /// The terminal's columns and lines; `None`: it does not say.
    #[must_use]
    pub fn size(&self) -> Option<(u16, u16)> {
        self.terminal.watch_fd().and_then(window::size).map(|size| (size.ws_col, size.ws_row))
    }

    /// Whether this process may draw at the moment.
    #[must_use]
    pub fn is_in_foreground(&self) -> bool {
        self.terminal.watch_fd().is_none_or(crate::sys::terminal::is_in_foreground)
    }

    pub const fn is_drawn(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// Whether a draw, or an erasure, is written in part.
    pub fn is_in_between(&self) -> bool {
        !self.terminal.is_empty()
    }

    /// From when on the lines may be drawn.
    pub fn next_draw(&self) -> Instant {
        self.last_draw.map_or(Instant::ZERO, |last| last + REDRAW_EVERY)
    }

    /// Whether lines are wanted that are not there.
    pub const fn waits_for_draw(&self) -> bool {
        !self.wanted.is_empty() && (self.is_new || self.drawn.is_empty())
    }

    /// Something else was written to the terminal.
    pub const fn note_written(&mut self, ends_line: bool) {
        self.at_line_start = ends_line;
    }

    /// Erases the lines. `Blocked`: something of them is still there.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn erase(&mut self, system: &mut dyn System) -> io::Result<Flushed> {
        self.push_erasure();
        if self.terminal.is_empty() { Ok(Flushed::All) } else { system.flush(&mut self.terminal) }
    }

    fn push_erasure(&mut self) {
        if self.is_drawn() {
            self.push_home();
            self.terminal.push(b"\x1b[J");
            self.drawn.clear();
            self.at_line_start = true;
        }
    }

    /// Moves the cursor to the beginning of the first line. A line that is wider than the terminal has become takes several.
    fn push_home(&mut self) {
        let columns = self.size().map_or(usize::MAX, |(columns, _)| usize::from(columns));
        let lines: usize = self.drawn.iter().map(|line| line.div_ceil(columns).max(1)).sum();
        self.terminal.push(b"\r");
        if lines > 1 {
            self.terminal.push(format!("\x1b[{}A", lines - 1).as_bytes());
        }
    }

    /// Draws the lines if they are due. Everything else that is to be on the terminal has been written.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, system: &mut dyn System, now: Instant) -> io::Result<Flushed> {
        if self.waits_for_draw() && !self.is_in_between() && self.next_draw() <= now {
            self.push_lines();
            self.last_draw = Some(now);
        }
        if self.is_in_between() { system.flush(&mut self.terminal) } else { Ok(Flushed::All) }
    }

    /// Over those that are there, without erasing them first: that would flicker.
    fn push_lines(&mut self) {
        if self.is_drawn() {
            self.push_home();
        } else if !self.at_line_start {
            // The end of a result without a newline.
            self.terminal.push(b"\r\n");
        }
        for (index, line) in self.wanted.iter().enumerate() {
            self.terminal.push(if index > 0 { b"\r\n" } else { b"\r" });
            self.terminal.push(line.as_bytes());
            self.terminal.push(b"\x1b[K");
        }
        self.terminal.push(b"\x1b[J");
        self.drawn = self.wanted.iter().map(|line| line_columns(line)).collect();
        self.is_new = false;
        self.at_line_start = false;
    }
}

impl Drop for LiveRegion {
    /// A run that breaks off leaves no line behind.
    fn drop(&mut self) {
        self.push_erasure();
        // What the terminal does not take at once is lost with the run.
        let _ = self.terminal.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::turn::Turn;
    use super::super::output::OutputStreams;
    use super::super::testing::Still;
    use super::*;
    use nix::pty::{OpenptyResult, Winsize, openpty};
    use nix::sys::termios::{LocalFlags, OutputFlags, SetArg, tcgetattr, tcsetattr};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};

    /// A terminal of 80 columns that changes nothing of what is written to it.
    struct Pty {
        master: File,
        slave: OwnedFd,
    }

    impl Pty {
        fn open() -> Self {
            let OpenptyResult { master, slave } = openpty(&size(80), None).unwrap();
            let mut modes = tcgetattr(&slave).unwrap();
            modes.output_flags.remove(OutputFlags::OPOST);
            modes.local_flags.remove(LocalFlags::ECHO);
            tcsetattr(&slave, SetArg::TCSANOW, &modes).unwrap();
            Self { master: File::from(master), slave }
        }

        fn outbox(&self) -> Outbox {
            Outbox::new(self.slave.as_fd()).unwrap()
        }

        fn resize(&self, columns: u16) {
            // SAFETY: the request reads a value of this type, which outlives the call.
            let set = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &size(columns)) };
            assert_eq!(set, 0);
        }

        /// Some of what was written since the last call; at least a byte of it is there.
        fn written(&mut self) -> String {
            let mut bytes = [0; 4096];
            let count = self.master.read(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        }

        /// What was written since the last call begins with this. The system hands on what is written in parts.
        fn has(&mut self, expected: &str) -> String {
            let mut written = String::new();
            while written.len() < expected.len() {
                written.push_str(&self.written());
            }
            assert!(written.starts_with(expected), "{written:?} instead of {expected:?}");
            written.split_off(expected.len())
        }

        /// This was written since the last call, and nothing else.
        fn has_only(&mut self, expected: &str) {
            assert_eq!(self.has(expected), "", "behind {expected:?}");
        }
    }

    fn size(columns: u16) -> Winsize {
        Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    /// stdout and stderr on one terminal, with a bar.
    fn streams(pty: &Pty) -> (OutputStreams, Turn) {
        let output = OutputStreams::new(pty.outbox(), pty.outbox()).with_live(LiveRegion::new(pty.outbox(), true));
        (output, Turn::new(Box::new(Still)))
    }

    fn flush(output: &mut OutputStreams, turn: &mut Turn, ms: u64) {
        turn.now = at(ms);
        output.flush(turn);
    }

    #[test]
    fn the_bar_is_erased_before_anything_else_and_drawn_again_behind_it() {
        let mut pty = Pty::open();
        let (mut output, mut turn) = streams(&pty);
        output.live().unwrap().show(lines(&["bar"]));
        flush(&mut output, &mut turn, 0);
        pty.has_only("\rbar\x1b[K\x1b[J");
        output.out.push(b"result\n");
        output.err.push(b"notice\n");
        flush(&mut output, &mut turn, 99);
        assert_eq!(output.next_retry(turn.now), Some(at(100)), "it waits for the next moment of the bar");
        output.live().unwrap().show(lines(&["bar 2", "item"]));
        flush(&mut output, &mut turn, 100);
        pty.has_only("\r\x1b[Jresult\nnotice\n\rbar 2\x1b[K\r\nitem\x1b[K\x1b[J");
        output.close_live(&mut turn);
        pty.has_only("\r\x1b[1A\x1b[J");
        output.out.push(b"last\n");
        flush(&mut output, &mut turn, 101);
        // Nothing waits, and nothing is drawn.
        pty.has_only("last\n");
    }

    #[test]
    fn a_result_without_a_newline_keeps_its_line() {
        let mut pty = Pty::open();
        let (mut output, mut turn) = streams(&pty);
        output.out.push(b"no newline");
        output.live().unwrap().show(lines(&["bar"]));
        flush(&mut output, &mut turn, 0);
        pty.has_only("no newline\r\n\rbar\x1b[K\x1b[J");
    }

    #[test]
    fn much_output_does_not_wait_and_the_bar_is_drawn_no_more_often() {
        let mut pty = Pty::open();
        let (mut output, mut turn) = streams(&pty);
        output.live().unwrap().show(lines(&["bar"]));
        flush(&mut output, &mut turn, 0);
        pty.has_only("\rbar\x1b[K\x1b[J");
        output.out.pass(&[b'x'; 70_000]);
        assert_eq!(output.out.len(), 70_000, "nothing is written before the bar is erased");
        flush(&mut output, &mut turn, 1);
        pty.has("\r\x1b[Jx");
        assert!(!output.live().unwrap().is_drawn());
        // The terminal is full; what it reports is waited for, not the time.
        assert_eq!(output.next_retry(turn.now), None);
        while !output.out.is_empty() {
            pty.written();
            flush(&mut output, &mut turn, 2);
        }
        assert_eq!(output.next_retry(turn.now), Some(at(100)));
    }

    #[test]
    fn stdout_elsewhere_is_never_held_back() {
        let (mut pty, mut other) = (Pty::open(), Pty::open());
        let live = LiveRegion::new(pty.outbox(), false);
        let mut output = OutputStreams::new(other.outbox(), pty.outbox()).with_live(live);
        let mut turn = Turn::new(Box::new(Still));
        output.live().unwrap().show(lines(&["bar"]));
        flush(&mut output, &mut turn, 0);
        pty.has_only("\rbar\x1b[K\x1b[J");
        output.err.push(b"notice\n");
        output.out.push(b"result\n");
        flush(&mut output, &mut turn, 1);
        other.has_only("result\n");
        flush(&mut output, &mut turn, 100);
        // Nothing new is wanted, so the same bar comes back.
        pty.has_only("\r\x1b[Jnotice\n\rbar\x1b[K\x1b[J");
    }

    #[test]
    fn on_a_narrower_terminal_a_line_takes_several() {
        let mut pty = Pty::open();
        let mut live = LiveRegion::new(pty.outbox(), true);
        live.show(lines(&[&"x".repeat(70), "y"]));
        live.draw(&mut Still, at(0)).unwrap();
        pty.has_only(&format!("\r{}\x1b[K\r\ny\x1b[K\x1b[J", "x".repeat(70)));
        pty.resize(30);
        live.erase(&mut Still).unwrap();
        pty.has_only("\r\x1b[3A\x1b[J");
    }

    #[test]
    fn a_run_that_breaks_off_leaves_no_line() {
        let mut pty = Pty::open();
        let mut live = LiveRegion::new(pty.outbox(), true);
        live.show(lines(&["bar"]));
        live.draw(&mut Still, at(0)).unwrap();
        drop(live);
        pty.has_only("\rbar\x1b[K\x1b[J\r\x1b[J");
    }

    #[test]
    fn in_a_terminal_that_another_job_has_had_the_bar_starts_anew() {
        let mut pty = Pty::open();
        let mut live = LiveRegion::new(pty.outbox(), true);
        live.show(lines(&["bar", "item"]));
        live.draw(&mut Still, at(0)).unwrap();
        pty.has_only("\rbar\x1b[K\r\nitem\x1b[K\x1b[J");
        live.forget();
        assert_eq!((live.draw(&mut Still, at(200)).unwrap(), live.is_in_between()), (Flushed::All, false));
        live.show(lines(&["bar"]));
        live.draw(&mut Still, at(300)).unwrap();
        // No line of the other job is erased.
        pty.has_only("\rbar\x1b[K\x1b[J");
    }
}
