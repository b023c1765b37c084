//! What stands behind `supervisor SUBCOMMAND`: one module per subcommand, which reads its words.
//!
//! A new one is a module here, a variant of [`Subcommand`], and a row of [`ROWS`]; `program` carries it out.
//!
//! Invariant: a word is a subcommand only as the first one; behind `--` it is a command.

pub mod flow;
pub mod replay;
pub mod why;

use super::error::UsageError;
use super::parser::Typed;
use flow::FlowCommand;
use replay::ReplayCommand;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;

/// A subcommand with what was typed behind its name.
#[derive(Clone, Debug, PartialEq)]
pub enum Subcommand {
    Flow(Box<FlowCommand>),
    Replay(ReplayCommand),
    Why(why::WhyFlags),
}

/// A row of the table of subcommands.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    /// For the list in the help, at most 70 columns.
    pub about: &'static str,
    /// Reads the words behind the name.
    pub read: fn(&[OsString]) -> Result<Typed<Subcommand>, UsageError>,
}

/// Every subcommand, in the order of the help.
pub const ROWS: [Row; 3] = [
    Row {
        name: flow::NAME,
        about: flow::ABOUT,
        read: |words| Ok(flow::read(words)?.map(|flow| Subcommand::Flow(Box::new(flow)))),
    },
    Row { name: replay::NAME, about: replay::ABOUT, read: |words| Ok(replay::read(words)?.map(Subcommand::Replay)) },
    Row { name: why::NAME, about: why::ABOUT, read: |words| Ok(why::read(words)?.map(Subcommand::Why)) },
];

/// The subcommand of this name.
#[must_use]
pub fn named(word: &OsStr) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == word)
}

/// The paragraph of the help that lists the subcommands; empty without any.
#[must_use]
pub fn list() -> String {
    let mut list = String::new();
    for row in &ROWS {
        let head = if list.is_empty() { "Subcommands, as the first word (each has its own --help):\n" } else { "" };
        // To write into a text cannot fail.
        let _ = writeln!(list, "{head}  {:<10}{}", row.name, row.about);
    }
    if !list.is_empty() {
        list.push('\n');
    }
    list
}
