//! The output that a handler writes its result to.
//!
//! Most results have a few bytes, and the call of a copy costs more than the copy of a few bytes. So short pieces are
//! copied as one or two words.
//!
//! Invariant: append only. A handler cannot change the results of earlier items, which are in the same buffer.

#![deny(missing_docs)]

use crate::sys::growable_buffer::GrowableBuffer;
use std::io::{self, Write};

/// A buffer that has been larger is cut back to this size.
const KEPT_BYTES: usize = 256 * 1024;

/// The free bytes for a number of any size, which is written in whole words.
const NUMBER_BYTES: usize = 64;

/// Digits in a word, and how many numbers they make.
const WORD_DIGITS: usize = 8;
const WORD_VALUES: u64 = 100_000_000;

/// Eight digits `0`.
const ZEROS: u64 = u64::from_le_bytes([b'0'; WORD_DIGITS]);

/// The numbers of four digits in ASCII, the first in the lowest byte.
static FOURS: [u32; 10_000] = fours();

const fn fours() -> [u32; 10_000] {
    let mut fours = [0; 10_000];
    let mut number = 0;
    while number < 10_000 {
        let mut place: usize = 1000;
        let mut digits = [b'0'; 4];
        while place > 0 {
            // 1000 is the first of them.
            digits[3 - place.ilog10() as usize] += (number / place % 10) as u8;
            place /= 10;
        }
        fours[number] = u32::from_le_bytes(digits);
        number += 1;
    }
    fours
}

/// The result of the present item; it grows at the end.
#[derive(Debug, Default)]
pub struct Output {
    /// Results of finished items, each with its newline, then the present one, then free bytes.
    results: GrowableBuffer,
    /// The start and the end of the present result.
    start: usize,
    end: usize,
    /// The position of its first newline, if it has one.
    newline: Option<usize>,
}

/// An integer, as [`Output::number`] takes it.
pub trait Integer: Copy {
    /// Whether it is below zero, and how far it is from zero.
    fn parts(self) -> (bool, u128);
}

macro_rules! integers {
    ($($signed:ty, $unsigned:ty);+ $(;)?) => {$(
        impl Integer for $signed {
            #[inline]
            fn parts(self) -> (bool, u128) {
                (self < 0, self.unsigned_abs() as u128)
            }
        }
        impl Integer for $unsigned {
            #[inline]
            fn parts(self) -> (bool, u128) {
                (false, self as u128)
            }
        }
    )+};
}

integers!(i8, u8; i16, u16; i32, u32; i64, u64; i128, u128; isize, usize);

impl Output {
    /// An output that appends results in `results`.
    pub(super) const fn within(results: GrowableBuffer) -> Self {
        Self { results, start: 0, end: 0, newline: None }
    }

