//! What a worker process does: it says hello, takes batches, works item by item, and sends results in groups, as the
//! real one does. Bytes are encoded and decoded by the real protocol.

use crate::agenda::{Effect, End};
use crate::check::hold;
use crate::items::{Fate, push_payload};
use crate::marks::Mark;
use crate::process::{ProcessId, pid_of};
use crate::scenario::{Fault, MS};
use crate::world::World;
use std::collections::VecDeque;
use supervisor::model::ids::ItemId;
use supervisor::protocol::frames;
use supervisor::transport::progress_page::ProgressWriter;
use supervisor::wire::frame::FrameDecoder;
use supervisor::wire::message::{FromWorker, ToWorker};
use supervisor::wire::times::PAIR_BYTES;

/// A faulty worker names an item that is this many items behind its own.
const FOREIGN: u64 = 5000;

/// An item at a worker.
#[derive(Clone, Copy, Debug)]
pub struct HeldItem {
    pub item: u64,
    pub attempt: u32,
}

/// A frame on its way out: where it ends in all that the worker has written, and the items that it answers for.
struct OutFrame {
    end: u64,
    first: u64,
    /// 0: it is the hello.
    count: u64,
    failed: bool,
}

/// A worker's own state.
pub struct Worker {
    token: Option<[u8; 16]>,
    page: Option<ProgressWriter>,
    /// What the page says.
    page_item: Option<u64>,
    greeted: bool,
    decoder: FrameDecoder,
    held: VecDeque<HeldItem>,
    running: Option<HeldItem>,
    /// Done, in order, and not in a frame yet.
    group: Vec<HeldItem>,
    /// Framed and not written yet.
    outgoing: VecDeque<u8>,
    framed_bytes: u64,
    written_bytes: u64,
    /// Where the last frame that is written whole ends.
    whole_bytes: u64,
    frames: VecDeque<OutFrame>,
    /// Items until its fault strikes.
    patience: u32,
    leaves: bool,
}

impl Worker {
    pub fn new(token: Option<[u8; 16]>, page: Option<ProgressWriter>, patience: u32) -> Self {
        Self {
            token,
            page,
            page_item: None,
            greeted: false,
            decoder: FrameDecoder::new(),
            held: VecDeque::new(),
            running: None,
            group: Vec::new(),
            outgoing: VecDeque::new(),
            framed_bytes: 0,
            written_bytes: 0,
            whole_bytes: 0,
            frames: VecDeque::new(),
            patience,
            leaves: false,
        }
    }

    pub const fn page_item(&self) -> Option<u64> {
        self.page_item
    }

    fn set_page(&mut self, item: Option<u64>) {
        let Some(page) = &self.page else { return };
        self.page_item = item;
        match item {
            Some(item) => page.begin(ItemId(item)),
            None => page.none(),
        }
    }

    fn append(&mut self, message: &FromWorker, body: &[u8], (first, count, failed): (u64, u64, bool)) {
        let mut bytes = Vec::new();
        supervisor::wire::append(message, body, &mut bytes).expect("a result is within the limit");
        self.framed_bytes += bytes.len() as u64;
        self.outgoing.extend(bytes);
        self.frames.push_back(OutFrame { end: self.framed_bytes, first, count, failed });
    }
}

impl World {
    fn go_on(&mut self, id: ProcessId, wait: u64) {
        if !std::mem::replace(&mut self.processes[id].goes_on, true) {
            let wait = self.rng.below(wait + 1);
            self.after(wait, Effect::WorkerGoesOn(id));
        }
    }

    /// One step: writes its frames, reads what has come, begins the next item.
    pub fn worker_goes_on(&mut self, id: ProcessId) {
        self.processes[id].goes_on = false;
        if !self.processes[id].is_alive() || self.processes[id].hangs {
            return;
        }
        if !self.processes[id].inner.greeted && !self.greet(id) {
            return;
        }
        if !self.write_out(id) {
            return;
        }
        self.take_in(id);
        let worker = &self.processes[id].inner;
        if worker.running.is_some() {
            return;
        }
        if !worker.held.is_empty() && !worker.leaves {
            return self.begin(id);
        }
        if !worker.group.is_empty() {
            self.send_group(id);
            return self.go_on(id, 2_000);
        }
        self.idle(id);
    }

