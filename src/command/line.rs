//! A command line: its words, the system's limits on them, and how a shell reads them back. No I/O.

use std::ffi::CString;

/// The longest argument that Linux accepts, including its final NUL (`MAX_ARG_STRLEN`, `execve(2)`).
pub const ARGUMENT_BYTES_MAX: usize = 128 * 1024;

/// A command line, in a buffer that is reused.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// The arguments, without separators.
    bytes: Vec<u8>,
    /// The end of each argument.
    ends: Vec<usize>,
}

impl CommandLine {
    /// Memory that a large item needed is freed.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(ARGUMENT_BYTES_MAX);
        self.ends.clear();
    }

    /// Where the next bytes of the argument that is being written go.
    pub const fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the argument that is being written; the next bytes begin another one.
    pub fn end_argument(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Appends an argument.
    pub fn push(&mut self, argument: &[u8]) {
        self.bytes.extend_from_slice(argument);
        self.end_argument();
    }

    /// The arguments; the first is the program.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }

    /// Copies the arguments to `argv`, whose old content is lost, in the format of `execve`.
    ///
    /// # Errors
    /// A text cannot be passed as an argument.
    pub fn copy_checked(&self, argv: &mut Vec<CString>) -> Result<(), CommandLineError> {
        argv.clear();
        for argument in self.arguments() {
            if argument.len() >= ARGUMENT_BYTES_MAX {
                return Err(CommandLineError::TooLong { bytes: argument.len() });
            }
            argv.push(CString::new(argument).map_err(|_| CommandLineError::Nul)?);
        }
        Ok(())
    }
}

/// Why an item cannot be passed to a program as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    #[error("the item holds a NUL byte, which no argument can; --stdin hands it over whole")]
    Nul,
    #[error(
        "an argument of {bytes} bytes is longer than the system takes ({} bytes); --stdin hands the item over whole",
        ARGUMENT_BYTES_MAX - 1
    )]
    TooLong { bytes: usize },
}

/// Appends a text so that a POSIX shell parses it to one word: [`quote`], or [`quote_as_parallel`].
pub type QuoteWord = fn(&[u8], &mut Vec<u8>);

/// As [`quote`], but to the bytes that GNU parallel writes in its log: single quotes around a text that is not made of
/// `-_.+/`, letters and digits alone.
pub fn quote_as_parallel(text: &[u8], out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+/".contains(byte);
    if text.is_empty() {
        return out.extend_from_slice(b"''");
    }
    if text.iter().all(is_plain) {
        return out.extend_from_slice(text);
    }
    let mut quoted = b"'".to_vec();
    for &byte in text {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\"'\"'"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    // Quotes at the ends that enclose nothing.
    let quoted = quoted.strip_prefix(b"''").unwrap_or(&quoted);
    out.extend_from_slice(quoted.strip_suffix(b"''").unwrap_or(quoted));
}

/// Appends `text` so that a POSIX shell parses it to one word. A newline is in single quotes, because a shell drops a
/// newline after a backslash.
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
    if text.is_empty() {
        out.extend_from_slice(b"''");
    }
    for &byte in text {
        match byte {
            b'\n' => out.extend_from_slice(b"'\n'"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/' | b',' | b':' | b'+' | b'@' | b'%' => {
                out.push(byte);
            }
            // Bytes of a UTF-8 character.
            0x80.. => out.push(byte),
            _ => out.extend_from_slice(&[b'\\', byte]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected texts are the log's of GNU parallel 20221122.
    #[test]
    fn words_are_quoted_as_by_gnu_parallel() {
        for (text, expected) in [
            ("", "''"),
            ("a-b_c.d+e/9", "a-b_c.d+e/9"),
            ("a b", "'a b'"),
            ("~", "'~'"),
            ("a,b:c@d%e", "'a,b:c@d%e'"),
            ("\u{e4}", "'\u{e4}'"),
            ("a'b", r#"'a'"'"'b'"#),
            ("'", r#""'""#),
            ("'a'", r#""'"'a'"'""#),
            ("a\nb", "'a\nb'"),
        ] {
            let mut quoted = Vec::new();
            quote_as_parallel(text.as_bytes(), &mut quoted);
            assert_eq!(String::from_utf8(quoted).unwrap(), expected);
        }
    }
}
