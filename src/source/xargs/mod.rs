//! Command lines made of an input as xargs makes them. Each item is a whole command line: a list of arguments, each
//! followed by a NUL.
//!
//! `input` reads blocks, `words` cuts them into arguments, `lines` fills command lines with them.
//!
//! Invariant: an error in the input ends it, and does not lose the command lines from before: they run. What is wrong is
//! in the [`XargsNotes`], to be said at the end.

mod input;
mod lines;
mod words;

use super::{Delivery, Payload, Source, SourceError};
use crate::model::xargs::{XargsLimits, XargsSpec};
use input::{BlockInput, BlockRead};
use lines::LineBuilder;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use words::{WordCutter, WordStep};

/// After this many blocks without a command line `next` returns, so that the loop can do its other work.
const BLOCKS_MAX: u32 = 64;

/// A NUL in the input, in the words of xargs.
const NUL_WARNING: &str = "WARNING: a NUL character occurred in the input.  It cannot be passed through in the argument \
                           list.  Did you mean to use the --null option?";

/// What is to be said of the input when the run has ended, each a line behind `xargs: `.
#[derive(Debug, Default)]
pub struct XargsNotes(Mutex<NotesSoFar>);

#[derive(Debug, Default)]
struct NotesSoFar {
    warnings: Vec<String>,
    failure: Option<String>,
}

impl XargsNotes {
    /// The warnings, and what ended the input before its end.
    #[must_use]
    pub fn take(&self) -> (Vec<String>, Option<String>) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut notes.warnings), notes.failure.take())
    }

    fn warn(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).warnings.push(text.to_owned());
    }

    fn fail(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(text);
    }
}

/// Command lines from an input.
pub struct XargsSource {
    input: BlockInput,
    words: WordCutter,
    lines: LineBuilder,
    notes: Arc<XargsNotes>,
    has_warned: bool,
    is_ended: bool,
}

impl XargsSource {
    /// # Errors
    /// The input cannot be opened.
    pub fn open(spec: &XargsSpec, limits: XargsLimits, notes: Arc<XargsNotes>) -> Result<Self, SourceError> {
        let mut source = Self {
            input: BlockInput::open(&spec.input)?,
            words: WordCutter::new(spec, limits),
            lines: LineBuilder::new(spec, limits),
            notes,
            has_warned: false,
            is_ended: false,
        };
        if let Err(error) = source.lines.check() {
            source.fail(error);
        }
        Ok(source)
    }

    /// The input ends here, and so does the run.
    fn fail(&mut self, error: &str) {
        self.notes.fail(error.to_owned());
        self.is_ended = true;
    }

    /// Takes the bytes at hand until a command line is full.
    fn take_bytes(&mut self) {
        while self.lines.is_empty() && !self.is_ended {
            let Some(byte) = self.input.byte() else { return };
            let step = self.words.push(byte);
            if self.words.has_nul() && !std::mem::replace(&mut self.has_warned, true) {
                self.notes.warn(NUL_WARNING);
            }
            self.follow(step);
        }
    }

    fn follow(&mut self, step: WordStep) {
        let pushed = match step {
            WordStep::More => Ok(()),
            WordStep::Argument { ends_line, counts } => {
                let pushed = self.lines.push(self.words.argument());
                self.words.begin();
                if ends_line && pushed.is_ok() {
                    self.lines.end_line(counts);
                }
                pushed
            }
            WordStep::End => {
                self.end();
                Ok(())
            }
            WordStep::Wrong(error) => {
                self.lines.flush_before_error();
                Err(error)
            }
        };
        if let Err(error) = pushed {
            self.fail(error);
        }
    }

    /// No argument follows.
    fn end(&mut self) {
        self.is_ended = true;
        self.lines.finish();
    }
}

