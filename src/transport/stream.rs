//! Both ends of a channel over two streams of bytes: pipes, a socket, or a reader and a writer that behave like a
//! stream.
//!
//! The end of a stream is the only mark of the end of the input, and of the results.
//!
//! A large body is written from its block by a gathering write, without a copy. A small body is copied into the
//! backlog, which costs less than a slice of its own.
//!
//! Invariant: bytes are written in the order in which they were queued, and a flush uses as few writes as the slices
//! allow.

use super::copies::Copies;
use super::{Channel, ChannelError, Connection, Fill, Flush, InputIntegrity, ItemsError, ItemsIn, ResultsOut, Staging};
use crate::sys::block::{Block, BlockSlice};
use crate::wire::frame::{Frame, FrameDecoder};
use crate::wire::prefix::Prefix;
use crate::wire::read_buffer::{BUFFER_BYTES, ReadBuffer};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// A body of at least this size is written from its block.
const BORROWED_BYTES_MIN: usize = 4 * 1024;

/// Of a stream whose bytes pass through the kernel. There: a small body is copied into the backlog, then the write and
/// the read copy it; a body of [`BORROWED_BYTES_MIN`] is written from its block. Back: the worker copies small results
/// behind their header, then the write and the read copy them; large ones are written from where they are.
pub(super) const COPIES: Copies = Copies::new((3, 3), (2, 2));

/// Most slices of one write. In one turn a worker is sent at most a few messages, of two slices each.
const SLICES_MAX: usize = 32;

/// The supervisor's end: a non-blocking reader and a non-blocking writer. `AsFd` of each is the descriptor to wait for.
pub(super) struct StreamChannel<R = File, W = File> {
    results: R,
    /// `None` once the input is closed.
    items: Option<W>,
    /// Ends the input even if other descriptors of the same open file exist.
    shut: fn(&W),
    backlog: Backlog,
}

impl<R, W> StreamChannel<R, W> {
    /// A channel that reads results from `results` and writes items to `items`. `shut` is called before `items` is
    /// closed.
    pub(super) fn new(results: R, items: W, shut: fn(&W)) -> Self {
        Self { results, items: Some(items), shut, backlog: Backlog::default() }
    }
}

/// Whether the error means that the other end is closed. A socket that is closed with unread bytes is reset.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

