//! Splits bytes into items, without I/O: pieces of an input go in, batches of whole items come out.
//!
//! Invariant: each byte is searched and copied a fixed number of times, however long an item is and however small the
//! pieces are. The splitter holds one piece and one unfinished item of at most [`ITEM_BYTES_MAX`]; the rest of a longer
//! item is dropped as it arrives.

use super::kept::ReusedBlocks;
use super::records::RecordCutter;
use super::{BATCH_BYTES_MAX, Delivery, Payload};
use crate::model::config::Split;
use crate::model::outcome::FailReason;
use crate::model::spec::ITEM_BYTES_MAX;
use crate::sys::block::Block;
use memchr::{memchr, memchr_iter, memrchr};
use std::sync::Arc;

/// Up to this many items are counted one after another. For more, the whole window is counted at once, which is cheaper per
/// item, but costs the same for few items as for many.
const ITEMS_COUNTED_SINGLY_MAX: u64 = 1024;

/// How much of an invalid line an error shows.
const SHOWN_BYTES_MAX: usize = 80;

/// Finds the ends of items, and holds the bytes that are not yet delivered.
pub struct Splitter {
    split: Split,
    /// Cuts blocks of records.
    records: Option<RecordCutter>,
    priority: bool,
    /// Whole items; those before `at` are delivered. Each line ends with its delimiter.
    block: Arc<Block>,
    at: usize,
    /// An item over the limit ended before the beginning of `block`.
    too_long: bool,
    /// The beginning of an item whose end has not arrived.
    unfinished: Vec<u8>,
    /// Blocks are reused only where items are cut by size: blocks of lines come from a heap that is warm, and are no faster.
    reused: ReusedBlocks,
    /// The bytes up to the next delimiter belong to an item over the limit.
    skipping: bool,
}

impl Splitter {
    /// `priority`: each item is a line `NUMBER<TAB>ITEM`.
    #[must_use]
    pub fn new(split: Split, priority: bool) -> Self {
        let records = match &split {
            Split::Records(records) => Some(RecordCutter::new(records)),
            Split::Delimiter(_) | Split::Block { .. } => None,
        };
        Self {
            split,
            records,
            priority,
            block: Arc::default(),
            at: 0,
            too_long: false,
            unfinished: Vec::new(),
            reused: ReusedBlocks::default(),
            skipping: false,
        }
    }

    /// Adds the next bytes of the input. Call it only after [`Splitter::next`] has returned `None`.
    pub fn push(&mut self, piece: &[u8]) {
        debug_assert!(self.is_drained(), "undelivered items would be lost");
        let mut piece = piece;
        let behind;
        if self.skipping {
            if let Some(records) = &mut self.records {
                let Some(rest) = records.skip(piece) else { return };
                behind = rest;
                piece = &behind;
            } else {
                let Some(end) = self.delimiter().and_then(|delimiter| memchr(delimiter, piece)) else { return };
                piece = &piece[end + 1..];
            }
            self.skipping = false;
            self.too_long = true;
        }
        let searched = self.unfinished.len();
        self.unfinished.extend_from_slice(piece);
        let end = match self.split {
            // The bytes from before contain no delimiter, or they would be whole items.
            Split::Delimiter(delimiter) => memrchr(delimiter, piece).map_or(0, |last| searched + last + 1),
            Split::Block { bytes, delimiter } => {
                whole_blocks(&self.unfinished, searched, block_bytes(bytes), delimiter)
            }
            Split::Records(_) => self.records.as_mut().map_or(0, |records| records.whole_blocks(&self.unfinished)),
        };
        if end > 0 {
            let mut rest = self.reused.memory();
            rest.clear();
            rest.extend_from_slice(&self.unfinished[end..]);
            self.unfinished.truncate(end);
            self.block = Arc::new(std::mem::replace(&mut self.unfinished, rest).into());
            self.at = 0;
            if self.split.makes_blocks() {
                self.reused.keep(&self.block);
            }
        }
        if self.unfinished.len() > ITEM_BYTES_MAX {
            if let Some(records) = &mut self.records {
                records.begin_to_skip(&self.unfinished);
            }
            self.unfinished = Vec::new();
            self.skipping = true;
        }
    }

    /// How many of these bytes, which begin with an item, are whole items. Not for blocks of records, which are pushed.
    #[must_use]
    pub fn whole_bytes(&self, bytes: &[u8]) -> usize {
        match self.split {
            Split::Delimiter(delimiter) => memrchr(delimiter, bytes).map_or(0, |last| last + 1),
            Split::Block { bytes: size, delimiter } => whole_blocks(bytes, 0, block_bytes(size), delimiter),
            Split::Records(_) => 0,
        }
    }

