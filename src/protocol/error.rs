//! The ways in which a worker may break its protocol.

use crate::wire::codec::CodecError;
use crate::wire::frame::FrameError;
use crate::wire::message::{PROTOCOL_VERSION, REASON_BYTES_MAX, SMALL_BODY_BYTES_MAX};

/// Why what arrived is no valid message. The texts complete "the worker broke the protocol: ..."; those that begin with
/// a verb also complete "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("read a message: it travels the wrong way")]
    Direction,
    #[error("read a message: its count of items is 0")]
    Empty,
    #[error("read the times of {count} items: the body has {bytes} bytes only")]
    Times { count: u32, bytes: usize },
    #[error("read the results of {count} items: they are not a line each (newlines: {newlines})")]
    Results { count: u32, newlines: usize },
    #[error(
        "read the results of {count} items: {bytes} bytes are over the limit of {SMALL_BODY_BYTES_MAX} for several"
    )]
    Several { count: u32, bytes: usize },
    #[error("read a reason: its {bytes} bytes are over the limit of {REASON_BYTES_MAX}")]
    Reason { bytes: usize },
    #[error("read a hello: a body of {bytes} bytes follows it")]
    HelloBody { bytes: usize },
    #[error("read the times of a frame: a body of {bytes} bytes follows them")]
    WorkBody { bytes: usize },
    #[error("it sent a message before its hello")]
    BeforeHello,
    #[error("it sent a second hello")]
    HelloTwice,
    #[error("its hello has a wrong token")]
    Token,
    #[error("it uses protocol {found}, this supervisor uses {PROTOCOL_VERSION}")]
    Version { found: u16 },
}
