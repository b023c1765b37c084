//! The stage of a lesson: it shows texts, waits for the reader, and keeps what was measured and claimed.
//!
//! Invariant: in JSON nothing is written before the lesson is over, and nothing but the one object then.

use super::error::TourError;
use super::frame;
use super::language::{Language, Text};
use super::layout;
use super::report::{ClaimCheck, LessonReport, MeasuredValue, Unit};
use serde_json::Value;
use std::fmt::Display;
use std::io::{BufRead, Write};

/// How lessons are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageOptions {
    pub language: Language,
    /// The values alone, as JSON.
    pub json: bool,
    /// Bold headings, and colours for what became of a claim.
    pub colour: bool,
    /// Wait for Enter between the parts of a lesson.
    pub waits: bool,
    /// Columns of a line.
    pub width: usize,
}

/// Where a lesson is held.
pub struct LessonStage<'a> {
    out: &'a mut dyn Write,
    reader: &'a mut dyn BufRead,
    options: StageOptions,
    report: LessonReport,
}

/// What a text is filled with.
pub type FilledWith<'a> = &'a [(&'a str, &'a dyn Display)];

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

impl<'a> LessonStage<'a> {
    pub fn new(out: &'a mut dyn Write, reader: &'a mut dyn BufRead, options: StageOptions) -> Self {
        Self { out, reader, options, report: LessonReport::default() }
    }

    #[must_use]
    pub const fn language(&self) -> Language {
        self.options.language
    }

