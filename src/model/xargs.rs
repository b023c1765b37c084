//! What a run does in the place of xargs, as it was asked for.
//!
//! Invariant: a command line is made by the source, so an item is a whole command line: a list of arguments, each
//! followed by a NUL.

#![deny(missing_docs)]

use super::config::InputSpec;
use std::ffi::OsString;

/// The work of one xargs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XargsSpec {
    /// The command and its first arguments; at least one word.
    pub command: Vec<OsString>,
    /// Where the arguments come from.
    pub input: InputSpec,
    /// What ends an argument.
    pub cut: XargsCut,
    /// `-I`: a line at a time takes the place of this text in the first arguments.
    pub replace: Option<Vec<u8>>,
    /// `-L`: most lines for one command, at least 1.
    pub lines_max: Option<u64>,
    /// `-n`: most arguments for one command, at least 1.
    pub args_max: Option<u64>,
    /// `-s`: most bytes of a command line, at least 1, each word with the byte behind it.
    pub line_bytes_max: Option<u64>,
    /// `-x`: a command line that does not hold what `-n` and `-L` ask for ends the run.
    pub exits_if_too_long: bool,
    /// `-r`: without arguments nothing runs; otherwise the command runs once.
    pub skips_empty: bool,
    /// `--process-slot-var`: the variable that holds the slot of a command, from 0.
    pub slot_variable: Option<OsString>,
    /// `-o`: the stdin of commands is the terminal.
    pub opens_terminal: bool,
    /// `-t`: each command line is printed to stderr before it runs.
    pub prints: bool,
    /// `-p`: the person at the terminal is asked before each command runs.
    pub asks: bool,
    /// `-P`: commands at a time; 0: as many as possible.
    pub processes_max: u32,
    /// `--show-limits`.
    pub shows_limits: bool,
}

impl XargsSpec {
    /// This command without any option.
    #[must_use]
    pub const fn of_command(command: Vec<OsString>) -> Self {
        Self {
            command,
            input: InputSpec::Stdin,
            cut: XargsCut::Words { end: None },
            replace: None,
            lines_max: None,
            args_max: None,
            line_bytes_max: None,
            exits_if_too_long: false,
            skips_empty: false,
            slot_variable: None,
            opens_terminal: false,
            prints: false,
            asks: false,
            processes_max: 1,
            shows_limits: false,
        }
    }
}

/// What ends an argument in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XargsCut {
    /// Blanks and newlines outside quotes and backslashes.
    Words {
        /// `-E`: this word ends the input.
        end: Option<Vec<u8>>,
    },
    /// This byte alone: `-0`, `-d`.
    At(u8),
}

/// What the lines of arguments may be long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XargsLimits {
    /// Most bytes of a command line, each word with the byte behind it.
    pub line_bytes_max: usize,
    /// Most bytes that the system takes for it, a pointer for each word included.
    pub system_bytes_max: usize,
}
