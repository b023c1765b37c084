//! A history made by hand, as events.

use super::trace_events;
use super::write;
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::command::{Command, Origin};
use crate::model::config::Config;
use crate::model::event::{EndReason, ItemFate, RunEvent, Stage};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Attempt, Incarnation, ItemId};
use crate::model::outcome::{Cause, CauseKind, Settlement, StopReason};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::trace::history::History;
use crate::trace::record::{TraceHeader, TraceRecord, TracedTimes};
use crate::trace::testing::{INCARNATION, answered, arrived, batch, fact, given, header, history, order, us, worker};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

fn resident() -> TraceHeader {
    let policy = Config::builder().generate(9).workers(2).build().unwrap().policy;
    TraceHeader { policy, ..header() }
}

fn report(event: RunEvent) -> TraceRecord<'static> {
    order(Action::Report(event))
}

fn spawned(of: u32, incarnation: u32, at: Instant, pid: u32) -> [TraceRecord<'static>; 2] {
    let (worker, incarnation) = (worker(of), Incarnation(incarnation));
    [
        fact(at, Input::Spawned { worker, incarnation, pid }),
        report(RunEvent::WorkerSpawned { worker, incarnation, pid }),
    ]
}

fn exited(of: u32, at: Instant, exit: ExitStatus, item: Option<(ItemId, ItemFate)>) -> [TraceRecord<'static>; 2] {
    let (worker, incarnation, usage) = (worker(of), INCARNATION, Usage::default());
    let running = item.map(|(item, _)| item);
    let (reason, waiting, items) = (EndReason::Own, 0, 0);
    [
        fact(at, Input::Exited { worker, incarnation, status: exit, usage, running }),
        report(RunEvent::WorkerExited {
            worker,
            incarnation,
            pid: 5,
            exit,
            reason,
            item,
            waiting,
            items,
            usage,
            stderr: None,
        }),
    ]
}

fn done(first: u64, count: u32) -> TraceRecord<'static> {
    order(Action::Settle { settlement: Settlement::of_done(ItemId(first), count), in_turn: true })
}

const KILLED: ExitStatus = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };

/// The events of a history, which keep the rules.
fn events(history: &History) -> Vec<Value> {
    let mut json = Vec::new();
    write(history, &mut json).unwrap();
    trace_events::check(&json)
}

/// A line for each slice and instant, below the name of its row, indented by the slices around it; times are in
/// microseconds. Arrows stand behind the slices that they are at.
fn shown(events: &[Value]) -> String {
    let mut names = BTreeMap::new();
    let mut text = String::new();
    let mut depth = 0;
    let mut ends: Vec<(usize, String)> = Vec::new();
    let name = |event: &Value| event["name"].as_str().unwrap().to_owned();
    for event in events {
        match event["ph"].as_str().unwrap() {
            "M" if name(event) == "process_name" => {
                names.insert(event["pid"].as_u64().unwrap(), event["args"]["name"].as_str().unwrap().to_owned());
            }
            "M" if name(event) == "thread_name" => {
                let party = &names[&event["pid"].as_u64().unwrap()];
                text.push_str(&format!("{party}: {}\n", event["args"]["name"].as_str().unwrap()));
            }
            "B" => {
                depth += 1;
                text.push_str(&format!("{}{}-", "  ".repeat(depth), event["ts"]));
                ends.push((text.len(), event["ts"].to_string()));
                text.push_str(&format!(" {}\n", name(event)));
            }
            "E" => {
                depth -= 1;
                let (place, _) = ends.pop().unwrap();
                text.insert_str(place, &event["ts"].to_string());
            }
            "i" => text.push_str(&format!("{}{} * {}\n", "  ".repeat(depth + 1), event["ts"], name(event))),
            phase @ ("s" | "t" | "f") => {
                text.pop();
                text.push_str(&format!(" ({phase}{})\n", event["id"]));
            }
            "C" => {
                let of = |key: &str| event["args"][key].as_u64().unwrap();
                text.push_str(&format!("  {} = {} + {}\n", event["ts"], of("queued"), of("in flight")));
            }
            _ => {}
        }
    }
    text
}

