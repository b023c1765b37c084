//! Deaths: which item is charged, which items run again, which slots are filled again, and when the run gives up.

use super::rig::{Rig, alone, check, check_all, per_item, policy, with_credit};
use crate::model::event::Stage;
use crate::model::spec::{Intensity, Policy, RestartStrategy, RestartType};
use crate::model::time::Duration;

/// One worker that holds items 0 to 3 as one batch.
fn holding_four() -> Rig {
    let mut rig = Rig::new(alone(with_credit(8)));
    rig.feed("start; arrive 4; spawned 1; hello 1");
    rig
}

#[test]
fn only_the_item_that_ran_is_charged() {
    let mut rig = holding_four();
    check_all!(
        rig,
        "killed 1 9 at 2",
        [
            "- exited 1: signal 9 (KILL) at 2: Again(Attempt(2)), waiting 3, items 0",
            "- retried 2: attempt 2 after 0ms",
            "- returned 0..2 by 1, attempt 1",
            "- returned 3..4 by 1, attempt 1",
            "- restarting 1 after 0ms",
            "spawn 1.2",
        ]
    );
    check!(rig, "spawned 1; hello 1", ["dispatch 1 0..2", "dispatch 1 2..3 (attempt 2)", "dispatch 1 3..4"]);
}

#[test]
fn results_written_before_the_death_count() {
    let mut rig = holding_four();
    rig.feed("settled 1 0 2");
    rig.feed("exit 1 3 at 2; spawned 1");
    check!(rig, "hello 1", ["dispatch 1 2..3 (attempt 2)", "dispatch 1 3..4"]);
    assert_eq!(rig.core.totals().done, 2);
}

#[test]
fn no_item_is_charged_if_none_ran() {
    for death in ["killed 1 9", "killed 1 9 at 77"] {
        let mut rig = holding_four();
        rig.feed(&format!("settled 1 0; {death}; spawned 1"));
        check!(rig, "hello 1", ["dispatch 1 1..4"]);
        assert_eq!(rig.core.totals().retried, 0);
    }
}

#[test]
fn at_the_crash_limit_an_item_is_dead_with_every_cause() {
    let mut rig = Rig::running(alone(Policy { crash_limit: 2, ..policy() }), 1);
    check!(rig, "killed 1 11 at 0", ["spawn 1.2"]);
    rig.feed("spawned 1; hello 1");
    check!(
        rig,
        "exit 1 3 at 0",
        ["dead 0..1 by 1, attempts 2: signal 11 (SEGV), exit 3", "commit 0..1", "finish SourceEnded"]
    );
}

#[test]
fn kills_from_outside_have_a_limit_of_their_own() {
    let mut rig = Rig::running(alone(Policy { crash_limit: 1, kill_limit: Some(3), ..policy() }), 1);
    check!(rig, "killed 1 9 at 0", ["spawn 1.2"]);
    check!(rig, "spawned 1; hello 1; killed 1 15 at 0", ["dispatch 1 0..1 (attempt 2)", "spawn 1.3"]);
    check!(
        rig,
        "spawned 1; hello 1; killed 1 9 at 0",
        [
            "dispatch 1 0..1 (attempt 3)",
            "dead 0..1 by 1, attempts 3: killed by 9 (KILL), killed by 15 (TERM), killed by 9 (KILL)",
            "commit 0..1",
            "finish SourceEnded"
        ]
    );
    // Without a limit the item is done in the end, and few of the causes are kept.
    let mut rig = Rig::running(alone(Policy { kill_limit: None, ..policy() }), 1);
    for _ in 0..1000 {
        rig.feed("killed 1 9 at 0; spawned 1; hello 1");
    }
    let orders = rig.feed("settled 1 0 1 1001");
    assert!(orders.starts_with("done 0..1 by 1, attempts 1001: killed by 9 (KILL), killed by 9"), "{orders}");
    assert_eq!(orders.matches("killed").count(), 20);
    // KILL after the supervisor gave a reason for it is no kill from outside.
    let mut rig = Rig::running(alone(Policy { crash_limit: 1, kill_limit: None, ..policy() }), 1);
    let orders = rig.feed("garbage 1; killed 1 9 at 0");
    assert!(orders.contains("dead 0..1 by 1, attempts 1: signal 9 (KILL)"), "{orders}");
}

