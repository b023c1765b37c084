//! The options of a profile file and of the variable PARALLEL.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The words of a profile: a line with `#` in front is a comment, and words are quoted as for a shell.
#[must_use]
pub fn words_of_file(text: &[u8]) -> Vec<OsString> {
    let is_comment = |line: &&[u8]| line.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'#');
    text.split(|byte| *byte == b'\n').filter(|line| !is_comment(line)).flat_map(words).collect()
}

/// The words of a text that are separated by blanks, with `'...'`, `"..."` and backslashes as a shell reads them.
#[must_use]
pub fn words(text: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(b'\''), _) => word.get_or_insert_default().push(byte),
            (_, b'\\') => word.get_or_insert_default().extend(bytes.next()),
            (Some(_), _) => word.get_or_insert_default().push(byte),
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (None, _) if byte.is_ascii_whitespace() => words.extend(word.take().map(OsString::from_vec)),
            (None, _) => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word.map(OsString::from_vec));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_by_a_shell() {
        assert_eq!(words(br#" -j 2  --tagstring 'a "b'"c d"\ e '' "#), ["-j", "2", "--tagstring", "a \"bc d e", ""]);
        assert_eq!(words_of_file(b"-k\n # none\n--tag -j1\n"), ["-k", "--tag", "-j1"]);
        assert!(words(b" \n").is_empty());
    }
}
