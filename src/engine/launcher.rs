//! A launcher: a thread that owns some of the slots whole. It starts their commands, waits for them,
//! reads what they write, feeds them, ends what is left of their groups, and reaps them.
//!
//! Starting a process stops its caller until the exec, and so does ending one, for a moment. On two
//! threads that share nothing these moments overlap, and the loop has none of them.
//!
//! A command has ended when its process has. Its output is complete when both its pipes are closed;
//! a grandchild that holds one open is given [`LINGER`] to go on writing, then the leftovers of the
//! process group are ended. The group is signalled before its leader is reaped: until then nobody
//! else can have its id.
//!
//! Output is read also while stdout takes less than commands give: what is too much for memory goes to
//! a file, and no command stands still, with its time running, because of a slow reader.
//!
//! Invariant: it decides nothing: it carries out orders, and reports facts. It never waits for the loop,
//! and lives as long as the program: its commands would die with it. What waits for the loop is at most
//! a handful of facts for each slot.

use super::spawning::{abandon, reap};
use super::token::{Part, Port, generation};
use crate::command::capture::{Capture, Collector, Progress};
use crate::command::exec::{Commander, Execution, Launch, LaunchError};
use crate::core::input::SpawnFailure;
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::reporter::ItemTime;
use crate::sys::block::{Block, BlockSlice};
use crate::sys::clock::Clock;
use crate::sys::guard::Groups;
use crate::sys::mailbox::Mailbox;
use crate::sys::poller::{Interest, Poller, Ready};
use crate::sys::spawn::Spawner;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// How long the leftovers of a command that has ended may hold its output open.
const LINGER: Duration = Duration::from_secs(1);

/// Reads from one pipe of a command before the others are looked at.
const READS_PER_EVENT: u32 = 16;

/// Reads from one pipe of a command that has ended: more than a pipe holds (1 MiB at most).
const READS_AT_END: u32 = 64;

/// How long a launcher without any command lets others run before it sleeps, after it has told of an end:
/// the answer is usually the next start, and takes less than being woken.
const ANSWER_WAIT: Duration = Duration(50_000);

/// What the loop tells a launcher. Orders for an incarnation that is gone mean nobody.
pub enum Order {
    /// Start a command for this item, in a slot that is empty. Answer: `Spawned` or `NotSpawned`.
    Launch { worker: WorkerId, incarnation: Incarnation, batch: Batch, item: Item },
    /// Signal this incarnation's process group.
    Kill { worker: WorkerId, incarnation: Incarnation, signal: Signal },
    /// Probe whether anything has happened by now. Answer: `Looked`, behind all that has.
    Probe,
    /// Nothing follows: the thread ends, and with it whatever it still has.
    Leave,
}

/// What a launcher tells the loop; of one incarnation in this order.
pub enum Fact {
    Spawned {
        worker: WorkerId,
        incarnation: Incarnation,
        pid: u32,
    },
    NotSpawned {
        worker: WorkerId,
        incarnation: Incarnation,
        error: SpawnFailure,
    },
    /// It may not be ours to signal: it has changed its user. The words complete "failed to ...".
    NotSignalled {
        words: String,
    },
    /// What a command wrote could not be kept.
    StorageLost {
        error: String,
    },
    Exited(Box<Exit>),
    /// Whatever happened before the order to look is told.
    Looked,
    /// The thread is gone, and its commands with it.
    Lost {
        error: io::Error,
    },
}

/// How a command ended, and what it wrote.
pub struct Exit {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub item: ItemId,
    pub status: ExitStatus,
    pub usage: Usage,
    pub time: ItemTime,
    pub out: Capture,
    pub err: Capture,
}

/// An item's bytes, with the block that they lie in.
pub struct Item {
    block: Arc<Block>,
    range: Range<usize>,
}

impl From<BlockSlice<'_>> for Item {
    fn from(slice: BlockSlice<'_>) -> Self {
        Self { block: Arc::clone(slice.block()), range: slice.range() }
    }
}

impl Item {
    fn bytes(&self) -> &[u8] {
        &self.block[self.range.clone()]
    }
}

