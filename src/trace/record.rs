//! What a trace file holds, on one page: a [`TraceHeader`], then [`TraceRecord`]s in the order in which things happened.
//!
//! Each is a record of `wire/record.rs` with the kind [`KIND`]; the payload is postcard's encoding of the types here and
//! of those that they name. So a change of `core/input.rs`, `core/action.rs` or of the model's events changes the format:
//! raise [`FORMAT_VERSION`] then. A test tells.

use super::frame::TracedFrame;
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::ids::{Attempt, Incarnation, ItemId, WorkerId};
use crate::model::spec::Policy;
use crate::model::time::{Duration, Instant};
use crate::wire::record;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The first bytes of a trace.
pub const MAGIC: [u8; 8] = *b"SVTRACE\n";

/// Follows the magic, as a little-endian u16. A reader takes this version alone.
pub const FORMAT_VERSION: u16 = 2;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = MAGIC.len() + 2;

/// The kind of every record of a trace.
pub const KIND: u8 = b'T';

/// Most bytes of an item that are recorded.
pub const ITEM_START_BYTES_MAX: usize = 64;

/// Most bytes of a command line that are recorded.
pub const COMMAND_LINE_BYTES_MAX: usize = 4096;

/// The first record: the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceHeader {
    /// Of the program that wrote the trace.
    pub program_version: String,
    pub run_id: String,
    /// Nanoseconds of the run's start since 1970.
    pub started_unix_ns: u64,
    /// The supervisor's.
    pub pid: u32,
    /// How the supervisor's process was started, as one types it in a shell; at most [`COMMAND_LINE_BYTES_MAX`], of which
    /// the last three are `...` where words are left out. Of the environment it holds nothing.
    pub command_line: String,
    /// What was started, for people.
    pub workers_run: String,
    /// How frames travel; `None` for commands, which are started with their item.
    pub transport: Option<String>,
    /// The times of each item are recorded.
    pub traces_items: bool,
    /// Descriptors that every process is given: the number, and what it is.
    pub common_fds: Vec<(i32, String)>,
    /// What the core decides by.
    pub policy: Policy,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TraceRecord<'a> {
    Header(Box<TraceHeader>),
    /// The core was told a fact. The orders that follow are what it decided.
    Fact {
        at: Instant,
        input: Cow<'a, Input>,
    },
    /// The core was told that deadlines up to `until` have passed.
    Deadlines {
        until: Instant,
    },
    /// The core gave an order.
    Order(Cow<'a, Action>),
    /// A frame passed.
    Frame(TracedFrame),
    /// When items began and how long they took, by the worker's clock.
    Times(Cow<'a, TracedTimes>),
    /// A process was started with these descriptors.
    Started(Cow<'a, TracedStart>),
    /// The beginnings of items that have arrived, the first one's and those that follow it.
    Texts {
        first: ItemId,
        starts: Cow<'a, [Vec<u8>]>,
    },
    /// stdout took what it takes at the moment; so many bytes still wait for it.
    Written {
        at: Instant,
        waiting_bytes: u64,
    },
    /// Here so many records are missing: the disk did not take them in time, or not at all.
    Dropped {
        records: u64,
    },
    /// The run has ended, and nothing follows.
    End {
        at: Instant,
    },
}

/// The times of consecutive items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedTimes {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub first: ItemId,
    pub attempt: Attempt,
    /// When each began, and how long it took.
    pub times: Vec<(Instant, Duration)>,
}

/// A process that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedStart {
    pub at: Instant,
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub pid: u32,
    /// The number of each descriptor that it alone was given, and what it is.
    pub fds: Vec<(i32, String)>,
}

impl TraceRecord<'_> {
    /// Appends it to the bytes of a file.
    ///
    /// # Errors
    /// It cannot be encoded; nothing was appended.
    pub fn append_to(&self, out: &mut Vec<u8>) -> Result<(), postcard::Error> {
        record::append(out, KIND, |out| {
            let start = out.len();
            postcard::to_extend(self, Appender(out))?;
            // A reader takes no larger one.
            let fits = out.len() - start <= record::PAYLOAD_BYTES_MAX;
            fits.then_some(()).ok_or(postcard::Error::SerializeBufferFull)
        })
    }

    /// Whether a trace can be run again without it.
    #[must_use]
    pub const fn is_detail(&self) -> bool {
        !matches!(
            self,
            Self::Header(_) | Self::Fact { .. } | Self::Deadlines { .. } | Self::Order(_) | Self::Dropped { .. }
        )
    }
}

/// The end of a buffer.
struct Appender<'a>(&'a mut Vec<u8>);

