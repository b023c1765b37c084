//! Items in hand of slots, which the shell starts unasked.

use super::rig::{Rig, check, per_item};
use crate::model::spec::{Halt, HaltOn, Policy, StartDelay, Threshold};
use crate::model::time::Duration;

fn in_hand() -> Policy {
    Policy { in_hand: true, workers: 1, queue_items_max: 9, ..per_item() }
}

/// One slot, whose first command has taken short.
fn brief(policy: Policy, items: u32) -> Rig {
    let mut rig = Rig::running(policy, items);
    rig.feed("spawned 1");
    check!(rig, "exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "spawn 1.2 for 1..2"]);
    rig
}

#[test]
fn a_slot_whose_commands_take_short_starts_the_next_ones_unasked() {
    let mut rig = brief(in_hand(), 5);
    // One for each slot stays in the queue.
    check!(rig, "spawned 1", ["in hand 1 2..3", "in hand 1 3..4"]);
    check!(rig, "exit 1 0", ["done 1..2 by 1, attempts 1", "commit 1..2"]);
    check!(rig, "spawned 1; exit 1 0", ["done 2..3 by 1, attempts 1", "commit 2..3"]);
    check!(rig, "spawned 1; exit 1 0", ["done 3..4 by 1, attempts 1", "commit 3..4", "spawn 1.5 for 4..5"]);
}

#[test]
fn what_comes_back_is_started_in_its_place_and_charged_for_nothing() {
    let mut rig = brief(in_hand(), 5);
    rig.feed("spawned 1");
    // The command before it has failed.
    check!(rig, "back 1 3; back 1 2", []);
    check!(rig, "exit 1 7", ["failed 1..2 by 1, attempts 1: exit 7", "commit 1..2", "spawn 1.3 for 2..3"]);
    // Nothing is in hand behind a failure.
    check!(rig, "spawned 1", []);
    check!(rig, "exit 1 0", ["done 2..3 by 1, attempts 1", "commit 2..3", "spawn 1.4 for 3..4"]);
}

#[test]
fn what_comes_back_late_leaves_no_gap() {
    let mut rig = brief(in_hand(), 5);
    rig.feed("spawned 1");
    // The items reached the launcher when it had reported the failure.
    check!(rig, "exit 1 7", ["failed 1..2 by 1, attempts 1: exit 7", "commit 1..2"]);
    check!(rig, "back 1 2", []);
    check!(rig, "back 1 3", ["spawn 1.3 for 2..3"]);
}

#[test]
fn items_are_asked_for_again_behind_a_command_that_takes_long() {
    let mut rig = brief(in_hand(), 5);
    rig.feed("spawned 1");
    check!(rig, "wait 19", []);
    check!(rig, "wait 1", ["take back 1"]);
    check!(rig, "back 1 2; back 1 3; wait 100", []);
    check!(rig, "exit 1 0", ["done 1..2 by 1, attempts 1", "commit 1..2", "spawn 1.3 for 2..3"]);
    check!(rig, "spawned 1", []);
}

#[test]
fn items_are_asked_for_again_when_the_run_stops_and_what_was_started_meanwhile_counts() {
    let mut rig = brief(in_hand(), 6);
    rig.feed("spawned 1");
    check!(rig, "drain", ["take back 1", "skipped 5..6 by -, attempts 0", "commit 5..6"]);
    rig.feed("back 1 4; back 1 3; exit 1 0; spawned 1");
    let last = rig.feed("exit 1 0");
    assert!(last.starts_with("done 2..3 by 1, attempts 1"), "{last}");
    assert!(last.ends_with("finish Requested"), "{last}");
}

#[test]
fn another_slot_that_is_idle_gets_what_is_in_hand() {
    let mut rig = Rig::running(Policy { workers: 2, ..in_hand() }, 6);
    rig.feed("spawned 1; spawned 2; exit 1 0; spawned 1");
    // One went to the hand of the first slot, two are queued; then the second slot takes them.
    rig.feed("exit 2 0; spawned 2; exit 2 0; spawned 2");
    check!(rig, "exit 2 0", ["done 5..6 by 2, attempts 1", "commit 5..6", "take back 1"]);
    check!(rig, "back 1 3", ["spawn 2.4 for 3..4"]);
}

#[test]
fn nothing_is_in_hand_where_something_decides_between_two_commands() {
    let counts = Halt { on: HaltOn::Success, threshold: Threshold::Items(9), now: true };
    let delay = Some(StartDelay::from(Duration::from_millis(1)));
    for policy in [Policy { halt: Some(counts), ..in_hand() }, Policy { start_delay: delay, ..in_hand() }] {
        assert!(!policy.gives_in_hand());
    }
    let mut rig = brief(in_hand(), 5);
    check!(rig, "permit 9", []);
    check!(rig, "spawned 1", []);
    check!(rig, "permit", ["in hand 1 2..3", "in hand 1 3..4"]);
    check!(rig, "congested", ["take back 1"]);
}
