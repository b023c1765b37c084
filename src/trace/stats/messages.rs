//! The messages of a run along its frames: how many there were, and how long each part of their lives took.

use super::figures::{BatchFigures, BatchOf, LifePart, MessageCounts};
use super::percentiles::Samples;
use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::model::time::Instant;
use crate::trace::frame::{Direction, FrameKind, TracedFrame};
use std::collections::{BTreeMap, VecDeque};

/// A message to a worker whose last item is not answered.
#[derive(Debug)]
struct OpenMessage {
    batch: Batch,
    queued: Instant,
    sent: Instant,
    /// Items of it were answered.
    is_begun: bool,
}

/// What is known of the messages so far.
#[derive(Debug, Default)]
pub(super) struct MessageLives {
    counts: MessageCounts,
    /// By the process, oldest first.
    open: BTreeMap<(WorkerId, Incarnation), VecDeque<OpenMessage>>,
    in_supervisor: Samples,
    on_the_way: Samples,
    in_worker: Samples,
    at_work: Samples,
    way_back: Samples,
    whole: Samples,
    message_sizes: Samples,
    answer_sizes: Samples,
}

impl MessageLives {
    pub fn take(&mut self, frame: &TracedFrame) {
        let Some(batch) = frame.batch else { return };
        let (counts, items) = (&mut self.counts, u64::from(batch.count));
        match (frame.direction, frame.kind) {
            (_, FrameKind::Hello) => {}
            (Direction::ToWorker, _) => {
                counts.sent = counts.sent.saturating_add(1);
                counts.sent_bytes = counts.sent_bytes.saturating_add(frame.body_bytes);
                self.message_sizes.add(items);
                let message = OpenMessage { batch, queued: frame.queued, sent: frame.passed, is_begun: false };
                self.open.entry((frame.worker, frame.incarnation)).or_default().push_back(message);
            }
            (Direction::FromWorker, _) => {
                counts.received = counts.received.saturating_add(1);
                counts.received_bytes = counts.received_bytes.saturating_add(frame.body_bytes);
                self.answer_sizes.add(items);
                match frame.work {
                    Some(work) => {
                        self.at_work.add(work.finished.since(work.began).0);
                        self.way_back.add(frame.passed.since(work.finished).0);
                    }
                    None => counts.without_times = counts.without_times.saturating_add(1),
                }
                self.answer(frame, batch);
            }
        }
    }

    /// An answer tells what became of the messages that brought its items.
    fn answer(&mut self, frame: &TracedFrame, answered: Batch) {
        let key = (frame.worker, frame.incarnation);
        let Some(mut open) = self.open.remove(&key) else { return };
        let is_about =
            |message: &OpenMessage| message.batch.first < answered.end() && answered.first < message.batch.end();
        // A worker answers in order: the answers to messages ahead of this one are missing in the trace.
        let ahead = open.iter().position(is_about).unwrap_or(0);
        open.drain(..ahead).for_each(|message| self.give_up(&message));
        while let Some(message) = open.front_mut().filter(|message| is_about(message)) {
            if !message.is_begun {
                message.is_begun = true;
                self.begin(message, frame, answered);
            }
            if answered.end() < message.batch.end() {
                break;
            }
            self.whole.add(frame.passed.since(message.queued).0);
            open.pop_front();
        }
        if !open.is_empty() {
            self.open.insert(key, open);
        }
    }

    /// The first answer to a message.
    fn begin(&mut self, message: &OpenMessage, frame: &TracedFrame, answered: Batch) {
        let mut sent = message.sent;
        // An answer to several messages tells when the first of them was read.
        if let Some(work) = frame.work.filter(|_| answered.first >= message.batch.first) {
            // In shared memory a frame can be read before we know that it was sent, and a worker that looks at the
            // memory only now and then tells of its last look.
            let taken = work.taken.max(message.queued);
            sent = sent.min(taken);
            self.on_the_way.add(taken.since(sent).0);
            if answered.first == message.batch.first {
                self.in_worker.add(work.began.since(taken).0);
            }
        }
        self.in_supervisor.add(sent.since(message.queued).0);
    }

    fn give_up(&mut self, message: &OpenMessage) {
        self.counts.unanswered = self.counts.unanswered.saturating_add(1);
        if !message.is_begun {
            self.in_supervisor.add(message.sent.since(message.queued).0);
        }
    }

    /// Nothing comes from this process any more.
    pub fn ended(&mut self, worker: WorkerId, incarnation: Incarnation) {
        let open = self.open.remove(&(worker, incarnation)).unwrap_or_default();
        open.iter().for_each(|message| self.give_up(message));
    }

    /// `dispatches`: the sizes of what the core gave to workers.
    pub fn finish(mut self, dispatches: Samples) -> (MessageCounts, [(LifePart, Samples); 6], Vec<BatchFigures>) {
        while let Some(((worker, incarnation), _)) = self.open.first_key_value() {
            self.ended(*worker, *incarnation);
        }
        let sizes = [
            (BatchOf::Dispatch, dispatches),
            (BatchOf::Message, self.message_sizes),
            (BatchOf::Answer, self.answer_sizes),
        ];
        let batches = sizes.into_iter().filter_map(|(of, sizes)| {
            let classes = sizes.classes();
            Some(BatchFigures { of, classes, sizes: sizes.percentiles()? })
        });
        let parts = [
            (LifePart::InSupervisor, self.in_supervisor),
            (LifePart::OnTheWay, self.on_the_way),
            (LifePart::InWorker, self.in_worker),
            (LifePart::AtWork, self.at_work),
            (LifePart::WayBack, self.way_back),
            (LifePart::Message, self.whole),
        ];
        (self.counts, parts, batches.collect())
    }
}
