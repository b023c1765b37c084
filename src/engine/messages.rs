//! Runs on their way to a resident worker as messages, and messages on their way back as runs.
//!
//! How many items a message may hold (`--batch-max`) is nobody's business but the channel's: the core
//! leases runs and hears of runs. A run leaves as many messages, in one write; answers that were read
//! together and speak of consecutive items are **gathered** into one fact and one slice of results.
//!
//! Invariant: what is gathered is consecutive items at their first attempt, which the core settles as
//! one. If the core refuses it, because the last of the answers is about more than the worker holds, none
//! of them counts, and those items run again.

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
    first: u64,
    attempt: u32,
    /// 0: nothing is gathered.
    items: u32,
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
        if self.items == 0 {
            (self.first, self.attempt, self.items, self.busy_ns) = (batch.first.0, batch.attempt.0, 0, busy_ns);
            self.results.clear();
        } else if batch.first.0 != self.first.wrapping_add(u64::from(self.items))
            || batch.attempt != Attempt::FIRST
            || self.attempt != Attempt::FIRST.0
            || self.items.checked_add(batch.count).is_none()
        {
            // The core settles later attempts one by one, so their results come one by one.
            return false;
        } else {
            self.busy_ns = if self.busy_ns == 0 || busy_ns == 0 { 0 } else { self.busy_ns.saturating_add(busy_ns) };
        }
        self.items += batch.count;
        self.results.extend_from_slice(results);
        true
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

    /// Hands what is gathered to the core as one fact.
    pub(super) fn tell_gathered(&mut self, worker: WorkerId, incarnation: Incarnation) {
        if self.gathered.items == 0 {
            return;
        }
        let gathered = std::mem::take(&mut self.gathered);
        let (first, attempt) = (ItemId(gathered.first), Attempt(gathered.attempt));
        let batch = Batch { first, count: gathered.items, attempt };
        self.tell_done(worker, incarnation, batch, gathered.busy_ns, &gathered.results);
        // Its buffer is used again.
        self.gathered = Gathered { items: 0, ..gathered };
    }

    fn tell_done(&mut self, worker: WorkerId, incarnation: Incarnation, batch: Batch, busy_ns: u64, results: &[u8]) {
        let Batch { first, count, attempt } = batch;
        let (results, errors) = (Content { spilled: &[], memory: results }, Content::default());
        let answer = Answer { first, results, errors, times: None, exit: None, of_failures: false };
        self.feed_with(Input::Settled { worker, incarnation, first, count, attempt, busy_ns }, Some(&answer));
    }
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
        Batch { first: ItemId(first), count, attempt: Attempt::FIRST }
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
            (Batch { attempt: Attempt(2), ..run(11, 1) }, b"another attempt\n"),
        ] {
            assert!(!gathered.take(next, 1, results));
        }
        assert_eq!((gathered.first, gathered.items, gathered.busy_ns), (7, 4, 60));
        assert_eq!(gathered.results, b"a\nb\n\n\n");
        assert!(gathered.take(run(11, 1), 0, b"of unknown time\n"));
        assert!(gathered.take(run(12, 1), 5, b"x\n"));
        assert_eq!(gathered.busy_ns, 0);
    }

    #[test]
    fn answers_to_later_attempts_come_alone() {
        let mut gathered = Gathered::default();
        let again = |first| Batch { attempt: Attempt(2), ..run(first, 1) };
        assert!(gathered.take(again(7), 10, b"a\n"));
        assert!(!gathered.take(again(8), 10, b"b\n"));
    }
}
