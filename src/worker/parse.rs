//! Integers out of the bytes of an item.
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
}
