//! The parameters of one session with a worker, and what a protocol returns of it.

use crate::model::ids::{Attempt, ItemId};
use crate::model::outcome::RetryHint;
use crate::wire::message::FromWorker;
use crate::wire::prefix::Prefix;
use crate::wire::times::PAIR_BYTES;
use std::ops::Range;

/// The parameters of the session with one worker process. Both sides know them from the worker's start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The token that the hello of this process has to contain. `None`: this worker sends no hello.
    pub token: Option<[u8; 16]>,
    /// A worker of the protocol `json` says that it is ready before it gets an item.
    pub waits_until_ready: bool,
    /// The byte that follows each item of a batch of several.
    pub delimiter: u8,
    /// Most items in one message to the worker, at least 1.
    pub message_items_max: u32,
}

/// A message of a worker, or a part of a large one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A whole message and its body.
    Message(FromWorker, &'a [u8]),
    /// A worker that sends no hello says that it is ready.
    Ready,
    /// An item failed, and the worker says whether a further attempt is worth it. The reason is text, perhaps cut.
    Failure { item: ItemId, attempt: Attempt, hint: RetryHint, reason: &'a [u8] },
    /// A line for people, perhaps cut.
    Log(&'a [u8]),
    /// A large result has begun to arrive: the message, always a `Done` of one item, and the size of the result
    /// without its times. Its [`LargeBytes`](Self::LargeBytes) follow, then [`LargeEnds`](Self::LargeEnds), with no
    /// other message between them.
    LargeBegins { message: FromWorker, result_bytes: u64 },
    /// The next bytes of the large result.
    LargeBytes(&'a [u8]),
    /// The large result is complete. `times` are the times of the item, if the message is `timed`.
    LargeEnds { message: FromWorker, times: [u8; PAIR_BYTES] },
}

/// What a batch becomes for a worker.
#[derive(Debug)]
pub enum Outgoing<'a> {
    /// A frame: its prefix, the number of items in it, and the range of the batch's body that holds them.
    Frame(&'a Prefix, u32, Range<usize>),
    /// Lines of text.
    Text(&'a [u8]),
}
