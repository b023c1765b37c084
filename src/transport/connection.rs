//! The worker's end of a channel. The SDK knows no more of a transport than this.

use super::input_integrity::InputIntegrity;
use super::shm_ring;
use super::staging::StagingArea;
use crate::sys::growable_buffer::GrowableBuffer;
use crate::wire::frame::{Frame, FrameError};
use std::io;
use std::sync::Arc;

/// The worker's end. It is two halves, since a batch is still borrowed from `items` while `results` sends.
pub struct Connection {
    pub items: Box<dyn ItemsIn>,
    pub results: Box<dyn ResultsOut>,
}

/// The source of a worker's items, as frames. Waits.
pub trait ItemsIn {
    /// Waits for bytes; `false` at the end of the input.
    ///
    /// # Errors
    /// The system's.
    fn fill(&mut self) -> io::Result<bool>;

    /// The next frame of those that have arrived; `None`: fill again.
    ///
    /// # Errors
    /// The bytes are no frame, or the bytes of its body are lost or cannot be read.
    fn next(&mut self) -> Result<Option<Frame<'_>>, ItemsError>;

    /// The number of whole frames that have arrived, counted up to `most`.
    fn waiting(&self, most: usize) -> usize;

    /// Whether the bytes that [`next`](Self::next) returned are present, and after their use, whether they stayed whole.
    fn integrity(&self) -> Arc<InputIntegrity>;
}

/// Sends a worker's results. Waits.
pub trait ResultsOut {
    /// Sends whole frames, as [`crate::wire::append`] makes them. Waits until all are written.
    ///
    /// # Errors
    /// The system's; `BrokenPipe` if the supervisor is gone.
    fn send(&mut self, frames: &[u8]) -> io::Result<()>;

    /// The same, with the body of the last frame in a slice of its own.
    ///
    /// # Errors
    /// As of [`send`](Self::send).
    fn send_parts(&mut self, frames: &[u8], body: &[u8]) -> io::Result<()>;

    /// The staging area, if this transport has one: memory that outlives this process. Only the first call returns it.
    fn staging(&self) -> Option<Staging>;
}

/// A staging area, and the two buffers in it. A **group** is a stretch of finished items of one batch whose results
/// will be one frame; it is open until that frame is made.
pub struct Staging {
    /// The words in which the worker notes its finished items.
    pub area: StagingArea,
    /// The buffer for the results of the open group.
    pub results: GrowableBuffer,
    /// The buffer for the frames that wait to be sent.
    pub frames: GrowableBuffer,
}

/// Why a worker cannot read its next items; completes "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemsError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Ring(#[from] shm_ring::Broken),
    #[error("read a message: it is no reference to a file")]
    Reference,
    #[error("map {what}: {error}")]
    Map { what: &'static str, error: String },
    #[error("read an item: {what} was cut short during the run")]
    Lost { what: &'static str },
}
