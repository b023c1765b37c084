//! Workers without a hello, and workers without a progress page.

use super::rig::{Rig, alone, answering_in_order, check, check_all};
use crate::model::spec::{Policy, WorkerContract};
use crate::model::time::Duration;

#[test]
fn without_a_hello_a_worker_is_ready_as_soon_as_it_is_spawned() {
    let mut rig = Rig::new(alone(answering_in_order(1)));
    check!(rig, "start; arrive 2", ["spawn 1.1", "demand 100"]);
    check_all!(rig, "spawned 1", ["- spawned 1", "- ready 1", "dispatch 1 0..1"]);
    // A hello that nothing waits for counts as stale.
    check!(rig, "hello 1", []);
    assert_eq!(rig.core.totals().stale, 1);
}

#[test]
fn without_a_hello_every_worker_gets_a_share_at_the_start_all_the_same() {
    let mut rig = Rig::new(Policy { start_together: true, ..answering_in_order(8) });
    check!(rig, "start; arrive 4; spawned 1", ["spawn 1.1", "spawn 2.1", "demand 100"]);
    check!(rig, "spawned 2", ["dispatch 1 0..2", "dispatch 2 2..4"]);
}

#[test]
fn without_a_progress_page_the_oldest_item_is_charged_for_a_death() {
    let mut rig = Rig::new(alone(answering_in_order(8)));
    rig.feed("start; arrive 4; spawned 1; settled 1 0");
    // The item that the fact names is ignored: it would come from a progress page.
    check!(rig, "killed 1 9 at 3", ["spawn 1.2"]);
    check!(rig, "spawned 1", ["dispatch 1 1..2 (attempt 2)", "dispatch 1 2..4"]);
}

