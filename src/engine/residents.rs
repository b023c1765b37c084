//! Workers that stay: frames to and from them.

use super::event_loop::Engine;
use super::messages;
use super::resting::CRUMBS_BYTES;
use super::slots::Watched;
use super::telling::Answer;
use super::token::Part;
use crate::core::action::Action;
use crate::core::input::Input;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::FailReason;
use crate::model::time::Duration;
use crate::reporter::{Content, ItemTime};
use crate::sys::poller::Interest;
use crate::transport::{Channel, ChannelError, Fill, Flush};
use crate::wire;
use crate::wire::message::{FromWorker, PROTOCOL_VERSION};

/// Bytes read from the channel of a worker that has ended: more than any channel holds, so that only
/// what somebody else goes on writing into it is left unread.
const DRAIN_BYTES_MAX: usize = 4 << 20;

/// What one look at a channel led to.
pub(super) enum Read {
    /// Read so many bytes.
    Bytes(usize),
    /// Nothing there now.
    Blocked,
    /// Nothing ever again.
    Finished,
}

impl Engine {
    /// Reads once from a resident worker and hands its messages to the core.
    pub(super) fn read_frames(&mut self, index: usize) -> Read {
        let read = self.read_channel(index);
        if let Read::Finished = read {
            self.stop_reading(index);
        }
        self.rest(index);
        if self.congested {
            self.pause_reading_of(index);
        }
        read
    }

    /// Reads all that a worker wrote before it ended, partial frames aside, and what it had done and not sent.
    pub(super) fn drain_frames(&mut self, index: usize) {
        if let Some(channel) = self.slots.at(index).and_then(|slot| slot.resident()?.channel.as_mut()) {
            channel.ended();
        }
        let mut bytes_read = 0;
        while let Read::Bytes(bytes) = self.read_channel(index) {
            bytes_read += bytes;
            if bytes_read > DRAIN_BYTES_MAX {
                break;
            }
        }
    }

    fn read_channel(&mut self, index: usize) -> Read {
        let Some(slot) = self.slots.at(index) else { return Read::Finished };
        let (worker, incarnation) = (WorkerId::from_index(index), slot.incarnation);
        let Some(resident) = slot.resident() else { return Read::Finished };
        if resident.finished {
            return Read::Finished;
        }
        let Some(mut channel) = resident.channel.take() else { return Read::Finished };
        let filled = channel.fill();
        let broken = self.hear(worker, incarnation, channel.as_mut());
        let brought_crumbs = matches!(filled, Ok(Fill::Bytes(bytes)) if bytes < CRUMBS_BYTES) && channel.is_torn();
        let resident = self.slots.get(worker, incarnation).and_then(|slot| slot.resident());
        if let Some(resident) = resident {
            resident.channel = Some(channel);
            resident.crumbs = if brought_crumbs { resident.crumbs.saturating_add(1) } else { 0 };
        }
        if let Err(fact) = broken {
            self.finish_reading(index);
            self.feed(fact);
            return Read::Finished;
        }
        match filled {
            Ok(Fill::Bytes(bytes)) => Read::Bytes(bytes),
            Ok(Fill::Blocked) => Read::Blocked,
            Ok(Fill::Closed) | Err(_) => {
                self.finish_reading(index);
                self.feed(Input::ChannelClosed { worker, incarnation });
                Read::Finished
            }
        }
    }

    /// Hands every whole message that was read to the core; the fact, instead, that nothing more is to be read.
    fn hear(&mut self, worker: WorkerId, incarnation: Incarnation, channel: &mut dyn Channel) -> Result<(), Input> {
        let heard = self.hear_each(worker, incarnation, channel);
        self.tell_gathered(worker, incarnation);
        heard
    }

