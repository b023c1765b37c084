//! A row: slices that nest, and instants among them, in the order of time.

use super::clock::ns;
use super::event::{EventRow, EventWriter, RowInstant};
use super::slice::RowSlice;
use std::cmp::Reverse;
use std::io;

/// Writes a row. A slice that begins within another one ends within it too, if need be earlier than it did: the times of
/// different processes may contradict each other, and those of a damaged trace do. Each lasts at least 1 ns.
pub fn write<W: io::Write>(
    events: &mut EventWriter<'_, W>,
    row: EventRow,
    mut slices: Vec<RowSlice<'_>>,
    instants: &[RowInstant<'_>],
) -> io::Result<()> {
    slices.sort_by_key(|slice| (slice.from, Reverse(slice.to), slice.level()));
    let mut instants: Vec<_> = instants.iter().map(|instant| (ns(instant.step.at), *instant)).collect();
    instants.sort_by_key(|(at, _)| *at);
    let mut instants = instants.into_iter().peekable();
    // When the open slices end, the outer ones first: never earlier than those within.
    let mut open: Vec<u64> = Vec::new();
    for slice in &slices {
        while let Some((at, instant)) = instants.next_if(|(at, _)| *at <= slice.from) {
            close(events, row, &mut open, at.saturating_sub(1))?;
            events.instant(row, at, instant)?;
        }
        close(events, row, &mut open, slice.from)?;
        let to = slice.to.max(slice.from + 1);
        events.begin(row, slice)?;
        open.push(open.last().map_or(to, |outer| to.min(*outer)));
    }
    for (at, instant) in instants {
        // One at the end of a slice is still within it.
        close(events, row, &mut open, at.saturating_sub(1))?;
        events.instant(row, at, instant)?;
    }
    close(events, row, &mut open, u64::MAX)
}

/// Ends the slices that end up to `until`.
fn close<W: io::Write>(
    events: &mut EventWriter<'_, W>,
    row: EventRow,
    open: &mut Vec<u64>,
    until: u64,
) -> io::Result<()> {
    while let Some(to) = open.pop_if(|to| *to <= until) {
        events.end(row, to)?;
    }
    Ok(())
}
