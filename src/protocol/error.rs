//! The ways in which a worker may break its protocol.

use crate::model::spec::ITEM_BYTES_MAX;
use crate::model::text::quoted_start;
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
    #[error("it sent a line when it had answered every item: {line}; print one line for each item, and nothing else")]
    UnaskedLine { line: String },
    #[error("it sent a line of more than {ITEM_BYTES_MAX} bytes")]
    LongLine,
    #[error("it sent a line that is no JSON object of this protocol: {line}: {error}")]
    NotJson { line: String, error: String },
    #[error(
        "it sent an object that has not exactly one of the keys result, result_base64, error, progress, log, ready: {line}"
    )]
    NotOneKey { line: String },
    #[error("its result_base64 is no base64: {text}")]
    NotBase64 { text: String },
    #[error("it sent an answer without an id")]
    NoId,
    #[error("it answered for item {item}, which it does not hold")]
    NotHeld { item: u64 },
    #[error("it answered attempt {found} of item {item}, which is at attempt {attempt}")]
    WrongAttempt { item: u64, found: u32, attempt: u32 },
    #[error("it sent a message before {{\"ready\":true}}")]
    BeforeReady,
    #[error("it said a second time that it is ready")]
    ReadyTwice,
    #[error("it sent a message before its hello")]
    BeforeHello,
    #[error("it sent a second hello")]
    HelloTwice,
    #[error("its hello has a wrong token")]
    Token,
    #[error("it uses protocol {found}, this supervisor uses {PROTOCOL_VERSION}")]
    Version { found: u16 },
}

/// Characters of what a worker sent that an error shows.
const SHOWN_CHARS_MAX: usize = 60;

impl ProtocolError {
    /// Of the first line in `bytes`.
    pub(super) fn unasked_line(bytes: &[u8]) -> Self {
        Self::UnaskedLine { line: shown(bytes) }
    }
}

/// Of lines of JSON.
#[cfg(feature = "run")]
impl ProtocolError {
    pub(super) fn not_json(line: &[u8], error: &str) -> Self {
        Self::NotJson { line: shown(line), error: crate::model::text::escaped(error).into_owned() }
    }

    pub(super) fn not_one_key(line: &[u8]) -> Self {
        Self::NotOneKey { line: shown(line) }
    }

    pub(super) fn not_base64(text: &[u8]) -> Self {
        Self::NotBase64 { text: shown(text) }
    }
}

/// The beginning of a line, in quotes.
fn shown(bytes: &[u8]) -> String {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    quoted_start(&bytes[..end], SHOWN_CHARS_MAX)
}
