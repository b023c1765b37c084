//! What is known of a rolling restart in progress.

use crate::model::ids::Incarnation;
use std::collections::VecDeque;

/// A rolling restart in progress.
#[derive(Debug, Default)]
pub(super) struct Rolling {
    /// The slot that stands in for the one whose process is replaced.
    pub(super) spare: Option<usize>,
    /// Slots whose process is to be replaced, and which process that is.
    pub(super) pending: VecDeque<(usize, Incarnation)>,
    /// The slot whose process was asked to leave last.
    pub(super) last: Option<usize>,
    pub(super) replaced: u32,
}
