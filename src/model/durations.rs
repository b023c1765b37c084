//! Durations as text: `200ms`, `1.5s`, `2m`, `1h30m`; a bare number is seconds. Flags and items are
//! read by the same rules.

#![deny(missing_docs)]

use super::numbers::Decimal;
use super::time::Duration;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It has no number, or two units run into each other, as in `1h30`.
    #[error("not a duration; write it as 200ms, 1.5s, 2m or 1h30m (a bare number is seconds)")]
    NotADuration,
    /// A number is followed by something else than a unit.
    #[error("no unit of time is called {unit}; use ns, us, ms, s, m, h or d")]
    Unit {
        /// What follows the number, quoted and escaped.
        unit: String,
    },
    /// It does not fit into 64 bits of nanoseconds.
    #[error("longer than 584 years; give a shorter one")]
    TooLong,
    /// A limit of 0; [`parse_limit`] alone refuses it.
    #[error("0 would leave no time at all; give more, or leave the flag out for no limit")]
    Zero,
}

/// Units by name, in nanoseconds.
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
const SECOND_NS: u64 = 1_000_000_000;

/// Reads a duration.
///
/// # Errors
/// It is not one.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut total_ns = 0u64;
    let mut rest = text;
    loop {
        let (number, after) = Decimal::split(rest).ok_or(DurationError::NotADuration)?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (name, next) = after.split_at(end);
        let unit_ns = match UNITS.iter().find(|(known, _)| *known == name) {
            Some((_, ns)) => *ns,
            None if after.is_empty() && rest == text => SECOND_NS,
            // `1h30`: minutes or seconds? Not guessed.
            None if name.is_empty() => return Err(DurationError::NotADuration),
            None => return Err(DurationError::Unit { unit: format!("{name:?}") }),
        };
        let part_ns = number.times(unit_ns).ok_or(DurationError::TooLong)?;
        total_ns = total_ns.checked_add(part_ns).ok_or(DurationError::TooLong)?;
        if next.is_empty() {
            return Ok(Duration(total_ns));
        }
        rest = next;
    }
}

/// Reads a duration that is a limit, so not zero.
///
/// # Errors
/// It is not one.
pub fn parse_limit(text: &str) -> Result<Duration, DurationError> {
    match parse(text)? {
        Duration::ZERO => Err(DurationError::Zero),
        length => Ok(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_contract() {
        let table = [
            ("200ms", 200_000_000),
            ("1.5s", 1_500_000_000),
            ("2m", 120_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("3", 3_000_000_000),
            ("0", 0),
            ("0.25", 250_000_000),
            ("1d", 86_400_000_000_000),
            ("7us", 7_000),
            ("7µs", 7_000),
            ("1m0.5s", 60_500_000_000),
        ];
        for (text, ns) in table {
            assert_eq!(parse(text), Ok(Duration(ns)), "{text}");
        }
    }

    #[test]
    fn what_is_none_says_why() {
        for text in ["", "abc", "-1s", "s", "1h30", "1..5s", "1.5.5s", " 1s", "1,5s"] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, DurationError::NotADuration | DurationError::Unit { .. }), "{text:?}: {error}");
        }
        assert_eq!(parse("3 s"), Err(DurationError::Unit { unit: "\" s\"".into() }));
        assert_eq!(parse("5x"), Err(DurationError::Unit { unit: "\"x\"".into() }));
        assert_eq!(parse("999999999d"), Err(DurationError::TooLong));
        assert_eq!(parse("584y"), Err(DurationError::Unit { unit: "\"y\"".into() }));
        assert_eq!(parse_limit("0s"), Err(DurationError::Zero));
        assert_eq!(parse_limit("1ns"), Ok(Duration(1)));
    }
}
