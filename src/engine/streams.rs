//! What commands and lines of results have to do with our stdout and stderr.
//!
//! Invariant: nothing here writes to them.

use super::commit::EarlyOutput;
use super::error::EngineError;
use crate::command::exec::{Commander, DirectOutput};
use crate::command::text::{TextTemplate, unescaped};
use crate::model::arrangement::{ColumnNames, Insertion};
use crate::model::config::{Config, Grouping, OutputMode, OutputSpec, ShowOutput, WorkerSpec};
use crate::reporter::results::{RawResults, Tag};
use crate::sys::terminal::Terminal;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;

/// A command that is lent the terminal writes to it itself, where its output has no other form and is not kept. One whose
/// output is not grouped writes to whatever our own stdout and stderr are.
pub fn give(
    commander: &mut Box<Commander>,
    terminal: Option<&Terminal>,
    output: &OutputSpec,
) -> Result<(), EngineError> {
    let mut direct = DirectOutput::default();
    if let Some(terminal) = terminal {
        let stdin = terminal.try_clone().map_err(EngineError::system("take the terminal"))?;
        **commander = commander.as_ref().clone().with_terminal(stdin);
        let is_kept = output.results.is_some() || output.show != ShowOutput::default();
        let is_shown_as_it_is = output.mode == OutputMode::Results && !output.tag && !is_kept;
        direct.stdout = is_shown_as_it_is && io::stdout().is_terminal();
        direct.stderr = !is_kept && io::stderr().is_terminal();
    }
    if output.grouping == Grouping::None {
        direct = DirectOutput { stdout: true, stderr: true };
    }
    **commander = commander.as_ref().clone().with_direct(direct);
    Ok(())
}

/// What the lines of results begin with.
pub fn tag_of(config: &Config, names: &ColumnNames) -> Tag {
    match (&config.output.tag_text, config.output.tag) {
        (Some(text), _) => {
            let mut template = TextTemplate::new(&unescaped(text.as_bytes()), &insertion_of(config), names.clone());
            Tag::Text(Box::new(move |item, id, worker, out| template.push(item, id, worker, out)))
        }
        (None, true) => Tag::Item,
        (None, false) => Tag::None,
    }
}

/// What shows lines of commands that run, if they are shown before the commands end.
pub fn early_output(config: &Config, names: &ColumnNames) -> Option<EarlyOutput> {
    let shown = config.output.mode == OutputMode::Results;
    (config.output.grouping == Grouping::Line).then(|| {
        let results = RawResults::new(tag_of(config, names), shown);
        EarlyOutput::new(Box::new(results), config.policy.keep_order, config.policy.first_item)
    })
}

/// What placeholders have to know of the items. For workers that stay an item is one argument.
pub fn insertion_of(config: &Config) -> Insertion {
    match &config.worker {
        WorkerSpec::Exec(spec) => spec.insertion.clone(),
        _ => Insertion::default(),
    }
}
