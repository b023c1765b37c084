//! Runs on their way to a resident worker as messages, and messages on their way back as runs.
//!
//! How many items a message may hold (`--batch-max`) is nobody's business but the channel's: the core
//! leases runs and hears of runs. A run leaves as many messages, in one write; answers that were read
//! together and speak of consecutive items are **gathered** into one fact and one slice of results.
//!
//! Invariant: what is gathered would have been accepted if each answer had come alone. A fact is never
//! of more than what is left of the oldest run that the worker holds, and all others come alone.

use super::event_loop::Engine;
use super::telling::Answer;
use crate::core::input::Input;
use crate::model::ids::{Attempt, Batch, Incarnation, ItemId, WorkerId};
use crate::reporter::Content;
use crate::sys::block::BlockSlice;
use crate::transport::{Channel, ChannelError};
use crate::wire::message::ToWorker;

/// Results of more bytes are not copied to others: they are told from where they lie.
const GATHERED_BYTES_MAX: usize = 1024;

/// Queues a run for a worker, in messages of at most `items_max` items.
pub(super) fn queue(
    channel: &mut dyn Channel,
    batch: Batch,
    body: &BlockSlice<'_>,
    items_max: u32,
    delimiter: u8,
) -> Result<(), ChannelError> {
    let (bytes, start) = (body.bytes(), body.range().start);
    let mut ends = memchr::memchr_iter(delimiter, bytes);
    let (mut rest, mut at) = (batch, 0);
    while rest.count > items_max
        && let Some(end) = ends.nth(items_max as usize - 1)
    {
        // An item alone is whole; each of several is followed by its delimiter.
        let body_end = if items_max == 1 { end } else { end + 1 };
        let part = BlockSlice::new(body.block(), start + at..start + body_end);
        channel.queue(message(Batch { count: items_max, ..rest }), part)?;
        rest = Batch { first: rest.first.plus(u64::from(items_max)), count: rest.count - items_max, ..rest };
        at = end + 1;
    }
    let end = if rest.count == 1 && batch.count > 1 { bytes.len().saturating_sub(1) } else { bytes.len() };
    channel.queue(message(rest), BlockSlice::new(body.block(), start + at..start + end.max(at)))
}

fn message(Batch { first, count, attempt }: Batch) -> ToWorker {
    ToWorker::Batch { first: first.0, count, attempt: attempt.0 }
}

/// Answers of one worker that were read together, none of them told yet.
#[derive(Default)]
pub struct Gathered {
    /// How many items each answer speaks of, and how many bytes its results are.
    answers: Vec<(u32, u32)>,
    first: u64,
    attempt: u32,
    items: u64,
    /// 0: of some answer it is unknown.
    busy_ns: u64,
    /// A line for each item.
    results: Vec<u8>,
}

impl Gathered {
    /// Takes an answer, if it goes on where the last one ended and is short; its results are, if of one
    /// item, any bytes, else known to be a line each.
    #[inline]
    fn take(&mut self, batch: Batch, busy_ns: u64, results: &[u8]) -> bool {
        let is_line = || batch.count > 1 || memchr::memchr(b'\n', results).is_some_and(|at| at + 1 == results.len());
        if results.len() > GATHERED_BYTES_MAX || !is_line() {
            return false;
        }
        if self.answers.is_empty() {
            (self.first, self.attempt, self.items, self.busy_ns) = (batch.first.0, batch.attempt.0, 0, busy_ns);
            self.results.clear();
        } else if batch.first.0 != self.first.wrapping_add(self.items) || batch.attempt.0 != self.attempt {
            return false;
        } else {
            self.busy_ns = if self.busy_ns == 0 || busy_ns == 0 { 0 } else { self.busy_ns.saturating_add(busy_ns) };
        }
        self.items += u64::from(batch.count);
        self.answers.push((batch.count, results.len() as u32));
        self.results.extend_from_slice(results);
        true
    }

