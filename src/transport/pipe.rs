//! Two pipes: one in, one out. The plainest transport, and the default.
//!
//! A pipe's end-of-file is the end of the input, and of the results; nothing else marks either.
//!
//! Invariant: only our own ends are non-blocking. The flag belongs to an open file, each end of a
//! pipe is one of its own, and a worker may rely on reads that wait.

use super::{Channel, ChannelError, Connection, Fill, Flush, Handed, ItemsIn, ResultsOut, Transport, judge};
use crate::sys::block::BlockSlice;
use crate::sys::fd;
use crate::wire::codec;
use crate::wire::frame::{BUFFER_BYTES, FrameDecoder, Kind};
use crate::wire::message::{FromWorker, ToWorker};
use crate::wire::names;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// Asked of the system for each pipe: two full runs and their results in between cost no sleep.
/// A user who holds many pipes gets less, which only costs speed.
const PIPE_BYTES: u32 = 256 * 1024;

/// A pair of pipes for each worker; they share nothing.
pub(super) struct PipeTransport;

impl Transport for PipeTransport {
    fn open(&mut self) -> io::Result<(Box<dyn Channel>, Handed)> {
        let (worker_in, ours_out) = fd::pipe()?;
        let (ours_in, worker_out) = fd::pipe()?;
        for end in [&ours_out, &ours_in] {
            fd::set_nonblocking(end)?;
            let _ = fd::enlarge_pipe(end, PIPE_BYTES);
        }
        let channel = PipeChannel {
            results: File::from(ours_in),
            items: Some(File::from(ours_out)),
            decoder: FrameDecoder::new(),
            backlog: Vec::new(),
            written: 0,
        };
        let handed = Handed::new().fd(&[names::FD_IN], worker_in).fd(&[names::FD_OUT], worker_out);
        Ok((Box::new(channel), handed))
    }

    fn fds_per_channel(&self) -> u64 {
        2
    }
}

/// See [`super::connect`].
pub(super) fn connect(mut handed: Handed) -> io::Result<Connection> {
    let items = PipeItems { items: handed.take_fd(names::FD_IN)?.into(), decoder: FrameDecoder::new() };
    let results = PipeResults { results: handed.take_fd(names::FD_OUT)?.into() };
    Ok(Connection { items: Box::new(items), results: Box::new(results) })
}

/// The supervisor's ends.
struct PipeChannel {
    results: File,
    /// `None` once closed.
    items: Option<File>,
    decoder: FrameDecoder,
    /// Whole frames; the first `written` bytes have left.
    backlog: Vec<u8>,
    written: usize,
}

impl PipeChannel {
    fn drop_backlog(&mut self) {
        self.backlog.clear();
        self.written = 0;
        // What a huge item needed is given back.
        self.backlog.shrink_to(BUFFER_BYTES);
    }
}

impl Channel for PipeChannel {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.results.as_fd()
    }

    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.items.as_ref().map(AsFd::as_fd)
    }

    fn fill(&mut self) -> io::Result<Fill> {
        loop {
            match self.results.read(self.decoder.spare()) {
                Ok(0) => return Ok(Fill::Closed),
                Ok(bytes) => {
                    self.decoder.filled(bytes);
                    return Ok(Fill::Bytes(bytes));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Fill::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn next(&mut self) -> Result<Option<(FromWorker, &[u8])>, ChannelError> {
        let Some(frame) = self.decoder.next()? else { return Ok(None) };
        Ok(Some((judge(&frame)?, frame.body)))
    }

    fn queue(&mut self, message: ToWorker, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        if self.items.is_some() {
            crate::wire::append(&message, body.bytes(), &mut self.backlog)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<Flush> {
        let Some(items) = &mut self.items else { return Ok(Flush::Closed) };
        while self.written < self.backlog.len() {
            match items.write(&self.backlog[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Flush::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    self.drop_backlog();
                    return Ok(Flush::Closed);
                }
                Err(error) => return Err(error),
            }
        }
        self.drop_backlog();
        Ok(Flush::All)
    }

    fn backlog_bytes(&self) -> usize {
        self.backlog.len() - self.written
    }

    fn close_input(&mut self) {
        self.items = None;
        self.drop_backlog();
    }
}

/// The worker's end of the pipe with items.
struct PipeItems {
    items: File,
    decoder: FrameDecoder,
}

impl ItemsIn for PipeItems {
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.items.read(self.decoder.spare()) {
                Ok(bytes) => {
                    self.decoder.filled(bytes);
                    return Ok(bytes > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn next(&mut self) -> Result<Option<(ToWorker, &[u8])>, ChannelError> {
        let Some(frame) = self.decoder.next()? else { return Ok(None) };
        if frame.kind != Kind::ToWorker {
            return Err(ChannelError::Direction);
        }
        Ok(Some((codec::decode(frame.head)?, frame.body)))
    }

    fn waiting(&self, most: usize) -> usize {
        self.decoder.whole_frames(most)
    }
}

/// The worker's end of the pipe with results.
struct PipeResults {
    results: File,
}

impl ResultsOut for PipeResults {
    fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.results.write_all(frames)
    }
}
