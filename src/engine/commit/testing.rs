//! A system for tests of this folder.

use super::super::system::System;
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::WorkerId;
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::sys::machine::MachineState;
use crate::sys::outbox::{Flushed, Outbox};
use crate::sys::pidfd::Process;
use crate::sys::poller::{Added, Interest, Ready};
use crate::sys::signals::ReceivedSignal;
use crate::sys::spawn::SpawnPlan;
use std::io;
use std::os::fd::BorrowedFd;

/// A system that does nothing.
pub struct Still;

impl System for Still {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
    fn instant_of(&self, _: u64) -> Instant {
        Instant::ZERO
    }
    fn watch(&mut self, _: BorrowedFd<'_>, _: Interest, _: u64) -> io::Result<Added> {
        Ok(Added::Watched)
    }
    fn rewatch(&mut self, _: BorrowedFd<'_>, _: Interest, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn unwatch(&mut self, _: BorrowedFd<'_>) {}
    fn wait(&mut self, _: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
    fn give_way(&mut self, _: Duration) {}
    fn start(&mut self, _: WorkerId, _: &SpawnPlan<'_>) -> io::Result<Process> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn signal(&mut self, _: &Process, _: Signal) -> io::Result<()> {
        Ok(())
    }
    fn forget_group(&mut self, _: WorkerId) {}
    fn reap(&mut self, _: &Process) -> (ExitStatus, Usage) {
        (ExitStatus::Code(0), Usage::default())
    }
    fn abandon(&mut self, _: WorkerId, _: &Process) {}
    fn received_signals(&mut self) -> Vec<ReceivedSignal> {
        Vec::new()
    }
    fn suspend(&mut self) {}
    fn program_of(&self, _: u32) -> Option<String> {
        None
    }
    fn has_terminal(&self) -> bool {
        false
    }
    fn changed_children(&mut self) -> Vec<crate::sys::children::ChildChange> {
        Vec::new()
    }
    fn reap_adopted(&mut self, _: &dyn Fn(u32) -> bool) -> bool {
        false
    }
    fn watch_children(&mut self) {}
    fn machine_state(&mut self) -> io::Result<MachineState> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn random_token(&mut self) -> io::Result<[u8; 16]> {
        Ok([0; 16])
    }
    fn flush(&mut self, outbox: &mut Outbox) -> io::Result<Flushed> {
        outbox.flush()
    }
    fn replace_guard(&mut self) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn dismiss_guard(&mut self) {}
}
