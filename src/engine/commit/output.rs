//! stdout and stderr: what waits for them and for other outputs, and when that is too much.
//!
//! A bar ([`LiveRegion`]) is erased before anything else is written to its terminal, and drawn again behind it. What is
//! written to that terminal waits for the next moment at which the bar may be drawn, up to [`super::REDRAW_EVERY`].
//!
//! Invariant: never blocks. Above [`WAITING_BYTES_MAX`] the output is congested until half of that is written; the
//! reactor then takes in no items and reads from no resident worker.

use super::super::token::Port;
use super::super::turn::Turn;
use super::live::LiveRegion;
use crate::core::input::Input;
use crate::model::outcome::StopReason;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::reporter::caller::UntakenBytes;
use crate::sys::outbox::{Flushed, Outbox};
use crate::sys::poller::Interest;
use std::io;
use std::sync::Arc;

/// Bytes waiting for stdout and stderr above which the output is congested.
const WAITING_BYTES_MAX: u64 = 1 << 20;

/// Below this, a congested output is no longer congested.
pub const RESUME_BYTES: u64 = WAITING_BYTES_MAX / 2;

/// More than this does not wait for the moment at which a bar may be drawn again.
const HELD_BYTES_MAX: u64 = 64 * 1024;

/// How soon a stream is written to again that the system had no memory to watch.
const WATCH_RETRY: Duration = Duration::from_millis(5);

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Both streams.
pub struct OutputStreams {
    pub out: Outbox,
    pub err: Outbox,
    /// What stdout is watched for.
    stdout_interest: Interest,
    /// stderr is in the poll set.
    stderr_watched: bool,
    stdout_lost: bool,
    congested: bool,
    /// Bytes that wait for files of reporters.
    waiting_for_files: u64,
    /// What the program that started the run has not taken.
    untaken: Option<Arc<UntakenBytes>>,
    /// A bar on the terminal of stderr.
    live: Option<LiveRegion>,
    /// The name of the file that results go to in place of stdout.
    file_name: Option<String>,
}

impl OutputStreams {
    pub fn new(out: Outbox, err: Outbox) -> Self {
        Self {
            out,
            err,
            stdout_interest: Interest::NONE,
            stderr_watched: false,
            stdout_lost: false,
            congested: false,
            waiting_for_files: 0,
            untaken: None,
            live: None,
            file_name: None,
        }
    }

    /// With a bar on the terminal of stderr.
    #[must_use]
    pub fn with_live(mut self, live: LiveRegion) -> Self {
        self.err.wait_for_flush();
        if live.shares_stdout {
            self.out.wait_for_flush();
        }
        Self { live: Some(live), ..self }
    }

    /// With a file of this name in place of stdout, if there is one.
    #[must_use]
    pub fn with_file_name(self, file_name: Option<String>) -> Self {
        Self { file_name, ..self }
    }

    /// Why a run stops whose results cannot be written.
    pub fn lost(&self, error: &io::Error) -> StopReason {
        match &self.file_name {
            Some(name) => StopReason::StorageLost(format!("write results to {name}: {error}")),
            None => stdout_lost(error),
        }
    }

    /// The bar, if there is one.
    pub const fn live(&mut self) -> Option<&mut LiveRegion> {
        self.live.as_mut()
    }

    /// With notifications to a program, which count as bytes that wait.
    #[must_use]
    pub fn with_untaken(mut self, untaken: Arc<UntakenBytes>) -> Self {
        self.untaken = Some(untaken);
        self
    }

    /// Watches stdout for the loss of its reader. A regular file cannot be watched, and need not be.
    pub fn watch(&mut self, turn: &mut Turn) {
        if let Some(fd) = self.out.watch_fd() {
            let _ = turn.system.watch(fd, Interest::NONE, Port::Stdout.token());
        }
    }

    /// Bytes that wait for files of reporters count as bytes that wait for stdout.
    pub const fn set_waiting_for_files(&mut self, bytes: u64) {
        self.waiting_for_files = bytes;
    }