    /// Columns of a line.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.options.width
    }

    /// Begins a lesson.
    ///
    /// # Errors
    /// Of this and the other methods that show something: stdout takes no more.
    pub(super) fn begin(&mut self, title: &Text) -> Result<(), TourError> {
        self.report = LessonReport::default();
        self.heading(title)
    }

    /// Ends a lesson: its report, in JSON.
    pub(super) fn end(&mut self, lesson: &str) -> Result<(), TourError> {
        if self.options.json {
            let object = self.report.json(lesson, self.language());
            writeln!(self.out, "{object}").map_err(TourError::Write)?;
        } else {
            self.print("")?;
        }
        self.out.flush().map_err(TourError::Write)
    }

    /// A paragraph.
    pub fn say(&mut self, text: &Text, with: FilledWith<'_>) -> Result<(), TourError> {
        let text = text.filled(self.language(), with);
        self.paragraph(&text, "")
    }

    /// A line of what happened, indented; continued below itself if it is too long.
    pub fn line(&mut self, line: &str) -> Result<(), TourError> {
        let text = line.trim_start_matches(' ');
        let indent = "  ".len() + line.len() - text.len();
        self.paragraph(text, &" ".repeat(indent))
    }

    /// The same, of a text.
    pub fn show(&mut self, text: &Text, with: FilledWith<'_>) -> Result<(), TourError> {
        let text = text.filled(self.language(), with);
        self.paragraph(&text, "  ")
    }

    /// A command line, as one would type it.
    pub fn command(&mut self, command: &str) -> Result<(), TourError> {
        for line in layout::command_lines(command, self.width()) {
            self.print(&line)?;
        }
        Ok(())
    }

    /// Shows a measured value behind its label, and keeps it.
    pub fn value(&mut self, name: &str, label: &Text, value: impl Into<Value>, unit: Unit) -> Result<(), TourError> {
        self.value_of(name, label, &[], value, unit)
    }

    /// The same, with a label that is filled in.
    pub fn value_of(
        &mut self,
        name: &str,
        label: &Text,
        with: FilledWith<'_>,
        value: impl Into<Value>,
        unit: Unit,
    ) -> Result<(), TourError> {
        let measured = MeasuredValue { name: name.to_owned(), value: value.into(), unit };
        let line = format!("{}: {}", label.filled(self.language(), with), measured.shown());
        self.report.values.push(measured);
        self.paragraph(&line, "  = ")
    }

    /// Keeps a measured value that is shown in a table.
    pub fn keep(&mut self, measured: MeasuredValue) {
        self.report.values.push(measured);
    }

    /// Keeps whether a claim of the lesson holds.
    pub fn claim(&mut self, claim: &Text, holds: bool) {
        self.report.claims.push((*claim, if holds { ClaimCheck::Holds } else { ClaimCheck::Fails }));
    }

    /// Keeps that this machine cannot check a claim.
    pub fn cannot_check(&mut self, claim: &Text, why: &Text) {
        self.report.claims.push((*claim, ClaimCheck::NotChecked(*why)));
    }

    /// Waits for Enter, if the reader is to decide when to go on.
    pub fn pause(&mut self) -> Result<(), TourError> {
        if !self.options.waits {
            return Ok(());
        }
        let prompt = frame::ENTER.in_language(self.language());
        write!(self.out, "{prompt} ").and_then(|()| self.out.flush()).map_err(TourError::Write)?;
        let mut typed = String::new();
        let read = self.reader.read_line(&mut typed).map_err(TourError::system("wait for Enter"))?;
        if read == 0 {
            // The terminal has no more to say.
            self.options.waits = false;
            self.print("")?;
        }
        Ok(())
    }

    /// Shows what became of the claims. `false`: one does not hold, or was never looked at.
    pub(super) fn show_claims(&mut self, expected: &[Text]) -> Result<bool, TourError> {
        self.section(&frame::CLAIMS)?;
        for claim in expected {
            if !self.report.claims.iter().any(|(known, _)| known == claim) {
                self.report.claims.push((*claim, ClaimCheck::Fails));
                self.show(&frame::FORGOTTEN, &[])?;
            }
        }
        let language = self.language();
        for (claim, check) in self.report.claims.clone() {
            let claim = claim.in_language(language);
            let (mark, line) = match check {
                ClaimCheck::Holds => (GREEN, format!("{}: {claim}", frame::HOLDS.in_language(language))),
                ClaimCheck::Fails => (RED, format!("{}: {claim}", frame::FAILS.in_language(language))),
                ClaimCheck::NotChecked(why) => {
                    let (not_checked, why) = (frame::NOT_CHECKED.in_language(language), why.in_language(language));
                    (BOLD, format!("{not_checked}: {claim} ({why})"))
                }
            };
            for line in layout::wrapped(&line, "- ", self.width()) {
                self.print_marked(&line, mark)?;
            }
        }
        Ok(self.report.holds(expected))
    }

    fn heading(&mut self, text: &Text) -> Result<(), TourError> {
        let text = text.in_language(self.language());
        for line in layout::wrapped(text, "", self.width()) {
            self.print_marked(&line, BOLD)?;
        }
        self.print(&"=".repeat(layout::columns(text).min(self.width())))
    }

    pub(super) fn section(&mut self, text: &Text) -> Result<(), TourError> {
        self.print("")?;
        let text = text.in_language(self.language());
        self.print_marked(text, BOLD)
    }

    pub(super) fn item(&mut self, text: &Text) -> Result<(), TourError> {
        self.paragraph(text.in_language(self.language()), "- ")
    }

    fn paragraph(&mut self, text: &str, first: &str) -> Result<(), TourError> {
        for line in layout::wrapped(text, first, self.width()) {
            self.print(&line)?;
        }
        Ok(())
    }

    fn print(&mut self, line: &str) -> Result<(), TourError> {
        self.print_marked(line, "")
    }

    fn print_marked(&mut self, line: &str, mark: &str) -> Result<(), TourError> {
        if self.options.json {
            return Ok(());
        }
        let written = match self.options.colour && !mark.is_empty() {
            true => writeln!(self.out, "{mark}{line}{PLAIN}"),
            false => writeln!(self.out, "{line}"),
        };
        written.map_err(TourError::Write)
    }
}
