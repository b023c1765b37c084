//! What the summary says of items beyond their outcomes: which succeeded only when they were tried again, which took
//! longest, and the command line that runs one failed item alone.
//!
//! The engine tells it of items when they end, since only then all of that is at hand: the item, its times, its attempts.
//!
//! Invariant: memory is bounded, however many items a run has, and a name is asked for only if it may be shown.

use super::ItemTime;
use crate::model::ids::{ItemId, WorkerId};
use crate::model::outcome::{Outcome, Settlement};
use crate::model::time::Duration;
use crate::model::words::{self, counted};

/// Items that are named as the slowest ones.
const SLOWEST_MAX: usize = 5;
/// With no more items than this, each can be looked at, and a shorter time needs no attention.
const FEW_ITEMS: u64 = 5;
const SLOW_MIN: Duration = Duration::from_secs(1);
/// An item is slow that takes as many times the median.
const SLOW_FACTOR: u64 = 4;
/// A longer command line is not shown, and one that is cut could not be run.
const COMMAND_BYTES_MAX: usize = 2000;

/// Appends the command line that runs an item, given its bytes, quoted for a shell.
pub type CommandLineOf = Box<dyn FnMut(&[u8], ItemId, WorkerId, &mut Vec<u8>)>;

/// Looks an item up and hands what it finds to the second argument.
pub type ItemLookup<'a> = dyn FnMut(ItemId, &mut dyn FnMut(EndedItem<'_>)) + 'a;

/// An item at hand.
pub struct EndedItem<'a> {
    /// The beginning of it, quoted and escaped; `None` for an empty one.
    pub shown: Option<Box<str>>,
    pub bytes: &'a [u8],
}

/// What is kept of the items that have ended.
pub struct Digest {
    command_line_of: Option<CommandLineOf>,
    /// The one that failed first, and its command line.
    command: Option<(ItemId, String)>,
    flaky: u64,
    /// Of those, one with the most attempts, and its name.
    flakiest: Option<(u32, String)>,
    /// The slowest first.
    slowest: Vec<(Duration, String)>,
    timed: u64,
    /// How many items took 2^N nanoseconds or more, and less than the double.
    by_magnitude: [u64; 64],
}

impl Digest {
    /// `command_line_of`: where items are commands that can be run alone.
    #[must_use]
    pub const fn new(command_line_of: Option<CommandLineOf>) -> Self {
        Self {
            command_line_of,
            command: None,
            flaky: 0,
            flakiest: None,
            slowest: Vec::new(),
            timed: 0,
            by_magnitude: [0; 64],
        }
    }

    /// Items have their outcome. `item` has what is known of one of them.
    pub fn ended(&mut self, settlement: &Settlement, times: Option<&[ItemTime]>, item: &mut ItemLookup<'_>) {
        let first = settlement.first;
        match settlement.outcome {
            Outcome::Done if settlement.attempts > 1 && settlement.count == 1 => {
                self.flaky += 1;
                if self.flakiest.as_ref().is_none_or(|(most, _)| *most < settlement.attempts) {
                    item(first, &mut |ended| {
                        self.flakiest = Some((settlement.attempts, words::item_of(first, ended.shown.as_deref())));
                    });
                }
            }
            // An item that was never begun cannot be run.
            Outcome::Failed | Outcome::Dead if self.command.is_none() && settlement.attempts > 0 => {
                let worker = settlement.worker.unwrap_or(WorkerId::from_index(0));
                item(first, &mut |ended| self.note_command(first, worker, ended.bytes));
            }
            _ => {}
        }
        for (index, time) in times.unwrap_or_default().iter().enumerate() {
            self.note_time(first.plus(index as u64), time.runtime, item);
        }
    }

    fn note_command(&mut self, item: ItemId, worker: WorkerId, bytes: &[u8]) {
        let Some(command_line_of) = &mut self.command_line_of else { return };
        let mut line = Vec::new();
        command_line_of(bytes, item, worker, &mut line);
        // Escaped it would be another command, and as it is it could control the terminal.
        let is_shown =
            |line: &String| !line.is_empty() && line.len() <= COMMAND_BYTES_MAX && words::escaped(line) == *line;
        self.command = String::from_utf8(line).ok().filter(is_shown).map(|line| (item, line));
    }

    fn note_time(&mut self, id: ItemId, runtime: Duration, item: &mut ItemLookup<'_>) {
        self.timed += 1;
        self.by_magnitude[runtime.0.checked_ilog2().unwrap_or(0) as usize] += 1;
        let is_among = self.slowest.len() < SLOWEST_MAX || self.slowest.last().is_some_and(|(last, _)| *last < runtime);
        if is_among {
            let at = self.slowest.partition_point(|(other, _)| *other >= runtime);
            item(id, &mut |ended| self.slowest.insert(at, (runtime, words::item_of(id, ended.shown.as_deref()))));
            self.slowest.truncate(SLOWEST_MAX);
        }
    }

    /// Lines for the summary, each ended. `always`: also times that are nothing unusual.
    #[must_use]
    pub fn text(&self, always: bool) -> String {
        let mut text = String::new();
        if let Some((item, line)) = &self.command {
            text.push_str(&format!("to run item {item} alone: {line}\n"));
        }
        if let Some((attempts, name)) = &self.flakiest {
            let flaky = counted(self.flaky, "item was done", "items were done");
            text.push_str(&format!("{flaky} after more than one attempt; most: {name}, {attempts} attempts\n"));
        }
        if self.shows_times(always) {
            text.push_str("slowest items:\n");
            for (runtime, name) in &self.slowest {
                text.push_str(&format!("{:>12} s  {name}\n", format!("{:.3}", runtime.as_secs_f64())));
            }
        }
        text
    }

