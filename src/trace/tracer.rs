//! What the shell tells a trace while a run lasts.
//!
//! Invariant: decides nothing and changes nothing. Without a trace each call costs one comparison.

use super::file::{Recorder, TraceEnd};
use super::frame::TracedFrame;
use super::live::LiveFlow;
use super::record::{ITEM_START_BYTES_MAX, TraceHeader, TraceRecord, TracedStart, TracedTimes};
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::ids::ItemId;
use crate::model::time::Instant;
use std::borrow::Cow;

/// What is called with each record.
type Listener = Box<dyn FnMut(&TraceRecord<'_>)>;

/// What becomes of the records of a run. [`Tracer::default`] drops them.
#[derive(Default)]
pub struct Tracer {
    file: Option<Recorder>,
    live: Option<LiveFlow>,
    /// Told of each record, for tests.
    listener: Option<Listener>,
    traces_items: bool,
    /// Results were committed since stdout was last written.
    committed: bool,
    /// Bytes that waited for stdout then.
    waiting_bytes: u64,
}

impl Tracer {
    /// Records a run in a file.
    #[must_use]
    pub fn new(file: Option<Recorder>, live: Option<LiveFlow>, header: TraceHeader) -> Self {
        let traces_items = header.traces_items;
        let mut tracer = Self { file, live, traces_items, ..Self::default() };
        tracer.record(&TraceRecord::Header(Box::new(header)));
        tracer
    }

    /// Calls `listener` with each record.
    #[must_use]
    pub fn with_listener(listener: Listener) -> Self {
        Self { listener: Some(listener), ..Self::default() }
    }

    /// Whether anything is recorded.
    #[inline]
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.file.is_some() || self.live.is_some() || self.listener.is_some()
    }

    /// Whether each item is recorded.
    #[inline]
    #[must_use]
    pub const fn traces_items(&self) -> bool {
        self.traces_items
    }

    fn record(&mut self, record: &TraceRecord<'_>) {
        if let Some(file) = &mut self.file {
            file.record(record);
        }
        if let Some(live) = &mut self.live {
            live.take(record);
        }
        if let Some(listener) = &mut self.listener {
            listener(record);
        }
    }

    /// Lines about the run that were not shown, to be taken. `None` without [`LiveFlow`].
    #[inline]
    pub fn lines(&mut self) -> Option<&mut Vec<u8>> {
        self.live.as_mut().map(LiveFlow::lines)
    }

    /// The core is told a fact.
    #[inline]
    pub fn fact(&mut self, at: Instant, input: &Input) {
        if self.is_on() {
            self.record(&TraceRecord::Fact { at, input: Cow::Borrowed(input) });
        }
    }

    /// The core is told that deadlines have passed.
    #[inline]
    pub fn deadlines(&mut self, until: Instant) {
        if self.is_on() {
            self.record(&TraceRecord::Deadlines { until });
        }
    }

    /// The core has given an order.
    #[inline]
    pub fn order(&mut self, action: &Action) {
        if self.is_on() {
            self.committed |= matches!(action, Action::Settle { .. } | Action::Commit { .. });
            self.record(&TraceRecord::Order(Cow::Borrowed(action)));
        }
    }

    /// A frame has passed.
    pub fn frame(&mut self, frame: &TracedFrame) {
        self.record(&TraceRecord::Frame(*frame));
    }

    /// Items were worked on.
    pub fn times(&mut self, times: TracedTimes) {
        self.record(&TraceRecord::Times(Cow::Owned(times)));
    }

    /// A process was started.
    pub fn started(&mut self, start: TracedStart) {
        self.record(&TraceRecord::Started(Cow::Owned(start)));
    }

    /// Items have arrived: records the beginning of the first, or of each if each item is recorded.
    pub fn texts<'a>(&mut self, first: ItemId, items: impl Iterator<Item = &'a [u8]>) {
        let wanted = if self.traces_items { usize::MAX } else { 1 };
        let starts: Vec<_> =
            items.take(wanted).map(|item| item[..item.len().min(ITEM_START_BYTES_MAX)].to_vec()).collect();
        self.record(&TraceRecord::Texts { first, starts: Cow::Owned(starts) });
    }

    /// A turn of the loop ends, and so many bytes wait for stdout.
    pub fn end_turn(&mut self, at: Instant, waiting_bytes: u64) {
        if !self.is_on() {
            return;
        }
        if std::mem::take(&mut self.committed) || waiting_bytes != self.waiting_bytes {
            self.waiting_bytes = waiting_bytes;
            self.record(&TraceRecord::Written { at, waiting_bytes });
        }
        if let Some(file) = &mut self.file {
            file.hand_over();
        }
    }

    /// The run has ended: waits until everything is in the file.
    pub fn finish(&mut self, at: Instant) -> Option<TraceEnd> {
        self.record(&TraceRecord::End { at });
        self.file.take().map(Recorder::finish)
    }
}
