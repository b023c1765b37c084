//! A command that runs: the process of one item, and its descriptors in the poll set of its launcher.

use super::super::super::answer::EarlyLines;
use super::super::super::token::{Part, Port, generation};
use super::folders::ItemFolder;
use super::messages::ItemBytes;
use crate::command::capture::{CaptureError, Collector, Progress};
use crate::command::exec::Execution;
use crate::model::ids::{Incarnation, ItemId, WorkerId};
use crate::model::signal::Signal;
use crate::model::time::Instant;
use crate::sys::poller::{Interest, Poller};
use std::io;

/// Which of its pipes are in the poll set.
#[derive(Clone, Copy, Debug, Default)]
pub struct PipeWatches {
    pub stdin: bool,
    /// stdout and stderr.
    pub output: bool,
}

/// A command that works on one item.
pub struct RunningCommand {
    pub execution: Execution,
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub id: ItemId,
    pub item: ItemBytes,
    /// Where further blocks come: what its stdin is given, if not the item.
    pub block: Option<ItemBytes>,
    /// Further blocks may come.
    pub is_share: bool,
    /// Its temporary folder, if it has one.
    pub folder: Option<ItemFolder>,
    pub watched: PipeWatches,
    /// When the end of its process was seen.
    pub ended: Option<Instant>,
    /// The supervisor has signalled it.
    pub signalled: bool,
    /// Whole lines may be reported.
    pub takes_lines: bool,
}

impl RunningCommand {
    pub fn token(&self, part: Part) -> u64 {
        let (index, generation) = (self.worker.index() as u32, generation(self.incarnation.0));
        Port::Worker { part, index, generation }.token()
    }

    /// Puts its process into the poll set.
    ///
    /// # Errors
    /// The poll set takes no more.
    pub fn watch(&self, poller: &Poller) -> io::Result<()> {
        poller.add(&self.execution.process, Interest::READ, self.token(Part::Process)).map(drop)
    }

    /// Puts its stdout and its stderr into the poll set, if they are not in it.
    ///
    /// # Errors
    /// The poll set takes no more.
    pub fn watch_output(&mut self, poller: &Poller) -> io::Result<()> {
        if std::mem::replace(&mut self.watched.output, true) {
            return Ok(());
        }
        let added = self.add_output(poller);
        self.watched.output = added.is_ok();
        added
    }

    fn add_output(&self, poller: &Poller) -> io::Result<()> {
        let execution = &self.execution;
        for (pipe, part) in [(&execution.stdout, Part::CommandStdout), (&execution.stderr, Part::Stderr)] {
            if let Some(pipe) = pipe {
                poller.add(pipe, Interest::READ, self.token(part)).inspect_err(|_| self.remove_output(poller))?;
            }
        }
        Ok(())
    }

    /// Takes its descriptors out of the poll set.
    pub fn unwatch(&self, poller: &Poller) {
        let execution = &self.execution;
        if self.ended.is_none() {
            let _ = poller.remove(&execution.process);
        }
        if self.watched.output {
            self.remove_output(poller);
        }
        if let (true, Some(stdin)) = (self.watched.stdin, &execution.stdin) {
            let _ = poller.remove(stdin);
        }
    }

    fn remove_output(&self, poller: &Poller) {
        for pipe in [&self.execution.stdout, &self.execution.stderr].into_iter().flatten() {
            let _ = poller.remove(pipe);
        }
    }

    /// Writes the item, or a further block, to its stdin. Returns what became of it where further blocks come, once that is
    /// known.
    pub fn write_stdin(&mut self, poller: &Poller) -> Option<Result<(), usize>> {
        let token = self.token(Part::CommandStdin);
        let bytes = self.block.as_ref().unwrap_or(&self.item).bytes();
        let written = self.execution.write_stdin(bytes);
        let stdin = self.execution.stdin.as_ref()?;
        let written = match written {
            Ok(Progress::Blocked) if self.watched.stdin => return None,
            Ok(Progress::Blocked) => poller.add(stdin, Interest::WRITE, token).map(|_| self.watched.stdin = true),
            Ok(Progress::More | Progress::Closed) => {
                let left = if stdin.is_broken() { bytes.len() - stdin.written() } else { 0 };
                if std::mem::take(&mut self.watched.stdin) {
                    let _ = poller.remove(stdin);
                }
                if !self.is_share || stdin.is_broken() {
                    // The command reads end-of-file.
                    self.execution.stdin = None;
                }
                return self.is_share.then_some(if left > 0 { Err(left) } else { Ok(()) });
            }
            Err(error) => Err(error),
        };
        if written.is_err() {
            // The command must not take a part of the item for the whole.
            let _ = self.execution.process.signal_all(Signal::KILL);
        }
        None
    }

    /// Gives its stdin a further block. Returns as [`RunningCommand::write_stdin`].
    pub fn take_block(&mut self, block: ItemBytes, poller: &Poller) -> Option<Result<(), usize>> {
        let bytes = block.bytes().len();
        let Some(stdin) = &mut self.execution.stdin else { return Some(Err(bytes)) };
        stdin.begin_next();
        self.block = Some(block);
        self.write_stdin(poller)
    }

    /// Bytes that its stdin was given and has not taken.
    pub fn unwritten_bytes(&self) -> usize {
        let given = self.block.as_ref().unwrap_or(&self.item).bytes().len();
        self.execution.stdin.as_ref().map_or(0, |stdin| given.saturating_sub(stdin.written()))
    }

    /// The whole lines that it has written, if they may be reported.
    pub fn lines(&mut self) -> Option<EarlyLines> {
        let Execution { out, err, .. } = &mut self.execution;
        if !self.takes_lines || (out.line_bytes == 0 && err.line_bytes == 0) {
            return None;
        }
        self.takes_lines = false;
        let (out, err) = (out.take_lines(), err.take_lines());
        Some(EarlyLines { worker: self.worker, incarnation: self.incarnation, item: self.id, out, err })
    }

    /// Reads one of its pipes, at most `reads` times. Returns whether it is closed.
    ///
    /// # Errors
    /// What it wrote could not be stored. The pipe is closed then.
    pub fn read(
        &mut self,
        part: Part,
        reads: u32,
        collector: &mut Collector,
        poller: &Poller,
    ) -> Result<bool, CaptureError> {
        let is_stderr = part == Part::Stderr;
        for _ in 0..reads {
            let execution = &mut self.execution;
            let read = if is_stderr { execution.read_stderr(collector) } else { execution.read_stdout(collector) };
            match read {
                Ok(Progress::More) => continue,
                Ok(Progress::Blocked) => return Ok(false),
                Ok(Progress::Closed) | Err(_) => {}
            }
            let pipe = if is_stderr { &mut execution.stderr } else { &mut execution.stdout };
            if let Some(pipe) = pipe.take()
                && self.watched.output
            {
                let _ = poller.remove(&pipe);
            }
            return read.map(|_| true);
        }
        Ok(false)
    }
}
