//! The numbers of histories that were made by hand.

use super::builder::StatsBuilder;
use super::figures::{ItemCounts, LifePart, MessageCounts, RunFigures};
use super::percentiles::Percentiles;
use super::{json as stats_json, text};
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::config::Config;
use crate::model::event::{EndReason, ItemFate, RunEvent};
use crate::model::exit::{ExitStatus, Usage};
use crate::model::ids::{Attempt, Incarnation, ItemId};
use crate::model::outcome::{Cause, CauseKind, Outcome, Settlement};
use crate::model::signal::Signal;
use crate::model::time::{Duration, Instant};
use crate::trace::record::{TraceHeader, TraceRecord, TracedTimes};
use crate::trace::testing::{INCARNATION, answered, arrived, batch, fact, given, header, order, us, worker};
use serde_json::json;
use snapbox::str;
use std::borrow::Cow;

/// Of a run with workers that stay.
fn staying() -> TraceHeader {
    TraceHeader {
        workers_run: "the worker".to_owned(),
        started_unix_ns: 1_795_775_493_000_000_000,
        policy: Config::builder().generate(4).workers(2).build().unwrap().policy,
        ..header()
    }
}

fn figures(header: TraceHeader, records: impl IntoIterator<Item = TraceRecord<'static>>) -> RunFigures {
    let mut builder = StatsBuilder::new(header);
    records.into_iter().for_each(|record| builder.take(&record));
    builder.finish()
}

/// Nothing but the time passes.
fn at(at: u64) -> TraceRecord<'static> {
    fact(us(at), Input::SourceIdle)
}

fn written(at: u64, waiting_bytes: u64) -> TraceRecord<'static> {
    TraceRecord::Written { at: us(at), waiting_bytes }
}

/// A process of a slot is ordered and started.
fn started(of: u32, incarnation: u32, [ordered, spawned]: [u64; 2]) -> Vec<TraceRecord<'static>> {
    let (worker, incarnation) = (worker(of), Incarnation(incarnation));
    vec![
        at(ordered),
        order(Action::Spawn { worker, incarnation, batch: None }),
        at(spawned),
        order(Action::Report(RunEvent::WorkerSpawned { worker, incarnation, pid: 7 })),
    ]
}

fn ready(of: u32, time: u64) -> Vec<TraceRecord<'static>> {
    let (worker, incarnation) = (worker(of), INCARNATION);
    vec![at(time), order(Action::Report(RunEvent::WorkerReady { worker, incarnation, pid: 7 }))]
}

fn exited(of: u32, incarnation: u32, time: u64, exit: ExitStatus, reason: EndReason) -> Vec<TraceRecord<'static>> {
    let event = RunEvent::WorkerExited {
        worker: worker(of),
        incarnation: Incarnation(incarnation),
        pid: 7,
        exit,
        reason,
        item: Some((ItemId(0), ItemFate::Settled)),
        waiting: 0,
        items: 0,
        usage: Usage::default(),
        stderr: None,
    };
    vec![at(time), order(Action::Report(event))]
}

fn settled(of: u32, first: u64, count: u32, outcome: Outcome, in_turn: bool) -> TraceRecord<'static> {
    let settlement = Settlement { worker: Some(worker(of)), outcome, ..Settlement::of_done(ItemId(first), count) };
    order(Action::Settle { settlement, in_turn })
}

const KILLED: ExitStatus = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };

fn part(figures: &RunFigures, part: LifePart) -> Option<Percentiles> {
    let (_, found) = figures.parts.iter().find(|(of, _)| *of == part).unwrap();
    *found
}

/// The count, the median and the largest, in microseconds.
fn in_us(figures: &RunFigures, of: LifePart) -> Option<[u64; 3]> {
    part(figures, of).map(|found| [found.count, found.p50 / 1000, found.max / 1000])
}

