//! How a launcher starts a command.
//!
//! With more in hand for the slot, a launcher goes on while the program of a command is being executed, and reports the start
//! once that is over: at the next turn, at the latest a millisecond later, and in any case before the end of the command. A
//! failure is reported as if it had been known at once.

use super::super::super::system::abandon;
use super::folders::{FolderMaker, ItemFolder};
use super::launchers::Launcher;
use super::messages::{ItemBytes, Report};
use super::running::{PipeWatches, RunningCommand};
use crate::command::exec::{Launch, LaunchError};
use crate::core::input::SpawnFailure;
use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::sys::spawn::is_shortage;
use std::io;
use std::os::fd::AsFd;

impl Launcher {
    /// Starts a command and puts it into the poll set.
    pub(super) fn start(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        item: ItemBytes,
    ) -> Result<RunningCommand, SpawnFailure> {
        // In the background the terminal is another job's.
        let terminal = self.config.terminal.as_ref().filter(|terminal| terminal.is_ours());
        let make = |maker: &FolderMaker| maker.make(batch.first, worker, incarnation).map_err(no_folder);
        let folder = self.config.folders.as_ref().map(make).transpose()?;
        let launch = Launch {
            worker,
            item: batch.first,
            attempt: batch.attempt,
            bytes: item.bytes(),
            register: self.config.groups.place(worker.index()),
            terminal: terminal.map(AsFd::as_fd),
            tmp: folder.as_ref().map(ItemFolder::path),
            now: self.config.clock.now(),
        };
        let execution = self.config.commander.launch(&mut self.spawner, &launch).map_err(failure_of)?;
        if launch.terminal.is_some()
            && let Some(terminal) = &mut self.config.terminal
        {
            terminal.note_lent(execution.process.pid);
        }
        let command = RunningCommand {
            execution,
            worker,
            incarnation,
            id: batch.first,
            item,
            block: None,
            is_share: self.config.rules.shares,
            folder,
            watched: PipeWatches::default(),
            ended: None,
            signalled: false,
            takes_lines: self.config.rules.lines,
        };
        if let Err(error) = command.watch(&self.poller) {
            command.unwatch(&self.poller);
            abandon(&self.config.groups, worker, &command.execution.process);
            return Err(SpawnFailure::Shortage(format!("watch a command: {error}")));
        }
        Ok(command)
    }

    /// Reports the starts that are over.
    pub(super) fn report_starts(&mut self) {
        while let Some(index) = self.slots.next_started() {
            self.report_start(index);
        }
    }

    /// Reports the start of a slot's command as soon as it is over, if that is still to be done. Returns whether the slot has
    /// a command.
    pub(super) fn report_start(&mut self, index: usize) -> bool {
        let Some(command) = self.slots.at(index) else { return false };
        if command.execution.pending.is_none() {
            return true;
        }
        let (worker, incarnation) = (command.worker, command.incarnation);
        let outcome = self.config.commander.outcome(&mut self.spawner, &mut command.execution);
        let Err(error) = outcome else {
            let pid = command.execution.process.pid;
            self.reports.push(Report::Spawned { worker, incarnation, pid });
            return true;
        };
        if let Some(command) = self.slots.take(index) {
            command.unwatch(&self.poller);
        }
        self.not_started(worker, incarnation, failure_of(error));
        false
    }

    /// Reports a start that has failed. What is behind it in the hand of the slot comes back.
    pub(super) fn not_started(&mut self, worker: WorkerId, incarnation: Incarnation, error: SpawnFailure) {
        self.take_back(worker.index());
        self.reports.push(Report::NotSpawned { worker, incarnation, error });
    }
}

fn failure_of(error: LaunchError) -> SpawnFailure {
    match error {
        LaunchError::Item(text) => SpawnFailure::Item(text),
        LaunchError::Unfit(text) => SpawnFailure::Unfit(text),
        LaunchError::Program { error, missing } => SpawnFailure::Lost { error, missing },
        LaunchError::Shortage(text) => SpawnFailure::Shortage(text),
        LaunchError::Refused(text) => SpawnFailure::Program(text),
    }
}

/// A full disk may have room later.
fn no_folder(error: io::Error) -> SpawnFailure {
    let text = format!("create a temporary folder for a command: {error}");
    match error.raw_os_error() {
        Some(errno) if is_shortage(errno) => SpawnFailure::Shortage(text),
        _ => SpawnFailure::Item(text),
    }
}
