//! The worker's end of a channel. The SDK knows no more of a transport than this.

use super::input_integrity::InputIntegrity;
use super::shm_ring;
use super::staging::StagingArea;
use crate::sys::growable_buffer::GrowableBuffer;
use crate::wire::frame::{Frame, FrameError};
use std::io;
use std::sync::Arc;

/// The worker's end, in two halves, since a batch is still lent by the one while results leave by the other.
pub struct Connection {
    pub items: Box<dyn ItemsIn>,
    pub results: Box<dyn ResultsOut>,
}

/// Where a worker's items come in, in frames. Waits.
pub trait ItemsIn {
    /// Waits for bytes; `false` at the end of the input.
    ///
    /// # Errors
    /// The system's.
    fn fill(&mut self) -> io::Result<bool>;

    /// The next frame of those that have arrived; `None`: fill again.
    ///
    /// # Errors
    /// What arrived is no frame, or the bytes of its body cannot be had.
    fn next(&mut self) -> Result<Option<Frame<'_>>, ItemsError>;

    /// The number of whole frames that [`next`](Self::next) has in store, counted up to `most`.
    fn waiting(&self, most: usize) -> usize;

    /// Knows whether the bytes that [`next`](Self::next) lent are there, and afterwards whether they were whole.
    fn integrity(&self) -> Arc<InputIntegrity>;
}

/// Where a worker's results go out. Waits.
pub trait ResultsOut {
    /// Takes whole frames, as [`crate::wire::append`] makes them. Waits until all are written.
    ///
    /// # Errors
    /// The system's; `BrokenPipe` if the supervisor is gone.
    fn send(&mut self, frames: &[u8]) -> io::Result<()>;

    /// The same for frames of which the last one's body is apart.
    ///
    /// # Errors
    /// As of [`send`](Self::send).
    fn send_parts(&mut self, frames: &[u8], body: &[u8]) -> io::Result<()>;

    /// The staging area, if what is written there outlives this process. To be asked for once.
    fn staging(&self) -> Option<Staging>;
}

/// A staging area, and the two buffers in it.
pub struct Staging {
    /// Where the worker notes what is done.
    pub area: StagingArea,
    /// For the results of the open group.
    pub results: GrowableBuffer,
    /// For the frames that wait to be sent.
    pub frames: GrowableBuffer,
}

/// Why a worker cannot have its next items; completes "failed to ...".
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
    #[error("read an item: {what} was cut short meanwhile")]
    Lost { what: &'static str },
}
