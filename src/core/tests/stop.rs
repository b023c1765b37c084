//! Stops: the stages, the reasons, the commands, and what happens to items meanwhile.

use super::rig::{Rig, alone, check, check_all, per_item, policy, with_credit};
use crate::model::event::Stage;
use crate::model::outcome::{CauseKind, FailReason};
use crate::model::signal::Signal;
use crate::model::spec::{Halt, HaltOn, Policy, Threshold};
use crate::model::status::WorkerState;
use crate::model::time::Duration;

#[test]
fn the_first_signal_lets_running_items_finish() {
    let mut rig = Rig::new(policy());
    rig.feed("start; arrive 1; spawned 1; hello 1; spawned 2; hello 2; arrive 2; settled 2 1");
    rig.feed("arrive 3");
    check_all!(
        rig,
        "INT",
        [
            "- signal INT",
            "- draining signal(signal(2))",
            "close source",
            "skipped 3..6 by -, attempts 0",
            "commit 3..6",
            "recall 1",
            "recall 2",
        ]
    );
    check!(rig, "settled 1 0; exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    // An item that worker 2 had not started is skipped.
    check!(rig, "exit 2 0", ["skipped 2..3 by 2, attempts 0", "commit 2..3", "finish Signal(Signal(2))"]);
}

#[test]
fn the_second_signal_terminates_and_the_third_kills() {
    let mut rig = Rig::running(policy(), 1);
    check!(rig, "INT", ["recall 1", "close input 2"]);
    check!(rig, "TERM", ["kill 1.1 TERM", "kill 2.1 TERM"]);
    check!(rig, "exit 2 0; INT", ["kill 1.1 KILL"]);
    let skipped = "skipped 0..1 by 1, attempts 1: interrupted by signal 9 (KILL)";
    check!(rig, "killed 1 9 at 0", [skipped, "commit 0..1", "finish Signal(Signal(2))"]);
    assert_eq!(rig.core.totals().interrupted, 1);
}

#[test]
fn quit_terminates_at_once() {
    let mut rig = Rig::running(alone(policy()), 1);
    check!(rig, "QUIT", ["status 1 workers", "kill 1.1 TERM"]);
    check!(rig, "wait 200", ["kill 1.1 KILL"]);
    let mut rig = Rig::running(alone(policy()), 1);
    check!(rig, "QUIT; wait 100; QUIT", ["status 1 workers", "kill 1.1 TERM", "status 1 workers", "kill 1.1 KILL"]);
}

#[test]
fn a_drain_waits_no_longer_than_the_grace() {
    let mut rig = Rig::running(alone(per_item()), 2);
    rig.feed("spawned 1");
    check!(rig, "INT; wait 9999", ["skipped 1..2 by -, attempts 0", "commit 1..2"]);
    check_all!(rig, "wait 1", ["- terminating signal(signal(2))", "kill 1.1 TERM"]);
    let skipped = "skipped 0..1 by 1, attempts 1: interrupted by signal 15 (TERM)";
    check!(rig, "killed 1 15", [skipped, "commit 0..1", "finish Signal(Signal(2))"]);
}

#[test]
fn a_worker_that_is_spawned_during_a_stop_is_ended_at_once() {
    let mut rig = Rig::new(policy());
    rig.feed("start");
    check!(rig, "INT", ["close source"]);
    check!(rig, "spawned 1", ["close input 1"]);
    check!(rig, "TERM; spawned 2", ["kill 1.1 TERM", "kill 2.1 TERM"]);
    check!(rig, "INT", ["kill 1.1 KILL", "kill 2.1 KILL"]);
}

#[test]
fn the_same_signal_within_a_tenth_of_a_second_counts_once() {
    let mut rig = Rig::running(alone(policy()), 1);
    check!(rig, "TERM; wait 99; TERM", ["recall 1"]);
    check!(rig, "wait 1; TERM", ["kill 1.1 TERM"]);
    // Another signal always counts.
    check!(rig, "INT", ["kill 1.1 KILL"]);
}

#[test]
fn a_weaker_reason_never_replaces_a_stronger_one() {
    let mut rig = Rig::running(alone(policy()), 1);
    check_all!(rig, "sink", ["- terminating sinkclosed", "kill 1.1 TERM"]);
    check_all!(rig, "INT", ["- signal INT", "- terminating signal(signal(2))"]);
    check_all!(rig, "sink", []);
    let orders = rig.feed("killed 1 15");
    assert!(orders.ends_with("finish Signal(Signal(2))"), "{orders}");
}

#[test]
fn the_run_has_a_deadline() {
    let mut rig = Rig::running(alone(Policy { run_timeout: Some(Duration::from_secs(3)), ..policy() }), 1);
    check!(
        rig,
        "wait 3000; killed 1 15 at 0",
        [
            "kill 1.1 TERM",
            "skipped 0..1 by 1, attempts 1: interrupted by signal 15 (TERM)",
            "commit 0..1",
            "finish RunTimeout"
        ]
    );
}

#[test]
fn a_worker_that_does_not_leave_at_the_end_is_ended() {
    let mut rig = Rig::running(alone(policy()), 1);
    check!(
        rig,
        "settled 1 0; wait 10000",
        ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1", "kill 1.1 TERM"]
    );
    check!(rig, "killed 1 15", ["finish SourceEnded"]);
}

#[test]
fn workers_have_a_second_to_leave_at_the_end_even_without_grace() {
    let mut rig = Rig::running(alone(Policy { grace: Duration::ZERO, ..policy() }), 1);
    let last = rig.feed("settled 1 0").lines().last().map(str::to_owned);
    assert_eq!(last.as_deref(), Some("close input 1"));
    check!(rig, "wait 999", []);
    check!(rig, "wait 1", ["kill 1.1 TERM"]);
}

#[test]
fn after_the_source_breaks_off_the_accepted_items_still_run() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start; arrive 1; lost; spawned 1; hello 1");
    check!(
        rig,
        "settled 1 0; exit 1 0",
        ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1", "finish SourceLost(\"gone\")",]
    );
}

