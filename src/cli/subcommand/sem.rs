//! `supervisor sem --id NAME [OPTIONS] -- COMMAND [ARG]...`: one command at a time of those that name the same semaphore.

use super::super::error::UsageError;
use super::super::parser::{self, Typed};
use super::super::values::{self, SemaphorePatience};
use crate::model::worker_count::{WorkerCount, WorkerCountError};
use clap::Parser;
use clap::builder::OsStringValueParser;
use std::ffi::OsString;

pub const NAME: &str = "sem";
pub const ABOUT: &str = "One command, as soon as few enough others run under the same name.";

const USAGE: &str = "supervisor sem --id NAME [OPTIONS] -- COMMAND [ARG]...
       supervisor sem --id NAME --wait";

const AFTER: &str = "\
Of all commands under NAME at most N run at a time; who came first is served first. Each call has
its own N. COMMAND runs as under supervisor run, and its place is given back when it ends, also if
the supervisor is killed. For a script: supervisor sem --id NAME -- sh -c SCRIPT. The semaphore
belongs to the user; its files are in XDG_RUNTIME_DIR, else in /tmp/supervisor-UID.

GNU sem runs COMMAND in the background; here the shell does that: supervisor sem ... &

Exit codes: those of supervisor run, and
  1        no place within the time of --semaphore-timeout -SECS
  6        refused: the folder of the semaphore is not safe";

/// The flags in front of `--`.
// These comments are the help text; rustdoc would read a default as a link.
#[allow(rustdoc::broken_intra_doc_links)]
#[derive(Debug, Parser)]
#[command(about = ABOUT, override_usage = USAGE, after_help = AFTER)]
struct SemFlags {
    /// The name that the commands have in common
    #[arg(long, aliases = ["semaphore-name", "semaphorename"], value_name = "NAME", value_parser = OsStringValueParser::new())]
    id: Option<OsString>,
    /// Most commands at a time: N, auto, 200%, +2, -1 (of the cores) [1]
    #[arg(short, long, short_alias = 'P', alias = "max-procs", value_name = "N", value_parser = count, allow_hyphen_values = true)]
    jobs: Option<WorkerCount>,
    /// After SECS run it anyway; after -SECS give up [wait]
    #[arg(long, aliases = ["semaphoretimeout", "st"], value_name = "SECS", value_parser = values::semaphore_patience, allow_hyphen_values = true)]
    semaphore_timeout: Option<SemaphorePatience>,
    /// Run nothing: wait until no command runs under NAME
    #[arg(long)]
    wait: bool,
    /// In the foreground, as GNU sem has it (always so)
    #[arg(long)]
    fg: bool,
}

/// No file, which would be read once only here.
fn count(text: &str) -> Result<WorkerCount, String> {
    WorkerCount::parse(text).map_err(|error| match error {
        WorkerCountError::NotACount => "give a number of at least 1, 200% or +2 or -1 of the cores, or auto".to_owned(),
        WorkerCountError::Number(error) => error.to_string(),
    })
}

/// What `sem` is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SemCommand {
    pub id: OsString,
    pub jobs: WorkerCount,
    pub patience: Option<SemaphorePatience>,
    /// `None`: wait until no command runs. Not empty.
    pub command: Option<Vec<OsString>>,
}

/// Reads the words behind `sem`.
///
/// # Errors
/// They are wrong, or there is no name, or there is no command, or one that is not wanted.
pub fn read(words: &[OsString]) -> Result<Typed<SemCommand>, UsageError> {
    let separator = words.iter().position(|word| word == "--");
    let (flags, command) = separator.map_or((words, &[][..]), |at| (&words[..at], &words[at + 1..]));
    let typed = parser::read_subcommand::<SemFlags>(NAME, flags).map_err(|error| match error {
        UsageError::StrayWordOf { .. } if separator.is_none() => UsageError::SemNoCommand,
        error => error,
    })?;
    Ok(match typed {
        Typed::Show(text) => Typed::Show(text),
        Typed::Flags(SemFlags { id: None, .. }) => return Err(UsageError::SemNoName),
        Typed::Flags(SemFlags { wait: true, .. }) if !command.is_empty() => return Err(UsageError::SemWaitCommand),
        Typed::Flags(SemFlags { wait: false, .. }) if command.is_empty() => return Err(UsageError::SemNoCommand),
        Typed::Flags(SemFlags { id: Some(id), jobs, semaphore_timeout: patience, wait, fg: _ }) => {
            let jobs = jobs.unwrap_or(WorkerCount::Exactly(1));
            Typed::Flags(SemCommand { id, jobs, patience, command: (!wait).then(|| command.to_vec()) })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Duration;

    fn command(typed: &str) -> SemCommand {
        let words: Vec<OsString> = typed.split_whitespace().map(OsString::from).collect();
        match read(&words) {
            Ok(Typed::Flags(command)) => command,
            other => panic!("{typed}: {other:?}"),
        }
    }

    fn error(typed: &str) -> UsageError {
        let words: Vec<OsString> = typed.split_whitespace().map(OsString::from).collect();
        read(&words).map(|found| panic!("{typed}: {found:?}")).unwrap_err()
    }

    #[test]
    fn flags_are_those_of_gnu_sem() {
        let plain = command("--id x -- echo --wait");
        assert_eq!((plain.jobs, plain.patience), (WorkerCount::Exactly(1), None));
        assert_eq!(plain.command, Some(vec!["echo".into(), "--wait".into()]));
        let patience = |typed: &str| command(&format!("--id x {typed} -- c")).patience;
        let (wait, takes_anyway) = (Duration::from_secs(3), true);
        assert_eq!(patience("--st 3"), Some(SemaphorePatience { wait, takes_anyway }));
        assert_eq!(patience("--semaphoretimeout -3"), Some(SemaphorePatience { wait, takes_anyway: false }));
        assert_eq!(patience("--st 0").map(|patience| patience.wait), Some(Duration::ZERO));
        assert_eq!(command("--semaphorename x -j+0 --fg -- c").jobs, WorkerCount::More(0));
        assert_eq!(command("--id x -P -1 -- c").jobs, WorkerCount::Fewer(1));
        assert_eq!(command("--id x --wait").command, None);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(error("-- c"), UsageError::SemNoName);
        for typed in ["--id x", "--id x --", "--id x echo a"] {
            assert_eq!(error(typed), UsageError::SemNoCommand, "{typed}");
        }
        assert_eq!(error("--id x --wait -- c"), UsageError::SemWaitCommand);
    }
}
