//! The delimiter of `-d`: one byte, or an escape sequence.

/// Reads it.
///
/// # Errors
/// It is none, in the words of xargs.
pub fn read(text: &[u8]) -> Result<u8, String> {
    let shown = String::from_utf8_lossy(text);
    let (letter, digits) = match text {
        [byte] => return Ok(*byte),
        [b'\\', letter, digits @ ..] => (*letter, digits),
        _ => {
            return Err(format!(
                "Invalid input delimiter specification {shown}: the delimiter must be either a single character or an \
                 escape sequence starting with \\."
            ));
        }
    };
    let (digits, radix) = match letter {
        b'a' => return Ok(0x07),
        b'b' => return Ok(0x08),
        b'f' => return Ok(0x0c),
        b'n' => return Ok(b'\n'),
        b'r' => return Ok(b'\r'),
        b't' => return Ok(b'\t'),
        b'v' => return Ok(0x0b),
        b'\\' => return Ok(b'\\'),
        b'x' => (digits, 16),
        b'0'..=b'9' => (&text[1..], 8),
        _ => return Err(format!("Invalid escape sequence {shown} in input delimiter specification.")),
    };
    let end = digits.iter().position(|digit| !char::from(*digit).is_digit(radix)).unwrap_or(digits.len());
    let number = digits[..end].iter().fold(0_u32, |number, digit| {
        number.saturating_mul(radix).saturating_add(char::from(*digit).to_digit(radix).unwrap_or(0))
    });
    let most = if radix == 16 { "ff" } else { "377" };
    match u8::try_from(number) {
        Err(_) => Err(format!(
            "Invalid escape sequence {shown} in input delimiter specification; character values must not exceed {most}."
        )),
        Ok(_) if end < digits.len() => Err(format!(
            "Invalid escape sequence {shown} in input delimiter specification; trailing characters {} not recognised.",
            String::from_utf8_lossy(&digits[end..])
        )),
        Ok(byte) => Ok(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_or_an_escape_sequence() {
        for (text, byte) in
            [(",", b','), ("\\", b'\\'), ("\\n", b'\n'), ("\\t", b'\t'), ("\\0", 0), ("\\x2c", b','), ("\\054", b',')]
        {
            assert_eq!(read(text.as_bytes()), Ok(byte), "{text}");
        }
        for text in ["", "ab", "\\q", "\\x1ff", "\\400", "\\x2z"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