    pub const fn is_congested(&self) -> bool {
        self.congested
    }

    /// When to write again if bytes wait for stderr and it cannot be watched: no event reports that it takes them.
    pub fn next_retry(&self, now: Instant) -> Option<Instant> {
        let live = self.live.as_ref();
        if live.is_some_and(|live| self.is_held(live, now)) {
            return live.map(LiveRegion::next_draw);
        }
        let waits = !self.err.is_empty() || live.is_some_and(LiveRegion::is_in_between);
        let unwatched = !self.stderr_watched && self.err.watch_fd().is_some() && waits;
        let redraw = live.filter(|live| live.waits_for_draw() && !self.is_behind(live)).map(LiveRegion::next_draw);
        unwatched.then(|| now + WATCH_RETRY).into_iter().chain(redraw).min()
    }

    /// Whether what waits for the terminal of the bar waits until the bar may be drawn again: erased earlier, it would
    /// be missing until then.
    fn is_held(&self, live: &LiveRegion, now: Instant) -> bool {
        let waiting = self.err.len() + if live.shares_stdout { self.out.len() } else { 0 };
        live.is_drawn() && !live.is_in_between() && now < live.next_draw() && (1..HELD_BYTES_MAX).contains(&waiting)
    }

    /// Whether something else is still to be written to the terminal of the bar. That it takes bytes again is an event.
    fn is_behind(&self, live: &LiveRegion) -> bool {
        !self.err.is_empty() || (live.shares_stdout && !self.out.is_empty()) || live.is_in_between()
    }

    /// Erases the bar if this stream is on its terminal. `Blocked`: it is still there, so nothing else may be written.
    fn erase_live(&mut self, stream: Stream, turn: &mut Turn) -> Flushed {
        let Some(live) = self.live.as_mut().filter(|live| stream == Stream::Stderr || live.shares_stdout) else {
            return Flushed::All;
        };
        let erased = live.erase(turn.system.as_mut());
        // A terminal that is gone shows no bar; the streams find out for themselves.
        erased.unwrap_or_else(|_| {
            self.live = None;
            Flushed::All
        })
    }

    /// No bar is drawn any more; the one that is there goes before the next bytes.
    pub fn close_live(&mut self, turn: &mut Turn) {
        if let Some(live) = &mut self.live {
            live.show(Vec::new());
            let _ = self.erase_live(Stream::Stderr, turn);
        }
    }

    /// This process is about to stop: what is to be said is said, and no bar stays on the terminal.
    pub fn leave_terminal(&mut self, turn: &mut Turn) {
        self.close_live(turn);
        self.flush_stderr(turn);
    }

    /// It goes on: something else may have had the terminal meanwhile.
    pub fn return_to_terminal(&mut self) {
        if let Some(live) = &mut self.live {
            live.forget();
        }
    }

    /// Draws the bar behind everything else, if it is due.
    fn draw_live(&mut self, turn: &mut Turn) {
        let may_draw = self.live.as_ref().is_some_and(|live| live.is_in_between() || !self.is_behind(live));
        let Some(live) = self.live.as_mut().filter(|_| may_draw) else { return };
        match live.draw(turn.system.as_mut(), turn.now) {
            Ok(drawn) => self.watch_stream(Stream::Stderr, drawn == Flushed::Blocked, turn),
            Err(_) => self.live = None,
        }
    }

    /// Writes what this stream takes, behind the bar's place.
    ///
    /// # Errors
    /// As of [`Outbox::flush`].
    pub fn flush_stream(&mut self, stream: Stream, turn: &mut Turn) -> io::Result<Flushed> {
        let has_bytes = |outbox: &Outbox| self.live.is_some() && !outbox.is_empty();
        let had_bytes = has_bytes(if stream == Stream::Stdout { &self.out } else { &self.err });
        if had_bytes && self.erase_live(stream, turn) == Flushed::Blocked {
            return Ok(Flushed::Blocked);
        }
        let outbox = if stream == Stream::Stdout { &mut self.out } else { &mut self.err };
        let flushed = turn.system.flush(outbox);
        if let Some(live) =
            self.live.as_mut().filter(|live| had_bytes && (stream == Stream::Stderr || live.shares_stdout))
        {
            live.note_written(outbox.ends_line());
        }
        flushed
    }

