//! The only way to the outside. Stages, in this order: the durable record, the **barrier**, reporters, stdout and stderr,
//! release of the items' bytes.
//!
//! Without a durable record the barrier is empty: a settlement is shown at once, and its results leave from the buffer
//! that they were read into. With one, everything of a turn waits, copied, until the record is flushed at the end of
//! the turn.
//!
//! Invariant: nothing of a turn is visible before the barrier of that turn, and nothing is visible in another order than
//! it was committed in.

use super::super::answer::Answer;
use super::super::feed::Feed;
use super::super::token::Port;
use super::super::turn::Turn;
use super::early::EarlyOutput;
use super::journaled::Journaled;
use super::output::{OutputStreams, RESUME_BYTES};
use super::reorder::{HeldResults, Reorder};
use super::{digest, job_log};
use crate::core::input::Input;
use crate::model::event::RunEvent;
use crate::model::ids::{Batch, Incarnation, ItemId, WorkerId};
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::{Duration, Instant};
use crate::model::words;
use crate::mutant::mutant;
use crate::reporter::digest::Digest;
use crate::reporter::own_file::OwnFile;
use crate::reporter::{Content, Reporter, ReporterError, Settled};
use crate::sys::outbox::Flushed;
use crate::sys::poller::Interest;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

/// How soon a file is looked at again that no event tells of.
const FILES_RETRY: Duration = Duration::from_millis(20);

/// The beginning of an item, as messages show it.
fn shown_item(item: ItemId, feed: &mut Feed) -> Option<Box<str>> {
    let (shown, _) = feed.shown(item, 1);
    words::shown_item(&shown).map(Into::into)
}

/// The files that reporters write for themselves.
fn own_files<'a>(
    reporters: &'a mut [Box<dyn Reporter>],
    logs: &'a mut [Box<dyn Reporter>],
) -> impl Iterator<Item = &'a mut OwnFile> {
    reporters.iter_mut().chain(logs).filter_map(|reporter| reporter.file())
}

/// Something that waits for the barrier.
enum Deferred {
    Event(RunEvent),
    Results(Box<HeldResults>),
    /// Items that wait for the next session.
    Gap,
}

/// Outcomes on their way out.
pub struct Commit {
    pub output: OutputStreams,
    reporters: Vec<Box<dyn Reporter>>,
    /// They get settled items when these end, before their turn to be shown.
    logs: Vec<Box<dyn Reporter>>,
    /// What the summary says of items; it shows it at the end.
    digest: Option<Rc<RefCell<Digest>>>,
    /// Some reporter shows the items themselves.
    wants_inputs: bool,
    reorder: Reorder,
    /// What commands wrote that still run, if it is shown before they end.
    early: Option<EarlyOutput>,
    journaled: Journaled,
    /// In the order in which it becomes visible.
    waiting: Vec<(Instant, Deferred)>,
    /// The first failure of a reporter's own file since it was last asked for.
    failure: Option<ReporterError>,
    files: FilesState,
}

/// What the files of reporters lead to.
#[derive(Default)]
struct FilesState {
    /// The run stops: no file holds it back any more. What is at workers is bounded.
    stopping: bool,
    /// It was said that the run waits for a file.
    said: bool,
}

impl Commit {
    pub fn new(output: OutputStreams, reporters: Vec<Box<dyn Reporter>>, wants_inputs: bool) -> Self {
        Self {
            output,
            reporters,
            logs: Vec::new(),
            digest: None,
            wants_inputs,
            reorder: Reorder::default(),
            early: None,
            journaled: Journaled::default(),
            waiting: Vec::new(),
            failure: None,
            files: FilesState::default(),
        }
    }

    /// With a record that has to be safe before anything becomes visible.
    #[must_use]
    pub fn with_record(self, journaled: Journaled) -> Self {
        Self { journaled, ..self }
    }

    /// An attempt at these items begins behind the next barrier.
    pub fn begin(&mut self, now: Instant, batch: Batch, feed: &mut Feed) {
        self.journaled.begin(now, batch, feed);
    }

    /// The same for an item that may begin later, or be taken back.
    pub fn begin_in_hand(&mut self, now: Instant, batch: Batch, feed: &mut Feed) {
        self.journaled.begin_in_hand(now, batch, feed);
    }

    /// An item that was in hand was not begun.
    pub fn taken_back(&mut self, now: Instant, item: ItemId) {
        self.journaled.taken_back(now, item);
    }

