//! Items: dispatched in order and within the credit, retried, settled, committed.

use super::rig::{Rig, alone, check, check_all, per_item, policy, with_auto, with_credit};
use crate::model::event::Stage;
use crate::model::exit_rule::{ExitMatch, ExitRule};
use crate::model::signal::Signal;
use crate::model::spec::{Credit, Policy, QueueOrder};
use crate::model::time::Duration;

#[test]
fn a_run_from_start_to_finish() {
    let mut rig = Rig::new(alone(with_credit(4)));
    check_all!(rig, "start", ["- run started", "spawn 1.1", "demand 100"]);
    check_all!(rig, "arrive 3; end; spawned 1", ["- spawned 1"]);
    check_all!(rig, "hello 1", ["- ready 1", "dispatch 1 0..1", "dispatch 1 1..2", "dispatch 1 2..3"]);
    check_all!(rig, "settled 1 0 1", ["done 0..1 by 1, attempts 1", "commit 0..1"]);
    check_all!(
        rig,
        "settled 1 1; settled 1 2",
        ["done 1..2 by 1, attempts 1", "commit 1..2", "done 2..3 by 1, attempts 1", "commit 2..3", "close input 1",]
    );
    check_all!(rig, "exit 1 0", ["- exited 1: exit 0 Asked, items 3", "- run finished", "finish SourceEnded"]);
}

#[test]
fn an_empty_source_ends_the_run() {
    let mut rig = Rig::new(alone(policy()));
    check!(rig, "start; end; spawned 1; exit 1 0", ["spawn 1.1", "demand 100", "close input 1", "finish SourceEnded"]);
}

