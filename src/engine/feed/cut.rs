//! Cuts a payload before and after each of some of its items.
//!
//! Invariant: the parts of a payload have its items, in order.

use crate::source::Payload;
use std::sync::Arc;

/// A part of a payload.
pub(super) enum CutPart {
    /// Items that were not picked.
    Kept(Payload),
    /// This many consecutive items that were.
    Picked(u32),
}

/// The first items of a payload, at least one, and what is left of it.
pub fn split(payload: Payload, count: u32, delimiter: u8) -> (Payload, Option<Payload>) {
    if count >= payload.count {
        return (payload, None);
    }
    let Payload { block, range, count: all, priority } = payload;
    let mut ends = memchr::memchr_iter(delimiter, &block[range.clone()]);
    let last = ends.nth(count.saturating_sub(1) as usize).unwrap_or(range.len().saturating_sub(1));
    let end = range.start + last + 1;
    // A payload of one item is without its delimiter.
    let of = |from: usize, to: usize, count: u32| {
        let range = from..if count == 1 { to - 1 } else { to };
        Payload { block: Arc::clone(&block), range, count, priority }
    };
    (of(range.start, end, count), Some(of(end, range.end, all - count)))
}

/// Cuts out the items that `picks` returns true for, which gets their place in the payload, from 0, and their bytes.
pub(super) fn cut(payload: Payload, delimiter: u8, mut picks: impl FnMut(u32, &[u8]) -> bool) -> Vec<CutPart> {
    if payload.count <= 1 {
        let is_picked = picks(0, &payload.block[payload.range.clone()]);
        return vec![if is_picked { CutPart::Picked(1) } else { CutPart::Kept(payload) }];
    }
    let Payload { block, range, count, priority } = payload;
    let (mut parts, mut from, mut kept, mut picked) = (Vec::new(), range.start, 0, 0);
    let mut at = range.start;
    let flush = |parts: &mut Vec<CutPart>, from: usize, to: usize, kept: u32| {
        // A payload of one item is without its delimiter.
        let end = if kept == 1 { to - 1 } else { to };
        if kept > 0 {
            parts.push(CutPart::Kept(Payload { block: Arc::clone(&block), range: from..end, count: kept, priority }));
        }
    };
    for (index, item) in (0..count).zip(block[range.clone()].split(|byte| *byte == delimiter)) {
        let end = (at + item.len() + 1).min(range.end);
        if picks(index, item) {
            flush(&mut parts, from, at, kept);
            (from, kept) = (end, 0);
            picked += 1;
        } else {
            if picked > 0 {
                parts.push(CutPart::Picked(std::mem::take(&mut picked)));
            }
            kept += 1;
        }
        at = end;
    }
    flush(&mut parts, from, at, kept);
    if picked > 0 {
        parts.push(CutPart::Picked(picked));
    }
    parts
}
