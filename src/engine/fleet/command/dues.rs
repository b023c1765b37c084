//! What a launcher does with a command after some time.
//!
//! Invariant: each kind of due takes the same time for all commands, so they come in the order in which they were set.

use crate::model::time::{Duration, Instant};
use std::collections::VecDeque;

/// How long the leftovers of a command that has ended may hold its output open.
pub const LINGER: Duration = Duration::from_secs(1);

/// How long a command runs before its output is read. What is shorter is read at its end, all at once: a poll set that
/// knows of the pipes would report them one by one. A pipe holds 64 KiB meanwhile.
const UNREAD: Duration = Duration::from_millis(1);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// To read the output of a command that runs.
    Read,
    /// To end the leftovers of one that has ended.
    End,
}

/// Commands by the tokens of their processes.
#[derive(Debug, Default)]
pub struct Dues {
    unread: VecDeque<(Instant, u64)>,
    lingering: VecDeque<(Instant, u64)>,
}

impl Dues {
    pub fn read_later(&mut self, now: Instant, token: u64) {
        self.unread.push_back((now + UNREAD, token));
    }

    pub fn end_later(&mut self, now: Instant, token: u64) {
        self.lingering.push_back((now + LINGER, token));
    }

    pub fn next(&self) -> Option<Instant> {
        let fronts = [self.unread.front(), self.lingering.front()];
        fronts.into_iter().flatten().map(|(at, _)| *at).min()
    }

    /// Takes out one that is due.
    pub fn pop(&mut self, now: Instant) -> Option<(Due, u64)> {
        for (dues, due) in [(&mut self.unread, Due::Read), (&mut self.lingering, Due::End)] {
            if let Some((at, token)) = dues.front().copied()
                && at <= now
            {
                dues.pop_front();
                return Some((due, token));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_once_and_not_before_its_time() {
        let (mut dues, begin) = (Dues::default(), Instant(1_000));
        assert_eq!(dues.next(), None);
        dues.end_later(begin, 1);
        dues.read_later(begin, 2);
        dues.read_later(begin + Duration(1), 3);
        assert_eq!(dues.next(), Some(begin + UNREAD));
        assert_eq!(dues.pop(begin + Duration(UNREAD.0 - 1)), None);
        assert_eq!(dues.pop(begin + UNREAD), Some((Due::Read, 2)));
        assert_eq!(dues.pop(begin + UNREAD), None);
        assert_eq!(dues.pop(begin + LINGER), Some((Due::Read, 3)));
        assert_eq!(dues.next(), Some(begin + LINGER));
        assert_eq!(dues.pop(begin + LINGER), Some((Due::End, 1)));
        assert_eq!((dues.pop(begin + LINGER), dues.next()), (None, None));
    }
}
