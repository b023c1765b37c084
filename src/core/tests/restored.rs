//! Items that have their outcome from an earlier run.

use super::rig::{Rig, alone, check, check_all, policy};
use crate::model::ids::ItemId;
use crate::model::spec::{Halt, HaltOn, Policy, QueueOrder, Threshold};

#[test]
fn restored_items_are_counted_and_never_dispatched() {
    let mut rig = Rig::new(Policy { first_item: ItemId(100), ..alone(policy()) });
    rig.feed("start; spawned 1; hello 1");
    check_all!(rig, "restored 3; restored 1 failed; restored 1 dead", []);
    check!(rig, "arrive 1", ["dispatch 1 105..106"]);
    check!(rig, "end; settled 1 105", ["done 105..106 by 1, attempts 1", "commit 105..106", "close input 1"]);
    let totals = rig.core.totals();
    assert_eq!((totals.accepted, totals.done, totals.failed, totals.dead, totals.restored), (6, 4, 1, 1, 5));
}

#[test]
fn a_run_of_restored_items_alone_ends_at_once() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start; restored 9; spawned 1; hello 1");
    check!(rig, "end; exit 1 0", ["close input 1", "finish SourceEnded"]);
}

#[test]
fn restored_items_use_up_no_demand() {
    let mut rig = Rig::new(alone(Policy { queue_items_max: 4, ..policy() }));
    check!(rig, "start; restored 1000", ["spawn 1.1", "demand 4"]);
    check!(rig, "arrive 4", ["demand 0"]);
}

#[test]
fn in_keep_order_the_turn_of_restored_items_passes_silently() {
    let mut rig = Rig::new(Policy { workers: 3, keep_order: true, first_item: ItemId(7), ..policy() });
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2");
    rig.feed("restored 2; arrive 1; restored 3; restored 2 failed; arrive 1; restored 1");
    check!(rig, "settled 2 15", ["done 15..16 by 2, attempts 1"]);
    check!(rig, "settled 1 9", ["done 9..10 by 1, attempts 1", "commit 9..10", "commit 15..16"]);
    check!(rig, "arrive 1; settled 1 17", ["dispatch 1 17..18", "done 17..18 by 1, attempts 1", "commit 17..18"]);
}

#[test]
fn restored_items_that_wait_for_their_turn_do_not_stop_the_source() {
    let mut rig = Rig::new(alone(Policy { keep_order: true, queue_items_max: 4, ..policy() }));
    rig.feed("start; spawned 1; hello 1; arrive 4; restored 1000000");
    // One item is at the worker. The million restored items behind it share one record.
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 1..2", "demand 2"]);
}

#[test]
fn thresholds_count_the_outcomes_of_this_run_only() {
    let halt = |threshold| Halt { on: HaltOn::Fail, threshold, now: false };
    let mut rig = Rig::new(alone(Policy { halt: Some(halt(Threshold::Items(2))), dead_max: Some(1), ..policy() }));
    rig.feed("start; spawned 1; hello 1; restored 5 failed; restored 5 dead; arrive 3");
    check!(rig, "failed 1 10", ["failed 10..11 by 1, attempts 1: bad", "commit 10..11", "dispatch 1 11..12"]);
    let orders = rig.feed("failed 1 11");
    assert!(orders.contains("close source"), "{orders}");
}

#[test]
fn restored_items_out_of_order_are_stale() {
    let mut rig = Rig::new(alone(Policy { queue_order: QueueOrder::Lifo, ..policy() }));
    rig.feed("start; end; restored 3");
    assert_eq!((rig.core.totals().accepted, rig.core.totals().stale), (0, 1));
}