#[test]
fn dead_items_in_a_row_end_the_run() {
    let breaker = Policy { kill_limit: Some(1), dead_max: Some(2), ..alone(policy()) };
    let mut rig = Rig::running(breaker, 9);
    rig.feed("killed 1 9 at 0; spawned 1; hello 1; settled 1 1; killed 1 9 at 2; spawned 1; hello 1");
    let orders = rig.feed("killed 1 9 at 3");
    assert!(orders.ends_with("finish DeadLimit { dead: 2 }"), "{orders}");
    assert_eq!(rig.core.totals().skipped, 5);
}

#[test]
fn a_worker_that_cannot_start_ends_the_run_soon() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start; arrive 1");
    check!(rig, "spawned 1; exit 1 3; wait 99", []);
    check!(rig, "wait 1", ["spawn 1.2"]);
    // The back-off doubles.
    check!(rig, "nospawn 1; wait 199", []);
    check!(rig, "wait 1", ["spawn 1.3"]);
    check!(
        rig,
        "spawned 1; killed 1 9",
        [
            "close source",
            "skipped 0..1 by -, attempts 0",
            "commit 0..1",
            "finish RestartLimit { worker: WorkerId(1), last: \"signal 9 (KILL) before its hello\" }",
        ]
    );
}

#[test]
fn a_start_that_succeeds_resets_the_count_of_failed_starts() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start");
    for _ in 0..3 {
        rig.feed("spawned 1; exit 1 3; wait 10000; spawned 1; exit 1 3; wait 10000; spawned 1; hello 1");
        rig.feed("killed 1 9; wait 10000");
    }
    assert_eq!(rig.core.stage(), Stage::Running);
}

#[test]
fn a_worker_that_was_ready_is_replaced_as_often_as_it_takes() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start; spawned 1; hello 1");
    // Idle workers are replaced after a back-off.
    for (number, wait_ms) in (2..).zip([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
        assert_eq!(rig.feed(&format!("killed 1 9; wait {}", wait_ms - 1)), "");
        assert_eq!(rig.feed("wait 1"), format!("spawn 1.{number}"));
        rig.feed("spawned 1; hello 1");
    }
    // A worker that lived longer than the period begins again with the shortest back-off.
    check!(rig, "wait 10001; killed 1 9; wait 100", ["spawn 1.11"]);
    // A worker that held an item which it had not begun is replaced after the back-off, too.
    rig.feed("spawned 1; hello 1; arrive 1; killed 1 9; wait 199");
    check!(rig, "wait 1", ["spawn 1.12"]);
    // One that finished an item and held the next is replaced at once.
    rig.feed("spawned 1; hello 1; arrive 2; settled 1 0");
    check!(rig, "killed 1 9", ["spawn 1.13"]);
}

#[test]
fn a_worker_that_breaks_the_protocol_before_it_did_any_work_counts_although_it_was_ready() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start");
    for _ in 0..2 {
        rig.feed("spawned 1; hello 1; garbage 1; killed 1 9; wait 200");
    }
    rig.feed("spawned 1; hello 1; garbage 1; killed 1 9");
    assert_eq!(rig.core.stage(), Stage::Finished);
}

#[test]
fn a_program_that_cannot_start_at_all_ends_the_run() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start");
    check!(rig, "noprogram 1", ["close source", "finish RestartLimit { worker: WorkerId(1), last: \"no file\" }"]);
}

