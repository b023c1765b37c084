//! The delay between starts, and starts that are held back.

use super::rig::{Rig, alone, check, check_all, per_item, policy};
use crate::model::spec::{Policy, StartDelay};
use crate::model::time::{Duration, Instant};

fn delayed(policy: Policy) -> Policy {
    Policy { start_delay: Some(Duration::from_millis(100).into()), ..policy }
}

#[test]
fn commands_start_one_after_the_other_whatever_is_free() {
    let mut rig = Rig::new(delayed(Policy { workers: 3, ..per_item() }));
    check!(rig, "start; arrive 3; end", ["demand 100", "spawn 1.1 for 0..1"]);
    check!(rig, "spawned 1; wait 99", []);
    check!(rig, "wait 1", ["spawn 2.1 for 1..2"]);
    // A slot that gets free changes nothing.
    check!(rig, "exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    check!(rig, "wait 100", ["spawn 1.2 for 2..3"]);
    // Nothing is left to start, so the delay keeps nobody.
    rig.feed("spawned 1; spawned 2; exit 1 0");
    let last = rig.feed("exit 2 0");
    assert!(last.ends_with("finish SourceEnded"), "{last}");
}

#[test]
fn workers_that_stay_start_one_after_the_other_and_work_meanwhile() {
    let mut rig = Rig::new(delayed(policy()));
    check!(rig, "start; arrive 3", ["spawn 1.1", "demand 100"]);
    check!(rig, "spawned 1; hello 1", ["dispatch 1 0..1"]);
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 1..2"]);
    check!(rig, "wait 100", ["spawn 2.1"]);
    // The replacement of a dead worker waits too.
    rig.feed("spawned 2; hello 2; killed 1 9 at 1");
    check!(rig, "wait 100", ["spawn 1.2"]);
}

#[test]
fn slots_wait_in_line_so_one_that_dies_at_once_keeps_no_other_one_waiting() {
    let mut rig = Rig::new(delayed(Policy { workers: 3, ..policy() }));
    rig.feed("start; arrive 9; spawned 1; hello 1; killed 1 9 at 0");
    check!(rig, "wait 100", ["spawn 2.1"]);
    check!(rig, "wait 100", ["spawn 3.1"]);
    check!(rig, "wait 100", ["spawn 1.2"]);
    check!(rig, "wait 1000", []);
}

#[test]
fn a_slot_that_is_removed_while_it_waits_is_not_started() {
    let mut rig = Rig::new(delayed(policy()));
    rig.feed("start; arrive 1; spawned 1; hello 1; scale 1");
    check!(rig, "wait 100", []);
    check!(rig, "scale 2", ["spawn 2.1"]);
    // Removed and added again while it waits, it is started once.
    rig.feed("scale 3; scale 2; scale 3");
    check!(rig, "wait 100", ["spawn 3.1"]);
    check!(rig, "wait 100", []);
}

#[test]
fn a_run_that_ends_waits_for_no_start() {
    let mut rig = Rig::new(delayed(policy()));
    rig.feed("start; arrive 1; end; spawned 1; hello 1");
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1"]);
    check!(rig, "wait 100", []);
    check!(rig, "exit 1 0", ["finish SourceEnded"]);
}

#[test]
fn a_delay_without_end_holds_the_second_start_back() {
    let endless = Some(Duration(u64::MAX).into());
    let mut rig = Rig::new(Policy { start_delay: endless, ..per_item() });
    check!(rig, "start; arrive 2; end", ["demand 100", "spawn 1.1 for 0..1"]);
    rig.feed("spawned 1");
    check!(rig, "wait 3600000; exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
}

#[test]
fn the_delay_is_drawn_between_its_bounds() {
    let bounds = StartDelay { min: Duration::from_millis(20), max: Duration::from_millis(40) };
    let mut rig = Rig::new(alone(Policy { start_delay: Some(bounds), ..per_item() }));
    rig.feed("start; arrive 50; end");
    let mut waits = Vec::new();
    let mut started = Instant::ZERO;
    for item in 1..50 {
        rig.feed("spawned 1; exit 1 0");
        let due = rig.core.poll_timeout().unwrap();
        waits.push(due.since(started));
        (rig.now, started) = (due, due);
        check!(rig, "wait 0", [format!("spawn 1.{} for {item}..{}", item + 1, item + 1).as_str()]);
    }
    assert!(waits.iter().all(|wait| (bounds.min..=bounds.max).contains(wait)), "{waits:?}");
    let spread = waits.iter().max().unwrap().0 - waits.iter().min().unwrap().0;
    assert!(spread > 10_000_000, "they are all alike: {waits:?}");
}

#[test]
fn while_starts_are_held_nothing_starts_and_what_runs_goes_on() {
    let mut rig = Rig::new(per_item());
    check!(rig, "start; arrive 3; end", ["demand 100", "spawn 1.1 for 0..1", "spawn 2.1 for 1..2"]);
    check!(rig, "permit 0; spawned 1; exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    check!(rig, "spawned 2; exit 2 0", ["done 1..2 by 2, attempts 1", "commit 1..2"]);
    check!(rig, "wait 3600000; permit 0", []);
    check!(rig, "permit", ["spawn 1.2 for 2..3"]);
    let mut rig = Rig::new(policy());
    check!(rig, "permit 0; start; arrive 1", ["demand 100"]);
    check!(rig, "permit", ["spawn 1.1", "spawn 2.1"]);
    check!(rig, "permit 0; spawned 1; hello 1", ["dispatch 1 0..1"]);
}

#[test]
fn as_many_start_as_are_permitted() {
    let mut rig = Rig::new(Policy { workers: 3, ..per_item() });
    check!(rig, "permit 0; start; arrive 4; end", ["demand 100"]);
    assert!(rig.core.wants_start());
    check!(rig, "permit 2", ["spawn 1.1 for 0..1", "spawn 2.1 for 1..2"]);
    assert!(rig.core.wants_start(), "the third slot is vacant");
    check!(rig, "permit 1", ["spawn 3.1 for 2..3"]);
    assert!(!rig.core.wants_start(), "no slot is vacant");
    check!(rig, "permit 1; spawned 1; exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "spawn 1.2 for 3..4"]);
    assert!(!rig.core.wants_start(), "no item is left");
    let mut rig = Rig::new(Policy { workers: 3, ..policy() });
    rig.feed("permit 1");
    check!(rig, "start", ["spawn 1.1", "demand 100"]);
    assert!(rig.core.wants_start());
    check!(rig, "permit 5", ["spawn 2.1", "spawn 3.1"]);
    assert!(!rig.core.wants_start());
}

#[test]
fn a_run_that_is_held_can_be_stopped() {
    let mut rig = Rig::new(per_item());
    rig.feed("start; arrive 2; permit 0; spawned 1; spawned 2; exit 1 0; exit 2 0; arrive 1");
    let stopped = rig.feed("INT");
    assert!(stopped.ends_with("finish Signal(Signal(2))"), "{stopped}");
}

#[test]
fn why_nothing_starts_is_told() {
    let explained = |policy: Policy| Policy { explains: true, ..policy };
    let mut rig = Rig::new(explained(delayed(per_item())));
    let told = rig.feed("start; arrive 3");
    assert!(told.ends_with("because the delay after the last start is not over"), "{told}");
    check_all!(rig, "permit 0", ["because no process is started for the moment"]);
}
