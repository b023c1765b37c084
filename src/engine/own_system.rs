//! What a run needs of the system for itself: its clock, its guard, and the one place where it waits.

use super::error::EngineError;
use super::journal::OpenedJournal;
use super::requests::Requests;
use super::system::Os;
use super::token::Port;
use crate::model::config::Config;
use crate::sys::children::ChildChanges;
use crate::sys::clock::Clock;
use crate::sys::guard::{Guard, Leftover};
use crate::sys::poller::{Interest, Poller};
use crate::sys::signals::SignalPlane;
use crate::sys::spawn::Spawner;
use crate::sys::terminal::Terminal;
use std::os::fd::OwnedFd;
use std::rc::Rc;

/// What the guard sees to.
pub struct GuardedThings {
    leftovers: Vec<Leftover>,
    /// Open until the workers have ended.
    held: Option<OwnedFd>,
}

impl GuardedThings {
    /// The journal stays locked until the workers have ended.
    pub fn new(leftovers: Vec<Leftover>, journal: Option<&OpenedJournal>) -> Result<Self, EngineError> {
        let held = journal.map_or(Ok(None), OpenedJournal::lock).map_err(EngineError::system("lock the journal"))?;
        Ok(Self { leftovers, held })
    }
}

/// Whether commands can be lent this terminal.
pub fn check_terminal(terminal: Option<&Terminal>, os: &Os) -> Result<(), EngineError> {
    if terminal.is_none() || os.children.is_some() {
        return Ok(());
    }
    let why = "the run is not on the first thread of its program, or that has a handler for SIGCHLD".to_owned();
    Err(EngineError::Terminal { why })
}

/// What the run needs of the system for itself, and what to say if that is not all there.
pub fn open_system(
    config: &Config,
    guarded: GuardedThings,
    signals: &Rc<SignalPlane>,
    requests: Option<&Requests>,
    reaps_orphans: bool,
) -> Result<(Os, Option<String>), EngineError> {
    // Before any thread: the guard is a fork, in which all signals are blocked.
    let (guard, refused) =
        Guard::start_if_allowed(&guarded.leftovers, guarded.held).map_err(EngineError::system("start the guard"))?;
    let unguarded = refused.map(|error| {
        format!("supervisor: runs without a guard, so KILL of the supervisor leaves behind what workers start: {error}")
    });
    let poller = Poller::new().map_err(EngineError::system("open the poller"))?;
    poller
        .add(signals.fd(), Interest::READ, Port::Signals.token())
        .map_err(EngineError::system("watch for signals"))?;
    if let Some(requests) = requests {
        poller
            .add(requests, Interest::READ, Port::Requests.token())
            .map_err(EngineError::system("watch for requests"))?;
    }
    let spawner = Spawner::new().map_err(EngineError::system("prepare to start workers"))?;
    let children = if config.handles_signals { ChildChanges::watch() } else { Ok(None) };
    let children = children.map_err(EngineError::system("watch for stopped processes"))?;
    if let Some(children) = &children {
        poller
            .add(children, Interest::READ, Port::Children.token())
            .map_err(EngineError::system("watch for stopped processes"))?;
    }
    let os = Os { clock: Clock::start(), poller, signals: Rc::clone(signals), spawner, guard, children, reaps_orphans };
    os.watch_guard().map_err(EngineError::system("watch the guard"))?;
    Ok((os, unguarded))
}
