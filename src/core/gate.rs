//! The gate that each start of a process passes: the delay between two starts, and the number that the shell permits;
//! in a run that is paused it is closed.

use crate::model::time::Instant;
use std::collections::VecDeque;

/// Whether a process may be started now, and which slots wait for that.
#[derive(Debug, Default)]
pub(super) struct StartGate {
    /// When the delay after the last start is over, until that has come.
    pub(super) delay_timer: Option<Instant>,
    /// Starts that the shell permits; `None`: any number.
    pub(super) permitted: Option<u32>,
    /// Slots whose process is due, the one that has waited longest first; not of processes that start with an item.
    pub(super) due: VecDeque<usize>,
    /// The run is paused.
    pub(super) paused: bool,
}

impl StartGate {
    /// Whether no process may be started now.
    #[inline]
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.permitted, Some(0)) || self.delay_timer.is_some() || self.paused
    }
}
