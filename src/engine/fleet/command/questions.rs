//! The questions of `--interactive`: a person at the terminal is shown each command, and says whether it starts.
//!
//! There is one question at a time, in the order of the starts. It goes to stderr, as with GNU parallel and xargs, and the
//! answer is the next line at the controlling terminal. That is read when the poll set says so: meanwhile commands run, and
//! signals and deadlines count.
//!
//! Invariant: each start that is put in is either handed out once, or reported as declined.

use super::super::super::token::Port;
use super::super::super::turn::Turn;
use super::messages::ItemBytes;
use crate::command::exec::Commander;
use crate::core::input::{Input, SpawnFailure};
use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::sys::poller::Interest;
use crate::sys::terminal::Terminal;
use nix::errno::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;

/// What is kept of a line without an end. A terminal has no longer ones, unless its settings were changed.
const LINE_BYTES_MAX: usize = 4096;

/// A command that is to start.
pub struct CommandStart {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub batch: Batch,
    pub item: ItemBytes,
}

/// The questions of a run.
pub struct Questions {
    commander: Box<Commander>,
    /// Where answers are typed. In the place of xargs it is opened with the first question.
    terminal: Option<File>,
    /// No answer comes any more: it was reported.
    lost: bool,
    /// Starts without an answer. The first one is asked about, if `asked`.
    waiting: VecDeque<CommandStart>,
    asked: bool,
    /// The terminal is in the poll set.
    watched: bool,
    /// What was typed beyond the last answer.
    typed: Vec<u8>,
    /// Slots whose item was left out since the last call of [`Questions::take_declined`].
    declined: Vec<WorkerId>,
}

impl Questions {
    /// # Errors
    /// This process has no controlling terminal.
    pub fn open(commander: Box<Commander>) -> io::Result<Self> {
        let terminal = if commander.is_plain() { None } else { Some(Terminal::open_to_read()?) };
        let (waiting, typed, declined) = (VecDeque::new(), Vec::new(), Vec::new());
        Ok(Self { commander, terminal, lost: false, waiting, asked: false, watched: false, typed, declined })
    }

    /// The slots whose item was left out since the last call.
    pub fn take_declined(&mut self) -> Vec<WorkerId> {
        std::mem::take(&mut self.declined)
    }

    /// Asks about this start when it is its turn. Returns the starts that have a yes.
    pub fn ask(&mut self, start: CommandStart, turn: &mut Turn) -> Vec<CommandStart> {
        self.waiting.push_back(start);
        self.go_on(turn)
    }

    /// Something was typed. Returns the starts that have a yes.
    pub fn on_ready(&mut self, turn: &mut Turn) -> Vec<CommandStart> {
        let Some(terminal) = &mut self.terminal else { return Vec::new() };
        let mut bytes = [0; LINE_BYTES_MAX];
        match terminal.read(&mut bytes) {
            Ok(0) => self.lose(io::ErrorKind::UnexpectedEof.into(), "read an answer from /dev/tty", turn),
            Ok(count) => self.typed.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => self.lose(error, "read an answer from /dev/tty", turn),
        }
        self.go_on(turn)
    }

    /// The run stops: no start without an answer is left. Returns whether a question is left open on its line.
    pub fn withdraw(&mut self, turn: &mut Turn) -> bool {
        let is_open = std::mem::take(&mut self.asked) && !self.commander.is_plain();
        self.watch(false, turn);
        while let Some(start) = self.waiting.pop_front() {
            self.decline(&start, turn);
        }
        is_open
    }

    fn go_on(&mut self, turn: &mut Turn) -> Vec<CommandStart> {
        let mut started = Vec::new();
        while !self.lost
            && let Some(start) = self.waiting.front()
        {
            if !self.asked {
                let CommandStart { worker, batch, ref item, .. } = *start;
                let question = self.commander.question(item.bytes(), batch.first, worker);
                turn.notices.extend_from_slice(&question);
                if let Err(error) = self.open_terminal() {
                    self.lose(error, "open /dev/tty for reading", turn);
                    break;
                }
                turn.notices.extend_from_slice(b"?...");
                self.asked = true;
            }
            let Some(is_yes) = self.next_answer() else {
                self.watch(true, turn);
                return started;
            };
            self.asked = false;
            let Some(start) = self.waiting.pop_front() else { break };
            if is_yes {
                started.push(start);
            } else {
                self.decline(&start, turn);
            }
        }
        self.watch(false, turn);
        started
    }

    fn open_terminal(&mut self) -> io::Result<()> {
        if self.terminal.is_none() {
            self.terminal = Some(Terminal::open_to_read()?);
        }
        Ok(())
    }

    /// Whether the next line that was typed is a yes; `None`: there is no whole line.
    fn next_answer(&mut self) -> Option<bool> {
        let Some(end) = memchr::memchr(b'\n', &self.typed) else {
            self.typed.truncate(LINE_BYTES_MAX);
            return None;
        };
        let line = &self.typed[..end];
        // GNU parallel takes blanks before it, xargs does not.
        let line = if self.commander.is_plain() { line } else { line.trim_ascii_start() };
        let is_yes = line.first().is_some_and(|first| first.eq_ignore_ascii_case(&b'y'));
        self.typed.drain(..=end);
        Some(is_yes)
    }

    fn watch(&mut self, wanted: bool, turn: &mut Turn) {
        let Some(terminal) = self.terminal.as_ref().filter(|_| wanted != self.watched) else { return };
        if !wanted {
            turn.system.unwatch(terminal.as_fd());
            self.watched = false;
            return;
        }
        match turn.system.watch(terminal.as_fd(), Interest::READ, Port::Answers.token()) {
            Ok(_) => self.watched = true,
            Err(error) => self.lose(error, "watch /dev/tty", turn),
        }
    }

    /// Nobody can answer any more, so the run stops.
    fn lose(&mut self, error: io::Error, what: &str, turn: &mut Turn) {
        let why = match error.raw_os_error() {
            Some(errno) => Errno::from_raw(errno).desc().to_owned(),
            None => "it has ended".to_owned(),
        };
        self.lost = true;
        turn.report(Input::StorageLost { error: format!("{what}: {why}") });
    }

    fn decline(&mut self, start: &CommandStart, turn: &mut Turn) {
        let CommandStart { worker, incarnation, .. } = *start;
        self.declined.push(worker);
        turn.report(Input::SpawnFailed { worker, incarnation, error: SpawnFailure::Declined });
    }
}
