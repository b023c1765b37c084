//! The pace of a run: what outside of it decides how many workers it has, and when processes are started.
//!
//! Invariant: says what the core is to know, and decides nothing about items or workers.

mod auto_workers;
mod climb;
mod relief;
mod shared_places;
mod start_check;
mod starts;
mod workers_file;

pub use relief::{MemoryRelief, MemoryRules};
pub use starts::StartPermits;
pub use workers_file::resolve;

use super::error::EngineError;
use super::system::System;
use super::token::Port;
use super::turn::Turn;
use crate::core::Core;
use crate::core::input::Input;
use crate::model::config::{Config, StartRules, WorkerSpec};
use crate::model::time::Instant;
use crate::sys::asked_command::AskedCommand;
use crate::sys::guard::Groups;
use crate::sys::place_taker::PlaceTaker;
use crate::sys::poller::Interest;
use crate::sys::semaphore::Semaphore;
use auto_workers::AutoWorkers;
use shared_places::SharedPlaces;
use start_check::StartCheck;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use workers_file::WorkersFile;

/// What sets the pace. By default nothing does.
#[derive(Default)]
pub struct RunPace {
    workers_file: Option<WorkersFile>,
    permits: Option<StartPermits>,
    auto: Option<AutoWorkers>,
    relief: Option<MemoryRelief>,
}

impl RunPace {
    /// Watches what the configuration names. The guard of these `groups` knows the command that is asked first.
    ///
    /// # Errors
    /// The system has no watch left.
    pub fn start(config: &Config, groups: &Groups, system: &mut dyn System) -> Result<Self, EngineError> {
        let workers_file = WorkersFile::start(config, system)
            .map_err(EngineError::system("watch the file with the number of workers"))?;
        let quiet = config.output.quiet;
        let rules = start_rules(config);
        let relief = MemoryRelief::of(memory_rules(config), quiet);
        let check =
            start_check(config, groups, system).map_err(EngineError::system("prepare the command to ask first"))?;
        let shared = shared_places(config, system)?;
        let has_rules = rules.is_any() || check.is_some() || shared.is_some();
        let permits = has_rules.then(|| StartPermits::new(rules, quiet).with_check(check).with_shared(shared));
        if rules.is_any() {
            system.machine_state().map_err(EngineError::system("learn what the machine has to spare"))?;
        }
        let auto = config.workers_max.map(|max| AutoWorkers::new(config.policy.workers, max));
        Ok(Self { workers_file, permits, auto, relief })
    }

    /// Only with rules for starts, for memory, and a search for the number of workers from this one up to that.
    #[must_use]
    pub fn of(permits: Option<StartPermits>, relief: Option<MemoryRelief>, search: Option<(u32, u32)>) -> Self {
        let auto = search.map(|(workers, max)| AutoWorkers::new(workers, max));
        Self { workers_file: None, permits, auto, relief }
    }

    /// Each turn, once the starts of the turn are permitted.
    pub fn end_turn(&mut self, core: &Core, turn: &mut Turn) {
        if let Some(auto) = &mut self.auto {
            auto.end_turn(core.totals().settled(), turn);
        }
        if let Some(relief) = &mut self.relief {
            relief.end_turn(core, turn);
        }
        if let Some(permits) = &mut self.permits {
            permits.end_turn(core.processes());
            permits.look(|| core.has_work(), turn.now);
        }
    }

    /// Before the first start.
    pub fn begin(&self, turn: &mut Turn) {
        if self.permits.is_some() {
            turn.report(Input::StartsPermitted { count: Some(0) });
        }
    }

    /// Permits a start, if the core `wants` one and the machine has enough to spare. `true`: it has permitted one, and the
    /// core may want another.
    pub fn permit(&mut self, core: &Core, turn: &mut Turn) -> bool {
        self.permits.as_mut().is_some_and(|permits| permits.permit(core.wants_start(), core.processes(), turn))
    }

    /// A place of the semaphore may have come.
    pub fn on_shared_place(&mut self, turn: &mut Turn) {
        if let Some(permits) = &mut self.permits {
            permits.on_shared_place(turn);
        }
    }

    /// The command that is asked before a start may have answered.
    pub fn on_start_check(&mut self, turn: &mut Turn) {
        if let Some(permits) = &mut self.permits {
            permits.on_start_check(turn);
        }
    }

    /// When a start may be permitted that waits, or memory is looked at.
    pub fn next_timeout(&self) -> Option<Instant> {
        let start = self.permits.as_ref().and_then(StartPermits::next_timeout);
        let relief = self.relief.as_ref().and_then(MemoryRelief::next_timeout);
        start.into_iter().chain(relief).min()
    }

    /// The file with the number of workers may have changed.
    pub fn on_workers_file(&mut self, turn: &mut Turn) {
        if let Some(file) = &mut self.workers_file {
            file.on_ready(turn);
        }
    }
}

/// As in GNU parallel, `--memfree` and `--memsuspend` add up for a start.
fn start_rules(config: &Config) -> StartRules {
    let memory = [config.start_rules.free_bytes_min, config.suspend_free_bytes];
    let free_bytes_min = memory.into_iter().flatten().reduce(u64::saturating_add);
    StartRules { free_bytes_min, ..config.start_rules }
}

/// A thread can be neither held nor ended.
fn is_threads(config: &Config) -> bool {
    matches!(config.worker, WorkerSpec::Thread { .. })
}

fn memory_rules(config: &Config) -> MemoryRules {
    if is_threads(config) {
        return MemoryRules::default();
    }
    let end_below = config.start_rules.free_bytes_min.map(|free| free / 2);
    MemoryRules { hold_below: config.suspend_free_bytes, end_below }
}

fn start_check(config: &Config, groups: &Groups, system: &mut dyn System) -> io::Result<Option<StartCheck>> {
    let Some(script) = config.start_check.clone() else { return Ok(None) };
    let check = StartCheck::new(AskedCommand::new(script, groups)?, !is_threads(config), config.output.quiet);
    system.watch(check.as_fd(), Interest::READ, Port::StartCheck.token())?;
    Ok(Some(check))
}

/// All runs under the name may hold as many places as this one has workers.
fn shared_places(config: &Config, system: &mut dyn System) -> Result<Option<SharedPlaces>, EngineError> {
    let Some(name) = &config.semaphore else { return Ok(None) };
    let semaphore = Semaphore::open(name)?;
    let places = NonZeroU32::new(config.workers_at_most()).unwrap_or(NonZeroU32::MIN);
    let taker = PlaceTaker::start(semaphore).map_err(EngineError::system("wait for places of a semaphore"))?;
    let shared = SharedPlaces::new(taker, places);
    system
        .watch(shared.as_fd(), Interest::READ, Port::SharedPlace.token())
        .map_err(EngineError::system("wait for places of a semaphore"))?;
    Ok(Some(shared))
}
