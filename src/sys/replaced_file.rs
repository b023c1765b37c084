//! A file whose content another one takes the place of, under the same name: written beside it, synced, renamed over it.
//!
//! Invariant: at any moment the name is that of the old file or of the new one, whole and synced, and whoever holds the lock
//! of the file that has the name is the only one who may replace it. What a process that was killed has left is removed by
//! the next one.

use super::durable_file::{self, DurableFile};
use super::random;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What the name of a file that is being written begins with. The number of the old file and random digits follow.
const NAME_START: &str = ".supervisor-new";

/// So many names of kept files are tried.
const KEPT_MAX: u32 = 10_000;

/// A new file beside the old one. Dropped before [`Replacement::place`], it is removed.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    /// The name of the new file, as long as it has one of its own.
    staged: Option<PathBuf>,
    /// Keeps the new file locked when it is written.
    lock: OwnedFd,
}

impl Replacement {
    /// Makes the new file, which is empty and locked, and removes what earlier attempts have left. `old`: the file that has the
    /// name, and is locked.
    ///
    /// # Errors
    /// The folder cannot be written, and the like; nothing has changed.
    pub fn begin(path: &Path, old: &DurableFile) -> io::Result<(Self, DurableFile)> {
        let start = format!("{NAME_START}-{}-", old.file().metadata()?.ino());
        let folder = folder_of(path);
        remove_leftovers(folder, &start);
        let staged = folder.join(format!("{start}{:016x}", u64::from_le_bytes(random::bytes()?)));
        let file = DurableFile::make(&staged)?;
        let lock = file.as_fd().try_clone_to_owned();
        let lock = lock.inspect_err(|_| drop(fs::remove_file(&staged)))?;
        Ok((Self { path: path.to_owned(), staged: Some(staged), lock }, file))
    }

    /// Gives the new file the name of the old one, and makes that safe. It has been synced. Returns what keeps it locked.
    ///
    /// # Errors
    /// The name is still that of the old file; or the new one has it, and is not known to have it after the end of the machine.
    pub fn place(mut self) -> io::Result<OwnedFd> {
        self.rename()?;
        durable_file::sync_folder_of(&self.path)?;
        self.lock.try_clone()
    }

    fn rename(&mut self) -> io::Result<()> {
        if let Some(staged) = &self.staged {
            fs::rename(staged, &self.path)?;
        }
        self.staged = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take() {
            // What stays is removed by the next one.
            let _ = fs::remove_file(staged);
        }
    }
}

/// Gives the file of this name a second one, `FILE.ENDING`, or `FILE.ENDING.2` and so on if that is taken. Returns it.
///
/// # Errors
/// The folder cannot be written, or the disk is full.
pub fn keep(path: &Path, ending: &str) -> io::Result<PathBuf> {
    for number in 1..=KEPT_MAX {
        let mut name = path.as_os_str().as_bytes().to_vec();
        name.extend_from_slice(format!(".{ending}").as_bytes());
        if number > 1 {
            name.extend_from_slice(format!(".{number}").as_bytes());
        }
        let kept = PathBuf::from(OsString::from_vec(name));
        match fs::hard_link(path, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // The file system has no such names.
            Err(_) => match copy(path, &kept) {
                Ok(()) => return Ok(kept),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            },
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn copy(path: &Path, copy: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(copy)?;
    let copied = File::open(path).and_then(|mut old| io::copy(&mut old, &mut file)).and_then(|_| file.sync_all());
    copied.inspect_err(|_| drop(fs::remove_file(copy)))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The files of replacements that did not come to their end: whoever wrote one had the lock that the caller has now.
fn remove_leftovers(folder: &Path, start: &str) {
    // One that cannot be removed does no harm.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_leftover = entry.file_name().as_bytes().starts_with(start.as_bytes());
        if is_leftover && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::durable_file::{DurableFileError, reopened};
    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        path: PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            fs::write(&path, "old").unwrap();
            Self { folder, path }
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(self.folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }

        fn content(&self) -> String {
            fs::read_to_string(&self.path).unwrap()
        }
    }

    #[test]
    fn the_new_file_takes_the_name_and_is_locked_all_the_time() {
        let place = Place::new();
        let old = reopened(&place.path);
        let (replacement, mut new) = Replacement::begin(&place.path, &old).unwrap();
        new.append(b"newer").unwrap();
        new.sync().unwrap();
        new.give_back_space();
        drop(new);
        assert_eq!((place.content().as_str(), place.names().len()), ("old", 2));
        let lock = replacement.place().unwrap();
        drop(old);
        assert_eq!((place.content().as_str(), place.names()), ("newer", vec!["file".to_owned()]));
        assert!(matches!(DurableFile::open(&place.path, false), Err(DurableFileError::Locked)));
        drop(lock);
        assert_eq!(reopened(&place.path).end(), 5);
    }

    /// The process ends behind each step, and what it leaves is the old file or the new one.
    #[test]
    fn a_replacement_that_is_killed_leaves_one_whole_file_and_the_next_one_cleans_up() {
        for steps in 0..5 {
            let place = Place::new();
            let old = reopened(&place.path);
            let (mut replacement, mut new) = Replacement::begin(&place.path, &old).unwrap();
            if steps > 0 {
                new.append(b"ne").unwrap();
            }
            if steps > 1 {
                new.append(b"wer").unwrap();
            }
            if steps > 2 {
                new.sync().unwrap();
            }
            if steps > 3 {
                replacement.rename().unwrap();
            }
            // A process that is killed drops nothing but its descriptors.
            let staged = replacement.staged.take();
            drop((replacement, new, old));
            assert_eq!(place.content(), if steps > 3 { "newer" } else { "old" }, "{steps}");
            assert_eq!(place.names().len(), if steps > 3 { 1 } else { 2 }, "{steps}: {staged:?}");
            let old = reopened(&place.path);
            let begun = Replacement::begin(&place.path, &old).unwrap();
            assert_eq!(place.names().len(), 2, "the leftover is gone");
            drop(begun);
            assert_eq!(place.names(), ["file"], "and one that is given up goes, too");
        }
    }

    #[test]
    fn whoever_waited_for_the_old_file_gets_the_new_one() {
        let place = Place::new();
        let old = reopened(&place.path);
        assert!(old.has_name(&place.path));
        let (replacement, new) = Replacement::begin(&place.path, &old).unwrap();
        assert!(!new.has_name(&place.path));
        replacement.place().unwrap();
        assert!(new.has_name(&place.path) && !old.has_name(&place.path));
    }

    #[test]
    fn a_file_is_kept_under_the_next_free_name() {
        let place = Place::new();
        for name in ["file.damaged", "file.damaged.2", "file.damaged.3"] {
            assert_eq!(keep(&place.path, "damaged").unwrap(), place.folder.path().join(name));
            fs::remove_file(&place.path).unwrap();
            fs::write(&place.path, name).unwrap();
        }
        let kept = |name: &str| fs::read_to_string(place.folder.path().join(name)).unwrap();
        assert_eq!((kept("file.damaged"), kept("file.damaged.3")), ("old".to_owned(), "file.damaged.2".to_owned()));
        copy(&place.path, &place.folder.path().join("copy")).unwrap();
        assert!(copy(&place.path, &place.folder.path().join("copy")).is_err());
        assert!(keep(Path::new("/proc/self/status"), "damaged").is_err());
    }
}