#[test]
fn a_start_is_retried_after_a_shortage_while_other_processes_run() {
    let mut rig = Rig::new(per_item());
    rig.feed("start; arrive 3; spawned 1");
    check!(rig, "nospawn 2", []);
    check!(rig, "wait 100", ["spawn 2.2 for 1..2"]);
    // Resident workers too: while one is at work the run goes on, however many starts fail.
    let mut rig = Rig::new(policy());
    rig.feed("start; arrive 3; spawned 1; hello 1");
    for wait in [100, 200, 400, 800, 1600] {
        rig.feed("nospawn 2");
        check!(rig, &format!("wait {}", wait - 1), []);
        assert!(rig.feed("wait 1").starts_with("spawn 2."));
    }
}

#[test]
fn a_worker_that_sends_no_hello_is_killed() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start; spawned 1");
    check!(rig, "wait 10000", ["kill 1.1 TERM"]);
    check!(rig, "wait 200", ["kill 1.1 KILL"]);
    let orders = rig.feed_all("killed 1 9");
    assert!(orders.starts_with("- exited 1: signal 9 (KILL) NoHello"), "{orders}");
}

#[test]
fn a_worker_that_closes_its_channel_and_stays_is_ended() {
    let mut rig = Rig::running(alone(policy()), 1);
    check!(rig, "closed 1", []);
    check!(rig, "wait 1000", ["kill 1.1 TERM"]);
}

#[test]
fn the_type_decides_if_a_slot_is_filled_again() {
    for (restart, exit, spawned) in [
        (RestartType::Transient, "exit 1 0", false),
        (RestartType::Transient, "exit 1 1", true),
        (RestartType::Temporary, "exit 1 1", false),
        (RestartType::Permanent, "exit 1 0", true),
    ] {
        let mut rig = Rig::new(Policy { restart, ..policy() });
        rig.feed("start; spawned 1; hello 1");
        let orders = rig.feed(&format!("{exit}; wait 100"));
        assert_eq!(orders == "spawn 1.2", spawned, "{restart:?}, {exit}: {orders}");
    }
}

#[test]
fn no_worker_left_gives_up() {
    let mut rig = Rig::running(alone(Policy { restart: RestartType::Temporary, ..policy() }), 2);
    let orders = rig.feed("exit 1 1 at 0");
    assert!(
        orders.ends_with("finish RestartLimit { worker: WorkerId(1), last: \"exit 1, and no worker is left\" }"),
        "{orders}"
    );
}

#[test]
fn the_strategy_decides_which_others_are_started_again() {
    for (strategy, ended) in [
        (RestartStrategy::OneForOne, vec![]),
        (RestartStrategy::OneForAll, vec!["kill 1.1 TERM", "kill 3.1 TERM"]),
        (RestartStrategy::RestForOne, vec!["kill 3.1 TERM"]),
    ] {
        let mut rig = Rig::running(Policy { workers: 3, strategy, ..policy() }, 3);
        let orders = rig.feed("killed 2 9 at 1");
        let kills: Vec<_> = orders.lines().filter(|line| line.starts_with("kill")).collect();
        assert_eq!(kills, ended, "{strategy:?}");
    }
    // The items of the other workers run again, uncharged, and those workers start again at once.
    let mut rig = Rig::running(Policy { strategy: RestartStrategy::OneForAll, ..policy() }, 2);
    rig.feed("killed 1 9 at 0; spawned 1");
    check!(rig, "killed 2 15 at 1", ["spawn 2.2"]);
    check!(rig, "hello 1; spawned 2; hello 2", ["dispatch 1 1..2", "dispatch 2 0..1 (attempt 2)"]);
}

