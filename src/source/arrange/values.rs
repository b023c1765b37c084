//! The values of one input: what it has between its delimiters, less what is no value.
//!
//! In this order, as in GNU parallel: the first line may be names; a line whose quotes are open goes on in the next one
//! (`--csv`); a line may end the input (`-E`); blank ones are left out (`-r`); a line that ends with white space goes on in
//! the next one (`-L`).

use super::super::splitter::over_the_limit;
use super::super::{Delivery, FailReason, Payload, Source, SourceError};
use crate::model::arrangement::{Arrangement, ColumnSplit};
use crate::model::spec::ITEM_BYTES_MAX;

/// Items that are demanded from an input at once.
const ITEMS_AT_ONCE: u64 = 1 << 12;

/// The next value of an input.
#[derive(Debug)]
pub enum InputValue {
    There(Vec<u8>),
    /// This one cannot be processed.
    Rejected(FailReason),
    /// None now: wait for the input.
    Idle,
    /// Much was read that is no value: ask again, later.
    Again,
    Ended,
}

/// After this many lines that are no value the reader answers, so that the loop can do its other work.
const LINES_MAX: u32 = 1 << 12;

/// What is no value, and what belongs to the next line.
#[derive(Clone, Debug, Default)]
struct ValueRules {
    has_names: bool,
    is_csv: bool,
    end_of_file: Option<Vec<u8>>,
    skips_blank: bool,
    continues: bool,
}

/// One input, value by value.
pub struct ValueReader {
    source: Box<dyn Source>,
    rules: ValueRules,
    /// A payload and the place of its next item.
    payload: Option<(Payload, usize)>,
    /// The first line has been read.
    is_begun: bool,
    names: Option<Vec<u8>>,
    /// The beginning of a value that goes on in the next line.
    begun: Option<Vec<u8>>,
    /// A quote of a comma-separated value is open.
    in_quotes: bool,
    ended: bool,
}

impl ValueReader {
    #[must_use]
    pub fn new(source: Box<dyn Source>, arrangement: &Arrangement, has_names: bool) -> Self {
        let rules = ValueRules {
            has_names,
            is_csv: matches!(arrangement.columns, Some(ColumnSplit::Csv { .. })),
            end_of_file: arrangement.end_of_file.clone().filter(|text| !text.is_empty()),
            skips_blank: arrangement.skips_blank,
            continues: arrangement.lines_max.is_some(),
        };
        Self { source, rules, payload: None, is_begun: false, names: None, begun: None, in_quotes: false, ended: false }
    }

    #[must_use]
    pub fn source(&self) -> &dyn Source {
        self.source.as_ref()
    }

    /// The first line, if it is names and has been read.
    #[must_use]
    pub fn names(&self) -> Option<&[u8]> {
        self.names.as_deref()
    }

    /// # Errors
    /// The input is lost.
    pub fn next(&mut self) -> Result<InputValue, SourceError> {
        let mut lines = 0;
        while !self.ended {
            if lines == LINES_MAX {
                return Ok(InputValue::Again);
            }
            lines += 1;
            let line = match self.line()? {
                InputValue::There(line) => line,
                InputValue::Ended => {
                    self.ended = true;
                    break;
                }
                other => return Ok(other),
            };
            if !self.is_begun {
                self.is_begun = true;
                if self.rules.has_names {
                    self.names = Some(line.strip_suffix(b"\r").unwrap_or(&line).to_vec());
                    continue;
                }
            }
            if let Some(value) = self.value(line) {
                return Ok(value);
            }
        }
        Ok(self.begun.take().map_or(InputValue::Ended, InputValue::There))
    }

    /// What a line makes of the value that has begun; `None`: nothing yet, or nothing any more.
    fn value(&mut self, line: Vec<u8>) -> Option<InputValue> {
        let is_end = self.rules.end_of_file.as_ref() == Some(&line);
        if self.rules.is_csv {
            let quotes = memchr::memchr_iter(b'"', &line).count();
            self.in_quotes ^= quotes % 2 == 1;
            if self.in_quotes {
                self.begin(&line);
                // The newline belongs to the field.
                self.begun.get_or_insert_default().push(self.source.delimiter());
                return self.too_long();
            }
        }
        if is_end {
            self.ended = true;
            return None;
        }
        let value = match self.begun.take() {
            Some(mut begun) => {
                begun.extend_from_slice(&line);
                begun
            }
            None => line,
        };
        if self.rules.skips_blank && value.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        if self.rules.continues && value.last().is_some_and(u8::is_ascii_whitespace) {
            self.begun = Some(value);
            return self.too_long();
        }
        Some(InputValue::There(value))
    }

    fn begin(&mut self, line: &[u8]) {
        self.begun.get_or_insert_default().extend_from_slice(line);
    }