    /// Sends its hello, if it has to; `false`: it goes no further.
    fn greet(&mut self, id: ProcessId) -> bool {
        let process = &mut self.processes[id];
        process.inner.greeted = true;
        match process.fault {
            Some(Fault::DiesBeforeHello) => {
                self.marks.hit(Mark::DiedBeforeHello);
                self.plan_death(id, 10_000);
                return false;
            }
            Some(Fault::NoHello) if self.scenario.hello => {
                self.marks.hit(Mark::NoHello);
                process.hangs = true;
                return false;
            }
            _ => {}
        }
        let Some(mut token) = process.inner.token else {
            self.marks.hit(Mark::NoHandshake);
            return true;
        };
        if process.fault == Some(Fault::WrongToken) {
            self.marks.hit(Mark::WrongToken);
            token[0] ^= 1;
            process.honest = false;
        }
        process.inner.append(&frames::hello(pid_of(id), token), &[], (0, 0, false));
        true
    }

    /// Nothing to do: it waits, leaves, or dies while idle.
    fn idle(&mut self, id: ProcessId) {
        let process = &self.processes[id];
        let closed = self.pipes[process.pipe].input_closed && self.pipes[process.pipe].to_worker.is_empty();
        if closed && process.fault == Some(Fault::IgnoresEndOfInput) {
            self.marks.hit(Mark::IgnoredEndOfInput);
        } else if closed || process.inner.leaves {
            let wait = self.rng.below(30_000);
            self.after(wait, Effect::Dies(id, End::Code(0)));
        } else if process.fault == Some(Fault::DiesIdle) {
            self.marks.hit(Mark::DiedIdle);
            self.plan_death(id, MS);
        }
    }

    /// Reads what has come, and checks that it is what was sent.
    fn take_in(&mut self, id: ProcessId) {
        let process = &mut self.processes[id];
        let pipe = &mut self.pipes[process.pipe];
        if pipe.to_worker.is_empty() || !pipe.worker_reads {
            return;
        }
        let bytes: Vec<u8> = pipe.to_worker.drain(..).collect();
        let (mut wrong, mut expected) = (None, Vec::new());
        let held = &mut process.inner.held;
        let pushed = process.inner.decoder.push(&bytes, |frame| {
            let Ok(ToWorker::Batch { first, count, attempt }) = frames::to_worker(frame.kind, frame.head) else {
                wrong = Some("a message to a worker cannot be decoded".to_owned());
                return;
            };
            expected.clear();
            for item in first..first + u64::from(count) {
                push_payload(item, &mut expected);
                if count > 1 {
                    expected.push(b'\n');
                }
                held.push_back(HeldItem { item, attempt });
            }
            if expected != frame.body {
                let body = String::from_utf8_lossy(frame.body).into_owned();
                wrong = Some(format!("for {count} items from item {first} a worker gets {body:?}"));
            }
        });
        let wrong = wrong.or_else(|| pushed.err().map(|error| error.to_string()));
        hold!(self, wrong.is_none(), ItemBytes, "{}", wrong.unwrap_or_default());
    }