    /// Appends bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        if end > self.results.len() {
            self.grow(end);
        }
        let may_hold_newline = copy(bytes, &mut self.results[self.end..end]);
        if may_hold_newline && self.newline.is_none() {
            self.newline = memchr::memchr(b'\n', bytes).map(|at| self.end + at);
        }
        self.end = end;
    }

    /// Ends a result that has no newline yet, and then nothing is appended to it any more; `false` if it has one.
    #[inline(always)]
    pub(super) fn end_line(&mut self) -> bool {
        if self.newline.is_some() {
            return false;
        }
        if self.end == self.results.len() {
            self.grow(self.end + 1);
        }
        self.results[self.end] = b'\n';
        self.end += 1;
        true
    }

    /// Appends an integer in decimal: several times faster than `write!`.
    #[inline(always)]
    pub fn number(&mut self, number: impl Integer) {
        let (negative, distance) = number.parts();
        if self.end + NUMBER_BYTES > self.results.len() {
            self.grow(self.end + NUMBER_BYTES);
        }
        let Some(place) = self.results[self.end..].first_chunk_mut::<NUMBER_BYTES>() else { return };
        place[0] = b'-';
        let sign = usize::from(negative);
        let mut put = |at: usize, word: u64| place[at..at + WORD_DIGITS].copy_from_slice(&word.to_le_bytes());
        // Whole words; the surplus of each is overwritten by the next.
        match u64::try_from(distance) {
            Ok(short) if short < WORD_VALUES => {
                let (word, used) = leading_digits(short);
                put(sign, word);
                self.end += sign + used;
            }
            Ok(long) if long < WORD_VALUES * WORD_VALUES => {
                let (word, used) = leading_digits(long / WORD_VALUES);
                put(sign, word);
                put(sign + used, digits(long % WORD_VALUES));
                self.end += sign + used + WORD_DIGITS;
            }
            _ => {
                self.end += sign;
                self.long_number(distance);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn long_number(&mut self, distance: u128) {
        self.push(itoa::Buffer::new().format(distance).as_bytes());
    }

    /// Grows the buffer up to `end`.
    #[cold]
    fn grow(&mut self, end: usize) {
        self.results.grow(end);
    }

    /// The present result so far.
    #[must_use]
    pub fn present(&self) -> &[u8] {
        &self.results[self.start..self.end]
    }

    /// The bytes of the present result before its first newline, if it has one.
    #[inline]
    pub(super) fn newline(&self) -> Option<usize> {
        self.newline.map(|at| at - self.start)
    }

    /// Whether results are in memory that outlives this process.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        self.results.is_shared()
    }

    /// The number of bytes of the present result.
    #[inline]
    pub(super) const fn present_bytes(&self) -> usize {
        self.end - self.start
    }

    /// The results of the items before.
    pub(super) fn finished(&self) -> &[u8] {
        &self.results[..self.start]
    }

    /// The number of their bytes.
    #[inline]
    pub(super) const fn finished_bytes(&self) -> usize {
        self.start
    }

    /// Drops the present result.
    pub(super) fn cancel(&mut self) {
        self.end = self.start;
        self.newline = None;
    }

    /// Ends the present result, which then counts as finished.
    #[inline]
    pub(super) fn finish(&mut self) {
        self.start = self.end;
        self.newline = None;
    }

    /// Drops the finished results, and moves the present result to the front.
    pub(super) fn forget_finished(&mut self) {
        self.results.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.newline = self.newline();
        self.start = 0;
        if self.results.len() > KEPT_BYTES && self.end <= KEPT_BYTES {
            self.results.cut_back(KEPT_BYTES);
        }
    }
}

/// Eight digits of a number below 10^8 as a word, the first in its lowest byte.
#[inline(always)]
fn digits(number: u64) -> u64 {
    let (first, last) = (number / 10_000, number % 10_000);
    u64::from(FOURS[first as usize % FOURS.len()]) | u64::from(FOURS[last as usize]) << 32
}

/// The same without the zeros before the number, and how many digits are left; of zero one is.
#[inline(always)]
fn leading_digits(number: u64) -> (u64, usize) {
    let word = digits(number);
    // The last digit ends the search.
    let zeros = ((word ^ ZEROS) | 1 << (u64::BITS - 8)).trailing_zeros() as usize / 8;
    (word >> (8 * zeros), WORD_DIGITS - zeros)
}

/// Copies `from` to `to`, which is as long; returns `false` if there is certainly no newline in it.
#[inline]
fn copy(from: &[u8], to: &mut [u8]) -> bool {
    match from.len() {
        8..=16 => copy_ends::<8>(from, to),
        4..=7 => copy_ends::<4>(from, to),
        17..=32 => copy_ends::<16>(from, to),
        1 => {
            to[0] = from[0];
            from[0] == b'\n'
        }
        _ => {
            to.copy_from_slice(from);
            true
        }
    }
}

/// The first and the last `N` bytes, which overlap or meet: `from` has no more than two times as many.
#[inline]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else { return true };
    if let Some(place) = to.first_chunk_mut::<N>() {
        *place = *first;
    }
    if let Some(place) = to.last_chunk_mut::<N>() {
        *place = *last;
    }
    let newlines = |bytes: &[u8; N]| bytes.iter().fold(false, |any, byte| any | (*byte == b'\n'));
    newlines(first) | newlines(last)
}

/// For `write!`. Never fails.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_written_as_the_standard_library_writes_them() {
        let mut output = Output::within(GrowableBuffer::new());
        let mut expected = Vec::new();
        let mut number = |number: i128| {
            output.number(number);
            expected.extend_from_slice(number.to_string().as_bytes());
        };
        for digits in 0..38 {
            let power = 10_i128.pow(digits);
            for distance in [power - 1, power, power + 1, 3 * power + power / 7, 9 * power] {
                number(distance);
                number(-distance);
            }
        }
        for near in 0..20_000 {
            number(near);
        }
        number(i128::MAX);
        number(i128::MIN);
        number(i128::from(u64::MAX));
        assert_eq!(String::from_utf8_lossy(output.present()), String::from_utf8_lossy(&expected));
        output.cancel();
        output.number(u128::MAX);
        output.number(i8::MIN);
        output.number(0_u8);
        assert_eq!(output.present(), format!("{}-1280", u128::MAX).as_bytes());
        assert_eq!(output.newline(), None);
    }

    #[test]
    fn pieces_of_every_length_are_copied_and_their_first_newline_is_known() {
        let mut output = Output::within(GrowableBuffer::new());
        output.push(b"finished\n");
        output.finish();
        for length in 0..80 {
            let piece: Vec<u8> = (0..length).map(|at| b'a' + at % 26).collect();
            for newline in 0..=length as usize {
                let mut piece = piece.clone();
                if let Some(byte) = piece.get_mut(newline) {
                    *byte = b'\n';
                }
                output.push(b"xyz");
                output.push(&piece);
                output.push(b"\n");
                assert_eq!(output.present(), [b"xyz", piece.as_slice(), b"\n"].concat(), "{length}");
                assert_eq!(output.newline(), Some(3 + newline), "{length}");
                output.cancel();
            }
        }
        assert_eq!((output.present(), output.newline(), output.finished()), (&b""[..], None, &b"finished\n"[..]));
    }

    #[test]
    fn what_is_finished_is_forgotten_and_the_present_stays() {
        let mut output = Output::within(GrowableBuffer::new());
        output.push(&vec![b'x'; 2 * KEPT_BYTES]);
        output.finish();
        output.push(b"ab\nc");
        output.forget_finished();
        assert_eq!((output.present(), output.newline(), output.finished().len()), (&b"ab\nc"[..], Some(2), 0));
        assert_eq!(output.results.len(), KEPT_BYTES);
        output.number(7);
        assert_eq!(output.present(), b"ab\nc7");
    }
}
