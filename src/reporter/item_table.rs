//! `--results FILE.csv`, `.tsv` and `.json`: a row, or an object, for each command that has ended, as GNU parallel
//! writes them.
//!
//! Invariant: an item or an output never adds a row, a column or a field. A large output is copied from the temporary
//! file piece by piece.

use super::item_columns::ItemColumns;
use super::item_files::has_no_output;
use super::job_log::{exit_columns, push_seconds};
use super::own_file::OwnFile;
use super::{Content, ItemText, Reporter, ReporterError, Settled, spill_failed};
use crate::model::config::{ResultsFormat, ResultsSpec};
use crate::model::event::RunEvent;
use crate::model::ids::WorkerId;
use crate::model::time::Instant;
use crate::sys::outbox::Outbox;
use std::path::Path;

/// How much of what was spilled is read at once.
const COPY_BYTES: u64 = 64 * 1024;

/// The columns before those of the arguments.
const COLUMNS: [&str; 9] =
    ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command"];

/// The reporter of `--results FILE.csv` and its kin.
pub struct ItemTable {
    /// `None`: the table is written to stdout.
    file: Option<OwnFile>,
    format: ResultsFormat,
    command: ItemText,
    columns: ItemColumns,
    unix_start_ns: u64,
    has_header: bool,
}

/// One row: the fields before the arguments as text, then the arguments.
struct TableRow<'a> {
    fixed: [Vec<u8>; COLUMNS.len()],
    arguments: Vec<&'a [u8]>,
}

impl ItemTable {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(spec: &ResultsSpec, command: ItemText, columns: ItemColumns) -> Result<Self, ReporterError> {
        let file = match spec.is_on_stdout() {
            true => None,
            false => Some(OwnFile::create_by_umask(Path::new(&spec.name))?),
        };
        Ok(Self { file, format: spec.format, command, columns, unix_start_ns: 0, has_header: false })
    }

    /// `unix_start_ns`: the time of day at the start of the run, in nanoseconds since 1970.
    #[must_use]
    pub fn starting_at(self, unix_start_ns: u64) -> Self {
        Self { unix_start_ns, ..self }
    }

    fn row<'a>(&mut self, now: Instant, settled: &Settled<'a>) -> TableRow<'a> {
        let (first, worker) = (settled.settlement.first, settled.settlement.worker);
        let time = settled.times.and_then(<[_]>::first);
        let (started, runtime) = time.map_or((now.0, 0), |time| (time.started.0, time.runtime.0));
        let seconds = |ns| {
            let mut text = Vec::new();
            push_seconds(ns, &mut text);
            text
        };
        let mut command = Vec::new();
        let item = settled.arguments.unwrap_or(settled.inputs);
        (self.command)(item, first, worker.unwrap_or(WorkerId::from_index(0)), &mut command);
        let (code, signal) = exit_columns(settled);
        let text = |text: String| text.into_bytes();
        TableRow {
            fixed: [
                text(first.0.saturating_add(1).to_string()),
                b":".to_vec(),
                seconds(self.unix_start_ns.saturating_add(started).saturating_add(500_000)),
                seconds(runtime),
                b"0".to_vec(),
                text(settled.results.total_bytes().to_string()),
                text(code.to_string()),
                text(signal.to_string()),
                command,
            ],
            arguments: self.columns.arguments(settled),
        }
    }

    /// The names of all columns; those of the arguments are `V1`, `V2`, unless they have their own. As in GNU parallel, an
    /// argument without a name among others that have one has no column in the header.
    fn push_header(&self, arguments: usize, separator: u8, out: &mut Vec<u8>) {
        let mut number = b"V1".to_vec();
        let mut names: Vec<Vec<u8>> = COLUMNS.iter().map(|name| name.as_bytes().to_vec()).collect();
        for column in 1..=arguments {
            if self.columns.has_header {
                names.extend(self.columns.name(column).map(<[u8]>::to_vec));
            } else {
                names.push(number.clone());
                increment(&mut number);
            }
        }
        names.extend([b"Stdout".to_vec(), b"Stderr".to_vec()]);
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                out.push(separator);
            }
            push_field(name, separator, out);
        }
        out.push(b'\n');
    }
}

impl Reporter for ItemTable {
    /// Writes no events.
    fn event(&mut self, _: Instant, _: &RunEvent, _: &mut Outbox, _: &mut Outbox) -> Result<(), ReporterError> {
        Ok(())
    }

    fn settled(
        &mut self,
        now: Instant,
        settled: &mut Settled<'_>,
        out: &mut Outbox,
        _: &mut Outbox,
    ) -> Result<(), ReporterError> {
        if has_no_output(settled) {
            return Ok(());
        }
        let TableRow { fixed, arguments } = self.row(now, settled);
        let mut head = Vec::new();
        if let ResultsFormat::Separated { separator } = self.format {
            if !std::mem::replace(&mut self.has_header, true) {
                self.push_header(arguments.len(), separator, &mut head);
            }
            for field in fixed.iter().map(Vec::as_slice).chain(arguments) {
                push_field(field, separator, &mut head);
                head.push(separator);
            }
        } else {
            push_object(&fixed, &arguments, &mut head);
        }
        let mut sink = match &mut self.file {
            Some(file) => {
                // A file that is lost takes nothing more.
                if file.buffer().is_none() {
                    return Ok(());
                }
                TableSink { outbox: &mut file.outbox, is_file: true }
            }
            None => TableSink { outbox: out, is_file: false },
        };
        sink.push(&head);
        match self.format {
            ResultsFormat::Separated { separator } => {
                push_content(&settled.results, Quotes::Doubled(separator), &mut sink)?;
                sink.push(&[separator]);
                push_content(&settled.errors, Quotes::Doubled(separator), &mut sink)?;
                sink.push(b"\n");
            }
            ResultsFormat::Json | ResultsFormat::Files => {
                push_content(&settled.results, Quotes::Json, &mut sink)?;
                sink.push(b"\", \"Stderr\": \"");
                push_content(&settled.errors, Quotes::Json, &mut sink)?;
                sink.push(b"\" }\n");
            }
        }
        Ok(())
    }

