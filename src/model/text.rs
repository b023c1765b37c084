//! Text from outside in a message: nothing in it moves the cursor, hides, or changes the order of what stands beside it.

use std::borrow::Cow;

/// Appends bytes from outside so that a terminal executes none of them: control characters, invisible marks and bytes
/// that are not UTF-8 are escaped, the rest is unchanged.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        let mut rest = String::with_capacity(chunk.valid().len());
        for char in chunk.valid().chars() {
            if is_hidden(char) { rest.extend(char.escape_default()) } else { rest.push(char) }
        }
        out.extend_from_slice(rest.as_bytes());
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

/// [`push_escaped`] for text.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + 8);
    push_escaped(&mut out, text.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

/// The beginning of `bytes` in quotes, escaped, of at most `chars_max` characters between the quotes.
#[must_use]
pub fn quoted_start(bytes: &[u8], chars_max: usize) -> String {
    // No character has more than four bytes.
    let start = &bytes[..bytes.len().min(4 * (chars_max + 1))];
    let mut out = Vec::new();
    push_escaped(&mut out, start);
    let text = String::from_utf8_lossy(&out).replace('"', "\\\"");
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("\"{}...\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

/// Control characters, the byte order mark, invisible spaces, and marks that change the direction of text.
fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_from_outside_cannot_control_a_terminal() {
        let shown = |bytes: &[u8]| {
            let mut out = Vec::new();
            push_escaped(&mut out, bytes);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(b"plain \\ \"text\""), "plain \\ \"text\"");
        assert_eq!(shown("\x1b[2J\tä\u{9b}\n\0".as_bytes()), "\\u{1b}[2J\\tä\\u{9b}\\n\\u{0}");
        assert_eq!(shown(b"a\xffb\xc3"), "a\\xffb\\xc3");
        assert_eq!(escaped("a\rb"), "a\\rb");
        assert_eq!(escaped("\u{feff}a\u{202e}b"), "\\u{feff}a\\u{202e}b");
    }

    #[test]
    fn the_start_of_an_item_is_quoted_and_cut() {
        assert_eq!(quoted_start(b"/etc/b.conf", 60), r#""/etc/b.conf""#);
        assert_eq!(quoted_start(b"a\"b\n\xff", 60), r#""a\"b\n\xff""#);
        assert_eq!(quoted_start("ä".repeat(61).as_bytes(), 60), format!("\"{}...\"", "ä".repeat(60)));
        assert_eq!(quoted_start("ä".repeat(60).as_bytes(), 60), format!("\"{}\"", "ä".repeat(60)));
    }
}