    /// Whether the record could not be made safe: nothing becomes visible any more, and nothing may begin.
    pub const fn is_record_lost(&self) -> bool {
        self.journaled.is_lost()
    }

    /// Whether something has to be made safe, or shown, before the loop waits.
    pub fn is_behind_barrier(&self) -> bool {
        !self.journaled.is_lost() && (self.journaled.is_behind() || !self.waiting.is_empty())
    }

    /// With reporters that get items in the order in which they end.
    #[must_use]
    pub fn with_logs(self, logs: Vec<Box<dyn Reporter>>) -> Self {
        Self { logs, ..self }
    }

    /// With lines that are shown before their commands end.
    #[must_use]
    pub fn with_early(self, early: Option<EarlyOutput>) -> Self {
        Self { early, ..self }
    }

    /// Shows lines of commands that run, those whose turn it is.
    pub fn show_lines(&mut self, turn: &mut Turn, feed: &mut Feed) {
        let Some(early) = self.early.as_mut().filter(|_| !turn.lines.is_empty()) else { return };
        let now = turn.now;
        for lines in turn.lines.drain(..) {
            let shown = early.arrived(now, lines, &mut self.output, feed);
            self.failure = self.failure.take().or(shown.err());
        }
    }

    /// Names the commands whose lines have been shown since the last call: more of them may come.
    pub fn take_more_lines(&mut self, take_more: impl FnMut(WorkerId, Incarnation)) {
        if let Some(early) = &mut self.early {
            early.take_more(take_more);
        }
    }

    /// With what the summary says of items.
    #[must_use]
    pub fn with_digest(self, digest: Option<Rc<RefCell<Digest>>>) -> Self {
        Self { digest, ..self }
    }

    /// Bytes of results that wait for their turn.
    pub fn held_bytes(&self) -> u64 {
        self.reorder.held_bytes()
    }

    /// Something happened. An item that is tried again, or whose command was stopped, gets its text.
    pub fn event(&mut self, now: Instant, mut event: RunEvent, feed: &mut Feed) {
        match &mut event {
            RunEvent::ItemRetried { item, shown_item: shown, .. }
            | RunEvent::WorkerStopped { item: Some(item), shown_item: shown, .. } => *shown = shown_item(*item, feed),
            _ => {}
        }
        self.note(now, event);
    }

    fn note(&mut self, now: Instant, event: RunEvent) {
        self.files.stopping |= matches!(event, RunEvent::Stopping { .. });
        for log in &mut self.logs {
            let noted = log.event(now, &event, &mut self.output.out, &mut self.output.err);
            self.failure = self.failure.take().or(noted.err());
        }
        if self.journaled.is_on() && !self.shows_although_lost(&event) {
            self.journaled.happened(now, &event);
            self.waiting.push((now, Deferred::Event(event)));
        } else {
            self.show_event(now, &event);
        }
    }

    /// Once the record is lost no outcome is shown any more. Why the run stops is.
    fn shows_although_lost(&self, event: &RunEvent) -> bool {
        self.journaled.is_lost() && !matches!(event, RunEvent::ItemsSettled(_) | RunEvent::ItemRetried { .. })
    }

    /// Items have their outcome. `in_turn`: their results may become visible; else [`Commit::commit`] names them later.
    pub fn settle(
        &mut self,
        now: Instant,
        mut settlement: Settlement,
        in_turn: bool,
        answer: Option<Answer<'_>>,
        feed: &mut Feed,
    ) {
        let mut answer = answer.and_then(|answer| answer.part(&settlement));
        if matches!(settlement.outcome, Outcome::Failed | Outcome::Dead) && settlement.count == 1 {
            settlement.shown_item = shown_item(settlement.first, feed);
        }
        if let Some(digest) = &self.digest {
            digest::ended(&mut digest.borrow_mut(), &settlement, answer.as_ref(), feed);
        }
        for log in &mut self.logs {
            // Its file is written at the end of the turn, behind the barrier.
            let logged = job_log::ended(log.as_mut(), &mut self.output, now, &settlement, &mut answer, feed);
            self.failure = self.failure.take().or(logged.err());
        }
        let in_turn = mutant!(OrderIgnored, in_turn, true);
        if !self.journaled.settled(now, &settlement, answer.as_ref(), feed) {
            return self.leave_open(now, settlement, in_turn, feed);
        }
        if !in_turn {
            // Causes are few, and most settlements have none: the copy costs no allocation.
            self.note(now, RunEvent::ItemsSettled(settlement.clone()));
            // The items need not wait with their results, unless they are shown with them.
            if mutant!(ReleasedBeforeShown, !self.wants_inputs, true) {
                feed.release(settlement.first, settlement.count);
            }
            self.reorder.hold(settlement, answer);
        } else if mutant!(BarrierForgotten, self.journaled.is_on(), false) {
            let event = RunEvent::ItemsSettled(settlement.clone());
            self.waiting.push((now, Deferred::Results(Box::new(HeldResults::new(settlement, answer)))));
            self.waiting.push((now, Deferred::Event(event)));
        } else {
            // What a command wrote stands before the notice of how it ended.
            self.show(now, &settlement, answer, feed);
            self.show_event(now, &RunEvent::ItemsSettled(settlement));
        }
    }