    fn shows_times(&self, always: bool) -> bool {
        let Some((slowest, _)) = self.slowest.first() else { return false };
        let is_slow = *slowest >= SLOW_MIN && slowest.0 / SLOW_FACTOR >= self.median_max().0;
        if always { self.timed > FEW_ITEMS || *slowest >= SLOW_MIN } else { self.timed > FEW_ITEMS && is_slow }
    }

    /// The median is not above this, and more than half of it.
    fn median_max(&self) -> Duration {
        let mut left = self.timed.div_ceil(2);
        for (magnitude, count) in self.by_magnitude.iter().enumerate() {
            if left <= *count {
                return Duration(2_u64.checked_pow(magnitude as u32 + 1).unwrap_or(u64::MAX));
            }
            left -= count;
        }
        Duration(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::{CRASHED, cause, settlement};
    use super::*;
    use crate::model::outcome::{CauseKind, FailReason};
    use crate::model::time::Instant;

    /// Items whose text is their number.
    fn end(digest: &mut Digest, settlement: &Settlement, runtimes_ms: &[u64]) {
        let time = |ms: &u64| ItemTime { started: Instant::ZERO, runtime: Duration::from_millis(*ms) };
        let times: Vec<ItemTime> = runtimes_ms.iter().map(time).collect();
        digest.ended(settlement, Some(&times), &mut |id, take| {
            let text = id.to_string();
            take(EndedItem { shown: Some(format!("\"{text}\"").into()), bytes: text.as_bytes() });
        });
    }

    fn done(first: u64, count: u32) -> Settlement {
        settlement(first, count, Outcome::Done, 1, vec![])
    }

    fn failed(first: u64) -> Settlement {
        settlement(first, 1, Outcome::Failed, 2, vec![cause(1, 2, CauseKind::Failed(FailReason::Exited(1)))])
    }

    fn digest(line: &'static str) -> Digest {
        Digest::new(Some(Box::new(move |item, _, _, out| {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(item);
        })))
    }

    #[test]
    fn the_slowest_five_are_kept_with_their_names() {
        let mut digest = Digest::new(None);
        end(&mut digest, &done(0, 4), &[5, 1, 7, 3]);
        end(&mut digest, &done(4, 4), &[2, 9000, 4, 7]);
        assert_eq!(
            digest.text(true),
            "slowest items:\n       9.000 s  item 5 (\"5\")\n       0.007 s  item 2 (\"2\")\n       0.007 s  item 7 (\"7\")\n       \
             0.005 s  item 0 (\"0\")\n       0.004 s  item 6 (\"6\")\n"
        );
        assert_eq!(digest.text(false), digest.text(true), "a thousand times the median");
    }

    #[test]
    fn usual_times_are_shown_only_if_asked_for_and_those_of_a_few_quick_items_never() {
        let mut digest = Digest::new(None);
        end(&mut digest, &done(0, 5), &[1, 2, 3, 4, 5]);
        assert_eq!((digest.text(true), digest.text(false)), Default::default());
        end(&mut digest, &done(5, 5), &[2000, 2000, 2000, 2000, 2001]);
        assert!(digest.text(true).starts_with("slowest items:\n       2.001 s  item 9"));
        end(&mut digest, &done(10, 5), &[1900, 1900, 1900, 1900, 1900]);
        assert_eq!(digest.text(false), "", "twice the median at most");
    }

    #[test]
    fn items_that_were_done_at_a_later_attempt_are_counted() {
        let mut digest = Digest::new(None);
        let flaky = |first, attempts: u32| {
            let causes = (1..attempts).map(|attempt| cause(attempt, 1, CauseKind::Crashed(CRASHED))).collect();
            Settlement { attempts, ..settlement(first, 1, Outcome::Done, 1, causes) }
        };
        end(&mut digest, &done(0, 1), &[]);
        assert_eq!(digest.text(true), "");
        end(&mut digest, &flaky(3, 2), &[]);
        assert_eq!(
            digest.text(true),
            "1 item was done after more than one attempt; most: item 3 (\"3\"), 2 attempts\n"
        );
        end(&mut digest, &flaky(4, 5), &[]);
        end(&mut digest, &flaky(5, 3), &[]);
        assert_eq!(
            digest.text(false),
            "3 items were done after more than one attempt; most: item 4 (\"4\"), 5 attempts\n"
        );
    }

    #[test]
    fn the_command_of_the_first_failed_item_is_shown_if_it_can_be() {
        let mut first = digest("gzip ");
        end(&mut first, &done(1, 1), &[]);
        end(&mut first, &Settlement { attempts: 0, ..failed(2) }, &[]);
        end(&mut first, &failed(7), &[]);
        end(&mut first, &failed(8), &[]);
        assert_eq!(first.text(false), "to run item 7 alone: gzip 7\n");
        for line in ["\u{1b}[2J", "a\nb", ""] {
            let mut hidden = digest(line);
            if line.is_empty() {
                hidden.command_line_of = None;
            }
            end(&mut hidden, &failed(7), &[]);
            assert_eq!(hidden.text(false), "", "{line:?}");
        }
    }
}
