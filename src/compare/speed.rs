//! How fast: throughput and round trips, by runs of the library in this process.

use super::conversation::{Dialogue, Flow};
use super::figure::percentile;
use super::{Amounts, CompareError};
use crate::sys::clock::monotonic_ns;
use crate::sys::memfd;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;

/// The first run of a calibration, and the longest run.
const ITEMS_MIN: u64 = 10_000;
const ITEMS_MAX: u64 = 20_000_000;

/// The shorter one of two runs has this part of the items: it contains the growth of the batches.
const SHORT_PART: u64 = 10;

/// The difference of two runs has at least this part of the longer one, or starting and ending would decide.
const DIFFERENCE_PART: u64 = 4;

/// So often both runs are made longer until the difference is large enough.
const DOUBLINGS_MAX: u32 = 5;

/// This part of the round trips comes first and is not looked at: caches and buffers are cold.
const WARM_UP_PART: usize = 20;

/// How many items a run for speed needs, so that it takes about as long as it should.
///
/// # Errors
/// The mechanism cannot be used here.
pub(super) fn calibrate(conversation: &Dialogue<'_>, flow: Flow, amounts: &Amounts) -> Result<u64, CompareError> {
    let wanted_ns = amounts.speed_ms.saturating_mul(1_000_000);
    let start_ns = time_ns(conversation, flow, 1)?;
    let mut items = ITEMS_MIN;
    loop {
        let work_ns = time_ns(conversation, flow, items)?.saturating_sub(start_ns).max(1);
        if work_ns >= wanted_ns / 4 || items >= ITEMS_MAX {
            return Ok(
                (items as f64 * wanted_ns as f64 / work_ns as f64).clamp(ITEMS_MIN as f64, ITEMS_MAX as f64) as u64
            );
        }
        items = (items * 8).min(ITEMS_MAX);
    }
}

/// Items a second, without the time of starting and ending.
///
/// # Errors
/// The mechanism cannot be used here, or the machine is so busy that a longer run takes no longer.
pub(super) fn items_per_s(conversation: &Dialogue<'_>, flow: Flow, items: u64) -> Result<f64, CompareError> {
    for doublings in 0..=DOUBLINGS_MAX {
        let items = items << doublings;
        let fewer = items / SHORT_PART;
        let short_ns = time_ns(conversation, flow, fewer)?;
        let long_ns = time_ns(conversation, flow, items)?;
        let difference_ns = long_ns.saturating_sub(short_ns);
        if difference_ns > long_ns / DIFFERENCE_PART {
            return Ok((items - fewer) as f64 * 1e9 / difference_ns as f64);
        }
    }
    Err(CompareError::NoDifference)
}

fn time_ns(conversation: &Dialogue<'_>, flow: Flow, items: u64) -> Result<u64, CompareError> {
    let builder = conversation.builder(items, flow, &[]);
    let before = monotonic_ns();
    conversation.run(items, builder)?;
    Ok(monotonic_ns().saturating_sub(before))
}

/// A round trip with one item in flight: the median and the 99th percentile, in microseconds.
///
/// The next item leaves in the turn in which a result arrives, so a round trip is the time between two results. The run
/// writes it into its events, a file in memory, after the item has left.
///
/// # Errors
/// The mechanism cannot be used here, or the system has no files in memory.
pub(super) fn round_trips(conversation: &Dialogue<'_>, amounts: &Amounts) -> Result<(f64, f64), CompareError> {
    let items = amounts.round_trips.max(2);
    let mut events = memfd::memory_file().map_err(CompareError::system("open a file for events"))?;
    let builder = conversation.builder(items, Flow::OneInFlight, &[]);
    conversation.run(items, builder.events(format!("/proc/self/fd/{}", events.as_raw_fd())))?;
    let mut text = String::new();
    events.rewind().and_then(|()| events.read_to_string(&mut text)).map_err(CompareError::system("read the events"))?;
    let settled = settled_at_s(&text);
    if settled.len() as u64 != items {
        return Err(CompareError::Events { expected: items, found: settled.len() as u64 });
    }
    let trips_us: Vec<f64> = settled.windows(2).map(|pair| (pair[1] - pair[0]) * 1e6).collect();
    let warm = &trips_us[trips_us.len() / WARM_UP_PART..];
    let none = || CompareError::Events { expected: items, found: 0 };
    Ok((percentile(warm, 0.5).ok_or_else(none)?, percentile(warm, 0.99).ok_or_else(none)?))
}

/// When each item was settled, in seconds.
fn settled_at_s(events: &str) -> Vec<f64> {
    const SETTLED: &str = r#"{"event":"item_settled","t":"#;
    let time = |line: &str| line.strip_prefix(SETTLED)?.split(',').next()?.parse().ok();
    events.lines().filter_map(time).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_settled_items_alone() {
        let events = r#"{"event":"worker_ready","t":0.5,"worker":1}
{"event":"item_started","t":0.75,"item":0}
{"event":"item_settled","t":0.75,"item":0,"outcome":"done"}
{"event":"item_settled","t":1.25,"item":1,"outcome":"done"}
{"event":"item_settled","t":bad}
"#;
        assert_eq!(settled_at_s(events), [0.75, 1.25]);
    }
}
