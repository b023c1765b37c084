//! The fake transport: channels over the pipes of the world, with short reads and writes and failures, some of them
//! busy-polled.

use crate::check::{Check, hold};
use crate::descriptor::Descriptor;
use crate::items::ids;
use crate::marks::Mark;
use crate::pipe::Pipe;
use crate::poll_set::Object;
use crate::world::{Shared, World};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use supervisor::model::ids::ItemId;
use supervisor::model::time::Duration;
use supervisor::protocol::frames::to_worker;
use supervisor::sys::block::BlockSlice;
use supervisor::sys::guard::Leftover;
use supervisor::transport::{Channel, ChannelError, Endpoints, Fill, Flush, OpenError, Transport};
use supervisor::wire::frame::{HEADER_BYTES, Header};
use supervisor::wire::message::ToWorker;
use supervisor::wire::prefix::Prefix;
use supervisor::wire::read_buffer::ReadBuffer;

/// The variable by which a worker finds its pipe.
pub const PIPE: &str = "SIM_PIPE";

pub struct FakeTransport {
    pub world: Shared,
}

impl Transport for FakeTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let mut borrowed = self.world.borrow_mut();
        let world = &mut *borrowed;
        world.tick();
        if world.chance(world.scenario.calls.open_shortage) {
            world.marks.hit(Mark::OpenShortage);
            let errno = world.rng.pick(&[libc::EMFILE, libc::ENFILE, libc::ENOMEM]);
            return Err(io::Error::from_raw_os_error(errno).into());
        }
        let pipe = world.pipes.len();
        let style = world.scenario.channel;
        world.pipes.push(Pipe::new(style));
        drop(borrowed);
        let channel = FakeChannel {
            world: self.world.clone(),
            pipe,
            read_end: Descriptor::open(&self.world, Object::FromWorker(pipe)),
            write_end: Some(Descriptor::open(&self.world, Object::ToWorker(pipe))),
            backlog: Vec::new(),
        };
        Ok((Box::new(channel), Endpoints::new().variable(PIPE, pipe.to_string())))
    }

    fn fds_per_channel(&self) -> u64 {
        2
    }

    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }

    fn spin(&self) -> Duration {
        self.world.borrow().scenario.channel.spin
    }

    fn share_input(&mut self, _: &Arc<File>) {}
}

struct FakeChannel {
    world: Shared,
    pipe: usize,
    read_end: Descriptor,
    write_end: Option<Descriptor>,
    backlog: Vec<u8>,
}

impl Channel for FakeChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.read_end.as_fd()
    }

    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.write_end.as_ref().map(AsFd::as_fd)
    }

    fn fill(&mut self, into: &mut ReadBuffer) -> Result<Fill, ChannelError> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        world.fill(self.pipe, into)
    }

    fn recover(&mut self, into: &mut ReadBuffer) -> usize {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        let pipe = &mut world.pipes[self.pipe];
        let again = std::mem::replace(&mut pipe.recovered, true);
        let frames = std::mem::take(&mut pipe.recoverable);
        let is_over = (pipe.from_worker.is_empty() || pipe.read_to_end)
            && pipe.process.is_some_and(|id| !world.processes[id].is_alive());
        hold!(world, is_over && !again, Channel, "recovered again, or before the channel was read to its end");
        if !frames.is_empty() {
            world.marks.hit(Mark::Recovered);
        }
        into.copy_in(&frames);
        frames.len()
    }

    fn queue(&mut self, prefix: &Prefix, items: u32, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        if self.write_end.is_none() {
            return Ok(());
        }
        if world.chance(world.scenario.calls.spool) {
            world.marks.hit(Mark::SpoolFailed);
            world.storage_failed = true;
            return Err(ChannelError::Spool { folder: "/spool".to_owned(), error: "no space".to_owned() });
        }
        let start = self.backlog.len();
        prefix.append_to(body.bytes().len(), &mut self.backlog);
        world.queued(self.pipe, &self.backlog[start..], items);
        self.backlog.extend_from_slice(body.bytes());
        world.pipes[self.pipe].backlog = self.backlog.len();
        Ok(())
    }

    fn queue_text(&mut self, _: &[u8]) -> Result<(), ChannelError> {
        Err(ChannelError::FramesOnly)
    }

    fn answered(&mut self, items: u64) {
        let world = &mut *self.world.borrow_mut();
        let pipe = &mut world.pipes[self.pipe];
        pipe.answered_items += items;
        let (answered, queued) = (pipe.answered_items, pipe.queued_items);
        let honest = pipe.process.is_none_or(|id| world.processes[id].honest);
        hold!(world, answered <= queued || !honest, Channel, "{answered} of {queued} items are answered");
    }

    fn flush(&mut self) -> io::Result<Flush> {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        let flushed = world.flush_pipe(self.pipe, &mut self.backlog);
        world.pipes[self.pipe].backlog = self.backlog.len();
        flushed
    }

    fn backlog_bytes(&self) -> usize {
        self.backlog.len()
    }

    fn close_input(&mut self) {
        self.world.borrow_mut().close_input(self.pipe);
        self.backlog.clear();
        // The world learns of the end when the descriptor is dropped.
        self.write_end = None;
    }

    fn is_busy_polled(&self) -> bool {
        self.world.borrow().pipes[self.pipe].is_busy_polled()
    }

    fn arm(&mut self) -> bool {
        let world = &mut *self.world.borrow_mut();
        world.tick();
        let pipe = &mut world.pipes[self.pipe];
        if !pipe.style.busy_polled {
            return true;
        }
        // An end-of-file that was already read does not count again.
        let is_news = !pipe.from_worker.is_empty() || (!pipe.worker_writes && !pipe.read_to_end);
        if is_news || (pipe.backlog > 0 && pipe.takes_output()) {
            world.marks.hit(Mark::ArmedTooLate);
            return false;
        }
        pipe.armed = true;
        world.marks.hit(Mark::Armed);
        true
    }
}