    /// Items have no outcome after all: they wait for the next session. In keep-order nothing that follows them is shown.
    fn leave_open(&mut self, now: Instant, settlement: Settlement, in_turn: bool, feed: &mut Feed) {
        let (first, count) = (settlement.first, settlement.count);
        self.note(now, RunEvent::ItemsSettled(settlement.clone()));
        if in_turn {
            feed.release(first, count);
            self.waiting.push((now, Deferred::Gap));
        } else {
            self.journaled.hold_open(&settlement);
            self.reorder.hold(settlement, None);
        }
    }

    /// The turn of these items, which were settled before, has come.
    pub fn commit(&mut self, now: Instant, first: ItemId, count: u32, feed: &mut Feed) {
        let end = first.plus(u64::from(count));
        while let Some(mut held) = self.reorder.take(first, end) {
            if self.journaled.is_on() {
                self.waiting.push((now, Deferred::Results(Box::new(held))));
                continue;
            }
            self.show_held(now, &mut held, feed);
        }
    }

    fn show_held(&mut self, now: Instant, held: &mut HeldResults, feed: &mut Feed) {
        while let Some((settlement, answer)) = held.take_next() {
            if self.journaled.is_open(&settlement) {
                self.show_pending(now, feed);
                feed.release(settlement.first, settlement.count);
                self.journaled.note_gap();
            } else {
                self.show_recorded(now, &settlement, Some(answer), feed);
            }
        }
    }

    /// Shows an outcome, behind those of an earlier session whose turn comes first.
    fn show_recorded(&mut self, now: Instant, settlement: &Settlement, answer: Option<Answer<'_>>, feed: &mut Feed) {
        self.show_pending(now, feed);
        self.show_next(now, settlement, answer, feed);
    }

    /// Shows an outcome, unless one before it waits for the next session: then this one does, too.
    fn show_next(&mut self, now: Instant, settlement: &Settlement, answer: Option<Answer<'_>>, feed: &mut Feed) {
        if !self.journaled.may_show() {
            return feed.release(settlement.first, settlement.count);
        }
        self.show(now, settlement, answer, feed);
        self.journaled.note_shown(settlement);
    }

    /// Shows results of an earlier session that are due. Nothing becomes visible behind a barrier that did not hold.
    pub fn show_pending(&mut self, now: Instant, feed: &mut Feed) {
        if self.journaled.is_lost() {
            return;
        }
        loop {
            match self.journaled.next_pending(feed) {
                Ok(None) => return,
                Ok(Some(mut read)) => {
                    let settlement = read.settlement.clone();
                    self.show_next(now, &settlement, Some(read.answer()), feed);
                }
                Err(error) => {
                    let failure = ReporterError::Earlier { error };
                    self.failure = self.failure.take().or(Some(failure));
                    return;
                }
            }
        }
    }

    /// Ends a turn: what waits for the files of reporters, then what the descriptors take. The barrier has been passed.
    pub fn end_turn(&mut self, turn: &mut Turn, feed: &mut Feed) {
        self.show_pending(turn.now, feed);
        // Before the files: an item whose line is in the log has its results in its files.
        let failure = self.flush_reporters();
        let waiting = self.flush_files(turn);
        let counted = if self.files.stopping { 0 } else { waiting };
        self.output.set_waiting_for_files(counted);
        if let Some(failure) = failure.or_else(|| self.failure.take()) {
            turn.report(Input::StorageLost { error: failure.to_string() });
        }
        self.journaled.note_mark(&self.output.out);
        self.output.flush(turn);
        if self.output.is_congested() && counted > RESUME_BYTES && !std::mem::replace(&mut self.files.said, true) {
            self.say_what_is_behind(turn);
        }
    }