    /// A value that goes on without end is given up.
    fn too_long(&mut self) -> Option<InputValue> {
        if self.begun.as_ref().is_none_or(|begun| begun.len() <= ITEM_BYTES_MAX) {
            return None;
        }
        self.begun = None;
        self.in_quotes = false;
        Some(InputValue::Rejected(over_the_limit()))
    }

    /// The next item of the input as it is.
    fn line(&mut self) -> Result<InputValue, SourceError> {
        loop {
            if let Some((payload, at)) = &mut self.payload {
                let rest = &payload.block[*at..payload.range.end];
                if payload.count == 1 {
                    let line = rest.to_vec();
                    self.payload = None;
                    return Ok(InputValue::There(line));
                }
                if let Some(end) = memchr::memchr(self.source.delimiter(), rest) {
                    let line = rest[..end].to_vec();
                    *at += end + 1;
                    return Ok(InputValue::There(line));
                }
                self.payload = None;
            }
            match self.source.next(ITEMS_AT_ONCE)? {
                Delivery::Items(payload) => {
                    let at = payload.range.start;
                    self.payload = Some((payload, at));
                }
                Delivery::Rejected(reason) => return Ok(InputValue::Rejected(reason)),
                Delivery::Idle => return Ok(InputValue::Idle),
                Delivery::Ended => return Ok(InputValue::Ended),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::args::ArgumentSource;
    use super::*;

    /// The values of lines, each in angle brackets.
    fn values(lines: &[&str], arrangement: &Arrangement, has_names: bool) -> String {
        let source = ArgumentSource::new(lines.iter().map(std::ffi::OsString::from).collect());
        let mut reader = ValueReader::new(Box::new(source), arrangement, has_names);
        let mut found = String::new();
        loop {
            match reader.next().unwrap() {
                InputValue::There(value) => found.push_str(&format!("<{}>", String::from_utf8_lossy(&value))),
                InputValue::Rejected(reason) => found.push_str(&format!("({reason})")),
                InputValue::Again => found.push('~'),
                InputValue::Idle => panic!("arguments are always there"),
                InputValue::Ended => break,
            }
        }
        if let Some(names) = reader.names() {
            found.push_str(&format!("[{}]", String::from_utf8_lossy(names)));
        }
        assert!(matches!(reader.next(), Ok(InputValue::Ended)), "an end is an end");
        found
    }

    #[test]
    fn without_rules_values_are_the_lines() {
        let none = Arrangement::default();
        assert_eq!(values(&["a", "", " b ", "c"], &none, false), "<a><>< b ><c>");
        assert_eq!(values(&[], &none, false), "");
        assert_eq!(values(&["a,b\r", "c"], &none, true), "<c>[a,b]");
        assert_eq!(values(&[], &none, true), "");
    }

    #[test]
    fn a_line_may_end_the_input_and_blank_ones_be_left_out() {
        let ends = Arrangement { end_of_file: Some(b"EOF".to_vec()), ..Arrangement::default() };
        assert_eq!(values(&["a", "EOFx", "EOF", "b"], &ends, false), "<a><EOFx>");
        assert_eq!(values(&["a", ""], &Arrangement { end_of_file: Some(Vec::new()), ..ends }, false), "<a><>");
        let skips = Arrangement { skips_blank: true, ..Arrangement::default() };
        assert_eq!(values(&["", " \t", "a", "", " b"], &skips, false), "<a>< b>");
        assert_eq!(values(&[&[""; 10_000][..], &["a"]].concat(), &skips, false), "~~<a>");
    }

    #[test]
    fn a_line_that_ends_with_white_space_goes_on_in_the_next_one() {
        let lines = Arrangement { lines_max: Some(1), ..Arrangement::default() };
        assert_eq!(values(&["a b ", "c", "d", "", " e"], &lines, false), "<a b c><d><>< e>");
        assert_eq!(values(&["a\t", "b ", "c"], &lines, false), "<a\tb c>");
        assert_eq!(values(&["a", "b "], &lines, false), "<a><b >");
        let ends = Arrangement { end_of_file: Some(b"x".to_vec()), ..lines.clone() };
        assert_eq!(values(&["a ", "x", "b"], &ends, false), "<a >");
        let skips = Arrangement { skips_blank: true, ..lines };
        assert_eq!(values(&["a ", " ", "b", " "], &skips, false), "<a  b>");
    }

    #[test]
    fn a_quoted_field_holds_newlines() {
        let split = ColumnSplit::Csv { separator: b',', trims: false };
        let csv = Arrangement { columns: Some(split), ..Arrangement::default() };
        // The delimiter of arguments is NUL.
        assert_eq!(values(&["a,\"b", "c\"", "d"], &csv, false), "<a,\"b\0c\"><d>");
        assert_eq!(values(&["\"a\"\"", "\",b", "c"], &csv, false), "<\"a\"\"\0\",b><c>");
        assert_eq!(values(&["a", "\"b"], &csv, false), "<a><\"b\0>");
    }
}
