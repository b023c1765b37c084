//! Signals that a person asks for.

use super::rig::{Rig, check, check_all, per_item};
use crate::model::spec::Policy;

#[test]
fn a_signal_that_is_asked_for_is_what_it_is_from_outside() {
    let mut rig = Rig::new(Policy { kill_limit: Some(2), ..per_item() });
    rig.feed("start; arrive 1; end; spawned 1");
    check_all!(rig, "signal 1 9", ["- signalled 1: KILL", "kill 1.1 KILL"]);
    rig.feed("killed 1 9");
    assert_eq!(rig.core.totals().done, 0);
    check!(rig, "spawned 1; signal 1 15", ["kill 1.2 TERM"]);
    let dead = rig.core.totals().dead;
    rig.feed("killed 1 15");
    assert_eq!(rig.core.totals().dead, dead + 1, "each counts toward the kill limit");
}

#[test]
fn a_stop_that_is_asked_for_is_news() {
    let mut rig = Rig::new(per_item());
    rig.feed("start; arrive 1; end; spawned 1");
    check_all!(rig, "signal 1 19", ["- signalled 1: STOP", "kill 1.1 STOP"]);
    check_all!(rig, "stopped 1 19", ["- stopped 1: STOP at 0"]);
    check_all!(rig, "signal 1 18; continued 1", ["- signalled 1: CONT", "kill 1.1 CONT", "- continued 1"]);
}

#[test]
fn a_signal_to_nobody_is_ignored() {
    let mut rig = Rig::new(per_item());
    rig.feed("start");
    check_all!(rig, "signal 1 9; signal 9 9; signal 0 9", []);
    rig.feed("arrive 1; end");
    check_all!(rig, "signal 1 9", []);
}

#[test]
fn starts_are_reported_as_long_as_somebody_watches() {
    let mut rig = Rig::new(Policy { report_starts: false, ..per_item() });
    rig.feed("start; watch 1; arrive 1");
    check_all!(rig, "spawned 1", ["- spawned 1", "- started 0 at 1, attempt 1"]);
    rig.feed("exit 1 0; watch 0; arrive 1");
    check_all!(rig, "spawned 1", ["- spawned 1"]);
}
