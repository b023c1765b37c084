//! Integers and durations out of the bytes of an item.
//!
//! Invariant: exact or not at all; nothing is trimmed, rounded or wrapped.

use std::time::Duration;

/// Why bytes are no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInteger {
    /// Something else than digits with an optional sign.
    Form,
    /// It needs more than 64 bits.
    Range,
}

/// Any number of so many digits fits into 64 bits.
const SAFE_DIGITS: usize = 18;

/// A decimal integer. Bytes are read as they are: a check for UTF-8 costs as much as the reading.
#[inline]
pub(super) fn integer(bytes: &[u8]) -> Result<i64, NotInteger> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotInteger::Form);
    }
    let value = |digit: &u8| i64::from(digit - b'0');
    if digits.len() <= SAFE_DIGITS {
        let number = digits.iter().fold(0, |number, digit| number * 10 + value(digit));
        return Ok(if negative { -number } else { number });
    }
    let next = |number: i64, digit| {
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(value(digit)) } else { number.checked_add(value(digit)) }
    };
    digits.iter().try_fold(0, next).ok_or(NotInteger::Range)
}

/// Units of time by name, in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// A duration as flags take it: `200ms`, `1.5s`, `1h30m`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut total_ns = 0u64;
    let mut rest = text;
    while !rest.is_empty() || text.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let unit = if after.is_empty() && number == text { "s" } else { unit };
        let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total_ns = total_ns.checked_add(times(number, *unit_ns)?)?;
        rest = next;
    }
    Some(Duration::from_nanos(total_ns))
}

/// A decimal number of at least one digit times `unit_ns`, cut to a whole number.
fn times(number: &str, unit_ns: u64) -> Option<u64> {
    /// More digits than these change nothing below one of any unit.
    const FRACTION_DIGITS_MAX: usize = 18;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    let read = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u128>().ok() };
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
    let scale = 10u128.pow(fraction.len() as u32);
    let total = read(whole)?.checked_mul(u128::from(unit_ns))? + read(fraction)? * u128::from(unit_ns) / scale;
    u64::try_from(total).ok()
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
    fn durations_are_read_exactly() {
        let good = [
            ("0", 0),
            ("3", 3_000_000_000),
            ("0.25", 250_000_000),
            (".5s", 500_000_000),
            ("200ms", 200_000_000),
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("7µs", 7_000),
            ("1m0.5s", 60_500_000_000),
            ("0.1s", 100_000_000),
            ("0.00000000000000000000000000000000000001s", 0),
        ];
        for (text, ns) in good {
            assert_eq!(duration(text), Some(Duration::from_nanos(ns)), "{text}");
        }
        for text in ["", "abc", "s", ".s", ".", "-1s", "1h30", "1..5s", "1.5.5s", " 1s", "1s ", "5x", "999999999d"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }
}