impl Drop for FakeChannel {
    fn drop(&mut self) {
        if let Ok(mut world) = self.world.try_borrow_mut() {
            world.pipes[self.pipe].dropped = true;
        }
    }
}

impl World {
    fn close_input(&mut self, pipe: usize) {
        self.tick();
        let there = &mut self.pipes[pipe];
        let cut = there.backlog > 0 && there.worker_reads && !there.input_closed && !there.write_failed;
        there.input_closed = true;
        there.backlog = 0;
        let process = there.process;
        // Once the record is lost no worker gets anything.
        let is_lost = self.record_lost;
        hold!(self, !cut || is_lost, Channel, "the input is closed before what was sent is written");
        if let Some(id) = process {
            self.processes[id].provoked = true;
        }
        self.note(&[6, pipe as u64], || format!("close the input of pipe {pipe}"));
        self.wake_worker(pipe);
    }

    fn fill(&mut self, pipe: usize, into: &mut ReadBuffer) -> Result<Fill, ChannelError> {
        self.pipes[pipe].armed = false;
        let nothing_lost = self.pipes[pipe].from_worker.is_empty() && self.pipes[pipe].recoverable.is_empty();
        if nothing_lost && self.chance(self.scenario.calls.channel_read) {
            self.marks.hit(Mark::ReadFailed);
            // Nothing that it sends from now on is read.
            if let Some(id) = self.pipes[pipe].process {
                self.processes[id].honest = false;
            }
            self.pipes[pipe].read_to_end = true;
            return Err(ChannelError::System(io::Error::from_raw_os_error(libc::EIO)));
        }
        let spare = into.spare();
        let there = self.pipes[pipe].from_worker.len();
        let mut bytes = there.min(spare.len());
        if bytes > 1 && self.chance(self.scenario.calls.short_read) {
            self.marks.hit(Mark::ShortRead);
            bytes = self.rng.between(1, bytes as u64 - 1) as usize;
        }
        let from = &mut self.pipes[pipe];
        if bytes == 0 {
            if from.worker_writes {
                return Ok(Fill::Blocked);
            }
            from.read_to_end = true;
            self.marks.hit(Mark::ReadClosed);
            return Ok(Fill::Closed);
        }
        for (place, byte) in spare.iter_mut().zip(from.from_worker.drain(..bytes)) {
            *place = byte;
        }
        into.filled(bytes);
        self.moved = true;
        self.note(&[3, pipe as u64, bytes as u64], || format!("read {bytes} bytes of pipe {pipe}"));
        let owner = self.pipes[pipe].process;
        if owner.is_some_and(|id| !self.processes[id].is_alive()) {
            self.marks.hit(Mark::ResultOfTheDead);
        }
        self.wake_worker(pipe);
        Ok(Fill::Bytes(bytes))
    }

    /// A message was queued: notes which items the process gets.
    fn queued(&mut self, pipe: usize, prefix: &[u8], count: u32) {
        let header = Header::read(prefix).ok().flatten();
        let head = &prefix[HEADER_BYTES.min(prefix.len())..];
        let batch = header.and_then(|header| to_worker(header.kind, head).ok());
        let Some(ToWorker::Batch { first, count: named, attempt }) = batch else {
            return self.violate(Check::Channel, "a message to a worker cannot be decoded".to_owned());
        };
        hold!(self, named == count, Channel, "a message of {named} items is queued as one of {count}");
        let words = [4, pipe as u64, first, u64::from(count), u64::from(attempt)];
        self.note(&words, || format!("queue {count} items from item {first}, attempt {attempt}, into pipe {pipe}"));
        self.pipes[pipe].queued_items += u64::from(count);
        let Some(process) = self.pipes[pipe].process else { return };
        for id in ids(ItemId(first), count) {
            self.pipes[pipe].unanswered.push_back(id);
            self.dispatched(id, process);
        }
    }

    fn flush_pipe(&mut self, pipe: usize, backlog: &mut Vec<u8>) -> io::Result<Flush> {
        self.pipes[pipe].armed = false;
        if self.pipes[pipe].input_closed {
            return Ok(Flush::All);
        }
        if !self.pipes[pipe].worker_reads {
            if backlog.is_empty() {
                return Ok(Flush::All);
            }
            self.marks.hit(Mark::WrittenToClosed);
            backlog.clear();
            return Ok(Flush::Closed);
        }
        if !backlog.is_empty() && self.chance(self.scenario.calls.channel_write) {
            self.marks.hit(Mark::WriteFailed);
            self.fail_writes(pipe);
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let there = self.pipes[pipe].style.to_worker_bytes_max.saturating_sub(self.pipes[pipe].to_worker.len());
        let mut bytes = backlog.len().min(there);
        if bytes > 1 && self.chance(self.scenario.calls.short_write) {
            self.marks.hit(Mark::ShortWrite);
            bytes = self.rng.between(1, bytes as u64 - 1) as usize;
        }
        if bytes > 0 {
            let leaving: Vec<u64> = self.pipes[pipe].unanswered.iter().copied().collect();
            leaving.into_iter().for_each(|id| self.leaves(id));
        }
        self.pipes[pipe].to_worker.extend(backlog.drain(..bytes));
        self.note(&[5, pipe as u64, bytes as u64], || format!("write {bytes} bytes into pipe {pipe}"));
        if bytes > 0 {
            self.moved = true;
            self.wake_worker(pipe);
        }
        if backlog.is_empty() {
            return Ok(Flush::All);
        }
        self.marks.hit(Mark::BacklogBlocked);
        Ok(Flush::Blocked)
    }
}