#[test]
fn credit_grows_to_a_millisecond_of_work() {
    let mut rig = Rig::new(alone(with_auto(Credit::Auto)));
    rig.feed("start; arrive 90; spawned 1");
    check!(rig, "hello 1", ["dispatch 1 0..1", "dispatch 1 1..2"]);
    // At 100 us an item, batches grow: 1, 2, 4, 8, at last 10 items. While they are short, a worker holds up to four.
    check!(
        rig,
        "settled 1 0 1 1 100000",
        ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 2..4", "dispatch 1 4..6", "dispatch 1 6..8"]
    );
    check!(rig, "settled 1 1 1 1 100000", ["done 1..2 by 1, attempts 1", "commit 1..2", "dispatch 1 8..12"]);
    check!(rig, "settled 1 2 2 1 200000", ["done 2..4 by 1, attempts 1", "commit 2..4", "dispatch 1 12..20"]);
    check!(rig, "settled 1 4 2 1 200000", ["done 4..6 by 1, attempts 1", "commit 4..6"]);
    // Slow items go one at a time, with one waiting.
    let mut rig = Rig::new(alone(with_auto(Credit::Auto)));
    rig.feed("start; arrive 90; spawned 1; hello 1");
    check!(rig, "settled 1 0 1 1 3000000", ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 2..3"]);
}

#[test]
fn in_batches_of_one_item_a_worker_holds_a_millisecond_of_work() {
    let mut rig = Rig::new(alone(Policy { batch_max: 1, ..with_auto(Credit::Auto) }));
    rig.feed("start; arrive 90; spawned 1; hello 1");
    assert_eq!(rig.feed("settled 1 0 1 1 50000").lines().count(), 2 + 19, "20 items of 50 us are a millisecond");
}

#[test]
fn near_the_end_no_worker_hoards() {
    let mut rig = Rig::new(with_credit(100));
    rig.feed("start; arrive 20; end; spawned 1; spawned 2");
    check!(
        rig,
        "hello 1",
        [
            "dispatch 1 0..5",
            "dispatch 1 5..8",
            "dispatch 1 8..11",
            "dispatch 1 11..13",
            "dispatch 1 13..14",
            "dispatch 1 14..15",
            "dispatch 1 15..16",
            "dispatch 1 16..17",
            "dispatch 1 17..18",
            "dispatch 1 18..19",
        ]
    );
    // The last item goes to the first idle worker.
    check!(rig, "hello 2", ["dispatch 2 19..20"]);
}

#[test]
fn every_worker_gets_a_share_at_the_start() {
    let mut rig = Rig::new(Policy { start_together: true, ..with_credit(10) });
    rig.feed("start; arrive 4; spawned 1; spawned 2");
    check!(rig, "hello 1", []);
    check!(rig, "hello 2", ["dispatch 1 0..2", "dispatch 2 2..4"]);
    // The first dispatch does not wait for a worker whose start failed.
    let mut rig = Rig::new(Policy { start_together: true, ..policy() });
    rig.feed("start; arrive 4; spawned 1; hello 1");
    check!(rig, "nospawn 2", ["dispatch 1 0..1"]);
}

#[test]
fn a_share_is_large_enough_to_be_worth_the_wake_up_of_a_worker() {
    let mut rig = Rig::new(with_auto(Credit::Auto));
    rig.feed("start; spawned 1; spawned 2; hello 1; hello 2; arrive 2");
    // At 50 us an item a share is two items, although half of the queue is one item.
    rig.feed("settled 1 0 1 1 50000; settled 2 1 1 1 50000");
    check!(rig, "arrive 2", ["dispatch 1 2..4"]);
    // At 100 us an item a share is one item.
    let mut rig = Rig::new(with_auto(Credit::Auto));
    rig.feed("start; spawned 1; spawned 2; hello 1; hello 2; arrive 2");
    rig.feed("settled 1 0 1 1 100000; settled 2 1 1 1 100000");
    check!(rig, "arrive 2", ["dispatch 1 2..3", "dispatch 2 3..4"]);
}

#[test]
fn lifo_and_priority_wait_until_all_is_read() {
    let mut rig = Rig::new(alone(Policy { queue_order: QueueOrder::Lifo, ..policy() }));
    rig.feed("start; spawned 1; hello 1");
    check!(rig, "arrive 3", []);
    check!(rig, "idle", ["dispatch 1 2..3"]);
    check!(rig, "settled 1 2", ["done 2..3 by 1, attempts 1", "commit 2..3", "dispatch 1 1..2"]);
    let mut rig = Rig::new(alone(Policy { queue_order: QueueOrder::Priority, queue_items_max: 3, ..policy() }));
    rig.feed("start; spawned 1; hello 1; arrive 1 5; arrive 1 -5");
    // A full queue counts as if everything had been read.
    check!(rig, "arrive 1 5", ["dispatch 1 1..2", "demand 1"]);
    check!(rig, "idle; settled 1 1", ["done 1..2 by 1, attempts 1", "commit 1..2", "dispatch 1 0..1", "demand 2"]);
}

#[test]
fn demand_follows_the_spare_capacity() {
    let mut rig = Rig::new(alone(Policy { queue_items_max: 8, ..policy() }));
    rig.feed("start; spawned 1; hello 1");
    check!(rig, "arrive 6", ["dispatch 1 0..1"]);
    check!(rig, "arrive 2", ["demand 0"]);
    check!(
        rig,
        "settled 1 0; settled 1 1",
        [
            "done 0..1 by 1, attempts 1",
            "commit 0..1",
            "dispatch 1 1..2",
            "done 1..2 by 1, attempts 1",
            "commit 1..2",
            "dispatch 1 2..3",
            "demand 3",
        ]
    );
}

#[test]
fn keep_order_holds_results_back_until_their_turn() {
    let mut rig = Rig::running(Policy { workers: 3, keep_order: true, ..policy() }, 4);
    check!(rig, "settled 2 1", ["done 1..2 by 2, attempts 1", "dispatch 2 3..4"]);
    check!(rig, "failed 3 2", ["failed 2..3 by 3, attempts 1: bad"]);
    check!(rig, "settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "commit 1..3"]);
}

#[test]
fn a_failed_attempt_is_tried_again_after_a_doubling_delay() {
    let retry = Policy { retries: 2, retry_delay: Duration::from_millis(100), ..alone(policy()) };
    let mut rig = Rig::running(retry, 1);
    let first = rig.feed_all("failed 1 0 1");
    assert!(first.starts_with("- retried 0: attempt 2 after "), "{first}");
    let delay: u64 = first.trim_end_matches("ms").rsplit(' ').next().unwrap().parse().unwrap();
    assert!((50..=100).contains(&delay), "jitter: half to all of 100 ms, not {delay}");
    check!(rig, "wait 49", []);
    check!(rig, "wait 51", ["dispatch 1 0..1 (attempt 2)"]);
    check!(rig, "failed 1 0 2; wait 99", []);
    check!(rig, "wait 101", ["dispatch 1 0..1 (attempt 3)"]);
    check!(rig, "failed 1 0 3", ["failed 0..1 by 1, attempts 3: bad, bad, bad", "commit 0..1", "close input 1"]);
}

#[test]
fn an_attempt_says_whether_a_further_one_is_worth_it() {
    let hinted = |retries| alone(Policy { retries, hinted_retries: 3, ..policy() });
    let mut rig = Rig::running(hinted(0), 2);
    check!(rig, "failed 1 0 1 again", ["dispatch 1 0..1 (attempt 2)"]);
    check!(rig, "failed 1 0 2 again", ["dispatch 1 0..1 (attempt 3)"]);
    // What does not ask for another attempt gets none beyond the retries.
    check!(rig, "failed 1 0 3", ["failed 0..1 by 1, attempts 3: bad, bad, bad", "commit 0..1", "dispatch 1 1..2"]);
    check!(rig, "failed 1 1 1 again", ["dispatch 1 1..2 (attempt 2)"]);
    rig.feed("failed 1 1 2 again; failed 1 1 3 again");
    check!(
        rig,
        "failed 1 1 4 again",
        ["failed 1..2 by 1, attempts 4: bad, bad, bad, bad", "commit 1..2", "close input 1"]
    );
    // One that is hopeless is not tried again, whatever the retries; more retries than the hint's are all made.
    let mut rig = Rig::running(hinted(5), 1);
    rig.feed("failed 1 0 1 again; failed 1 0 2 again; failed 1 0 3 again; failed 1 0 4 again");
    check!(rig, "failed 1 0 5 again", ["dispatch 1 0..1 (attempt 6)"]);
    let mut rig = Rig::running(hinted(5), 1);
    check!(rig, "failed 1 0 1 never", ["failed 0..1 by 1, attempts 1: bad", "commit 0..1", "close input 1"]);
}

#[test]
fn an_item_that_is_done_after_a_failure_reports_its_causes() {
    let mut rig = Rig::running(alone(Policy { retries: 1, ..policy() }), 1);
    check!(rig, "failed 1 0", ["dispatch 1 0..1 (attempt 2)"]);
    check!(rig, "settled 1 0 1 2", ["done 0..1 by 1, attempts 2: bad", "commit 0..1", "close input 1"]);
}

#[test]
fn a_rejected_item_fails_alone() {
    let mut rig = Rig::new(alone(policy()));
    rig.feed("start");
    check!(rig, "reject", ["failed 0..1 by -, attempts 0: odd", "commit 0..1"]);
}

#[test]
fn the_exit_of_a_process_per_item_is_the_result_of_the_item() {
    let mut rig = Rig::new(Policy { retries: 1, ..per_item() });
    check!(rig, "start; arrive 3; end", ["demand 100", "spawn 1.1 for 0..1", "spawn 2.1 for 1..2"]);
    check_all!(rig, "spawned 1", ["- spawned 1"]);
    check_all!(
        rig,
        "exit 1 0",
        [
            "- exited 1: exit 0 at 0: Settled, items 1",
            "done 0..1 by 1, attempts 1",
            "commit 0..1",
            "spawn 1.2 for 2..3",
        ]
    );
    // A final failure counts as settled by this worker; a failure with another attempt does not.
    check_all!(
        rig,
        "spawned 2; exit 2 4",
        [
            "- spawned 2",
            "- exited 2: exit 4 at 1: Again(Attempt(2)), items 0",
            "- retried 1: attempt 2 after 0ms",
            "spawn 2.2 for 1..2 (attempt 2)",
        ]
    );
    check!(rig, "noitem 1", ["spawn 1.3 for 2..3 (attempt 2)"]);
    check!(rig, "spawned 2; killed 2 9", ["dead 1..2 by 2, attempts 2: exit 4, killed by 9 (KILL)", "commit 1..2"]);
    check_all!(
        rig,
        "spawned 1; exit 1 5",
        [
            "- spawned 1",
            "- exited 1: exit 5 at 2: Settled, items 1",
            "failed 2..3 by 1, attempts 2: too long, exit 5",
            "commit 2..3",
            "- run finished",
            "finish SourceEnded",
        ]
    );
}

#[test]
fn a_large_result_out_of_order_ends_the_worker_before_all_of_it_arrives() {
    let mut rig = Rig::running(alone(with_credit(4)), 8);
    check!(rig, "begins 1 0; settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 4..5"]);
    check!(rig, "begins 1 1", []);
    check!(rig, "begins 1 2", ["kill 1.1 KILL"]);
    check!(rig, "settled 1 1", []);
}

#[test]
fn items_that_wait_for_their_next_attempt_count_toward_how_far_is_read_ahead() {
    let delay = Policy { queue_items_max: 4, retries: 9, retry_delay: Duration::from_secs(60), ..policy() };
    let mut rig = Rig::new(alone(delay));
    check!(rig, "start", ["spawn 1.1", "demand 4"]);
    rig.feed("arrive 4; spawned 1; hello 1");
    // Four items have failed, and their next attempts are far away.
    let orders: Vec<String> = (0..4).map(|item| rig.feed(&format!("failed 1 {item}"))).collect();
    assert!(orders.iter().all(|orders| !orders.contains("demand 4")), "{orders:?}");
    assert_eq!(rig.core.status().delayed, 4);
    let orders = rig.feed("wait 60000");
    assert!(orders.contains("(attempt 2)") && orders.contains("demand 4"), "{orders}");
}

#[test]
fn an_answer_out_of_order_ends_the_worker() {
    let mut rig = Rig::running(alone(with_credit(4)), 8);
    check!(rig, "settled 1 2", ["kill 1.1 KILL"]);
    // None of its messages counts any more, and what it held runs again.
    check!(rig, "settled 1 0", []);
    check_all!(
        rig,
        "killed 1 9",
        [
            "- exited 1: signal 9 (KILL) Protocol(\"answered for item 2, \
             which is not the next one it holds\"), waiting 4, items 0",
            "- returned 0..2 by 1, attempt 1",
            "- returned 2..4 by 1, attempt 1",
            "- restarting 1 after 100ms",
        ]
    );
    check!(rig, "wait 100; spawned 1", ["spawn 1.2"]);
}

#[test]
fn no_command_starts_while_the_output_is_congested() {
    for queue_order in [QueueOrder::Fifo, QueueOrder::Lifo] {
        let mut rig = Rig::running(Policy { queue_order, retries: 1, ..per_item() }, 4);
        rig.feed("spawned 1; spawned 2");
        let first = if queue_order == QueueOrder::Fifo { 0 } else { 3 };
        let done = format!("done {first}..{} by 1, attempts 1", first + 1);
        let commit = format!("commit {first}..{}", first + 1);
        let ended = rig.feed("congested; exit 1 0");
        assert_eq!(ended.lines().collect::<Vec<_>>(), [done, commit]);
        check!(rig, "exit 2 1", []);
        let started = rig.feed("uncongested");
        assert_eq!(started.lines().count(), 2, "{started}");
        assert!(started.lines().all(|order| order.starts_with("spawn ")), "{started}");
    }
}

#[test]
fn resident_workers_get_items_while_the_output_is_congested() {
    let mut rig = Rig::running(alone(policy()), 2);
    check!(rig, "congested; settled 1 0", ["done 0..1 by 1, attempts 1", "commit 0..1", "dispatch 1 1..2"]);
}

#[test]
fn a_stop_ends_a_congested_run() {
    let mut rig = Rig::running(per_item(), 3);
    rig.feed("spawned 1; spawned 2; congested");
    check!(rig, "INT", ["skipped 2..3 by -, attempts 0", "commit 2..3"]);
    rig.feed("exit 1 0");
    assert!(rig.feed("exit 2 0").ends_with("finish Signal(Signal(2))"));
}

#[test]
fn an_item_whose_command_can_never_start_fails_once() {
    let mut rig = Rig::new(alone(Policy { retries: 3, retry_delay: Duration::from_millis(50), ..per_item() }));
    rig.feed("start; arrive 2; end");
    check!(rig, "unfit 1", ["failed 0..1 by 1, attempts 1: too long", "commit 0..1", "spawn 1.2 for 1..2"]);
}

#[test]
fn commands_in_a_row_that_cannot_be_executed_end_the_run() {
    let lost = |retries| alone(Policy { retries, dead_max: Some(2), ..per_item() });
    let mut rig = Rig::new(lost(0));
    rig.feed("start; arrive 9; nofile 1; spawned 1; exit 1 0; nofile 1");
    assert_eq!(rig.core.stage(), Stage::Running, "a command was executed between them");
    let orders = rig.feed("nofile 1");
    assert!(orders.contains(r#"finish CommandLost { error: "no file", missing: true }"#), "{orders}");
    assert_eq!(rig.core.totals().skipped, 5);
    // An item that is skipped because the run stops has not failed.
    let mut rig = Rig::new(Policy { retries: 5, ..lost(1) });
    rig.feed("start; arrive 1; INT");
    let orders = rig.feed("nofile 1");
    assert!(orders.ends_with("finish Signal(Signal(2))") && orders.contains("skipped 0..1"), "{orders}");
    let mut rig = Rig::new(Policy { retries: 5, ..lost(1) });
    rig.feed("start; arrive 1; sink");
    let orders = rig.feed("nofile 1");
    assert!(orders.ends_with("finish SinkClosed"), "{orders}");
    // Attempts are not items.
    let mut rig = Rig::new(lost(3));
    rig.feed("start; arrive 9; nofile 1; nofile 1; nofile 1; nofile 1; nofile 1");
    assert_eq!((rig.core.stage(), rig.core.totals().failed), (Stage::Running, 1));
}

#[test]
fn a_command_that_would_stop_xargs_stops_the_run_after_its_last_attempt() {
    let as_xargs = |retries| Policy { stop_at_abort: true, retries, ..per_item() };
    let mut rig = Rig::new(as_xargs(1));
    rig.feed("start; arrive 9; spawned 1; spawned 2; exit 1 255; spawned 1");
    assert_eq!(rig.core.stage(), Stage::Running);
    rig.feed("exit 1 255");
    assert_eq!(rig.core.stage(), Stage::Draining, "the other command may finish");
    let orders = rig.feed("exit 2 0");
    assert!(orders.ends_with("finish Aborted { signal: None }"), "{orders}");
    let mut rig = Rig::new(alone(as_xargs(0)));
    let orders = rig.feed("start; arrive 9; spawned 1; exit 1 254; spawned 1; killed 1 9");
    assert!(orders.ends_with("finish Aborted { signal: Some(Signal(9)) }"), "{orders}");
}

/// A process per item, one at a time, with these rules.
fn with_rules(rules: &[(ExitMatch, ExitRule)]) -> Policy {
    alone(Policy { hinted_retries: 2, exit_rules: rules.to_vec(), ..per_item() })
}

#[test]
fn a_rule_decides_about_a_command_that_ended_so_and_about_no_other() {
    let (three, segv) = (ExitMatch::Code(3), ExitMatch::Signal(Signal::SEGV));
    // Tried again up to `hinted_retries`, where the policy allows fewer; another end has no rule.
    let retry = with_rules(&[(three, ExitRule::Retry), (three, ExitRule::Dead)]);
    let mut rig = Rig::running(retry.clone(), 2);
    rig.feed("spawned 1");
    check!(rig, "exit 1 3", ["spawn 1.2 for 0..1 (attempt 2)"]);
    check!(rig, "spawned 1; exit 1 3", ["spawn 1.3 for 0..1 (attempt 3)"]);
    let orders = rig.feed("spawned 1; exit 1 3");
    assert!(orders.starts_with("failed 0..1 by 1, attempts 3: exit 3, exit 3, exit 3"), "{orders}");
    let orders = rig.feed("spawned 1; exit 1 4");
    assert!(orders.starts_with("failed 1..2 by 1, attempts 1: exit 4"), "{orders}");
    // More retries than that are the policy's own, and count for every failure.
    let mut rig = Rig::running(Policy { retries: 3, ..retry }, 1);
    rig.feed("spawned 1; exit 1 3; spawned 1; exit 1 3; spawned 1; exit 1 3; spawned 1");
    assert!(rig.feed("exit 1 3").starts_with("failed 0..1 by 1, attempts 4"));
    // The limits for deaths rise to as many; signal 11 is not exit 11.
    let mut rig = Rig::running(with_rules(&[(segv, ExitRule::Retry)]), 2);
    check!(rig, "spawned 1; killed 1 11", ["spawn 1.2 for 0..1 (attempt 2)"]);
    check!(rig, "spawned 1; killed 1 11", ["spawn 1.3 for 0..1 (attempt 3)"]);
    assert!(rig.feed("spawned 1; killed 1 11").starts_with("dead 0..1 by 1, attempts 3"));
    assert!(rig.feed("spawned 1; exit 1 11").starts_with("failed 1..2 by 1, attempts 1"));
    assert_eq!(rig.core.totals().deaths, 3);
}

#[test]
fn a_rule_against_a_further_attempt_names_the_outcome() {
    let (three, term) = (ExitMatch::Code(3), ExitMatch::Signal(Signal::TERM));
    for (rule, outcome) in [(ExitRule::Fail, "failed"), (ExitRule::Dead, "dead")] {
        let endless = Policy { retries: 9, kill_limit: None, ..with_rules(&[(three, rule), (term, rule)]) };
        let mut rig = Rig::running(endless, 2);
        let orders = rig.feed("spawned 1; exit 1 3");
        assert!(orders.starts_with(&format!("{outcome} 0..1 by 1, attempts 1: exit 3")), "{orders}");
        let orders = rig.feed("spawned 1; killed 1 15");
        assert!(orders.starts_with(&format!("{outcome} 1..2 by 1, attempts 1")), "{orders}");
        assert!(orders.ends_with("finish SourceEnded"), "{orders}");
    }
}

#[test]
fn a_rule_to_halt_fails_the_item_and_ends_the_others() {
    let rules = vec![(ExitMatch::Code(3), ExitRule::Halt)];
    let halt = Policy { exit_rules: rules, retries: 9, ..per_item() };
    let mut rig = Rig::running(halt.clone(), 4);
    rig.feed("spawned 1; spawned 2");
    let orders = rig.feed("exit 1 3");
    assert!(orders.starts_with("failed 0..1 by 1, attempts 1: exit 3"), "{orders}");
    assert!(orders.contains("kill 2"), "{orders}");
    assert!(rig.feed("killed 2 15").ends_with("finish HaltExit { exit: Code(3) }"));
    let totals = rig.core.totals();
    assert_eq!((totals.failed, totals.skipped, totals.interrupted), (1, 3, 1));
    // A command that the stop ends has no rule: its exit is no answer of its own.
    let mut rig = Rig::running(halt, 2);
    rig.feed("spawned 1; spawned 2; INT; wait 200; INT");
    rig.feed("exit 1 3");
    assert!(rig.feed("killed 2 15").ends_with("finish Signal(Signal(2))"));
    assert_eq!(rig.core.totals().skipped, 2);
}

#[test]
fn a_timeout_has_no_rule() {
    let rules = [(ExitMatch::Signal(Signal::TERM), ExitRule::Dead), (ExitMatch::Code(3), ExitRule::Halt)];
    let mut rig = Rig::running(Policy { timeout: Some(Duration::from_secs(1)), ..with_rules(&rules) }, 2);
    for end in ["killed 1 15", "exit 1 3"] {
        rig.feed("spawned 1; wait 1500");
        let orders = rig.feed(end);
        assert!(orders.starts_with("failed") && orders.contains("timed out"), "{orders}");
    }
}
