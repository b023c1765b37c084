//! A run that goes on is paused, and its workers are replaced one by one.

use super::rig::{Rig, check, check_all, per_item, policy, with_credit};
use crate::model::spec::{Policy, RestartType};
use crate::model::time::Duration;

const TWO: &str = "start; spawned 1; hello 1; spawned 2; hello 2";

#[test]
fn each_worker_is_replaced_once_another_one_is_ready() {
    let mut rig = Rig::new(policy());
    rig.feed(TWO);
    check_all!(rig, "restart", ["- restart of 2", "spawn 3.1"]);
    check_all!(rig, "spawned 3", ["- spawned 3"]);
    check_all!(rig, "hello 3", ["- ready 3", "close input 1"]);
    check!(rig, "exit 1 0", ["spawn 1.2"]);
    check!(rig, "spawned 1", []);
    check!(rig, "hello 1", ["close input 2"]);
    check!(rig, "exit 2 0; spawned 2", ["spawn 2.2"]);
    check_all!(rig, "hello 2", ["- ready 2", "close input 3", "- restarted 2"]);
    check!(rig, "exit 3 0", []);
    check!(rig, "status", ["status 2 workers"]);
}

#[test]
fn a_worker_at_an_item_finishes_it_and_gives_back_the_others_uncharged() {
    let mut rig = Rig::new(Policy { restart: RestartType::Temporary, ..with_credit(8) });
    rig.feed(&format!("{TWO}; arrive 8; arrive 8; restart 1; spawned 3; hello 3"));
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    // Whatever the restart type, its slot is filled again.
    let orders = rig.feed("exit 1 0");
    assert!(orders.contains("spawn 1.2"), "{orders}");
    assert_eq!((rig.core.totals().retried, rig.core.totals().deaths), (0, 0));
}

#[test]
fn a_new_worker_that_cannot_be_started_replaces_none() {
    let mut rig = Rig::new(policy());
    rig.feed(TWO);
    check!(rig, "restart; spawned 3", ["spawn 3.1"]);
    check_all!(
        rig,
        "exit 3 1",
        ["- exited 3: exit 1, items 0", "- not restarted: start a worker: exit 1 before its hello"]
    );
    check!(rig, "status", ["status 2 workers"]);
}

#[test]
fn commands_have_nothing_to_replace() {
    let mut rig = Rig::new(per_item());
    check_all!(
        rig,
        "start; arrive 1; restart 1",
        ["- run started", "demand 100", "spawn 1.1 for 0..1", "- restart of 0"]
    );
}

#[test]
fn one_worker_more_and_one_fewer_do_not_count_the_one_that_stands_in_for_others() {
    let mut rig = Rig::new(policy());
    rig.feed(&format!("{TWO}; restart"));
    check_all!(rig, "add", ["- scaled 2 to 3", "spawn 4.1"]);
    check_all!(rig, "remove; remove; remove", ["- scaled 3 to 2", "- scaled 2 to 1", "close input 2"]);
}

#[test]
fn nothing_begins_and_no_time_passes_while_the_run_is_paused() {
    let timeout = Some(Duration::from_millis(100));
    let mut rig = Rig::new(Policy { timeout, ..policy() });
    rig.feed(&format!("{TWO}; arrive 1; wait 50"));
    check_all!(rig, "pause", ["- paused", "kill 1.1 STOP", "kill 2.1 STOP"]);
    assert_eq!(rig.core.poll_timeout(), None);
    check!(rig, "arrive 1; wait 5000; pause", []);
    check!(rig, "killed 2 9; wait 5000", []);
    check_all!(rig, "continue", ["- continued", "kill 1.1 CONT"]);
    check!(rig, "continue", []);
    rig.feed("wait 20");
    assert!(rig.core.status().slots[0].in_flight > 0);
}

#[test]
fn a_process_that_is_spawned_in_a_pause_is_stopped() {
    let mut rig = Rig::new(policy());
    check!(rig, "start; pause; spawned 1", ["spawn 1.1", "spawn 2.1", "demand 100", "kill 1.1 STOP"]);
    check!(rig, "continue", ["kill 1.1 CONT"]);
}

#[test]
fn a_stop_goes_on_first() {
    let mut rig = Rig::new(policy());
    rig.feed(&format!("{TWO}; pause"));
    check_all!(
        rig,
        "INT",
        [
            "- signal INT",
            "- continued",
            "kill 1.1 CONT",
            "kill 2.1 CONT",
            "- draining signal(signal(2))",
            "close source",
            "close input 1",
            "close input 2"
        ]
    );
}

#[test]
fn what_is_held_for_want_of_memory_stays_held_behind_a_pause() {
    let mut rig = Rig::new(policy());
    rig.feed(&format!("{TWO}; arrive 2"));
    check!(rig, "run 1", ["kill 2.1 STOP"]);
    check!(rig, "pause", ["kill 1.1 STOP"]);
    check!(rig, "continue", ["kill 1.1 CONT"]);
}
