//! The decimal numbers from 0, one per line: items for demonstrations and measurements.
//!
//! Invariant: no item is generated that was not asked for.

use super::{BATCH_BYTES_MAX, Delivery, Payload, Source, SourceError};
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A line is copied with this fixed size, whatever its length, because a call to copy nine bytes costs more. The longest
/// number has 20 digits.
const COPY_BYTES: usize = 24;

/// The source of generated items.
pub struct Generator {
    next: u64,
    count: u64,
    /// `next` in ASCII, in the first `digits_len` bytes, followed by a newline. Ten consecutive lines differ only in the
    /// last digit.
    line: [u8; COPY_BYTES],
    digits_len: usize,
}

impl Generator {
    /// The numbers 0..count.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        let mut line = [0; COPY_BYTES];
        (line[0], line[1]) = (b'0', b'\n');
        Self { next: 0, count, line, digits_len: 1 }
    }

    /// Writes up to `wanted` lines of equal length to the beginning of `buffer`, and returns how many.
    fn write_lines(&mut self, wanted: u64, buffer: &mut [u8]) -> u64 {
        let line_len = self.digits_len + 1;
        let digit = self.digits_len - 1;
        let lines = u64::from(b'9' + 1 - self.line[digit]).min(wanted);
        // The digit is changed in the copy: to change it in `self.line` would stall the next wide load from it.
        for line in 0..lines as usize {
            let place = &mut buffer[line * line_len..][..COPY_BYTES];
            place.copy_from_slice(&self.line);
            place[digit] += line as u8;
        }
        self.line[digit] += lines as u8;
        self.next += lines;
        if self.line[digit] > b'9' {
            self.carry();
        }
        lines
    }

    /// Carries a last digit that is greater than 9.
    fn carry(&mut self) {
        for place in (0..self.digits_len).rev() {
            if self.line[place] <= b'9' {
                return;
            }
            self.line[place] = b'0';
            match place.checked_sub(1) {
                Some(before) => self.line[before] += 1,
                None => {
                    self.line.copy_within(0..COPY_BYTES - 1, 1);
                    self.line[0] = b'1';
                    self.digits_len += 1;
                }
            }
        }
    }
}

impl Source for Generator {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let wanted = items_max.min(self.count - self.next);
        if wanted == 0 {
            return Ok(Delivery::Ended);
        }
        // Later lines may be longer, never shorter.
        let most = wanted.min((BATCH_BYTES_MAX / (self.digits_len + 1)) as u64);
        let mut block = vec![0; (most as usize * COPY_BYTES).min(BATCH_BYTES_MAX) + COPY_BYTES];
        let (mut count, mut end) = (0, 0);
        while count < most && end + self.digits_len < BATCH_BYTES_MAX {
            let line_len = self.digits_len + 1;
            let fits = (BATCH_BYTES_MAX - end) / line_len;
            let lines = self.write_lines((most - count).min(fits as u64), &mut block[end..]);
            count += lines;
            end += lines as usize * line_len;
        }
        block.truncate(end);
        let (count, end) = (count as u32, if count == 1 { end - 1 } else { end });
        Ok(Delivery::Items(Payload { block: Arc::new(block.into()), range: 0..end, count, priority: 0 }))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn delimiter(&self) -> u8 {
        b'\n'
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_up_to_the_count_are_generated() {
        let mut generator = Generator::new(100_500);
        let mut text = Vec::new();
        let mut items = 0;
        for items_max in [1, 2, 7, 100_000, u64::MAX].into_iter().chain(std::iter::repeat(5000)) {
            match generator.next(items_max).unwrap() {
                Delivery::Items(payload) => {
                    assert!(u64::from(payload.count) <= items_max && payload.range.len() <= BATCH_BYTES_MAX);
                    text.extend_from_slice(&payload.block[payload.range]);
                    if payload.count == 1 {
                        text.push(b'\n');
                    }
                    items += u64::from(payload.count);
                }
                Delivery::Ended => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(items, 100_500);
        let expected: String = (0..100_500).map(|number| format!("{number}\n")).collect();
        assert!(text == expected.as_bytes());
        assert!(matches!(Generator::new(0).next(1), Ok(Delivery::Ended)));
        for count in [1, 9, 10, 11, 101, 1000, 2048, 10_001] {
            let Ok(Delivery::Items(payload)) = Generator::new(count).next(count) else { panic!("no items") };
            let expected: String = (0..count).map(|number| format!("{number}\n")).collect();
            let expected = if count == 1 { expected.trim_end() } else { expected.as_str() };
            assert_eq!(payload.block[payload.range], *expected.as_bytes(), "{count} at once");
        }
    }
}