#[test]
fn halt_counts_outcomes() {
    let halt = |on, threshold, now| Policy { halt: Some(Halt { on, threshold, now }), ..with_credit(1) };
    let mut rig = Rig::running(halt(HaltOn::Fail, Threshold::Items(2), true), 9);
    check!(rig, "failed 1 0", ["failed 0..1 by 1, attempts 1: bad", "commit 0..1", "dispatch 1 2..3"]);
    let orders = rig.feed("failed 1 2");
    assert!(orders.contains("kill 2.1 TERM") && !orders.contains("dispatch"), "{orders}");
    assert!(rig.feed("killed 1 15; killed 2 15").ends_with("finish HaltFailed"));

    let mut rig = Rig::running(halt(HaltOn::Success, Threshold::Items(1), false), 9);
    assert!(rig.feed("settled 1 0").contains("recall 2"));
    check!(rig, "settled 2 1", ["done 1..2 by 2, attempts 1", "commit 1..2"]);
    check!(rig, "exit 1 0; exit 2 0", ["finish HaltMet"]);
}

fn halts_soon(grace: Duration) -> Policy {
    let halt = Halt { on: HaltOn::Fail, threshold: Threshold::Items(1), now: false };
    Policy { halt: Some(halt), grace, run_timeout: Some(Duration::from_secs(100_000)), ..with_credit(1) }
}

#[test]
fn a_halt_soon_waits_for_running_items_however_long_they_take() {
    let mut rig = Rig::running(halts_soon(Duration::from_secs(10)), 2);
    rig.feed("failed 1 0");
    check!(rig, "exit 1 0; wait 90000000", []);
    check!(rig, "settled 2 1", ["done 1..2 by 2, attempts 1", "commit 1..2"]);
    check!(rig, "exit 2 0", ["finish HaltFailed"]);
}

#[test]
fn a_signal_after_a_halt_soon_begins_the_grace() {
    let mut rig = Rig::running(halts_soon(Duration::from_secs(10)), 2);
    rig.feed("failed 1 0; exit 1 0");
    check!(rig, "wait 60000; INT; wait 9999", []);
    check!(rig, "wait 1", ["kill 2.1 TERM"]);
    // A caller does so too.
    let mut rig = Rig::running(halts_soon(Duration::from_secs(10)), 2);
    rig.feed("failed 1 0; exit 1 0");
    check!(rig, "wait 60000; stop; wait 9999", []);
    check!(rig, "wait 1", ["kill 2.1 TERM"]);
}

