//! Where the sockets of runs are: `supervisor/` in `$XDG_RUNTIME_DIR`, else a folder of the user's own in the temporary
//! folder.
//!
//! Invariant: pure but for the look whether a folder is this user's.

use crate::sys::own_process;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the names of sockets end with.
pub const SUFFIX: &str = ".sock";
const TEMPORARY: &str = "/tmp";

/// The variables of the environment that say where.
#[derive(Clone, Debug, Default)]
pub struct PlaceVariables {
    pub runtime_dir: Option<OsString>,
    pub tmpdir: Option<OsString>,
}

impl PlaceVariables {
    /// Those of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { runtime_dir: std::env::var_os("XDG_RUNTIME_DIR"), tmpdir: std::env::var_os("TMPDIR") }
    }
}

/// Where a run listens.
#[must_use]
pub fn folder_of_run(variables: &PlaceVariables) -> PathBuf {
    let runtime = runtime_folder(variables).filter(|folder| folder.parent().is_some_and(is_ours));
    runtime.unwrap_or_else(|| temporary_folder(variables.tmpdir.as_ref()))
}

/// Where runs are looked for: all places where one of this user may listen, each once.
#[must_use]
pub fn folders_to_search(variables: &PlaceVariables) -> Vec<PathBuf> {
    let temporary = temporary_folder(variables.tmpdir.as_ref());
    runtime_folder(variables).filter(|folder| *folder != temporary).into_iter().chain([temporary]).collect()
}

/// The names that a run of this pid tries, the first free one counts. Two runs in containers that share the folder may
/// have the same pid.
#[must_use]
pub fn names_of_run(pid: u32, random: [u8; 4]) -> Vec<String> {
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![format!("{pid}{SUFFIX}"), format!("{pid}-{digits}{SUFFIX}")]
}

fn runtime_folder(variables: &PlaceVariables) -> Option<PathBuf> {
    let folder = PathBuf::from(variables.runtime_dir.as_ref()?);
    folder.is_absolute().then(|| folder.join("supervisor"))
}

fn temporary_folder(tmpdir: Option<&OsString>) -> PathBuf {
    let (user, _) = own_process::user_and_group();
    let folder = tmpdir.map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.unwrap_or_else(|| TEMPORARY.into()).join(format!("supervisor-{user}"))
}

fn is_ours(folder: &Path) -> bool {
    let (user, _) = own_process::user_and_group();
    folder.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_folder_that_is_ours_comes_first_and_all_places_are_searched() {
        let place = tempfile::tempdir().unwrap();
        let (user, _) = own_process::user_and_group();
        let variables = |runtime: &Path, tmpdir: &str| PlaceVariables {
            runtime_dir: Some(runtime.into()),
            tmpdir: Some(tmpdir.into()),
        };
        let ours = variables(place.path(), "/var/tmp");
        assert_eq!(folder_of_run(&ours), place.path().join("supervisor"));
        let own = |folder: &str| PathBuf::from(format!("{folder}/supervisor-{user}"));
        assert_eq!(folders_to_search(&ours), [place.path().join("supervisor"), own("/var/tmp")]);
        assert_eq!(folder_of_run(&variables(Path::new("/nowhere"), "/var/tmp")), own("/var/tmp"));
        assert_eq!(folder_of_run(&variables(Path::new("relative"), "relative")), own("/tmp"));
        assert_eq!(folder_of_run(&PlaceVariables::default()), own("/tmp"));
        assert_eq!(folders_to_search(&PlaceVariables::default()), [own("/tmp")]);
        assert_eq!(names_of_run(7, [0, 1, 2, 255]), ["7.sock", "7-000102ff.sock"]);
    }
}
