//! Cuts a value into columns: at a regular expression as `split` of Perl does, or as comma-separated values.
//!
//! Invariant: pure, and it works on bytes. A regular expression sees bytes too, so one that is not ASCII matches the bytes
//! of its characters one after the other.

use super::super::SourceError;
use crate::model::arrangement::ColumnSplit;
use csv_core::{ReadRecordResult, ReaderBuilder};
use regex::bytes::{Regex, RegexBuilder};

/// How values are cut.
pub enum ColumnCutter {
    Pattern { regex: Regex, trims: bool },
    Csv { separator: u8, trims: bool },
}

impl ColumnCutter {
    /// # Errors
    /// The regular expression is none.
    pub fn new(split: &ColumnSplit) -> Result<Self, SourceError> {
        match split {
            ColumnSplit::Csv { separator, trims } => Ok(Self::Csv { separator: *separator, trims: *trims }),
            ColumnSplit::Pattern { regex: pattern, trims } => {
                // Each byte of a character that is not ASCII stands for itself.
                let mut text = String::new();
                for &byte in pattern {
                    match byte {
                        0x80.. => text.push_str(&format!("\\x{byte:02X}")),
                        _ => text.push(char::from(byte)),
                    }
                }
                let regex = RegexBuilder::new(&text).unicode(false).build();
                regex.map(|regex| Self::Pattern { regex, trims: *trims }).map_err(|error| SourceError::Columns {
                    pattern: String::from_utf8_lossy(pattern).into_owned(),
                    why: last_line(&error.to_string()),
                })
            }
        }
    }

    /// Calls `add` with each column of a value. A value without bytes is one column.
    pub fn cut(&self, value: &[u8], mut add: impl FnMut(&[u8])) {
        match self {
            _ if value.is_empty() => add(value),
            Self::Pattern { regex, trims } => cut_at(regex, value, |column| add(trimmed(column, *trims))),
            Self::Csv { separator, trims } => cut_csv(*separator, value, |field| add(trimmed(field, *trims))),
        }
    }

    /// The names in the first line of an input: its columns as they are, without the empty ones at the end.
    #[must_use]
    pub fn names(&self, line: &[u8]) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        match self {
            Self::Pattern { regex, .. } => cut_at(regex, line, |name| names.push(name.to_vec())),
            Self::Csv { separator, .. } => cut_csv(*separator, line, |name| names.push(name.to_vec())),
        }
        names.truncate(names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
        names
    }
}

fn trimmed(column: &[u8], trims: bool) -> &[u8] {
    if trims { column.trim_ascii() } else { column }
}

