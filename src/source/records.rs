//! Cuts blocks of records as GNU parallel's `--pipe` does, without I/O.
//!
//! A record ends where the text of its end is followed by the text of the next one's start. A block is what is held once
//! its size has arrived, up to the last such place. If there is none, the size grows by 30 % and a byte, and stays so, up
//! to the limit of an item: then the record is over the limit.
//!
//! Invariant: where the cuts are does not depend on how the input arrives.

use crate::model::config::RecordSplit;
use crate::model::spec::ITEM_BYTES_MAX;
use memchr::memmem::{Finder, FinderRev};
use std::collections::VecDeque;

/// Finds the ends of blocks.
pub(super) struct RecordCutter {
    /// What a record ends with, and what the next one begins with: both directions, for the text has no other place.
    first: Finder<'static>,
    last: FinderRev<'static>,
    /// The bytes of the text before the cut.
    end_bytes: usize,
    /// The present size of a block.
    block_bytes: usize,
    /// So many of the bytes that are held contain no place for a cut.
    searched: usize,
    /// The ends of the blocks that were found and not yet delivered, from the beginning of the bytes that hold them.
    ends: VecDeque<usize>,
    /// The last bytes of a record over the limit, in which the text of a cut may have begun.
    skipped: Vec<u8>,
}

impl RecordCutter {
    pub(super) fn new(split: &RecordSplit) -> Self {
        let text = [&split.end[..], &split.start[..]].concat();
        Self {
            first: Finder::new(&text).into_owned(),
            last: FinderRev::new(&text).into_owned(),
            end_bytes: split.end.len(),
            block_bytes: usize::try_from(split.block_bytes).unwrap_or(usize::MAX).clamp(1, ITEM_BYTES_MAX),
            searched: 0,
            ends: VecDeque::new(),
            skipped: Vec::new(),
        }
    }

    /// How many of the bytes held, which begin with a record, are whole blocks. What is left is held again at the next
    /// call, with more bytes behind it.
    pub(super) fn whole_blocks(&mut self, held: &[u8]) -> usize {
        let mut begin = 0;
        while let Some(block) = held.get(begin..begin + self.block_bytes) {
            let found = match self.last_cut(block) {
                None if self.block_bytes == ITEM_BYTES_MAX => self.first_cut(&held[begin..]),
                found => found,
            };
            match found {
                Some(bytes) => {
                    begin += bytes;
                    self.ends.push_back(begin);
                    self.searched = 0;
                }
                None if self.block_bytes == ITEM_BYTES_MAX => break,
                None => self.grow(),
            }
        }
        begin
    }

    /// The end of the next block of those that were found.
    pub(super) fn next_end(&mut self) -> Option<usize> {
        self.ends.pop_front()
    }

    /// The last place for a cut in a block, behind its first byte.
    fn last_cut(&self, block: &[u8]) -> Option<usize> {
        let from = self.searched.saturating_sub(self.last.needle().len());
        let at = from + self.last.rfind(&block[from..])? + self.end_bytes;
        Some(at).filter(|at| *at > 0)
    }

    /// The end of a record over the limit, if it has arrived.
    fn first_cut(&self, held: &[u8]) -> Option<usize> {
        let from = ITEM_BYTES_MAX.saturating_sub(self.first.needle().len());
        let found = self.first.find(held.get(from..)?)?;
        Some(from + found + self.end_bytes)
    }

    /// As GNU parallel computes it.
    fn grow(&mut self) {
        self.searched = self.block_bytes;
        let grown = (self.block_bytes as f64 * 1.3 + 1.0).ceil();
        self.block_bytes = (grown as usize).min(ITEM_BYTES_MAX);
    }

    /// Begins to skip a record over the limit, of which `held` has arrived.
    pub(super) fn begin_to_skip(&mut self, held: &[u8]) {
        self.searched = 0;
        let kept = self.first.needle().len().saturating_sub(1).min(held.len());
        self.skipped.clear();
        self.skipped.extend_from_slice(&held[held.len() - kept..]);
    }

