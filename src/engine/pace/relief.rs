//! What workers that are at an item do about a machine that is short of memory (`--memsuspend`, and `--memfree` once
//! less than half of that is free).
//!
//! The machine is measured once a second while some worker is at an item, and at no other time.
//!
//! Invariant: looks and tells the core; which workers go on, or end, is the core's decision.

use super::super::turn::Turn;
use crate::core::Core;
use crate::core::input::{Input, Relief};
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::sys::machine::MachineState;

/// As often as GNU parallel looks in a run in which nothing else happens.
const EVERY: Duration = Duration::from_secs(1);

/// How little memory may be free.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryRules {
    /// With less, starts wait; with less than twice as much, the workers that began last are held.
    pub hold_below: Option<u64>,
    /// With less, the one that began last is ended.
    pub end_below: Option<u64>,
}

impl MemoryRules {
    const fn is_any(&self) -> bool {
        self.hold_below.is_some() || self.end_below.is_some()
    }

    fn ends(&self, state: MachineState) -> bool {
        self.end_below.is_some_and(|least| state.free_bytes < least)
    }

    /// How many workers go on while memory is short; `None`: it is not, or nothing is asked about it. The formula is
    /// GNU parallel's: the more of `hold_below` is missing to twice as much, the fewer. Where processes wait for memory,
    /// no more than the size itself counts as free.
    fn go_on(&self, state: MachineState) -> Option<u32> {
        let size = u128::from(self.hold_below?);
        let free = if state.waits_for_memory() { size.min(state.free_bytes.into()) } else { state.free_bytes.into() };
        let missing = (2 * size).checked_sub(free).filter(|missing| *missing > 0)?;
        Some(u32::try_from(size / missing).unwrap_or(u32::MAX).saturating_add(1))
    }
}

/// The rules, and when it is looked next.
pub struct MemoryRelief {
    rules: MemoryRules,
    quiet: bool,
    next_look: Instant,
    /// Some worker is at an item.
    has_work: bool,
    /// It was told that workers are held.
    is_told: bool,
}

impl MemoryRelief {
    /// `None`: there is no rule.
    pub fn of(rules: MemoryRules, quiet: bool) -> Option<Self> {
        let relief = Self { rules, quiet, next_look: Instant::ZERO, has_work: false, is_told: false };
        rules.is_any().then_some(relief)
    }

    /// When it is looked next, if some worker is at an item.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.has_work.then_some(self.next_look)
    }

    /// Looks, if it is time.
    pub fn end_turn(&mut self, core: &Core, turn: &mut Turn) {
        self.has_work = core.has_work();
        if !self.has_work || turn.now < self.next_look {
            return;
        }
        self.next_look = turn.now + EVERY;
        // What cannot be measured is no reason to do anything: it could be measured at the start.
        let Ok(state) = turn.system.machine_state() else { return };
        if self.rules.ends(state) {
            turn.report(Input::Relief(Relief::EndYoungest));
        }
        match self.rules.go_on(state) {
            Some(count) => {
                self.tell(state, turn);
                turn.report(Input::Relief(Relief::Run { count }));
            }
            None if core.is_holding() => {
                mutant!(HeldForEver, turn.report(Input::Relief(Relief::GoOn)), {});
            }
            None => {}
        }
    }

    fn tell(&mut self, state: MachineState, turn: &mut Turn) {
        if !std::mem::replace(&mut self.is_told, true) && !self.quiet {
            let MachineState { free_bytes, memory_waits_per_mille, .. } = state;
            turn.notice(&format!(
                "supervisor: memory is short: {free_bytes} bytes are free, and processes waited for some in {}.{}% of \
                 the last 10 s; while it is, only the workers that began first go on",
                memory_waits_per_mille / 10,
                memory_waits_per_mille % 10,
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(free_bytes: u64, memory_waits_per_mille: u32) -> MachineState {
        MachineState { running: 0, free_bytes, memory_waits_per_mille }
    }

    #[test]
    fn the_less_is_free_the_fewer_go_on() {
        let rules = MemoryRules { hold_below: Some(1000), end_below: None };
        let counts = [0, 999, 1000, 1499, 1500, 1750, 1999, 2000].map(|free| rules.go_on(state(free, 0)));
        let expected = [Some(1), Some(1), Some(2), Some(2), Some(3), Some(5), Some(1001), None];
        assert_eq!(counts, expected);
        // Where processes wait for memory it is short, whatever is free.
        assert_eq!([100, 101].map(|waits| rules.go_on(state(9000, waits))), [None, Some(2)]);
        let huge = MemoryRules { hold_below: Some(u64::MAX), end_below: None };
        assert_eq!([0, u64::MAX].map(|free| huge.go_on(state(free, 0))), [Some(1), Some(2)]);
    }

    #[test]
    fn the_youngest_ends_below_its_own_bound() {
        let rules = MemoryRules { hold_below: None, end_below: Some(500) };
        assert_eq!([499, 500].map(|free| rules.ends(state(free, 0))), [true, false]);
        assert_eq!(rules.go_on(state(0, 999)), None);
        assert!(MemoryRelief::of(MemoryRules::default(), false).is_none());
    }
}