    /// The next item begins.
    fn begin(&mut self, id: ProcessId) {
        let recalled = self.processes[id].inner.page.as_ref().is_some_and(ProgressWriter::recalled);
        if recalled {
            self.marks.hit(Mark::LeftAfterRecall);
            self.processes[id].inner.leaves = true;
            return self.go_on(id, 1_000);
        }
        let process = &mut self.processes[id];
        let Some(held) = process.inner.held.pop_front() else { return };
        process.inner.running = Some(held);
        let strikes = process.fault.filter(|_| process.inner.patience == 0);
        process.inner.patience = process.inner.patience.saturating_sub(1);
        process.inner.set_page(Some(held.item));
        self.note(&[20, id as u64, held.item], || format!("process {id} begins {held:?}"));
        self.begins(held.item, held.attempt);
        let length = self.rng.below(self.scenario.item_ns_max + 1);
        match strikes {
            Some(Fault::DiesMidItem) => {
                self.marks.hit(Mark::DiedMidItem);
                return self.plan_death(id, length);
            }
            Some(Fault::Hangs) => return self.hang(id),
            Some(Fault::ClosesChannel) => {
                self.marks.hit(Mark::ClosedChannel);
                let pipe = &mut self.pipes[self.processes[id].pipe];
                (pipe.worker_writes, pipe.worker_reads) = (false, false);
                self.processes[id].half_closed = true;
                return;
            }
            Some(Fault::Garbage) => {
                self.marks.hit(Mark::Garbage);
                self.processes[id].honest = false;
                self.processes[id].inner.outgoing.extend([0x55; 12]);
                self.processes[id].inner.framed_bytes += 12;
                self.go_on(id, 1_000);
            }
            Some(Fault::WrongItem) => {
                self.marks.hit(Mark::WrongItem);
                self.processes[id].honest = false;
                let (first, attempt) = (held.item + FOREIGN, held.attempt);
                let message = FromWorker::Done { first, count: 1, attempt, busy_ns: 1, timed: false };
                self.processes[id].inner.append(&message, b"wrong\n", (first, 0, false));
                self.go_on(id, 1_000);
            }
            Some(Fault::ForeignPage) if self.scenario.page => {
                self.marks.hit(Mark::ForeignPage);
                self.processes[id].inner.set_page(Some(held.item + FOREIGN));
                return self.plan_death(id, length);
            }
            Some(Fault::Stops) => {
                self.marks.hit(Mark::Stopped);
                return self.after(length + 700 * MS, Effect::ItemEnds(id));
            }
            _ => {}
        }
        match self.items.fate(held.item) {
            Fate::Kills => self.plan_death(id, length),
            Fate::Hangs => self.hang(id),
            Fate::Done | Fate::Fails => self.after(length, Effect::ItemEnds(id)),
        }
    }

    fn hang(&mut self, id: ProcessId) {
        self.marks.hit(Mark::Hung);
        self.processes[id].hangs = true;
    }

    /// The item that it is at is done, or has failed.
    pub fn item_ends(&mut self, id: ProcessId) {
        if !self.processes[id].is_alive() {
            return;
        }
        let Some(held) = self.processes[id].inner.running.take() else { return };
        self.processes[id].inner.set_page(None);
        let patience = self.processes[id].inner.patience;
        let fits = self.processes[id].inner.group.last().is_none_or(|last| {
            last.item + 1 == held.item && last.attempt == held.attempt && self.items.is_line(held.item)
        });
        if !fits {
            self.send_group(id);
        }
        if self.processes[id].fault == Some(Fault::DiesBeforeResult) && patience == 0 {
            self.marks.hit(Mark::DiedBeforeResult);
            self.processes[id].inner.group.push(held);
            return self.plan_death(id, 0);
        }
        if self.items.fate(held.item) == Fate::Fails {
            self.marks.hit(Mark::ItemFailed);
            self.send_group(id);
            let message = FromWorker::Failed {
                item: held.item,
                attempt: held.attempt,
                panicked: false,
                timed: self.scenario.timed,
            };
            let mut body = vec![0; if self.scenario.timed { PAIR_BYTES } else { 0 }];
            body.extend_from_slice(b"cannot");
            self.processes[id].inner.append(&message, &body, (held.item, 1, true));
            return self.go_on(id, 1_000);
        }
        self.processes[id].inner.group.push(held);
        let worker = &self.processes[id].inner;
        if !self.items.is_line(held.item) || worker.group.len() >= self.scenario.group_max || worker.held.is_empty() {
            self.send_group(id);
        }
        self.go_on(id, 1_000);
    }

    /// Makes one frame of the finished items.
    fn send_group(&mut self, id: ProcessId) {
        let group = std::mem::take(&mut self.processes[id].inner.group);
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
        let (count, timed) = (group.len() as u32, self.scenario.timed);
        let mut body = Vec::new();
        if timed {
            for held in &group {
                body.extend_from_slice(&held.item.to_le_bytes());
                body.extend_from_slice(&7_u64.to_le_bytes());
            }
        }
        for item in first.item..=last.item {
            self.items.push_result(item, &mut body);
        }
        if body.len() > supervisor::wire::message::SMALL_BODY_BYTES_MAX {
            self.marks.hit(Mark::HugeResult);
        }
        let busy_ns = self.rng.below(2) * u64::from(count) * (1 + self.scenario.item_ns_max / 2);
        let message = FromWorker::Done { first: first.item, count, attempt: first.attempt, busy_ns, timed };
        self.processes[id].inner.append(&message, &body, (first.item, u64::from(count), false));
    }

