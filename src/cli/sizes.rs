//! Sizes: `K M G T P` are powers of 1024, `k m g t p` powers of 1000, as in GNU parallel; a bare number is bytes.

use crate::model::numbers::Decimal;

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    #[error("not a size; write it as 65536, 64K or 1.5M (K M G = 1024, k m g = 1000)")]
    NotASize,
    #[error("at least one byte is needed")]
    Zero,
    #[error("at most {max} bytes are possible")]
    TooLarge { max: u64 },
}

/// Reads a size in bytes, from 1 to `max`.
///
/// # Errors
/// The text is no size, or out of range.
pub fn parse(text: &str, max: u64) -> Result<u64, SizeError> {
    let (number, suffix) = Decimal::split(text).ok_or(SizeError::NotASize)?;
    let unit = match suffix {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        "P" => 1 << 50,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "p" => 1_000_000_000_000_000,
        _ => return Err(SizeError::NotASize),
    };
    match number.times(unit) {
        Some(0) => Err(SizeError::Zero),
        Some(bytes) if bytes <= max => Ok(bytes),
        _ => Err(SizeError::TooLarge { max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_both_kinds_of_units() {
        let table = [
            ("1", 1),
            ("64K", 65_536),
            ("64k", 64_000),
            ("1.5M", 1_572_864),
            ("2G", 2 << 30),
            ("1P", 1 << 50),
            ("1m", 1_000_000),
        ];
        for (text, bytes) in table {
            assert_eq!(parse(text, u64::MAX), Ok(bytes), "{text}");
        }
        for text in ["", "K", "-1K", "1KB", "1KiB", "1 K", "1x"] {
            assert_eq!(parse(text, u64::MAX), Err(SizeError::NotASize), "{text:?}");
        }
        assert_eq!(parse("0", 9), Err(SizeError::Zero));
        assert_eq!(parse("0.5", 9), Err(SizeError::Zero));
        assert_eq!(parse("10", 9), Err(SizeError::TooLarge { max: 9 }));
        assert_eq!(parse(&"9".repeat(50), u64::MAX), Err(SizeError::TooLarge { max: u64::MAX }));
    }
}
