//! Whole numbers and exact decimal fractions, as flags take them.
//!
//! Invariant: no floating point, so `0.1s` is 100,000,000 ns and not a nanosecond less.

#![deny(missing_docs)]

use std::fmt::Display;
use std::str::FromStr;

/// Why a text is not the number that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// It has another character than a decimal digit, or none at all.
    #[error("not a whole number of 0 or more")]
    NotANumber,
    /// It is below the range.
    #[error("at least {min} is needed")]
    TooSmall {
        /// The smallest number of the range.
        min: String,
    },
    /// It is above the range.
    #[error("at most {max} is possible")]
    TooLarge {
        /// The largest number of the range.
        max: String,
    },
}

/// A whole number from `min` to `max`, in decimal digits and nothing else.
///
/// # Errors
/// It is not one.
pub fn whole<T: FromStr + PartialOrd + Display>(text: &str, min: T, max: T) -> Result<T, NumberError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    // Nothing but digits: what cannot be read is too large for the type.
    match text.parse::<T>() {
        Ok(number) if number < min => Err(NumberError::TooSmall { min: min.to_string() }),
        Ok(number) if number <= max => Ok(number),
        _ => Err(NumberError::TooLarge { max: max.to_string() }),
    }
}

/// A decimal number such as `1.5`, as digits before and after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// The number at the start of `text` and what follows it; `None` if no number stands there.
    #[must_use]
    pub fn split(text: &'a str) -> Option<(Self, &'a str)> {
        let (whole, rest) = split_digits(text);
        let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
        (!whole.is_empty() || !fraction.is_empty()).then_some((Self { whole, fraction }, rest))
    }

    /// This many times `unit`, cut to a whole number; `None` if it does not fit.
    #[must_use]
    pub fn times(self, unit: u64) -> Option<u64> {
        let unit = u128::from(unit);
        let whole = if self.whole.is_empty() { 0 } else { self.whole.parse::<u128>().ok()? };
        // More digits than these change nothing below one of any unit (the largest has 20).
        let digits = &self.fraction[..self.fraction.len().min(18)];
        let fraction = if digits.is_empty() { 0 } else { digits.parse::<u128>().ok()? };
        let scale = 10u128.pow(u32::try_from(digits.len()).ok()?);
        let total = whole.checked_mul(unit)?.checked_add(fraction * unit / scale)?;
        u64::try_from(total).ok()
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        assert_eq!(whole("0", 0u32, 9), Ok(0));
        assert_eq!(whole("0010", 0u32, 10), Ok(10));
        for text in ["", "-3", "+3", "1e3", "3.0", " 3", "three", "٣"] {
            assert_eq!(whole(text, 0u32, 9), Err(NumberError::NotANumber), "{text:?}");
        }
        assert_eq!(whole("0", 1u32, 9), Err(NumberError::TooSmall { min: "1".into() }));
        assert_eq!(whole("10", 1u32, 9), Err(NumberError::TooLarge { max: "9".into() }));
        assert_eq!(whole("99999999999999999999", 1u32, 9), Err(NumberError::TooLarge { max: "9".into() }));
    }

    #[test]
    fn decimals_are_exact() {
        let of = |text| Decimal::split(text).and_then(|(number, rest)| Some((number.times(1_000_000_000)?, rest)));
        assert_eq!(of("0.1s"), Some((100_000_000, "s")));
        assert_eq!(of("1.000000001"), Some((1_000_000_001, "")));
        assert_eq!(of(".5m"), Some((500_000_000, "m")));
        assert_eq!(of("2.h"), Some((2_000_000_000, "h")));
        assert_eq!(of("0.99999999999999999999999999999"), Some((999_999_999, "")));
        assert_eq!(of("18446744073.709551615"), Some((u64::MAX, "")));
        assert_eq!(of("18446744073.709551616"), None);
        assert_eq!(of(&"9".repeat(60)), None);
        for text in ["", ".", "-1", "x", "µ"] {
            assert_eq!(Decimal::split(text), None, "{text:?}");
        }
    }
}
