//! What the shell asks of the operating system, on one page.
//!
//! The reactor, feed, fleet and commit reach the system only through [`System`], so that the simulator can drive them
//! with a fake one: interrupted calls, short writes, no descriptors left, a start that fails, a process that ends
//! between any two calls. [`Os`] is the real one. Two things pass it by: a channel reads and writes its own
//! descriptors, and launchers, which are threads, start and reap commands themselves.
//!
//! Invariant: no method waits, except [`System::suspend`], [`System::wait`], [`System::start`] until the exec (what vfork means), and
//! [`System::give_way`] for the time slices of other processes.

use super::token::Port;
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::WorkerId;
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::sys::children::{ChildChange, ChildChanges};
use crate::sys::clock::Clock;
use crate::sys::guard::{Groups, Guard};
use crate::sys::machine::MachineState;
use crate::sys::outbox::{Flushed, Outbox};
use crate::sys::own_process;
use crate::sys::pidfd::Process;
use crate::sys::poller::{Added, Interest, Poller, Ready};
use crate::sys::random;
use crate::sys::signals::{ReceivedSignal, SignalPlane};
use crate::sys::spawn::{SpawnError, SpawnPlan, SpawnStep, Spawner};
use crate::sys::terminal;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

/// The operating system, as the shell sees it.
pub trait System {
    /// The time since the run started.
    fn now(&self) -> Instant;

    /// The moment that a monotonic time of any process of this machine stands for.
    fn instant_of(&self, monotonic_ns: u64) -> Instant;

