//! Commands, as the loop sees them: orders to the launchers, and facts from them.
//!
//! A command is a process for one item, and its exit is the item's result. Launchers own the processes;
//! orders and facts travel in batches, once a turn.

use super::error::EngineError;
use super::event_loop::Engine;
use super::launcher::{self, Exit, Fact, Item, LauncherConfig, Order};
use super::spawning::Kind;
use super::telling::Answer;
use crate::command::capture::{Capture, Collector};
use crate::command::exec::Commander;
use crate::core::input::Input;
use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::model::signal::Signal;
use crate::reporter::Content;
use crate::sys::clock::Clock;
use crate::sys::guard::Groups;
use crate::sys::mailbox::Mailbox;
use crate::sys::signals;
use crate::sys::spill::SpillFile;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// As many as bring the most: while one waits for an exec, the other has a processor; a third would only
/// take turns with them.
pub const LAUNCHERS_MAX: usize = 2;

/// The launchers, and the facts that they share a mailbox for.
pub struct Launchers {
    launchers: Vec<Handle>,
    facts: Arc<Mailbox<Fact>>,
    /// Scratch space for a batch.
    heard: Vec<Fact>,
    /// A deadline has passed, and so many launchers have yet to say that nothing came before it.
    looks: Option<usize>,
}

struct Handle {
    orders: Arc<Mailbox<Order>>,
    /// Orders of this turn.
    waiting: Vec<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Launchers {
    /// Starts them, with this to start commands with. They take no signals: those are for the loop's thread.
    ///
    /// # Errors
    /// No thread or no descriptor is left.
    pub fn start(
        commander: &Commander,
        slots: usize,
        spill: &Arc<SpillFile>,
        groups: &Groups,
        clock: Clock,
    ) -> io::Result<Self> {
        let facts = Arc::new(Mailbox::new()?);
        let mut launchers = Self { launchers: Vec::new(), facts, heard: Vec::new(), looks: None };
        let step = LAUNCHERS_MAX.min(slots).max(1);
        for number in 0..step {
            let orders = Arc::new(Mailbox::new()?);
            let config = LauncherConfig {
                number,
                step,
                slots,
                commander: commander.clone(),
                collector: Collector::new(Arc::clone(spill)),
                groups: groups.clone(),
                clock,
                orders: Arc::clone(&orders),
                facts: Arc::clone(&launchers.facts),
            };
            let builder = Builder::new().name(format!("launcher-{}", number + 1));
            let thread = signals::with_blocked(|| builder.spawn(move || launcher::live(config)))?;
            launchers.launchers.push(Handle { orders, waiting: Vec::new(), thread: Some(thread) });
        }
        Ok(launchers)
    }

    fn order(&mut self, worker: WorkerId, order: Order) {
        let count = self.launchers.len().max(1);
        if let Some(launcher) = self.launchers.get_mut(worker.index() % count) {
            launcher.waiting.push(order);
        }
    }

    /// Whether a deadline counts that `has_passed`: once all that came before it is heard. After a stop of
    /// the whole program the launchers may not have had their turn yet.
    fn have_looked(&mut self, has_passed: bool) -> bool {
        let looked = self.looks.take_if(|left| *left == 0).is_some();
        if has_passed && !looked && self.looks.is_none() {
            self.looks = Some(self.launchers.len());
            self.launchers.iter_mut().for_each(|launcher| launcher.waiting.push(Order::Probe));
        }
        has_passed && looked
    }

    /// Hands over the orders of this turn.
    fn post(&mut self) {
        for launcher in &mut self.launchers {
            launcher.orders.post(&mut launcher.waiting);
        }
    }
}

/// Readable when there are facts and the loop waits.
impl AsFd for Launchers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.facts.as_fd()
    }
}