/// Worker 1 gets items 0-3, answers them in two messages, then 5 and 6 in one. Worker 2 is killed over item 4.
fn run_with_a_kill() -> History {
    let mut records = vec![fact(us(1), Input::Start), arrived(us(5), 0, 7)];
    records.extend(spawned(1, 1, us(6), 5).into_iter().chain(spawned(2, 1, us(7), 6)));
    records.extend(given(1, batch(0, 4, 1), [10, 12]));
    records.extend(given(2, batch(4, 1, 1), [13, 14]));
    records.push(TraceRecord::Texts { first: ItemId(4), starts: Cow::Owned(vec![b"a\x1b\"\xff".to_vec()]) });
    let times = [(20, 7), (30, 9)].map(|(began, length)| (us(began), Duration(length * 1000)));
    records.push(TraceRecord::Times(Cow::Owned(TracedTimes {
        worker: worker(1),
        incarnation: INCARNATION,
        first: ItemId(0),
        attempt: Attempt::FIRST,
        times: times.to_vec(),
    })));
    records.push(answered(1, batch(0, 2, 1), Some([15, 20, 40]), 45));
    records.push(done(0, 2));
    records.extend(given(1, batch(5, 1, 1), [46, 47]));
    records.extend(given(1, batch(6, 1, 1), [46, 48]));
    records.push(answered(1, batch(2, 2, 1), Some([15, 40, 60]), 61));
    records.push(done(2, 2));
    records.extend(exited(2, us(70), KILLED, Some((ItemId(4), ItemFate::Again(Attempt(2))))));
    let cause =
        Cause { attempt: Attempt::FIRST, worker: Some(worker(2)), pid: Some(6), kind: CauseKind::Crashed(KILLED) };
    let (item, delay) = (ItemId(4), Duration::ZERO);
    records.push(report(RunEvent::ItemRetried { item, attempt: Attempt(2), delay, cause, shown_item: None }));
    let (of, incarnation) = (worker(2), Incarnation(2));
    records.push(report(RunEvent::WorkerRestarting { worker: of, incarnation, delay }));
    records.extend(given(1, batch(4, 1, 2), [71, 72]));
    records.push(answered(1, batch(5, 2, 1), Some([62, 63, 80]), 82));
    records.push(done(5, 2));
    records.push(answered(1, batch(4, 1, 2), Some([80, 80, 90]), 91));
    records.push(done(4, 1));
    let origin = Origin::Signal { signal: Signal::INT, sender_pid: None };
    records.push(fact(us(92), Input::Command { command: Command::Stop, origin }));
    records.push(report(RunEvent::SignalReceived { signal: Signal::INT, sender_pid: None }));
    records.push(report(RunEvent::Stopping { stage: Stage::Draining, reason: StopReason::Signal(Signal::INT) }));
    let (worker, incarnation) = (worker(1), INCARNATION);
    records.push(order(Action::Kill { worker, incarnation, signal: Signal::TERM }));
    records.extend(exited(1, us(95), ExitStatus::Code(0), None));
    records.push(TraceRecord::End { at: us(99) });
    history(resident(), records)
}

#[test]
fn a_run_is_shown_with_its_messages_its_work_and_a_death() {
    let events = events(&run_with_a_kill());
    let expected = "\
supervisor (pid 100): run
  0.0-99.0 run
    70.0 * item 4 is tried again, attempt 2: signal 9 (KILL)
    92.0 * signal 2 (INT)
    92.0 * stops: running items may finish (signal 2 (INT))
  0.0 = 0 + 0
  5.0 = 7 + 0
  7.0 = 3 + 4
  12.0 = 2 + 5
  45.0 = 1 + 4
  47.0 = 0 + 5
  61.0 = 0 + 3
  70.0 = 0 + 3
  82.0 = 0 + 1
  91.0 = 0 + 0
supervisor (pid 100): messages 1
  10.0-15.0 items 0-3 to worker 1 (s1) (s2)
    10.0-12.0 in the supervisor
    12.0-15.0 on the way
  40.0-45.0 results of items 0-1 from worker 1 (f1)
  46.0-62.0 item 5 to worker 1 (s4)
    46.0-47.0 in the supervisor
    47.0-62.0 on the way
  71.0-80.0 item 4, attempt 2 to worker 1 (s6)
    71.0-72.0 in the supervisor
    72.0-80.0 on the way
  80.0-82.0 results of items 5-6 from worker 1 (f4) (f5)
  90.0-91.0 result of item 4, attempt 2 from worker 1 (f6)
supervisor (pid 100): messages 2
  13.0-14.0 item 4 to worker 2 (s3)
  46.0-62.0 item 6 to worker 1 (s5)
    46.0-48.0 in the supervisor
    48.0-62.0 on the way
supervisor (pid 100): messages 3
  60.0-61.0 results of items 2-3 from worker 1 (f2)
worker 1: process 1 (pid 5)
  6.0-95.0 pid 5
    20.0-60.0 items 0-3
      20.0-40.0 items 0-1 (t1)
        20.0-27.0 item 0
        30.0-39.0 item 1
      40.0-60.0 items 2-3 (t2)
    63.0-80.0 items 5-6 (t4) (t5)
    80.0-90.0 item 4, attempt 2 (t6)
    92.0 * signal 15 (TERM)
    95.0 * exit 0
worker 1: waiting 1
  15.0-20.0 items 0-3 wait
  62.0-63.0 item 5 waits
worker 1: waiting 2
  62.0-63.0 item 6 waits
worker 2: process 1 (pid 6)
  7.0-70.0 pid 6
    14.0-70.0 item 4, not finished (f3)
      70.0 * signal 9 (KILL) at item 4, which is tried again, attempt 2
worker 2: process 2
  70.0 * another process is started at once
";
    assert_eq!(shown(&events), expected);
}

