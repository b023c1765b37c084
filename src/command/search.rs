//! The search for a program, as `execvp(3)` does it. It is done once, before the run, so that a missing command is
//! reported before anything starts, and each process is started by a known path.
//!
//! Invariant: nothing is started here, and nothing is cached. If the file is removed later, the start fails, for its item
//! only.

use super::interpreter;
use super::script::Misplaced;
use crate::sys::access;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The search path if there is no `PATH`, as in the GNU C library.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why a command cannot be run at all. The texts complete "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("run a command: none is given")]
    Empty,
    /// Exit code 127. `is_script`: it looks like a script of a shell.
    #[error("run {program}: {why}{}", advice(program, *is_script))]
    NotFound { program: String, why: String, is_script: bool },
    /// Exit code 126.
    #[error("run {program}: {why}")]
    NotExecutable { program: String, why: String },
    /// Exit code 2.
    #[error("run workers in {folder}: {error}; give --workdir a folder that is there")]
    Workdir { folder: String, error: io::Error },
    /// Exit code 2.
    #[error(transparent)]
    Placeholder(#[from] Misplaced),
    #[error("open /dev/null for commands to read from: {0}")]
    DevNull(io::Error),
}

/// The ways to mean one word that is no program. Blanks in it may have been meant to separate words.
fn advice(program: &str, is_script: bool) -> String {
    let words: Vec<_> = program.split_whitespace().collect();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-./,:+@%={}".contains(char);
    match is_script {
        false => String::new(),
        true if words.len() > 1 && words.iter().all(|word| word.chars().all(is_plain)) => format!(
            "; it is one word: give the program and its arguments as words of their own (-- {}), or add --shell to run \
             it as a script of the shell",
            words.join(" ")
        ),
        true => "; add --shell to run it as a script of the shell".to_owned(),
    }
}

/// Refuses a command of one word that depends on the item, if the word begins with a program and a blank: it was meant
/// as several words, or for a shell.
///
/// # Errors
/// [`CommandError::NotFound`].
pub fn refuse_script(word: &OsStr, path: Option<&OsStr>) -> Result<(), CommandError> {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace();
    let Some(end) = word.as_bytes().iter().position(is_blank) else { return Ok(()) };
    if find(OsStr::from_bytes(&word.as_bytes()[..end]), path, Path::new("")).is_err() {
        return Ok(());
    }
    let program = word.to_string_lossy().into_owned();
    Err(CommandError::NotFound { program, why: "command not found in PATH".to_owned(), is_script: true })
}

/// The path of `program`. `path` is the content of `PATH`. A relative path is looked up from the folder `from`, where the
/// program will start, and stays relative; the empty `from` is ours.
///
/// # Errors
/// [`CommandError::NotExecutable`] if a file was found that cannot be executed, else [`CommandError::NotFound`]. As in
/// `execvp`, such a file does not end the search: a later one may be executable.
pub fn find(program: &OsStr, path: Option<&OsStr>, from: &Path) -> Result<CString, CommandError> {
    let name = || program.to_string_lossy().into_owned();
    if program.as_bytes().contains(&b'/') {
        let name = || if from == Path::new("") { name() } else { format!("{} in {}", name(), from.display()) };
        return check(&from.join(program)).and_then(|()| terminated(program.into())).map_err(|refusal| match refusal {
            Refusal::Missing(why) => CommandError::NotFound { program: name(), why, is_script: false },
            Refusal::Unusable(why) => CommandError::NotExecutable { program: name(), why },
        });
    }
    if program.is_empty() {
        return Err(CommandError::NotFound {
            program: "\"\"".to_owned(),
            why: "the name of the command is empty".to_owned(),
            is_script: false,
        });
    }
    let mut unusable = None;
    for directory in std::env::split_paths(path.unwrap_or(OsStr::new(DEFAULT_PATH))) {
        // An empty entry of PATH means the current directory.
        let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
        let candidate = directory.join(program);
        match check(&from.join(&candidate)).and_then(|()| terminated(candidate.clone())) {
            Ok(found) => return Ok(found),
            Err(Refusal::Missing(_)) => {}
            Err(Refusal::Unusable(why)) => {
                unusable.get_or_insert_with(|| format!("{} {why}", candidate.display()));
            }
        }
    }
    Err(match unusable {
        Some(why) => CommandError::NotExecutable { program: name(), why },
        None => {
            // One word with blanks or operators of a shell in it was meant for a shell.
            let is_script = program.as_bytes().iter().any(|byte| b" \t\n;|&<>$`".contains(byte));
            CommandError::NotFound { program: name(), why: "command not found in PATH".to_owned(), is_script }
        }
    })
}

/// [`find`], and checks that the interpreter of a script exists.
///
/// # Errors
/// As [`find`].
pub fn find_complete(program: &OsStr, path: Option<&OsStr>, from: &Path) -> Result<CString, CommandError> {
    let found = find(program, path, from)?;
    match interpreter::missing(&from.join(OsStr::from_bytes(found.to_bytes()))) {
        Some(why) => {
            Err(CommandError::NotFound { program: program.to_string_lossy().into_owned(), why, is_script: false })
        }
        None => Ok(found),
    }
}

