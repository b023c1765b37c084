//! The durable record of a run, as it is asked for.

#![deny(missing_docs)]

use std::path::PathBuf;

/// A journal that a run writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalSpec {
    /// The file, which others cannot read.
    pub file: PathBuf,
    /// What the record survives.
    pub durability: Durability,
    /// Keep the results of items, also of those that are shown nowhere.
    pub results: bool,
    /// Where results go in place of stdout: a regular file, whose length is a part of the record.
    pub output_file: Option<PathBuf>,
    /// Go on with the run whose journal the file is, if it is there. Otherwise a file that is there is refused.
    pub resume: Option<ResumeSpec>,
    /// By what it is recognised which items have their outcome.
    pub resume_by: ResumeBy,
    /// Go on also if the run or its input is another one, and write a file that cannot be locked.
    pub forced: bool,
}

impl JournalSpec {
    /// A new journal in this file, which survives the end of every process.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            durability: Durability::Process,
            results: false,
            output_file: None,
            resume: None,
            resume_by: ResumeBy::Position,
            forced: false,
        }
    }
}

/// What a record survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of every process, by whatever signal. The machine has to go on.
    #[default]
    Process,
    /// The end of the machine, too: what is recorded in a turn of the loop is synced to the disk before any of it is shown.
    Power,
}

/// By what a run that goes on recognises its items. A journal is made for one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResumeBy {
    /// By where they stand in the input, which has to be the same.
    #[default]
    Position,
    /// By a hash of each item and of what is run. The input may be another one each time.
    Item,
}

/// How a run goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResumeSpec {
    /// Which items that have their outcome are tried again.
    pub again: TriedAgain,
}

/// Items that have their outcome, and are tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TriedAgain {
    /// None of them.
    #[default]
    None,
    /// Those that are dead.
    Dead,
    /// Those that failed, and those that are dead.
    FailedAndDead,
}