#[test]
fn without_a_progress_page_the_limit_counts_from_when_an_item_became_the_oldest() {
    let mut rig = Rig::new(alone(Policy { timeout: Some(Duration::from_millis(800)), ..answering_in_order(8) }));
    rig.feed("start; arrive 4; spawned 1");
    check!(rig, "wait 799; settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    // Item 1 became the oldest 799 ms after the start. One probe confirms that its time counts.
    check!(rig, "wait 799", []);
    check!(rig, "wait 1; at 1", ["probe 1", "kill 1.1 TERM"]);
    check!(rig, "killed 1 15", ["failed 1..2 by 1, attempts 1: timed out after 0.8s", "commit 1..2", "spawn 1.2"]);
    check!(rig, "spawned 1", ["dispatch 1 2..4"]);
    // While the shell reads from no worker, no time counts.
    check!(rig, "wait 800; excluded 1", ["probe 1"]);
    check!(rig, "wait 799", []);
    check!(rig, "wait 1; at 1", ["probe 1", "kill 1.2 TERM"]);
}

#[test]
fn a_worker_that_holds_no_item_has_no_timer() {
    let mut rig = Rig::new(alone(Policy { timeout: Some(Duration::from_millis(800)), ..answering_in_order(1) }));
    rig.feed("start; arrive 1; spawned 1; settled 1 0");
    assert_eq!(rig.core.poll_timeout(), None);
}

#[test]
fn a_hello_and_no_progress_page_go_together() {
    let contract = answering_in_order(4).worker;
    let mut rig =
        Rig::new(alone(Policy { worker: WorkerContract { hello: true, ..contract }, ..answering_in_order(4) }));
    check!(rig, "start; arrive 1; spawned 1", ["spawn 1.1", "demand 100"]);
    check!(rig, "hello 1; killed 1 9", ["dispatch 1 0..1", "spawn 1.2"]);
    check!(rig, "spawned 1; hello 1", ["dispatch 1 0..1 (attempt 2)"]);
}

#[test]
fn one_answer_may_span_several_dispatches() {
    let mut rig = Rig::new(alone(answering_in_order(8)));
    rig.feed("start; arrive 8; spawned 1");
    check!(rig, "settled 1 0 8", ["done 0..8 by 1, attempts 1", "commit 0..8"]);
    // Items that failed before are settled one by one, each with its own causes.
    let mut rig = Rig::new(alone(Policy { retries: 1, ..answering_in_order(8) }));
    rig.feed("start; arrive 2; spawned 1; failed 1 0; failed 1 1");
    check!(
        rig,
        "settled 1 0 2 2",
        ["done 0..1 by 1, attempts 2: bad", "commit 0..1", "done 1..2 by 1, attempts 2: bad", "commit 1..2"]
    );
}

/// Workers that may answer for any item that they hold.
fn answering_in_any_order(items: u32) -> Policy {
    let policy = answering_in_order(items);
    Policy { worker: WorkerContract { in_order: false, ..policy.worker }, ..policy }
}

#[test]
fn out_of_order_an_answer_may_be_about_any_item_that_is_held() {
    let mut rig = Rig::new(alone(answering_in_any_order(8)));
    rig.feed("start; arrive 4; spawned 1");
    check!(rig, "settled 1 2", ["done 2..3 by 1, attempts 1", "commit 2..3"]);
    check!(rig, "failed 1 1", ["failed 1..2 by 1, attempts 1: bad", "commit 1..2"]);
    // Items on both sides of an answered one are not one stretch.
    check!(rig, "settled 1 0 4", ["kill 1.1 KILL"]);
    check!(rig, "killed 1 9", ["spawn 1.2"]);
    check!(rig, "spawned 1", ["dispatch 1 0..1 (attempt 2)", "dispatch 1 3..4"]);
    check!(rig, "settled 1 3", ["done 3..4 by 1, attempts 1", "commit 3..4"]);
    check!(rig, "settled 1 3", ["kill 1.2 KILL"]);
}

#[test]
fn out_of_order_the_item_that_a_worker_named_is_charged_and_else_the_oldest() {
    let charged = |end: &str| {
        let mut rig = Rig::new(alone(answering_in_any_order(8)));
        rig.feed("start; arrive 4; spawned 1; settled 1 1");
        rig.feed(end);
        rig.feed("spawned 1")
    };
    assert_eq!(charged("killed 1 9 at 3"), "dispatch 1 0..1\ndispatch 1 2..3\ndispatch 1 3..4 (attempt 2)");
    // It does not hold item 1 any more.
    assert_eq!(charged("killed 1 9 at 1"), "dispatch 1 0..1 (attempt 2)\ndispatch 1 2..4");
    assert_eq!(charged("killed 1 9"), "dispatch 1 0..1 (attempt 2)\ndispatch 1 2..4");
}

#[test]
fn out_of_order_an_answer_does_not_prolong_the_time_of_the_oldest_item() {
    let limit = Some(Duration::from_millis(800));
    let mut rig = Rig::new(alone(Policy { timeout: limit, batch_max: 1, ..answering_in_any_order(3) }));
    rig.feed("start; arrive 3; spawned 1; wait 700; settled 1 2");
    check!(rig, "wait 100; at 1", ["probe 1", "kill 1.1 TERM"]);
}

#[test]
fn a_large_credit_is_refilled_a_quarter_at_a_time_unless_items_run_side_by_side() {
    let mut rig = Rig::new(alone(answering_in_order(16)));
    check!(rig, "start; arrive 30; spawned 1", ["spawn 1.1", "demand 100", "dispatch 1 0..8", "dispatch 1 8..16"]);
    check!(rig, "settled 1 0 3", ["done 0..3 by 1, attempts 1", "commit 0..3"]);
    check!(rig, "settled 1 3", ["done 3..4 by 1, attempts 1", "commit 3..4", "dispatch 1 16..20"]);
    let mut rig = Rig::new(alone(answering_in_any_order(16)));
    rig.feed("start; arrive 30; spawned 1");
    check!(rig, "settled 1 3", ["done 3..4 by 1, attempts 1", "commit 3..4", "dispatch 1 16..17"]);
}
