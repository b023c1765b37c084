//! The pace of a run: what outside of it decides how many workers it has, and when processes are started.
//!
//! Invariant: says what the core is to know, and decides nothing about items or workers.

mod starts;
mod workers_file;

pub use starts::StartPermits;
pub use workers_file::resolve;

use super::error::EngineError;
use super::system::System;
use super::turn::Turn;
use crate::core::input::Input;
use crate::model::config::Config;
use crate::model::time::Instant;
use workers_file::WorkersFile;

/// What sets the pace. By default nothing does.
#[derive(Default)]
pub struct RunPace {
    workers_file: Option<WorkersFile>,
    permits: Option<StartPermits>,
}

impl RunPace {
    /// Watches what the configuration names.
    ///
    /// # Errors
    /// The system has no watch left.
    pub fn start(config: &Config, system: &mut dyn System) -> Result<Self, EngineError> {
        let workers_file = WorkersFile::start(config, system)
            .map_err(EngineError::system("watch the file with the number of workers"))?;
        let rules = config.start_rules;
        let permits = rules.is_any().then(|| StartPermits::new(rules, config.output.quiet));
        if permits.is_some() {
            system.machine_state().map_err(EngineError::system("learn what the machine has to spare"))?;
        }
        Ok(Self { workers_file, permits })
    }

    /// Only with rules for starts.
    #[must_use]
    pub const fn with_permits(permits: Option<StartPermits>) -> Self {
        Self { workers_file: None, permits }
    }

    /// Before the first start.
    pub fn begin(&self, turn: &mut Turn) {
        if self.permits.is_some() {
            turn.report(Input::StartsPermitted { count: Some(0) });
        }
    }

    /// Permits a start, if the core `wants` one and the machine has enough to spare. `true`: it has permitted one, and the
    /// core may want another.
    pub fn permit(&mut self, wants: impl FnOnce() -> bool, turn: &mut Turn) -> bool {
        self.permits.as_mut().is_some_and(|permits| permits.permit(wants(), turn))
    }

    /// When a start may be permitted that waits.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.permits.as_ref().and_then(StartPermits::next_timeout)
    }

    /// The file with the number of workers may have changed.
    pub fn on_workers_file(&mut self, turn: &mut Turn) {
        if let Some(file) = &mut self.workers_file {
            file.on_ready(turn);
        }
    }
}
