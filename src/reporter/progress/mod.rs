//! `--progress`: the state of a run while it lasts, as a bar, as a line, or as JSON.
//!
//! It is made of the core's status, which is asked for when something is to be shown: nothing is counted for it. When
//! that is, and when the bar is erased and drawn again, the engine decides.
//!
//! Invariant: pure; nothing here reads a clock or knows a terminal.

mod bar;
mod lines;
mod rate;

pub use bar::{BarSize, bar_lines, line_columns};
pub use lines::{json_line, plain_line};
pub use rate::Rates;

use crate::model::event::Stage;
use crate::model::status::Status;
use crate::model::time::{Duration, Instant};

/// What is shown of a run at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Glance {
    /// Since the start of the run.
    pub elapsed: Duration,
    pub done: u64,
    pub failed: u64,
    pub dead: u64,
    pub skipped: u64,
    /// Items at workers.
    pub running: u64,
    /// Items that wait, for a worker or for the delay of their next attempt.
    pub queued: u64,
    /// All items of the run; `None`: the source has not ended, and its length is not known.
    pub total: Option<u64>,
    /// Items that get their outcome in a second; `None` while too few have theirs.
    pub rate: Option<f64>,
    /// Until all items have their outcome; `None`: not known.
    pub left: Option<Duration>,
    /// The run stops before its items have ended.
    pub stopping: bool,
}

impl Glance {
    /// `total`: the number of items, where the source gives it.
    #[must_use]
    pub fn of(status: &Status, total: Option<u64>, rates: &mut Rates, now: Instant) -> Self {
        let totals = &status.totals;
        let total = if status.source_ended { Some(totals.accepted) } else { total };
        // Those of an earlier run say nothing of the speed of this one.
        let settled = totals.settled();
        let rate = rates.note(now, settled.saturating_sub(totals.restored), status.slots.len() as u64);
        let stopping = !matches!(status.stage, Stage::Running | Stage::Finished);
        let left = match (total, rate) {
            (Some(total), _) if settled >= total => Some(Duration::ZERO),
            (Some(total), Some(rate)) if rate > 0.0 && !stopping => time_left(total - settled, rate),
            _ => None,
        };
        Self {
            elapsed: now.since(Instant::ZERO),
            done: totals.done,
            failed: totals.failed,
            dead: totals.dead,
            skipped: totals.skipped,
            running: status.in_flight,
            queued: status.queued + status.delayed,
            total,
            rate,
            left,
            stopping,
        }
    }

    const fn settled(&self) -> u64 {
        self.done + self.failed + self.dead + self.skipped
    }
}

/// `None`: longer than any run lasts.
fn time_left(items: u64, rate: f64) -> Option<Duration> {
    const SECONDS_MAX: f64 = 1e9;
    let seconds = items as f64 / rate;
    (seconds < SECONDS_MAX).then(|| Duration::from_millis((seconds * 1000.0) as u64))
}

/// An item that has been running for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongItem {
    /// `item 7 ("/etc/b.conf")`, escaped.
    pub name: String,
    pub running: Duration,
}

/// `31s`, `2m05s`, `1h02m`, `3d04h`: to the second, or to the minute or hour from an hour or a day on.
fn rough(length: Duration) -> String {
    let seconds = length.0 / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// `12.3/s`; slower than one in a second, in a minute: `4.5/min`.
fn shown_rate(rate: f64) -> String {
    match rate {
        100.0.. => format!("{rate:.0}/s"),
        1.0.. => format!("{rate:.1}/s"),
        _ => format!("{:.1}/min", rate * 60.0),
    }
}

/// `118/500 done, 2 failed, 8 running, 12.3/s, 31s left`, in parts, with how much each is wanted: 0 always.
fn parts(glance: &Glance) -> Vec<(u8, String)> {
    let Glance { done, failed, dead, skipped, running, total, rate, left, stopping, .. } = *glance;
    let mut parts = vec![(0, total.map_or_else(|| format!("{done} done"), |total| format!("{done}/{total} done")))];
    parts.extend([(failed, "failed"), (dead, "dead"), (skipped, "skipped")].into_iter().filter_map(|(count, what)| {
        let wanted = if what == "skipped" { 2 } else { 1 };
        (count > 0).then(|| (wanted, format!("{count} {what}")))
    }));
    parts.push((4, format!("{running} running")));
    parts.extend(rate.map(|rate| (5, shown_rate(rate))));
    parts.push(match left {
        _ if stopping => (3, "stopping".to_owned()),
        // Up to the next second: nothing is left only when nothing is.
        Some(left) => (3, format!("{} left", rough(Duration(left.0.saturating_add(999_999_999))))),
        None => (3, "time left unknown".to_owned()),
    });
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_shown_roughly() {
        let shown = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!([0, 59, 60, 125].map(shown), ["0s", "59s", "1m00s", "2m05s"]);
        assert_eq!([3600, 3725, 86_400, 270_000].map(shown), ["1h00m", "1h02m", "1d00h", "3d03h"]);
    }

    #[test]
    fn rates_are_shown_by_the_second_or_the_minute() {
        assert_eq!([1234.5, 12.34, 1.0, 0.075].map(shown_rate), ["1234/s", "12.3/s", "1.0/s", "4.5/min"]);
    }

    #[test]
    fn no_end_is_promised_that_no_run_reaches() {
        assert_eq!(time_left(10, 2.0), Some(Duration::from_secs(5)));
        assert_eq!(time_left(u64::MAX, 1e-9), None);
    }
}