#[test]
fn the_deadline_of_the_run_holds_after_a_halt_soon() {
    let mut rig = Rig::running(halts_soon(Duration::from_secs(10)), 2);
    rig.feed("failed 1 0; exit 1 0");
    check!(rig, "wait 99999999", []);
    check!(
        rig,
        "wait 1; killed 2 15 at 1",
        [
            "kill 2.1 TERM",
            "skipped 1..2 by 2, attempts 1: interrupted by signal 15 (TERM)",
            "commit 1..2",
            "finish RunTimeout",
        ]
    );
}

#[test]
fn a_worker_that_does_not_leave_after_a_halt_soon_is_ended() {
    let mut rig = Rig::running(halts_soon(Duration::ZERO), 2);
    rig.feed("failed 1 0; settled 2 1; exit 1 0");
    check!(rig, "wait 999", []);
    check!(rig, "wait 1", ["kill 2.1 TERM"]);
    check!(rig, "killed 2 15", ["finish HaltFailed"]);
}

#[test]
fn a_worker_that_closes_its_channel_under_an_item_does_not_delay_a_halt_soon_for_ever() {
    let mut rig = Rig::running(halts_soon(Duration::ZERO), 2);
    rig.feed("failed 1 0; exit 1 0; closed 2");
    check!(rig, "wait 499", []);
    check!(rig, "wait 1", ["kill 2.1 TERM"]);
    assert!(rig.feed("killed 2 15").ends_with("finish HaltFailed"));
}

#[test]
fn halt_counts_shares() {
    let halt = |on| Policy { halt: Some(Halt { on, threshold: Threshold::Percent(50), now: false }), ..with_credit(1) };
    let reason = |rig: &Rig| rig.core.status().reason.map(|reason| format!("{reason:?}"));
    // For failures: a share of the settled items, from the third failure on.
    let mut rig = Rig::running(halt(HaltOn::Fail), 9);
    rig.feed("failed 1 0; failed 1 2");
    assert_eq!(reason(&rig), None);
    rig.feed("settled 1 3; settled 1 4; failed 1 5");
    assert_eq!(reason(&rig).as_deref(), Some("HaltFailed"));

    // For successes and done items: a share of all items.
    for on in [HaltOn::Success, HaltOn::Done] {
        let mut rig = Rig::running(halt(on), 9);
        rig.feed("settled 1 0; settled 1 2; settled 1 3; settled 1 4");
        assert_eq!(reason(&rig), None, "{on:?}");
        rig.feed("settled 1 5");
        assert_eq!(reason(&rig).as_deref(), Some("HaltMet"), "{on:?}");
    }
    // The number of all items is known once the source has ended.
    let mut rig = Rig::new(halt(HaltOn::Done));
    rig.feed("start; arrive 4; spawned 1; hello 1; settled 1 0; settled 1 1; settled 1 2");
    assert_eq!(reason(&rig), None);
    rig.feed("arrive 2; end");
    assert_eq!(reason(&rig).as_deref(), Some("HaltMet"));
}

#[test]
fn a_share_of_all_items_may_be_one_failure() {
    let halt = Halt { on: HaltOn::Fail, threshold: Threshold::PercentOfAll(50), now: false };
    let mut rig = Rig::new(Policy { halt: Some(halt), ..with_credit(1) });
    let reason = |rig: &Rig| rig.core.status().reason.map(|reason| format!("{reason:?}"));
    rig.feed("start; arrive 2; spawned 1; hello 1; failed 1 0");
    assert_eq!(reason(&rig), None, "the number of all items is not known");
    rig.feed("end");
    assert_eq!(reason(&rig).as_deref(), Some("HaltFailed"));
}

#[test]
fn the_outcome_has_the_item_that_met_a_halt() {
    let mut rig = Rig::running(halts_soon(Duration::ZERO), 3);
    let orders = rig.feed("settled 1 0; failed 2 1; failed 1 2; exit 1 0; exit 2 0");
    assert!(orders.ends_with("finish HaltFailed"), "{orders}");
    let halted = rig.core.halted.as_ref().unwrap();
    assert_eq!((halted.totals.done, halted.totals.failed), (1, 1), "the later failure does not count");
    assert_eq!(halted.by, Some(CauseKind::Failed(FailReason::Message("bad".into()))));
}

