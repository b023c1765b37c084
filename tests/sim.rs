//! The simulator: the real core and the real codec in a world in which a seed decides every moment.
//!
//! `sim/world.rs` is that world (`shell.rs`, `process.rs` and `source.rs` are its parts), and `sim/scenario.rs` draws
//! what may go wrong in it. `sim/shadow.rs` is the shadow model, which keeps its own count and judges (`orders.rs`,
//! `reports.rs`, `ends.rs`, `clock.rs`, `scaling.rs`,
//! `steering.rs`). `sim/violation.rs` lists its checks.
//!
//! `SIM_SEEDS=N` plays N seeds, `SIM_STEPS=N` limits the steps of each, and `SIM_SEED=N` plays seed N alone and prints
//! its events.

#[path = "sim/agenda.rs"]
mod agenda;
#[path = "sim/asked_signals.rs"]
mod asked_signals;
#[path = "sim/channel.rs"]
mod channel;
#[path = "sim/chaos.rs"]
mod chaos;
#[path = "sim/choice.rs"]
mod choice;
#[path = "sim/clock.rs"]
mod clock;
#[path = "sim/ends.rs"]
mod ends;
#[path = "sim/garbage.rs"]
mod garbage;
#[path = "sim/given_up.rs"]
mod given_up;
#[path = "sim/in_hand.rs"]
mod in_hand;
#[path = "sim/items.rs"]
mod items;
#[path = "sim/marks.rs"]
mod marks;
#[path = "sim/orders.rs"]
mod orders;
#[path = "sim/process.rs"]
mod process;
#[path = "sim/relief.rs"]
mod relief;
#[path = "sim/reports.rs"]
mod reports;
#[path = "sim/scaling.rs"]
mod scaling;
#[path = "sim/scenario.rs"]
mod scenario;
#[path = "sim/shadow.rs"]
mod shadow;
#[path = "sim/shell.rs"]
mod shell;
#[path = "sim/source.rs"]
mod source;
#[path = "sim/starts.rs"]
mod starts;
#[path = "sim/steering.rs"]
mod steering;
#[path = "sim/sweep.rs"]
mod sweep;
#[path = "sim/trace.rs"]
mod trace;
#[path = "sim/violation.rs"]
mod violation;
#[path = "sim/world.rs"]
mod world;

use choice::Rng;
use marks::Marks;
use scenario::Scenario;
use std::collections::BTreeMap;
use std::time::Instant;
use supervisor::model::ids::ItemId;
use supervisor::model::spec::{Blame, Credit, Policy, WorkerContract};
use supervisor::model::time::Duration;
use sweep::{Harness, SweepRequest};
use violation::{BrokenCheck, Check};

/// Seeds of the sweep in `cargo test`: ten to twenty seconds on one core.
const SEEDS: u64 = 120_000;
#[cfg(debug_assertions)]
/// Seeds that a mutant may survive before it counts as not caught.
const MUTANT_SEEDS: u64 = 20_000;
/// Seeds of the test that feeds random facts to the core.
const GARBAGE_SEEDS: u64 = 3_000;

fn fail(seed: u64, violation: &BrokenCheck) -> ! {
    panic!("seed {seed}: {violation}\n  to see it: SIM_SEED={seed} cargo test --test sim sweep -- --nocapture")
}

#[test]
fn sweep() {
    let request = SweepRequest::from_environment(SEEDS);
    let mut harness = Harness::new(request.steps_max);
    if let Some(seed) = request.only {
        match harness.play_with_trace(seed) {
            Ok(world_end) => println!("seed {seed}: {} steps, trace {:016x}", world_end.steps, world_end.trace_hash),
            Err(violation) => fail(seed, &violation),
        }
        return;
    }
    let (started, mut marks, mut steps) = (Instant::now(), Marks::default(), 0);
    let mut broken: BTreeMap<Check, (u64, Vec<(u64, BrokenCheck)>)> = BTreeMap::new();
    for seed in 0..request.seeds {
        match harness.play(seed) {
            Ok(world_end) => {
                marks.join(world_end.marks);
                steps += world_end.steps;
            }
            Err(violation) => {
                let (count, examples) = broken.entry(violation.check).or_default();
                *count += 1;
                examples.push((seed, violation));
                examples.truncate(3);
            }
        }
    }
    for (check, (count, examples)) in &broken {
        println!("{check:?} does not hold in {count} of {} seeds:", request.seeds);
        examples.iter().for_each(|(seed, violation)| println!("  seed {seed}: {violation}"));
    }
    if let Some((seed, violation)) = broken.values().flat_map(|(_, examples)| examples).min_by_key(|(seed, _)| *seed) {
        fail(*seed, violation);
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = request.seeds as f64 / seconds * 60.0;
    println!(
        "{} schedules of {} steps in {seconds:.1} s: {rate:.0} schedules a minute",
        request.seeds,
        steps / request.seeds.max(1)
    );
    let missing = marks.missing();
    // A short sweep cannot reach every mark.
    assert!(missing.is_empty() || request.seeds < SEEDS, "no seed of {} reached {missing:?}", request.seeds);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (mut one, mut other) = (Harness::new(sweep::STEPS_MAX), Harness::new(sweep::STEPS_MAX));
    // The second harness plays in reverse order, so that state left over from an earlier world changes a trace.
    let seeds: Vec<u64> = (0..500).collect();
    let hash = |harness: &mut Harness, seed: u64| match harness.play(seed) {
        Ok(world_end) => (world_end.trace_hash, world_end.steps),
        Err(violation) => fail(seed, &violation),
    };
    let forth: Vec<_> = seeds.iter().map(|&seed| hash(&mut one, seed)).collect();
    let mut back: Vec<_> = seeds.iter().rev().map(|&seed| hash(&mut other, seed)).collect();
    back.reverse();
    assert_eq!(forth, back);
    let mut distinct = forth;
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 450, "only {} of 500 runs differ", distinct.len());
}

