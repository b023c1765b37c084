//! The link to one resident worker: a channel, which carries bytes, and a protocol, which makes messages of them.
//!
//! A read brings facts and, for those about finished items, where their results are. Nothing is handed to the core while
//! a channel is being read. Results stay in the link's buffers until its next read, large ones in the spill file.
//!
//! Invariant: every frame in either direction passes through this file. A message that breaks the protocol ends the
//! reading of the link for ever.

use super::super::super::answer::{Answer, Reply, ResidentReply, ResultPlace};
use super::super::super::turn::Turn;
use super::batches::{Gathered, Stretch};
use super::throttling::SHORT_READ_BYTES;
use crate::core::input::Input;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{FailReason, RetryHint};
use crate::model::time::{Duration, Instant};
use crate::mutant::mutant;
use crate::protocol::{Outgoing, Protocol, Received};
use crate::reporter::{Content, ItemTime};
use crate::sys::block::BlockSlice;
use crate::sys::spill::{Filling, SpillFile};
use crate::trace::frame::{Direction, FrameKind, TracedFrame, WorkTimes};
use crate::trace::record::TracedTimes;
use crate::transport::{Channel, ChannelError, Fill, Flush};
use crate::wire::message::FromWorker;
use crate::wire::times;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Bytes read from the channel of a worker that has ended: more than any channel holds. What another process goes on
/// writing into it is left unread.
const DRAIN_BYTES_MAX: usize = 4 << 20;

/// The worker that a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerIncarnation {
    pub worker: WorkerId,
    pub incarnation: Incarnation,
}

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes.
    Bytes(usize),
    /// Nothing at the moment.
    Blocked,
    /// Nothing, and nothing will come.
    Finished,
}

/// A link.
pub struct Link {
    peer: WorkerIncarnation,
    channel: Box<dyn Channel>,
    protocol: Protocol,
    spill: Arc<SpillFile>,
    /// The large result that is arriving.
    large: Option<Filling>,
    gathered: Gathered,
    /// Times of items, of the last read.
    times: Vec<ItemTime>,
    /// With a trace: frames that are queued and not written.
    queued: VecDeque<TracedFrame>,
    /// With a trace: what the worker says of its work on the items of its next frame.
    work: Option<WorkTimes>,
    reading: Reading,
    /// Since when a worker that answers each line with a line owes one.
    unanswered_since: Option<Instant>,
    /// How many polls in a row found nothing.
    pub quiet_polls: u32,
}

/// How far the reading of a link has come.
#[derive(Default)]
struct Reading {
    /// Nothing more is read.
    finished: bool,
    /// The worker broke the protocol: nothing that it left behind counts.
    broken: bool,
    /// Bytes read since the worker has ended.
    drained_bytes: usize,
    /// What the worker had not sent was taken over.
    recovered: bool,
    /// How many reads in a row were short.
    short_reads: u32,
    /// The last read has brought a whole line of a protocol of text.
    answered_by_line: bool,
}

impl Link {
    pub fn new(peer: WorkerIncarnation, channel: Box<dyn Channel>, protocol: Protocol, spill: Arc<SpillFile>) -> Self {
        Self {
            peer,
            channel,
            protocol,
            spill,
            large: None,
            gathered: Gathered::default(),
            times: Vec::new(),
            queued: VecDeque::new(),
            work: None,
            reading: Reading::default(),
            unanswered_since: None,
            quiet_polls: 0,
        }
    }

    /// For the poll set and for busy polling.
    pub fn channel(&mut self) -> &mut dyn Channel {
        &mut *self.channel
    }

    pub const fn is_greeted(&self) -> bool {
        self.protocol.is_greeted()
    }

    pub const fn is_finished(&self) -> bool {
        self.reading.finished
    }

    /// The item that the worker said it is at.
    pub fn named(&self) -> Option<ItemId> {
        self.protocol.named()
    }

    /// That item, and the share of it that is done.
    pub const fn progress(&self) -> Option<(ItemId, f64)> {
        self.protocol.progress()
    }

