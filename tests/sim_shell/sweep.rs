//! Plays seeds and scenarios, and reports what came of them.

use crate::assembly;
use crate::check::{Check, Violation};
use crate::choice::Rng;
use crate::marks::Marks;
use crate::scenario::Scenario;
use crate::sessions::{self, SessionEnd};
use crate::world::{Shared, World};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Once;
use supervisor::model::outcome::RunOutcome;
use supervisor::trace::frame::TracedFrame;

/// Calls of the shell after which a run is called endless.
pub const CALLS_MAX: u64 = 500_000;

/// The `SIM_*` variables of the environment.
pub struct Request {
    pub seeds: u64,
    pub calls_max: u64,
    pub only: Option<u64>,
}

impl Request {
    pub fn from_environment(seeds: u64) -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
        };
        Self {
            seeds: number("SIM_SEEDS").unwrap_or(seeds),
            calls_max: number("SIM_STEPS").unwrap_or(CALLS_MAX),
            only: number("SIM_SEED"),
        }
    }
}

/// How one run ended.
#[derive(Clone, Debug)]
pub struct Played {
    pub outcome: RunOutcome,
    /// Executions of items that began, and items whose results were shown.
    pub executions: u64,
    pub shown: u64,
    /// Frames that the tap was passed.
    pub traced: Vec<TracedFrame>,
    pub calls: u64,
    pub trace_hash: u64,
    pub marks: Marks,
}

/// Plays one seed.
pub fn play(seed: u64, calls_max: u64, aloud: bool) -> Result<Played, Violation> {
    let mut rng = Rng::new(seed);
    let scenario = Scenario::draw(&mut rng);
    if aloud {
        println!("seed {seed}: {scenario:#?}");
    }
    play_scenario(scenario, rng, calls_max, aloud)
}

pub fn play_scenario(scenario: Scenario, rng: Rng, calls_max: u64, aloud: bool) -> Result<Played, Violation> {
    let world: Shared = Rc::new(RefCell::new(World::new(scenario, rng, calls_max, aloud)));
    let outcome = match session(&world)? {
        Some(outcome) => outcome,
        None => return Err(Violation { check: Check::Engine, text: "the session did not begin".to_owned() }),
    };
    let mut world = world.borrow_mut();
    Ok(played(&mut world, outcome))
}

/// Plays a run of several sessions: those that end so, and a last one, which nothing disturbs.
pub fn play_sessions(seed: u64, calls_max: u64, aloud: bool) -> Result<Played, Violation> {
    let mut rng = Rng::new(seed);
    let (scenario, ends) = sessions::draw(&mut rng);
    if aloud {
        println!("seed {seed}: {ends:?} {scenario:#?}");
    }
    play_run(scenario, &ends, rng, calls_max, aloud)
}

pub fn play_run(
    scenario: Scenario,
    ends: &[SessionEnd],
    rng: Rng,
    calls_max: u64,
    aloud: bool,
) -> Result<Played, Violation> {
    let world: Shared = Rc::new(RefCell::new(World::new(scenario.clone(), rng, calls_max, aloud)));
    let calm = sessions::undisturbed(&scenario);
    for (at, &end) in ends.iter().enumerate() {
        world.borrow_mut().plan_session(end);
        session(&world)?;
        let mut world = world.borrow_mut();
        world.end_session();
        let next = if at + 1 < ends.len() { &scenario } else { &calm };
        world.begin_session(next.clone(), calls_max);
        world.violation.take().map_or(Ok(()), Err)?;
    }
    world.borrow_mut().plan_session(SessionEnd::ByItself);
    let Some(outcome) = session(&world)? else {
        return Err(Violation { check: Check::Engine, text: "the last session did not begin".to_owned() });
    };
    let mut world = world.borrow_mut();
    world.end_session();
    world.check_run(&outcome.reason);
    world.violation.take().map_or(Ok(()), Err)?;
    Ok(played(&mut world, outcome))
}

/// Plays one session; `None`: it did not begin, or was killed.
fn session(world: &Shared) -> Result<Option<RunOutcome>, Violation> {
    // A shell that panics has failed a check like any other.
    let ended = quietly(|| {
        catch_unwind(AssertUnwindSafe(|| match assembly::build(world) {
            Ok(reactor) => Ok(reactor.run()),
            Err(refused) => Err(refused),
        }))
    });
    let mut world = world.borrow_mut();
    match ended {
        Ok(Ok(ended)) => world.judge(ended).map(Some),
        Ok(Err(refused)) => {
            world.refused(refused);
            world.violation.take().map_or(Ok(None), Err)
        }
        Err(_) if world.session.is_killed => world.violation.take().map_or(Ok(None), Err),
        Err(_) => {
            let panic = Violation { check: Check::Engine, text: LAST_PANIC.take() };
            Err(world.violation.take().unwrap_or(panic))
        }
    }
}

fn played(world: &mut World, outcome: RunOutcome) -> Played {
    let executions = world.items.all().map(|(_, item)| u64::from(item.executions)).sum();
    let (shown, calls) = (world.items.shown, world.calls);
    let traced = std::mem::take(&mut world.traced);
    Played { outcome, executions, shown, traced, calls, trace_hash: world.trace.hash(), marks: world.marks }
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