    /// Passes the barrier, and reports if it does not hold.
    pub fn end_barrier(&mut self, turn: &mut Turn, feed: &mut Feed) {
        if let Some(error) = self.pass_barrier(feed) {
            turn.report(Input::StorageLost { error });
        }
    }

    /// Makes the record safe and shows what waits for that. Without a record nothing waits. Returns why the record is not
    /// safe, the first time that it is not; from then on nothing becomes visible.
    pub fn pass_barrier(&mut self, feed: &mut Feed) -> Option<String> {
        if !self.is_behind_barrier() && (self.journaled.is_lost() || !feed.has_to_record()) {
            return None;
        }
        if let Err(error) = self.journaled.flush(feed, &self.output.out) {
            self.logs.iter_mut().filter_map(|log| log.file()).for_each(OwnFile::discard);
            return Some(format!("write the journal {error}"));
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        for (now, waiting) in waiting.drain(..) {
            match waiting {
                Deferred::Event(event) => self.show_event(now, &event),
                Deferred::Results(mut held) => self.show_held(now, &mut held, feed),
                Deferred::Gap => {
                    self.show_pending(now, feed);
                    self.journaled.note_gap();
                }
            }
        }
        self.waiting = waiting;
        None
    }

    /// Records how the run ended, once stdout is written. Returns why that failed.
    pub fn close_record(&mut self, exit_code: u8, all: bool, feed: &mut Feed) -> Option<String> {
        let closed = self.journaled.close(exit_code, all, feed, &self.output.out);
        closed.err().map(|error| format!("write the journal {error}"))
    }

    /// Reporters write what they hold back; the first failure of one of their files since the last call.
    pub fn flush_reporters(&mut self) -> Option<ReporterError> {
        for reporter in self.reporters.iter_mut().chain(&mut self.logs) {
            let flushed = reporter.flush();
            self.failure = self.failure.take().or(flushed.err());
        }
        self.failure.take()
    }

    /// Writes what the files of reporters take, and watches those that take no more. Returns how many bytes wait.
    pub fn flush_files(&mut self, turn: &mut Turn) -> u64 {
        let mut waiting = 0;
        for file in own_files(&mut self.reporters, &mut self.logs) {
            let flushed = turn.system.flush(&mut file.outbox);
            let blocked = matches!(flushed, Ok(Flushed::Blocked));
            if let Err(error) = flushed {
                let failure = file.lose(error);
                self.failure = self.failure.take().or(Some(failure));
            }
            waiting += file.outbox.len();
            let Some(fd) = file.outbox.watch_fd() else { continue };
            if blocked && !file.is_watched {
                file.is_watched = turn.system.watch(fd, Interest::WRITE, Port::Files.token()).is_ok();
            } else if !blocked && file.is_watched {
                turn.system.unwatch(fd);
                file.is_watched = false;
            }
        }
        waiting
    }

    /// When to look again at files that are behind: no event reports the first reader of a FIFO.
    pub fn next_look_at_files(&mut self, now: Instant) -> Option<Instant> {
        let mut files = own_files(&mut self.reporters, &mut self.logs);
        let unreported = |file: &OwnFile| file.outbox.is_unread() || (!file.is_watched && !file.outbox.is_empty());
        files.any(|file| unreported(file)).then(|| now + FILES_RETRY)
    }

    /// Whether files of reporters have yet to take something.
    pub fn has_files_behind(&mut self) -> bool {
        own_files(&mut self.reporters, &mut self.logs).any(|file| file.is_behind())
    }

    /// Says which files the run waits for.
    pub fn say_what_is_behind(&mut self, turn: &mut Turn) {
        for file in own_files(&mut self.reporters, &mut self.logs).filter(|file| file.is_behind()) {
            turn.notice(&format!("supervisor: {} takes no more; the run waits until it is read", file.path));
        }
    }

    /// Shows an event at once.
    pub fn show_event(&mut self, now: Instant, event: &RunEvent) {
        for reporter in &mut self.reporters {
            let shown = reporter.event(now, event, &mut self.output.out, &mut self.output.err);
            self.failure = self.failure.take().or(shown.err());
        }
    }

    /// Shows the results of a settlement, and releases the bytes of its items. With the items themselves, those that lie
    /// in one piece at a time: short answers that were gathered may be about items of several payloads.
    fn show(&mut self, now: Instant, settlement: &Settlement, answer: Option<Answer<'_>>, feed: &mut Feed) {
        let Settlement { first, count, .. } = *settlement;
        if let Some(early) = &mut self.early {
            let shown = early.precede(now, settlement, answer.as_ref(), &mut self.output, feed);
            self.failure = self.failure.take().or(shown.err());
        }
        if !self.wants_inputs || feed.contiguous(first, count) == count {
            return self.show_piece(now, settlement, answer, feed);
        }
        for (first, count) in feed.pieces(first, count) {
            let piece = Settlement { first, count, ..settlement.clone() };
            let answer = answer.as_ref().map(|answer| answer.of(first, count));
            self.show_piece(now, &piece, answer, feed);
        }
    }

    fn show_piece(&mut self, now: Instant, settlement: &Settlement, answer: Option<Answer<'_>>, feed: &mut Feed) {
        let Settlement { first, count, .. } = *settlement;
        let delimiter = feed.delimiter();
        let (inputs, arguments) =
            if self.wants_inputs { feed.shown(first, count) } else { (Cow::Borrowed(&[][..]), None) };
        let (results, errors, times, exit) = match answer {
            Some(answer) => (answer.results, answer.errors, answer.times, answer.exit),
            None => (Content::default(), Content::default(), None, None),
        };
        let mut settled = Settled { settlement, inputs: &inputs, arguments, delimiter, results, errors, times, exit };
        for reporter in &mut self.reporters {
            let shown = reporter.settled(now, &mut settled, &mut self.output.out, &mut self.output.err);
            self.failure = self.failure.take().or(shown.err());
        }
        drop(inputs);
        if let Some(early) = &mut self.early {
            let shown = early.follow(now, first.plus(u64::from(count)), &mut self.output, feed);
            self.failure = self.failure.take().or(shown.err());
        }
        mutant!(NeverReleased, feed.release(first, count), ());
        feed.committed(u64::from(count));
    }
}

#[cfg(test)]
mod tests {
    use super::super::journaled::DurableRecord;
    use super::super::testing::Still;
    use super::*;
    use crate::journal::record::{GivenAway, JournalRecord};
    use crate::model::ids::Attempt;
    use crate::source::{Delivery, Payload, Source, SourceError};
    use crate::sys::block::Block;
    use crate::sys::outbox::Outbox;
    use crate::sys::spill::{SpillFile, SpilledContent};
    use std::cell::RefCell;
    use std::fs::File;
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::rc::Rc;
    use std::sync::Arc;