impl Source for XargsSource {
    fn next(&mut self, _items_max: u64) -> Result<Delivery, SourceError> {
        for _ in 0..BLOCKS_MAX {
            self.take_bytes();
            if let Some(line) = self.lines.take() {
                let range = 0..line.len();
                let block = Arc::new(line.into());
                return Ok(Delivery::Items(Payload { block, range, count: 1, priority: 0 }));
            }
            if self.is_ended {
                return Ok(Delivery::Ended);
            }
            match self.input.read() {
                BlockRead::Some => {}
                BlockRead::None => return Ok(Delivery::Idle),
                BlockRead::Ended => {
                    let step = self.words.finish();
                    self.follow(step);
                    if !self.is_ended {
                        self.end();
                    }
                }
            }
        }
        Ok(Delivery::Idle)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.input.fd()
    }

    fn delimiter(&self) -> u8 {
        b'\n'
    }

    fn mapped_file(&self) -> Option<&Arc<File>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::InputSpec;
    use crate::model::xargs::XargsCut;
    use std::io::Write;

    fn spec(command: &str) -> XargsSpec {
        XargsSpec::of_command(command.split(' ').map(Into::into).collect())
    }

    /// The command lines of an input, and what ended it early.
    fn lines(spec: &XargsSpec, line_bytes_max: usize, input: &[u8]) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(input).unwrap();
        let spec = XargsSpec { input: InputSpec::File(file.path().to_owned()), ..spec.clone() };
        let notes = Arc::new(XargsNotes::default());
        let limits = XargsLimits { line_bytes_max, system_bytes_max: 1 << 20 };
        let mut source = XargsSource::open(&spec, limits, Arc::clone(&notes)).unwrap();
        let mut found = Vec::new();
        loop {
            match source.next(9).unwrap() {
                Delivery::Items(payload) => {
                    let bytes = &payload.block[payload.range];
                    found.push(String::from_utf8_lossy(bytes).trim_end_matches('\0').replace('\0', "|"));
                }
                Delivery::Ended => break,
                other => panic!("{other:?}"),
            }
        }
        let (warnings, failure) = notes.take();
        found.extend(warnings.iter().map(|_| "(warned)".to_owned()));
        found.extend(failure.map(|error| format!("({error})")));
        found.join(" ; ")
    }

    #[test]
    fn command_lines_are_filled_by_number_by_lines_and_by_length() {
        let all = spec("c x");
        let by_number = XargsSpec { args_max: Some(2), ..all.clone() };
        let by_lines = XargsSpec { lines_max: Some(1), exits_if_too_long: true, ..all.clone() };
        let by_text = XargsSpec { replace: Some(b"x".to_vec()), exits_if_too_long: true, ..all.clone() };
        for (spec, line_bytes_max, input, expected) in [
            (&all, 99, "a b\n'c d' e\\ f\n", "c|x|a|b|c d|e f"),
            (&all, 99, "", "c|x"),
            (&all, 8, "a b c", "c|x|a|b ; c|x|c"),
            (&all, 8, "a bbbb", "c|x|a ; (argument line too long)"),
            (&all, 3, "a", "(cannot fit single argument within argument list size limit)"),
            (&by_number, 99, "a b c", "c|x|a|b ; c|x|c"),
            (&by_lines, 99, "a b\nc \n\nd\n", "c|x|a|b ; c|x|c|d"),
            (&by_lines, 7, "a b\n", "(argument list too long)"),
            (&by_text, 99, " a b \n\nc", "c|a b  ; c|c"),
            (&XargsSpec { skips_empty: true, ..all.clone() }, 99, " \n", ""),
            (
                &all,
                99,
                "a 'b\n",
                "c|x|a ; (unmatched single quote; by default quotes are special to xargs unless you use the -0 option)",
            ),
        ] {
            assert_eq!(lines(spec, line_bytes_max, input.as_bytes()), expected, "{spec:?} of {input:?}");
        }
        let ends = XargsSpec { cut: XargsCut::Words { end: Some(b"E".to_vec()) }, ..all.clone() };
        assert_eq!(lines(&ends, 99, b"a E b"), "c|x|a");
        assert_eq!(lines(&all, 99, b"a\0b c"), "c|x|a|c ; (warned)");
        let cut = XargsSpec { cut: XargsCut::At(b','), ..all };
        assert_eq!(lines(&cut, 99, b"a,,'b \n,"), "c|x|a||'b \n");
    }
}
