//! `supervisor dead`: what was typed.

use crate::cli::choices::{ANSWER_FORMS, AnswerForm, choice};
use crate::cli::error::UsageError;
use crate::cli::parser::{self, Typed};
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

pub const NAME: &str = "dead";
pub const ABOUT: &str = "The dead items of a journal: list them, run them again, or give them up.";

const AFTER: &str = "\
What is done:
  list   a line for each dead item: its number, its attempts, why the last one failed, its text;
         with --output json the objects of --dead-letters, with a command that runs it alone
  retry  the next --resume runs these items again; their attempts go on counting
  drop   these items are given up: they count as skipped, and no --resume runs them

Without ITEM, retry and drop mean all dead items. They change nothing if one ITEM is not dead, or
if a run writes the journal; what they change is on the disk when they return.

Exit codes:
  0  all of it was done
  1  with list: the journal is damaged, or lacks the text of an item
  2  wrong usage, or an ITEM is not dead
  4  the journal could not be written
  6  JOURNAL is no journal, cannot be read, or a run writes it";

/// Lists the items of a journal at which their workers died as often as the run allows, has them run again, or gives
/// them up
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(
    override_usage = "supervisor dead JOURNAL list [--output json]\n       supervisor dead JOURNAL retry|drop [ITEM...]",
    after_help = AFTER,
    disable_version_flag = true
)]
pub struct DeadFlags {
    /// The journal
    #[arg(value_name = "JOURNAL")]
    pub file: PathBuf,
    /// list, retry or drop
    #[arg(value_name = "WHAT", value_parser = choice(&DEAD_ACTIONS), hide_possible_values = true)]
    pub action: DeadAction,
    /// Items by number, from 0 [all dead ones]
    #[arg(value_name = "ITEM")]
    pub items: Vec<u64>,
    /// Of a list: text, or json: an object a line [text]
    #[arg(long, value_name = "FORM", value_parser = choice(&ANSWER_FORMS), hide_possible_values = true)]
    pub output: Option<AnswerForm>,
}

/// What is done with dead items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadAction {
    List,
    Retry,
    Drop,
}

const DEAD_ACTIONS: [(&str, DeadAction); 3] =
    [("list", DeadAction::List), ("retry", DeadAction::Retry), ("drop", DeadAction::Drop)];

/// Reads the words behind `dead`.
///
/// # Errors
/// The words do not fit.
pub fn read(words: &[OsString]) -> Result<Typed<DeadFlags>, UsageError> {
    let typed = parser::read_subcommand::<DeadFlags>(NAME, words)?;
    match &typed {
        Typed::Flags(flags) if flags.action == DeadAction::List && !flags.items.is_empty() => {
            Err(UsageError::DeadListOfItems)
        }
        Typed::Flags(flags) if flags.action != DeadAction::List && flags.output.is_some() => {
            Err(UsageError::DeadOutput)
        }
        _ => Ok(typed),
    }
}
