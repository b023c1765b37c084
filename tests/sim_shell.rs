//! The simulator's second world: the real reactor, feed, fleet and commit on a fake system in which a seed decides
//! every moment. `tests/sim.rs` is the first one, around the core alone.
//!
//! | files | |
//! |---|---|
//! | `scenario`, `policy`, `choice` | what one seed is about |
//! | `world`, `agenda`, `wait`, `poll_set`, `descriptor` | time, effects, and the one place where the shell waits |
//! | `system`, `channel`, `source`, `output`, `observer` | the shell's system, transport, source, streams, reporter |
//! | `process`, `worker`, `pipe`, `commands` | what happens at the other end |
//! | `disk` | what a journal leaves behind at the end of every process, or of the machine |
//! | `sessions` | runs that go on with what is left, one session after the other |
//! | `items`, `finish`, `check` | the true state, and the checks against it |
//! | `assembly`, `sweep`, `marks`, `trace` | how a seed is played, and what it reached |
//! | `scripts` | single cases, one by one |
//!
//! `SIM_SEEDS=N` plays N seeds, `SIM_STEPS=N` limits the calls of each, and `SIM_SEED=N` plays seed N alone and prints
//! its events.

#[path = "sim_shell/agenda.rs"]
mod agenda;
#[path = "sim_shell/assembly.rs"]
mod assembly;
#[path = "sim_shell/channel.rs"]
mod channel;
#[path = "sim_shell/check.rs"]
mod check;
#[path = "sim/choice.rs"]
#[expect(dead_code, reason = "scripts of choices are for the world around the core")]
mod choice;
#[path = "sim_shell/commands.rs"]
mod commands;
#[path = "sim_shell/descriptor.rs"]
mod descriptor;
#[path = "sim_shell/disk.rs"]
mod disk;
#[path = "sim_shell/finish.rs"]
mod finish;
#[path = "sim_shell/items.rs"]
mod items;
#[path = "sim_shell/machine.rs"]
mod machine;
#[path = "sim_shell/marks.rs"]
mod marks;
#[path = "sim_shell/observer.rs"]
mod observer;
#[path = "sim_shell/output.rs"]
mod output;
#[path = "sim_shell/pipe.rs"]
mod pipe;
#[path = "sim_shell/policy.rs"]
mod policy;
#[path = "sim_shell/poll_set.rs"]
mod poll_set;
#[path = "sim_shell/process.rs"]
mod process;
#[path = "sim_shell/scenario.rs"]
mod scenario;
#[path = "sim_shell/scripts.rs"]
mod scripts;
#[path = "sim_shell/sessions.rs"]
mod sessions;
#[path = "sim_shell/source.rs"]
mod source;
#[path = "sim_shell/sweep.rs"]
mod sweep;
#[path = "sim_shell/system.rs"]
mod system;
#[path = "sim_shell/trace.rs"]
mod trace;
#[path = "sim_shell/wait.rs"]
mod wait;
#[path = "sim_shell/worker.rs"]
mod worker;
#[path = "sim_shell/world.rs"]
mod world;

use check::{Check, Violation};
use marks::Marks;
use std::collections::BTreeMap;
use std::time::Instant;
use sweep::{CALLS_MAX, Request, play, play_sessions};

/// Seeds of the sweep in `cargo test`: about fifteen seconds on one core.
const SEEDS: u64 = 20_000;
/// Runs of several sessions in `cargo test`.
const SESSION_SEEDS: u64 = 4_000;
/// Seeds that a mutant may survive before it counts as not caught.
#[cfg(debug_assertions)]
const MUTANT_SEEDS: u64 = 20_000;
/// A mutant may make a run endless; a lower limit finds that sooner.
#[cfg(debug_assertions)]
const MUTANT_CALLS_MAX: u64 = 100_000;

fn fail(seed: u64, violation: &Violation) -> ! {
    panic!("seed {seed}: {violation}\n  to see it: SIM_SEED={seed} cargo test --test sim_shell sweep -- --nocapture")
}

#[test]
fn sweep() {
    let request = Request::from_environment(SEEDS);
    if let Some(seed) = request.only {
        match play(seed, request.calls_max, true) {
            Ok(played) => println!("seed {seed}: {} calls, trace {:016x}", played.calls, played.trace_hash),
            Err(violation) => fail(seed, &violation),
        }
        return;
    }
    let (started, mut marks, mut calls) = (Instant::now(), Marks::default(), 0);
    let mut broken: BTreeMap<Check, (u64, Vec<(u64, Violation)>)> = BTreeMap::new();
    for seed in 0..request.seeds {
        match play(seed, request.calls_max, false) {
            Ok(played) => {
                marks.join(played.marks);
                calls += played.calls;
            }
            Err(violation) => {
                let (count, examples) = broken.entry(violation.check).or_default();
                *count += 1;
                examples.push((seed, violation));
                examples.truncate(5);
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
    let each = calls / request.seeds.max(1);
    println!("{} schedules of {each} calls in {seconds:.1} s: {rate:.0} schedules a minute", request.seeds);
    let missing = marks.missing_but(marks::OF_SESSIONS);
    // A short sweep cannot reach every mark.
    assert!(missing.is_empty() || request.seeds < SEEDS, "no seed of {} reached {missing:?}", request.seeds);
}

#[test]
fn a_run_that_goes_on_keeps_the_delivery_contract() {
    let request = Request::from_environment(SESSION_SEEDS);
    let seeds = request.only.map_or(0..request.seeds, |seed| seed..seed + 1);
    let (started, mut marks, mut broken) = (Instant::now(), Marks::default(), Vec::new());
    for seed in seeds {
        match play_sessions(seed, request.calls_max, request.only.is_some()) {
            Ok(played) => marks.join(played.marks),
            Err(violation) => broken.push((seed, violation)),
        }
    }
    broken.iter().take(20).for_each(|(seed, violation)| println!("seed {seed}: {violation}"));
    println!("{} runs in {:.1} s", request.seeds, started.elapsed().as_secs_f64());
    assert!(broken.is_empty(), "{} runs do not keep it; SIM_SEED={} shows the first one", broken.len(), broken[0].0);
    let missing = marks.missing_of(marks::OF_SESSIONS);
    assert!(missing.is_empty() || request.seeds < SESSION_SEEDS || request.only.is_some(), "none reached {missing:?}");
}

/// A build without debug assertions holds no mutants (`src/mutant.rs`).
#[cfg(debug_assertions)]
#[test]
fn every_mutant_is_caught() {
    use supervisor::mutant::{Mutant, arm};
    let (mut caught, mut survivors) = (Vec::new(), Vec::new());
    for &mutant in Mutant::SHELL {
        arm(Some(mutant));
        let found = (0..MUTANT_SEEDS).find_map(|seed| play(seed, MUTANT_CALLS_MAX, false).err().map(|why| (seed, why)));
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
    assert!(caught.len() >= 14, "only {} mutants", caught.len());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let seeds: Vec<u64> = (0..500).collect();
    let hash = |&seed: &u64| match play(seed, CALLS_MAX, false) {
        Ok(played) => (played.trace_hash, played.calls),
        Err(violation) => fail(seed, &violation),
    };
    let forth: Vec<_> = seeds.iter().map(hash).collect();
    // In reverse order, so that state left over from an earlier world changes a trace.
    let mut back: Vec<_> = seeds.iter().rev().map(hash).collect();
    back.reverse();
    assert_eq!(forth, back);
    let mut distinct = forth;
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 450, "only {} of 500 runs differ", distinct.len());
}