#[test]
fn an_item_past_its_limit_fails_and_its_worker_is_replaced() {
    let limit = Policy { timeout: Some(Duration::from_millis(800)), ..alone(with_credit(8)) };
    let mut rig = Rig::new(limit.clone());
    rig.feed("start; arrive 4; spawned 1; hello 1");
    // The progress page is probed eight times within the limit.
    check!(rig, "wait 100; at 1 1", ["probe 1"]);
    check!(rig, "wait 700; at 1 1", ["probe 1"]);
    check!(rig, "wait 100; at 1 1", ["probe 1", "kill 1.1 TERM"]);
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    check!(rig, "killed 1 15 at 1", ["failed 1..2 by 1, attempts 1: timed out after 0.8s", "commit 1..2", "spawn 1.2"]);
    check!(rig, "spawned 1; hello 1", ["dispatch 1 2..4"]);
    // If another item ran between two probes, no limit has passed.
    let mut rig = Rig::new(limit);
    rig.feed("start; arrive 4; spawned 1; hello 1; wait 100; at 1 1; wait 700; at 1 2");
    check!(rig, "wait 400; at 1 2; wait 300; at 1 1", ["probe 1", "probe 1"]);
    // Time in which the worker may have been blocked by the shell does not count.
    let mut rig = Rig::new(Policy { timeout: Some(Duration::from_millis(800)), ..alone(with_credit(8)) });
    rig.feed("start; arrive 4; spawned 1; hello 1; wait 100; at 1 1; wait 700; excluded 1");
    check!(rig, "wait 100; at 1 1; wait 600; excluded 1", ["probe 1", "probe 1"]);
    check!(rig, "wait 600; at 1 1", ["probe 1"]);
    check!(rig, "wait 100; at 1 1", ["probe 1", "kill 1.1 TERM"]);
}

#[test]
fn the_time_limit_counts_each_attempt_separately() {
    let limit = Policy { timeout: Some(Duration::from_millis(800)), retries: 1, ..alone(with_credit(4)) };
    let mut rig = Rig::new(limit);
    rig.feed("start; arrive 1; spawned 1; hello 1; arrive 2");
    // Item 0 runs for a while, fails, and is dispatched again behind items 1 and 2.
    check!(rig, "wait 100; wait 500; failed 1 0", ["probe 1", "probe 1", "dispatch 1 0..1 (attempt 2)"]);
    // The probe shows the second attempt at item 0, although items 1 and 2 are not answered yet.
    check!(rig, "wait 300; at 1 0", ["probe 1"]);
    // The limit also applies to a worker that was asked to leave.
    let orders = rig.feed("INT; wait 800; at 1 0");
    assert!(orders.ends_with("kill 1.1 TERM"), "{orders}");
}

