//! A run in the place of xargs: its command lines, its commands on our own streams, and its limits.
//!
//! Invariant: nothing is said here; the caller says how the run ended, in the words of xargs.

use super::assembly::{self, Attached};
use super::error::EngineError;
use crate::command::plain::PlainCommands;
use crate::model::config::{Config, InputSpec};
use crate::model::outcome::RunOutcome;
use crate::model::xargs::{XargsLimits, XargsSpec};
use crate::source::SourceError;
use crate::source::xargs::{XargsNotes, XargsSource};
use crate::sys::{limits, open_fds, stdio};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Bytes that POSIX wants left free for what a command adds to its environment.
const HEADROOM_BYTES: u64 = 2048;

/// The command line that xargs fills unless it is told otherwise.
const LINE_BYTES_MAX: u64 = 128 * 1024;

/// A word takes a pointer, and so does a variable.
const POINTER_BYTES: u64 = size_of::<usize>() as u64;

/// Descriptors that are left for the supervisor itself when as many commands as possible run.
const OWN_OPEN_FILES: u64 = 64;

/// `-P 0` runs no more than this at a time: beyond it the machine only changes between them.
const PROCESSES_MAX: u32 = 1000;

/// Why such a run did not begin, or failed.
#[derive(Debug, thiserror::Error)]
pub enum XargsError {
    #[error("open {name}: {error}")]
    Input { name: String, error: io::Error },
    #[error(transparent)]
    Run(#[from] EngineError),
}

/// Command lines that are read ahead for each command at a time. They may be long, and no command starts sooner for more.
const READ_AHEAD: u64 = 8;

/// How such a run ended.
#[derive(Clone, Debug)]
pub struct XargsEnd {
    pub outcome: RunOutcome,
    /// What was noticed in the input.
    pub warnings: Vec<String>,
    /// Why the input ended before its end.
    pub failure: Option<String>,
}

/// What the system and the environment leave for a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRoom {
    pub environment_bytes: u64,
    pub environment_words: u64,
    /// Most bytes for words and environment.
    pub system_bytes_max: u64,
}

impl LineRoom {
    /// That of this process.
    #[must_use]
    pub fn now() -> Self {
        let variables = || std::env::vars_os().map(|(name, value)| (name.len() + value.as_bytes().len() + 2) as u64);
        Self {
            environment_bytes: variables().sum(),
            environment_words: variables().count() as u64,
            system_bytes_max: limits::argument_list_bytes_max(),
        }
    }

    /// The most that `-s` may ask for.
    #[must_use]
    pub const fn line_bytes_max(self) -> u64 {
        self.system_bytes_max.saturating_sub(self.environment_bytes + HEADROOM_BYTES)
    }

    /// The limits of the command lines of `spec`.
    #[must_use]
    pub fn limits(self, spec: &XargsSpec) -> XargsLimits {
        let line_bytes_max = spec.line_bytes_max.unwrap_or(LINE_BYTES_MAX).min(self.line_bytes_max());
        let pointers = (self.environment_words + 2) * POINTER_BYTES;
        let narrow = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        XargsLimits {
            line_bytes_max: narrow(line_bytes_max),
            system_bytes_max: narrow(self.line_bytes_max().saturating_sub(pointers)),
        }
    }
}

/// Runs the commands of `spec`. `config` has what is no matter of xargs alone: workers, rules, signals.
///
/// # Errors
/// What keeps a run from starting, and a failure of the supervisor itself.
pub fn run(mut config: Config, spec: &XargsSpec) -> Result<XargsEnd, XargsError> {
    // Before anything of ours is opened: commands inherit what xargs would pass on.
    config.pass_fds = open_fds::inherited(3);
    let notes = Arc::new(XargsNotes::default());
    let source = XargsSource::open(spec, LineRoom::now().limits(spec), Arc::clone(&notes));
    let source = source.map_err(|error| match error {
        SourceError::Open { name, error } => XargsError::Input { name, error },
        error => XargsError::Run(error.into()),
    })?;
    let plain = PlainCommands::new(stdin_of(spec)?, spec.prints && !spec.asks, spec.slot_variable.clone());
    let process = assembly::change_process(&config)?;
    let workers = workers(spec.processes_max, &process);
    config.policy.workers = workers;
    config.policy.queue_items_max = READ_AHEAD * u64::from(workers);
    let attached =
        Attached { source: Some(Box::new(source)), plain: Some(plain), reaps_orphans: true, ..Attached::default() };
    let outcome = assembly::open(config, attached, &process)?.run()?;
    let (warnings, failure) = notes.take();
    Ok(XargsEnd { outcome, warnings, failure })
}

/// What commands read: the terminal, our own stdin if the arguments come from a file, otherwise nothing.
fn stdin_of(spec: &XargsSpec) -> Result<Option<File>, EngineError> {
    let opened = match (&spec.input, spec.opens_terminal) {
        (_, true) if spec.processes_max == 1 => return Ok(None),
        (_, true) => File::open("/dev/tty"),
        (InputSpec::File(_), false) if !stdio::was_closed(0) => {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        }
        _ => return Ok(None),
    };
    opened.map(Some).map_err(EngineError::system("open the stdin of commands"))
}

fn workers(asked: u32, process: &assembly::ChangedProcess) -> u32 {
    let left = process.open_files_max().saturating_sub(limits::open_files_now() + OWN_OPEN_FILES);
    let possible = u32::try_from(left / 2).unwrap_or(u32::MAX);
    let wanted = if asked == 0 { possible.min(PROCESSES_MAX) } else { asked.min(possible) };
    wanted.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_the_environment_leaves() {
        let room = LineRoom { environment_bytes: 1000, environment_words: 10, system_bytes_max: 1 << 21 };
        let spec = |line_bytes_max| XargsSpec { line_bytes_max, ..XargsSpec::of_command(vec!["echo".into()]) };
        let most = (1 << 21) - 2048 - 1000;
        assert_eq!(room.line_bytes_max(), most);
        let system_bytes_max = most as usize - 12 * 8;
        assert_eq!(room.limits(&spec(None)), XargsLimits { line_bytes_max: 131_072, system_bytes_max });
        assert_eq!(room.limits(&spec(Some(99))).line_bytes_max, 99);
        assert_eq!(room.limits(&spec(Some(u64::MAX))).line_bytes_max, most as usize);
    }
}