/// Two messages of one worker, whose second results are shown later.
fn whole() -> Vec<TraceRecord<'static>> {
    let mut records = started(1, 1, [1, 5]);
    records.extend(ready(1, 8));
    records.extend([arrived(us(10), 0, 5), at(50)]);
    records.extend(given(1, batch(0, 3, 1), [51, 60]));
    records.extend(given(1, batch(3, 2, 1), [61, 64]));
    records.push(answered(1, batch(0, 3, 1), Some([70, 75, 95]), 100));
    records.extend([settled(1, 0, 3, Outcome::Done, true), written(105, 9), written(110, 0)]);
    // In shared memory a message can be read before it is known to be sent.
    records.push(answered(1, batch(3, 2, 1), Some([63, 95, 97]), 120));
    records.extend([settled(1, 3, 2, Outcome::Failed, false), written(125, 0), at(130)]);
    records.push(order(Action::Commit { first: ItemId(3), count: 2 }));
    records.extend([written(150, 0), TraceRecord::End { at: us(200) }]);
    records
}

#[test]
fn each_part_of_a_life_is_counted_exactly() {
    let found = figures(staying(), whole());
    for (of, expected) in [
        (LifePart::InSupervisor, [2, 2, 9]),
        (LifePart::OnTheWay, [2, 0, 10]),
        (LifePart::InWorker, [2, 5, 32]),
        (LifePart::AtWork, [2, 2, 20]),
        (LifePart::WayBack, [2, 5, 23]),
        (LifePart::Message, [2, 49, 59]),
        (LifePart::InQueue, [5, 40, 50]),
        (LifePart::ToOutcome, [5, 90, 110]),
        (LifePart::ToStdout, [5, 10, 30]),
        (LifePart::Hello, [1, 7, 7]),
    ] {
        assert_eq!(in_us(&found, of), Some(expected), "{}", of.name());
    }
    assert_eq!(found.untold().count(), 0);
    assert_eq!(found.duration, Duration(200_000));
    assert_eq!(found.items, ItemCounts { arrived: 5, done: 3, failed: 2, ..ItemCounts::default() });
    let messages = MessageCounts { sent: 2, sent_bytes: 20, received: 2, received_bytes: 40, ..Default::default() };
    assert_eq!(found.messages, Some(messages));
    assert_eq!(found.settled, [(us(100), 3), (us(120), 2)]);
    let slot = &found.slots[0];
    assert_eq!((found.slots.len(), slot.processes, slot.items, slot.restarts, slot.deaths), (1, 1, 5, 0, 0));
    assert_eq!((slot.alive, slot.busy), (Duration(195_000), Some(Duration(22_000))));
    let sizes: Vec<_> = found.batches.iter().map(|batches| (batches.of.name(), batches.sizes.values())).collect();
    assert_eq!(sizes, ["dispatches", "messages", "answers"].map(|name| (name, [2, 3, 3, 3, 3])));
}

#[test]
fn an_answer_to_two_messages_tells_of_the_first_alone_when_it_was_read() {
    let mut records = started(1, 1, [1, 5]);
    records.extend(given(1, batch(0, 3, 1), [51, 60]));
    records.extend(given(1, batch(3, 2, 1), [52, 60]));
    records.extend(given(1, batch(5, 4, 1), [53, 60]));
    records.push(answered(1, batch(0, 5, 1), Some([70, 75, 95]), 100));
    // The other way round: a message that is answered twice.
    records.push(answered(1, batch(5, 1, 1), Some([80, 96, 97]), 110));
    records.push(answered(1, batch(6, 3, 1), Some([80, 97, 99]), 120));
    let found = figures(staying(), records);
    assert_eq!(in_us(&found, LifePart::OnTheWay), Some([2, 10, 20]));
    assert_eq!(in_us(&found, LifePart::InWorker), Some([2, 5, 16]));
    assert_eq!(in_us(&found, LifePart::InSupervisor), Some([3, 8, 9]));
    assert_eq!(in_us(&found, LifePart::Message), Some([3, 49, 67]));
    assert_eq!(in_us(&found, LifePart::AtWork), Some([3, 2, 20]));
    assert_eq!(found.messages.map(|messages| messages.unanswered), Some(0));
}

