//! What a run does to its own workers, and that nobody is charged for it.

use super::rig::{Rig, alone, answering_in_order, check, check_all, per_item, policy};
use crate::model::chaos::{ChaosPlan, ItemChaos};
use crate::model::ids::{Attempt, ItemId};
use crate::model::spec::{Policy, RestartType};
use crate::model::time::Duration;

fn plan(text: &str) -> Option<ChaosPlan> {
    Some(format!("{text},seed=7").parse().unwrap())
}

/// The orders and reports of the first moment that has any; of each kind there is at most one in a millisecond.
fn next(rig: &mut Rig) -> Vec<String> {
    for _ in 0..100_000 {
        let orders = rig.feed_all("wait 1");
        if !orders.is_empty() {
            return orders.lines().map(str::to_owned).collect();
        }
    }
    panic!("nothing happens in 100 s")
}

#[test]
fn a_worker_that_chaos_kills_is_replaced_and_its_item_begins_its_next_attempt_uncharged() {
    for kill in ["kill", "segv"] {
        // No crash is allowed, no restart, and no delay may pass.
        let base = alone(Policy { crash_limit: 1, kill_limit: Some(1), restart: RestartType::Temporary, ..policy() });
        let base = Policy { retry_delay: Duration::from_secs(9), chaos: plan(&format!("{kill}=1/s")), ..base };
        let mut rig = Rig::running(base, 2);
        let (name, number) = if kill == "kill" { ("KILL", 9) } else { ("SEGV", 11) };
        for attempt in 1..=5 {
            assert_eq!(
                next(&mut rig),
                [format!("- chaos {kill} 1"), format!("kill 1.{attempt} {name}")],
                "attempt {attempt}"
            );
            let orders = rig.feed_all(&format!("killed 1 {number} at 0"));
            let next_attempt = attempt + 1;
            let expected = [
                format!("- exited 1: signal {number} ({name}) Chaos at 0: Again(Attempt({next_attempt})), items 0"),
                format!("- retried 0: attempt {next_attempt} after 0ms"),
                "- restarting 1 after 0ms".to_owned(),
                format!("spawn 1.{next_attempt}"),
            ];
            let orders: Vec<&str> = orders.lines().filter(|line| !line.starts_with("demand")).collect();
            assert_eq!(orders, expected);
            rig.feed("spawned 1; hello 1");
        }
        let totals = rig.core.totals();
        assert_eq!((totals.chaos_deaths, totals.chaos_returned, totals.deaths, totals.retried), (5, 5, 0, 5));
    }
}

#[test]
fn a_command_that_chaos_kills_runs_again_whatever_the_limits_and_rules_say() {
    let base = alone(Policy { chaos: plan("kill=1/s"), ..per_item() });
    let mut rig = Rig::running(base, 1);
    rig.feed("spawned 1");
    assert_eq!(next(&mut rig), ["- chaos kill 1 at 0", "kill 1.1 KILL"]);
    check_all!(
        rig,
        "killed 1 9",
        [
            "- exited 1: signal 9 (KILL) Chaos at 0: Again(Attempt(2)), items 0",
            "- retried 0: attempt 2 after 0ms",
            "spawn 1.2 for 0..1 (attempt 2)",
        ]
    );
    check!(
        rig,
        "spawned 1; exit 1 0",
        ["done 0..1 by 1, attempts 2: chaos by signal 9 (KILL)", "commit 0..1", "finish SourceEnded",]
    );
}

#[test]
fn a_process_that_ended_by_itself_at_that_moment_is_charged() {
    let base = alone(Policy { chaos: plan("segv=1/s"), crash_limit: 1, ..policy() });
    for (end, how) in [("killed 1 6 at 0", "signal 6 (ABRT)"), ("exit 1 3 at 0", "exit 3")] {
        let mut rig = Rig::running(base.clone(), 1);
        assert_eq!(next(&mut rig), ["- chaos segv 1", "kill 1.1 SEGV"]);
        let orders = rig.feed(end);
        assert!(orders.starts_with(&format!("dead 0..1 by 1, attempts 1: {how}")), "{orders}");
    }
    // It has survived SEGV, and gets one of its own much later.
    let mut rig = Rig::running(Policy { chaos: plan("segv=1/m"), ..base }, 1);
    assert_eq!(next(&mut rig), ["- chaos segv 1", "kill 1.1 SEGV"]);
    let orders = rig.feed("wait 1001; killed 1 11 at 0");
    assert!(orders.contains("dead 0..1 by 1, attempts 1: signal 11 (SEGV)"), "{orders}");
    assert_eq!(rig.core.totals().chaos_deaths, 0);
}