/// What the parser says last; before it, it draws a picture of many lines.
fn last_line(text: &str) -> String {
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// As `split(/REGEX/, VALUE, -1)`: groups are columns too, and a match without bytes cuts neither before the first byte
/// nor at a place where a cut was just made.
fn cut_at(regex: &Regex, value: &[u8], mut add: impl FnMut(&[u8])) {
    let mut start = 0;
    for found in regex.captures_iter(value) {
        let Some(whole) = found.get(0) else { continue };
        if whole.is_empty() && whole.start() == 0 {
            continue;
        }
        add(&value[start..whole.start()]);
        start = whole.end();
        for group in found.iter().skip(1) {
            add(group.map_or(b"", |group| group.as_bytes()));
        }
    }
    add(&value[start..]);
}

/// The fields of one record, which may have newlines in quotes.
fn cut_csv(separator: u8, value: &[u8], mut add: impl FnMut(&[u8])) {
    let mut reader = ReaderBuilder::new().delimiter(separator).build();
    // A field is never longer than what was typed, and a record has at most one field more than bytes.
    let (mut fields, mut ends) = (vec![0; value.len() + 1], vec![0; value.len() + 2]);
    let (mut at, mut bytes, mut count) = (0, 0, 0);
    loop {
        // No more input is the end of it.
        let (result, read, written, found) = reader.read_record(&value[at..], &mut fields[bytes..], &mut ends[count..]);
        (at, bytes, count) = (at + read, bytes + written, count + found);
        match result {
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::Record | ReadRecordResult::End => break,
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => break,
        }
    }
    let mut start = 0;
    for &end in &ends[..count] {
        add(&fields[start..end]);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern_of(regex: &[u8]) -> Result<ColumnCutter, SourceError> {
        ColumnCutter::new(&ColumnSplit::Pattern { regex: regex.to_vec(), trims: true })
    }

    fn cutter(pattern: &str) -> ColumnCutter {
        pattern_of(pattern.as_bytes()).unwrap()
    }

    fn columns(cutter: &ColumnCutter, value: &[u8]) -> String {
        let mut found = Vec::new();
        cutter.cut(value, |column| found.push(String::from_utf8_lossy(column).into_owned()));
        found.join("|")
    }

    #[test]
    fn a_regular_expression_cuts_as_perl_does() {
        // What perl 5.36 prints for join("|", split(/REGEX/, VALUE, -1)), blanks around columns cut off.
        for (pattern, value, expected) in [
            (",", "a,b", "a|b"),
            (",", "a", "a"),
            (",", "", ""),
            (",", ",", "|"),
            (",", "a,,b,", "a||b|"),
            (",", " a , b ", "a|b"),
            ("\\t", "a\tb c\td", "a|b c|d"),
            ("\\s+", "a  b\t c", "a|b|c"),
            (";", "a ; b;", "a|b|"),
            ("(\\d)+", "a12b3c", "a|2|b|3|c"),
            ("(x)|y", "axbyc", "a|x|b||c"),
            ("", "abc", "a|b|c|"),
            ("x*", "abc", "a|b|c|"),
            ("x*", "axxb", "a|b|"),
            ("^a", "abc", "|bc"),
            ("c$", "abc", "ab|"),
            (".", "ab", "||"),
            ("é", "aéb", "a|b"),
            ("[éè]+", "aéèb", "a|b"),
        ] {
            assert_eq!(columns(&cutter(pattern), value.as_bytes()), expected, "{pattern} {value}");
        }
        let bytes = pattern_of(b"\xff").unwrap();
        assert_eq!(columns(&bytes, b"a\xffb"), "a|b");
    }

    #[test]
    fn comma_separated_values_may_be_quoted() {
        let csv = |separator, trims| ColumnCutter::Csv { separator, trims };
        for (value, expected) in [
            ("a,b", "a|b"),
            ("", ""),
            (",", "|"),
            ("a,\"b, c\",d", "a|b, c|d"),
            ("\"a \"\"x\"\"\nb\",c", "a \"x\"\nb|c"),
            (" a , b ", " a | b "),
            ("a,b\r", "a|b"),
            ("\"\"", ""),
            ("a,\"\",", "a||"),
        ] {
            assert_eq!(columns(&csv(b',', false), value.as_bytes()), expected, "{value:?}");
        }
        assert_eq!(columns(&csv(b';', true), b" a ;\" b,c \""), "a|b,c");
        assert_eq!(columns(&csv(b',', false), "x,".repeat(5000).as_bytes()).len(), 10_000);
    }

    #[test]
    fn the_first_line_has_names() {
        let names = |cutter: &ColumnCutter, line: &str| {
            let names = cutter.names(line.as_bytes()).into_iter().map(|name| String::from_utf8(name).unwrap());
            names.collect::<Vec<_>>().join("|")
        };
        assert_eq!(names(&cutter(","), "a, b,,c,,"), "a| b||c");
        assert_eq!(names(&cutter("\t"), "a b\tc"), "a b|c");
        assert_eq!(names(&cutter(","), ""), "");
        assert_eq!(names(&ColumnCutter::Csv { separator: b',', trims: false }, "\"a,b\",c"), "a,b|c");
    }

    #[test]
    fn what_is_no_regular_expression_is_told_on_one_line() {
        for pattern in ["(", "[", "a{2,1}", "\\1", "(?=x)"] {
            let error = pattern_of(pattern.as_bytes()).err().unwrap().to_string();
            assert!(error.contains(pattern) && !error.contains('\n'), "{error}");
        }
    }
}
