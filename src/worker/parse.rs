//! Integers out of the bytes of an item.
//!
//! Short ones, which are nearly all, are read eight digits at a time: as one word, whose bytes are
//! checked and added up in parallel. One digit after the other takes several times as long.
//!
//! Invariant: exact or not at all; nothing is trimmed, rounded or wrapped.

/// Why bytes are no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInteger {
    /// Something else than digits with an optional sign.
    Form,
    /// It needs more than 64 bits.
    Range,
}

/// Digits in a word.
const WORD_DIGITS: usize = 8;

/// Digits in half a word.
const HALF_DIGITS: usize = 4;

/// Eight digits `0`.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Ten to the power of [`WORD_DIGITS`].
const WORD_VALUES: u64 = 100_000_000;

/// A decimal integer. Bytes are read as they are: a check for UTF-8 costs as much as the reading.
#[inline(always)]
pub(super) fn integer(bytes: &[u8]) -> Result<i64, NotInteger> {
    // The usual ones first. With a sign they are no digits.
    match usual(bytes).and_then(value) {
        Some(number) => Ok(number as i64),
        None => any_integer(bytes),
    }
}

#[inline(never)]
fn any_integer(bytes: &[u8]) -> Result<i64, NotInteger> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // Sixteen digits fit into 64 bits with any sign.
    let number = match digits.len() {
        1..=WORD_DIGITS => value(padded(digits)),
        9..=16 => {
            let (high, low) = digits.split_at(digits.len() - WORD_DIGITS);
            value(padded(high)).zip(value(padded(low))).map(|(high, low)| high * WORD_VALUES + low)
        }
        _ => return many_digits(negative, digits),
    };
    let number = number.ok_or(NotInteger::Form)? as i64;
    Ok(if negative { -number } else { number })
}

/// What eight digits in a word are worth, the first one in the lowest byte.
#[inline(always)]
fn value(word: u64) -> Option<u64> {
    // A digit is 0x30 to 0x39: its upper half is 3, and is 3 still when 6 is added. What carries into
    // the next byte fails by its own upper half.
    const UPPER: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    let up = word.wrapping_add(0x0606_0606_0606_0606);
    if (word & UPPER) | ((up & UPPER) >> 4) != 0x3333_3333_3333_3333 {
        return None;
    }
    // Neighbours become pairs, then fours, then the eight.
    let pairs = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul((10 << 8) | 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul((100 << 16) | 1) >> 16;
    Some((fours & 0x0000_ffff_0000_ffff).wrapping_mul((10_000 << 32) | 1) >> 32)
}

/// One to eight bytes as a word, the last one in the highest byte, and before the first as many `0`
/// as fill it.
#[inline]
fn padded(digits: &[u8]) -> u64 {
    usual(digits).unwrap_or_else(|| {
        let word = digits.iter().rev().fold(0, |word, digit| (word << 8) | u64::from(*digit));
        (word << (8 * (WORD_DIGITS - digits.len()))) | (ZEROS >> (8 * digits.len()))
    })
}

/// The same of four to eight bytes, without a loop.
#[inline(always)]
fn usual(digits: &[u8]) -> Option<u64> {
    if digits.len() > WORD_DIGITS {
        return None;
    }
    let (first, last) = (digits.first_chunk()?, digits.last_chunk()?);
    let beyond_half = 8 * (digits.len() - HALF_DIGITS);
    // The two overlap, where they are the same.
    let word = u64::from(u32::from_le_bytes(*first)) | (u64::from(u32::from_le_bytes(*last)) << beyond_half);
    let half = 8 * HALF_DIGITS;
    Some((word << (half - beyond_half)) | (ZEROS >> half >> beyond_half))
}

/// More than sixteen digits, or none.
#[cold]
fn many_digits(negative: bool, digits: &[u8]) -> Result<i64, NotInteger> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotInteger::Form);
    }
    let value = |digit: &u8| i64::from(digit - b'0');
    let next = |number: i64, digit| {
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(value(digit)) } else { number.checked_add(value(digit)) }
    };
    digits.iter().try_fold(0, next).ok_or(NotInteger::Range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_exactly() {
        let good = [
            ("0", 0),
            ("-0", 0),
            ("+7", 7),
            ("007", 7),
            ("-42", -42),
            ("999999999999999999", 999_999_999_999_999_999),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-00000000000000000000000001", -1),
        ];
        for (text, number) in good {
            assert_eq!(integer(text.as_bytes()), Ok(number), "{text}");
        }
        for text in
            ["", "-", "+", "abc", "1.5", " 1", "1 ", "1\r", "--1", "0x1", "1e3", "\u{661}", "12345678901234567890x"]
        {
            assert_eq!(integer(text.as_bytes()), Err(NotInteger::Form), "{text:?}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "99999999999999999999999999"] {
            assert_eq!(integer(text.as_bytes()), Err(NotInteger::Range), "{text}");
        }
    }

    #[test]
    fn every_length_and_every_byte_is_read_as_the_standard_library_reads_it() {
        let digits = "98765432109876543210";
        for length in 1..=20 {
            for sign in ["", "-", "+"] {
                let text = format!("{sign}{}", &digits[..length]);
                assert_eq!(integer(text.as_bytes()).ok(), text.parse().ok(), "{text}");
                for at in sign.len()..text.len() {
                    for byte in 0..=255_u8 {
                        let mut bytes = text.clone().into_bytes();
                        bytes[at] = byte;
                        let expected = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
                        assert_eq!(integer(&bytes).ok(), expected, "{bytes:?}");
                    }
                }
            }
        }
    }
}
