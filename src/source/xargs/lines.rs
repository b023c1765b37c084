//! Fills command lines with arguments as xargs does. No I/O.

use crate::model::xargs::{XargsLimits, XargsSpec};
use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;

/// A word takes a pointer in the argument list, beside its bytes.
const POINTER_BYTES: usize = size_of::<usize>();

const FIRST_TOO_LONG: &str = "cannot fit single argument within argument list size limit";
const LIST_TOO_LONG: &str = "argument list too long";
const COMMAND_TOO_LONG: &str = "command too long";

/// Command lines, each a list of arguments of which each is followed by a NUL.
pub struct LineBuilder {
    first: Vec<Vec<u8>>,
    first_bytes: usize,
    limits: XargsLimits,
    args_max: Option<u64>,
    lines_max: Option<u64>,
    replace: Option<Vec<u8>>,
    exits_if_too_long: bool,
    /// Without arguments the command runs once.
    runs_empty: bool,
    /// The arguments of the line that is being filled.
    added: Vec<u8>,
    added_words: usize,
    /// As xargs counts: of an argument with a NUL also what is left out.
    added_bytes: usize,
    lines: u64,
    full: VecDeque<Vec<u8>>,
    has_any: bool,
}

impl LineBuilder {
    #[must_use]
    pub fn new(spec: &XargsSpec, limits: XargsLimits) -> Self {
        let first: Vec<Vec<u8>> = spec.command.iter().map(|word| word.as_bytes().to_vec()).collect();
        Self {
            first_bytes: first.iter().map(|word| word.len() + 1).sum(),
            first,
            limits,
            args_max: spec.args_max,
            lines_max: spec.lines_max,
            replace: spec.replace.clone(),
            exits_if_too_long: spec.exits_if_too_long,
            runs_empty: !spec.skips_empty && spec.replace.is_none(),
            added: Vec::new(),
            added_words: 0,
            added_bytes: 0,
            lines: 0,
            full: VecDeque::new(),
            has_any: false,
        }
    }

    /// Whether the first words fit at all.
    ///
    /// # Errors
    /// They do not.
    pub fn check(&self) -> Result<(), &'static str> {
        let fits = self.replace.is_some() || self.first_bytes <= self.limits.line_bytes_max;
        if fits { Ok(()) } else { Err(FIRST_TOO_LONG) }
    }

    /// No full line waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.full.is_empty()
    }

    /// The next full line.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.full.pop_front()
    }

    /// Adds an argument.
    ///
    /// # Errors
    /// The command line would be too long.
    pub fn push(&mut self, argument: &[u8]) -> Result<(), &'static str> {
        if let Some(text) = &self.replace {
            let line = replaced(&self.first, text, argument, self.limits.line_bytes_max)?;
            self.full.push_back(line);
            return Ok(());
        }
        if self.first_bytes + self.added_bytes + argument.len() + 1 > self.limits.line_bytes_max {
            if self.added_words == 0 {
                return Err(FIRST_TOO_LONG);
            }
            if self.exits_if_too_long && (self.lines_max.is_some() || self.args_max.is_some()) {
                return Err(LIST_TOO_LONG);
            }
            self.flush();
        }
        let words = self.first.len() + self.added_words + 1;
        let bytes = self.first_bytes + self.added_bytes + argument.len() + 1;
        if self.added_words > 0 && bytes + words * POINTER_BYTES > self.limits.system_bytes_max {
            self.flush();
        }
        self.added.extend_from_slice(until_nul(argument));
        self.added.push(0);
        self.added_words += 1;
        self.added_bytes += argument.len() + 1;
        if self.args_max.is_some_and(|max| self.added_words as u64 >= max) {
            self.flush();
        }
        Ok(())
    }

    /// A line of the input has ended. `counts`: it does not go on in the next one.
    pub fn end_line(&mut self, counts: bool) {
        self.lines += u64::from(counts);
        if self.lines_max.is_some_and(|max| self.lines >= max) {
            self.flush();
            self.lines = 0;
        }
    }

    /// What was read before an error in the input runs, unless a command line was to be of a fixed size.
    pub fn flush_before_error(&mut self) {
        if self.added_words > 0 && !self.exits_if_too_long {
            self.flush();
        }
    }

    /// No argument follows.
    pub fn finish(&mut self) {
        if self.added_words > 0 || (self.runs_empty && !self.has_any) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let mut line = Vec::with_capacity(self.first_bytes + self.added.len());
        for word in &self.first {
            line.extend_from_slice(word);
            line.push(0);
        }
        line.append(&mut self.added);
        (self.added_words, self.added_bytes, self.has_any) = (0, 0, true);
        self.full.push_back(line);
    }
}

/// The first words with `argument` for `text` in all but the command.
fn replaced(first: &[Vec<u8>], text: &[u8], argument: &[u8], bytes_max: usize) -> Result<Vec<u8>, &'static str> {
    let mut line = Vec::new();
    // An empty text is found without end.
    if text.is_empty() && first.len() > 1 {
        return Err(COMMAND_TOO_LONG);
    }
    for (index, word) in first.iter().enumerate() {
        let mut filled = Vec::new();
        let mut rest = word.as_slice();
        while let Some(at) = memchr::memmem::find(rest, text).filter(|_| index > 0) {
            filled.extend_from_slice(&rest[..at]);
            filled.extend_from_slice(argument);
            rest = &rest[at + text.len()..];
            if filled.len() >= bytes_max {
                return Err(COMMAND_TOO_LONG);
            }
        }
        filled.extend_from_slice(rest);
        if index > 0 && filled.len() + 1 >= bytes_max {
            return Err(COMMAND_TOO_LONG);
        }
        if line.len() + filled.len() + 1 > bytes_max {
            return Err(if index == 0 { FIRST_TOO_LONG } else { LIST_TOO_LONG });
        }
        line.extend_from_slice(until_nul(&filled));
        line.push(0);
    }
    Ok(line)
}

/// An argument of a program ends at its first NUL.
fn until_nul(argument: &[u8]) -> &[u8] {
    memchr::memchr(0, argument).map_or(argument, |end| &argument[..end])
}