#[test]
fn a_killed_worker_leaves_a_message_without_an_answer() {
    let mut records = started(1, 1, [0, 10]);
    records.extend(started(2, 1, [10, 10]));
    records.push(arrived(us(20), 0, 2));
    records.extend(given(1, batch(0, 1, 1), [21, 22]));
    records.extend(given(1, batch(1, 1, 1), [21, 22]));
    records.extend(exited(1, 1, 60, KILLED, EndReason::Own));
    let (killed, incarnation) = (worker(1), INCARNATION);
    let kind = CauseKind::Killed(Signal::KILL);
    let cause = Cause { attempt: Attempt::FIRST, worker: Some(killed), pid: Some(7), kind };
    let (item, attempt, delay) = (ItemId(0), Attempt(2), Duration(5_000));
    records.push(order(Action::Report(RunEvent::ItemRetried { item, attempt, delay, cause, shown_item: None })));
    records.push(order(Action::Report(RunEvent::ItemsReturned {
        worker: killed,
        incarnation,
        pid: 7,
        first: ItemId(1),
        count: 1,
        attempt: Attempt::FIRST,
        running: None,
    })));
    records.push(order(Action::Report(RunEvent::WorkerRestarting {
        worker: killed,
        incarnation: Incarnation(2),
        delay: Duration::ZERO,
    })));
    records.extend(started(1, 2, [60, 70]));
    records.extend(given(2, batch(1, 1, 1), [71, 72]));
    records.extend(given(2, batch(0, 1, 2), [71, 73]));
    records.push(answered(2, batch(1, 1, 1), Some([75, 75, 85]), 90));
    records.push(settled(2, 1, 1, Outcome::Done, true));
    records.push(answered(2, batch(0, 1, 2), Some([85, 85, 95]), 100));
    records.push(settled(2, 0, 1, Outcome::Done, true));
    let found = figures(staying(), records);
    let counts = ItemCounts { arrived: 2, done: 2, retried: 1, returned: 1, ..ItemCounts::default() };
    assert_eq!(found.items, counts);
    assert_eq!(found.messages.map(|messages| (messages.sent, messages.unanswered)), Some((4, 2)));
    assert_eq!(in_us(&found, LifePart::InSupervisor).unwrap()[0], 4);
    assert_eq!(in_us(&found, LifePart::Message), Some([2, 19, 29]));
    // 0 and 2 at first; then 10 since the return, and 7 since the delay of the retry has passed.
    assert_eq!(in_us(&found, LifePart::InQueue), Some([4, 2, 10]));
    let slots: Vec<_> = found
        .slots
        .iter()
        .map(|slot| (slot.items, slot.processes, slot.restarts, slot.deaths, slot.alive.0 / 1000))
        .collect();
    assert_eq!(slots, [(0, 2, 1, 1, 80), (2, 1, 0, 0, 90)]);
    assert_eq!(found.slots.iter().map(|slot| slot.busy).collect::<Vec<_>>(), [None, Some(Duration(20_000))]);
}

