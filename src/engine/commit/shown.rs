//! What was shown, and up to where it has left.

use crate::journal::record::GivenAway;
use crate::model::ids::ItemId;
use std::collections::VecDeque;

/// Marks that wait. If nobody takes the output for long, the last ones tell enough.
const MARKS_MAX: usize = 4096;

/// The item behind the last one that was shown in keep-order, and whether that may go on.
#[derive(Clone, Copy, Debug)]
pub struct ShownInOrder {
    pub next: ItemId,
    /// An item before it waits for the next session, and with it all that follow.
    pub is_closed: bool,
}

/// What was shown, and has to be recorded once it has left.
#[derive(Default)]
pub struct ShownMarks {
    /// What is shown up to here, and how many bytes of stdout there are before it; `None`: that cannot be told, so all that
    /// waits for stdout has to leave.
    marks: VecDeque<(GivenAway, Option<u64>)>,
}

impl ShownMarks {
    pub fn push(&mut self, shown: GivenAway, end: Option<u64>) {
        if self.marks.len() >= MARKS_MAX {
            self.marks.pop_back();
        }
        self.marks.push_back((shown, end));
    }

    /// The last mark whose bytes have left. `sent`: bytes of stdout that have; `all`: none waits.
    pub fn left(&mut self, sent: u64, all: bool) -> Option<GivenAway> {
        let mut last = None;
        while let Some((shown, end)) = self.marks.front().copied() {
            if !all && end.is_none_or(|end| end > sent) {
                break;
            }
            last = Some(shown);
            self.marks.pop_front();
        }
        last
    }
}
