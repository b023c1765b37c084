//! Reports of starts: only what is known, and each attempt once.

use super::rig::{Rig, alone, answering_in_order, check_all, per_item, policy, with_credit};
use crate::model::spec::{Policy, RestartStrategy};
use crate::model::time::Duration;

fn reporting(policy: Policy) -> Policy {
    Policy { report_starts: true, ..policy }
}

#[test]
fn an_item_that_only_waited_at_a_worker_that_died_is_returned_and_was_never_started() {
    let mut rig = Rig::running(reporting(alone(policy())), 1);
    check_all!(
        rig,
        "killed 1 9",
        [
            "- exited 1: signal 9 (KILL), waiting 1, items 0",
            "- returned 0..1 by 1, attempt 1",
            "- restarting 1 after 100ms",
        ]
    );
    check_all!(rig, "wait 100; spawned 1; hello 1", ["spawn 1.2", "- spawned 1", "- ready 1", "dispatch 1 0..1"]);
    check_all!(
        rig,
        "killed 1 9 at 0",
        [
            "- started 0 at 1, attempt 1",
            "- exited 1: signal 9 (KILL) at 0: Again(Attempt(2)), items 0",
            "- retried 0: attempt 2 after 0ms",
            "- restarting 1 after 0ms",
            "spawn 1.3",
        ]
    );
}

#[test]
fn a_start_is_looked_up_soon_and_less_often_the_longer_it_takes() {
    let mut rig = Rig::running(reporting(alone(policy())), 1);
    for wait in ["wait 1", "wait 1", "wait 2", "wait 4", "wait 8"] {
        check_all!(rig, &format!("{wait}; at 1"), ["probe 1"]);
    }
    check_all!(rig, "wait 15", []);
    check_all!(rig, "wait 1", ["probe 1"]);
    check_all!(rig, "at 1 0", ["- started 0 at 1, attempt 1"]);
    // Nothing is left to learn.
    check_all!(rig, "wait 60000", []);
    check_all!(rig, "settled 1 0 1", ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1"]);
}

#[test]
fn the_start_of_a_short_item_is_reported_with_its_end() {
    let mut rig = Rig::running(reporting(alone(with_credit(3))), 3);
    check_all!(
        rig,
        "settled 1 0 2",
        ["- started 0 at 1, attempt 1", "- started 1 at 1, attempt 1", "done 0..2 by 1, attempts 1", "commit 0..2"]
    );
    check_all!(
        rig,
        "failed 1 2",
        ["- started 2 at 1, attempt 1", "failed 2..3 by 1, attempts 1: bad", "commit 2..3", "close input 1"]
    );
}

#[test]
fn an_item_of_a_batch_is_reported_as_started_if_its_attempt_fails() {
    let mut rig = Rig::new(reporting(alone(with_credit(8))));
    rig.feed("start; arrive 4; spawned 1; hello 1");
    check_all!(rig, "settled 1 0 1", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    check_all!(rig, "failed 1 1", ["- started 1 at 1, attempt 1", "failed 1..2 by 1, attempts 1: bad", "commit 1..2"]);
}

#[test]
fn an_item_that_ran_and_is_not_charged_is_returned_as_running() {
    let mut rig = Rig::running(reporting(Policy { strategy: RestartStrategy::OneForAll, ..policy() }), 2);
    rig.feed("killed 1 9 at 0");
    check_all!(
        rig,
        "killed 2 15 at 1",
        [
            "- started 1 at 2, attempt 1",
            "- exited 2: signal 15 (TERM) Strategy at 1: Again(Attempt(1)), items 0",
            "- returned 1..2 by 2, attempt 1, running 1",
            "- restarting 2 after 0ms",
            "spawn 2.2",
        ]
    );
}

#[test]
fn where_the_oldest_item_counts_as_running_it_is_started_once_it_is_the_oldest() {
    let mut rig = Rig::new(reporting(alone(answering_in_order(1))));
    rig.feed("start; arrive 2");
    check_all!(rig, "spawned 1", ["- spawned 1", "- ready 1", "dispatch 1 0..1", "- started 0 at 1, attempt 1"]);
    check_all!(
        rig,
        "settled 1 0 1",
        ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 1..2", "- started 1 at 1, attempt 1"]
    );
}

#[test]
fn a_process_for_an_item_starts_it() {
    let mut rig = Rig::new(reporting(alone(Policy { retries: 1, ..per_item() })));
    check_all!(rig, "start; arrive 1; end", ["- run started", "demand 100", "spawn 1.1 for 0..1"]);
    check_all!(rig, "spawned 1", ["- spawned 1", "- started 0 at 1, attempt 1"]);
    rig.feed("exit 1 4");
    check_all!(rig, "spawned 1", ["- spawned 1", "- started 0 at 1, attempt 2"]);
}

#[test]
fn looks_for_starts_do_not_delay_the_time_limit() {
    let limit = Policy { timeout: Some(Duration::from_millis(80)), ..policy() };
    let mut rig = Rig::running(reporting(alone(limit)), 1);
    check_all!(rig, "wait 1; at 1 0", ["probe 1", "- started 0 at 1, attempt 1"]);
    // From the dispatch on, each tenth.
    rig.feed("wait 10; at 1 0; wait 60; at 1 0");
    assert!(rig.feed("wait 10; at 1 0").contains("kill 1.1 TERM"));
}

#[test]
fn a_program_that_wants_no_starts_is_not_disturbed() {
    let mut rig = Rig::running(alone(policy()), 1);
    check_all!(rig, "wait 60000", []);
    check_all!(rig, "settled 1 0 1", ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1"]);
}