#[test]
fn texts_reasons_and_exits_stand_in_the_arguments() {
    let events = events(&run_with_a_kill());
    let args = |phase: &str, name: &str| {
        let event = events.iter().find(|event| event["ph"] == phase && event["name"] == name);
        event.unwrap_or_else(|| panic!("{name}"))["args"].clone()
    };
    let message = args("B", "item 4 to worker 2");
    assert_eq!((&message["item"], &message["attempt"], &message["bytes"]), (&4.into(), &1.into(), &10.into()));
    assert_eq!(message["text"], "a\\u{1b}\"\\xff", "nothing in it is invisible");
    assert!(message["because"].as_str().unwrap().starts_with("the first of 2 idle workers"), "{message}");
    assert_eq!(args("B", "item 4, not finished")["exit"], "signal 9 (KILL) at item 4, which is tried again, attempt 2");
    assert_eq!(
        (args("B", "pid 6")["exit"].as_str(), args("B", "run")["pid"].as_u64()),
        (Some("signal 9 (KILL)"), Some(100))
    );
    assert_eq!(args("B", "items 0-3")["items"], 4);
    let scopes: Vec<_> = events.iter().filter(|event| event["s"] == "g").map(|event| &event["cat"]).collect();
    assert_eq!(scopes, ["signal", "stop"]);
}

#[test]
fn processes_for_one_item_each_share_a_row() {
    let mut records = vec![arrived(us(1), 0, 2)];
    let start = |item: u32, at: u64| {
        let (worker, incarnation, batch) = (worker(1), Incarnation(item + 1), Some(batch(item.into(), 1, 1)));
        let [fact, report] = spawned(1, item + 1, us(at), 7 + item);
        [order(Action::Spawn { worker, incarnation, batch }), fact, report]
    };
    records.extend(start(0, 10));
    records.extend(exited(1, us(20), KILLED, Some((ItemId(0), ItemFate::Settled))));
    records.extend(start(1, 30));
    records.push(TraceRecord::End { at: us(50) });
    let text = shown(&events(&history(header(), records)));
    let (_, rows) = text.split_once("worker 1: ").unwrap();
    let expected = "\
commands
  10.0-20.0 item 0
    20.0 * signal 9 (KILL) at item 0
  30.0-50.0 item 1
";
    assert_eq!(rows, expected);
}

#[test]
fn threads_are_named_as_such_and_what_is_missing_stands_beside_the_events() {
    let mut records = vec![TraceRecord::Dropped { records: 3 }];
    records.extend(spawned(1, 1, us(6), 100));
    let mut history = history(resident(), records);
    history.cut = Some("the trace ends".to_owned());
    let mut json = Vec::new();
    write(&history, &mut json).unwrap();
    let events = trace_events::check(&json);
    assert!(shown(&events).contains("worker 1: thread 1 of pid 100\n"), "{}", shown(&events));
    assert!(shown(&events).contains(" * 3 records are missing here"), "{}", shown(&events));
    let file: Value = serde_json::from_slice(&json).unwrap();
    let other = &file["otherData"];
    assert_eq!((&other["dropped_records"], &other["cut"]), (&3.into(), &"the trace ends".into()));
    assert_eq!((&other["run"], &other["started"]), (&"run".into(), &"1970-01-01T00:00:00Z".into()));
}

/// A number that looks like chance.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

/// Times that contradict each other, as no run has them: everything nests all the same, and each arrow has two ends.
#[test]
fn no_times_break_the_rules() {
    for seed in 0..300 {
        let state = &mut seed.clone();
        let latest = [60, 1_000_000, u64::MAX / 1000][draw(state, 3) as usize];
        let header = if draw(state, 4) == 0 { header() } else { resident() };
        let mut records = Vec::new();
        for _ in 0..60 {
            let of = 1 + draw(state, 2) as u32;
            let items = batch(draw(state, 6), 1 + draw(state, 4) as u32, 1);
            let [a, b, c, d] = [(); 4].map(|()| draw(state, latest));
            match draw(state, 6) {
                0 => records.extend(given(of, items, [a, b])),
                1 => records.push(answered(of, items, Some([a, b, c]), d)),
                2 => records.push(answered(of, items, None, d)),
                3 => records.extend(spawned(of, 1, us(a), 5)),
                4 => records.extend(exited(of, us(a), KILLED, Some((items.first, ItemFate::Settled)))),
                _ => records.push(TraceRecord::Times(Cow::Owned(TracedTimes {
                    worker: worker(of),
                    incarnation: INCARNATION,
                    first: items.first,
                    attempt: Attempt::FIRST,
                    times: vec![(us(a), Duration(c)), (us(b), Duration(d)), (us(b), Duration::ZERO)],
                }))),
            }
        }
        events(&history(header, records));
    }
}