    /// Delivers these payloads.
    struct Payloads(Vec<Payload>);

    impl Source for Payloads {
        fn next(&mut self, _: u64) -> Result<Delivery, SourceError> {
            Ok(self.0.pop().map_or(Delivery::Ended, Delivery::Items))
        }
        fn fd(&self) -> Option<BorrowedFd<'_>> {
            None
        }
        fn delimiter(&self) -> u8 {
            b'\n'
        }
        fn mapped_file(&self) -> Option<&Arc<File>> {
            None
        }
    }

    /// Notes what happens, in order.
    #[derive(Clone, Default)]
    struct Notes(Rc<RefCell<Vec<String>>>);

    impl Notes {
        fn add(&self, note: String) {
            self.0.borrow_mut().push(note);
        }
        fn take(&self) -> String {
            std::mem::take(&mut *self.0.borrow_mut()).join(" ")
        }
    }

    impl Reporter for Notes {
        fn event(&mut self, _: Instant, event: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
            if let RunEvent::ItemsSettled(settlement) = event {
                self.add(format!("event{}+{}", settlement.first, settlement.count));
            }
            Ok(())
        }
        fn settled(
            &mut self,
            _: Instant,
            settled: &mut Settled<'_>,
            _: &mut Outbox,
            _: &mut Outbox,
        ) -> Result<(), ReporterError> {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\n', ";");
            let (first, inputs) = (settled.settlement.first, text(settled.inputs));
            self.add(format!("show{first}[{inputs}]={}", text(settled.results.memory)));
            Ok(())
        }
        fn file(&mut self) -> Option<&mut OwnFile> {
            None
        }
        fn flush(&mut self) -> Result<(), ReporterError> {
            Ok(())
        }
    }

