//! Workers that are held, or ended to make room, while the machine is short of something.

use super::rig::{Rig, alone, answering_in_order, check, check_all, per_item, policy, with_credit};
use crate::model::spec::{Policy, RestartStrategy, RestartType};
use crate::model::time::Duration;

/// Three commands run, the first of them since 20 ms.
fn three_commands(policy: Policy) -> Rig {
    let mut rig = Rig::new(Policy { workers: 3, ..policy });
    rig.feed("start; arrive 1; spawned 1; wait 10; arrive 1; spawned 2; wait 10; arrive 2; end; spawned 3");
    rig
}

#[test]
fn those_that_began_last_are_held_and_go_on_one_after_the_other() {
    let mut rig = three_commands(per_item());
    check!(rig, "run 1", ["kill 2.1 STOP", "kill 3.1 STOP"]);
    check!(rig, "run 1; stopped 2 19; stopped 3 19", []);
    check!(rig, "run 2", ["kill 2.1 CONT"]);
    check!(rig, "more", ["kill 3.1 CONT"]);
    check!(rig, "more; run 9", []);
    // At least one goes on.
    check!(rig, "run 0", ["kill 2.1 STOP", "kill 3.1 STOP"]);
    // What begins next began last.
    check!(rig, "exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "spawn 1.2 for 3..4"]);
    check!(rig, "spawned 1; run 2", ["kill 2.1 CONT", "kill 3.1 CONT", "kill 1.2 STOP"]);
}

#[test]
fn a_stop_that_was_ordered_is_no_news_and_one_from_outside_is() {
    let mut rig = three_commands(per_item());
    rig.feed("run 2");
    check_all!(rig, "stopped 3 19; continued 3", []);
    check_all!(rig, "stopped 2 19", ["- stopped 2: STOP at 1"]);
    check_all!(rig, "continued 2", ["- continued 2"]);
}

#[test]
fn one_that_is_held_goes_on_when_it_is_asked_to_end() {
    let mut rig = three_commands(Policy { timeout: Some(Duration::from_millis(500)), ..per_item() });
    rig.feed("run 1");
    // Its time goes on.
    check!(rig, "wait 490", ["kill 1.1 TERM", "kill 2.1 TERM", "kill 2.1 CONT"]);
    check!(rig, "terminate", ["skipped 3..4 by -, attempts 0", "commit 3..4", "kill 3.1 TERM", "kill 3.1 CONT"]);
    check!(rig, "kill", ["kill 1.1 KILL", "kill 2.1 KILL", "kill 3.1 KILL"]);
    check!(rig, "run 1; more; room", []);
}

#[test]
fn a_worker_that_is_held_is_sent_nothing() {
    let mut rig = Rig::new(with_credit(2));
    let in_flight = |rig: &Rig| rig.core.status().slots.iter().map(|slot| slot.in_flight).collect::<Vec<_>>();
    rig.feed("start; spawned 1; hello 1; spawned 2; hello 2; arrive 2");
    check!(rig, "run 1", ["kill 2.1 STOP"]);
    rig.feed("arrive 4");
    assert_eq!(in_flight(&rig), [2, 1]);
    rig.feed("more");
    assert_eq!(in_flight(&rig), [2, 2]);
}

#[test]
fn the_answers_that_a_held_worker_had_sent_count() {
    let mut rig = Rig::running(answering_in_order(1), 2);
    rig.feed("run 1");
    check!(rig, "settled 2 1", ["done 1..2 by 2, attempts 1", "commit 1..2", "kill 2.1 CONT"]);
    rig.feed("run 1");
    check!(rig, "more", []);
}

#[test]
fn the_command_that_began_last_makes_room_and_its_item_runs_again_uncharged() {
    let mut rig = three_commands(per_item());
    check!(rig, "room", ["kill 3.1 TERM"]);
    check!(rig, "room", ["kill 2.1 TERM"]);
    // The last one goes on.
    check!(rig, "room", []);
    check_all!(
        rig,
        "killed 3 15",
        [
            "- exited 3: signal 15 (TERM) Relief at 2: Again(Attempt(1)), items 0",
            "- returned 2..3 by 3, attempt 1, running 2",
            "spawn 3.2 for 2..3",
        ]
    );
    // What was done before the signal came is done.
    check!(rig, "exit 2 0", ["done 1..2 by 2, attempts 1", "commit 1..2", "spawn 2.2 for 3..4"]);
}

#[test]
fn a_run_that_stops_skips_what_has_made_room() {
    let mut rig = three_commands(per_item());
    rig.feed("room; drain");
    let orders = rig.feed("killed 3 15");
    assert!(orders.starts_with("skipped 2..3 by 3, attempts 1: interrupted by signal 15 (TERM)"), "{orders}");
    check!(rig, "room", []);
}

#[test]
fn a_worker_that_makes_room_is_replaced_alone_whatever_its_restart_type() {
    let policy = Policy { restart: RestartType::Temporary, strategy: RestartStrategy::OneForAll, ..policy() };
    let mut rig = Rig::running(policy, 2);
    check!(rig, "room", ["kill 2.1 TERM"]);
    check_all!(
        rig,
        "killed 2 15 at 1",
        [
            "- exited 2: signal 15 (TERM) Relief at 1: Again(Attempt(1)), items 0",
            "- returned 1..2 by 2, attempt 1, running 1",
            "- restarting 2 after 0ms",
            "spawn 2.2",
        ]
    );
}

#[test]
fn a_single_worker_is_left_alone() {
    let mut rig = Rig::running(alone(policy()), 1);
    assert!(rig.core.has_work());
    check!(rig, "run 0; room; more", []);
    rig.feed("settled 1 0");
    assert!(!rig.core.has_work());
}