#[test]
fn no_limit_applies_to_a_process_that_has_ended_while_its_output_is_held_open() {
    let limit = || Policy { timeout: Some(Duration::from_millis(500)), retries: 2, ..alone(per_item()) };
    let mut rig = Rig::new(limit());
    rig.feed("start; arrive 1; end; spawned 1; wait 499; held 1");
    check!(rig, "wait 1000", []);
    check!(rig, "exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "finish SourceEnded"]);
    // What it exited with still counts.
    let mut rig = Rig::new(limit());
    rig.feed("start; arrive 1; end; spawned 1; held 1; wait 1000");
    check!(rig, "exit 1 3", ["spawn 1.2 for 0..1 (attempt 2)"]);
    // The next process has its own time.
    rig.feed("spawned 1");
    check!(rig, "wait 500", ["kill 1.2 TERM"]);
    // One that is being ended goes through the whole sequence.
    check!(rig, "held 1; wait 200", ["kill 1.2 KILL"]);
}

#[test]
fn a_run_does_not_time_out_while_it_only_awaits_the_output_of_processes_that_ended() {
    let limit = || Policy { run_timeout: Some(Duration::from_millis(500)), retries: 1, ..per_item() };
    let mut rig = Rig::new(limit());
    rig.feed("start; arrive 2; end; spawned 1; spawned 2; held 1; held 2");
    check!(rig, "wait 900; exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    check!(rig, "exit 2 0", ["done 1..2 by 2, attempts 1", "commit 1..2", "finish SourceEnded"]);
    // A further attempt begins too late.
    let mut rig = Rig::new(limit());
    rig.feed("start; arrive 1; end; spawned 1; held 1; wait 900");
    check!(rig, "exit 1 1", ["skipped 0..1 by 1, attempts 1: exit 1", "commit 0..1", "finish RunTimeout"]);
    // A process that still runs is over its time, and the one that ended is not touched.
    let mut rig = Rig::new(limit());
    rig.feed("start; arrive 2; end; spawned 1; spawned 2; held 1");
    check!(rig, "wait 500", ["kill 2.1 TERM"]);
    check!(rig, "exit 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
}

#[test]
fn a_stop_leaves_a_process_that_has_ended_its_own_exit() {
    let mut rig = Rig::new(alone(per_item()));
    rig.feed("start; arrive 1; end; spawned 1; held 1");
    check!(rig, "terminate", []);
    check!(rig, "kill", ["kill 1.1 KILL"]);
    check!(rig, "exit 1 3", ["failed 0..1 by 1, attempts 1: exit 3", "commit 0..1", "finish Requested"]);
}

#[test]
fn the_limit_of_a_process_per_item_is_exact() {
    let mut rig = Rig::new(Policy { timeout: Some(Duration::from_millis(500)), ..alone(per_item()) });
    rig.feed("start; arrive 1; end; spawned 1");
    check!(rig, "wait 499", []);
    check!(rig, "wait 1", ["kill 1.1 TERM"]);
    check!(
        rig,
        "killed 1 15",
        ["failed 0..1 by 1, attempts 1: timed out after 0.5s", "commit 0..1", "finish SourceEnded"]
    );
}

#[test]
fn a_program_that_ends_well_without_any_hello_is_no_worker() {
    let mut rig = Rig::new(Policy { workers: 2, ..policy() });
    rig.feed("start; arrive 3; spawned 1; spawned 2; exit 1 0");
    assert_eq!(rig.core.stage(), Stage::Running, "the other process may be a worker");
    let orders = rig.feed("exit 2 0");
    assert!(
        orders.contains("finish RestartLimit { worker: WorkerId(2), last: \"exit 0 before its hello\" }"),
        "{orders}"
    );
    // After a hello such an exit is a death like any other.
    let mut rig = Rig::running(alone(policy()), 3);
    rig.feed("exit 1 0");
    assert_eq!(rig.core.stage(), Stage::Running);
}

#[test]
fn a_program_that_exits_a_few_times_without_any_hello_is_no_worker() {
    let few = |max| Policy { workers: 2, start_exits_max: max, ..policy() };
    let mut rig = Rig::new(few(Some(3)));
    rig.feed("start; arrive 3; spawned 1; spawned 2; exit 1 7; exit 2 7");
    assert_eq!(rig.core.stage(), Stage::Running, "two may be bad luck");
    rig.feed("wait 100; spawned 1; spawned 2; exit 1 7");
    assert_eq!(rig.core.stage(), Stage::Running, "the other process may be a worker");
    let orders = rig.feed("exit 2 7");
    let finish = "finish RestartLimit { worker: WorkerId(2), last: \"exit 7 before its hello\" }";
    assert!(orders.contains(finish), "{orders}");
    // A signal is no exit by itself, and a restart limit that was asked for alone decides.
    for (max, end) in [(Some(1), "killed 1 9"), (None, "exit 1 7")] {
        let mut rig = Rig::new(alone(few(max)));
        rig.feed("start; arrive 3; spawned 1");
        rig.feed(end);
        assert_eq!(rig.core.stage(), Stage::Running, "{end}");
    }
    // After a hello of any process, all deaths are retried as the limit allows.
    let mut rig = Rig::new(Policy { intensity: Intensity { restarts_max: 9, ..policy().intensity }, ..few(Some(1)) });
    rig.feed("start; arrive 3; spawned 1; hello 1; spawned 2; exit 2 7; exit 1 7");
    assert_eq!(rig.core.stage(), Stage::Running);
}