impl<R: Read + AsFd, W: Write + AsFd> Channel for StreamChannel<R, W> {
    fn read_fd(&self) -> BorrowedFd<'_> {
        self.results.as_fd()
    }

    fn write_fd(&self) -> Option<BorrowedFd<'_>> {
        self.items.as_ref().map(AsFd::as_fd)
    }

    fn fill(&mut self, into: &mut ReadBuffer) -> Result<Fill, ChannelError> {
        loop {
            match self.results.read(into.spare()) {
                Ok(0) => return Ok(Fill::Closed),
                Ok(bytes) => {
                    into.filled(bytes);
                    return Ok(Fill::Bytes(bytes));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Fill::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => return Ok(Fill::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Results that were not sent are lost with the worker's memory.
    fn recover(&mut self, _: &mut ReadBuffer) -> usize {
        0
    }

    fn queue(&mut self, prefix: &Prefix, _: u32, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        if self.items.is_some() {
            self.backlog.push(prefix, &body);
        }
        Ok(())
    }

    fn queue_text(&mut self, text: &[u8]) -> Result<(), ChannelError> {
        if self.items.is_some() {
            self.backlog.push_text(text);
        }
        Ok(())
    }

    /// No bytes are kept after they were written.
    fn answered(&mut self, _: u64) {}

    fn flush(&mut self) -> io::Result<Flush> {
        let Some(items) = &mut self.items else { return Ok(Flush::Closed) };
        while self.backlog.bytes > 0 {
            match self.backlog.write_to(items) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Flush::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => {
                    self.backlog.clear();
                    return Ok(Flush::Closed);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Flush::All)
    }

    fn backlog_bytes(&self) -> usize {
        self.backlog.bytes
    }

    fn close_input(&mut self) {
        if let Some(items) = self.items.take() {
            (self.shut)(&items);
        }
        self.backlog.clear();
    }

    /// Its descriptors report every change.
    fn is_busy_polled(&self) -> bool {
        false
    }

    fn arm(&mut self) -> bool {
        true
    }
}

/// Messages that have not been written yet.
#[derive(Default)]
struct Backlog {
    /// Prefixes and small bodies. The first `written` bytes have been written.
    copied: Vec<u8>,
    written: usize,
    /// Large bodies, in the order of their messages.
    borrowed: VecDeque<Borrowed>,
    /// Bytes that have not been written, of `copied` and `borrowed` together.
    bytes: usize,
}

/// A large body in its block. It is written between two parts of `copied`.
struct Borrowed {
    /// The number of bytes of `copied` that are written before it.
    behind: usize,
    block: Arc<Block>,
    /// The bytes of the block that have not been written.
    range: Range<usize>,
}

impl Backlog {
    #[inline]
    fn push(&mut self, prefix: &Prefix, body: &BlockSlice<'_>) {
        let (before, body_bytes) = (self.copied.len(), body.bytes().len());
        if body_bytes >= BORROWED_BYTES_MIN {
            prefix.append_to(0, &mut self.copied);
            let block = Arc::clone(body.block());
            self.borrowed.push_back(Borrowed { behind: self.copied.len(), block, range: body.range() });
            self.bytes += body_bytes;
        } else {
            prefix.append_to(body_bytes, &mut self.copied);
            self.copied.extend_from_slice(body.bytes());
        }
        self.bytes += self.copied.len() - before;
    }

    fn push_text(&mut self, text: &[u8]) {
        self.copied.extend_from_slice(text);
        self.bytes += text.len();
    }

    /// Makes one write, and removes the bytes that were written.
    fn write_to(&mut self, file: &mut impl Write) -> io::Result<()> {
        let written = match self.borrowed.is_empty() {
            true => file.write(&self.copied[self.written..])?,
            false => {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = self.slices(&mut slices);
                file.write_vectored(&slices[..count])?
            }
        };
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        self.advance(written);
        Ok(())
    }

    /// Fills `slices` with the next bytes to write, and returns the number of slices that were used.
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut count = 0;
        let mut from = self.written;
        let mut push = |bytes: &'a [u8]| {
            if let Some(place) = slices.get_mut(count).filter(|_| !bytes.is_empty()) {
                *place = IoSlice::new(bytes);
                count += 1;
            }
        };
        for borrowed in self.borrowed.iter().take(SLICES_MAX / 2) {
            push(&self.copied[from..borrowed.behind]);
            push(&borrowed.block[borrowed.range.clone()]);
            from = borrowed.behind;
        }
        if self.borrowed.len() < SLICES_MAX / 2 {
            push(&self.copied[from..]);
        }
        count
    }

    /// Removes `written` bytes from the front.
    fn advance(&mut self, written: usize) {
        let mut left = written;
        self.bytes -= written;
        while let Some(borrowed) = self.borrowed.front_mut() {
            let copied = left.min(borrowed.behind - self.written);
            self.written += copied;
            left -= copied;
            let part = left.min(borrowed.range.len());
            borrowed.range.start += part;
            left -= part;
            if self.written < borrowed.behind || !borrowed.range.is_empty() {
                return;
            }
            self.borrowed.pop_front();
        }
        self.written += left;
        if self.bytes == 0 {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.borrowed.clear();
        self.copied.clear();
        // Frees the memory that a backlog of many small items needed.
        self.copied.shrink_to(BUFFER_BYTES);
        (self.written, self.bytes) = (0, 0);
    }
}

/// The worker's end: a blocking reader and a blocking writer.
pub(super) fn connection(items: impl Read + 'static, results: impl Write + 'static) -> Connection {
    let items = StreamItems { items, decoder: FrameDecoder::new() };
    Connection { items: Box::new(items), results: Box::new(StreamResults { results }) }
}

struct StreamItems<R> {
    items: R,
    decoder: FrameDecoder,
}

impl<R: Read> ItemsIn for StreamItems<R> {
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.items.read(self.decoder.buffer().spare()) {
                Ok(bytes) => {
                    self.decoder.buffer().filled(bytes);
                    return Ok(bytes > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_gone(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn next(&mut self) -> Result<Option<Frame<'_>>, ItemsError> {
        Ok(self.decoder.next()?)
    }

    fn waiting(&self, most: usize) -> usize {
        self.decoder.whole_frames(most)
    }

    /// The bytes were copied out of the stream, so they stay whole.
    fn integrity(&self) -> Arc<InputIntegrity> {
        Arc::default()
    }
}

struct StreamResults<W> {
    results: W,
}

impl<W: Write> ResultsOut for StreamResults<W> {
    fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.results.write_all(frames).map_err(gone_or)
    }

    fn send_parts(&mut self, mut frames: &[u8], mut body: &[u8]) -> io::Result<()> {
        while !frames.is_empty() {
            match self.results.write_vectored(&[IoSlice::new(frames), IoSlice::new(body)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    let of_frames = bytes.min(frames.len());
                    (frames, body) = (&frames[of_frames..], &body[bytes - of_frames..]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(gone_or(error)),
            }
        }
        self.send(body)
    }

    /// Results are in the memory of the worker process.
    fn staging(&self) -> Option<Staging> {
        None
    }
}

fn gone_or(error: io::Error) -> io::Error {
    if is_gone(&error) { ErrorKind::BrokenPipe.into() } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd;
    use crate::wire::message::ToWorker;

    /// Bodies around the border between those that are copied and those that are not, and their frames.
    fn queued(backlog: &mut Backlog) -> Vec<u8> {
        let block = Arc::new(Block::from((0..200_000_u32).map(|at| at as u8).collect::<Vec<_>>()));
        let mut expected = Vec::new();
        for number in 0..3 * SLICES_MAX {
            let size = [0, 5, BORROWED_BYTES_MIN - 1, BORROWED_BYTES_MIN, 3 * BORROWED_BYTES_MIN][number % 5];
            let message = ToWorker::Batch { first: number as u64, count: 1, attempt: 1 };
            let body = BlockSlice::new(&block, number..number + size);
            backlog.push(&Prefix::new(&message, size), &body);
            crate::wire::append(&message, body.bytes(), &mut expected).unwrap();
        }
        expected
    }

    #[test]
    fn borrowed_and_copied_bodies_leave_in_order_however_writes_cut_them() {
        for step in [1, 7, 4096, 100_000, usize::MAX] {
            let mut backlog = Backlog::default();
            let expected = queued(&mut backlog);
            let mut left = Vec::new();
            while backlog.bytes > 0 {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = backlog.slices(&mut slices);
                let next: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                assert!(!next.is_empty());
                backlog.advance(next.len());
                left.extend(next);
                assert_eq!(backlog.bytes, expected.len() - left.len());
            }
            assert!(left == expected, "step {step}");
            assert!(backlog.borrowed.is_empty() && backlog.copied.is_empty());
        }
    }

    #[test]
    fn a_block_is_released_as_soon_as_it_has_left() {
        let (reader, writer) = fd::pipe().unwrap();
        let (other, _end) = fd::pipe().unwrap();
        let mut channel = StreamChannel::new(File::from(other), File::from(writer), |_| ());
        let block = Arc::new(Block::from(vec![b'x'; BORROWED_BYTES_MIN]));
        let message = ToWorker::Batch { first: 1, count: 1, attempt: 1 };
        channel.queue(&Prefix::new(&message, block.len()), 1, BlockSlice::whole(&block)).unwrap();
        assert_eq!(Arc::strong_count(&block), 2);
        assert_eq!(channel.flush().unwrap(), Flush::All);
        assert_eq!((Arc::strong_count(&block), channel.backlog_bytes()), (1, 0));
        drop(reader);
    }
}