/// Two workers without faults, so that only the order of events is left to choose.
fn small(worker: WorkerContract) -> Policy {
    let mut policy = Scenario::draw(&mut Rng::new(0)).policy;
    policy.workers = 2;
    (policy.worker, policy.first_item) = (worker, ItemId(0));
    policy.batch_max = if let Credit::Items(items) = worker.credit { items } else { 1 };
    policy.queue_order = supervisor::model::spec::QueueOrder::Fifo;
    policy.queue_items_max = 100;
    (policy.keep_order, policy.start_together) = (true, false);
    (policy.retries, policy.crash_limit, policy.retry_delay) = (0, 2, Duration::ZERO);
    policy.kill_limit = Some(2);
    (policy.dead_max, policy.timeout, policy.halt, policy.run_timeout) = (None, None, None, None);
    (policy.hello_timeout, policy.grace) = (Duration::from_secs(1), Duration::from_secs(1));
    (policy.start_delay, policy.timeout_percent, policy.chaos) = (None, None, None);
    policy.restart = supervisor::model::spec::RestartType::Permanent;
    policy.strategy = supervisor::model::spec::RestartStrategy::OneForOne;
    policy.intensity.restarts_max = 3;
    policy
}

#[test]
fn every_order_of_events_of_small_cases_is_right() {
    let resident = |items| WorkerContract::resident(Credit::Items(items));
    let in_order = WorkerContract { hello: false, credit: Credit::Items(2), blame: Blame::OldestHeld, in_order: true };
    let cases = [
        ("no crash", resident(1), 3, 0),
        ("one crash", resident(1), 3, 1),
        ("one crash, two items at a worker", resident(2), 3, 1),
        ("one crash, answers in order and no hello", in_order, 3, 1),
        ("one crash, a process per item", WorkerContract::per_item(), 3, 1),
    ];
    let mut harness = Harness::new(sweep::STEPS_MAX);
    for (name, worker, items, crashes) in cases {
        match harness.play_completely(&small(worker), items, crashes) {
            Ok(count) => println!("2 workers, {items} items, {name}: {count} orders of events, all of them"),
            Err(text) => panic!("{name}: {text}"),
        }
    }
}

/// A build without debug assertions holds no mutants (`src/mutant.rs`).
#[cfg(debug_assertions)]
#[test]
fn every_mutant_is_caught() {
    use supervisor::mutant::{Mutant, arm};
    let mut harness = Harness::new(sweep::STEPS_MAX);
    harness.outside_only = true;
    let mut caught = Vec::new();
    let mut survivors = Vec::new();
    for &mutant in Mutant::CORE {
        arm(Some(mutant));
        let found = (0..MUTANT_SEEDS).find_map(|seed| harness.play(seed).err().map(|why| (seed, why)));
        arm(None);
        match found {
            Some((seed, violation)) => caught.push((mutant, seed, violation)),
            None => survivors.push(mutant),
        }
    }
    for (mutant, seed, violation) in &caught {
        println!("{:<24} seed {seed:<6} {:?}", format!("{mutant:?}"), violation.check);
    }
    assert!(survivors.is_empty(), "no seed of {MUTANT_SEEDS} catches {survivors:?}");
    assert!(caught.len() >= 40, "only {} mutants", caught.len());
}

#[test]
fn any_order_of_facts_is_survived() {
    for seed in 0..GARBAGE_SEEDS {
        if let Err(text) = garbage::feed(seed, 300) {
            panic!("seed {seed}: {text}");
        }
    }
}