    fn file(&mut self) -> Option<&mut OwnFile> {
        self.file.as_mut()
    }

    /// The engine writes the file.
    fn flush(&mut self) -> Result<(), ReporterError> {
        Ok(())
    }
}

/// Where a row goes.
struct TableSink<'a> {
    outbox: &'a mut Outbox,
    is_file: bool,
}

impl TableSink<'_> {
    fn push(&mut self, bytes: &[u8]) {
        self.outbox.push(bytes);
        if self.is_file && self.outbox.buffer().len() as u64 > COPY_BYTES {
            // A file takes it. The error of one that does not occurs again when the engine writes.
            let _ = self.outbox.flush();
        }
    }
}

/// How a text is quoted.
#[derive(Clone, Copy)]
enum Quotes {
    /// If it has to be: in double quotes, which are doubled within it. With the separator of columns.
    Doubled(u8),
    Json,
}

/// Calls `take` with all of the content, piece by piece.
fn each_piece(content: &Content<'_>, mut take: impl FnMut(&[u8])) -> Result<(), ReporterError> {
    let spilled_bytes = content.spilled.bytes();
    let mut buffer = vec![0; spilled_bytes.min(COPY_BYTES) as usize];
    let mut at = 0;
    while at < spilled_bytes {
        let part = &mut buffer[..(spilled_bytes - at).min(COPY_BYTES) as usize];
        content.spilled.read_at(at, part).map_err(|error| spill_failed(&content.spilled, error))?;
        take(part);
        at += part.len() as u64;
    }
    take(content.memory);
    Ok(())
}

fn push_content(content: &Content<'_>, quotes: Quotes, sink: &mut TableSink<'_>) -> Result<(), ReporterError> {
    let mut text = Vec::new();
    let Quotes::Doubled(separator) = quotes else {
        return each_piece(content, |piece| {
            text.clear();
            push_json(piece, &mut text);
            sink.push(&text);
        });
    };
    let mut is_quoted = false;
    each_piece(content, |piece| is_quoted |= piece.iter().any(|byte| needs_quotes(*byte, separator)))?;
    if !is_quoted {
        return each_piece(content, |piece| sink.push(piece));
    }
    sink.push(b"\"");
    each_piece(content, |piece| {
        text.clear();
        push_doubled(piece, &mut text);
        sink.push(&text);
    })?;
    sink.push(b"\"");
    Ok(())
}

fn push_field(field: &[u8], separator: u8, out: &mut Vec<u8>) {
    if !field.iter().any(|byte| needs_quotes(*byte, separator)) {
        return out.extend_from_slice(field);
    }
    out.push(b'"');
    push_doubled(field, out);
    out.push(b'"');
}

fn push_doubled(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
}

/// White space is what Perl takes for it.
const fn needs_quotes(byte: u8, separator: u8) -> bool {
    matches!(byte, b'"' | 0 | b' ' | b'\t'..=b'\r') || byte == separator
}

/// The beginning of an object, up to the text of its stdout.
fn push_object(fixed: &[Vec<u8>; COLUMNS.len()], arguments: &[&[u8]], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{ ");
    for (name, field) in COLUMNS.iter().zip(fixed) {
        out.extend_from_slice(format!("\"{name}\": ").as_bytes());
        if ["Host", "Command"].contains(name) {
            push_string(field, out);
        } else {
            out.extend_from_slice(field);
        }
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(b"\"V\": [ ");
    for (at, argument) in arguments.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(argument, out);
    }
    out.extend_from_slice(b" ], \"Stdout\": \"");
}

fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    push_json(text, out);
    out.push(b'"');
}

/// As GNU parallel: bytes that are not UTF-8 stay as they are.
fn push_json(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

/// The next name of a column, as Perl increments a text: `W0` follows `V9`.
fn increment(name: &mut Vec<u8>) {
    for byte in name.iter_mut().rev() {
        match *byte {
            b'9' => *byte = b'0',
            b'Z' => *byte = b'A',
            _ => {
                *byte += 1;
                return;
            }
        }
    }
    name.insert(0, b'A');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_as_by_gnu_parallel() {
        let quoted = |text: &str, separator| {
            let mut out = Vec::new();
            push_field(text.as_bytes(), separator, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (text, expected) in
            [("", ""), ("a;b", "a;b"), ("a b", "\"a b\""), ("a\"b", "\"a\"\"b\""), ("a\n", "\"a\n\"")]
        {
            assert_eq!((quoted(text, b','), quoted(text, b'\t')), (expected.to_owned(), expected.to_owned()));
        }
        assert_eq!((quoted("a,b", b','), quoted("a,b", b'\t')), ("\"a,b\"".to_owned(), "a,b".to_owned()));
        let mut json = Vec::new();
        push_json(b"a\"\\\n\xff\x7f", &mut json);
        assert_eq!(json, b"a\\\"\\\\\\u000a\xff\x7f");
    }

    #[test]
    fn columns_are_named_as_perl_counts() {
        let mut name = b"V1".to_vec();
        let names: Vec<String> = (1..=60)
            .map(|_| {
                let text = String::from_utf8(name.clone()).unwrap();
                increment(&mut name);
                text
            })
            .collect();
        assert_eq!(
            (names[8].as_str(), names[9].as_str(), names[48].as_str(), names[49].as_str()),
            ("V9", "W0", "Z9", "AA0")
        );
    }
}
