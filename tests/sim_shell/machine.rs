//! The machine around the run: what it has to spare, and what is checked of what the shell makes of it.
//!
//! Invariant: a state lasts for a while, so that it is known what the shell has seen.

use crate::check::hold;
use crate::marks::Mark;
use crate::world::World;
use supervisor::model::config::StartRules;
use supervisor::sys::machine::MachineState;

/// How long a state lasts.
const STATE_NS: u64 = 6_000_000_000;
/// How often the shell looks while a worker is at an item.
const LOOK_NS: u64 = 1_000_000_000;
/// How long a measurement counts for starts.
const MEASURED_NS: u64 = 50_000_000;

/// What is known of the machine.
#[derive(Default)]
pub struct Machine {
    state: Option<MachineState>,
    /// When the state ends.
    until: u64,
    /// Processes that may be ordered until it is measured again.
    room: u32,
    /// The same by the state before, and until when.
    room_before: (u32, u64),
    /// Looks at this state, at least [`LOOK_NS`] apart, and the last of them.
    looks: u32,
    looked_at: u64,
    /// Some worker was stopped when it was looked at this state first.
    was_holding: bool,
    /// One was allowed to go on since then.
    has_let_go: bool,
}

impl World {
    /// The machine is busy with something else, by chance.
    pub fn measure(&mut self) -> MachineState {
        let now = self.now;
        let state = match self.machine.state {
            Some(state) if now < self.machine.until => state,
            _ => self.draw_machine(),
        };
        let StartRules { load_max, free_bytes_min } = self.scenario.start_rules;
        self.machine.room = load_max.map_or(u32::MAX, |max| max.saturating_sub(state.running));
        if free_bytes_min.is_some_and(|min| state.free_bytes < min || state.waits_for_memory()) {
            self.machine.room = 0;
        }
        self.marks.hit(if self.machine.room == 0 { Mark::MachineShort } else { Mark::MachineFree });
        if now >= self.machine.looked_at + LOOK_NS {
            self.machine.looked_at = now;
            self.machine.looks += 1;
        }
        let size = self.scenario.memory_rules.hold_below.unwrap_or(0);
        let is_roomy = state.free_bytes >= 2 * size && !state.waits_for_memory();
        let Machine { looks, was_holding, has_let_go, .. } = self.machine;
        // Chaos stops workers too, and lets them go on by itself.
        let chaos = self.scenario.policy.chaos.filter(|plan| plan.stop.is_some() || plan.slow.is_some());
        let stays = is_roomy && looks >= 3 && was_holding && !has_let_go && self.is_holding() && chaos.is_none();
        hold!(self, !stays, Pace, "a worker stays stopped although the machine has room");
        state
    }

    fn draw_machine(&mut self) -> MachineState {
        let state = MachineState {
            running: self.rng.below(5) as u32,
            free_bytes: self.rng.pick(&[0, 999, 1000, 9000]),
            memory_waits_per_mille: self.rng.pick(&[0, 0, 500]),
        };
        let (now, before) = (self.now, self.machine.room);
        let was_holding = self.is_holding();
        self.machine = Machine {
            state: Some(state),
            until: now + STATE_NS,
            room_before: (before, now + MEASURED_NS),
            looks: 1,
            looked_at: now,
            was_holding,
            ..Machine::default()
        };
        state
    }

    /// The core has ordered a process.
    pub fn ordered_start(&mut self) {
        if !self.scenario.start_rules.is_any() {
            return;
        }
        let (before, until) = self.machine.room_before;
        if self.machine.room == 0 && self.now < until && before > 0 {
            self.machine.room_before.0 -= 1;
            return;
        }
        hold!(self, self.machine.room > 0, Pace, "a process is started while the machine is short");
        self.machine.room = self.machine.room.saturating_sub(1);
    }

    /// A worker that was stopped goes on.
    pub fn let_go(&mut self) {
        self.machine.has_let_go = true;
        self.marks.hit(Mark::HeldWentOn);
    }

    /// Whether some worker is stopped.
    fn is_holding(&self) -> bool {
        let processes = self.processes.iter().any(|process| process.is_stopped && process.is_alive());
        processes || self.commands.all.iter().any(|command| command.is_stopped && command.ended.is_none())
    }
}