    /// How many of these answers speak of no more than this run, and of how many items and bytes.
    fn within(answers: &[(u32, u32)], batch: Batch) -> (usize, u32, usize) {
        let mut found = (0, 0, 0);
        for (count, bytes) in answers {
            let items = found.1 + u64::from(*count);
            if items > u64::from(batch.count) {
                break;
            }
            found = (found.0 + 1, items, found.2 + *bytes as usize);
        }
        (found.0, found.1 as u32, found.2)
    }
}

impl Engine {
    /// A worker's answer that some of its items are done. It is told with the next ones, or at once.
    #[inline]
    pub(super) fn gather(
        &mut self,
        worker: WorkerId,
        incarnation: Incarnation,
        batch: Batch,
        busy_ns: u64,
        results: &[u8],
    ) {
        if self.gathered.take(batch, busy_ns, results) {
            return;
        }
        self.tell_gathered(worker, incarnation);
        if !self.gathered.take(batch, busy_ns, results) {
            self.tell_done(worker, incarnation, batch, busy_ns, results);
        }
    }

    /// Hands what is gathered to the core, a run at a time.
    pub(super) fn tell_gathered(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if self.gathered.answers.is_empty() {
            return;
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        let (mut answers, mut results) = (gathered.answers.as_slice(), gathered.results.as_slice());
        let (mut first, attempt) = (gathered.first, Attempt(gathered.attempt));
        while let Some((count, bytes)) = answers.first() {
            let held = self.core.oldest_batch(worker, incarnation);
            let held = held.filter(|held| held.first.0 == first && held.attempt == attempt);
            let fitting = held.map(|held| Gathered::within(answers, held)).filter(|fitting| fitting.0 > 0);
            // What the worker does not hold is judged by itself, as the core judges any answer.
            let (taken, items, bytes) = fitting.unwrap_or((1, *count, *bytes as usize));
            let busy_ns = share(gathered.busy_ns, u64::from(items), gathered.items);
            let batch = Batch { first: ItemId(first), count: items, attempt };
            self.tell_done(worker, incarnation, batch, busy_ns, &results[..bytes]);
            (answers, results) = (&answers[taken..], &results[bytes..]);
            first = first.wrapping_add(u64::from(items));
        }
        gathered.answers.clear();
        self.gathered = gathered;
    }

    fn tell_done(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Batch, busy_ns: u64, results: &[u8]) {
        let Batch { first, count, attempt } = batch;
        let (results, errors) = (Content::in_memory(results), Content::default());
        let answer = Answer { first, results, errors, times: None, exit: None, of_failures: false };
        self.feed_with(Input::Settled { worker, incarnation, first, count, attempt, busy_ns }, Some(answer));
    }
}

/// The part of so many of all items, not 0 if the whole is not.
fn share(whole_ns: u64, items: u64, all: u64) -> u64 {
    if items == all || whole_ns == 0 {
        return whole_ns;
    }
    let part = u128::from(whole_ns) * u128::from(items) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::block::Block;
    use crate::transport::{Fill, Flush};
    use crate::wire::message::FromWorker;
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::sync::Arc;

    /// Keeps what is queued.
    #[derive(Default)]
    struct Notes(Vec<(u64, u32, String)>);

    impl Channel for Notes {
        fn read_fd(&self) -> BorrowedFd<'_> {
            unreachable!("nothing is read")
        }

        fn write_fd(&self) -> Option<BorrowedFd<'_>> {
            None
        }

        fn fill(&mut self) -> io::Result<Fill> {
            Ok(Fill::Blocked)
        }

        fn next(&mut self) -> Result<Option<(FromWorker, &[u8])>, ChannelError> {
            Ok(None)
        }

        fn queue(&mut self, message: ToWorker, body: BlockSlice<'_>) -> Result<(), ChannelError> {
            let ToWorker::Batch { first, count, attempt: 2 } = message else { panic!("{message:?}") };
            self.0.push((first, count, String::from_utf8(body.bytes().to_vec()).unwrap()));
            Ok(())
        }

        fn flush(&mut self) -> io::Result<Flush> {
            Ok(Flush::All)
        }