/// A command per item: done, failed, killed.
#[test]
fn commands_have_processes_and_no_messages() {
    let mut records = vec![arrived(us(5), 0, 3)];
    for (item, exit, time) in [(0, ExitStatus::Code(0), 100), (1, ExitStatus::Code(1), 200), (2, KILLED, 300)] {
        let (worker, incarnation) = (worker(1), Incarnation(item + 1));
        let batch = Some(batch(item.into(), 1, 1));
        records.extend([at(time), order(Action::Spawn { worker, incarnation, batch })]);
        records.extend([at(time + 4), order(Action::Report(RunEvent::WorkerSpawned { worker, incarnation, pid: 7 }))]);
        records.extend(exited(1, item + 1, time + 4 + u64::from(item) * 10, exit, EndReason::Own));
        records.push(settled(1, item.into(), 1, Outcome::Done, true));
    }
    let found = figures(TraceHeader { transport: None, ..header() }, records);
    assert_eq!(in_us(&found, LifePart::InQueue), Some([3, 195, 295]));
    assert_eq!(in_us(&found, LifePart::Start), Some([3, 4, 4]));
    assert_eq!(in_us(&found, LifePart::Command), Some([3, 10, 20]));
    let names: Vec<_> = found.parts.iter().map(|(part, _)| part.name()).collect();
    assert_eq!(names, ["in_queue", "to_outcome", "to_stdout", "start", "command"]);
    assert_eq!(found.untold().collect::<Vec<_>>(), [LifePart::ToStdout]);
    assert_eq!((found.messages, found.batches.len()), (None, 0));
    let slot = &found.slots[0];
    assert_eq!((slot.processes, slot.items, slot.deaths, slot.busy), (3, 3, 1, None));
    assert_eq!(slot.alive, Duration(30_000));
}

