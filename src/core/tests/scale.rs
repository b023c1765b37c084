//! The number of workers changes while a run lasts.

use super::rig::{Rig, alone, check, check_all, per_item, policy, with_credit};
use crate::model::spec::{Policy, RestartStrategy, RestartType};
use crate::model::time::Duration;

#[test]
fn growing_starts_workers_that_take_items_at_once() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start; arrive 3; spawned 1; hello 1");
    check_all!(rig, "scale 3", ["- scaled 1 to 3", "spawn 2.1", "spawn 3.1"]);
    check!(rig, "spawned 3; hello 3", ["dispatch 3 1..2"]);
    check!(rig, "scale 3", []);
    check!(rig, "status", ["status 3 workers"]);
}

#[test]
fn shrinking_removes_idle_workers_first_and_then_the_highest_numbers() {
    let mut rig = Rig::new(Policy { workers: 4, ..policy() });
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2; spawned 3; hello 3; spawned 4; hello 4; arrive 4");
    check!(rig, "settled 2 1", ["done 1..2 by 2, attempts 1", "commit 1..2"]);
    check_all!(rig, "scale 2", ["- scaled 4 to 2", "close input 2", "recall 4"]);
    // Items that arrive now go to the workers that are left, and the removed slots stay empty.
    check!(rig, "arrive 2; settled 4 3", ["done 3..4 by 4, attempts 1", "commit 3..4"]);
    check!(rig, "exit 2 0; exit 4 0", []);
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 4..5"]);
    check!(rig, "status", ["status 2 workers"]);
}

#[test]
fn a_removed_worker_finishes_its_item_and_gives_back_what_only_waited() {
    let mut rig = Rig::new(Policy { workers: 2, ..with_credit(8) });
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2; arrive 8");
    rig.feed("arrive 8");
    let held = rig.core.status().slots[1].in_flight;
    assert!(held > 1, "{held}");
    check!(rig, "scale 1", ["recall 2"]);
    check!(rig, "settled 2 4", ["done 4..5 by 2, attempts 1", "commit 4..5"]);
    // The worker leaves; items 5 to 7 go back to the front of the queue, uncharged.
    rig.feed("exit 2 0");
    assert_eq!((rig.core.totals().retried, rig.core.totals().deaths), (0, 0));
    let orders = rig.feed("settled 1 0 4");
    assert!(orders.contains("dispatch 1 5..8"), "{orders}");
}

#[test]
fn zero_workers_count_as_one() {
    let mut rig = Rig::new(policy());
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2");
    check_all!(rig, "scale 0", ["- scaled 2 to 1", "close input 2"]);
}

#[test]
fn a_slot_that_was_removed_is_added_again() {
    let mut rig = Rig::new(policy());
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2; scale 1; exit 2 0");
    check!(rig, "scale 2", ["spawn 2.2"]);
    // A slot that is added again while its worker is leaving is filled once the worker has left, whatever the type.
    let mut rig = Rig::new(Policy { restart: RestartType::Temporary, ..policy() });
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2; scale 1");
    check!(rig, "scale 2", []);
    check!(rig, "exit 2 0", ["spawn 2.2"]);
    // From then on the restart type counts again.
    check!(rig, "spawned 2; hello 2; exit 2 0", []);
}

#[test]
fn a_removed_worker_that_does_not_leave_is_ended() {
    let mut rig = Rig::new(policy());
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2");
    check!(rig, "scale 1", ["close input 2"]);
    check!(rig, "wait 9999", []);
    check!(rig, "wait 1", ["kill 2.1 TERM"]);
    check_all!(rig, "killed 2 15", ["- exited 2: signal 15 (TERM) Stopped, items 0"]);
    // The same for a worker that has finished its item, and for one that was removed before it was spawned.
    let mut rig = Rig::new(policy());
    rig.feed(
        "start; spawned 1; hello 1; arrive 1; scale 1; spawned 2; exit 2 0; scale 2; spawned 2; hello 2; arrive 1",
    );
    check!(rig, "settled 1 0; scale 1", ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1"]);
    check!(rig, "wait 10000", ["kill 1.1 TERM"]);
    let mut rig = Rig::new(policy());
    check!(
        rig,
        "start; scale 1; spawned 2; wait 10000",
        ["spawn 1.1", "spawn 2.1", "demand 100", "close input 2", "kill 2.1 TERM"]
    );
}

#[test]
fn the_end_of_a_removed_worker_is_no_reason_to_restart_others() {
    let mut rig = Rig::new(Policy { strategy: RestartStrategy::OneForAll, ..policy() });
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2; arrive 2; scale 1");
    check!(rig, "killed 2 9 at 1", []);
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 1..2 (attempt 2)"]);
}

#[test]
fn a_removed_slot_does_not_count_as_a_worker_that_is_left() {
    let mut rig = Rig::new(Policy { restart: RestartType::Temporary, ..policy() });
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2; arrive 3");
    check!(rig, "exit 1 1 at 0", []);
    // Slot 1 never runs again; it is idle, so it is removed first.
    check!(rig, "scale 1", []);
    let orders = rig.feed("exit 2 1 at 1");
    assert!(orders.contains("finish RestartLimit"), "{orders}");
}

#[test]
fn added_workers_are_waited_for_only_before_the_first_dispatch() {
    let mut rig = Rig::new(Policy { start_together: true, ..policy() });
    rig.feed("start; spawned 1; hello 1");
    // Before the first dispatch, every worker is waited for.
    check!(rig, "scale 3; arrive 9; spawned 2; hello 2", ["spawn 3.1"]);
    check!(rig, "spawned 3; hello 3", ["dispatch 1 0..1", "dispatch 2 1..2", "dispatch 3 2..3"]);
    check!(rig, "scale 4; settled 1 0", ["spawn 4.1", "done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 3..4"]);
}

#[test]
fn processes_per_item_grow_and_shrink_too() {
    let mut rig = Rig::new(alone(per_item()));
    check!(rig, "start; arrive 5", ["demand 100", "spawn 1.1 for 0..1"]);
    check!(rig, "scale 3", ["spawn 2.1 for 1..2", "spawn 3.1 for 2..3"]);
    check!(rig, "spawned 1; spawned 2; spawned 3; scale 1", []);
    check!(
        rig,
        "exit 3 0; exit 2 0",
        ["done 2..3 by 3, attempts 1", "commit 2..3", "done 1..2 by 2, attempts 1", "commit 1..2"]
    );
    check!(rig, "exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "spawn 1.2 for 3..4"]);
}

#[test]
fn a_run_that_stops_is_not_scaled() {
    let mut rig = Rig::running(policy(), 2);
    check!(rig, "INT", ["recall 1", "recall 2"]);
    check_all!(rig, "scale 9", []);
    let mut rig = Rig::running(Policy { grace: Duration::from_secs(1), ..policy() }, 1);
    check!(
        rig,
        "settled 1 0; scale 9",
        ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1", "close input 2"]
    );
}

#[test]
fn before_the_start_only_the_number_changes() {
    let mut rig = Rig::new(policy());
    check!(rig, "scale 3", []);
    check_all!(rig, "start", ["- run started", "spawn 1.1", "spawn 2.1", "spawn 3.1", "demand 100"]);
}
