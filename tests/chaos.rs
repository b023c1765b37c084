//! Random kills on the real program. `CHAOS_SEED` repeats a storm as far as a storm can be repeated.

mod support;

use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use support::{Run, pid_of, send};

const ITEMS: usize = 10_000;
/// A storm ends, so that the run does.
const KILLS_MAX: usize = 500;
/// Of ten kills, so many hit a process that has only just been started.
const YOUNG_PER_TEN: u64 = 1;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("CHAOS_SEED").ok().map(|seed| seed.parse().expect("CHAOS_SEED is a number"));
        let seed = given.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into());
        println!("CHAOS_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

/// Kills workers while the run goes on, about one for each millisecond of its work; returns how many.
fn storm(run: &mut Run, signals: &[Signal], random: &mut Random) -> usize {
    let mut alive = BTreeSet::new();
    let (mut kills, mut settled, mut next) = (0, 0, 0);
    while settled < ITEMS && kills < KILLS_MAX {
        let event = run.wait_for(|_| true);
        let victim = match event["event"].as_str().unwrap() {
            "worker_spawned" => {
                alive.insert(pid_of(&event));
                (random.below(10) < YOUNG_PER_TEN).then(|| pid_of(&event))
            }
            "worker_exited" => {
                alive.remove(&pid_of(&event));
                None
            }
            "item_settled" => {
                settled += 1;
                let due = settled >= next && !alive.is_empty();
                due.then(|| {
                    next = settled + random.below(40) as usize;
                    *alive.iter().nth(random.below(alive.len() as u64) as usize).unwrap()
                })
            }
            "stopping" => panic!("the run gives up: {event}"),
            _ => None,
        };
        if let Some(pid) = victim {
            send(pid, signals[random.below(signals.len() as u64) as usize]);
            kills += 1;
        }
    }
    kills
}

#[test]
fn a_storm_of_kills_loses_nothing_and_repeats_nothing() {
    let mut random = Random::new();
    let all = ["8", "10000", "0.5ms", "1000"];
    let [workers, items, delay, limit] = all;
    let arguments = ["-j", workers, "--items", items, "--delay", delay, "--crash-limit", limit];
    let results = ["--task", "square", "--output", "results", "-q"];
    let mixed = [Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGTERM, Signal::SIGABRT];
    let storms: [(&[Signal], &[&str]); 3] =
        [(&[Signal::SIGKILL], &[]), (&[Signal::SIGKILL], &["-k", "--run-max", "1"]), (&mixed, &["--credit", "64"])];
    for (signals, more) in storms {
        let mut run = Run::start(&[&arguments[..], &results, more].concat());
        let kills = storm(&mut run, signals, &mut random);
        let run = run.finish();
        assert_eq!(run.code(), 0, "{}", run.stderr);
        let mut numbers: Vec<u64> = run.stdout.lines().map(|line| line.parse().unwrap()).collect();
        if !more.contains(&"-k") {
            numbers.sort_unstable();
        }
        assert!(numbers.into_iter().eq((0..ITEMS as u64).map(|number| number * number)), "{more:?}: lost or repeated");
        let settled: BTreeSet<u64> =
            run.events("item_settled").iter().map(|event| event["item"].as_u64().unwrap()).collect();
        assert_eq!((run.settled("done"), settled.len()), (ITEMS, ITEMS));
        let exits = run.events("worker_exited");
        let died = exits.iter().filter(|event| event["exit"]["signal"].is_number()).count();
        assert!(died > kills / 2 && died <= kills, "{died} died of {kills} kills");
        assert_eq!(exits.len(), run.events("worker_spawned").len());
        run.assert_no_process_left();
    }
}
