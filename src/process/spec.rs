//! What to run, and how.

use super::error::ProcessError;
use crate::command::search;
use crate::model::time::Duration;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A command, and what is done about it. Each method sets one thing; the last call of several counts.
#[derive(Clone, Debug)]
#[must_use = "a command runs by `process::run`"]
pub struct ProcessSpec {
    pub(super) args: Vec<OsString>,
    /// `None`: it reads from our stdin.
    pub(super) stdin: Option<Vec<u8>>,
    pub(super) captures: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: u32,
    folder: Option<PathBuf>,
    clears_environment: bool,
    /// `None`: removed.
    variables: BTreeMap<OsString, Option<OsString>>,
    pub(super) pass_fds: Vec<RawFd>,
    pub(super) handles_signals: bool,
}

impl ProcessSpec {
    /// A command with its arguments. The program is looked up in `PATH`; no shell takes part.
    pub fn new(args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            stdin: None,
            captures: false,
            timeout: None,
            retries: 0,
            folder: None,
            clears_environment: false,
            variables: BTreeMap::new(),
            pass_fds: Vec::new(),
            handles_signals: false,
        }
    }

    /// These bytes are its stdin, in each attempt. Default: this process's own, of which a further attempt gets what is
    /// left.
    pub fn stdin_bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { stdin: Some(bytes.into()), ..self }
    }

    /// What it writes to stdout and stderr is kept in memory. Default: it writes to this process's own.
    pub fn capture(self) -> Self {
        Self { captures: true, ..self }
    }

    /// How long one attempt may take. Then its process group is ended: TERM, 200 ms later TERM, 100 ms later TERM, 50 ms
    /// later KILL. Default: no limit.
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: Some(limit), ..self }
    }

    /// Further attempts if it fails: another exit code than 0, a signal, the timeout. Default: 0.
    pub fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    /// Its working directory. The program itself is looked up from ours. Default: ours.
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// Sets a variable of its environment. Default: our environment.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a variable from its environment.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), None);
        self
    }

    /// Its environment has what [`ProcessSpec::env`] sets and nothing else.
    pub fn env_clear(self) -> Self {
        Self { clears_environment: true, ..self }
    }

    /// Descriptors of this process, from 3 on, that it inherits under the same numbers. Default: none.
    pub fn pass_fds(self, fds: Vec<RawFd>) -> Self {
        Self { pass_fds: fds, ..self }
    }

    /// Signals to this process are passed on to the command: INT, TERM, QUIT, HUP, USR1, USR2, and on the first thread TSTP
    /// and CONT. The second INT or TERM ends it like the timeout, the third one by KILL. Default: signals are this process's
    /// own matter.
    pub fn handle_signals(self, handles_signals: bool) -> Self {
        Self { handles_signals, ..self }
    }

    /// The program, as it was given.
    pub(super) fn name(&self) -> String {
        self.args.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// What the system needs to start it.
    pub(super) fn prepare(&self) -> Result<Prepared, ProcessError> {
        let first = self.args.first().ok_or(ProcessError::Empty)?;
        let nul = |what: String| ProcessError::Nul { program: self.name(), what };
        let variables = self.environment();
        let path = variables.get(OsStr::new("PATH")).map(OsString::as_os_str);
        let mut program = search::find_complete(first, path, Path::new("")).map_err(ProcessError::of_search)?;
        let mut folder = None;
        if let Some(path) = &self.folder {
            folder = Some(terminated(path.as_os_str()).ok_or_else(|| nul("the working directory".to_owned()))?);
            // A relative path would be looked up from there.
            let found = Path::new(OsStr::from_bytes(program.to_bytes()));
            let absolute = std::path::absolute(found).map_err(ProcessError::system("find the working directory"))?;
            program = terminated(absolute.as_os_str()).ok_or_else(|| nul("the program".to_owned()))?;
        }
        let argument =
            |(number, word): (usize, &OsString)| terminated(word).ok_or_else(|| nul(format!("argument {number}")));
        let variable = |(name, value): (&OsString, &OsString)| {
            let entry = CString::new([name.as_bytes(), value.as_bytes()].join(&b'='));
            entry.map_err(|_| nul(format!("the variable {}", name.to_string_lossy())))
        };
        Ok(Prepared {
            program,
            argv: self.args.iter().enumerate().map(argument).collect::<Result<_, _>>()?,
            environment: variables.iter().map(variable).collect::<Result<_, _>>()?,
            folder,
        })
    }

    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut variables: BTreeMap<OsString, OsString> =
            if self.clears_environment { BTreeMap::new() } else { std::env::vars_os().collect() };
        for (name, value) in &self.variables {
            match value {
                Some(value) => variables.insert(name.clone(), value.clone()),
                None => variables.remove(name),
            };
        }
        variables
    }
}

fn terminated(text: &OsStr) -> Option<CString> {
    CString::new(text.as_bytes()).ok()
}

/// A command in the form of the system.
pub(super) struct Prepared {
    pub program: CString,
    pub argv: Vec<CString>,
    pub environment: Vec<CString>,
    pub folder: Option<CString>,
}

impl Prepared {
    pub(super) fn folder_path(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| OsString::from_vec(folder.to_bytes().to_vec()).into())
    }
}
