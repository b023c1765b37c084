//! What a run writes, and where.

#![deny(missing_docs)]

use super::exit::ExitStatus;
use super::worker_log::WorkerLog;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the run writes, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// What is written to stdout about items.
    pub mode: OutputMode,
    /// Each line of output is preceded by the item and a tab.
    pub tag: bool,
    /// With `tag`: this text in place of the item. Placeholders such as `{}` stand for the item.
    pub tag_text: Option<OsString>,
    /// What stays together of the output of commands.
    pub grouping: Grouping,
    /// Commands are printed to stderr before they start, and every attempt that is followed by another one is told there.
    pub verbose: bool,
    /// Commands, or items, are printed to stdout and nothing is started.
    pub dry_run: bool,
    /// Write every event to this file, one JSON object a line. A file that exists is emptied first.
    pub events: Option<PathBuf>,
    /// Write a line for each item that has ended to this file.
    pub joblog: Option<JobLogSpec>,
    /// Write an object for each item that is dead to this file, with its causes and a command line that runs it alone.
    pub dead_letters: Option<PathBuf>,
    /// When the output of commands is shown.
    pub show: ShowOutput,
    /// Store the output of each command in files, or in a table.
    pub results: Option<ResultsSpec>,
    /// If a table of processes and the totals are written to stderr at the end.
    pub summary: SummaryMode,
    /// How the state of the run is shown on stderr while it lasts.
    pub progress: ProgressMode,
    /// Nothing on stderr but errors that end the run.
    pub quiet: bool,
    /// Where the stderr of workers goes that stay.
    pub worker_log: WorkerLog,
    /// What messages may advise.
    pub advice: Advice,
    /// Why there are fewer workers than cores, where that is not the user's choice.
    pub workers_why: Option<String>,
}

/// What stays together of the output of commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// All that a command writes, once it has ended.
    #[default]
    Item,
    /// A line: whole lines leave while their command runs, and lines of several commands may alternate.
    Line,
    /// Nothing: commands write to our own stdout and stderr themselves.
    None,
}

/// A log of ended items in the format of GNU parallel's `--joblog`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLogSpec {
    /// The file. It may be a FIFO.
    pub file: PathBuf,
    /// What the file holds stays, and no header is written. Otherwise a file that exists is emptied first.
    pub appends: bool,
}

/// When the output of a command is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShowWhen {
    /// When it is its turn.
    #[default]
    Immediate,
    /// When it is its turn, and again at the end of the run.
    ImmediateFinal,
    /// At the end of the run.
    Final,
    /// Not at all.
    Never,
}

impl ShowWhen {
    /// Whether it is shown when it is its turn.
    #[must_use]
    pub const fn is_immediate(self) -> bool {
        matches!(self, Self::Immediate | Self::ImmediateFinal)
    }

    /// Whether it is shown at the end of the run.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Final | Self::ImmediateFinal)
    }
}

/// When the output of commands is shown, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShowOutput {
    /// Of items that are done.
    pub success: ShowWhen,
    /// Of items that failed or are dead.
    pub failure: ShowWhen,
}

/// Where the output of each command is stored, as by GNU parallel's `--results`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsSpec {
    /// A folder, a name with placeholders for those of each item, or the file of a table; `-.csv` and its kin are stdout.
    pub name: OsString,
    /// How it is stored.
    pub format: ResultsFormat,
}

/// How the output of commands is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultsFormat {
    /// Files for each item.
    Files,
    /// One file with a row for each item.
    Separated {
        /// Between two columns: a comma or a tab.
        separator: u8,
    },
    /// One file with a JSON object for each item.
    Json,
}

impl ResultsSpec {
    /// The format follows from how the name ends, in capitals or not.
    #[must_use]
    pub fn new(name: impl Into<OsString>) -> Self {
        let name = name.into();
        let bytes = name.as_encoded_bytes();
        let ends = |end: &str| {
            bytes.len().checked_sub(end.len()).is_some_and(|at| bytes[at..].eq_ignore_ascii_case(end.as_bytes()))
        };
        let format = match () {
            () if ends(".csv") => ResultsFormat::Separated { separator: b',' },
            () if ends(".tsv") => ResultsFormat::Separated { separator: b'\t' },
            () if ends(".json") => ResultsFormat::Json,
            () => ResultsFormat::Files,
        };
        Self { name, format }
    }

    /// The table is written to stdout.
    #[must_use]
    pub fn is_on_stdout(&self) -> bool {
        self.format != ResultsFormat::Files && ["-.csv", "-.tsv", "-.json"].iter().any(|name| self.name == *name)
    }
}

/// What messages may advise, which depends on what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// The workers run a program that has to speak a protocol.
    pub speaks_frames: bool,
    /// The workers answer each line with a line.
    pub speaks_lines: bool,
    /// Items were given, and neither a command nor a task.
    pub task_by_default: bool,
    /// Commands are given the terminal.
    pub has_terminal: bool,
}

impl Advice {
    /// What to say of a worker that ended by itself. `owes`: it had an item to answer.
    #[must_use]
    pub const fn of_end(self, exit: ExitStatus, owes: bool) -> &'static str {
        if self.speaks_lines && owes && exit.is_success() {
            ", which it has not answered (--protocol lines needs a line for each item, until the input ends)"
        } else {
            ""
        }
    }
}

/// What a run writes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputMode {
    /// A line for people per settled item: `worker 3 (pid 4123): item 7 -> 49`.
    Narrate,
    /// The workers' results and nothing else.
    Results,
    /// One JSON object per settled item, one a line.
    Json,
    /// Nothing.
    None,
}

/// How the state of a run is shown on stderr while it lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressMode {
    /// Not at all.
    #[default]
    None,
    /// `Bar` if stderr is a terminal that can move its cursor (`TERM` is set and not `dumb`), otherwise `Plain`.
    Auto,
    /// A bar that is drawn again and again; it needs a terminal.
    Bar,
    /// A line each 10 s.
    Plain,
    /// A JSON object each second and at the end, one a line.
    Json,
}

/// If there is a summary at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryMode {
    /// Always with `Narrate`; otherwise only if some item is not done, a worker died, or the run was broken off.
    Auto,
    /// In every case.
    Always,
    /// In no case.
    Never,
}

#[cfg(test)]
impl OutputSpec {
    /// This mode, and nothing else that is not so by default.
    pub(crate) fn of_mode(mode: OutputMode) -> Self {
        Self {
            mode,
            tag: false,
            tag_text: None,
            grouping: Grouping::Item,
            verbose: false,
            dry_run: false,
            events: None,
            joblog: None,
            dead_letters: None,
            show: ShowOutput::default(),
            results: None,
            summary: SummaryMode::Auto,
            progress: ProgressMode::None,
            quiet: false,
            worker_log: WorkerLog::Raw,
            advice: Advice::default(),
            workers_why: None,
        }
    }
}
