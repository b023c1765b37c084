//! The buffer of results that have not been sent.
//!
//! Results are collected and sent together: at the end of a batch (unless many short batches wait), at 64 KiB, or after
//! about a millisecond of work. A **group** is a stretch of finished items of one batch, and one `Done` reports it. A
//! group stays open until the next batch begins or results are sent; the clock is read only then.
//!
//! Invariant: the progress page says *none* before anything is written. A worker that waits in a write has finished
//! its last item.

use super::chaos;
use super::error::WorkerError;
use super::frames::FrameBuffer;
use super::items::Items;
use super::pace::Pace;
use super::{Failure, Handler, Item, Output, panics};
use crate::model::chaos::{ChaosPlan, ItemChaos};
use crate::model::ids::{Attempt, Batch, ItemId};
use crate::model::spec::ITEM_BYTES_MAX;
use crate::protocol::frames;
use crate::sys::clock::monotonic_ns;
use crate::transport::progress_page::ProgressWriter;
use crate::transport::{InputIntegrity, ResultsOut, Staging, StagingArea};
use crate::wire;
use crate::wire::message::{FromWorker, REASON_BYTES_MAX};
use crate::wire::times::{self, Pair};
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// Results are sent when they have this many bytes.
const FLUSH_BYTES: usize = 64 * 1024;

/// The reason of items whose bytes are lost.
const LOST: &str = "its bytes are lost: the file that they lie in was cut short, or cannot be read";

/// Results of at least this size are sent from their buffer instead of copied behind their header.
const APART_BYTES_MIN: usize = 8 * 1024;

/// For a group of fewer items the clock is not read: its time is estimated.
const GUESSED_ITEMS_MAX: u32 = 64;

/// How the time of a group is determined.
#[derive(Clone, Copy)]
enum Busy {
    Measured,
    /// Estimated for few items by the time of earlier ones. The next measured group corrects the error.
    Guessed,
}

/// When the work on a frame's items began and ended. The clock is read for each batch and each frame, not for each item:
/// a failed item behind others of its batch ends their time with its own.
#[derive(Default)]
struct WorkClock {
    taken_ns: u64,
    began_ns: u64,
}

impl WorkClock {
    /// The work on the items of a frame has ended, and that on the next ones begins.
    const fn finish(&mut self, now_ns: u64) -> FromWorker {
        let began_ns = std::mem::replace(&mut self.began_ns, now_ns);
        FromWorker::Work { taken_ns: self.taken_ns, began_ns, finished_ns: now_ns }
    }
}

/// Finished items whose results have not been sent.
pub(super) struct ResultBuffer {
    results: Box<dyn ResultsOut>,
    progress: ProgressWriter,
    /// Whether the bytes of the present batch were whole.
    integrity: Arc<InputIntegrity>,
    pace: Pace,
    /// Work has begun since the last flush.
    working: bool,
    timed: bool,
    /// When the present item began, if the worker is `timed`.
    started_ns: u64,
    /// For frames that tell of the work on their items.
    work: Option<WorkClock>,
    frames: FrameBuffer,
    /// The open group, the times of its items if the worker is `timed`, and their results.
    group: Batch,
    times: Vec<u8>,
    output: Output,
    /// The notes about finished items, if frames and results are in memory that outlives the worker.
    staging: Option<StagingArea>,
    /// The notes include the open group.
    noted: bool,
    /// Results are sent when those of the open group have this many bytes.
    group_bytes_max: usize,
    /// What happens to items.
    chaos: Option<Box<ChaosPlan>>,
}

impl ResultBuffer {
    pub(super) fn new(
        results: Box<dyn ResultsOut>,
        integrity: Arc<InputIntegrity>,
        progress: ProgressWriter,
        timed: bool,
    ) -> Self {
        let (staging, output, frames) = match results.staging() {
            Some(Staging { area, results, frames }) => (Some(area), results, frames),
            None => Default::default(),
        };
        Self {
            output: Output::within(output),
            frames: FrameBuffer::within(frames),
            // Times are not in the staging area.
            noted: staging.is_some() && !timed,
            staging,
            results,
            progress,
            integrity,
            pace: Pace::new(),
            working: false,
            timed,
            started_ns: 0,
            work: None,
            group: Batch { first: ItemId(0), count: 0, attempt: Attempt::FIRST },
            times: Vec::new(),
            group_bytes_max: FLUSH_BYTES,
            chaos: None,
        }
    }

