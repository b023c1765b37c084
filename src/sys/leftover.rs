//! Names that a killed supervisor may leave behind.

use super::tree;
use std::ffi::CString;

/// A named thing that the supervisor removes soon after it has created it, and that stays if the supervisor is killed
/// in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A message queue, by its name.
    Queue(CString),
    /// A file that is not a folder, by its absolute path.
    File(CString),
    /// An empty folder, by its absolute path.
    Folder(CString),
    /// A folder with everything in it, by its absolute path.
    Tree(CString),
}

impl Leftover {
    /// Removes it. System calls only.
    pub(super) fn remove(&self) {
        if let Self::Tree(path) = self {
            // What cannot be removed stays: there is nobody left to tell.
            let _ = tree::remove(path);
            return;
        }
        // SAFETY: the names outlive the calls. Usually the thing does not exist, so errors are ignored.
        unsafe {
            match self {
                Self::Queue(name) => libc::mq_unlink(name.as_ptr()),
                Self::File(path) => libc::unlink(path.as_ptr()),
                Self::Folder(path) => libc::rmdir(path.as_ptr()),
                Self::Tree(_) => 0,
            };
        }
    }
}