    fn hear_each(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        channel: &mut dyn Channel,
    ) -> Result<(), Input> {
        let broken = |error| Input::ProtocolError { worker, incarnation, error };
        let resident = self.slots.get(worker, incarnation).and_then(|slot| slot.resident());
        let Some(mut greeted) = resident.map(|resident| resident.greeted) else { return Ok(()) };
        loop {
            let next = match channel.next() {
                // There may be one of these for each tiny item: it is taken apart at once.
                Ok(Some((FromWorker::Done { first, count, attempt, busy_ns, timed: false }, body))) if greeted => {
                    let batch = Batch { first: ItemId(first), count, attempt: Attempt(attempt) };
                    self.gather(worker, incarnation, batch, busy_ns, body);
                    continue;
                }
                next => next.map_err(|error| refusal(worker, incarnation, &error))?,
            };
            let Some((message, body)) = next else {
                if self.hear_large(worker, incarnation, channel, greeted)? {
                    continue;
                }
                return Ok(());
            };
            match message {
                FromWorker::Hello { protocol, token, .. } => {
                    let resident = self.slots.get(worker, incarnation).and_then(|slot| slot.resident());
                    let Some(resident) = resident else { return Ok(()) };
                    check_hello(resident.greeted, protocol, token == resident.token).map_err(broken)?;
                    (resident.greeted, greeted) = (true, true);
                    self.feed(Input::Hello { worker, incarnation });
                }
                _ if !greeted => return Err(broken("it spoke before its hello".to_owned())),
                FromWorker::Done { first, count, attempt, busy_ns, .. } => {
                    let batch = Batch { first: ItemId(first), count, attempt: Attempt(attempt) };
                    self.tell_gathered(worker, incarnation);
                    self.hear_timed(worker, incarnation, batch, busy_ns, body);
                }
                FromWorker::Failed { item, attempt, panicked, timed } => {
                    self.tell_gathered(worker, incarnation);
                    let (times, text) = self.split_times(body, 1, timed);
                    let text = String::from_utf8_lossy(text).into_owned();
                    let reason = if panicked { FailReason::Panicked(text) } else { FailReason::Message(text) };
                    let (item, attempt) = (ItemId(item), Attempt(attempt));
                    let answer = Answer::of_failure(item, timed.then_some(&times));
                    self.feed_with(Input::Failed { worker, incarnation, item, attempt, reason }, Some(answer));
                    self.times = times;
                }
            }
        }
    }

    fn hear_timed(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Batch, busy_ns: u64, body: &[u8]) {
        let (times, memory) = self.split_times(body, batch.count, true);
        let answer = Answer {
            first: batch.first,
            results: Content::in_memory(memory),
            errors: Content::default(),
            times: Some(times.as_slice()),
            exit: None,
            of_failures: false,
        };
        let Batch { first, count, attempt } = batch;
        self.feed_with(Input::Settled { worker, incarnation, first, count, attempt, busy_ns }, Some(answer));
        self.times = times;
    }