/// They end with what they still have; after a run that is nothing.
impl Drop for Launchers {
    fn drop(&mut self) {
        for launcher in &mut self.launchers {
            launcher.orders.post(&mut vec![Order::Leave]);
        }
        for thread in self.launchers.iter_mut().filter_map(|launcher| launcher.thread.take()) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Engine {
    /// Has a command started for an item.
    pub(super) fn launch_command(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Batch) {
        let body = self.payloads.body(batch.first, 1);
        if let Kind::Command { commander, verbose: true } = &mut self.spawning.kind {
            self.telling.err.push(&commander.quoted_line(body.bytes(), batch.first, worker));
            self.telling.err.push(b"\n");
        }
        if let Some(launchers) = &mut self.launchers {
            launchers.order(worker, Order::Launch { worker, incarnation, batch, item: Item::from(body) });
        }
    }

    /// Has a command's group signalled. False: workers are no commands.
    pub(super) fn kill_command(&mut self, worker: WorkerId, incarnation: Incarnation, signal: Signal) -> bool {
        let Some(launchers) = &mut self.launchers else { return false };
        launchers.order(worker, Order::Kill { worker, incarnation, signal });
        true
    }

    /// Hands the orders of this turn to the launchers.
    pub(super) fn post_orders(&mut self) {
        if let Some(launchers) = &mut self.launchers {
            launchers.post();
        }
    }

    /// Whether a deadline counts that `has_passed`. If not, there may be something that came before it.
    pub(super) fn is_really_late(&mut self, has_passed: bool) -> bool {
        self.launchers.as_mut().map_or(has_passed, |launchers| launchers.have_looked(has_passed))
    }

    /// Whether that question is open.
    pub(super) fn is_looking(&self) -> bool {
        self.launchers.as_ref().is_some_and(|launchers| launchers.looks.is_some_and(|left| left > 0))
    }

    /// The loop is about to wait: the last orders leave. False: there are facts already.
    pub(super) fn arm(&mut self) -> bool {
        self.post_orders();
        self.launchers.as_ref().is_none_or(|launchers| launchers.facts.arm())
    }

    /// Hands the core what the launchers have told.
    pub(super) fn hear_launchers(&mut self) -> Result<(), EngineError> {
        let Some(launchers) = &mut self.launchers else { return Ok(()) };
        let mut heard = std::mem::take(&mut launchers.heard);
        launchers.facts.take(&mut heard);
        for fact in heard.drain(..) {
            match fact {
                Fact::Spawned { worker, incarnation, pid } => self.feed(Input::Spawned { worker, incarnation, pid }),
                Fact::NotSpawned { worker, incarnation, error } => {
                    self.feed(Input::SpawnFailed { worker, incarnation, error });
                }
                Fact::NotSignalled { words } => {
                    self.telling.err.push(format!("supervisor: failed to {words}\n").as_bytes());
                }
                Fact::StorageLost { error } => self.feed(Input::StorageLost { error }),
                Fact::Exited(exit) => self.command_exited(*exit),
                Fact::Looked => {
                    let looks = self.launchers.as_mut().and_then(|launchers| launchers.looks.as_mut());
                    if let Some(left) = looks {
                        *left = left.saturating_sub(1);
                    }
                }
                Fact::Lost { error } => return Err(EngineError::system("go on starting commands")(error)),
            }
        }
        if let Some(launchers) = &mut self.launchers {
            launchers.heard = heard;
        }
        Ok(())
    }

    fn command_exited(&mut self, exit: Exit) {
        let Exit { worker, incarnation, item, status, usage, time, mut out, mut err } = exit;
        let answer = Answer {
            first: item,
            results: content(&mut out),
            errors: content(&mut err),
            times: Some(&[time]),
            exit: Some(status),
            of_failures: true,
        };
        // If another attempt follows, nothing takes the answer: what this attempt wrote is freed.
        self.feed_with(Input::Exited { worker, incarnation, status, usage, running: None }, Some(answer));
    }
}

fn content(capture: &mut Capture) -> Content<'_> {
    Content { spilled: std::mem::take(&mut capture.spilled), memory: &capture.memory }
}
