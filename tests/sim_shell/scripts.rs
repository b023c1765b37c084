//! Single cases, one by one: a world in which one thing goes wrong, and how the run has to end.

use crate::choice::Rng;
use crate::disk::DiskFault;
use crate::marks::Mark;
use crate::policy;
use crate::scenario::{Fault, MS, RecordPlan, Scenario};
use crate::sessions::SessionEnd;
use crate::sweep::{self, CALLS_MAX, Played, play_scenario};
use supervisor::model::ids::ItemId;
use supervisor::model::outcome::StopReason;
use supervisor::model::signal::Signal;
use supervisor::model::spec::{
    Blame, Credit, Intensity, Policy, QueueOrder, RestartStrategy, RestartType, TermStep, WorkerContract,
};
use supervisor::model::time::Duration;
use supervisor::trace::frame::{FrameKind, TracedFrame};

/// A policy of two workers under which no limit ends the run.
fn plain(commands: bool) -> Policy {
    let drawn = policy::draw(&mut Rng::new(1), commands, true, true);
    let mut worker = drawn.worker;
    if !commands {
        worker.credit = Credit::Items(2);
    }
    Policy {
        workers: 2,
        worker,
        queue_order: QueueOrder::Fifo,
        queue_items_max: 100,
        batch_max: 2,
        keep_order: true,
        start_together: false,
        retries: 0,
        hinted_retries: 0,
        exit_rules: Vec::new(),
        crash_limit: 100,
        kill_limit: None,
        retry_delay: Duration::ZERO,
        dead_max: None,
        timeout: None,
        timeout_percent: None,
        start_delay: None,
        hello_timeout: Duration(1000 * MS),
        start_exits_max: None,
        term_sequence: vec![TermStep { signal: Signal::KILL, wait: Duration::ZERO }],
        grace: Duration(20 * MS),
        intensity: Intensity { restarts_max: 100, period: Duration(MS) },
        restart: RestartType::Permanent,
        strategy: RestartStrategy::OneForOne,
        halt: None,
        stop_at_abort: false,
        run_timeout: None,
        report_starts: true,
        explains: false,
        ..drawn
    }
}

/// Plays a calm world of ten items with some changes, in a few different orders of events.
fn play(commands: bool, change: impl Fn(&mut Scenario)) -> Vec<Played> {
    let with = |seed| {
        let mut rng = Rng::new(seed);
        let mut scenario = Scenario::calm(&mut rng, plain(commands), commands.then_some(2));
        (scenario.hello, scenario.page) = (true, !commands);
        (scenario.items, scenario.item_ns_max) = (10, 200_000);
        change(&mut scenario);
        play_scenario(scenario, rng, CALLS_MAX, false).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"))
    };
    (0..20).map(with).collect()
}

fn ended(played: &[Played], fits: impl Fn(&StopReason) -> bool) {
    for played in played {
        assert!(fits(&played.outcome.reason), "{:?}", played.outcome);
    }
}

#[test]
fn a_calm_run_does_every_item_once() {
    for commands in [false, true] {
        for played in play(commands, |_| {}) {
            assert_eq!((played.outcome.totals.done, played.executions), (10, 10));
            assert_eq!(played.outcome.reason, StopReason::SourceEnded);
        }
    }
}

#[test]
fn a_result_in_the_channel_counts_although_its_worker_is_dead() {
    let played = play(false, |scenario| {
        (scenario.fault_chance, scenario.faults) = (1000, vec![Fault::DiesAfterResult]);
    });
    for played in played {
        let totals = played.outcome.totals;
        assert_eq!(totals.done, 10);
        // An item that had begun when its worker died is begun again, one whose result was sent is not.
        assert!(played.executions <= 10 + totals.deaths, "{} executions, {totals:?}", played.executions);
    }
}

#[test]
fn results_in_the_staging_area_outlive_their_worker() {
    let unsent = |staging: bool| {
        let played = play(false, |scenario| {
            scenario.channel.staging = staging;
            (scenario.fault_chance, scenario.faults) = (400, vec![Fault::DiesBeforeResult]);
        });
        assert!(played.iter().all(|played| played.outcome.totals.done == 10));
        played.iter().map(|played| played.executions).sum::<u64>()
    };
    assert!(unsent(false) > 200, "items are begun again");
    assert_eq!(unsent(true), 200, "nothing is done twice");
}

#[test]
fn a_run_that_cannot_start_its_program_gives_up() {
    let played = play(false, |scenario| scenario.program_gone_at = Some(0));
    ended(&played, |reason| matches!(reason, StopReason::RestartLimit { .. }));
}

#[test]
fn a_stdout_without_a_reader_ends_the_run() {
    let played = play(false, |scenario| scenario.stdout_closed_at = Some(0));
    ended(&played, |reason| *reason == StopReason::SinkClosed);
}