/// What a launcher is made of.
pub struct LauncherConfig {
    /// It owns each slot whose index is `number` more than a multiple of `step`.
    pub number: usize,
    pub step: usize,
    pub slots: usize,
    pub commander: Commander,
    pub collector: Collector,
    pub groups: Groups,
    pub clock: Clock,
    pub orders: Arc<Mailbox<Order>>,
    pub facts: Arc<Mailbox<Fact>>,
}

/// The thread's whole life.
pub fn live(config: LauncherConfig) {
    let facts = Arc::clone(&config.facts);
    // Also if it panics.
    let mut loss = Loss { facts, error: Some(io::Error::other("it panicked")) };
    loss.error = Launcher::new(config).and_then(Launcher::run).err();
}

/// Tells of the thread's end, unless it was told to leave.
struct Loss {
    facts: Arc<Mailbox<Fact>>,
    error: Option<io::Error>,
}

impl Drop for Loss {
    fn drop(&mut self) {
        if let Some(error) = self.error.take() {
            self.facts.post(&mut vec![Fact::Lost { error }]);
        }
    }
}

/// A command that works on one item.
struct Command {
    execution: Execution,
    worker: WorkerId,
    incarnation: Incarnation,
    id: ItemId,
    item: Item,
    /// Its stdin is in the poller.
    stdin: bool,
    /// When it was seen to have ended.
    ended: Option<Instant>,
}

impl Command {
    fn token(&self, part: Part) -> u64 {
        let (index, generation) = (self.worker.index() as u32, generation(self.incarnation.0));
        Port::Worker { part, index, generation }.token()
    }
}

struct Launcher {
    config: LauncherConfig,
    spawner: Spawner,
    poller: Poller,
    now: Instant,
    /// By index, each `step`th.
    commands: Vec<Option<Box<Command>>>,
    /// Facts of this turn.
    told: Vec<Fact>,
    /// Slots with a command.
    running: usize,
    /// An end was told in this turn.
    awaits_answer: bool,
    /// It was told to look, and has not yet.
    looking: bool,
    /// Ended commands whose output is still open: when to wait no longer, and the token of their process.
    lingering: VecDeque<(Instant, u64)>,
}