impl Extend<u8> for Appender<'_> {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        self.0.extend(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Direction, FrameKind, WorkTimes};
    use super::super::reader::TraceReader;
    use super::*;
    use crate::core::Core;
    use crate::core::input::{Relief, SpawnFailure};
    use crate::model::builder::{ConfigBuilder, Host};
    use crate::model::command::{Command, Origin};
    use crate::model::exit::{ExitStatus, Usage};
    use crate::model::ids::Batch;
    use crate::model::outcome::{FailReason, RetryHint};
    use crate::model::signal::Signal;

    /// A core's life in which most of the vocabulary occurs.
    fn records() -> Vec<TraceRecord<'static>> {
        let host = Host { cores: 2, cores_why: None, seed: 7, run_id: "run".to_owned() };
        let builder =
            ConfigBuilder::new(host).generate(4).workers(2).retries(1).crash_limit(1).timeout(Duration(1_000));
        let policy = Policy { explains: true, ..builder.build().unwrap().policy };
        let mut core = Core::new(policy.clone());
        let (incarnation, attempt) = (Incarnation(1), Attempt::FIRST);
        let [one, two] = [0, 1].map(WorkerId::from_index);
        let killed = ExitStatus::Signal { signal: Signal::KILL, core_dumped: false };
        let usage = Usage { user_us: 1, system_us: 2, rss_max_kib: 3, ..Usage::default() };
        let signal = Origin::Signal { signal: Signal::INT, sender_pid: Some(9) };
        let error = SpawnFailure::Shortage("spawn".to_owned());
        let facts = [
            Input::Start,
            Input::Spawned { worker: one, incarnation, pid: 41 },
            Input::SpawnFailed { worker: two, incarnation, error },
            Input::Hello { worker: one, incarnation },
            Input::BatchArrived { first: ItemId(0), count: 4, priority: 0 },
            Input::Failed {
                worker: one,
                incarnation,
                item: ItemId(0),
                attempt,
                reason: FailReason::Exited(3),
                hint: RetryHint::Default,
            },
            Input::Settled { worker: one, incarnation, first: ItemId(1), count: 1, attempt, busy_ns: 5 },
            Input::Exited { worker: one, incarnation, status: killed, usage, running: Some(ItemId(2)) },
            Input::Congested { congested: true },
            Input::StartsPermitted { count: Some(2) },
            Input::Relief(Relief::Run { count: 1 }),
            Input::SourceEnded,
            Input::Command { command: Command::Stop, origin: signal },
            Input::Command { command: Command::Kill, origin: Origin::Caller },
        ];
        let header = TraceHeader {
            program_version: "0".to_owned(),
            run_id: "run".to_owned(),
            started_unix_ns: 1,
            pid: 40,
            command_line: "supervisor -w 2".to_owned(),
            workers_run: "a worker".to_owned(),
            transport: Some("pipe".to_owned()),
            traces_items: true,
            common_fds: vec![(0, "/dev/null".to_owned())],
            policy,
        };
        let mut records = vec![TraceRecord::Header(Box::new(header))];
        for (at, input) in (1..).zip(facts) {
            let at = Instant(at * 100);
            core.handle(input.clone(), at);
            records.push(TraceRecord::Fact { at, input: Cow::Owned(input) });
            while let Some(action) = core.poll_action() {
                records.push(TraceRecord::Order(Cow::Owned(action)));
            }
        }
        let work = Some(WorkTimes { taken: Instant(1), began: Instant(2), finished: Instant(3) });
        let (direction, kind, queued) = (Direction::FromWorker, FrameKind::Results, Instant(4));
        let batch = Some(Batch::of_one(ItemId(1), attempt));
        let times = vec![(Instant(2), Duration(1))];
        records.extend([
            TraceRecord::Deadlines { until: Instant(5) },
            TraceRecord::Frame(TracedFrame {
                direction,
                kind,
                worker: one,
                incarnation,
                batch,
                body_bytes: 2,
                queued,
                passed: queued,
                work,
            }),
            TraceRecord::Times(Cow::Owned(TracedTimes { worker: one, incarnation, first: ItemId(1), attempt, times })),
            TraceRecord::Started(Cow::Owned(TracedStart {
                at: Instant(6),
                worker: one,
                incarnation,
                pid: 41,
                fds: vec![(3, "items".to_owned())],
            })),
            TraceRecord::Texts { first: ItemId(0), starts: Cow::Owned(vec![b"a".to_vec()]) },
            TraceRecord::Written { at: Instant(7), waiting_bytes: 8 },
            TraceRecord::Dropped { records: 9 },
            TraceRecord::End { at: Instant(10) },
        ]);
        records
    }

    /// Every record comes back, and the bytes are those of [`FORMAT_VERSION`]: if this fails, raise the version, and then
    /// change the checksum here.
    #[test]
    fn records_come_back_and_their_format_has_this_version() {
        let records = records();
        let mut bytes = [&MAGIC[..], &FORMAT_VERSION.to_le_bytes()].concat();
        records.iter().for_each(|record| record.append_to(&mut bytes).unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let mut reader = TraceReader::open(file.path()).unwrap();
        let mut read = vec![TraceRecord::Header(Box::new(reader.header().clone()))];
        while let Some(record) = reader.next().unwrap() {
            read.push(record);
        }
        assert_eq!((reader.cut(), read == records), (None, true));
        assert_eq!((FORMAT_VERSION, crc32c::crc32c(&bytes)), (2, 110_492_167));
    }
}