#[test]
fn the_status_shows_the_present_state() {
    let mut rig = Rig::new(with_credit(4));
    rig.feed("start; arrive 9; spawned 1; hello 1; settled 1 0");
    let status = rig.core.status();
    assert_eq!((status.queued, status.in_flight, status.totals.done), (4, 4, 1));
    let slot = &status.slots[0];
    assert_eq!((slot.state, slot.pid, slot.in_flight, slot.settled), (WorkerState::Busy, Some(101), 4, 1));
    assert_eq!((status.slots[1].state, status.slots[1].pid), (WorkerState::Starting, None));
}

#[test]
fn a_caller_stops_more_firmly_each_time() {
    let mut rig = Rig::running(policy(), 1);
    check_all!(rig, "stop", ["- draining requested", "recall 1", "close input 2"]);
    check!(rig, "stop", ["kill 1.1 TERM", "kill 2.1 TERM"]);
    check!(rig, "exit 2 0; stop", ["kill 1.1 KILL"]);
    let orders = rig.feed("killed 1 9 at 0");
    assert!(orders.ends_with("finish Requested"), "{orders}");
}

#[test]
fn a_repeated_request_changes_nothing() {
    let mut rig = Rig::running(alone(policy()), 1);
    check!(rig, "drain; drain", ["recall 1"]);
    check!(rig, "terminate; terminate", ["kill 1.1 TERM"]);
    check!(rig, "kill; kill; drain", ["kill 1.1 KILL"]);
}

#[test]
fn a_signal_outranks_a_request_and_moves_to_the_next_stage() {
    let mut rig = Rig::running(alone(policy()), 1);
    check!(rig, "drain", ["recall 1"]);
    check_all!(rig, "INT", ["- signal INT", "- terminating signal(signal(2))", "kill 1.1 TERM"]);
    check_all!(rig, "drain", []);
    assert!(rig.feed("killed 1 15").ends_with("finish Signal(Signal(2))"));
}

#[test]
fn a_signal_is_reported_once_whatever_it_asks_for() {
    let mut rig = Rig::running(policy(), 1);
    check_all!(rig, "USR1", ["- signal USR1", "status 2 workers"]);
    check_all!(
        rig,
        "QUIT",
        ["status 2 workers", "- signal QUIT", "- terminating signal(signal(3))", "kill 1.1 TERM", "kill 2.1 TERM",]
    );
}

#[test]
fn the_deadline_of_the_run_is_for_its_items() {
    let mut rig = Rig::running(alone(Policy { run_timeout: Some(Duration::from_millis(500)), ..policy() }), 1);
    // The supervisor was stopped meanwhile: the result came before, and is read at once.
    check!(rig, "settled 1 0; wait 600", ["done 0..1 by 1, attempts 1", "commit 0..1", "close input 1"]);
    check!(rig, "exit 1 0", ["finish SourceEnded"]);
}

#[test]
fn a_lost_command_is_counted_only_by_items_that_failed() {
    let mut rig = Rig::new(Policy { dead_max: Some(1), retries: 1, ..per_item() });
    rig.feed("start; arrive 2");
    rig.feed("noprogram 1");
    assert_eq!(rig.core.status().stage, Stage::Terminating);
    // Its next attempt is not made any more, so the item is skipped and says nothing new about the command.
    check!(
        rig,
        "nofile 2",
        [
            "skipped 1..2 by 2, attempts 1: no file",
            "commit 1..2",
            "finish RestartLimit { worker: WorkerId(1), last: \"no file\" }"
        ]
    );
}

#[test]
fn a_stopped_process_is_reported_once_and_shown_until_it_goes_on() {
    let stopped = |rig: &Rig| rig.core.status().slots[0].stopped;
    for (rules, at) in [(policy(), ""), (per_item(), " at 0")] {
        let mut rig = Rig::running(alone(rules), 1);
        rig.feed("spawned 1");
        assert_eq!(rig.feed_all("stopped 1 19"), format!("- stopped 1: STOP{at}"));
        check_all!(rig, "stopped 1 19", []);
        assert_eq!(stopped(&rig), Some(Signal::STOP));
        check_all!(rig, "continued 1; continued 1", ["- continued 1"]);
        assert_eq!(stopped(&rig), None);
        // The next process of the slot is not stopped.
        rig.feed("stopped 1 21; killed 1 9");
        assert!(rig.core.status().slots.iter().all(|slot| slot.stopped.is_none()));
    }
}
