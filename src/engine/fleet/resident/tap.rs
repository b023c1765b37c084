//! The seam of a trace: every frame to and from a resident worker passes here, with its size and its times.
//!
//! Invariant: without a listener a frame costs one comparison.

use crate::model::ids::{Batch, Incarnation, WorkerId};
use crate::model::time::Instant;
use std::collections::VecDeque;

/// Which way a frame travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToWorker,
    FromWorker,
}

/// What kind of message a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    Hello,
    /// Items to a worker.
    Items,
    Results,
    Failure,
}

/// A frame that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TappedFrame {
    pub direction: Direction,
    pub kind: FrameKind,
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    /// The items that it is about; `None` of a hello.
    pub batch: Option<Batch>,
    /// Bytes of items, results or text.
    pub body_bytes: u64,
    /// When it was queued; from a worker, when it was read.
    pub queued: Instant,
    /// When the last of it was written; from a worker, when it was read.
    pub passed: Instant,
}

/// What is called with each frame.
type Listener = Box<dyn FnMut(&TappedFrame)>;

/// The listener to the frames of a run, if there is one.
#[derive(Default)]
pub struct Tap(Option<Listener>);

impl Tap {
    pub fn new(listener: Box<dyn FnMut(&TappedFrame)>) -> Self {
        Self(Some(listener))
    }

    #[inline]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub fn pass(&mut self, frame: &TappedFrame) {
        if let Some(listener) = &mut self.0 {
            listener(frame);
        }
    }

    /// Frames that were queued for a worker are written now.
    pub fn pass_written(&mut self, queued: &mut VecDeque<TappedFrame>, now: Instant) {
        for frame in queued.drain(..) {
            self.pass(&TappedFrame { passed: now, ..frame });
        }
    }
}
