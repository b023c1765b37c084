//! Facts in any order: nothing panics, no invariant breaks, no timer that is due stays set.

use super::rig::{Rig, answering_in_order, per_item, policy, with_auto, with_credit};
use crate::core::jitter::Jitter;
use crate::model::ids::ItemId;
use crate::model::spec::{Credit, Policy, QueueOrder, RestartStrategy, RestartType};
use crate::model::time::Duration;

const FACTS: &[&str] = &[
    "start",
    "arrive 1",
    "arrive 3",
    "arrive 7",
    "reject",
    "idle",
    "end",
    "lost",
    "spawned W",
    "spawned W",
    "nospawn W",
    "noitem W",
    "unfit W",
    "nofile W",
    "hello W",
    "hello W",
    "settled W I",
    "settled W I",
    "settled W I 2",
    "settled W I 3 1 900",
    "settled W I 1 2",
    "failed W I",
    "failed W I 2",
    "at W",
    "at W I",
    "excluded W",
    "closed W",
    "garbage W",
    "exit W 0",
    "exit W 3 at I",
    "killed W 9 at I",
    "killed W 11 at I",
    "wait 1",
    "wait 60",
    "wait 300",
    "TERM",
    "USR1",
    "restored 1",
    "restored 4 failed",
    "scale 1",
    "scale 3",
    "scale 5",
    "status",
    "stop",
    "terminate",
];

fn draw(random: &mut Jitter, below: u64) -> u64 {
    // The generator returns jittered durations only; a number below `below` is made of one.
    random.of(Duration(u64::MAX)).0 / 7919 % below
}

fn shuffled(policy: &Policy, seed: u64) {
    let mut random = Jitter::new(seed);
    let mut rig = Rig::new(Policy { seed, ..policy.clone() });
    if !seed.is_multiple_of(8) {
        rig.feed("start");
    }
    let mut script = String::new();
    for _ in 0..120 {
        let fact = FACTS[draw(&mut random, FACTS.len() as u64) as usize];
        // Facts that end the run are rare, or every script would be short.
        if matches!(fact, "TERM" | "stop" | "terminate" | "end" | "lost" | "noitem W" | "unfit W" | "nofile W")
            && draw(&mut random, 6) > 0
        {
            continue;
        }
        let worker = draw(&mut random, 4) as u32 + 1;
        // Most answers name an item that the worker holds; otherwise nearly all of them would be wrong.
        let slots = rig.core.status().slots;
        let slot = slots.iter().find(|slot| slot.worker.number() == worker);
        let held = slot.and_then(|slot| slot.lease).map(|batch| batch.first.0);
        let item = held.filter(|_| draw(&mut random, 5) > 0).unwrap_or_else(|| draw(&mut random, 20));
        let fact = fact.replace('W', &worker.to_string()).replace('I', &item.to_string());
        script.push_str(&fact);
        let stood = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rig.feed(&fact)));
        assert!(stood.is_ok(), "seed {seed} of {policy:?} breaks at: {script}");
        script.push_str("; ");
    }
}

#[test]
fn any_order_of_facts_is_survived() {
    let auto = |order, keep_order| Policy {
        queue_order: order,
        keep_order,
        queue_items_max: 5,
        retries: 1,
        retry_delay: Duration::from_millis(40),
        timeout: Some(Duration::from_millis(250)),
        crash_limit: 2,
        kill_limit: Some(2),
        ..with_auto(Credit::Auto)
    };
    let policies = [
        with_credit(4),
        Policy { strategy: RestartStrategy::OneForAll, retries: 2, ..with_credit(4) },
        Policy { restart: RestartType::Transient, strategy: RestartStrategy::RestForOne, ..policy() },
        auto(QueueOrder::Fifo, true),
        auto(QueueOrder::Lifo, true),
        auto(QueueOrder::Priority, false),
        per_item(),
        answering_in_order(3),
        Policy { timeout: Some(Duration::from_millis(50)), retries: 1, first_item: ItemId(7), ..answering_in_order(2) },
        Policy { retries: 2, timeout: Some(Duration::from_millis(50)), keep_order: true, ..per_item() },
    ];
    for policy in policies {
        for seed in 0..400 {
            shuffled(&policy, seed);
        }
    }
}

#[test]
fn a_stale_incarnation_is_counted_and_dropped() {
    use crate::core::input::Input;
    use crate::model::ids::{Attempt, Incarnation, WorkerId};
    let mut rig = Rig::running(policy(), 2);
    rig.feed("killed 1 9 at 0; spawned 1; hello 1");
    let late = Input::Settled {
        worker: WorkerId::from_index(0),
        incarnation: Incarnation(1),
        first: ItemId(0),
        count: 1,
        attempt: Attempt::FIRST,
        busy_ns: 1,
    };
    rig.core.handle(late, rig.now);
    assert_eq!(rig.core.poll_action(), None);
    assert_eq!(rig.core.totals().stale, 1);
}
