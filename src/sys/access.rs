//! What this process may do with a file, as the kernel sees it.

use nix::unistd::AccessFlags;
use std::io;
use std::path::Path;

/// Whether `execve(2)` would be permitted to run this file. Of a directory the answer means something else: look first.
///
/// # Errors
/// It would not, or there is no such file: those of `access(2)`.
pub fn may_execute(path: &Path) -> io::Result<()> {
    Ok(nix::unistd::eaccess(path, AccessFlags::X_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_run_and_a_text_may_not() {
        assert!(may_execute(Path::new("/bin/sh")).is_ok());
        assert_eq!(may_execute(Path::new("/etc/passwd")).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(may_execute(Path::new("/no/such/file")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
