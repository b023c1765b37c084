//! A run taken apart into its items.
//!
//! Most items are a few bytes, and a call to search a few bytes costs more than the search: the first
//! words are looked through here, eight bytes at a time.
//!
//! Invariant: never lends more items than the run announced, nor a byte of a delimiter.

use super::Item;
use crate::model::ids::{ItemId, Run};

/// So many words are looked through before the search is left to `memchr`, which is faster from there.
const WORDS_MAX: usize = 4;

const WORD_BYTES: usize = size_of::<u64>();

/// The lowest bit of each byte of a word.
const LOWEST: u64 = 0x0101_0101_0101_0101;

/// The items of one run, in order.
pub(super) struct Items<'a> {
    body: &'a [u8],
    delimiter: u8,
    run: Run,
    /// The body is one item, whole, without a delimiter.
    single: bool,
    /// Where the next item begins.
    at: usize,
    /// Items that were lent.
    lent: u32,
    /// Where the present item begins and ends. Not a slice: two words that were just written apart are
    /// slow to read back as one.
    start: usize,
    end: usize,
}

impl<'a> Items<'a> {
    pub(super) const fn new(run: Run, body: &'a [u8], delimiter: u8) -> Self {
        Self { body, delimiter, run, single: run.count == 1, at: 0, lent: 0, start: 0, end: 0 }
    }

    /// Goes on to the next item, which is then the [`present`](Self::present) one; `false` behind the last,
    /// or where the body ends before the run does.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> bool {
        if self.lent == self.run.count {
            return false;
        }
        if self.single {
            self.end = self.body.len();
            self.at = self.end;
        } else {
            let Some(rest) = self.body.get(self.at..) else { return false };
            let Some(length) = find(self.delimiter, rest) else { return false };
            self.start = self.at;
            self.end = self.at + length;
            self.at = self.end + 1;
        }
        self.lent += 1;
        true
    }

    /// The next item without its bytes, where they are lost.
    pub(super) fn next_lost(&mut self) -> Option<Item<'a>> {
        if self.lent == self.run.count {
            return None;
        }
        self.end = self.start;
        self.lent += 1;
        Some(self.present())
    }

    /// The item that was lent last.
    #[inline(always)]
    pub(super) fn present(&self) -> Item<'a> {
        let id = ItemId(self.run.first.0.wrapping_add(u64::from(self.lent)).wrapping_sub(1));
        Item { bytes: &self.body[self.start..self.end], id, attempt: self.run.attempt }
    }

    /// If every item that was announced was lent, and nothing is left.
    pub(super) fn is_finished(&self) -> bool {
        self.lent == self.run.count && self.at == self.body.len()
    }
}

/// Where the first `wanted` is.
#[inline]
fn find(wanted: u8, bytes: &[u8]) -> Option<usize> {
    let pattern = LOWEST * u64::from(wanted);
    for word in 0..WORDS_MAX {
        let at = word * WORD_BYTES;
        let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<WORD_BYTES>) else { break };
        // A byte that is zero here borrows from its upper bit; those above the lowest such byte may lie.
        let differs = u64::from_le_bytes(*chunk) ^ pattern;
        let found = differs.wrapping_sub(LOWEST) & !differs & (LOWEST << 7);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
    }
    memchr::memchr(wanted, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Attempt;

    fn run(count: u32) -> Run {
        Run { first: ItemId(7), count, attempt: Attempt(2) }
    }

    #[test]
    fn a_delimiter_is_found_at_every_place() {
        for length in 0..90 {
            for at in 0..=length {
                for (wanted, other) in [(b'\n', b'\x0b'), (b'\0', b'\x01'), (b'\xff', b'\x7f'), (b'\x80', b'\0')] {
                    let mut bytes = vec![other; length];
                    bytes.extend([wanted, other, wanted]);
                    bytes[at] = wanted;
                    assert_eq!(find(wanted, &bytes), Some(at), "{wanted} in {bytes:?}");
                    assert_eq!(find(wanted, &vec![other; length]), None);
                }
            }
        }
    }

    #[test]
    fn items_are_lent_in_order_and_none_is_invented() {
        let mut items = Items::new(run(3), b"a\n\nbcd\n", b'\n');
        for (id, bytes) in [(7, &b"a"[..]), (8, b""), (9, b"bcd")] {
            assert!(!items.is_finished());
            assert!(items.advance());
            let item = items.present();
            assert_eq!((item.id, item.bytes, item.attempt), (ItemId(id), bytes, Attempt(2)));
        }
        assert!(!items.advance() && items.is_finished());
    }

    #[test]
    fn an_item_alone_is_the_whole_body() {
        let mut items = Items::new(run(1), b"a\nb", b'\n');
        assert!(items.advance());
        assert_eq!(items.present().bytes, b"a\nb");
        assert!(!items.advance() && items.is_finished());
        let mut items = Items::new(run(1), b"", b'\n');
        assert!(items.advance());
        assert_eq!(items.present().bytes, b"");
        assert!(!items.advance() && items.is_finished());
    }

    #[test]
    fn a_body_of_another_number_of_items_is_seen() {
        for body in [&b"a\n"[..], b"a\nb", b"a\nb\nc\n", b"a\nb\nc"] {
            let mut items = Items::new(run(2), body, b'\n');
            while items.advance() {}
            assert!(!items.is_finished(), "{body:?}");
        }
    }
}
