//! Why a command could not be run. Each text completes "failed to ...".

use crate::command::search::CommandError;
use crate::model::outcome::ExitClass;
use crate::sys::spawn::{SpawnError, SpawnStep};
use std::io;
use std::path::PathBuf;

/// Why a command could not be run. Nothing is left of it then. A command that has failed is no error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The list of arguments has no first one.
    #[error("run a command: none is given")]
    Empty,
    /// There is no such program, or its interpreter does not exist.
    #[error("run {program}: {why}")]
    NotFound {
        /// As it was given.
        program: String,
        /// What is missing, and what to do about it.
        why: String,
    },
    /// The program exists and cannot be executed.
    #[error("run {program}: {why}")]
    NotExecutable {
        /// As it was given.
        program: String,
        /// What keeps it from being executed.
        why: String,
    },
    /// The arguments or the environment hold a NUL byte, with which a text ends for every program.
    #[error("run {program}: {what} holds a NUL byte")]
    Nul {
        /// As it was given.
        program: String,
        /// Which of them.
        what: String,
    },
    /// The working directory could not be entered.
    #[error("run {program} in {}: {error}", folder.display())]
    Folder {
        /// As it was given.
        program: String,
        /// The directory.
        folder: PathBuf,
        /// The system's.
        error: io::Error,
    },
    /// stdout was closed at the start of this program, and the result of the command was for it.
    #[error("write the result: stdout is closed; send it to a file, or leave --output out")]
    StdoutClosed,
    /// The system refused what is needed, or is short of it.
    #[error("{what}: {error}")]
    System {
        /// What was to be done.
        what: String,
        /// The system's.
        error: io::Error,
    },
}

impl ProcessError {
    /// What the program exits with.
    #[must_use]
    pub const fn class(&self) -> ExitClass {
        match self {
            Self::Empty | Self::Nul { .. } | Self::Folder { .. } => ExitClass::Usage,
            Self::NotFound { .. } => ExitClass::NotFound,
            Self::NotExecutable { .. } => ExitClass::NotExecutable,
            Self::StdoutClosed => ExitClass::Lost,
            Self::System { .. } => ExitClass::Internal,
        }
    }

    /// For `map_err`.
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what: what.to_owned(), error }
    }

    /// The search has not found the program.
    pub(super) fn of_search(error: CommandError) -> Self {
        match error {
            CommandError::Empty => Self::Empty,
            CommandError::NotFound { program, mut why, is_script } => {
                if is_script {
                    why.push_str("; a script goes to a shell: sh -c SCRIPT");
                }
                Self::NotFound { program, why }
            }
            CommandError::NotExecutable { program, why } => Self::NotExecutable { program, why },
            // Of templates and commands for items alone.
            error @ (CommandError::Workdir { .. } | CommandError::Placeholder(_) | CommandError::DevNull(_)) => {
                Self::System { what: "run a command".to_owned(), error: io::Error::other(error.to_string()) }
            }
        }
    }

    /// The process could not be started.
    pub(super) fn of_spawn(error: SpawnError, program: String, folder: Option<PathBuf>) -> Self {
        let of_system = io::Error::from_raw_os_error(error.errno);
        match (error.step, error.errno, folder) {
            (SpawnStep::Folder, _, Some(folder)) => Self::Folder { program, folder, error: of_system },
            (SpawnStep::Exec, libc::ENOENT, _) => {
                Self::NotFound { program, why: "the file does not exist any more".to_owned() }
            }
            (SpawnStep::Exec, libc::E2BIG, _) => Self::NotExecutable {
                program,
                why: "arguments and environment together are longer than the system takes; give fewer".to_owned(),
            },
            (SpawnStep::Exec, ..) => Self::NotExecutable { program, why: error.to_string() },
            _ => Self::System { what: format!("run {program}"), error: io::Error::other(error) },
        }
    }
}