    /// Adds a descriptor to the poll set; `token` comes back with each of its events.
    ///
    /// # Errors
    /// No memory or no watch is left.
    fn watch(&mut self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> io::Result<Added>;

    /// Changes what a watched descriptor waits for.
    ///
    /// # Errors
    /// It is not in the poll set.
    fn rewatch(&mut self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> io::Result<()>;

    /// Takes a descriptor out of the poll set, if it is in there. Call it before the descriptor is closed.
    fn unwatch(&mut self, fd: BorrowedFd<'_>);

    /// Waits for events, at most `timeout` (`None`: as long as it takes). `ready` is empty when the time has passed or
    /// a signal interrupted the wait.
    ///
    /// # Errors
    /// The poll set failed: the run cannot go on.
    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()>;

    /// Gives the core to another process that is ready to run, if there is one, and goes on after it; or sleeps for this
    /// long, if it is not zero. Nothing is asked of the poll set.
    fn give_way(&mut self, sleep: Duration);

    /// Starts a resident worker, as leader of a process group that the guard knows from then on.
    ///
    /// # Errors
    /// The system's; nothing is left of the process then.
    fn start(&mut self, worker: WorkerId, plan: &SpawnPlan<'_>) -> io::Result<Process>;

    /// Signals a worker and its process group, also if it has left the group. One that is gone is no error. Never after
    /// [`System::reap`].
    ///
    /// # Errors
    /// The processes have changed their user.
    fn signal(&mut self, process: &Process, signal: Signal) -> io::Result<()>;

    /// The guard does not end this worker's group any more. Call it before [`System::reap`]: afterwards the number of
    /// the group may be another's.
    fn forget_group(&mut self, worker: WorkerId);

    /// How a process ended whose pidfd is readable, and what it used.
    fn reap(&mut self, process: &Process) -> (ExitStatus, Usage);

    /// Ends a worker that cannot be watched: its end would never be seen. Waits for the end, which KILL makes short.
    fn abandon(&mut self, worker: WorkerId, process: &Process);

    /// Signals to this process since the last call.
    fn received_signals(&mut self) -> Vec<ReceivedSignal>;

    /// Stops this process alone as TSTP does by default. Returns when it goes on, or at once if the system does not stop it.
    fn suspend(&mut self);

    /// The name of the program of a process; `None`: it is gone, or the system does not tell.
    fn program_of(&self, pid: u32) -> Option<String>;

    /// Whether this process has a controlling terminal.
    fn has_terminal(&self) -> bool;

    /// The children that were stopped, or go on, since the last call. [`Port::Children`] reports no further change
    /// until [`System::watch_children`].
    fn changed_children(&mut self) -> Vec<ChildChange>;

    /// Reaps the orphans that this process has inherited as the first one of a container or as a subreaper. Returns
    /// whether one may be left, hidden by a worker of `is_ours` that has ended and is not reaped yet.
    fn reap_adopted(&mut self, is_ours: &dyn Fn(u32) -> bool) -> bool;

    /// [`Port::Children`] reports the next change of a child again.
    fn watch_children(&mut self);

    /// What the machine, or the control group of this process, has to spare.
    ///
    /// # Errors
    /// The system does not tell.
    fn machine_state(&mut self) -> io::Result<MachineState>;

    /// Sixteen bytes that cannot be guessed.
    ///
    /// # Errors
    /// The system has none.
    fn random_token(&mut self) -> io::Result<[u8; 16]>;

    /// Writes what the descriptor of `outbox` takes at the moment.
    ///
    /// # Errors
    /// As of [`Outbox::flush`].
    fn flush(&mut self, outbox: &mut Outbox) -> io::Result<Flushed>;

    /// Starts another guard in the place of one that has ended, and returns its pid.
    ///
    /// # Errors
    /// The system's; there is no guard then.
    fn replace_guard(&mut self) -> io::Result<u32>;

    /// No worker is left, so the guard may go; or it has ended, and no other one takes its place.
    fn dismiss_guard(&mut self);
}

/// The real system.
pub struct Os {
    pub clock: Clock,
    pub poller: Poller,
    pub signals: Rc<SignalPlane>,
    pub spawner: Spawner,
    pub guard: Guard,
    /// `None`: SIGCHLD belongs to the program that uses the library.
    pub children: Option<ChildChanges>,
    /// A child that is no worker is an orphan, and not one of the program that uses the library.
    pub reaps_orphans: bool,
}

impl Os {
    /// Adds the guard to the poll set.
    ///
    /// # Errors
    /// No memory or no watch is left.
    pub fn watch_guard(&self) -> io::Result<()> {
        self.guard.fd().map_or(Ok(()), |guard| self.poller.add(guard, Interest::READ, Port::Guard.token()).map(drop))
    }

    fn unwatch_guard(&self) {
        if let Some(guard) = self.guard.fd() {
            // One that is not in the set is out of it.
            let _ = self.poller.remove(guard);
        }
    }
}

impl System for Os {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn instant_of(&self, monotonic_ns: u64) -> Instant {
        self.clock.instant_of(monotonic_ns)
    }

    fn watch(&mut self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> io::Result<Added> {
        self.poller.add(fd, interest, token)
    }

    fn rewatch(&mut self, fd: BorrowedFd<'_>, interest: Interest, token: u64) -> io::Result<()> {
        self.poller.modify(fd, interest, token)
    }

    fn unwatch(&mut self, fd: BorrowedFd<'_>) {
        // One that is not in the set is out of it.
        let _ = self.poller.remove(fd);
    }

    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        self.poller.wait(ready, timeout)
    }

    fn give_way(&mut self, sleep: Duration) {
        if sleep == Duration::ZERO {
            std::thread::yield_now();
        } else {
            std::thread::sleep(std::time::Duration::from_nanos(sleep.0));
        }
    }

    fn start(&mut self, worker: WorkerId, plan: &SpawnPlan<'_>) -> io::Result<Process> {
        let plan = SpawnPlan { register: self.guard.groups().place(worker.index()), ..*plan };
        self.spawner.spawn(&plan).map_err(|error| match error {
            _ if error.is_refusal() => io::Error::other(error),
            // Not to be taken for the program's own.
            SpawnError { step: SpawnStep::Folder | SpawnStep::Priority, .. } => io::Error::other(error),
            SpawnError { errno, .. } => io::Error::from_raw_os_error(errno),
        })
    }

    fn signal(&mut self, process: &Process, signal: Signal) -> io::Result<()> {
        process.signal_all(signal)
    }

    fn forget_group(&mut self, worker: WorkerId) {
        self.guard.groups().clear(worker.index());
    }

    fn reap(&mut self, process: &Process) -> (ExitStatus, Usage) {
        reap(process)
    }

    fn abandon(&mut self, worker: WorkerId, process: &Process) {
        abandon(self.guard.groups(), worker, process);
    }

    fn received_signals(&mut self) -> Vec<ReceivedSignal> {
        self.signals.drain()
    }

    fn suspend(&mut self) {
        terminal::suspend_alone(Signal::TSTP);
    }

    fn program_of(&self, pid: u32) -> Option<String> {
        own_process::program_of(pid)
    }

    fn has_terminal(&self) -> bool {
        terminal::Terminal::open().is_ok()
    }

    fn changed_children(&mut self) -> Vec<ChildChange> {
        let Some(children) = &mut self.children else { return Vec::new() };
        // It is in the set.
        let _ = self.poller.modify(&*children, Interest::NONE, Port::Children.token());
        children.drain()
    }

    fn reap_adopted(&mut self, is_ours: &dyn Fn(u32) -> bool) -> bool {
        // Commands are children of the launchers' threads, and orphans of the first one.
        let children = self.children.as_ref().filter(|_| self.reaps_orphans);
        children.is_some_and(|children| children.reap_adopted(is_ours))
    }

    fn watch_children(&mut self) {
        if let Some(children) = &self.children {
            let _ = self.poller.modify(children, Interest::READ, Port::Children.token());
        }
    }

    fn machine_state(&mut self) -> io::Result<MachineState> {
        MachineState::now()
    }

    fn random_token(&mut self) -> io::Result<[u8; 16]> {
        random::bytes()
    }

    fn flush(&mut self, outbox: &mut Outbox) -> io::Result<Flushed> {
        outbox.flush()
    }

    fn replace_guard(&mut self) -> io::Result<u32> {
        self.unwatch_guard();
        self.guard.replace()?;
        self.watch_guard()?;
        Ok(self.guard.pid())
    }

    fn dismiss_guard(&mut self) {
        // Its end is no news then.
        self.unwatch_guard();
        self.guard.dismiss();
    }
}

/// Reaps a process whose pidfd is readable.
pub fn reap(process: &Process) -> (ExitStatus, Usage) {
    // Something else in this process may have reaped it: then how it ended is lost. The supervisor never does that, a
    // program that uses the library may.
    process.reap().ok().flatten().unwrap_or((ExitStatus::Unknown, Usage::default()))
}

/// Ends a process that cannot be watched. Its group is forgotten between its end and its reaping: earlier the guard would
/// miss it, later its number may be another's.
pub fn abandon(groups: &Groups, worker: WorkerId, process: &Process) {
    process.end();
    groups.clear(worker.index());
    let _ = process.reap();
}
