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
pub const FORMAT_VERSION: u16 = 1;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = MAGIC.len() + 2;

/// The kind of every record of a trace.
pub const KIND: u8 = b'T';

/// Most bytes of an item that are recorded.
pub const ITEM_START_BYTES_MAX: usize = 64;

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