    /// The times at the head of a body, if there are any, in the scratch space for them, and the rest.
    pub(super) fn split_times<'a>(&mut self, body: &'a [u8], count: u32, timed: bool) -> (Vec<ItemTime>, &'a [u8]) {
        let mut times = std::mem::take(&mut self.times);
        times.clear();
        let split = if timed { wire::times::split(body, count) } else { None };
        let Some((pairs, rest)) = split else { return (times, body) };
        times.extend(pairs.map(|pair| ItemTime {
            started: self.clock.instant_of(pair.started_ns),
            runtime: Duration(pair.runtime_ns),
        }));
        (times, rest)
    }

    /// Carries out what was ordered for resident workers.
    pub(super) fn run_orders(&mut self) {
        while let Some(order) = self.orders.pop_front() {
            let (Action::Dispatch { worker, incarnation, .. }
            | Action::CloseInput { worker, incarnation }
            | Action::Recall { worker, incarnation }) = order
            else {
                continue;
            };
            let Some(resident) = self.slots.get(worker, incarnation).and_then(|slot| slot.resident()) else { continue };
            let Some(channel) = resident.channel.as_mut() else { continue };
            match order {
                Action::Dispatch { batch, .. } => {
                    let delimiter = self.payloads.delimiter();
                    let body = self.payloads.body(batch.first, batch.count);
                    let queued = messages::queue(channel.as_mut(), batch, &body, self.message_items_max, delimiter);
                    if let Err(error) = queued {
                        self.feed(refusal(worker, incarnation, &error));
                        continue;
                    }
                }
                Action::Recall { .. } => {
                    resident.progress.recall();
                    resident.leaving = true;
                }
                _ => resident.leaving = true,
            }
            if !std::mem::replace(&mut resident.unwritten, true) {
                self.unwritten.push(worker.index());
            }
        }
    }

    /// Writes all frames of this turn.
    pub(super) fn write_frames(&mut self) {
        while let Some(index) = self.unwritten.pop() {
            self.write_frames_of(index);
        }
    }

    /// Writes what a worker's channel takes; the poller tells when it takes more.
    pub(super) fn write_frames_of(&mut self, index: usize) {
        let Some(slot) = self.slots.at(index) else { return };
        let (token, incarnation) = (slot.token(index, Part::Writable), slot.incarnation);
        let Some(resident) = slot.resident() else { return };
        resident.unwritten = false;
        let Some(channel) = resident.channel.as_mut() else { return };
        if channel.write_fd().is_none() {
            return;
        }
        let flushed = channel.flush();
        // One that is awake is looked at, and then tells by the other descriptor.
        let blocked = matches!(flushed, Ok(Flush::Blocked)) && !channel.is_busy_polled();
        if blocked != resident.writing
            && let Some(fd) = channel.write_fd()
        {
            let changed =
                if blocked { self.poller.add(fd, Interest::WRITE, token).map(|_| ()) } else { self.poller.remove(fd) };
            resident.writing = blocked && changed.is_ok();
        }
        match flushed {
            Ok(Flush::Blocked) => {}
            Ok(Flush::All) if resident.leaving => channel.close_input(),
            Ok(Flush::All) => {}
            Ok(Flush::Closed) | Err(_) => {
                // It closed its end. Either it is ending, or it will never take an item again.
                channel.close_input();
                self.feed(Input::ChannelClosed { worker: WorkerId::from_index(index), incarnation });
            }
        }
        self.note_awake(index);
    }

    /// Nothing more is read from this worker.
    fn finish_reading(&mut self, index: usize) {
        if let Some(resident) = self.slots.at(index).and_then(|slot| slot.resident()) {
            resident.finished = true;
        }
    }

    /// Takes a worker's frames out of the poller: a closed channel would be ready for ever.
    fn stop_reading(&mut self, index: usize) {
        let Some(resident) = self.slots.at(index).and_then(|slot| slot.resident()) else { return };
        if std::mem::replace(&mut resident.reading, Watched::Gone) != Watched::Gone
            && let Some(channel) = resident.channel.as_ref()
        {
            let _ = self.poller.remove(channel.read_fd());
        }
    }

    /// Stops, or goes on, reading results, as stdout takes less than workers give, or enough again.
    /// Commands are read all the same: what they say goes to a file, and one that waits in a write
    /// would run into its timeout.
    pub(super) fn pause_reading(&mut self) {
        for index in 0..self.slots.len() {
            self.pause_reading_of(index);
        }
    }

    /// A worker that has yet to say hello is heard.
    pub(super) fn pause_reading_of(&mut self, index: usize) {
        let Some(slot) = self.slots.at(index) else { return };
        let token = slot.token(index, Part::Frames);
        let Some(resident) = slot.resident() else { return };
        let Some(channel) = resident.channel.as_ref() else { return };
        let (reading, interest) = match resident.reading {
            Watched::Yes if self.congested && resident.greeted => (Watched::Paused, Interest::NONE),
            Watched::Paused if !self.congested => (Watched::Yes, Interest::READ),
            _ => return,
        };
        let _ = self.poller.modify(channel.read_fd(), interest, token);
        resident.reading = reading;
        self.note_awake(index);
    }
}

/// The fact that a channel could not do what it was meant to.
pub(super) fn refusal(worker: WorkerId, incarnation: Incarnation, error: &ChannelError) -> Input {
    let text = error.to_string();
    match error {
        ChannelError::Spool { .. } | ChannelError::Keep { .. } => Input::StorageLost { error: text },
        _ => Input::ProtocolError { worker, incarnation, error: text },
    }
}

fn check_hello(greeted: bool, protocol: u16, token_is_right: bool) -> Result<(), String> {
    match (greeted, token_is_right) {
        (true, _) => Err("it said hello twice".to_owned()),
        (_, false) => Err("its hello shows a wrong token".to_owned()),
        _ if protocol != PROTOCOL_VERSION => {
            Err(format!("it speaks protocol {protocol}, this supervisor speaks {PROTOCOL_VERSION}"))
        }
        _ => Ok(()),
    }
}