    impl DurableRecord for Notes {
        fn taken_in(&mut self, _: &JournalRecord<'_>) {}
        fn begun(&mut self, _: Instant, batch: Batch) {
            self.add(format!("begun{}+{}", batch.first, batch.count));
        }
        fn returned(&mut self, _: Instant, batch: Batch) {
            self.add(format!("back{}+{}", batch.first, batch.count));
        }
        fn happened(&mut self, _: Instant, _: &RunEvent) {}
        fn settled(&mut self, _: Instant, settlement: &Settlement, answer: Option<&Answer<'_>>, _: &[u8]) -> bool {
            let bytes = answer.map_or(0, |answer| answer.results.total_bytes());
            self.add(format!("record{}={bytes}", settlement.first));
            settlement.outcome != Outcome::Skipped
        }
        fn place(&self) -> u64 {
            7
        }
        fn given_away(&mut self, shown: GivenAway, _: u64) {
            self.add(format!("left{shown:?}"));
        }
        fn is_behind(&self) -> bool {
            self.0.borrow().iter().any(|note| note.starts_with("record") || note.starts_with("begun"))
        }
        fn flush(&mut self) -> io::Result<()> {
            self.add("barrier".to_owned());
            Ok(())
        }
        fn close(&mut self, exit_code: u8, all: bool) -> io::Result<()> {
            self.add(format!("closed{exit_code}{all}"));
            Ok(())
        }
    }

    fn take(feed: &mut Feed, turn: &mut Turn) {
        feed.take(super::super::super::feed::Pressure { congested: false, held_bytes: 0, workers: 1 }, turn);
    }

    fn fixture(wants_inputs: bool) -> (Commit, Feed, Turn, Notes) {
        let mut turn = Turn::new(Box::new(Still));
        let block = Arc::new(Block::from(b"a\nb\nc\nd\n".to_vec()));
        let payload = Payload { block, range: 0..8, count: 4, priority: 0 };
        let mut feed = Feed::new(Box::new(Payloads(vec![payload.clone(), payload])), ItemId(0), false);
        feed.set_demand(10);
        take(&mut feed, &mut turn);
        let notes = Notes::default();
        let output = OutputStreams::new(Outbox::default(), Outbox::default());
        (Commit::new(output, vec![Box::new(notes.clone())], wants_inputs), feed, turn, notes)
    }

    fn done(first: u64, count: u32) -> Settlement {
        Settlement::of_done(ItemId(first), count)
    }