impl Launcher {
    fn new(config: LauncherConfig) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(config.orders.as_ref(), Interest::READ, Port::Orders.token())?;
        let own = config.slots.saturating_sub(config.number).div_ceil(config.step);
        Ok(Self {
            spawner: Spawner::new()?,
            poller,
            now: Instant::ZERO,
            commands: (0..own).map(|_| None).collect(),
            told: Vec::new(),
            running: 0,
            awaits_answer: false,
            looking: false,
            lingering: VecDeque::new(),
            config,
        })
    }

    /// Until it is told to leave.
    fn run(mut self) -> io::Result<()> {
        let (mut orders, mut ready) = (Vec::new(), Vec::new());
        loop {
            // Ends before starts: the loop finds more work for the slots while they are filled.
            self.tell();
            self.config.orders.take(&mut orders);
            for order in orders.drain(..) {
                match order {
                    Order::Launch { worker, incarnation, batch, item } => self.launch(worker, incarnation, batch, item),
                    Order::Kill { worker, incarnation, signal } => self.kill(worker, incarnation, signal),
                    Order::Probe => self.looking = true,
                    Order::Leave => return Ok(()),
                }
            }
            self.tell();
            self.await_answer();
            let at_once = self.looking || !self.config.orders.arm();
            let timeout = if at_once { Some(Duration::ZERO) } else { self.next_timeout() };
            self.poller.wait(&mut ready, timeout)?;
            self.now = self.config.clock.now();
            for event in &ready {
                self.on_ready(*event);
            }
            self.on_timeouts();
            if std::mem::take(&mut self.looking) {
                self.told.push(Fact::Looked);
            }
        }
    }

    /// Gives the loop the time to answer, if nothing else is to be done here.
    fn await_answer(&mut self) {
        if !std::mem::take(&mut self.awaits_answer) || self.running > 0 {
            return;
        }
        let until = self.config.clock.now() + ANSWER_WAIT;
        while self.config.orders.is_empty() && self.config.clock.now() < until {
            std::thread::yield_now();
        }
    }

    fn tell(&mut self) {
        self.config.facts.post(&mut self.told);
    }

    fn next_timeout(&self) -> Option<Duration> {
        self.lingering.front().map(|(until, _)| until.since(self.config.clock.now()))
    }

    fn on_timeouts(&mut self) {
        while let Some((until, token)) = self.lingering.front().copied()
            && until <= self.now
        {
            self.lingering.pop_front();
            // Its leftovers had their time.
            if let Some(Port::Worker { index, generation, .. }) = Port::of(token)
                && self.of_event(index, generation).is_some_and(|command| command.ended.is_some())
            {
                self.settle(index as usize);
            }
        }
    }

    fn on_ready(&mut self, event: Ready) {
        let Some(Port::Worker { part, index, generation }) = Port::of(event.token) else { return };
        if self.of_event(index, generation).is_none() {
            return;
        }
        let index = index as usize;
        match part {
            Part::Process => self.ended(index),
            Part::CommandStdin => self.write_stdin(index),
            Part::CommandStdout | Part::CommandStderr => {
                if self.read(index, part, READS_PER_EVENT) {
                    self.settle_if_complete(index);
                }
            }
            // Of workers that stay.
            Part::Frames | Part::Writable => {}
        }
    }

    fn place(&mut self, index: usize) -> Option<&mut Option<Box<Command>>> {
        self.commands.get_mut(index / self.config.step)
    }

    fn at(&mut self, index: usize) -> Option<&mut Command> {
        self.place(index)?.as_deref_mut()
    }

    /// The command that an event is about, unless the event is an older one's.
    fn of_event(&mut self, index: u32, of: u32) -> Option<&mut Command> {
        self.at(index as usize).filter(|command| generation(command.incarnation.0) == of)
    }

    fn launch(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Batch, item: Item) {
        let command = match self.start(worker, incarnation, batch, item) {
            Ok(command) => command,
            Err(error) => {
                self.told.push(Fact::NotSpawned { worker, incarnation, error });
                return;
            }
        };
        let pid = command.execution.process.pid;
        let stdin = command.execution.stdin.is_some();
        let Some(place) = self.place(worker.index()) else { return };
        *place = Some(Box::new(command));
        self.running += 1;
        self.told.push(Fact::Spawned { worker, incarnation, pid });
        if stdin {
            self.write_stdin(worker.index());
        }
    }

    /// Starts a command and puts it into the poller.
    fn start(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        item: Item,
    ) -> Result<Command, SpawnFailure> {
        let groups = &self.config.groups;
        let launch = Launch {
            worker,
            item: batch.first,
            attempt: batch.attempt,
            bytes: item.bytes(),
            register: groups.place(worker.index()),
            now: self.config.clock.now(),
        };
        let execution = self.config.commander.launch(&mut self.spawner, &launch).map_err(|error| match error {
            LaunchError::Item(words) => SpawnFailure::Item(words),
            LaunchError::Shortage(words) => SpawnFailure::Shortage(words),
        })?;
        let command = Command { execution, worker, incarnation, id: batch.first, item, stdin: false, ended: None };
        if let Err(error) = self.watch(&command) {
            self.unwatch(&command);
            abandon(&self.config.groups, worker, &command.execution.process);
            return Err(SpawnFailure::Shortage(format!("watch a command: {error}")));
        }
        Ok(command)
    }

    fn watch(&self, command: &Command) -> io::Result<()> {
        let execution = &command.execution;
        self.poller.add(&execution.process, Interest::READ, command.token(Part::Process))?;
        for (pipe, part) in [(&execution.stdout, Part::CommandStdout), (&execution.stderr, Part::CommandStderr)] {
            if let Some(pipe) = pipe {
                self.poller.add(pipe, Interest::READ, command.token(part))?;
            }
        }
        Ok(())
    }

    /// Takes out of the poller what may be in there.
    fn unwatch(&self, command: &Command) {
        let execution = &command.execution;
        if command.ended.is_none() {
            let _ = self.poller.remove(&execution.process);
        }
        for pipe in [&execution.stdout, &execution.stderr].into_iter().flatten() {
            let _ = self.poller.remove(pipe);
        }
        if let (true, Some(stdin)) = (command.stdin, &execution.stdin) {
            let _ = self.poller.remove(stdin);
        }
    }

    /// One that is already gone is no error.
    fn kill(&mut self, worker: WorkerId, incarnation: Incarnation, signal: Signal) {
        let command = self.at(worker.index()).filter(|command| command.incarnation == incarnation);
        let Some(process) = command.map(|command| &command.execution.process) else { return };
        if let Err(error) = process.signal_group(signal) {
            let words = format!("send {signal} to worker {worker} (pid {}): {error}", process.pid);
            self.told.push(Fact::NotSignalled { words });
        }
    }

    /// Feeds a command's stdin with its item.
    fn write_stdin(&mut self, index: usize) {
        let Some(command) = self.commands.get_mut(index / self.config.step).and_then(Option::as_deref_mut) else {
            return;
        };
        let token = command.token(Part::CommandStdin);
        let written = command.execution.write_stdin(command.item.bytes());
        let Some(stdin) = &command.execution.stdin else { return };
        let written = match written {
            Ok(Progress::Blocked) if command.stdin => return,
            Ok(Progress::Blocked) => self.poller.add(stdin, Interest::WRITE, token).map(|_| command.stdin = true),
            Ok(Progress::More | Progress::Closed) => {
                if std::mem::take(&mut command.stdin) {
                    let _ = self.poller.remove(stdin);
                }
                // Now the command sees the end.
                command.execution.stdin = None;
                return;
            }
            Err(error) => Err(error),
        };
        if written.is_err() {
            // It must not take the part that it got for the whole.
            let _ = command.execution.process.signal_group(Signal::KILL);
        }
    }

    /// Reads one pipe, at most `reads` times. Returns whether it is closed.
    fn read(&mut self, index: usize, part: Part, reads: u32) -> bool {
        let Some(command) = self.commands.get_mut(index / self.config.step).and_then(Option::as_deref_mut) else {
            return true;
        };
        let (execution, collector) = (&mut command.execution, &mut self.config.collector);
        let stderr = part == Part::CommandStderr;
        for _ in 0..reads {
            let read = if stderr { execution.read_stderr(collector) } else { execution.read_stdout(collector) };
            match read {
                Ok(Progress::More) => continue,
                Ok(Progress::Blocked) => return false,
                Ok(Progress::Closed) => {}
                Err(error) => self.told.push(Fact::StorageLost { error: error.to_string() }),
            }
            let pipe = if stderr { &mut execution.stderr } else { &mut execution.stdout };
            if let Some(pipe) = pipe.take() {
                let _ = self.poller.remove(&pipe);
            }
            return true;
        }
        false
    }

    /// A command's process has ended: reads what is left, and waits for its leftovers if they hold
    /// the output open.
    fn ended(&mut self, index: usize) {
        let now = self.now;
        let Some(command) = self.commands.get_mut(index / self.config.step).and_then(Option::as_deref_mut) else {
            return;
        };
        if command.ended.replace(now).is_some() {
            return;
        }
        let token = command.token(Part::Process);
        let _ = self.poller.remove(&command.execution.process);
        self.read(index, Part::CommandStdout, READS_AT_END);
        self.read(index, Part::CommandStderr, READS_AT_END);
        if !self.settle_if_complete(index) {
            self.lingering.push_back((now + LINGER, token));
        }
    }

    fn settle_if_complete(&mut self, index: usize) -> bool {
        let Some(command) = self.at(index) else { return true };
        let execution = &command.execution;
        let complete = command.ended.is_some() && execution.stdout.is_none() && execution.stderr.is_none();
        if complete {
            self.settle(index);
        }
        complete
    }

    /// Ends the leftovers, reaps the process, and tells of its exit and output.
    fn settle(&mut self, index: usize) {
        let Some(command) = self.place(index).and_then(Option::take) else { return };
        self.running -= 1;
        self.awaits_answer = true;
        self.unwatch(&command);
        let Command { execution, worker, incarnation, id, ended, .. } = *command;
        let _ = execution.process.signal_group(Signal::KILL);
        self.config.groups.clear(worker.index());
        let (status, usage) = reap(&execution.process);
        let runtime = ended.unwrap_or(self.now).since(execution.started);
        self.told.push(Fact::Exited(Box::new(Exit {
            worker,
            incarnation,
            item: id,
            status,
            usage,
            time: ItemTime { started: execution.started, runtime },
            out: execution.out,
            err: execution.err,
        })));
    }
}
