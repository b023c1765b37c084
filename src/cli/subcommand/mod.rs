//! What stands behind `supervisor SUBCOMMAND`: one module per subcommand, which reads its words.
//!
//! A new one is a module here, a variant of [`Subcommand`], and a row of [`ROWS`]; `program` carries it out.
//!
//! Invariant: a word is a subcommand only as the first one; behind `--` it is a command.

pub mod audit;
pub mod check_worker;
pub mod compact;
pub mod compare;
pub mod dead;
pub mod export;
pub mod flow;
pub mod parallel;
pub mod queue;
pub mod replay;
pub mod run;
pub mod sem;
pub mod show;
pub mod signals;
pub mod stats;
pub mod status;
pub mod steering;
pub mod tour;
pub mod why;
pub mod xargs;

use super::error::UsageError;
use super::parser::Typed;
use check_worker::CheckWorker;
use compare::CompareOptions;
use flow::FlowCommand;
use replay::ReplayCommand;
use run::RunCommand;
use sem::SemCommand;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::Path;
use steering::{add, cancel, events, kill, restart, scale, stop, whole_run};
use tour::TourFlags;

/// A subcommand with what was typed behind its name.
#[derive(Clone, Debug, PartialEq)]
pub enum Subcommand {
    Run(RunCommand),
    Sem(SemCommand),
    Flow(Box<FlowCommand>),
    Replay(ReplayCommand),
    Compare(CompareOptions),
    Tour(TourFlags),
    Why(why::WhyFlags),
    Stats(stats::StatsCommand),
    Export(export::ExportFlags),
    Audit(audit::AuditFlags),
    Compact(compact::CompactFlags),
    Status(status::StatusFlags),
    Show(show::ShowFlags),
    Signals(signals::SignalsFlags),
    Queue(queue::QueueCommand),
    Dead(dead::DeadFlags),
    Steer(steering::SteeringCommand),
    CheckWorker(CheckWorker),
    Xargs(Box<xargs::XargsCommand>),
    Parallel(parallel::ParallelCommand),
}

/// A row of the table of subcommands.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    /// For the list in the help, at most 80 columns.
    pub about: &'static str,
    /// Reads the words behind the name.
    pub read: fn(&[OsString]) -> Result<Typed<Subcommand>, UsageError>,
}

/// The column in which the list in the help says what a subcommand does, behind two blanks.
const NAME_COLUMNS: usize = 14;

/// The row of a subcommand that takes no words of its own.
macro_rules! whole_run_row {
    ($subcommand:ident) => {
        Row {
            name: whole_run::$subcommand.name,
            about: whole_run::$subcommand.about,
            read: |words| Ok(whole_run::$subcommand.read(words)?.map(Subcommand::Steer)),
        }
    };
}

