//! Tells when the content of a file has changed, also if another file takes its place (`inotify(7)`).
//!
//! Invariant: no call waits. What the file holds is none of this module's business.

use super::refusal;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// A watched file. Readable when something has happened in its folder.
#[derive(Debug)]
pub struct FileWatch {
    inotify: Inotify,
    file: PathBuf,
    name: OsString,
}

impl FileWatch {
    /// Watches a file that exists.
    ///
    /// # Errors
    /// No watch is left (`fs.inotify.max_user_watches`), or the file is gone.
    pub fn start(file: &Path) -> io::Result<Self> {
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let inotify = Inotify::init(flags).map_err(refusal::of_call("inotify_init1"))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = file.file_name().unwrap_or_default().to_owned();
        inotify.add_watch(folder, AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CLOSE_WRITE)?;
        let watch = Self { inotify, file: file.to_owned(), name };
        watch.follow()?;
        Ok(watch)
    }

    /// The file itself is watched too: by a link it may lie in another folder. A writer closes it at the end, so what was
    /// written a part at a time is seen as a whole.
    fn follow(&self) -> io::Result<()> {
        // Of a file that is watched already the system changes nothing.
        Ok(self.inotify.add_watch(&self.file, AddWatchFlags::IN_CLOSE_WRITE).map(drop)?)
    }

    /// Takes what has happened since the last call. Returns whether the content may have changed.
    pub fn has_changed(&self) -> bool {
        let mut has_changed = false;
        loop {
            match self.inotify.read_events() {
                // Without a name it is about the file itself, or events were lost.
                Ok(events) => {
                    has_changed |= events.iter().any(|event| event.name.as_ref().is_none_or(|name| *name == self.name))
                }
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        if has_changed {
            // One that has been removed comes back in its folder, which is watched.
            let _ = self.follow();
        }
        has_changed
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_write_and_a_replacement_are_seen_and_what_happens_beside_the_file_is_not() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("jobs");
        fs::write(&file, "1").unwrap();
        let watch = FileWatch::start(&file).unwrap();
        assert!(!watch.has_changed());
        fs::write(&file, "2").unwrap();
        assert!(watch.has_changed());
        fs::write(place.path().join("other"), "3").unwrap();
        assert!(!watch.has_changed());
        for _ in 0..2 {
            fs::rename(place.path().join("other"), &file).unwrap();
            assert!(watch.has_changed());
            fs::write(place.path().join("other"), "4").unwrap();
            assert!(!watch.has_changed());
        }
        // Removed and written anew.
        fs::remove_file(&file).unwrap();
        watch.has_changed();
        fs::write(&file, "5").unwrap();
        assert!(watch.has_changed());
        assert!(!watch.has_changed());
    }

    #[test]
    fn behind_a_link_the_file_itself_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let (folder, link) = (place.path().join("folder"), place.path().join("link"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("jobs"), "1").unwrap();
        symlink(folder.join("jobs"), &link).unwrap();
        let watch = FileWatch::start(&link).unwrap();
        fs::write(folder.join("jobs"), "2").unwrap();
        assert!(watch.has_changed());
        assert!(FileWatch::start(&place.path().join("missing")).is_err());
    }
}