    /// Items are slow, hang, or have their result torn.
    pub(super) fn with_chaos(mut self, chaos: Option<ChaosPlan>) -> Self {
        self.chaos = chaos.filter(ChaosPlan::is_about_items).map(Box::new);
        self
    }

    /// Each frame of results comes with the times of the work on its items.
    pub(super) fn with_work_times(mut self) -> Self {
        self.work = Some(WorkClock::default());
        self
    }

    /// Batches were read.
    pub(super) fn note_taken(&mut self) {
        if let Some(work) = &mut self.work {
            work.taken_ns = monotonic_ns();
        }
    }

    /// Appends the times of the work on the items of the next frame.
    fn append_work(&mut self) -> Result<(), WorkerError> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let message = work.finish(monotonic_ns());
        Ok(self.frames.append(&message, &[])?)
    }

    /// Sends the hello.
    pub(super) fn hello(&mut self, token: [u8; 16]) -> Result<(), WorkerError> {
        self.frames.append(&frames::hello(std::process::id(), token), &[])?;
        self.flush()
    }

    /// Works on a batch, item by item; `false` if the supervisor wants the worker to stop here.
    pub(super) fn work(
        &mut self,
        handler: &mut impl Handler,
        batch: Batch,
        body: &[u8],
        delimiter: u8,
    ) -> Result<bool, WorkerError> {
        self.close_group(Busy::Guessed)?;
        if let Some(work) = &mut self.work {
            work.began_ns = monotonic_ns();
        }
        let mut items = Items::new(batch, body, delimiter);
        if self.integrity.is_missing() {
            self.lose(&mut items)?;
            return Ok(true);
        }
        // One `catch` around many items, since it costs as much as a tiny item.
        let ended = loop {
            match panics::catch(|| self.work_on(handler, &mut items)) {
                Ok(ended) => break ended,
                Err(reason) => {
                    self.note_time();
                    self.failed(&items.present(), &reason, true)?;
                    self.leave_if_due()?;
                }
            }
        };
        let on = ended?;
        if self.integrity.is_of_input() {
            self.close_group(Busy::Measured)?;
        }
        if on && !items.is_finished() && !self.integrity.is_whole() {
            self.close_group(Busy::Measured)?;
            self.lose(&mut items)?;
            return Ok(on);
        }
        if on && !items.is_finished() { Err(WorkerError::Batch { count: batch.count }) } else { Ok(on) }
    }

    /// Fails the remaining items, whose bytes are lost.
    #[cold]
    fn lose(&mut self, items: &mut Items<'_>) -> Result<(), WorkerError> {
        while let Some(item) = items.next_lost() {
            self.started_ns = if self.timed { monotonic_ns() } else { 0 };
            self.note_time();
            self.failed(&item, LOST, false)?;
        }
        Ok(())
    }

    /// Works on the items that are left; `false` if the supervisor wants the worker to stop before the next.
    fn work_on(&mut self, handler: &mut impl Handler, items: &mut Items<'_>) -> Result<bool, WorkerError> {
        while items.advance() {
            // The item is borrowed and not moved: a copy of words that were just written waits for the writes.
            let item = items.present();
            if self.progress.recalled() {
                return Ok(false);
            }
            if !self.working {
                self.begin_working();
            }
            if self.timed {
                self.started_ns = monotonic_ns();
            }
            self.progress.begin(item.id);
            if self.chaos.is_some() {
                self.strike(handler, &item)?;
            }
            let answer = handler.handle(&item, &mut self.output);
            self.note_time();
            match answer {
                Ok(()) => self.done(&item)?,
                Err(Failure(reason)) => self.failed(&item, &reason, false)?,
            }
            self.leave_if_due()?;
        }
        Ok(!self.progress.recalled())
    }

    /// Does to an item what the plan of chaos has for it, before its handler sees it.
    #[cold]
    fn strike(&mut self, handler: &mut impl Handler, item: &Item<'_>) -> Result<(), WorkerError> {
        match self.chaos.as_deref().and_then(|plan| plan.of_item(item.id, item.attempt)) {
            Some(ItemChaos::Slow(time)) => chaos::delay(time),
            Some(ItemChaos::Hang) => chaos::hang(),
            Some(ItemChaos::Torn) => return self.tear(handler, item),
            None => {}
        }
        Ok(())
    }

    /// Sends the results before this item's whole, and the first half of this one's.
    ///
    /// # Errors
    /// Always: the worker ends.
    fn tear(&mut self, handler: &mut impl Handler, item: &Item<'_>) -> Result<(), WorkerError> {
        self.flush()?;
        self.progress.begin(item.id);
        // It is torn whether it succeeded or not.
        let _ = handler.handle(item, &mut self.output);
        let done =
            FromWorker::Done { first: item.id.0, count: 1, attempt: item.attempt.0, busy_ns: 1, timed: self.timed };
        let mut frame = Vec::new();
        wire::append(&done, self.output.present(), &mut frame)?;
        frame.truncate(frame.len() / 2);
        self.results.send(&frame).map_err(unsent)?;
        Err(WorkerError::Torn)
    }

    #[cold]
    fn begin_working(&mut self) {
        self.working = true;
        self.pace.begin(monotonic_ns());
    }

    /// Notes when the present item began and how long it took, if the worker is `timed`.
    #[inline]
    fn note_time(&mut self) {
        if self.timed {
            let runtime_ns = monotonic_ns().saturating_sub(self.started_ns);
            times::push(Pair { started_ns: self.started_ns, runtime_ns }, &mut self.times);
        }
    }

    /// Sends the results if they may be large enough, or if a look at the clock is due.
    #[inline(always)]
    fn leave_if_due(&mut self) -> Result<(), WorkerError> {
        if self.timed {
            self.count_times()?;
        }
        if self.output.finished_bytes() >= self.group_bytes_max || self.pace.is_look_due() {
            self.look()
        } else {
            Ok(())
        }
    }

    /// Sends the results if they are large enough, or if enough time has passed.
    #[inline(never)]
    fn look(&mut self) -> Result<(), WorkerError> {
        let many = self.output.finished_bytes() >= self.group_bytes_max;
        if many || self.pace.look(monotonic_ns()) { self.flush() } else { Ok(()) }
    }

    /// Counts the times as bytes to send. They are not in a staging area, so a group that has one is closed.
    fn count_times(&mut self) -> Result<(), WorkerError> {
        if self.staging.is_some() {
            self.close_group(Busy::Measured)?;
        }
        self.measure();
        Ok(())
    }

    /// Computes the most bytes of the open group: it is sent together with the frames and the times.
    fn measure(&mut self) {
        let others = self.frames.bytes() + self.times.len();
        self.group_bytes_max = FLUSH_BYTES.saturating_sub(others);
    }

    /// The item is done, and its result is in the output.
    #[inline(always)]
    fn done(&mut self, item: &Item<'_>) -> Result<(), WorkerError> {
        if self.output.end_line() && self.output.present_bytes() <= FLUSH_BYTES {
            self.join_group(item);
            return Ok(());
        }
        match self.output.newline() {
            Some(newline) if newline + 1 == self.output.present_bytes() && newline < FLUSH_BYTES => {
                self.join_group(item);
                Ok(())
            }
            _ => self.done_alone(item),
        }
    }

    /// The item's result is long, or has several lines, so it gets a frame of its own.
    fn done_alone(&mut self, item: &Item<'_>) -> Result<(), WorkerError> {
        if !self.output.present().ends_with(b"\n") {
            self.output.push(b"\n");
        }
        let bytes = self.output.present().len() - 1;
        if bytes > ITEM_BYTES_MAX {
            let reason = format!("the result of {bytes} bytes is over the limit of {ITEM_BYTES_MAX}");
            return self.failed(item, &reason, false);
        }
        self.close_earlier()?;
        self.join_group(item);
        self.close_group(Busy::Measured)
    }

    #[inline(always)]
    fn join_group(&mut self, item: &Item<'_>) {
        if self.group.count == 0 {
            self.begin_group(item);
        }
        self.group.count += 1;
        self.output.finish();
        if self.noted
            && self.output.is_shared()
            && let Some(staging) = &self.staging
        {
            staging.done(self.group.count, self.output.finished_bytes());
        }
    }

    fn begin_group(&mut self, item: &Item<'_>) {
        self.group = Batch { first: item.id, count: 0, attempt: item.attempt };
        if let Some(staging) = &self.staging {
            staging.begin(item.id, item.attempt, self.frames.bytes());
        }
    }

    /// The item failed: drops its output, and appends a frame with the reason.
    #[cold]
    fn failed(&mut self, item: &Item<'_>, reason: &str, panicked: bool) -> Result<(), WorkerError> {
        self.output.cancel();
        self.close_earlier()?;
        self.append_work()?;
        let failed = FromWorker::Failed { item: item.id.0, attempt: item.attempt.0, panicked, timed: self.timed };
        let cut = reason.floor_char_boundary(REASON_BYTES_MAX);
        // After `close_earlier` only the time of this item is left.
        let mut body = std::mem::take(&mut self.times);
        body.extend_from_slice(&reason.as_bytes()[..cut]);
        self.frames.append(&failed, &body)?;
        self.note_framed();
        Ok(())
    }

    /// Closes the group before an item that does not belong to it, and keeps the time of that item.
    fn close_earlier(&mut self) -> Result<(), WorkerError> {
        let times_bytes = if self.timed { self.group.count as usize * times::PAIR_BYTES } else { 0 };
        let own = self.times.split_off(times_bytes);
        self.close_group(Busy::Measured)?;
        self.times = own;
        Ok(())
    }

    /// Makes a frame of the open group.
    fn close_group(&mut self, busy: Busy) -> Result<(), WorkerError> {
        if self.group.count == 0 {
            return Ok(());
        }
        if !self.integrity.is_whole() {
            return self.fail_group();
        }
        self.append_work()?;
        let done = self.end_group(busy);
        if self.timed {
            self.times.extend_from_slice(self.output.finished());
            self.frames.append(&done, &self.times)?;
            self.times.clear();
        } else {
            self.frames.append(&done, self.output.finished())?;
        }
        self.note_framed();
        self.group.count = 0;
        self.output.forget_finished();
        Ok(())
    }

    /// Fails the items of the open group, whose bytes were lost while they were in use.
    fn fail_group(&mut self) -> Result<(), WorkerError> {
        let Batch { first, count, attempt } = self.group;
        self.group.count = 0;
        self.output.forget_finished();
        let times = std::mem::take(&mut self.times);
        let mut times = times.chunks_exact(times::PAIR_BYTES);
        for item in (0..u64::from(count)).map(|ahead| first.plus(ahead)) {
            self.times.extend_from_slice(times.next().unwrap_or_default());
            self.failed(&Item { bytes: &[], id: item, attempt }, LOST, false)?;
        }
        Ok(())
    }

    /// Notes that a frame was appended.
    #[inline]
    fn note_framed(&mut self) {
        if self.frames.is_shared()
            && let Some(staging) = &self.staging
        {
            staging.framed(self.frames.bytes());
        }
        self.measure();
    }

    /// The message that reports the open group.
    fn end_group(&mut self, busy: Busy) -> FromWorker {
        let Batch { first, count, attempt } = self.group;
        let busy_ns = match busy {
            Busy::Guessed if count < GUESSED_ITEMS_MAX => self.pace.guess_group(count),
            _ => self.pace.close_group(monotonic_ns()),
        };
        FromWorker::Done { first: first.0, count, attempt: attempt.0, busy_ns, timed: self.timed }
    }

    /// Sends all results.
    pub(super) fn flush(&mut self) -> Result<(), WorkerError> {
        // Large results are sent from their buffer, without a copy.
        let many = self.group.count > 0 && !self.timed && self.output.finished_bytes() >= APART_BYTES_MIN;
        let apart = many && self.staging.is_none() && self.integrity.is_whole();
        if apart {
            self.append_work()?;
            let done = self.end_group(Busy::Measured);
            self.frames.append_without_body(&done, self.output.finished_bytes())?;
        } else {
            self.close_group(Busy::Measured)?;
        }
        self.working = false;
        if self.frames.bytes() == 0 {
            return Ok(());
        }
        self.progress.none();
        let sent = if apart {
            let sent = self.results.send_parts(self.frames.as_slice(), self.output.finished());
            self.group.count = 0;
            self.output.forget_finished();
            sent
        } else {
            self.results.send(self.frames.as_slice())
        };
        self.frames.clear();
        self.measure();
        sent.map_err(unsent)
    }
}

fn unsent(error: io::Error) -> WorkerError {
    match error.kind() {
        ErrorKind::BrokenPipe => WorkerError::SupervisorGone,
        _ => WorkerError::System { doing: "write results", error },
    }
}
