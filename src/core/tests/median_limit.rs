//! The time limit of commands that is a share of the median.

use super::rig::{Rig, check, per_item};
use crate::model::spec::Policy;

/// Four slots, and a limit of twice the median.
fn rig() -> Rig {
    Rig::new(Policy { workers: 4, timeout_percent: Some(200), ..per_item() })
}

#[test]
fn from_the_third_success_on_what_runs_longer_than_the_share_of_the_median_is_ended() {
    let mut rig = rig();
    rig.feed("start; arrive 5; spawned 1; spawned 2; spawned 3; spawned 4");
    rig.feed("wait 10; exit 1 0; spawned 1; wait 20; exit 2 0");
    assert_eq!(rig.core.poll_timeout(), None, "two successes say little");
    // 10, 30 and 60 ms: the limit is 60 ms, which the commands pass that were started 60 and 50 ms ago.
    rig.feed("wait 30; exit 3 0");
    check!(rig, "wait 1", ["kill 4.1 TERM"]);
    check!(rig, "wait 9", ["kill 1.2 TERM"]);
    check!(rig, "killed 4 15", ["failed 3..4 by 4, attempts 1: timed out after 0.06s", "commit 3..4"]);
}

#[test]
fn the_limit_follows_the_median_and_failures_do_not_count() {
    let mut rig = rig();
    rig.feed("start; arrive 10; spawned 1; spawned 2; spawned 3; spawned 4");
    rig.feed("wait 1000; exit 1 3; spawned 1; exit 2 0; exit 3 0; exit 4 3; spawned 4; spawned 2; spawned 3");
    rig.feed("wait 10; exit 4 0; spawned 4");
    // 10, 1000 and 1000 ms.
    let limit_ms = |rig: &Rig| rig.core.poll_timeout().map(|at| at.since(rig.now).0.div_ceil(1_000_000));
    assert_eq!(limit_ms(&rig), Some(1990), "of the command that was started 10 ms ago");
    rig.feed("wait 10; exit 4 0; spawned 4");
    // 10, 10, 1000 and 1000 ms: the lower one of the middle counts.
    assert_eq!(limit_ms(&rig), Some(1), "the others have passed 20 ms");
    let ended = rig.feed("wait 1");
    assert_eq!(ended.lines().collect::<Vec<_>>(), ["kill 1.2 TERM", "kill 2.2 TERM", "kill 3.2 TERM"]);
    check!(rig, "wait 19", ["kill 4.4 TERM"]);
}

#[test]
fn a_command_whose_output_is_held_open_is_neither_ended_nor_counted() {
    let mut rig = rig();
    rig.feed("start; arrive 4; spawned 1; spawned 2; spawned 3; spawned 4");
    rig.feed("wait 10; exit 1 0; exit 2 0; held 3; wait 500; exit 3 0");
    assert_eq!(rig.core.poll_timeout(), None);
    rig.feed("exit 4 0");
    check!(rig, "arrive 1", ["spawn 1.2 for 4..5"]);
    rig.feed("spawned 1; held 1");
    check!(rig, "wait 1000", []);
}
