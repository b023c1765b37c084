//! Histories for tests, made by hand.

use super::history::{History, HistoryBuilder};
use super::record::{TraceHeader, TraceRecord};
use crate::core::action::Action;
use crate::core::input::Input;
use crate::core::reason::{Amount, Choice, Reason, WaitReason};
use crate::model::config::Config;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::model::time::Instant;
use crate::trace::frame::{Direction, FrameKind, TracedFrame, WorkTimes};
use std::borrow::Cow;

pub const INCARNATION: Incarnation = Incarnation(1);

pub fn worker(number: u32) -> WorkerId {
    WorkerId::try_from(number).unwrap()
}

pub const fn us(us: u64) -> Instant {
    Instant(us * 1000)
}

pub const fn batch(first: u64, count: u32, attempt: u32) -> Batch {
    Batch { first: ItemId(first), count, attempt: Attempt(attempt) }
}

pub fn header() -> TraceHeader {
    TraceHeader {
        program_version: "0".to_owned(),
        run_id: "run".to_owned(),
        started_unix_ns: 0,
        pid: 100,
        command_line: "supervisor -w 2".to_owned(),
        workers_run: "a worker".to_owned(),
        transport: Some("pipe".to_owned()),
        traces_items: false,
        common_fds: Vec::new(),
        policy: Config::builder().command(["true"]).items(["a"]).workers(2).build().unwrap().policy,
    }
}

pub fn fact(at: Instant, input: Input) -> TraceRecord<'static> {
    TraceRecord::Fact { at, input: Cow::Owned(input) }
}

pub const fn order(action: Action) -> TraceRecord<'static> {
    TraceRecord::Order(Cow::Owned(action))
}

pub const fn waits(reason: WaitReason) -> TraceRecord<'static> {
    order(Action::Because(Reason::Waits(reason)))
}

pub fn arrived(at: Instant, first: u64, count: u32) -> TraceRecord<'static> {
    fact(at, Input::BatchArrived { first: ItemId(first), count, priority: 0 })
}

/// Items are given to a worker, and their frame passes: `queued` and `sent`.
pub fn given(of: u32, batch: Batch, [queued, sent]: [u64; 2]) -> Vec<TraceRecord<'static>> {
    let (worker, incarnation) = (worker(of), INCARNATION);
    let choice = Choice::Idle { idle: 2 };
    let frame = TracedFrame {
        direction: Direction::ToWorker,
        kind: FrameKind::Items,
        worker,
        incarnation,
        batch: Some(batch),
        body_bytes: 10,
        queued: us(queued),
        passed: us(sent),
        work: None,
    };
    vec![
        order(Action::Because(Reason::Dispatch { choice, amount: Amount::Credit, queued: 5 })),
        order(Action::Dispatch { worker, incarnation, batch }),
        TraceRecord::Frame(frame),
    ]
}

/// An answer passes: when the items were taken, begun, finished, and when the answer was read.
pub fn answered(of: u32, batch: Batch, times: Option<[u64; 3]>, read: u64) -> TraceRecord<'static> {
    TraceRecord::Frame(TracedFrame {
        direction: Direction::FromWorker,
        kind: FrameKind::Results,
        worker: worker(of),
        incarnation: INCARNATION,
        batch: Some(batch),
        body_bytes: 20,
        queued: us(read),
        passed: us(read),
        work: times.map(|[taken, began, finished]| WorkTimes {
            taken: us(taken),
            began: us(began),
            finished: us(finished),
        }),
    })
}

pub fn history(header: TraceHeader, records: impl IntoIterator<Item = TraceRecord<'static>>) -> History {
    let mut builder = HistoryBuilder::new(header);
    records.into_iter().for_each(|record| builder.take(&record));
    builder.finish()
}