    /// What follows the record that is skipped; `None` if the record has not ended with this piece.
    pub(super) fn skip(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let mut joined = std::mem::take(&mut self.skipped);
        joined.extend_from_slice(piece);
        let Some(found) = self.first.find(&joined) else {
            self.begin_to_skip(&joined);
            return None;
        };
        joined.drain(..found + self.end_bytes);
        Some(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Delivery;
    use super::super::splitter::Splitter;
    use super::*;
    use crate::model::config::Split;

    /// GNU parallel's own loop, as `spreadstdin` in its source has it: the buffer is filled up to a multiple of the size,
    /// and passed on up to the last end of a record in it.
    fn naive(input: &[u8], block: usize, start: &[u8], end: &[u8]) -> Vec<Vec<u8>> {
        let text = [end, start].concat();
        let (mut blocks, mut buffer, mut rest, mut size) = (Vec::new(), Vec::new(), input, block);
        loop {
            let wanted = size - buffer.len() % size;
            let read = wanted.min(rest.len());
            buffer.extend_from_slice(&rest[..read]);
            rest = &rest[read..];
            if read < wanted {
                break;
            }
            let last = (0..=buffer.len()).rev().find(|at| buffer[*at..].starts_with(&text));
            let cut = last.map_or(0, |at| at + end.len());
            if cut > 0 {
                blocks.push(buffer.drain(..cut).collect());
            } else {
                size = (size as f64 * 1.3 + 1.0).ceil() as usize;
            }
        }
        if !buffer.is_empty() {
            blocks.push(buffer);
        }
        blocks
    }

    fn splitter(block: usize, start: &[u8], end: &[u8]) -> Splitter {
        let (start, end) = (start.to_vec(), end.to_vec());
        Splitter::new(Split::Records(RecordSplit { block_bytes: block as u64, start, end }), false)
    }

    fn drain(splitter: &mut Splitter, found: &mut Vec<Vec<u8>>) {
        while let Some(delivery) = splitter.next(9) {
            found.push(match delivery {
                Delivery::Items(payload) => payload.block[payload.range].to_vec(),
                Delivery::Rejected(reason) => reason.to_string().into_bytes(),
                other => panic!("a splitter never answers {other:?}"),
            });
        }
    }

    /// The blocks, of an input that arrives in pieces.
    fn blocks(mut splitter: Splitter, input: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for bytes in input.chunks(piece) {
            splitter.push(bytes);
            drain(&mut splitter, &mut found);
        }
        splitter.finish();
        drain(&mut splitter, &mut found);
        found
    }

    #[test]
    fn blocks_are_cut_as_the_naive_loop_cuts_them_however_they_arrive() {
        let mut state = 88_172_645_463_325_252_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as usize % below
        };
        let texts: [&[u8]; 9] = [b"", b"a", b"b", b"ab", b"aa", b"aba", b"\n", b"\nab", b"c"];
        for _ in 0..20_000 {
            let input: Vec<u8> = (0..random(120)).map(|_| b"aab\n"[random(4)]).collect();
            let (start, end, block) = (texts[random(9)], texts[random(9)], 1 + random(30));
            let pieces_max = [5, 150][random(2)];
            let piece = 1 + random(pieces_max);
            let found = blocks(splitter(block, start, end), &input, piece);
            let shown = String::from_utf8_lossy(&input);
            assert_eq!(found.concat(), input, "no byte is lost");
            assert_eq!(found, naive(&input, block, start, end), "{shown:?} {block} {start:?} {end:?} {piece}");
        }
    }

    #[test]
    fn a_record_over_the_limit_is_rejected_alone() {
        let long = |bytes: usize| vec![b'x'; bytes];
        for (bytes, fits) in [(ITEM_BYTES_MAX - 2, true), (ITEM_BYTES_MAX, false), (3 * ITEM_BYTES_MAX, false)] {
            for piece in [usize::MAX, 1 << 20, (1 << 16) + 1] {
                let input = [&b"first;;"[..], &long(bytes), b";;second;;", &long(9), b";;"].concat();
                let found = blocks(splitter(8, b"", b";;"), &input, piece.min(input.len()));
                assert_eq!(found[0], b"first;;");
                let is_whole = found[1] == [&long(bytes)[..], b";;"].concat();
                let is_rejected = found[1].starts_with(b"item is over the limit");
                assert!(if fits { is_whole } else { is_rejected }, "{bytes} {piece}");
                assert_eq!(found[2..].concat(), [&b"second;;"[..], &long(9), b";;"].concat(), "{bytes} {piece}");
            }
        }
        let endless = blocks(splitter(8, b">", b""), &long(ITEM_BYTES_MAX + 1), 1 << 16);
        assert_eq!(endless, [b"item is over the limit of 16777216 bytes".to_vec()]);
    }

    #[test]
    fn the_end_of_a_skipped_record_may_arrive_in_parts() {
        for cut in 1..7 {
            let (mut splitter, mut found) = (splitter(8, b"<<<", b">>>"), Vec::new());
            splitter.push(&vec![b'x'; ITEM_BYTES_MAX + 1]);
            drain(&mut splitter, &mut found);
            for piece in [&b">>><<<"[..cut.min(6)], &b">>><<<second"[cut.min(6)..]] {
                splitter.push(piece);
                drain(&mut splitter, &mut found);
            }
            splitter.finish();
            drain(&mut splitter, &mut found);
            assert_eq!(found[1..], [b"<<<second".to_vec()], "{cut}");
        }
    }
}