    /// Adds a block of whole items; the last item of an input needs no delimiter.
    pub fn put(&mut self, block: Arc<Block>) {
        debug_assert!(self.is_drained(), "undelivered items would be lost");
        self.block = block;
        self.at = 0;
    }

    /// If the block that is being delivered is in a file that was truncated.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(&*self.block, Block::Mapped(mapping) if mapping.is_lost())
    }

    /// Reports an item over the limit, which was skipped.
    pub fn pass_too_long(&mut self) {
        self.too_long = true;
    }

    /// Ends the input: the last item needs no delimiter.
    pub fn finish(&mut self) {
        debug_assert!(self.is_drained(), "undelivered items would be lost");
        if std::mem::take(&mut self.skipping) {
            self.too_long = true;
        } else if !self.unfinished.is_empty() {
            if let Split::Delimiter(delimiter) = self.split {
                self.unfinished.push(delimiter);
            }
            self.block = Arc::new(std::mem::take(&mut self.unfinished).into());
            self.at = 0;
        }
    }

    /// Up to `items_max` (at least 1) of the pushed items; `None` if no whole item is left.
    pub fn next(&mut self, items_max: u64) -> Option<Delivery> {
        if std::mem::take(&mut self.too_long) {
            return Some(too_long());
        }
        if self.is_drained() {
            // Only the batches keep the block alive from here on.
            self.block = Arc::default();
            self.at = 0;
            return None;
        }
        Some(match self.split {
            Split::Delimiter(delimiter) if self.priority => self.next_with_priority(delimiter),
            Split::Delimiter(delimiter) => self.next_lines(items_max, delimiter),
            Split::Block { bytes, delimiter } => self.next_block(block_bytes(bytes), delimiter),
            Split::Records(_) => self.next_of_records(),
        })
    }

    fn is_drained(&self) -> bool {
        !self.too_long && self.at == self.block.len()
    }

    /// The byte after which items are cut; `None` where blocks are cut by size only.
    pub fn delimiter(&self) -> Option<u8> {
        match self.split {
            Split::Delimiter(delimiter) => Some(delimiter),
            Split::Block { delimiter, .. } => delimiter,
            Split::Records(_) => None,
        }
    }

    /// Several items of at most [`BATCH_BYTES_MAX`] together, or a single longer one.
    fn next_lines(&mut self, items_max: u64, delimiter: u8) -> Delivery {
        let rest = &self.block[self.at..];
        let window = &rest[..rest.len().min(BATCH_BYTES_MAX)];
        let (count, bytes) = if items_max <= ITEMS_COUNTED_SINGLY_MAX {
            count_singly(window, items_max, delimiter)
        } else {
            count_at_once(window, items_max, delimiter)
        };
        if count >= 2 {
            let start = self.at;
            self.at += bytes;
            return Delivery::Items(Payload {
                block: Arc::clone(&self.block),
                range: start..self.at,
                count,
                priority: 0,
            });
        }
        let item_bytes = memchr(delimiter, rest).unwrap_or(rest.len());
        self.take_single(item_bytes, 1, 0)
    }

    /// The item of one line `NUMBER<TAB>ITEM`.
    fn next_with_priority(&mut self, delimiter: u8) -> Delivery {
        let rest = &self.block[self.at..];
        let line = &rest[..memchr(delimiter, rest).unwrap_or(rest.len())];
        let line_bytes = line.len();
        if let Some(tab) = memchr(b'\t', line)
            && let Some(priority) = std::str::from_utf8(&line[..tab]).ok().and_then(|number| number.trim().parse().ok())
        {
            self.at += tab + 1;
            return self.take_single(line_bytes - tab - 1, 1, priority);
        }
        let shown = String::from_utf8_lossy(&line[..line_bytes.min(SHOWN_BYTES_MAX)]);
        let text = format!("no priority: not NUMBER<TAB>ITEM: \"{shown}\"");
        self.pass(line_bytes + 1);
        Delivery::Rejected(FailReason::Rejected(text))
    }

    /// The next block, cut as by [`whole_blocks`]; at the end of the input the rest.
    fn next_block(&mut self, size: usize, delimiter: Option<u8>) -> Delivery {
        let rest = &self.block[self.at..];
        let bytes = if rest.len() <= size { None } else { cut_at(rest, size, delimiter) };
        self.take_single(bytes.unwrap_or(rest.len()), 0, 0)
    }

    /// The next block of records; at the end of the input the rest.
    fn next_of_records(&mut self) -> Delivery {
        let end = self.records.as_mut().and_then(RecordCutter::next_end).unwrap_or(self.block.len());
        self.take_single(end - self.at, 0, 0)
    }

    /// A single item of `bytes` bytes; the `after` bytes of delimiter behind it are skipped.
    fn take_single(&mut self, bytes: usize, after: usize, priority: i64) -> Delivery {
        let start = self.at;
        self.pass(bytes + after);
        if bytes > ITEM_BYTES_MAX {
            return too_long();
        }
        Delivery::Items(Payload { block: Arc::clone(&self.block), range: start..start + bytes, count: 1, priority })
    }

    fn pass(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.block.len());
    }
}