    /// Since when a worker that answers each line with a line owes one.
    pub const fn unanswered_since(&self) -> Option<Instant> {
        self.unanswered_since
    }

    /// How many reads in a row were short.
    pub const fn short_reads(&self) -> u32 {
        self.reading.short_reads
    }

    /// Reads once, and appends the facts that came.
    pub fn read(&mut self, turn: &mut Turn) -> Read {
        if self.reading.finished {
            return Read::Finished;
        }
        self.gathered.clear();
        self.times.clear();
        let filled = self.channel.fill(self.protocol.incoming());
        let received = self.receive_all(turn);
        let short = matches!(filled, Ok(Fill::Bytes(bytes)) if bytes < SHORT_READ_BYTES);
        // A program writes its lines in parts of any size: what has brought an answer is no trickle.
        let short = short && self.protocol.is_within_message() && !self.reading.answered_by_line;
        self.reading.short_reads = if short { self.reading.short_reads.saturating_add(1) } else { 0 };
        let WorkerIncarnation { worker, incarnation } = self.peer;
        let last = match (received, filled) {
            (Err(fact), _) => {
                self.reading.broken = true;
                fact
            }
            (Ok(()), Ok(Fill::Bytes(bytes))) => return Read::Bytes(bytes),
            (Ok(()), Ok(Fill::Blocked)) if mutant!(BlockedReadIsEnd, true, false) => return Read::Blocked,
            (Ok(()), Ok(Fill::Closed | Fill::Blocked) | Err(ChannelError::System(_))) => {
                Input::ChannelClosed { worker, incarnation }
            }
            (Ok(()), Err(error)) => {
                self.reading.broken = true;
                refusal(self.peer, &error)
            }
        };
        self.reading.finished = true;
        turn.report(last);
        Read::Finished
    }

    /// Reads on after the worker has ended, and then takes over what it had finished and not sent. What was complete
    /// before the death counts. `false`: nothing more is taken.
    pub fn drain(&mut self, turn: &mut Turn) -> bool {
        let facts_before = turn.facts.len();
        if self.reading.drained_bytes <= DRAIN_BYTES_MAX
            && let Read::Bytes(bytes) = self.read(turn)
        {
            self.reading.drained_bytes += bytes;
            return true;
        }
        // `recover` would overwrite the bytes that these facts refer to.
        if turn.facts.len() > facts_before {
            return true;
        }
        if self.reading.broken
            || std::mem::replace(&mut self.reading.recovered, true)
            || self.protocol.is_within_message()
        {
            return false;
        }
        self.gathered.clear();
        self.times.clear();
        if mutant!(RecoverForgotten, self.channel.recover(self.protocol.incoming()), 0) == 0 {
            return false;
        }
        if let Err(fact) = self.receive_all(turn) {
            self.reading.broken = true;
            turn.report(fact);
        }
        true
    }

    fn receive_all(&mut self, turn: &mut Turn) -> Result<(), Input> {
        let received = self.receive(turn);
        self.report_gathered(turn);
        let answered = self.protocol.take_answered();
        self.channel.answered(answered);
        self.reading.answered_by_line = answered > 0 && self.protocol.is_text();
        if answered > 0 && self.unanswered_since.is_some() {
            self.unanswered_since = self.protocol.awaits_line().then_some(turn.now);
        }
        received
    }