#[test]
fn what_workers_do_not_tell_is_not_known() {
    let mut records = started(1, 1, [1, 5]);
    records.extend(given(1, batch(0, 1, 1), [10, 12]));
    records.push(answered(1, batch(0, 1, 1), None, 20));
    let found = figures(TraceHeader { traces_items: true, ..staying() }, records);
    let untold: Vec<_> = found.untold().map(LifePart::name).collect();
    let all = "on_the_way in_worker at_work way_back in_queue item_at_work to_outcome to_stdout hello";
    assert_eq!(untold.join(" "), all);
    assert_eq!(in_us(&found, LifePart::InSupervisor), Some([1, 2, 2]));
    assert_eq!(in_us(&found, LifePart::Message), Some([1, 10, 10]));
    assert_eq!((found.slots[0].busy, found.slots[0].busy_share()), (None, None));
    assert_eq!(found.messages.map(|messages| messages.without_times), Some(1));
    let shown = text::text(&found, 80);
    for part in ["1 of 1 answer has no times of the worker's work.", "how long they worked is not told"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn the_times_of_items_are_counted_where_they_are_recorded() {
    let times = [3, 1, 2].map(|took| (us(10), Duration(took * 1000))).to_vec();
    let (worker, incarnation, first, attempt) = (worker(1), INCARNATION, ItemId(0), Attempt::FIRST);
    let times = TracedTimes { worker, incarnation, first, attempt, times };
    let found = figures(TraceHeader { traces_items: true, ..staying() }, [TraceRecord::Times(Cow::Owned(times))]);
    assert_eq!(in_us(&found, LifePart::ItemAtWork), Some([3, 2, 3]));
}

fn json_of(figures: &RunFigures) -> serde_json::Value {
    let mut out = Vec::new();
    stats_json::write(&mut out, figures).unwrap();
    assert!(out.ends_with(b"}\n"));
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn an_empty_trace_has_no_numbers_and_says_so() {
    for header in [staying(), header()] {
        let found = figures(header, []);
        assert!(found.parts.iter().all(|(_, found)| found.is_none()));
        assert_eq!((found.throughput(9).items.len(), found.items_per_second(), found.slots.len()), (0, None, 0));
        let shown = text::text(&found, 80);
        assert!(shown.contains("0 arrived") && shown.contains("Not told by this trace: "), "{shown}");
        let object = json_of(&found);
        assert_eq!(object["durations"], json!({}));
        assert_eq!(object["unknown"].as_array().map(Vec::len), Some(found.parts.len()));
    }
}

#[test]
fn a_damaged_trace_makes_no_nonsense() {
    let most = u64::MAX;
    let mut records = exited(1, 9, 5, KILLED, EndReason::Own);
    records.extend(ready(2, 6));
    records.push(settled(3, most, u32::MAX, Outcome::Skipped, false));
    records.push(answered(4, batch(most, u32::MAX, 1), Some([9, 3, 1]), 2));
    records.extend(given(4, batch(most - 3, u32::MAX, 1), [9, 3]));
    records.extend(given(4, batch(0, 0, 1), [9, 3]));
    records.push(answered(4, batch(most - 9, 8, 1), Some([9, 3, 1]), 2));
    records.push(order(Action::Commit { first: ItemId(0), count: u32::MAX }));
    records.extend([
        TraceRecord::Dropped { records: most },
        TraceRecord::Dropped { records: most },
        TraceRecord::Written { at: Instant(most), waiting_bytes: 0 },
    ]);
    let found = figures(TraceHeader { workers_run: "a\x1b[1mb".to_owned(), ..staying() }, records);
    assert!(text::text(&found, 80).starts_with("Ran       a\\u{1b}[1mb: 2 workers"));
    assert_eq!((found.items.skipped, found.items.without_outcome()), (u64::from(u32::MAX), 0));
    assert_eq!((found.dropped, found.duration), (most, Duration(most)));
    assert_eq!(found.messages.map(|messages| messages.unanswered), Some(2));
    for columns in [0, 40, 80, 1000] {
        let shown = text::text(&found, columns);
        assert!(shown.lines().all(|line| line.chars().count() <= columns.max(40)), "{shown}");
    }
    json_of(&found);
}

#[test]
fn the_numbers_as_text() {
    let mut found = figures(staying(), whole());
    found.cut = Some("the trace is damaged at byte 9".to_owned());
    snapbox::assert_data_eq!(
        text::text(&found, 80),
        str![[r#"
Ran       the worker: 2 workers, over pipe
Started   2026-11-27T10:31:33Z, by supervisor 0 (pid 100)
Took      200 us
Items     5 arrived: 3 done, 2 failed
Messages  2 to workers (20 B), 2 answers (40 B)
Missing   the trace is damaged at byte 9

Items over time, in intervals of 20 us; 25000 a second in all
       0  0
   20 us  0
   40 us  0
   60 us  0
   80 us  0
  100 us  3  ########################################
  120 us  2  ###########################
  140 us  0
  160 us  0
  180 us  0

How long it took: percentiles
Message            count      50%      90%      99%    99.9%      max
  in supervisor        2   2.0 us   9.0 us   9.0 us   9.0 us   9.0 us
  on the way           2        0    10 us    10 us    10 us    10 us
  in worker            2   5.0 us    32 us    32 us    32 us    32 us
  at work              2   2.0 us    20 us    20 us    20 us    20 us
  on the way back      2   5.0 us    23 us    23 us    23 us    23 us
  in all               2    49 us    59 us    59 us    59 us    59 us
Item               count      50%      90%      99%    99.9%      max
  in the queue         5    40 us    50 us    50 us    50 us    50 us
  to its outcome       5    90 us   110 us   110 us   110 us   110 us
  then to stdout       5    10 us    30 us    30 us    30 us    30 us
Process            count      50%      90%      99%    99.9%      max
  order to hello       1   7.0 us   7.0 us   7.0 us   7.0 us   7.0 us

Worker   items   alive   busy   restarts   died
     1       5     98%    11%          0      0
alive: of the run, with a process; busy: of that, at work by the worker's own
  clock

Items in each  count      50%      90%      99%    99.9%      max
  dispatches       2        2        3        3        3        3
  messages         2        2        3        3        3        3
  answers          2        2        3        3        3        3

"#]]
    );
    snapbox::assert_data_eq!(
        text::text(&found, 40),
        str![[r#"
Ran       the worker: 2 workers, over
          pipe
Started   2026-11-27T10:31:33Z, by
          supervisor 0 (pid 100)
Took      200 us
Items     5 arrived: 3 done, 2 failed
Messages  2 to workers (20 B), 2 answers
          (40 B)
Missing   the trace is damaged at byte 9

Items over time, in intervals of 20 us;
25000 a second in all
       0  0
   20 us  0
   40 us  0
   60 us  0
   80 us  0
  100 us  3  ###########################
  120 us  2  ##################
  140 us  0
  160 us  0
  180 us  0

How long it took: percentiles
Message
    50%    90%    99%  99.9%    max
  in supervisor: 2
 2.0 us 9.0 us 9.0 us 9.0 us 9.0 us
  on the way: 2
      0  10 us  10 us  10 us  10 us
  in worker: 2
 5.0 us  32 us  32 us  32 us  32 us
  at work: 2
 2.0 us  20 us  20 us  20 us  20 us
  on the way back: 2
 5.0 us  23 us  23 us  23 us  23 us
  in all: 2
  49 us  59 us  59 us  59 us  59 us
Item
    50%    90%    99%  99.9%    max
  in the queue: 5
  40 us  50 us  50 us  50 us  50 us
  to its outcome: 5
  90 us 110 us 110 us 110 us 110 us
  then to stdout: 5
  10 us  30 us  30 us  30 us  30 us
Process
    50%    90%    99%  99.9%    max
  order to hello: 1
 7.0 us 7.0 us 7.0 us 7.0 us 7.0 us

Worker items alive busy restarts died
     1     5   98%  11%        0    0
alive: of the run, with a process; busy:
  of that, at work by the worker's own
  clock

Items in each
   50%   90%   99% 99.9%   max
  dispatches: 2
     2     3     3     3     3
  messages: 2
     2     3     3     3     3
  answers: 2
     2     3     3     3     3

"#]]
    );
}

#[test]
fn the_numbers_as_json() {
    let object = json_of(&figures(staying(), whole()));
    let names = |object: &serde_json::Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(names(&object), "batches durations items messages missing run throughput unknown workers");
    let durations = "at_work hello in_queue in_supervisor in_worker message on_the_way to_outcome to_stdout way_back";
    assert_eq!(names(&object["durations"]), durations);
    assert_eq!(
        (object["throughput"]["items"][50].as_u64(), object["throughput"]["items"][60].as_u64()),
        (Some(3), Some(2))
    );
    for (part, expected) in [
        (
            &object["run"],
            json!({
                "id": "run", "version": "0", "pid": 100, "started": "2026-11-27T10:31:33Z", "duration": 0.0002,
                "command": "the worker", "transport": "pipe", "workers": 2,
            }),
        ),
        (
            &object["items"],
            json!({
                "arrived": 5, "restored": 0, "done": 3, "failed": 2, "dead": 0, "skipped": 0, "without_outcome": 0,
                "retried": 0, "returned": 0,
            }),
        ),
        (
            &object["messages"],
            json!({
                "sent": 2, "sent_bytes": 20, "received": 2, "received_bytes": 40, "unanswered": 0, "without_times": 0,
            }),
        ),
        (
            &object["durations"]["message"],
            json!({ "count": 2, "p50": 49e-6, "p90": 59e-6, "p99": 59e-6, "p99_9": 59e-6, "max": 59e-6 }),
        ),
        (
            &object["batches"]["messages"],
            json!({
                "count": 2, "p50": 2, "p90": 3, "p99": 3, "p99_9": 3, "max": 3,
                "histogram": [{ "from": 2, "to": 3, "count": 2 }],
            }),
        ),
        (
            &object["workers"],
            json!([{
                "worker": 1, "processes": 1, "items": 5, "alive": 195e-6, "busy": 22e-6, "busy_share": 22e-6 / 195e-6,
                "restarts": 0, "deaths": 0,
            }]),
        ),
        (&object["throughput"]["interval"], json!(2e-6)),
        (&object["throughput"]["per_second"], json!(25000.0)),
        (&object["unknown"], json!([])),
        (&object["missing"], json!({ "dropped": 0 })),
    ] {
        assert_eq!(*part, expected);
    }
}