    /// Writes what both streams take, stdout first: the output of a command stands before the notice of its exit.
    pub fn flush(&mut self, turn: &mut Turn) {
        let live = self.live.as_ref();
        let (is_held, stdout_is_apart) =
            live.map_or((false, true), |live| (self.is_held(live, turn.now), !live.shares_stdout));
        if self.stdout_lost {
            self.out.clear();
        } else if !is_held || stdout_is_apart {
            match self.flush_stream(Stream::Stdout, turn) {
                Ok(flushed) => self.watch_stream(Stream::Stdout, flushed == Flushed::Blocked, turn),
                Err(error) => self.lose_stdout(Some(&error), turn),
            }
        }
        if !is_held {
            self.flush_stderr(turn);
            self.draw_live(turn);
        }
        let untaken = self.untaken.as_ref().map_or(0, |untaken| untaken.bytes());
        let waiting = self.out.len() + self.err.len() + self.waiting_for_files + untaken;
        self.congested = waiting > if self.congested { RESUME_BYTES } else { WAITING_BYTES_MAX };
    }

    /// Writes what stderr takes; what it can never take is dropped.
    pub fn flush_stderr(&mut self, turn: &mut Turn) {
        let flushed = self.flush_stream(Stream::Stderr, turn);
        if flushed.is_err() {
            self.err.clear();
        }
        self.watch_stream(Stream::Stderr, matches!(flushed, Ok(Flushed::Blocked)), turn);
    }

    /// stdout cannot be written any more. `None`: its reader went away.
    pub fn lose_stdout(&mut self, error: Option<&io::Error>, turn: &mut Turn) {
        if self.stdout_lost {
            return;
        }
        self.unwatch_stdout(turn);
        self.stdout_lost = true;
        self.out.clear();
        turn.report(match error.map(|error| self.lost(error)) {
            Some(StopReason::SinkLost(error)) => Input::SinkLost { error },
            Some(StopReason::StorageLost(error)) => Input::StorageLost { error },
            _ => Input::SinkClosed,
        });
        mutant!(SinkLossForgotten, (), drop(turn.facts.pop_back()));
    }

    /// Takes stdout out of the poll set.
    pub fn unwatch_stdout(&mut self, turn: &mut Turn) {
        if let Some(fd) = self.out.watch_fd() {
            turn.system.unwatch(fd);
        }
    }

    /// stdout is always watched for the loss of its reader, and for becoming writable while bytes wait; stderr only for
    /// that.
    pub fn watch_stream(&mut self, stream: Stream, for_writing: bool, turn: &mut Turn) {
        match stream {
            Stream::Stdout => {
                let interest =
                    if mutant!(FullStdoutUnwatched, for_writing, false) { Interest::WRITE } else { Interest::NONE };
                let Some(fd) = self.out.watch_fd().filter(|_| interest != self.stdout_interest) else { return };
                let _ = turn.system.rewatch(fd, interest, Port::Stdout.token());
                self.stdout_interest = interest;
            }
            Stream::Stderr => {
                let Some(fd) = self.err.watch_fd().filter(|_| for_writing != self.stderr_watched) else { return };
                if for_writing {
                    // One that cannot be watched is tried again in the next turn.
                    self.stderr_watched = turn.system.watch(fd, Interest::WRITE, Port::Stderr.token()).is_ok();
                } else {
                    turn.system.unwatch(fd);
                    self.stderr_watched = false;
                }
            }
        }
    }
}

/// Why a run stops whose stdout cannot be written.
fn stdout_lost(error: &io::Error) -> StopReason {
    match error.kind() {
        io::ErrorKind::BrokenPipe => StopReason::SinkClosed,
        _ => StopReason::SinkLost(format!("write results to stdout: {error}")),
    }
}