#[test]
fn a_full_disk_under_stdout_ends_the_run() {
    let played = play(true, |scenario| scenario.stdout.full_at = Some(5));
    ended(&played, |reason| matches!(reason, StopReason::SinkLost(_)));
}

#[test]
fn a_record_that_fails_shows_nothing_and_ends_the_run() {
    let played =
        play(false, |scenario| scenario.record = Some(RecordPlan { fails_at: Some(0), for_good: true, fault: None }));
    ended(&played, |reason| matches!(reason, StopReason::StorageLost(_)));
    assert!(played.iter().all(|played| played.shown == 0));
}

#[test]
fn a_reader_that_does_not_read_is_waited_for_until_a_signal() {
    let played = play(false, |scenario| scenario.stdout.stuck_at = Some(0));
    ended(&played, |reason| *reason == StopReason::Signal(Signal::INT));
    // The items were done by then.
    assert!(played.iter().all(|played| played.outcome.totals.done == 10));
}

#[test]
fn an_interrupted_wait_ends_nothing() {
    let played = play(false, |scenario| scenario.calls.interrupted = 800);
    ended(&played, |reason| *reason == StopReason::SourceEnded);
    assert!(played.iter().all(|played| played.outcome.totals.done == 10));
}

#[test]
fn commands_that_ended_in_time_do_not_time_out_because_the_launcher_is_late() {
    let played = play(true, |scenario| {
        scenario.policy.timeout = Some(Duration(5 * MS));
        scenario.leaps = vec![(100_000, 1_000 * MS), (300_000, 1_000 * MS)];
        scenario.launcher_ns_max = 20 * MS;
    });
    ended(&played, |reason| *reason == StopReason::SourceEnded);
    assert!(played.iter().all(|played| played.outcome.totals.done == 10));
}

#[test]
fn a_worker_without_a_hello_is_ready_when_it_is_started() {
    let played = play(false, |scenario| {
        (scenario.hello, scenario.page) = (false, false);
        scenario.policy.worker =
            WorkerContract { hello: false, credit: Credit::Items(2), blame: Blame::OldestHeld, in_order: true };
    });
    ended(&played, |reason| *reason == StopReason::SourceEnded);
    assert!(played.iter().all(|played| played.outcome.totals.done == 10 && played.executions == 10));
}

#[test]
fn items_of_several_payloads_are_shown_with_their_bytes() {
    let played = play(false, |scenario| {
        (scenario.wants_inputs, scenario.item_ns_max) = (true, 1_000);
        (scenario.source.burst, scenario.source.gap_ns) = (1, 10_000);
        scenario.policy.worker.credit = Credit::Items(6);
    });
    ended(&played, |reason| *reason == StopReason::SourceEnded);
}

#[test]
fn a_record_that_fails_in_any_turn_ends_the_run_and_so_does_the_last_one() {
    for flush in 0..4 {
        let played = play(false, |scenario| {
            (scenario.items, scenario.policy.workers) = (3, 1);
            scenario.policy.worker.credit = Credit::Items(1);
            scenario.record = Some(RecordPlan { fails_at: Some(flush), for_good: false, fault: None });
        });
        ended(&played, |reason| matches!(reason, StopReason::StorageLost(_)));
    }
}

#[test]
fn stdout_gets_all_results_although_a_reporter_fails_at_the_end() {
    let played = play(true, |scenario| {
        scenario.reporter_fails_at = Some(400_000);
        (scenario.stdout.bytes_max, scenario.stdout.blocked_ns) = (3, 100_000);
    });
    ended(&played, |reason| matches!(reason, StopReason::StorageLost(_)));
}

#[test]
fn a_descriptor_that_cannot_be_watched_delays_the_run_and_does_not_end_it() {
    let played = play(false, |scenario| {
        (scenario.calls.watch, scenario.talkative) = (200, true);
        (scenario.stderr.bytes_max, scenario.stderr.blocked_ns) = (3, 100_000);
        scenario.channel.to_worker_bytes_max = 16;
    });
    ended(&played, |reason| *reason == StopReason::SourceEnded);
}

#[test]
fn a_stdout_that_is_given_up_wakes_no_wait_for_stderr() {
    let played = play(false, |scenario| {
        (scenario.signals, scenario.talkative) = (vec![(3 * MS, Signal::INT)], true);
        (scenario.stdout.stuck_at, scenario.stdout_closed_at) = (Some(0), Some(100 * MS));
        (scenario.stderr.bytes_max, scenario.stderr.blocked_ns) = (3, MS);
    });
    ended(&played, |reason| *reason == StopReason::Signal(Signal::INT));
}

