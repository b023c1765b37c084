//! The decimal numbers from 0, one a line: demonstration items, and the source for measurements.
//!
//! Invariant: never more than is asked for, so what is not wanted is never made.

use super::{Batch, Delivery, RUN_BYTES_MAX, Source, SourceError};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Digits of the largest u64.
const DIGITS_MAX: usize = 20;

pub struct Generator {
    next: u64,
    count: u64,
    /// `next` in ASCII, in the last `digits_len` bytes. Counting up in place costs a byte for nine
    /// items of ten.
    digits: [u8; DIGITS_MAX],
    digits_len: usize,
}

impl Generator {
    /// The numbers 0..count.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        Self { next: 0, count, digits: [b'0'; DIGITS_MAX], digits_len: 1 }
    }

    fn count_up(&mut self) {
        self.next += 1;
        for place in (0..DIGITS_MAX).rev() {
            if self.digits[place] < b'9' {
                self.digits[place] += 1;
                self.digits_len = self.digits_len.max(DIGITS_MAX - place);
                return;
            }
            self.digits[place] = b'0';
        }
    }
}

impl Source for Generator {
    fn next(&mut self, items_max: u64) -> Result<Delivery, SourceError> {
        let wanted = items_max.min(self.count - self.next);
        if wanted == 0 {
            return Ok(Delivery::Ended);
        }
        let line_bytes = self.digits_len + 2;
        let bytes = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_mul(line_bytes).min(RUN_BYTES_MAX);
        let mut block = Vec::with_capacity(bytes);
        let mut count = 0;
        while u64::from(count) < wanted && block.len() + self.digits_len < RUN_BYTES_MAX {
            block.extend_from_slice(&self.digits[DIGITS_MAX - self.digits_len..]);
            block.push(b'\n');
            count += 1;
            self.count_up();
        }
        let end = if count == 1 { block.len() - 1 } else { block.len() };
        Ok(Delivery::Items(Batch { block: Arc::new(block.into()), range: 0..end, count, priority: 0 }))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn delimiter(&self) -> u8 {
        b'\n'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up_to_the_number_asked_for_and_no_further() {
        let mut generator = Generator::new(100_500);
        let mut text = Vec::new();
        let mut items = 0;
        for items_max in [1, 2, 7, 100_000, u64::MAX].into_iter().chain(std::iter::repeat(5000)) {
            match generator.next(items_max).unwrap() {
                Delivery::Items(batch) => {
                    assert!(u64::from(batch.count) <= items_max && batch.range.len() <= RUN_BYTES_MAX);
                    text.extend_from_slice(&batch.block[batch.range]);
                    if batch.count == 1 {
                        text.push(b'\n');
                    }
                    items += u64::from(batch.count);
                }
                Delivery::Ended => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(items, 100_500);
        let expected: String = (0..100_500).map(|number| format!("{number}\n")).collect();
        assert!(text == expected.as_bytes());
        assert!(matches!(Generator::new(0).next(1), Ok(Delivery::Ended)));
    }
}
