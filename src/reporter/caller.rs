//! For the program that started a run: every event and every settled item, through a channel.
//!
//! The channel has no limit of its own, since a reporter never waits. The [`UntakenBytes`] counts what the program has not
//! taken yet, and the engine treats it as it treats bytes that wait for stdout: above a MiB it takes in no items and
//! reads from no worker.
//!
//! Invariant: a program that does not take its notifications stops the run, and never makes it grow.

use super::own_file::OwnFile;
use super::{Content, Reporter, ReporterError, Settled, spill_failed};
use crate::model::event::RunEvent;
use crate::model::notification::{ItemReport, Notification};
use crate::model::outcome::Settlement;
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;

/// What a notification takes beside its bytes, about.
const NOTIFICATION_BYTES: u64 = 128;

/// Bytes of notifications that the program has not taken.
#[derive(Debug, Default)]
pub struct UntakenBytes(AtomicU64);

impl UntakenBytes {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// The program has taken a notification; the bytes that waited before and that wait now.
    pub fn taken(&self, notification: &Notification) -> (u64, u64) {
        let bytes = size(notification);
        let before = self.0.fetch_update(Relaxed, Relaxed, |waiting| Some(waiting.saturating_sub(bytes)));
        let before = before.unwrap_or_default();
        (before, before.saturating_sub(bytes))
    }

    /// What waits is dropped, and what still comes is not counted.
    pub fn clear(&self) {
        self.0.store(0, Relaxed);
    }

    fn add(&self, notification: &Notification) {
        self.0.fetch_add(size(notification), Relaxed);
    }
}

fn size(notification: &Notification) -> u64 {
    match notification {
        Notification::Event { .. } => NOTIFICATION_BYTES,
        Notification::Item(report) => NOTIFICATION_BYTES + (report.result.len() + report.errors.len()) as u64,
    }
}

/// The reporter.
pub struct Caller {
    sender: Sender<Notification>,
    untaken: Arc<UntakenBytes>,
}

impl Caller {
    #[must_use]
    pub fn new(sender: Sender<Notification>, untaken: Arc<UntakenBytes>) -> Self {
        Self { sender, untaken }
    }

    fn send(&self, notification: Notification) {
        self.untaken.add(&notification);
        if let Err(lost) = self.sender.send(notification) {
            // The program has dropped its end: what it does not want must not stop the run.
            self.untaken.taken(&lost.0);
        }
    }
}

impl Reporter for Caller {
    fn event(&mut self, now: Instant, event: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        // Settled items come one by one, with their results.
        if !matches!(event, RunEvent::ItemsSettled(_)) {
            self.send(Notification::Event { at: now, event: event.clone() });
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
        let report = |settlement: &Settlement, item, result, errors, time| ItemReport {
            item,
            outcome: settlement.outcome.clone(),
            result,
            errors,
            attempts: settlement.attempts,
            worker: settlement.worker,
            pid: settlement.pid,
            causes: settlement.causes.clone(),
            causes_omitted: settlement.causes_omitted,
            exit: settled.exit,
            started: time,
        };
        let started = |index: usize| settled.times.and_then(|times| times.get(index)).map(|time| time.started);
        if settled.settlement.count > 1 {
            for (index, (item, _, result)) in settled.each().enumerate() {
                let mut line = result.to_vec();
                line.push(b'\n');
                let report = report(settled.settlement, item, line, Vec::new(), started(index));
                self.send(Notification::Item(report));
            }
            return Ok(());
        }
        let (result, errors) = (whole(&settled.results)?, whole(&settled.errors)?);
        let report = report(settled.settlement, settled.settlement.first, result, errors, started(0));
        self.send(Notification::Item(report));
        Ok(())
    }

    /// Has no file of its own.
    fn file(&mut self) -> Option<&mut OwnFile> {
        None
    }

    /// Has nothing elsewhere.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

/// The content, with the part that is in a file.
fn whole(content: &Content<'_>) -> Result<Vec<u8>, ReporterError> {
    let mut bytes = vec![0; content.spilled.bytes() as usize];
    content.spilled.read_at(0, &mut bytes).map_err(|error| spill_failed(&content.spilled, error))?;
    bytes.extend_from_slice(content.memory);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::ItemId;
    use crate::model::outcome::Outcome;
    use std::sync::mpsc;

    fn settled(count: u32, outcome: Outcome) -> Settlement {
        Settlement { outcome, ..Settlement::of_done(ItemId(4), count) }
    }

    fn show(caller: &mut Caller, settlement: &Settlement, results: &[u8]) {
        let mut settled = Settled {
            settlement,
            inputs: b"",
            arguments: None,
            delimiter: b'\n',
            results: Content::in_memory(results),
            errors: Content::default(),
            times: None,
            exit: None,
        };
        caller.settled(Instant::ZERO, &mut settled, &mut Outbox::default(), &mut Outbox::default()).unwrap();
    }

    #[test]
    fn each_item_comes_with_its_result_and_the_backlog_is_what_was_not_taken() {
        let (sender, receiver) = mpsc::channel();
        let untaken = Arc::new(UntakenBytes::default());
        let mut caller = Caller::new(sender, Arc::clone(&untaken));
        show(&mut caller, &settled(2, Outcome::Done), b"one\ntwo\n");
        show(&mut caller, &settled(1, Outcome::Done), b"no newline");
        assert_eq!(untaken.bytes(), 3 * NOTIFICATION_BYTES + 18);
        let taken: Vec<Notification> = receiver.try_iter().inspect(|taken| _ = untaken.taken(taken)).collect();
        let results: Vec<(u64, &[u8])> = taken
            .iter()
            .map(|taken| match taken {
                Notification::Item(report) => (report.item.0, report.result.as_slice()),
                Notification::Event { .. } => panic!("{taken:?}"),
            })
            .collect();
        assert_eq!(results, [(4, &b"one\n"[..]), (5, b"two\n"), (4, b"no newline")]);
        assert_eq!(untaken.bytes(), 0);
        drop(receiver);
        show(&mut caller, &settled(1, Outcome::Done), b"nobody takes it");
        assert_eq!(untaken.bytes(), 0);
    }
}