/// Every subcommand, in the order of the help.
pub const ROWS: [Row; 31] = [
    Row { name: run::NAME, about: run::ABOUT, read: |words| Ok(run::read(words)?.map(Subcommand::Run)) },
    Row { name: sem::NAME, about: sem::ABOUT, read: |words| Ok(sem::read(words)?.map(Subcommand::Sem)) },
    Row {
        name: flow::NAME,
        about: flow::ABOUT,
        read: |words| Ok(flow::read(words)?.map(|flow| Subcommand::Flow(Box::new(flow)))),
    },
    Row { name: replay::NAME, about: replay::ABOUT, read: |words| Ok(replay::read(words)?.map(Subcommand::Replay)) },
    Row {
        name: compare::NAME,
        about: compare::ABOUT,
        read: |words| Ok(compare::read(words)?.map(Subcommand::Compare)),
    },
    Row { name: tour::NAME, about: tour::ABOUT, read: |words| Ok(tour::read(words)?.map(Subcommand::Tour)) },
    Row { name: why::NAME, about: why::ABOUT, read: |words| Ok(why::read(words)?.map(Subcommand::Why)) },
    Row { name: stats::NAME, about: stats::ABOUT, read: |words| Ok(stats::read(words)?.map(Subcommand::Stats)) },
    Row { name: export::NAME, about: export::ABOUT, read: |words| Ok(export::read(words)?.map(Subcommand::Export)) },
    Row { name: audit::NAME, about: audit::ABOUT, read: |words| Ok(audit::read(words)?.map(Subcommand::Audit)) },
    Row {
        name: compact::NAME,
        about: compact::ABOUT,
        read: |words| Ok(compact::read(words)?.map(Subcommand::Compact)),
    },
    Row { name: status::NAME, about: status::ABOUT, read: |words| Ok(status::read(words)?.map(Subcommand::Status)) },
    Row { name: show::NAME, about: show::ABOUT, read: |words| Ok(show::read(words)?.map(Subcommand::Show)) },
    Row {
        name: signals::NAME,
        about: signals::ABOUT,
        read: |words| Ok(signals::read(words)?.map(Subcommand::Signals)),
    },
    Row { name: queue::NAME, about: queue::ABOUT, read: |words| Ok(queue::read(words)?.map(Subcommand::Queue)) },
    Row { name: dead::NAME, about: dead::ABOUT, read: |words| Ok(dead::read(words)?.map(Subcommand::Dead)) },
    whole_run_row!(PS),
    Row { name: kill::NAME, about: kill::ABOUT, read: |words| Ok(kill::read(words)?.map(Subcommand::Steer)) },
    Row { name: cancel::NAME, about: cancel::ABOUT, read: |words| Ok(cancel::read(words)?.map(Subcommand::Steer)) },
    Row { name: scale::NAME, about: scale::ABOUT, read: |words| Ok(scale::read(words)?.map(Subcommand::Steer)) },
    whole_run_row!(PAUSE),
    whole_run_row!(CONTINUE),
    whole_run_row!(DRAIN),
    Row { name: stop::NAME, about: stop::ABOUT, read: |words| Ok(stop::read(words)?.map(Subcommand::Steer)) },
    Row { name: restart::NAME, about: restart::ABOUT, read: |words| Ok(restart::read(words)?.map(Subcommand::Steer)) },
    Row { name: add::NAME, about: add::ABOUT, read: |words| Ok(add::read(words)?.map(Subcommand::Steer)) },
    whole_run_row!(WAIT),
    Row { name: events::NAME, about: events::ABOUT, read: |words| Ok(events::read(words)?.map(Subcommand::Steer)) },
    Row {
        name: check_worker::NAME,
        about: check_worker::ABOUT,
        read: |words| Ok(check_worker::read(words)?.map(Subcommand::CheckWorker)),
    },
    Row {
        name: xargs::NAME,
        about: xargs::ABOUT,
        read: |words| Ok(xargs::read(words)?.map(|command| Subcommand::Xargs(Box::new(command)))),
    },
    Row {
        name: parallel::NAME,
        about: parallel::ABOUT,
        read: |words| Ok(parallel::read(words)?.map(Subcommand::Parallel)),
    },
];

/// The subcommand of this name.
#[must_use]
pub fn named(word: &OsStr) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == word)
}

/// The programs whose place this one takes where it is called by their name, each with the subcommand that reads their
/// words.
const BY_NAME: [(&str, &str); 2] = [("xargs", xargs::NAME), ("parallel", parallel::NAME)];

/// The subcommand that a program of this path stands for.
#[must_use]
pub fn of_program(path: &OsStr) -> Option<&'static str> {
    let name = Path::new(path).file_name()?;
    BY_NAME.iter().find(|(program, _)| *program == name).map(|(_, subcommand)| *subcommand)
}

/// The paragraph of the help that lists the subcommands.
#[must_use]
pub fn list() -> String {
    let mut list = "Subcommands, as the first word (each has its own --help):\n".to_owned();
    for row in &ROWS {
        // To write into a text cannot fail.
        let _ = writeln!(list, "  {:<NAME_COLUMNS$}{}", row.name, row.about);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_fits_its_line_and_shows_the_help_of_its_subcommand() {
        for row in &ROWS {
            assert!(row.name.len() < NAME_COLUMNS && row.about.chars().count() <= 80, "{}", row.name);
            let Ok(Typed::Show(help)) = (row.read)(&["--help".into()]) else { panic!("{}", row.name) };
            assert!(help.contains(&format!("Usage: supervisor {}", row.name)), "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }
}