/// How many whole items the window has, at most `items_max`, and how many bytes they take.
fn count_singly(window: &[u8], items_max: u64, delimiter: u8) -> (u32, usize) {
    let mut found = (0, 0);
    for end in memchr_iter(delimiter, window).take(usize::try_from(items_max).unwrap_or(usize::MAX)) {
        found = (found.0 + 1, end + 1);
    }
    found
}

/// As [`count_singly`], but faster if most of the window is wanted.
fn count_at_once(window: &[u8], items_max: u64, delimiter: u8) -> (u32, usize) {
    let count = memchr_iter(delimiter, window).count();
    match (u32::try_from(count), memrchr(delimiter, window)) {
        (Ok(fitting), Some(last)) if u64::from(fitting) <= items_max => (fitting, last + 1),
        _ => count_singly(window, items_max, delimiter),
    }
}

/// How many of the bytes held are whole blocks. `searched`: how many bytes were held at the last call.
fn whole_blocks(held: &[u8], searched: usize, size: usize, delimiter: Option<u8>) -> usize {
    let mut end = 0;
    // A block's worth of bytes was left uncut because it contains no delimiter: one long line.
    if let Some(delimiter) = delimiter
        && searched >= size
    {
        match memchr(delimiter, &held[searched..]) {
            Some(found) => end = searched + found + 1,
            None => return 0,
        }
    }
    while held.len() - end >= size {
        match cut_at(&held[end..], size, delimiter) {
            Some(bytes) => end += bytes,
            None => break,
        }
    }
    end
}

/// The end of the first block, if it has arrived: after the last delimiter within `size`, else after the first one beyond.
/// `rest` is at least `size` long.
fn cut_at(rest: &[u8], size: usize, delimiter: Option<u8>) -> Option<usize> {
    let Some(delimiter) = delimiter else { return Some(size) };
    match memrchr(delimiter, &rest[..size]) {
        Some(last) => Some(last + 1),
        None => memchr(delimiter, &rest[size..]).map(|found| size + found + 1),
    }
}

/// The size of a block: at least a byte, or the cutting would not end; at most the limit of an item.
fn block_bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX).clamp(1, ITEM_BYTES_MAX)
}

/// The answer for an item over the limit, which no frame could carry.
pub(super) fn too_long() -> Delivery {
    Delivery::Rejected(over_the_limit())
}

