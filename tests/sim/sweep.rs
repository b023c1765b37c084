//! Runs seeds and scripts, and returns how each ended.

use crate::choice::{Rng, Script};
use crate::scenario::Scenario;
use crate::violation::{BrokenCheck, Check};
use crate::world::{World, WorldEnd};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use supervisor::core::Core;
use supervisor::model::spec::Policy;

/// A world that takes more steps is endless. The longest real ones need a tenth of it.
pub const STEPS_MAX: u64 = 20_000;

/// The `SIM_*` variables of the environment.
pub struct SweepRequest {
    pub seeds: u64,
    pub steps_max: u64,
    pub only: Option<u64>,
}

impl SweepRequest {
    pub fn from_environment(seeds: u64) -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
        };
        Self {
            seeds: number("SIM_SEEDS").unwrap_or(seeds),
            steps_max: number("SIM_STEPS").unwrap_or(STEPS_MAX),
            only: number("SIM_SEED"),
        }
    }
}

/// A world that is reused for every seed.
pub struct Harness {
    world: World,
    steps_max: u64,
    /// Skips the core's own invariant check: for cores with a planted defect.
    pub outside_only: bool,
}

impl Harness {
    pub fn new(steps_max: u64) -> Self {
        Self { world: World::new(), steps_max, outside_only: false }
    }

    /// Plays one seed.
    pub fn play(&mut self, seed: u64) -> Result<WorldEnd, BrokenCheck> {
        let mut rng = Rng::new(seed);
        let scenario = Scenario::draw(&mut rng);
        self.play_scenario(scenario, rng, None, 0)
    }

    /// Plays one seed and prints what happens.
    pub fn play_with_trace(&mut self, seed: u64) -> Result<WorldEnd, BrokenCheck> {
        println!("seed {seed}: {:#?}", Scenario::draw(&mut Rng::new(seed)));
        self.world.trace.aloud = true;
        let world_end = self.play(seed);
        self.world.trace.aloud = false;
        world_end
    }

    fn play_scenario(
        &mut self,
        scenario: Scenario,
        rng: Rng,
        script: Option<Script>,
        crashes: u32,
    ) -> Result<WorldEnd, BrokenCheck> {
        let core = Core::new(scenario.policy.clone());
        self.world.reset(scenario, rng, core, script, crashes);
        self.world.outside_only = self.outside_only;
        let (world, steps_max) = (&mut self.world, self.steps_max);
        // A core that panics has failed a check like any other; the next world starts from nothing.
        let result = quietly(|| catch_unwind(AssertUnwindSafe(|| world.run(steps_max))));
        result.unwrap_or_else(|_| {
            self.world.script = None;
            Err(BrokenCheck { check: Check::Core, text: LAST_PANIC.take() })
        })
    }

    /// Plays every order of events of a small case, with a crash at every possible point. Returns how many there are.
    pub fn play_completely(&mut self, policy: &Policy, items: u64, crashes: u32) -> Result<u64, String> {
        let mut script = Script::default();
        let mut count = 0;
        loop {
            let scenario = Scenario::calm(policy.clone(), items);
            let ended = self.play_scenario(scenario, Rng::new(1), Some(std::mem::take(&mut script)), crashes);
            script = self.world.script.take().unwrap_or_default();
            if let Err(violation) = ended {
                return Err(format!("{violation}\n  choices {:?}", script.taken()));
            }
            count += 1;
            if !script.advance() {
                return Ok(count);
            }
        }
    }
}

thread_local! {
    /// On this thread panics are caught, and count as a check that does not hold.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the text of a panic that is caught on purpose off the screen, and stores it in `LAST_PANIC`.
fn quietly<T>(play: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if QUIET.get() {
                LAST_PANIC.set(panic.to_string());
            } else {
                loud(panic);
            }
        }));
    });
    QUIET.set(true);
    let played = play();
    QUIET.set(false);
    played
}