        fn backlog_bytes(&self) -> usize {
            0
        }

        fn close_input(&mut self) {}
    }

    fn queued(items: &str, count: u32, items_max: u32) -> String {
        let block = Arc::new(Block::from(format!("before;{items}behind;").into_bytes()));
        let mut notes = Notes::default();
        let batch = Batch { first: ItemId(7), count, attempt: Attempt(2) };
        let body = BlockSlice::new(&block, 7..7 + items.len());
        queue(&mut notes, batch, &body, items_max, b';').unwrap();
        let told = notes.0.iter().map(|(first, count, body)| format!("{first}+{count}:{body}"));
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_run_is_cut_into_messages() {
        let items = "a;;ccc;d;e;";
        assert_eq!(queued(items, 5, u32::MAX), "7+5:a;;ccc;d;e;");
        assert_eq!(queued(items, 5, 5), "7+5:a;;ccc;d;e;");
        assert_eq!(queued(items, 5, 4), "7+4:a;;ccc;d; 11+1:e");
        assert_eq!(queued(items, 5, 3), "7+3:a;;ccc; 10+2:d;e;");
        assert_eq!(queued(items, 5, 2), "7+2:a;; 9+2:ccc;d; 11+1:e");
        assert_eq!(queued(items, 5, 1), "7+1:a 8+1: 9+1:ccc 10+1:d 11+1:e");
        assert_eq!(queued("one item; whole", 1, 1), "7+1:one item; whole");
        assert_eq!(queued("", 1, 1), "7+1:");
        // What is not held is not invented: a worker refuses this.
        assert_eq!(queued("", 3, 1), "7+3:");
    }

    fn run(first: u64, count: u32) -> Batch {
        Batch { first: ItemId(first), count, attempt: Attempt(2) }
    }

    #[test]
    fn answers_are_gathered_as_long_as_they_adjoin_and_are_a_line_for_each_item() {
        let mut gathered = Gathered::default();
        assert!(gathered.take(run(7, 1), 10, b"a\n"));
        assert!(gathered.take(run(8, 2), 20, b"b\n\n"));
        assert!(gathered.take(run(10, 1), 30, b"\n"));
        for (next, results) in [
            (run(11, 1), &b"no newline"[..]),
            (run(11, 1), b"two\nlines\n"),
            (run(11, 1), b""),
            (run(11, 1), &[b'x'; GATHERED_BYTES_MAX + 1]),
            (run(10, 1), b"again\n"),
            (run(12, 1), b"one too far\n"),
            (Batch { attempt: Attempt(1), ..run(11, 1) }, b"another attempt\n"),
        ] {
            assert!(!gathered.take(next, 1, results));
        }
        assert_eq!((gathered.first, gathered.items, gathered.busy_ns), (7, 4, 60));
        assert_eq!(gathered.results, b"a\nb\n\n\n");
        assert_eq!(gathered.answers, [(1, 2), (2, 3), (1, 1)]);
        assert!(gathered.take(run(11, 1), 0, b"of unknown time\n"));
        assert!(gathered.take(run(12, 1), 5, b"x\n"));
        assert_eq!(gathered.busy_ns, 0);
    }

    #[test]
    fn no_more_is_told_together_than_a_run_holds() {
        let answers = [(1, 2), (2, 3), (1, 1)];
        assert_eq!(Gathered::within(&answers, run(7, 9)), (3, 4, 6));
        assert_eq!(Gathered::within(&answers, run(7, 4)), (3, 4, 6));
        assert_eq!(Gathered::within(&answers, run(7, 3)), (2, 3, 5));
        assert_eq!(Gathered::within(&answers, run(7, 2)), (1, 1, 2));
        assert_eq!(Gathered::within(&[(2, 3)], run(7, 1)), (0, 0, 0));
        assert_eq!((share(100, 1, 4), share(100, 4, 4), share(1, 1, 4), share(0, 1, 4)), (25, 100, 1, 0));
    }
}