/// What is wrong with an item over the limit.
pub(super) fn over_the_limit() -> FailReason {
    FailReason::Rejected(format!("item is over the limit of {ITEM_BYTES_MAX} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The deliveries for `input`, pushed in pieces of `piece` bytes and asked for `items_max` at a time: the items of a
    /// batch joined by `|`, with a priority before `:` if it has one.
    fn deliveries(split: Split, priority: bool, input: &[u8], piece: usize, items_max: u64) -> Vec<String> {
        let mut splitter = Splitter::new(split.clone(), priority);
        let mut found = Vec::new();
        let mut drain = |splitter: &mut Splitter| {
            while let Some(delivery) = splitter.next(items_max) {
                found.push(show(&delivery, &split));
            }
        };
        for bytes in input.chunks(piece) {
            splitter.push(bytes);
            drain(&mut splitter);
        }
        splitter.finish();
        drain(&mut splitter);
        found
    }

    fn show(delivery: &Delivery, split: &Split) -> String {
        match delivery {
            Delivery::Items(payload) => {
                let bytes = &payload.block[payload.range.clone()];
                let items = match split {
                    Split::Delimiter(delimiter) if payload.count > 1 => {
                        let body = bytes.strip_suffix(&[*delimiter]).expect("each of several items is delimited");
                        let items: Vec<_> = body.split(|byte| byte == delimiter).map(lossy).collect();
                        assert_eq!(items.len() as u32, payload.count);
                        items.join("|")
                    }
                    _ => {
                        assert_eq!(payload.count, 1);
                        lossy(bytes)
                    }
                };
                if payload.priority == 0 { items } else { format!("{}:{items}", payload.priority) }
            }
            Delivery::Rejected(reason) => format!("rejected: {reason}"),
            other => panic!("a splitter never answers {other:?}"),
        }
    }

    fn lossy(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace('\n', "/")
    }

    const LINES: Split = Split::Delimiter(b'\n');

    #[test]
    fn the_items_do_not_depend_on_how_the_input_is_cut_into_pieces() {
        let input = b"one\n\ntwo\nthree\n\nlast without a newline";
        let whole = ["one", "", "two", "three", "", "last without a newline"];
        for piece in 1..=input.len() {
            for items_max in [1, 2, 3, 5000] {
                let found = deliveries(LINES, false, input, piece, items_max);
                assert!(found.iter().all(|payload| payload.split('|').count() as u64 <= items_max));
                assert_eq!(found.join("|").split('|').collect::<Vec<_>>(), whole, "{piece} {items_max}");
            }
        }
        assert_eq!(deliveries(LINES, false, b"a\n", 9, 9), ["a"]);
        assert_eq!(deliveries(LINES, false, b"\n", 9, 9), [""]);
        assert!(deliveries(LINES, false, b"", 9, 9).is_empty());
        assert_eq!(deliveries(Split::Delimiter(0), false, b"a\nb\0c", 9, 9), ["a/b", "c"]);
    }

    #[test]
    fn a_batch_has_a_limited_size_and_a_longer_item_comes_alone() {
        let mut input = b"x\n".repeat(BATCH_BYTES_MAX);
        input.extend_from_slice(&vec![b'y'; BATCH_BYTES_MAX + 5]);
        input.extend_from_slice(b"\nz\n");
        let mut splitter = Splitter::new(LINES, false);
        splitter.push(&input);
        let mut sizes = Vec::new();
        while let Some(Delivery::Items(payload)) = splitter.next(u64::MAX) {
            sizes.push((payload.count as usize, payload.range.len()));
        }
        let half = BATCH_BYTES_MAX / 2;
        assert_eq!(sizes, [(half, BATCH_BYTES_MAX), (half, BATCH_BYTES_MAX), (1, BATCH_BYTES_MAX + 5), (1, 1)]);
    }

    #[test]
    fn an_item_over_the_limit_is_rejected_in_bounded_memory() {
        let mut splitter = Splitter::new(LINES, false);
        let mut found = Vec::new();
        let mut push = |splitter: &mut Splitter, bytes: &[u8]| {
            splitter.push(bytes);
            while let Some(delivery) = splitter.next(1) {
                found.push(show(&delivery, &LINES));
            }
        };
        push(&mut splitter, b"before\nbegin");
        let mebibyte = vec![b'x'; 1024 * 1024];
        for _ in 0..40 {
            push(&mut splitter, &mebibyte);
            assert!(splitter.unfinished.capacity() <= 2 * ITEM_BYTES_MAX);
        }
        push(&mut splitter, b"end\nafter\n");
        let rejected = "rejected: item is over the limit of 16777216 bytes";
        assert_eq!(found, ["before", rejected, "after"]);
    }

    #[test]
    fn the_limit_is_exact_at_the_end_of_the_input_too() {
        for (bytes, fits) in [(ITEM_BYTES_MAX, true), (ITEM_BYTES_MAX + 1, false)] {
            for end in ["", "\n"] {
                let mut input = vec![b'x'; bytes];
                input.extend_from_slice(end.as_bytes());
                let found = deliveries(LINES, false, &input, 1 << 20, 1);
                assert_eq!(found.len(), 1);
                assert_eq!(found[0].starts_with('x'), fits, "{bytes} {end:?}");
            }
        }
    }

    #[test]
    fn a_block_is_cut_after_a_delimiter_and_grows_for_a_longer_line() {
        let split = Split::Block { bytes: 6, delimiter: Some(b'\n') };
        for piece in 1..=20 {
            let found = deliveries(split.clone(), false, b"aa\nbb\ncc\na longer line\ndd\nee", piece, 9);
            assert_eq!(found, ["aa/bb/", "cc/", "a longer line/", "dd/ee"], "{piece}");
            let exact = deliveries(Split::Block { bytes: 4, delimiter: None }, false, b"0123456789", piece, 9);
            assert_eq!(exact, ["0123", "4567", "89"], "{piece}");
        }
    }

    #[test]
    fn a_priority_is_a_number_before_a_tab() {
        let found = deliveries(LINES, true, b"5\tfive\n-3\tminus\tthree\nnone\nx\ty\n 7\t", 4, 9);
        let no = "rejected: no priority: not NUMBER<TAB>ITEM: ";
        assert_eq!(found, ["5:five", "-3:minus\tthree", &format!("{no}\"none\""), &format!("{no}\"x\ty\""), "7:"]);
    }
}
