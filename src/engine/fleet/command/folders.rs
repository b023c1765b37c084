//! The temporary folders of commands: one for each attempt, in one folder of the run.
//!
//! A folder is removed by a thread of its own, since that may take long. What waits for it is bounded: a launcher that
//! gives up one folder more waits until another one is gone, so that commands cannot fill the disk faster than it is
//! emptied.
//!
//! Invariant: the folder of the run is gone when its owner is dropped, and nothing in it is kept for later.

use super::messages::Report;
use crate::model::ids::{Incarnation, ItemId, WorkerId};
use crate::sys::guard::Leftover;
use crate::sys::mailbox::Mailbox;
use crate::sys::{refusal, signals, tree};
use std::ffi::CString;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// How many folders may wait for their removal.
const WAITING_MAX: usize = 256;

/// The folder of a run, in which attempts get theirs. Dropping it removes it.
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Creates a folder that others cannot enter, in this one.
    ///
    /// # Errors
    /// No folder can be created there.
    pub fn create(parent: &Path) -> io::Result<Self> {
        // Commands may start in another folder.
        // `mkdtemp(3)` replaces the six letters at the end.
        let template = std::path::absolute(parent)?.join(format!("supervisor-{}", "X".repeat(6)));
        Ok(Self { path: nix::unistd::mkdtemp(&template)? })
    }

    /// What the guard removes if the supervisor is killed.
    pub fn leftover(&self) -> Option<Leftover> {
        c_path(&self.path).map(Leftover::Tree)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if let Err(text) = remove(&self.path) {
            // The end of the run has been told; a stderr that is closed is no reason for more.
            let _ = writeln!(io::stderr(), "supervisor: failed to {text}");
        }
    }
}

/// The folder of an attempt. Dropping it has it removed.
pub struct ItemFolder {
    path: PathBuf,
    removals: SyncSender<PathBuf>,
}

impl ItemFolder {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ItemFolder {
    fn drop(&mut self) {
        // Without the thread it goes with the folder of the run.
        let _ = self.removals.send(std::mem::take(&mut self.path));
    }
}

/// Makes folders for the attempts of one launcher.
#[derive(Clone)]
pub struct FolderMaker {
    parent: PathBuf,
    removals: SyncSender<PathBuf>,
}

impl FolderMaker {
    /// # Errors
    /// No folder can be created: the disk is full, or a process has removed the folder of the run.
    pub fn make(&self, item: ItemId, worker: WorkerId, incarnation: Incarnation) -> io::Result<ItemFolder> {
        // Not of the attempt: one that could not be started comes again, and its first folder may still be there.
        let path = self.parent.join(format!("item-{item}.{worker}.{}", incarnation.0));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(ItemFolder { path, removals: self.removals.clone() })
    }
}

/// The folder of a run and the thread that removes what is in it. Drop it after the launchers, whose makers have to be
/// gone.
pub struct ItemFolders {
    maker: Option<FolderMaker>,
    thread: Option<JoinHandle<()>>,
    /// After the thread.
    _run: RunFolder,
}

impl ItemFolders {
    /// # Errors
    /// No thread is left.
    pub fn start(run: RunFolder, reports: Arc<Mailbox<Report>>) -> io::Result<Self> {
        let (removals, waiting) = sync_channel(WAITING_MAX);
        let builder = Builder::new().name("folders".to_owned());
        let thread = signals::with_blocked(|| builder.spawn(move || remove_all(&waiting, &reports)));
        let thread = thread.map_err(refusal::of_std("clone3 or clone, for a thread"))?;
        let maker = FolderMaker { parent: run.path.clone(), removals };
        Ok(Self { maker: Some(maker), thread: Some(thread), _run: run })
    }

    pub fn maker(&self) -> Option<FolderMaker> {
        self.maker.clone()
    }
}

impl Drop for ItemFolders {
    fn drop(&mut self) {
        drop(self.maker.take());
        if let Some(thread) = self.thread.take() {
            // What it leaves after a panic goes with the folder of the run.
            let _ = thread.join();
        }
    }
}

/// The thread: removes each folder until no maker and no folder is left.
fn remove_all(waiting: &Receiver<PathBuf>, reports: &Mailbox<Report>) {
    let mut is_told = false;
    while let Ok(path) = waiting.recv() {
        let Err(text) = remove(&path) else { continue };
        if !std::mem::replace(&mut is_told, true) {
            let line = format!("supervisor: failed to {text}; further folders like it are not told");
            reports.post(&mut vec![Report::Notice(line)]);
        }
    }
}

/// The text of an error completes "failed to ...".
fn remove(path: &Path) -> Result<(), String> {
    let Some(name) = c_path(path) else { return Ok(()) };
    tree::remove(&name).map_err(|errno| format!("remove the temporary folder {}: {}", path.display(), errno.desc()))
}

/// A path that was given to the system holds no NUL.
fn c_path(path: &Path) -> Option<CString> {
    CString::new(path.as_os_str().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_attempts_are_removed_and_that_of_the_run_at_its_end() {
        let parent = tempfile::tempdir().unwrap();
        let run = RunFolder::create(parent.path()).unwrap();
        assert!(matches!(run.leftover(), Some(Leftover::Tree(_))));
        let folders = ItemFolders::start(run, Arc::new(Mailbox::new().unwrap())).unwrap();
        let (maker, worker) = (folders.maker().unwrap(), WorkerId::from_index(0));
        for item in 0..2 * WAITING_MAX as u64 {
            let folder = maker.make(ItemId(item), worker, Incarnation(1)).unwrap();
            std::fs::write(folder.path().join("file"), "").unwrap();
            assert!(folder.path().is_absolute());
        }
        let kept = maker.make(ItemId(0), worker, Incarnation(2)).unwrap();
        assert!(kept.path().exists());
        // What could not be removed goes with the folder of the run.
        std::fs::write(kept.path().with_file_name("stray"), "").unwrap();
        drop((kept, maker, folders));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
