//! A command as a job: the terminal, Ctrl-Z, `fg` and `bg`.
//!
//! The command leads a process group of its own, of which the shell knows nothing: for the shell, our group is the job.
//! So the terminal is lent to the command, and what happens to one of the two is done to the other.
//!
//! A command whose stdin and stdout are the terminal gets it at its start. Any other gets it when it wants it, that is,
//! when the system stops it for that: in `supervisor run -- make | less` the terminal stays with `less`.
//!
//! Invariant: only on the first thread of a program that leaves SIGCHLD alone. Elsewhere a stop would not be seen, and a
//! terminal that is lent would be lost.

use super::error::ProcessError;
use crate::command::job_control::goes_on_at_terminal;
use crate::model::signal::Signal;
use crate::sys::children::ChildChanges;
use crate::sys::pidfd::Process;
use crate::sys::signals;
use crate::sys::terminal::{self, Terminal};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

/// What is needed to see stops of the command, and the terminal, if there is one.
#[derive(Debug)]
pub struct Job {
    /// Dropped, and so taken back, before the signals of this thread are as they were.
    terminal: Option<Terminal>,
    children: ChildChanges,
    /// Other children of this process are orphans.
    reaps_orphans: bool,
    /// The terminal was lent in this attempt.
    has_lent: bool,
}

impl AsFd for Job {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.children.as_fd()
    }
}

impl Job {
    /// `None`: see the invariant. Changes which signals this thread blocks.
    pub fn open(reaps_orphans: bool) -> Result<Option<Self>, ProcessError> {
        let watch = ChildChanges::watch().map_err(ProcessError::system("watch for a stop of the command"))?;
        let Some(children) = watch else { return Ok(None) };
        // Without a controlling terminal there is nothing to lend.
        let terminal = Terminal::open().ok();
        if terminal.is_some() {
            // To take the terminal back from the background must not stop this process.
            signals::hold(Signal::TTOU);
        }
        Ok(Some(Self { terminal, children, reaps_orphans, has_lent: false }))
    }

    /// The terminal that a command takes at its start. `is_direct`: its stdin and stdout are ours.
    pub fn lent_at_start(&self, is_direct: bool) -> Option<BorrowedFd<'_>> {
        let is_wanted = is_direct && io::stdin().is_terminal() && io::stdout().is_terminal();
        // In the background it is another job's.
        self.terminal.as_ref().filter(|terminal| is_wanted && terminal.is_ours()).map(AsFd::as_fd)
    }

    /// The command has started, and has taken the terminal or not.
    pub fn note_started(&mut self, process: &Process, has_taken: bool) {
        self.has_lent = has_taken;
        if let (Some(terminal), true) = (&mut self.terminal, has_taken) {
            terminal.note_lent(process.pid);
        }
    }

    /// Something has happened to a child. If the command was stopped for the sake of the terminal, it gets it, or the whole
    /// job stops until the shell continues it.
    pub fn on_children(&mut self, process: &Process) {
        self.children.acknowledge();
        if self.reaps_orphans {
            self.children.reap_adopted(|pid| pid == process.pid);
        }
        let Some(signal) = process.stopped_by() else { return };
        let Some(terminal) = &mut self.terminal else { return };
        // Ctrl-Z reaches it only if it has the terminal; another stop is meant for the command alone.
        if signal != Signal::TSTP || terminal.is_lent() {
            goes_on_at_terminal(terminal, signal, process);
            self.has_lent |= terminal.is_lent();
        }
    }

    /// TSTP has come to us: stops the command and then this process. Returns when both go on.
    pub fn suspend(&mut self, process: &Process) {
        let had_terminal = self.terminal.as_ref().is_some_and(Terminal::is_lent);
        if let Some(terminal) = &mut self.terminal {
            terminal.take_back();
        }
        // One that has ended needs no signal.
        let _ = process.signal_group(Signal::TSTP);
        terminal::suspend_alone(Signal::TSTP);
        if let Some(terminal) = self.terminal.as_mut().filter(|terminal| had_terminal && terminal.is_ours()) {
            terminal.lend(process.pid);
        }
        let _ = process.signal_group(Signal::CONT);
    }

    /// The command has ended.
    pub fn take_back(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.take_back();
        }
    }

    /// Whether the command had the terminal in this attempt, so that keys reached it alone.
    pub const fn has_lent(&self) -> bool {
        self.has_lent
    }
}
