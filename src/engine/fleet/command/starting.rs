//! How a launcher starts a command.

use super::super::super::system::abandon;
use super::folders::{FolderMaker, ItemFolder};
use super::launchers::Launcher;
use super::messages::ItemBytes;
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
        let execution = self.config.commander.launch(&mut self.spawner, &launch).map_err(|error| match error {
            LaunchError::Item(text) => SpawnFailure::Item(text),
            LaunchError::Unfit(text) => SpawnFailure::Unfit(text),
            LaunchError::Program { error, missing } => SpawnFailure::Lost { error, missing },
            LaunchError::Shortage(text) => SpawnFailure::Shortage(text),
            LaunchError::Refused(text) => SpawnFailure::Program(text),
        })?;
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
}

/// A full disk may have room later.
fn no_folder(error: io::Error) -> SpawnFailure {
    let text = format!("create a temporary folder for a command: {error}");
    match error.raw_os_error() {
        Some(errno) if is_shortage(errno) => SpawnFailure::Shortage(text),
        _ => SpawnFailure::Item(text),
    }
}
