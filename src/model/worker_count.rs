//! A number of workers as text: `4`, `150%`, `+2`, `-1`, `auto`. A flag and a file are read by the same rules.
//!
//! Invariant: pure. The number of cores is an argument.

#![deny(missing_docs)]

use super::numbers::{self, NumberError};

/// Most digits behind the point of a percent.
const FRACTION_DIGITS: usize = 6;

/// A percent in its smallest parts.
const PERCENT: u64 = 1_000_000;

/// A number of workers, perhaps in terms of the cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerCount {
    /// One for each core.
    Cores,
    /// Millionths of a percent of the cores; rounded up, as in GNU parallel.
    Percent(u64),
    /// So many more than there are cores.
    More(u32),
    /// So many fewer, and at least 1.
    Fewer(u32),
    /// This many, at least 1.
    Exactly(u32),
}

/// Why a text is no number of workers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerCountError {
    /// It is none, or 0.
    #[error("give a number of at least 1, 200% or +2 or -1 of the cores, auto, or a file with one of these")]
    NotACount,
    /// It does not fit into 32 bits.
    #[error(transparent)]
    Number(#[from] NumberError),
}

impl WorkerCount {
    /// Reads a number of workers.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, WorkerCountError> {
        if text == "auto" {
            return Ok(Self::Cores);
        }
        if let Some(percent) = text.strip_suffix('%') {
            return percent_of(percent).map(Self::Percent);
        }
        let (digits, min, count): (_, _, fn(u32) -> Self) = match text.as_bytes() {
            [b'+', ..] => (&text[1..], 0, Self::More),
            [b'-', ..] => (&text[1..], 0, Self::Fewer),
            _ => (text, 1, Self::Exactly),
        };
        match numbers::whole(digits, min, u32::MAX) {
            Ok(number) => Ok(count(number)),
            Err(error @ NumberError::TooLarge { .. }) => Err(error.into()),
            Err(_) => Err(WorkerCountError::NotACount),
        }
    }

    /// The number on a machine of so many cores, at least 1.
    #[must_use]
    pub fn of(self, cores: u32) -> u32 {
        let count = match self {
            Self::Cores => cores,
            Self::Percent(percent) => {
                let count = (u128::from(cores) * u128::from(percent)).div_ceil(100 * u128::from(PERCENT));
                u32::try_from(count).unwrap_or(u32::MAX)
            }
            Self::More(more) => cores.saturating_add(more),
            Self::Fewer(fewer) => cores.saturating_sub(fewer),
            Self::Exactly(count) => count,
        };
        count.max(1)
    }
}

/// A percent in millionths, more than 0.
fn percent_of(text: &str) -> Result<u64, WorkerCountError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let number = |digits: &str| match numbers::whole(digits, 0, u32::MAX) {
        Ok(number) => Ok(u64::from(number)),
        Err(error @ NumberError::TooLarge { .. }) => Err(error.into()),
        Err(_) => Err(WorkerCountError::NotACount),
    };
    if fraction.is_empty() || fraction.len() > FRACTION_DIGITS {
        return Err(WorkerCountError::NotACount);
    }
    let percent = number(whole)? * PERCENT + number(&format!("{fraction:0<FRACTION_DIGITS$}"))?;
    if percent == 0 { Err(WorkerCountError::NotACount) } else { Ok(percent) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_number_or_in_terms_of_the_cores() {
        for (text, of_eight) in [
            ("3", 3),
            ("1000000", 1_000_000),
            ("auto", 8),
            ("200%", 16),
            ("1%", 1),
            ("49%", 4),
            ("50%", 4),
            ("12.5%", 1),
            ("12.500001%", 2),
            ("0.1%", 1),
            ("4294967295%", 343_597_384),
            ("+2", 10),
            ("+0", 8),
            ("-1", 7),
            ("-8", 1),
            ("-100", 1),
            ("+4294967295", u32::MAX),
        ] {
            assert_eq!(WorkerCount::parse(text).map(|count| count.of(8)), Ok(of_eight), "{text}");
        }
        for text in [
            "0",
            "",
            "%",
            "0%",
            "0.0%",
            "1.%",
            ".5%",
            "1.2.3%",
            "1.1234567%",
            "1.-5%",
            "+",
            "-",
            "two",
            "1.5",
            "+-1",
            "-1%",
            "\u{661}",
            " 3",
            "3\n",
        ] {
            assert_eq!(WorkerCount::parse(text), Err(WorkerCountError::NotACount), "{text:?}");
        }
        assert!(matches!(WorkerCount::parse("4294967296"), Err(WorkerCountError::Number(_))));
    }
}
