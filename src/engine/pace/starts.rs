//! Whether the machine has enough to spare for another process (`--load`, `--memfree`), a command agrees (`--limit`),
//! and a semaphore has a place (`--sem`).
//!
//! The core is permitted one start at a time. The machine is measured only while the core wants to start one, so a run in
//! which nothing happens wakes nothing.
//!
//! Invariant: with `load_max` no more processes are permitted in a row than were missing at the last measurement.

use super::super::turn::Turn;
use super::shared_places::SharedPlaces;
use super::start_check::StartCheck;
use crate::core::input::Input;
use crate::model::config::StartRules;
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::sys::machine::MachineState;

/// How long a measurement counts. A process that was started since then may not be seen in the next one before.
const MEASURED_FOR: Duration = Duration::from_millis(50);
/// The wait before the next measurement while the machine is short.
const SHORT_FOR: Duration = Duration::from_secs(1);

/// Permits starts by the rules.
pub struct StartPermits {
    rules: StartRules,
    check: Option<StartCheck>,
    shared: Option<SharedPlaces>,
    quiet: bool,
    /// When the machine is measured next, at the earliest.
    next_look: Instant,
    /// Starts that the last measurement allows yet.
    left: u32,
    /// It was told that processes wait.
    is_told: bool,
    /// The core wants to start a process, and may not.
    waits: bool,
}

impl StartPermits {
    pub const fn new(rules: StartRules, quiet: bool) -> Self {
        Self {
            rules,
            check: None,
            shared: None,
            quiet,
            next_look: Instant::ZERO,
            left: 0,
            is_told: false,
            waits: false,
        }
    }

    /// With a command that is asked too.
    #[must_use]
    pub fn with_check(self, check: Option<StartCheck>) -> Self {
        Self { check, ..self }
    }

    /// With places of a semaphore.
    #[must_use]
    pub fn with_shared(self, shared: Option<SharedPlaces>) -> Self {
        Self { shared, ..self }
    }

    /// A place of the semaphore may have come.
    pub fn on_shared_place(&mut self, turn: &mut Turn) {
        if let Some(shared) = &mut self.shared {
            shared.on_ready(turn);
        }
    }

    /// No further process is started in this turn.
    pub fn end_turn(&mut self, processes: usize) {
        if let Some(shared) = &mut self.shared {
            shared.end_turn(processes);
        }
    }

    /// Asks the command, if it is time, whether a worker that is at an item has to make room.
    pub fn look(&mut self, has_work: impl FnOnce() -> bool, now: Instant) {
        if let Some(check) = &mut self.check {
            check.look(has_work(), now);
        }
    }

    /// The command may have answered.
    pub fn on_start_check(&mut self, turn: &mut Turn) {
        if let Some(check) = &mut self.check {
            check.on_ready(turn);
        }
    }

    /// Permits one start beside the `processes` that the run has, if the core `wants` one and nothing is short. `false`:
    /// none.
    pub fn permit(&mut self, wants: bool, processes: usize, turn: &mut Turn) -> bool {
        self.waits = wants && !(self.may_start(turn) && self.has_place(processes) && self.is_allowed(turn.now));
        let permits = wants && !self.waits;
        if permits {
            self.left -= 1;
            turn.report(Input::StartsPermitted { count: Some(1) });
        }
        permits
    }

    /// When the machine is measured again, if a process waits for that, or the command is asked again.
    pub fn next_timeout(&self) -> Option<Instant> {
        let start = mutant!(ShortMachineForgotten, self.waits, false).then(|| self.next_question()).flatten();
        start.into_iter().chain(self.check.as_ref().and_then(StartCheck::next_look)).min()
    }

    fn next_question(&self) -> Option<Instant> {
        if self.left == 0 { Some(self.next_look) } else { self.check.as_ref().and_then(StartCheck::next_timeout) }
    }

    fn has_place(&mut self, processes: usize) -> bool {
        self.shared.as_mut().is_none_or(|shared| shared.allows(processes))
    }

    fn is_allowed(&mut self, now: Instant) -> bool {
        self.check.as_mut().is_none_or(|check| check.allows(now))
    }

    fn may_start(&mut self, turn: &mut Turn) -> bool {
        if !self.rules.is_any() {
            // Nothing of the machine decides, so its files are not read.
            self.left = u32::MAX;
            return true;
        }
        if turn.now < self.next_look {
            return self.left > 0;
        }
        // What cannot be measured is no reason to wait: it could be measured at the start.
        let short = match turn.system.machine_state() {
            Ok(state) => self.judge(state),
            Err(_) => None,
        };
        self.next_look = turn.now + if short.is_some() { SHORT_FOR } else { MEASURED_FOR };
        if let Some(why) = short {
            self.left = 0;
            if !std::mem::replace(&mut self.is_told, true) && !self.quiet {
                turn.notice(&format!("supervisor: processes wait before they start: {why}"));
            }
        }
        mutant!(ShortMachineIgnored, {}, self.left = self.left.max(1));
        self.left > 0
    }

    /// Notes how many processes may be started in this state of the machine. If none, returns what is short.
    fn judge(&mut self, state: MachineState) -> Option<String> {
        let StartRules { load_max, free_bytes_min } = self.rules;
        self.left = load_max.map_or(u32::MAX, |max| max.saturating_sub(state.running));
        match (load_max, free_bytes_min) {
            (_, Some(min)) if state.free_bytes < min => {
                Some(format!("{} bytes of memory are free, and they want {min}", state.free_bytes))
            }
            (_, Some(_)) if state.waits_for_memory() => Some("processes wait for memory".to_owned()),
            (Some(max), _) if self.left == 0 => {
                Some(format!("{} threads of the machine run already, and fewer than {max} have to", state.running))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(rules: StartRules, running: u32, free_bytes: u64) -> u32 {
        let mut permits = StartPermits::new(rules, true);
        let short = permits.judge(MachineState { running, free_bytes, memory_waits_per_mille: 0 });
        if short.is_some() { 0 } else { permits.left }
    }

    #[test]
    fn as_many_may_start_as_the_machine_has_room_for() {
        let load = |max| StartRules { load_max: Some(max), free_bytes_min: None };
        assert_eq!([0, 3, 4, 9].map(|running| left(load(4), running, 0)), [4, 1, 0, 0]);
        let memory = StartRules { load_max: None, free_bytes_min: Some(1000) };
        assert_eq!([999, 1000].map(|free| left(memory, 9, free)), [0, u32::MAX]);
        let mut permits = StartPermits::new(memory, true);
        assert!(permits.judge(MachineState { running: 0, free_bytes: 1000, memory_waits_per_mille: 101 }).is_some());
        let both = StartRules { load_max: Some(4), free_bytes_min: Some(1000) };
        assert_eq!([(9, 1000), (0, 999), (3, 1000)].map(|(running, free)| left(both, running, free)), [0, 0, 1]);
    }
}