    /// Writes what the pipe takes; `false`: something is left, and the worker does nothing else until it is written.
    fn write_out(&mut self, id: ProcessId) -> bool {
        let Self { processes, pipes, rng, scenario, .. } = self;
        let process = &mut processes[id];
        let pipe = &mut pipes[process.pipe];
        if !pipe.worker_writes || process.inner.outgoing.is_empty() {
            return true;
        }
        let free = scenario.channel.from_worker_bytes_max.saturating_sub(pipe.from_worker.len());
        let mut bytes = process.inner.outgoing.len().min(free);
        let dribbles = process.fault == Some(Fault::Dribbles);
        let cut = process.fault == Some(Fault::DiesMidResult) && !process.inner.frames.is_empty();
        if dribbles {
            let most = if scenario.big_results { 900 } else { 9 };
            bytes = bytes.min(rng.between(1, most) as usize);
        } else if cut {
            bytes = bytes.min(process.inner.outgoing.len() - 1);
        }
        pipe.from_worker.extend(process.inner.outgoing.drain(..bytes));
        process.inner.written_bytes += bytes as u64;
        let all = process.inner.outgoing.is_empty();
        self.frames_written(id);
        if cut {
            self.marks.hit(Mark::DiedMidResult);
            self.plan_death(id, 10_000);
        } else if !all && dribbles {
            let gap = self.rng.pick(&[1_000, 100_000, 2 * MS]);
            self.go_on(id, gap);
        } else if !all {
            self.marks.hit(Mark::WorkerBlockedInWrite);
        } else if self.processes[id].fault == Some(Fault::DiesAfterResult) && self.processes[id].inner.patience == 0 {
            self.marks.hit(Mark::DiedAfterResult);
            self.plan_death(id, 1_000);
        }
        all
    }

    /// Frames that are written whole are answers: this process does not hold their items any more.
    fn frames_written(&mut self, id: ProcessId) {
        while let Some(frame) = self.processes[id].inner.frames.front()
            && frame.end <= self.processes[id].inner.written_bytes
            && let Some(frame) = self.processes[id].inner.frames.pop_front()
        {
            self.processes[id].inner.whole_bytes = frame.end;
            self.answered(id, frame.first, frame.count, frame.failed);
        }
    }

    fn answered(&mut self, id: ProcessId, first: u64, count: u64, failed: bool) {
        if !self.processes[id].honest {
            // What it wrote before it lied counts all the same.
            for number in first..first + count {
                if let Some(item) = self.items.get(number).filter(|item| item.holder == Some(id)) {
                    item.answered = true;
                }
            }
            return;
        }
        for number in first..first + count {
            let pipe = &mut self.pipes[self.processes[id].pipe];
            let is_heard = !self.processes[id].half_closed;
            let oldest = pipe.unanswered.pop_front();
            hold!(self, oldest == Some(number), ItemBytes, "process {id} answers for {number}, holds {oldest:?} first");
            let Some(item) = self.items.get(number) else { continue };
            item.holder = None;
            if failed {
                item.failures += 1;
                item.returns += 1;
            } else {
                (item.completed, item.counts) = (true, is_heard);
                item.returns += u32::from(!is_heard);
            }
        }
    }

    /// A worker dies: in a channel with a staging area, results that it had not begun to send stay recoverable.
    pub fn leave_behind(&mut self, id: ProcessId) {
        let pipe = &self.pipes[self.processes[id].pipe];
        let (kept, worker) = (pipe.style.staging && !pipe.read_to_end, &self.processes[id].inner);
        let is_torn = worker.written_bytes > worker.whole_bytes;
        let says_hello = worker.frames.front().is_some_and(|frame| frame.count == 0);
        if !kept || !self.processes[id].honest || is_torn || says_hello {
            return;
        }
        self.send_group(id);
        let process = &mut self.processes[id];
        process.inner.written_bytes = process.inner.framed_bytes;
        self.pipes[process.pipe].recoverable = process.inner.outgoing.drain(..).collect();
        self.frames_written(id);
    }
}