#[test]
fn a_worker_that_chaos_stops_goes_on_and_the_time_counts_for_no_limit() {
    let timeout = Some(Duration::from_millis(40));
    let mut rig = Rig::running(alone(Policy { timeout, chaos: plan("stop=1000/s"), ..answering_in_order(1) }), 1);
    assert_eq!(next(&mut rig), ["- chaos stop 1 at 0 for a time", "kill 1.1 STOP"]);
    // A stop that was ordered is no news, and no limit passes before it goes on.
    check_all!(rig, "stopped 1 19", []);
    let begun = rig.now;
    assert_eq!(next(&mut rig)[0], "kill 1.1 CONT");
    let stopped = rig.now.since(begun);
    assert!(stopped >= Duration::from_millis(49) && stopped <= Duration::from_millis(500), "{stopped:?}");
    // One that is stopped goes on when it is asked to end.
    rig.feed("wait 2");
    check!(rig, "terminate", ["kill 1.1 TERM", "kill 1.1 CONT"]);
}

#[test]
fn nothing_is_done_once_the_run_stops_or_every_item_has_its_outcome() {
    let base = alone(Policy { chaos: plan("kill=1000/s,stop=1000/s,segv=1000/s"), ..policy() });
    let mut rig = Rig::running(base.clone(), 1);
    rig.feed("settled 1 0");
    check!(rig, "wait 900", []);
    let mut rig = Rig::running(base, 1);
    rig.feed("drain");
    check!(rig, "wait 900", []);
}

/// The first item to which the plan does this at its first attempt.
fn item_of(plan: &ChaosPlan, wanted: fn(ItemChaos) -> bool) -> u64 {
    let does = |item: &u64| plan.of_item(ItemId(*item), Attempt::FIRST).is_some_and(wanted);
    (0..100).find(does).expect("one of a hundred")
}

#[test]
fn a_worker_on_our_sdk_hangs_or_tears_by_the_plan_and_is_not_charged() {
    let timeout = Some(Duration::from_millis(80));
    let chaos = plan("hang=20%,torn=20%");
    let of = chaos.unwrap();
    let base = alone(Policy { timeout, chaos, crash_limit: 1, ..policy() });
    let hung = item_of(&of, |chaos| chaos == ItemChaos::Hang);
    let first = |item| Policy { first_item: ItemId(item), ..base.clone() };
    let mut rig = Rig::running(first(hung), 1);
    // The probe after the limit finds it at the same item.
    rig.feed(&format!("wait 79; at 1 {hung}"));
    let orders = rig.feed_all(&format!("wait 20; at 1 {hung}"));
    assert!(orders.contains(&format!("- chaos hang 1 at {hung}\nkill 1.1 TERM")), "{orders}");
    let orders = rig.feed_all(&format!("killed 1 15 at {hung}"));
    let expected = format!("- exited 1: signal 15 (TERM) Chaos at {hung}: Again(Attempt(2)), items 0");
    assert!(orders.contains(&expected), "{orders}");
    let torn = item_of(&of, |chaos| chaos == ItemChaos::Torn);
    let mut rig = Rig::running(first(torn), 1);
    let orders = rig.feed_all(&format!("exit 1 70 at {torn}"));
    let expected = format!("- chaos torn 1 at {torn}\n- exited 1: exit 70 Chaos at {torn}: Again(Attempt(2)), items 0");
    assert!(orders.contains(&expected), "{orders}");
    // Another exit is its own.
    let mut rig = Rig::running(first(torn), 1);
    let orders = rig.feed(&format!("exit 1 1 at {torn}"));
    assert!(orders.starts_with("dead"), "{orders}");
}

#[test]
fn a_command_is_stopped_for_the_delay_of_its_item_and_until_its_limit() {
    let chaos = plan("slow=20%..30ms,hang=20%");
    let of = chaos.unwrap();
    let timeout = Some(Duration::from_millis(80));
    let base = alone(Policy { timeout, chaos, ..per_item() });
    let slow = item_of(&of, |chaos| matches!(chaos, ItemChaos::Slow(_)));
    let mut rig = Rig::running(Policy { first_item: ItemId(slow), ..base.clone() }, 1);
    let orders = rig.feed_all("spawned 1");
    assert!(orders.ends_with(&format!("- chaos slow 1 at {slow} for a time\nkill 1.1 STOP")), "{orders}");
    check!(rig, "wait 30", ["kill 1.1 CONT"]);
    check!(rig, "wait 50", []);
    let hung = item_of(&of, |chaos| chaos == ItemChaos::Hang);
    let mut rig = Rig::running(Policy { first_item: ItemId(hung), ..base }, 1);
    let orders = rig.feed_all("spawned 1");
    assert!(orders.ends_with(&format!("- chaos hang 1 at {hung}\nkill 1.1 STOP")), "{orders}");
    check!(rig, "wait 79", []);
    check!(rig, "wait 1", ["kill 1.1 TERM", "kill 1.1 CONT"]);
    let orders = rig.feed_all("killed 1 15");
    assert!(orders.contains(&format!("Chaos at {hung}: Again(Attempt(2))")), "{orders}");
}

#[test]
fn the_same_seed_does_the_same() {
    let orders = |seed: u64| {
        let plan = format!("kill=50/s,stop=20/s,segv=5/s,seed={seed}");
        let mut rig = Rig::running(Policy { chaos: plan.parse().ok(), ..policy() }, 2);
        (0..200).map(|_| rig.feed_all("wait 1")).collect::<Vec<_>>()
    };
    assert_eq!(orders(1), orders(1));
    assert_ne!(orders(1), orders(2));
}