    fn answer(first: u64, count: u32, results: &'static [u8]) -> Option<Answer<'static>> {
        let (results, errors) = (Content::in_memory(results), Content::default());
        Some(Answer { first: ItemId(first), count, results, errors, times: None, exit: None, of_failures: false })
    }

    /// Notes how long its file is when it writes what it holds elsewhere.
    struct Holding(OwnFile, std::path::PathBuf, Notes);

    impl Reporter for Holding {
        fn event(&mut self, _: Instant, _: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
            Ok(())
        }
        fn settled(
            &mut self,
            _: Instant,
            _: &mut Settled<'_>,
            _: &mut Outbox,
            _: &mut Outbox,
        ) -> Result<(), ReporterError> {
            self.0.outbox.push(b"line");
            Ok(())
        }
        fn file(&mut self) -> Option<&mut OwnFile> {
            Some(&mut self.0)
        }
        fn flush(&mut self) -> Result<(), ReporterError> {
            self.2.add(format!("file={}", self.1.metadata().unwrap().len()));
            Ok(())
        }
    }

    #[test]
    fn what_reporters_hold_is_written_before_their_files_say_so() {
        let (commit, mut feed, mut turn, notes) = fixture(false);
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let log = Holding(OwnFile::create(&path).unwrap(), path.clone(), notes.clone());
        let mut commit = commit.with_logs(vec![Box::new(log)]);
        commit.settle(Instant::ZERO, done(0, 1), true, answer(0, 1, b""), &mut feed);
        commit.end_turn(&mut turn, &mut feed);
        assert_eq!(
            (notes.take().as_str(), std::fs::read(&path).unwrap().as_slice()),
            ("show0[]= event0+1 file=0", &b"line"[..])
        );
    }

    #[test]
    fn without_a_record_a_settlement_in_turn_is_shown_at_once() {
        let (mut commit, mut feed, _, notes) = fixture(true);
        commit.settle(Instant::ZERO, done(0, 2), true, answer(0, 2, b"A\nB\n"), &mut feed);
        assert_eq!(notes.take(), "show0[a;b;]=A;B; event0+2");
        assert_eq!(feed.payload_bytes(), 4, "two items are left");
    }

    #[test]
    fn an_answer_of_several_settlements_is_divided_at_its_lines() {
        let (mut commit, mut feed, _, notes) = fixture(false);
        for (first, count) in [(0, 1), (1, 2), (3, 1)] {
            commit.settle(Instant::ZERO, done(first, count), true, answer(0, 4, b"A\nB\nC\nD\n"), &mut feed);
        }
        assert_eq!(notes.take(), "show0[]=A; event0+1 show1[]=B;C; event1+2 show3[]=D; event3+1");
        commit.settle(Instant::ZERO, done(4, 1), true, answer(0, 4, b"A\nB\nC\nD\n"), &mut feed);
        assert_eq!(notes.take(), "show4[]= event4+1", "the answer is about other items");
    }

    #[test]
    fn items_of_several_payloads_are_shown_with_their_bytes() {
        let (mut commit, mut feed, mut turn, notes) = fixture(true);
        take(&mut feed, &mut turn);
        commit.settle(Instant::ZERO, done(2, 4), true, answer(2, 4, b"C\nD\nA\nB\n"), &mut feed);
        assert_eq!(notes.take(), "show2[c;d;]=C;D; show4[a;b;]=A;B; event2+4");
    }

    #[test]
    fn results_out_of_turn_wait_in_the_reorder_buffer_and_their_items_only_if_they_are_shown() {
        for wants_inputs in [false, true] {
            let (mut commit, mut feed, _, notes) = fixture(wants_inputs);
            commit.settle(Instant::ZERO, done(2, 2), false, answer(2, 2, b"C\nD\n"), &mut feed);
            assert_eq!((notes.take().as_str(), commit.held_bytes()), ("event2+2", 4));
            commit.settle(Instant::ZERO, done(0, 2), true, answer(0, 2, b"A\nB\n"), &mut feed);
            assert_eq!(feed.payload_bytes(), if wants_inputs { 4 } else { 0 });
            commit.commit(Instant::ZERO, ItemId(2), 2, &mut feed);
            let expected = if wants_inputs {
                "show0[a;b;]=A;B; event0+2 show2[c;d;]=C;D;"
            } else {
                "show0[]=A;B; event0+2 show2[]=C;D;"
            };
            assert_eq!((notes.take().as_str(), commit.held_bytes(), feed.payload_bytes()), (expected, 0, 0));
        }
    }

    fn journaled(record: impl DurableRecord + 'static, in_order: Option<u64>) -> Journaled {
        Journaled::new(Box::new(record), in_order.map(ItemId), None)
    }

    #[test]
    fn with_a_record_nothing_of_a_turn_is_visible_before_the_barrier() {
        let (commit, mut feed, mut turn, notes) = fixture(true);
        let mut commit = commit.with_record(journaled(notes.clone(), None));
        commit.begin(Instant::ZERO, Batch { first: ItemId(0), count: 2, attempt: Attempt::FIRST }, &mut feed);
        commit.settle(Instant::ZERO, done(1, 1), false, answer(1, 1, b"B\n"), &mut feed);
        commit.settle(Instant::ZERO, done(0, 1), true, answer(0, 1, b"A\n"), &mut feed);
        commit.commit(Instant::ZERO, ItemId(1), 1, &mut feed);
        assert!(commit.is_behind_barrier());
        commit.end_barrier(&mut turn, &mut feed);
        let recorded = "begun0+2 record1=2 record0=2 barrier event1+1 show0[a]=A; event0+1 show1[b]=B;";
        assert_eq!(notes.take(), recorded);
        assert!(!commit.is_behind_barrier());
        commit.end_turn(&mut turn, &mut feed);
        commit.end_barrier(&mut turn, &mut feed);
        assert_eq!(notes.take(), "", "a turn without outcomes needs no barrier");
        assert_eq!(commit.close_record(3, true, &mut feed), None);
        assert_eq!(notes.take(), "leftRecordedBefore(7) closed3true");
    }

    #[test]
    fn in_keep_order_nothing_is_shown_behind_an_item_that_waits_for_the_next_session() {
        let (commit, mut feed, mut turn, notes) = fixture(true);
        let mut commit = commit.with_record(journaled(notes.clone(), Some(0)));
        let skipped = Settlement { outcome: Outcome::Skipped, ..done(1, 1) };
        commit.settle(Instant::ZERO, done(2, 1), false, answer(2, 1, b"C\n"), &mut feed);
        commit.settle(Instant::ZERO, skipped, false, None, &mut feed);
        commit.settle(Instant::ZERO, done(0, 1), true, answer(0, 1, b"A\n"), &mut feed);
        commit.commit(Instant::ZERO, ItemId(1), 2, &mut feed);
        commit.end_barrier(&mut turn, &mut feed);
        commit.end_turn(&mut turn, &mut feed);
        let shown = "record2=2 record1=0 record0=2 barrier event2+1 event1+1 show0[a]=A; event0+1";
        assert_eq!(notes.take(), shown);
        assert_eq!(
            (commit.close_record(130, false, &mut feed), feed.payload_bytes()),
            (None, 6),
            "three items are left"
        );
        assert_eq!(notes.take(), "leftBefore(ItemId(1)) closed130false");
    }

    #[test]
    fn a_record_that_cannot_be_made_safe_ends_the_run_and_shows_nothing() {
        /// Fails once, as a file does after a failed sync.
        struct Full(bool);
        impl DurableRecord for Full {
            fn taken_in(&mut self, _: &JournalRecord<'_>) {}
            fn begun(&mut self, _: Instant, _: Batch) {}
            fn returned(&mut self, _: Instant, _: Batch) {}
            fn happened(&mut self, _: Instant, _: &RunEvent) {}
            fn settled(&mut self, _: Instant, _: &Settlement, _: Option<&Answer<'_>>, _: &[u8]) -> bool {
                true
            }
            fn place(&self) -> u64 {
                0
            }
            fn given_away(&mut self, _: GivenAway, _: u64) {}
            fn is_behind(&self) -> bool {
                true
            }
            fn flush(&mut self) -> io::Result<()> {
                let error = io::Error::other("./j: no storage space");
                if std::mem::replace(&mut self.0, false) { Err(error) } else { Ok(()) }
            }
            fn close(&mut self, _: u8, _: bool) -> io::Result<()> {
                unreachable!("a lost record is closed")
            }
        }
        let (commit, mut feed, mut turn, notes) = fixture(false);
        let mut commit = commit.with_record(journaled(Full(true), None));
        commit.settle(Instant::ZERO, done(0, 1), true, answer(0, 1, b"A\n"), &mut feed);
        turn.facts.clear();
        commit.end_barrier(&mut turn, &mut feed);
        commit.settle(Instant::ZERO, done(1, 1), true, answer(1, 1, b"B\n"), &mut feed);
        commit.end_barrier(&mut turn, &mut feed);
        commit.end_turn(&mut turn, &mut feed);
        assert_eq!((notes.take().as_str(), commit.pass_barrier(&mut feed)), ("", None));
        assert_eq!(commit.close_record(4, false, &mut feed), None);
        let facts: Vec<_> = turn.facts.iter().map(|fact| format!("{:?}", fact.input)).collect();
        assert_eq!(facts, ["StorageLost { error: \"write the journal ./j: no storage space\" }"]);
    }

    #[test]
    fn spilled_content_is_freed_by_whichever_stage_it_ends_in() {
        let spill = Arc::new(SpillFile::new());
        let spilled = |first: u64| {
            let mut content = SpilledContent::default();
            content.push(&spill, b"result").unwrap();
            answer(first, 1, b"")
                .map(|answer| Answer { results: Content { spilled: content, ..Content::default() }, ..answer })
        };
        let (recorded, mut feed, mut turn, notes) = fixture(false);
        let mut recorded = recorded.with_record(journaled(notes.clone(), None));
        recorded.settle(Instant::ZERO, done(0, 1), true, spilled(0), &mut feed);
        assert_eq!((notes.take().as_str(), spill.live_bytes()), ("record0=6", 6), "it waits for the barrier");
        recorded.end_barrier(&mut turn, &mut feed);
        assert_eq!(spill.live_bytes(), 0, "the record only reads it");
        let (mut commit, mut feed, _, _) = fixture(false);
        commit.settle(Instant::ZERO, done(0, 1), true, spilled(0), &mut feed);
        assert_eq!(spill.live_bytes(), 0, "no reporter takes it");
        commit.settle(Instant::ZERO, done(1, 1), false, spilled(1), &mut feed);
        assert_eq!((spill.live_bytes(), commit.held_bytes()), (6, 6));
        commit.settle(Instant::ZERO, done(2, 1), false, spilled(7), &mut feed);
        assert_eq!(spill.live_bytes(), 6, "an answer about another item");
        commit.commit(Instant::ZERO, ItemId(1), 2, &mut feed);
        assert_eq!((spill.live_bytes(), commit.held_bytes()), (0, 0));
        commit.settle(Instant::ZERO, done(3, 1), false, spilled(3), &mut feed);
        drop(commit);
        assert_eq!(spill.live_bytes(), 0, "a run that ends early");
    }
}
