//! An iteration over the items of a batch.
//!
//! Most items have a few bytes, and the call of a search costs more than the search of a few bytes. So 64 bytes are
//! searched at once, and the delimiters found are the bits of a word.
//!
//! Invariant: returns at most the number of items of the batch, and no delimiter.

use super::Item;
use crate::model::ids::{Attempt, Batch, ItemId};

/// Bytes that are searched at once: one bit of a word each.
const WINDOW_BYTES: usize = u64::BITS as usize;

/// The lowest bit of each byte of a word, and the highest.
const LOWEST: u64 = 0x0101_0101_0101_0101;
const UPPER: u64 = LOWEST << 7;

/// The items of one batch, in order.
pub(super) struct Items<'a> {
    body: &'a [u8],
    delimiter: u8,
    /// The body is one item, whole, without a delimiter.
    single: bool,
    /// The delimiters in the bytes from `window` on that were not used yet, the lowest bit first.
    delimiters: u64,
    window: usize,
    /// The start of the next item.
    at: usize,
    /// The next item, and the one behind the last. Not stored as a `Batch`: to read one word back that was just written
    /// in two halves is slow, and a batch may be one tiny item.
    next: u64,
    behind: u64,
    attempt: Attempt,
    /// The start and the end of the present item. Not a slice: two words that were just written apart are
    /// slow to read back as one.
    start: usize,
    end: usize,
}

impl<'a> Items<'a> {
    pub(super) fn new(batch: Batch, body: &'a [u8], delimiter: u8) -> Self {
        let single = batch.count == 1;
        let delimiters = if single { 0 } else { delimiters(body, delimiter) };
        let (next, behind) = (batch.first.0, batch.first.0.wrapping_add(u64::from(batch.count)));
        let attempt = batch.attempt;
        Self { body, delimiter, single, delimiters, window: 0, at: 0, next, behind, attempt, start: 0, end: 0 }
    }

    /// Moves to the next item, which is then the [`present`](Self::present) one. `false`: no item is left, or the body
    /// holds fewer items than the batch.
    #[inline(always)]
    pub(super) fn advance(&mut self) -> bool {
        if self.next == self.behind {
            return false;
        }
        if self.delimiters == 0 && !self.look_further() {
            return false;
        }
        self.next = self.next.wrapping_add(1);
        if self.single {
            return true;
        }
        self.start = self.at;
        self.end = self.window + self.delimiters.trailing_zeros() as usize;
        self.delimiters &= self.delimiters - 1;
        self.at = self.end + 1;
        true
    }

    /// Searches for delimiters after the window; `false` if there is none. A single item needs none.
    #[inline]
    fn look_further(&mut self) -> bool {
        if self.single {
            self.end = self.body.len();
            self.at = self.end;
            return true;
        }
        self.window += WINDOW_BYTES;
        let Some(rest) = self.body.get(self.window..) else { return false };
        self.delimiters = delimiters(rest, self.delimiter);
        self.delimiters != 0 || self.look_far()
    }

    /// The same for an item that is longer than a window.
    #[cold]
    fn look_far(&mut self) -> bool {
        let rest = self.body.get(self.window..).unwrap_or_default();
        let Some(found) = memchr::memchr(self.delimiter, rest) else { return false };
        self.window += found;
        self.delimiters = delimiters(&rest[found..], self.delimiter);
        true
    }

    /// The next item without its bytes, for a batch whose bytes are lost.
    pub(super) fn next_lost(&mut self) -> Option<Item<'a>> {
        if self.next == self.behind {
            return None;
        }
        self.end = self.start;
        self.next = self.next.wrapping_add(1);
        Some(self.present())
    }

    /// The present item.
    #[inline(always)]
    pub(super) fn present(&self) -> Item<'a> {
        let id = ItemId(self.next.wrapping_sub(1));
        Item { bytes: &self.body[self.start..self.end], id, attempt: self.attempt }
    }

    /// Whether every item of the batch was returned, and no byte is left.
    pub(super) fn is_finished(&self) -> bool {
        self.next == self.behind && self.at == self.body.len()
    }
}

/// Which of the first 64 bytes are delimiters: the lowest bit is the first byte's.
#[inline]
fn delimiters(bytes: &[u8], delimiter: u8) -> u64 {
    match bytes.first_chunk() {
        Some(window) => matches(window, delimiter),
        None => {
            let mut window = [!delimiter; WINDOW_BYTES];
            window[..bytes.len()].copy_from_slice(bytes);
            matches(&window, delimiter)
        }
    }
}

/// A bit for each byte of the window that is the wanted one, eight at a time.
#[inline]
fn matches(window: &[u8; WINDOW_BYTES], wanted: u8) -> u64 {
    let (words, _) = window.as_chunks();
    let bits = |word: &[u8; 8]| {
        // The upper bit of a byte becomes 1 where any of its bits is, without a carry into the next byte.
        let differs = u64::from_le_bytes(*word) ^ (LOWEST * u64::from(wanted));
        let same = !(((differs & !UPPER) + !UPPER) | differs) & UPPER;
        // Each of these bits goes to a place of its own in the highest byte.
        (same >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    words.iter().rev().fold(0, |found, word| (found << 8) | bits(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: u32) -> Batch {
        Batch { first: ItemId(7), count, attempt: Attempt(2) }
    }

    #[test]
    fn delimiters_are_found_at_every_place() {
        for (wanted, other) in [(b'\n', b'\x0b'), (b'\0', b'\x01'), (b'\xff', b'\x7f'), (b'\x80', b'\0')] {
            for length in 0..=WINDOW_BYTES + 3 {
                let mut bytes = vec![other; length];
                assert_eq!(delimiters(&bytes, wanted), 0);
                for at in 0..length.min(WINDOW_BYTES) {
                    bytes[at] = wanted;
                    assert_eq!(delimiters(&bytes, wanted), u64::MAX >> (WINDOW_BYTES - 1 - at), "{wanted} of {length}");
                }
            }
        }
    }

    #[test]
    fn items_of_every_length_are_returned_whole() {
        for length in 0..200 {
            for (before, behind) in [(0, 0), (1, 63), (63, 1), (64, 70), (200, 0)] {
                let lengths = [before, length, behind, length, 3];
                let body: Vec<u8> =
                    lengths.iter().flat_map(|length| [vec![b'x'; *length], vec![b';']].concat()).collect();
                let mut items = Items::new(run(5), &body, b';');
                for length in lengths {
                    assert!(items.advance());
                    assert_eq!(items.present().bytes, vec![b'x'; length]);
                }
                assert!(!items.advance() && items.is_finished());
            }
        }
    }

    #[test]
    fn items_are_returned_in_order_and_none_is_invented() {
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
