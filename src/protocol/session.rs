//! The parameters of one session with a worker, and what a protocol returns of it.

use crate::wire::message::FromWorker;
use crate::wire::times::PAIR_BYTES;

/// The parameters of the session with one worker process. Both sides know them from the worker's start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The token that the hello of this process has to contain. `None`: this worker sends no hello.
    pub token: Option<[u8; 16]>,
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
    /// A large result has begun to arrive: the message, always a `Done` of one item, and the size of the result
    /// without its times. Its [`LargeBytes`](Self::LargeBytes) follow, then [`LargeEnds`](Self::LargeEnds), with no
    /// other message between them.
    LargeBegins { message: FromWorker, result_bytes: u64 },
    /// The next bytes of the large result.
    LargeBytes(&'a [u8]),
    /// The large result is complete. `times` are the times of the item, if the message is `timed`.
    LargeEnds { message: FromWorker, times: [u8; PAIR_BYTES] },
}