    /// Appends a fact for each message that has arrived. The error is the fact that ends the reading.
    fn receive(&mut self, turn: &mut Turn) -> Result<(), Input> {
        let WorkerIncarnation { worker, incarnation } = self.peer;
        let base = self.protocol.incoming().address();
        loop {
            let next = self.protocol.next();
            let Some(received) = next.map_err(|error| broken(self.peer, &error.to_string()))? else { return Ok(()) };
            if turn.trace.is_on() {
                trace_received(&mut self.work, self.peer, &received, turn);
            }
            // There may be one of these for each tiny item, so this case is tested first.
            if let Received::Message(FromWorker::Done { first, count, attempt, busy_ns, timed }, body) = received {
                let batch = Batch { first: ItemId(first), count, attempt: Attempt(attempt) };
                let (times, results) = split_times(&mut self.times, body, count, timed, turn);
                let place = range_in(base, results);
                let is_gathered = self.gathered.take(batch, busy_ns, results, times.as_ref());
                self.trace_times(batch, times.as_ref(), turn);
                if !is_gathered {
                    self.report_gathered(turn);
                    self.settled(batch, busy_ns, ResultPlace::Read(place), times, turn);
                }
                continue;
            }
            match received {
                Received::Ready | Received::Message(FromWorker::Hello { .. }, _) => turn.report(hello(self.peer)),
                // For a trace alone; `Done` was taken above.
                Received::Message(FromWorker::Work { .. } | FromWorker::Done { .. }, _) => {}
                Received::Message(FromWorker::Failed { item, attempt, panicked, timed }, body) => {
                    let (times, text) = split_times(&mut self.times, body, 1, timed, turn);
                    let failed = Batch::of_one(ItemId(item), Attempt(attempt));
                    let reason = fail_reason(text, panicked);
                    self.trace_times(failed, times.as_ref(), turn);
                    self.report_gathered(turn);
                    self.failed(failed, reason, RetryHint::Default, times, turn);
                }
                Received::Failure { item, attempt, hint, reason } => {
                    let reason = fail_reason(reason, false);
                    self.report_gathered(turn);
                    self.failed(Batch::of_one(item, attempt), reason, hint, None, turn);
                }
                Received::Log(text) => turn.notice(&format!("worker {worker}: {}", String::from_utf8_lossy(text))),
                Received::LargeBegins { message, result_bytes } => {
                    let FromWorker::Done { first, attempt, .. } = message else { continue };
                    let filling = self.spill.fill(result_bytes);
                    self.large = Some(filling.map_err(|error| not_kept(&self.spill, &error))?);
                    self.report_gathered(turn);
                    let (item, attempt) = (ItemId(first), Attempt(attempt));
                    turn.report(Input::ResultBegins { worker, incarnation, item, attempt });
                }
                Received::LargeBytes(bytes) => {
                    if let Some(large) = &mut self.large {
                        large.push(bytes).map_err(|error| not_kept(&self.spill, &error))?;
                    }
                }
                Received::LargeEnds { message, times } => {
                    let FromWorker::Done { first, count, attempt, busy_ns, timed } = message else { continue };
                    let (times, _) = split_times(&mut self.times, &times, 1, timed, turn);
                    let batch = Batch { first: ItemId(first), count, attempt: Attempt(attempt) };
                    self.trace_times(batch, times.as_ref(), turn);
                    let place = self.large.take().map_or(ResultPlace::Nowhere, |large| ResultPlace::File(large.take()));
                    self.settled(batch, busy_ns, place, times, turn);
                }
            }
        }
    }

    /// Records when items began and how long they took, if each item is recorded.
    fn trace_times(&self, batch: Batch, times: Option<&Range<usize>>, turn: &mut Turn) {
        let WorkerIncarnation { worker, incarnation } = self.peer;
        let Batch { first, attempt, .. } = batch;
        if turn.trace.traces_items()
            && let Some(times) = times.and_then(|range| self.times.get(range.clone()))
        {
            let times = times.iter().map(|time| (time.started, time.runtime)).collect();
            turn.trace.times(TracedTimes { worker, incarnation, first, attempt, times });
        }
    }

    fn report_gathered(&mut self, turn: &mut Turn) {
        if let Some(Stretch { batch, busy_ns, results, times }) = self.gathered.end() {
            self.settled(batch, busy_ns, ResultPlace::Gathered(results), times, turn);
        }
    }

    fn settled(&self, batch: Batch, busy_ns: u64, place: ResultPlace, times: Option<Range<usize>>, turn: &mut Turn) {
        let WorkerIncarnation { worker, incarnation } = self.peer;
        let Batch { first, count, attempt } = batch;
        let index = worker.index();
        let reply = ResidentReply { index, first, count, place, times, of_failure: false };
        let fact = Input::Settled { worker, incarnation, first, count, attempt, busy_ns };
        turn.report_with(fact, Reply::Resident(reply));
    }

