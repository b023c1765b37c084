//! A pseudo-terminal as the stdin and stdout of a worker that answers in text: a program that fills a buffer before it
//! writes to a pipe writes each line at once to a terminal.
//!
//! The input ends by a byte on the terminal, since our end has to stay open for the answers. A terminal that is full takes
//! that byte later: after a line was read, and so before or with the answer to it.
//!
//! Invariant: only the supervisor's end is non-blocking; the two ends are two open files.

use super::stream::StreamChannel;
use super::{Channel, ChannelError, Endpoints, Fill, Flush, OpenError, Transport};
use crate::model::time::Duration;
use crate::sys::block::BlockSlice;
use crate::sys::guard::Leftover;
use crate::sys::pty::{self, Pty};
use crate::wire::names;
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::ReadBuffer;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A terminal for each worker. They share nothing.
struct TerminalTransport;

/// The transport of workers that have a terminal.
#[must_use]
pub fn terminal() -> Box<dyn Transport> {
    Box::new(TerminalTransport)
}

impl Transport for TerminalTransport {
    fn open(&mut self) -> Result<(Box<dyn Channel>, Endpoints), OpenError> {
        let Pty { ours, theirs } = Pty::open_lines()?;
        // A second descriptor, so that a poll set can wait for writing beside reading: it takes each descriptor once.
        let items = ours.try_clone()?;
        let stream = StreamChannel::new(File::from(ours), File::from(items), |_| ());
        let channel = TerminalChannel { stream, owes_end: false };
        Ok((Box::new(channel), Endpoints::new().fd(&[names::FD_IN, names::FD_OUT], theirs)))
    }

    fn fds_per_channel(&self) -> u64 {
        2
    }

    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }

    /// Its channels are not busy-polled.
    fn spin(&self) -> Duration {
        Duration::ZERO
    }

    /// Bodies are copied out of a mapped input.
    fn share_input(&mut self, _: &Arc<File>) {}
}

/// The supervisor's end.
struct TerminalChannel {
    stream: StreamChannel,
    /// The input is closed, and the terminal was too full to be told.
    owes_end: bool,
}

impl TerminalChannel {
    fn end(&mut self) {
        // A terminal that takes nothing any more has no reader.
        self.owes_end = !pty::end_input(self.stream.read_fd()).unwrap_or(true);
    }
}

impl Channel for TerminalChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.stream.read_fd()
    }

    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.stream.write_fd()
    }

    fn fill(&mut self, into: &mut ReadBuffer) -> Result<Fill, ChannelError> {
        if self.owes_end {
            self.end();
        }
        self.stream.fill(into)
    }

    fn recover(&mut self, into: &mut ReadBuffer) -> usize {
        self.stream.recover(into)
    }

    /// A frame may hold any byte.
    fn queue(&mut self, _: &Prefix, _: u32, _: BlockSlice<'_>) -> Result<(), ChannelError> {
        Err(ChannelError::TextOnly)
    }

    fn queue_text(&mut self, text: &[u8]) -> Result<(), ChannelError> {
        self.stream.queue_text(text)
    }

    fn answered(&mut self, items: u64) {
        self.stream.answered(items);
    }

    fn flush(&mut self) -> io::Result<Flush> {
        self.stream.flush()
    }

    fn backlog_bytes(&self) -> usize {
        self.stream.backlog_bytes()
    }

    fn close_input(&mut self) {
        if self.stream.write_fd().is_some() {
            self.stream.close_input();
            self.end();
        }
    }

    fn is_busy_polled(&self) -> bool {
        self.stream.is_busy_polled()
    }

    fn arm(&mut self) -> bool {
        self.stream.arm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poller::{Interest, Poller};
    use std::io::{IsTerminal, Read, Write};

    fn both_ends() -> (Box<dyn Channel>, File) {
        let (channel, mut endpoints) = terminal().open().unwrap();
        (channel, File::from(endpoints.take_fd(names::FD_OUT).unwrap()))
    }

    /// What arrives next, waited for.
    fn fill(channel: &mut dyn Channel, into: &mut ReadBuffer) -> Fill {
        let poller = Poller::new().unwrap();
        poller.add(channel.read_fd(), Interest::READ, 0).unwrap();
        let mut poller = poller;
        loop {
            match channel.fill(into) {
                Ok(Fill::Blocked) => poller.wait(&mut Vec::new(), None).unwrap(),
                Ok(filled) => return filled,
                // A terminal that nobody has any more.
                Err(ChannelError::System(error)) if pty::is_end(&error) => return Fill::Closed,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn lines_travel_both_ways_and_the_input_ends_while_answers_come() {
        let (mut channel, mut program) = both_ends();
        assert!(program.is_terminal());
        channel.queue_text(b"one\ntwo\n").unwrap();
        assert_eq!((channel.flush().unwrap(), channel.backlog_bytes()), (Flush::All, 0));
        channel.close_input();
        assert!(channel.write_fd().is_none());
        let mut read = String::new();
        program.read_to_string(&mut read).unwrap();
        assert_eq!(read, "one\ntwo\n");
        program.write_all(b"1\n").unwrap();
        let mut into = ReadBuffer::new();
        assert_eq!(fill(&mut *channel, &mut into), Fill::Bytes(2));
        drop(program);
        assert_eq!(fill(&mut *channel, &mut into), Fill::Closed);
    }

    #[test]
    fn the_end_of_the_input_waits_while_the_terminal_is_full() {
        let (mut channel, mut program) = both_ends();
        let mut lines = 0;
        loop {
            channel.queue_text(b"item\n").unwrap();
            match channel.flush().unwrap() {
                Flush::All => lines += 1,
                other => break assert_eq!(other, Flush::Blocked),
            }
        }
        channel.close_input();
        // As a worker does that answers each line.
        let (mut read, mut rest) = (0, Vec::new());
        let mut into = ReadBuffer::new();
        while read < 5 * lines / 2 {
            read += program.read(&mut [0; 4096]).unwrap();
            program.write_all(b"x\n").unwrap();
            fill(&mut *channel, &mut into);
        }
        program.read_to_end(&mut rest).unwrap();
        assert!((5 * lines..5 * lines + 5).contains(&(read + rest.len())), "{read} {} {lines}", rest.len());
    }

    #[test]
    fn frames_are_refused() {
        let (mut channel, _program) = both_ends();
        let message = crate::wire::message::ToWorker::Batch { first: 1, count: 1, attempt: 1 };
        let block = Arc::new(crate::sys::block::Block::from(vec![4]));
        let refused = channel.queue(&Prefix::new(&message, 1), 1, BlockSlice::whole(&block));
        assert!(matches!(refused, Err(ChannelError::TextOnly)));
    }
}
