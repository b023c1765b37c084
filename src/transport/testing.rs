//! For the tests of transports: a channel, and the frames that it brings.

use super::{Channel, ChannelError, Fill, Flush};
use crate::sys::block::{Block, BlockSlice};
use crate::wire::codec;
use crate::wire::frame::FrameDecoder;
use crate::wire::message::{FromWorker, ToWorker};
use crate::wire::prefix::Prefix;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A message and its body.
pub type Owned = (FromWorker, Vec<u8>);

/// The supervisor's end, and a decoder behind it that accepts every frame.
pub struct Frames {
    pub channel: Box<dyn Channel>,
    decoder: FrameDecoder,
}

impl Frames {
    pub fn of(channel: Box<dyn Channel>) -> Self {
        Self { channel, decoder: FrameDecoder::new() }
    }

    /// Queues a batch of one.
    pub fn queue(&mut self, first: u64, body: &[u8]) -> Result<(), ChannelError> {
        self.queue_slice(first, BlockSlice::whole(&Arc::new(Block::from(body.to_vec()))))
    }

    pub fn queue_slice(&mut self, first: u64, body: BlockSlice<'_>) -> Result<(), ChannelError> {
        let prefix = Prefix::new(&ToWorker::Batch { first, count: 1, attempt: 1 }, body.range().len());
        self.channel.queue(&prefix, 1, body)
    }

    pub fn fill(&mut self) -> Result<Fill, ChannelError> {
        self.channel.fill(self.decoder.buffer())
    }

    pub fn flush(&mut self) -> Flush {
        self.channel.flush().unwrap()
    }

    /// The next whole frame that has arrived; whatever is none is skipped, with all that follows.
    pub fn next(&mut self) -> Option<Owned> {
        let frame = self.decoder.next().ok()??;
        Some((codec::decode(frame.head).ok()?, frame.body.to_vec()))
    }

    /// The next frame, waited for by `wait`; `None` once the worker's end is closed.
    pub fn receive(&mut self, wait: impl Fn(BorrowedFd<'_>)) -> Option<Owned> {
        loop {
            if let Some(received) = self.next() {
                return Some(received);
            }
            match self.fill().unwrap() {
                Fill::Bytes(_) => {}
                Fill::Blocked => wait(self.channel.read_fd()),
                Fill::Closed => return None,
            }
        }
    }

    /// Reads what a worker that has ended left, as the engine does.
    pub fn drain(&mut self) -> Vec<Owned> {
        let mut messages = Vec::new();
        while let Fill::Bytes(_) = self.fill().unwrap() {
            messages.extend(std::iter::from_fn(|| self.next()));
        }
        if self.decoder.unread_bytes() == 0 {
            self.channel.recover(self.decoder.buffer());
            messages.extend(std::iter::from_fn(|| self.next()));
        }
        messages
    }
}