    fn failed(&self, failed: Batch, reason: FailReason, hint: RetryHint, times: Option<Range<usize>>, turn: &mut Turn) {
        let WorkerIncarnation { worker, incarnation } = self.peer;
        let (index, item, attempt) = (worker.index(), failed.first, failed.attempt);
        let reply =
            ResidentReply { index, first: item, count: 1, place: ResultPlace::Nowhere, times, of_failure: true };
        let fact = Input::Failed { worker, incarnation, item, attempt, reason, hint };
        turn.report_with(fact, Reply::Resident(reply));
    }

    /// The results of a fact of the last read.
    pub fn answer<'a>(&'a self, reply: &'a mut ResidentReply) -> Answer<'a> {
        let times = reply.times.clone().and_then(|range| self.times.get(range));
        let results = match &mut reply.place {
            ResultPlace::Read(range) => Content::in_memory(self.protocol.arrived(range)),
            ResultPlace::Gathered(range) => Content::in_memory(self.gathered.results(range)),
            ResultPlace::File(content) => Content { spilled: std::mem::take(content), ..Content::default() },
            ResultPlace::Nowhere => Content::default(),
        };
        Answer {
            first: reply.first,
            count: reply.count,
            results,
            errors: Content::default(),
            times,
            exit: None,
            of_failures: reply.of_failure,
        }
    }

    /// Queues a batch for the worker. Nothing leaves before [`Link::flush`].
    ///
    /// # Errors
    /// The fact that the channel could not take it.
    pub fn queue(&mut self, batch: Batch, body: &BlockSlice<'_>, turn: &Turn) -> Result<(), Input> {
        let (channel, frames, peer, start) = (&mut self.channel, &mut self.queued, self.peer, body.range().start);
        let traced = turn.trace.is_on().then(|| turn.system.now());
        let mut next = batch.first;
        let put = |outgoing: Outgoing<'_>| match outgoing {
            Outgoing::Frame(prefix, count, range) => {
                if let Some(now) = traced {
                    frames.push_back(items_frame(peer, Batch { first: next, count, ..batch }, range.len(), now));
                    next = next.plus(u64::from(count));
                }
                let part = BlockSlice::new(body.block(), start + range.start..start + range.end);
                channel.queue(prefix, count, part)
            }
            Outgoing::Text(text) => {
                frames.extend(traced.map(|now| items_frame(peer, batch, text.len(), now)));
                channel.queue_text(text)
            }
        };
        let queued = self.protocol.encode::<ChannelError>(batch, body.bytes(), put);
        if self.unanswered_since.is_none() && self.protocol.awaits_line() {
            self.unanswered_since = Some(turn.now);
        }
        queued.map_err(|error| refusal(self.peer, &error))
    }

    /// Writes as much of what is queued as the channel takes.
    ///
    /// # Errors
    /// The system's, other than that the worker has closed its end.
    pub fn flush(&mut self, turn: &mut Turn) -> io::Result<Flush> {
        let flushed = self.channel.flush();
        if !self.queued.is_empty() && matches!(flushed, Ok(Flush::All)) {
            let passed = turn.system.now();
            for frame in self.queued.drain(..) {
                turn.trace.frame(&TracedFrame { passed, ..frame });
            }
        }
        flushed
    }
}

/// Splits the times off the head of a body, if there are any; where they are now, and the rest.
fn split_times<'a>(
    kept: &mut Vec<ItemTime>,
    body: &'a [u8],
    count: u32,
    timed: bool,
    turn: &Turn,
) -> (Option<Range<usize>>, &'a [u8]) {
    let split = if timed { times::split(body, count) } else { None };
    let Some((pairs, rest)) = split else { return (None, body) };
    let start = kept.len();
    kept.extend(
        pairs.map(|pair| ItemTime {
            started: turn.system.instant_of(pair.started_ns),
            runtime: Duration(pair.runtime_ns),
        }),
    );
    (Some(start..kept.len()), rest)
}

