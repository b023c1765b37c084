//! The commands of the slots that a launcher owns.
//!
//! Invariant: a slot has at most one command. Each start comes out of [`LauncherSlots::next_started`] once it is over, unless
//! it was reported before.

use super::super::super::token::generation;
use super::running::RunningCommand;
use crate::model::ids::{Incarnation, WorkerId};

pub struct LauncherSlots {
    /// By the slot's index divided by `step`.
    commands: Vec<Option<Box<RunningCommand>>>,
    step: usize,
    running: usize,
    /// Indexes of slots whose commands were started. A start that was reported is dropped at the next look.
    starting: Vec<usize>,
}

impl LauncherSlots {
    /// `step`: the launcher owns every `step`th slot.
    pub const fn new(step: usize) -> Self {
        Self { commands: Vec::new(), step, running: 0, starting: Vec::new() }
    }

    /// Where a slot is among those of the launcher.
    pub const fn place(&self, index: usize) -> usize {
        index / self.step
    }

    /// How many slots have a command.
    pub const fn running(&self) -> usize {
        self.running
    }

    pub fn insert(&mut self, command: RunningCommand) {
        let index = command.worker.index();
        let place = self.place(index);
        if place >= self.commands.len() {
            self.commands.resize_with(place + 1, || None);
        }
        if command.execution.pending.is_some() {
            self.starting.push(index);
        }
        self.commands[place] = Some(Box::new(command));
        self.running += 1;
    }

    pub fn at(&mut self, index: usize) -> Option<&mut RunningCommand> {
        self.commands.get_mut(index / self.step)?.as_deref_mut()
    }

    /// The command of an incarnation, if it is the present one.
    pub fn of(&mut self, worker: WorkerId, incarnation: Incarnation) -> Option<&mut RunningCommand> {
        self.at(worker.index()).filter(|command| command.incarnation == incarnation)
    }

    /// The command that an event is about; `None` if the event is about an earlier command of the slot.
    pub fn of_event(&mut self, index: u32, of: u32) -> Option<&mut RunningCommand> {
        self.at(index as usize).filter(|command| generation(command.incarnation.0) == of)
    }

    pub fn of_pid(&self, pid: u32) -> Option<&RunningCommand> {
        self.commands.iter().flatten().map(Box::as_ref).find(|command| command.execution.process.pid == pid)
    }

    pub fn take(&mut self, index: usize) -> Option<Box<RunningCommand>> {
        let command = self.commands.get_mut(index / self.step)?.take();
        self.running -= usize::from(command.is_some());
        command
    }

    /// Whether the start of a slot's command was not reported yet.
    pub fn is_starting(&self, index: usize) -> bool {
        self.commands
            .get(self.place(index))
            .is_some_and(|command| command.as_ref().is_some_and(|command| command.execution.pending.is_some()))
    }

    /// Takes out the next slot whose start is over and was not reported.
    pub fn next_started(&mut self) -> Option<usize> {
        let (commands, step) = (&self.commands, self.step);
        let pending = |index: usize| commands.get(index / step)?.as_ref()?.execution.pending.as_ref();
        self.starting.retain(|index| pending(*index).is_some());
        let at = self.starting.iter().position(|index| pending(*index).is_some_and(|pending| pending.is_over()))?;
        Some(self.starting.swap_remove(at))
    }
}
