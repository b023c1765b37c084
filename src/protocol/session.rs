//! What a protocol is agreed on with a worker, and what it hands out.

use crate::wire::message::FromWorker;
use crate::wire::times::PAIR_BYTES;

/// What both sides of one conversation know from the worker's start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The hello has to show it. `None`: the worker sends no hello.
    pub token: Option<[u8; 16]>,
    /// The byte that follows each item of a batch of several.
    pub delimiter: u8,
    /// Most items in one message to the worker, at least 1.
    pub message_items_max: u32,
}

/// One thing that a worker sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A whole message and its body.
    Message(FromWorker, &'a [u8]),
    /// A large result has begun to arrive: the message, always a `Done` of one item, and the size of the result
    /// without its times. Its [`LargeBytes`](Self::LargeBytes) follow, then [`LargeEnds`](Self::LargeEnds), and
    /// nothing between.
    LargeBegins { message: FromWorker, result_bytes: u64 },
    /// The next bytes of the large result.
    LargeBytes(&'a [u8]),
    /// The large result is whole. `times` are the item's, if the message is `timed`.
    LargeEnds { message: FromWorker, times: [u8; PAIR_BYTES] },
}