#[test]
fn the_end_of_a_busy_polled_channel_is_handled_before_the_loop_waits() {
    for fault in [Fault::ClosesChannel, Fault::Garbage] {
        let played = play(false, |scenario| {
            scenario.channel.busy_polled = true;
            (scenario.fault_chance, scenario.faults) = (300, vec![fault]);
        });
        ended(&played, |reason| *reason == StopReason::SourceEnded);
        assert!(played.iter().all(|played| played.outcome.totals.done == 10));
    }
}

#[test]
fn a_trace_is_told_of_every_frame_once() {
    let played = play(false, |scenario| {
        scenario.policy.explains = true;
        scenario.policy.first_item = ItemId(0);
        // Frames that are written in several parts.
        scenario.channel.to_worker_bytes_max = 7;
    });
    ended(&played, |reason| *reason == StopReason::SourceEnded);
    for played in played {
        let items = |kind| -> Vec<u64> {
            let frames = played.traced.iter().filter(|frame| frame.kind == kind).filter_map(|frame| frame.batch);
            let mut items: Vec<_> = frames.flat_map(|batch| batch.first.0..batch.end().0).collect();
            items.sort_unstable();
            items
        };
        let all: Vec<_> = (0..10).collect();
        assert_eq!((items(FrameKind::Items), items(FrameKind::Results)), (all.clone(), all));
        let hellos = played.traced.iter().filter(|frame| frame.kind == FrameKind::Hello);
        assert_eq!(hellos.count(), 2, "one of each worker");
        let waited = |frame: &&TracedFrame| frame.queued < frame.passed;
        let mut waited = played.traced.iter().filter(waited).peekable();
        assert!(waited.peek().is_some() && waited.all(|frame| frame.kind == FrameKind::Items));
        let frames = played.traced.iter().filter(|frame| frame.kind == FrameKind::Items);
        for (batch, body_bytes) in frames.filter_map(|frame| Some((frame.batch?, frame.body_bytes))) {
            // "item 0" has 6 bytes; in a batch of several each has its delimiter too.
            assert_eq!(body_bytes, if batch.count == 1 { 6 } else { 7 * u64::from(batch.count) });
        }
    }
}

/// Plays a calm run of some items whose sessions end so, and then one that nothing disturbs.
fn play_run(commands: bool, seed: u64, ends: &[SessionEnd], change: impl Fn(&mut Scenario)) -> Played {
    let mut rng = Rng::new(seed);
    let mut scenario = Scenario::calm(&mut rng, plain(commands), commands.then_some(2));
    (scenario.hello, scenario.page, scenario.early) = (true, !commands, false);
    (scenario.items, scenario.item_ns_max) = (60, 200_000);
    scenario.record = Some(RecordPlan { fails_at: None, for_good: false, fault: None });
    change(&mut scenario);
    let played = sweep::play_run(scenario, ends, rng, CALLS_MAX, false);
    let played = played.unwrap_or_else(|violation| panic!("seed {seed}, {ends:?}: {violation}"));
    assert_eq!(played.outcome.reason, StopReason::SourceEnded);
    played
}

#[test]
fn an_error_of_any_call_of_the_disk_stops_the_run_and_loses_nothing_that_was_acknowledged() {
    let errors = [libc::ENOSPC, libc::EIO, libc::EFBIG, libc::EDQUOT];
    let (mut writes, mut syncs, mut refused) = (0, 0, 0);
    for call in 1..=100 {
        for way in 0..8 {
            let (is_short, for_good, commands) = (way & 1 > 0, way & 2 > 0, way & 4 > 0);
            let errno = errors[(call as usize + way) % errors.len()];
            let end = SessionEnd::Disk(DiskFault { call, errno, is_short, for_good });
            let played = play_run(commands, u64::from(call), &[end], |scenario| {
                scenario.policy.keep_order = call % 2 == 0;
            });
            assert_eq!(played.outcome.totals.done, 60, "{end:?}");
            writes += u32::from(played.marks.has(Mark::DiskWriteFailed));
            syncs += u32::from(played.marks.has(Mark::SyncFailed));
            refused += u32::from(played.marks.has(Mark::SessionRefused));
        }
    }
    assert!(writes > 250 && syncs > 250 && refused > 10, "{writes} writes and {syncs} syncs of 800; {refused} refused");
}

#[test]
fn results_that_never_left_are_shown_by_a_session_that_has_nothing_else_to_do() {
    let mut again = 0;
    for seed in 0..50 {
        let played = play_run(seed % 2 == 0, seed, &[SessionEnd::ByItself], |scenario| {
            (scenario.items, scenario.stdout_closed_at) = (3, Some(100_000 + seed * 20_000));
        });
        again += u32::from(played.marks.has(Mark::PendingShown) && played.outcome.totals.restored == 3);
    }
    assert!(again > 3, "only {again} of 50");
}
