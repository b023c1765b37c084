//! Short answers that were read together, as one.
//!
//! With a message per item a worker answers thousands of times a millisecond. How many items a message may hold
//! (`--batch-max`) concerns the channel alone: the core leases batches and settles stretches. So answers that were read
//! together and are about consecutive items become one fact and one slice of results.
//!
//! Invariant: the gathered answers are consecutive, at one attempt, and a line for each item.

use crate::model::ids::{Attempt, Batch, ItemId};
use std::ops::Range;

/// Results of more bytes are not copied: they leave from where they were read.
const GATHERED_BYTES_MAX: usize = 1024;

/// Answers of one worker since the last read.
#[derive(Default)]
pub struct Gathered {
    first: u64,
    attempt: u32,
    /// 0: nothing is gathered at the moment.
    items: u32,
    /// 0: for some answer it is unknown.
    busy_ns: u64,
    /// Where the results of the present stretch begin.
    start: usize,
    /// Where the times of its items are, if its answers come with times.
    times: Option<Range<usize>>,
    /// All results since the last read, a line for each item.
    results: Vec<u8>,
}

/// Answers that were gathered.
#[derive(Debug, PartialEq, Eq)]
pub struct Stretch {
    pub batch: Batch,
    pub busy_ns: u64,
    /// Where the results are, in [`Gathered::results`].
    pub results: Range<usize>,
    /// Where the times of the items are, among those of the last read.
    pub times: Option<Range<usize>>,
}

impl Gathered {
    /// Forgets everything: the next read begins.
    pub fn clear(&mut self) {
        (self.items, self.start) = (0, 0);
        self.results.clear();
    }

    /// Takes an answer, if it continues the present stretch and is short. The results of several items are known to be
    /// a line each; those of one may be any bytes. `times`: where those of its items are.
    #[inline]
    pub fn take(&mut self, batch: Batch, busy_ns: u64, results: &[u8], times: Option<&Range<usize>>) -> bool {
        let is_line = || batch.count > 1 || memchr::memchr(b'\n', results).is_some_and(|at| at + 1 == results.len());
        if results.len() > GATHERED_BYTES_MAX || !is_line() {
            return false;
        }
        if self.items == 0 {
            (self.first, self.attempt, self.busy_ns) = (batch.first.0, batch.attempt.0, busy_ns);
        } else {
            let Some(items) = self.items.checked_add(batch.count) else { return false };
            if batch.first.0 != self.first.wrapping_add(u64::from(self.items)) || batch.attempt.0 != self.attempt {
                return false;
            }
            match (&mut self.times, times) {
                (None, None) => {}
                (Some(present), Some(times)) if present.end == times.start => present.end = times.end,
                _ => return false,
            }
            self.busy_ns = if self.busy_ns == 0 || busy_ns == 0 { 0 } else { self.busy_ns.saturating_add(busy_ns) };
            self.items = items;
            self.results.extend_from_slice(results);
            return true;
        }
        self.items = batch.count;
        self.times = times.cloned();
        self.results.extend_from_slice(results);
        true
    }

    /// Ends the present stretch, if there is one.
    pub fn end(&mut self) -> Option<Stretch> {
        if self.items == 0 {
            return None;
        }
        let count = std::mem::take(&mut self.items);
        let results = self.start..self.results.len();
        self.start = self.results.len();
        let batch = Batch { first: ItemId(self.first), count, attempt: Attempt(self.attempt) };
        Some(Stretch { batch, busy_ns: self.busy_ns, results, times: self.times.take() })
    }

    pub fn results(&self, range: &Range<usize>) -> &[u8] {
        self.results.get(range.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: u64, count: u32) -> Batch {
        Batch { first: ItemId(first), count, attempt: Attempt(2) }
    }

    #[test]
    fn consecutive_short_answers_become_one() {
        let mut gathered = Gathered::default();
        assert!(gathered.take(batch(7, 1), 10, b"a\n", None));
        assert!(gathered.take(batch(8, 2), 20, b"b\n\n", None));
        assert!(gathered.take(batch(10, 1), 30, b"\n", None));
        for (next, results) in [
            (batch(11, 1), &b"no newline"[..]),
            (batch(11, 1), b"two\nlines\n"),
            (batch(11, 1), b""),
            (batch(11, 1), &[b'x'; GATHERED_BYTES_MAX + 1]),
            (batch(10, 1), b"again\n"),
            (batch(12, 1), b"one too far\n"),
            (batch(11, u32::MAX), b"too many\n"),
            (Batch { attempt: Attempt(1), ..batch(11, 1) }, b"another attempt\n"),
        ] {
            assert!(!gathered.take(next, 1, results, None), "{next:?}");
        }
        assert_eq!(gathered.end(), Some(Stretch { batch: batch(7, 4), busy_ns: 60, results: 0..6, times: None }));
        assert_eq!(gathered.end(), None);
        assert_eq!(gathered.results(&(0..6)), b"a\nb\n\n\n");
    }

    #[test]
    fn stretches_of_one_read_keep_their_results() {
        let mut gathered = Gathered::default();
        assert!(gathered.take(batch(1, 1), 5, b"x\n", None));
        let first = gathered.end().unwrap();
        assert!(gathered.take(batch(9, 1), 0, b"of unknown time\n", None));
        assert!(gathered.take(batch(10, 1), 5, b"y\n", None));
        let second = gathered.end().unwrap();
        assert_eq!((first.busy_ns, gathered.results(&first.results)), (5, &b"x\n"[..]));
        assert_eq!((second.busy_ns, gathered.results(&second.results)), (0, &b"of unknown time\ny\n"[..]));
        gathered.clear();
        assert_eq!(gathered.results(&second.results), b"");
    }

    #[test]
    fn a_stretch_has_the_times_of_all_its_items_or_none() {
        let mut gathered = Gathered::default();
        assert!(gathered.take(batch(1, 1), 5, b"a\n", Some(&(0..1))));
        assert!(!gathered.take(batch(2, 1), 5, b"b\n", None), "an answer without times");
        assert!(!gathered.take(batch(2, 1), 5, b"b\n", Some(&(2..3))), "the times of a failed item are before its own");
        assert!(gathered.take(batch(2, 3), 5, b"b\nc\nd\n", Some(&(1..4))));
        assert_eq!(gathered.end().unwrap().times, Some(0..4));
        assert!(gathered.take(batch(5, 1), 5, b"e\n", None));
        assert!(!gathered.take(batch(6, 1), 5, b"f\n", Some(&(4..5))), "an answer with times");
        assert_eq!(gathered.end().unwrap().times, None);
    }
}
