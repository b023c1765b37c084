//! The fake system: each call of the shell, with the faults that the real one may show there.

use crate::check::hold;
use crate::marks::Mark;
use crate::poll_set::{Object, Watch};
use crate::world::{Shared, World};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use supervisor::engine::parts::System;
use supervisor::model::exit::{ExitStatus, Usage};
use supervisor::model::ids::WorkerId;
use supervisor::model::signal::Signal;
use supervisor::model::time::{Duration, Instant};
use supervisor::sys::children::ChildChange;
use supervisor::sys::machine::MachineState;
use supervisor::sys::outbox::{Flushed, Outbox};
use supervisor::sys::pidfd::Process;
use supervisor::sys::poller::{Added, Interest, Ready};
use supervisor::sys::signals::ReceivedSignal;
use supervisor::sys::spawn::SpawnPlan;

pub struct FakeSystem {
    pub world: Shared,
}

impl System for FakeSystem {
    fn now(&self) -> Instant {
        let mut world = self.world.borrow_mut();
        // Time passes, so that a loop that only reads the clock comes to an end.
        world.now += 50;
        Instant(world.now)
    }

    fn instant_of(&self, monotonic_ns: u64) -> Instant {
        Instant(monotonic_ns)
    }

    fn watch(&mut self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> io::Result<Added> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.watch(fd.as_raw_fd(), interest, token)
    }

    fn rewatch(&mut self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> io::Result<()> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        let Some(at) = world.poll_set.position(fd.as_raw_fd()) else {
            let object = world.poll_set.object(fd.as_raw_fd());
            hold!(world, false, PollSet, "{object:?} is changed in the poll set, and is not in it");
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        };
        let watch = &mut world.poll_set.watches[at];
        (watch.interest, watch.token) = (interest, token);
        if matches!(watch.object, Object::FromWorker(_)) && interest == Interest::NONE && !world.may_be_congested() {
            world.marks.hit(Mark::Throttled);
        }
        Ok(())
    }

    fn unwatch(&mut self, fd: BorrowedFd<'_>) {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.unwatch(fd.as_raw_fd());
    }

    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        self.world.borrow_mut().wait(ready, timeout)
    }

    /// Another process has the core meanwhile, for a moment or for a time slice.
    fn give_way(&mut self, sleep: Duration) {
        let world = &mut *self.world.borrow_mut();
        let most = if world.rng.below(8) == 0 { 4_000_000 } else { 20_000 };
        world.now += sleep.0 + world.rng.below(most);
        world.marks.hit(Mark::GaveWay);
        world.tick();
    }

    fn start(&mut self, worker: WorkerId, plan: &SpawnPlan<'_>) -> io::Result<Process> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.start(worker, plan)
    }

    fn signal(&mut self, process: &Process, signal: Signal) -> io::Result<()> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.signal(crate::process::place_of(process.pid), signal)
    }

    fn forget_group(&mut self, worker: WorkerId) {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.forget_group(worker);
    }

    fn reap(&mut self, process: &Process) -> (ExitStatus, Usage) {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.reap(crate::process::place_of(process.pid))
    }

    fn abandon(&mut self, _: WorkerId, process: &Process) {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.abandon(crate::process::place_of(process.pid));
    }

    fn received_signals(&mut self) -> Vec<ReceivedSignal> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.signals.drain(..).collect()
    }

    /// It goes on at once.
    fn suspend(&mut self) {
        self.world.borrow_mut().tick();
    }

    fn program_of(&self, _: u32) -> Option<String> {
        None
    }

    fn has_terminal(&self) -> bool {
        false
    }

    /// No process of this world is stopped.
    fn changed_children(&mut self) -> Vec<ChildChange> {
        Vec::new()
    }

    /// No orphan of this world is adopted.
    fn reap_adopted(&mut self, _: &dyn Fn(u32) -> bool) -> bool {
        false
    }

    fn watch_children(&mut self) {}

    fn machine_state(&mut self) -> io::Result<MachineState> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        Ok(world.measure())
    }

    fn random_token(&mut self) -> io::Result<[u8; 16]> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        Ok(u128::from(world.rng.next()).to_le_bytes())
    }

    fn flush(&mut self, outbox: &mut Outbox) -> io::Result<Flushed> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        let fd = outbox.watch_fd().map_or(-1, |fd| fd.as_raw_fd());
        world.flush(fd, outbox)
    }

    /// The guard of this world is never killed.
    fn replace_guard(&mut self) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn dismiss_guard(&mut self) {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.dismiss();
    }
}

impl World {
    fn watch(&mut self, fd: RawFd, interest: Interest, token: u64) -> io::Result<Added> {
        let Some(object) = self.poll_set.object(fd) else {
            self.violate(crate::check::Check::PollSet, "a descriptor that is closed is watched".to_owned());
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        };
        let again = self.poll_set.position(fd);
        hold!(self, again.is_none(), PollSet, "{object:?} is watched twice");
        // stdout and the reports are watched before the run begins, where a failure is an error.
        let mark = match object {
            Object::Process(_) => Some(Mark::WatchProcessFailed),
            Object::FromWorker(_) => Some(Mark::WatchFramesFailed),
            Object::ToWorker(_) => Some(Mark::WatchWritableFailed),
            Object::Source => Some(Mark::WatchSourceFailed),
            Object::Stderr => Some(Mark::WatchStderrFailed),
            Object::Stdout | Object::Reports => None,
        };
        if let Some(mark) = mark
            && self.chance(self.scenario.calls.watch)
        {
            self.marks.hit(mark);
            if let Object::ToWorker(pipe) = object {
                self.fail_writes(pipe);
            }
            let errno = self.rng.pick(&[libc::ENOMEM, libc::ENOSPC]);
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.poll_set.watches.push(Watch { fd, object, interest, token });
        Ok(Added::Watched)
    }

    fn unwatch(&mut self, fd: RawFd) {
        let Some(at) = self.poll_set.position(fd) else { return };
        let watch = self.poll_set.watches.remove(at);
        match watch.object {
            Object::Process(_) => self.poll_set.stale_tokens.push(watch.token),
            Object::FromWorker(pipe) => {
                let owner = self.pipes[pipe].process.map(|id| &self.processes[id]);
                let needed = owner.is_some_and(|process| process.is_alive() && process.honest);
                let over = self.pipes[pipe].read_to_end;
                hold!(self, over || !needed, Channel, "pipe {pipe} is not read any more, and its worker writes");
            }
            Object::Source => self.marks.hit(Mark::SourcePassedOver),
            _ => {}
        }
    }

    fn may_be_congested(&self) -> bool {
        self.output.may_be_congested()
    }

    /// The shell says that all workers are gone.
    fn dismiss(&mut self) {
        self.dismissed = true;
        let left = self.processes.iter().position(|process| !process.reaped || !process.forgotten);
        hold!(self, left.is_none(), Finish, "process {left:?} is left when the guard goes");
        let open = self.pipes.iter().position(|pipe| !pipe.dropped);
        hold!(self, open.is_none(), Finish, "pipe {open:?} is open when the guard goes");
        let command = self.commands.all.iter().position(|command| !command.reported);
        hold!(self, command.is_none(), Finish, "command {command:?} is left when the guard goes");
        // The mailbox is closed with the last launcher.
        self.poll_set.watches.retain(|watch| watch.object != Object::Reports);
    }
}