/// Where `part` is in the buffer that begins at the address `base`.
fn range_in(base: usize, part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(base);
    start..start + part.len()
}

/// A message with items, queued now.
const fn items_frame(peer: WorkerIncarnation, batch: Batch, body_bytes: usize, now: Instant) -> TracedFrame {
    TracedFrame {
        direction: Direction::ToWorker,
        kind: FrameKind::Items,
        worker: peer.worker,
        incarnation: peer.incarnation,
        batch: Some(batch),
        body_bytes: body_bytes as u64,
        queued: now,
        passed: now,
        work: None,
    }
}

const fn hello(WorkerIncarnation { worker, incarnation }: WorkerIncarnation) -> Input {
    Input::Hello { worker, incarnation }
}

/// Why an item failed, as its worker says.
fn fail_reason(text: &[u8], panicked: bool) -> FailReason {
    let text = String::from_utf8_lossy(text).into_owned();
    if panicked { FailReason::Panicked(text) } else { FailReason::Message(text) }
}

/// Records a frame that was read. The times of the work on its items come ahead of it, in `work`.
fn trace_received(
    work: &mut Option<WorkTimes>,
    WorkerIncarnation { worker, incarnation }: WorkerIncarnation,
    received: &Received<'_>,
    turn: &mut Turn,
) {
    let of = |first, count, attempt| Some(Batch { first: ItemId(first), count, attempt: Attempt(attempt) });
    let (kind, batch, body_bytes) = match *received {
        Received::Message(FromWorker::Hello { .. }, body) => (FrameKind::Hello, None, body.len() as u64),
        Received::Message(FromWorker::Done { first, count, attempt, .. }, body) => {
            (FrameKind::Results, of(first, count, attempt), body.len() as u64)
        }
        Received::Message(FromWorker::Failed { item, attempt, .. }, body) => {
            (FrameKind::Failure, of(item, 1, attempt), body.len() as u64)
        }
        Received::Message(FromWorker::Work { taken_ns, began_ns, finished_ns }, _) => {
            let [taken, began, finished] = [taken_ns, began_ns, finished_ns].map(|ns| turn.system.instant_of(ns));
            *work = Some(WorkTimes { taken, began, finished });
            return;
        }
        Received::Ready => (FrameKind::Hello, None, 0),
        Received::Failure { item, attempt, reason, .. } => {
            (FrameKind::Failure, Some(Batch::of_one(item, attempt)), reason.len() as u64)
        }
        Received::LargeBegins { message: FromWorker::Done { first, count, attempt, .. }, result_bytes } => {
            (FrameKind::Results, of(first, count, attempt), result_bytes)
        }
        // Parts of a frame that has passed already.
        Received::LargeBegins { .. } | Received::LargeBytes(_) | Received::LargeEnds { .. } => return,
        // About no item.
        Received::Log(_) => return,
    };
    let (direction, now, work) = (Direction::FromWorker, turn.system.now(), work.take());
    let frame = TracedFrame { direction, kind, worker, incarnation, batch, body_bytes, queued: now, passed: now, work };
    turn.trace.frame(&frame);
}

fn broken(WorkerIncarnation { worker, incarnation }: WorkerIncarnation, error: &str) -> Input {
    Input::ProtocolError { worker, incarnation, error: error.to_owned() }
}

/// A result that cannot be kept is no fault of the worker.
fn not_kept(spill: &SpillFile, error: &io::Error) -> Input {
    let folder = spill.folder().display();
    Input::StorageLost { error: format!("keep a result in a temporary file in {folder}: {error}") }
}

/// The fact that a channel could not do what it was meant to.
fn refusal(peer: WorkerIncarnation, error: &ChannelError) -> Input {
    match error {
        ChannelError::Spool { .. } => Input::StorageLost { error: error.to_string() },
        _ => broken(peer, &error.to_string()),
    }
}