enum Refusal {
    Missing(String),
    Unusable(String),
}

fn check(candidate: &Path) -> Result<(), Refusal> {
    let metadata = candidate.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refusal::Missing("no such file".to_owned()),
        _ => Refusal::Unusable(format!("cannot be looked at: {error}")),
    })?;
    if metadata.is_dir() {
        return Err(Refusal::Unusable("is a directory".to_owned()));
    }
    if !metadata.is_file() {
        return Err(Refusal::Unusable("is not a regular file".to_owned()));
    }
    access::may_execute(candidate).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Refusal::Unusable("is not executable: permission denied".to_owned()),
        _ => Refusal::Unusable(format!("is not executable: {error}")),
    })
}

/// The name of a file that was found contains no NUL.
fn terminated(path: PathBuf) -> Result<CString, Refusal> {
    CString::new(path.into_os_string().into_vec()).map_err(|_| Refusal::Missing("the name holds a NUL byte".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn find_in(program: &str, path: &str) -> Result<String, CommandError> {
        find(OsStr::new(program), Some(OsStr::new(path)), Path::new("")).map(|path| path.into_string().unwrap())
    }

    fn file(path: &Path, mode: u32) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_name_is_looked_up_in_path() {
        assert_eq!(find_in("sh", "/nowhere:/bin").unwrap(), "/bin/sh");
        assert_eq!(find(OsStr::new("sh"), None, Path::new("")).unwrap().as_c_str(), c"/bin/sh");
    }

    #[test]
    fn a_missing_program_is_named() {
        for (program, path, text) in [
            ("frobnicate", "/bin:/usr/bin", "run frobnicate: command not found in PATH"),
            (
                "echo a; b",
                "/bin",
                "run echo a; b: command not found in PATH; add --shell to run it as a script of the shell",
            ),
            ("./frobnicate", "", "run ./frobnicate: no such file"),
            ("/bin/sh/x", "", "run /bin/sh/x: no such file"),
            ("", "/bin", "run \"\": the name of the command is empty"),
        ] {
            let error = find_in(program, path).unwrap_err();
            assert!(matches!(error, CommandError::NotFound { .. }), "{error}");
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_command_in_one_word_is_answered_with_the_ways_to_mean_it() {
        let refused = |word: &str| refuse_script(OsStr::new(word), Some(OsStr::new("/bin"))).err();
        assert_eq!(
            refused("echo {}").unwrap().to_string(),
            "run echo {}: command not found in PATH; it is one word: give the program and its arguments as words of their \
             own (-- echo {}), or add --shell to run it as a script of the shell"
        );
        assert_eq!(
            refused("echo {} | wc").unwrap().to_string(),
            "run echo {} | wc: command not found in PATH; add --shell to run it as a script of the shell"
        );
        for fine in ["{}", "./{}", "no-such-program {}", "./my folder/{}"] {
            assert!(refused(fine).is_none(), "{fine}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        file(&at("text"), 0o644);
        for (program, why) in [
            (directory.path().to_str().unwrap(), "is a directory"),
            (at("text").to_str().unwrap(), "is not executable: permission denied"),
            ("/dev/null", "is not a regular file"),
        ] {
            let error = find_in(program, "").unwrap_err();
            assert!(matches!(error, CommandError::NotExecutable { .. }), "{error}");
            assert_eq!(error.to_string(), format!("run {program}: {why}"));
        }
        let error = find_in("text", directory.path().to_str().unwrap()).unwrap_err();
        assert!(matches!(error, CommandError::NotExecutable { .. }), "{error}");
    }

    #[test]
    fn the_search_continues_after_a_file_that_cannot_be_executed() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        file(&first.path().join("tool"), 0o644);
        file(&second.path().join("tool"), 0o755);
        let path = std::env::join_paths([first.path(), second.path()]).unwrap();
        let found = find(OsStr::new("tool"), Some(&path), Path::new("")).unwrap();
        assert_eq!(found.to_str().unwrap(), second.path().join("tool").to_str().unwrap());
    }

    #[test]
    fn a_relative_path_is_looked_up_from_the_folder_and_stays_relative() {
        let folder = tempfile::tempdir().unwrap();
        file(&folder.path().join("tool"), 0o755);
        for (program, path, found) in [("./tool", "/bin", "./tool"), ("tool", "", "./tool"), ("sh", "/bin", "/bin/sh")]
        {
            let found_there = find(OsStr::new(program), Some(OsStr::new(path)), folder.path()).unwrap();
            assert_eq!(found_there.to_str().unwrap(), found, "{program}");
        }
        let error = find(OsStr::new("./none"), None, folder.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("run ./none in {}: no such file", folder.path().display()));
    }

    #[test]
    fn an_empty_entry_of_path_is_the_current_directory() {
        // The tests run in the package's folder, which has folders of this name.
        let error = find_in("src", "").unwrap_err();
        assert_eq!(error.to_string(), "run src: ./src is a directory");
    }
}
