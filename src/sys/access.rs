//! What the kernel permits this process to do with a file.

use nix::unistd::AccessFlags;
use std::io;
use std::path::Path;

/// Checks that `execve(2)` may run this file. Do not ask about a directory: there the permission has another meaning.
///
/// # Errors
/// Those of `eaccess(3)`: it may not, or there is no such file.
pub fn may_execute(path: &Path) -> io::Result<()> {
    Ok(nix::unistd::eaccess(path, AccessFlags::X_OK)?)
}

/// Checks that this process may create files in this folder.
///
/// # Errors
/// It may not, or there is no such folder.
pub fn may_create_in(folder: &Path) -> io::Result<()> {
    if !folder.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(nix::unistd::eaccess(folder, AccessFlags::W_OK | AccessFlags::X_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_executed_and_a_text_file_may_not() {
        assert!(may_execute(Path::new("/bin/sh")).is_ok());
        assert_eq!(may_execute(Path::new("/etc/passwd")).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(may_execute(Path::new("/no/such/file")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn files_may_be_created_in_a_folder_alone() {
        assert!(may_create_in(tempfile::tempdir().unwrap().path()).is_ok());
        assert_eq!(may_create_in(Path::new("/etc/passwd")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(may_create_in(Path::new("/no/such")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
