//! The limits of the system that decide how many workers there can be.
//!
//! Where the numbers come from: `getrlimit(2)`, `/proc/sys/kernel`, and the `pids` controller of the cgroup that we are
//! in and of those around it.
//!
//! Invariant: raises nothing but the soft limit of open files, and children get that one back as it was.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A limit on the number of processes and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// As in `ulimit -u`, `/proc/sys/kernel/pid_max`.
    pub name: String,
    pub max: u64,
}

/// The soft limit of open files before we raised it; the maximum if we did not.
static OPEN_FILES_BEFORE: AtomicU64 = AtomicU64::new(u64::MAX);

/// Raises the soft limit of open files to the hard one and returns what holds then. Children get the former one
/// ([`super::spawn`]), since a program that uses `select(2)` breaks with large numbers.
///
/// # Errors
/// Those of `getrlimit(2)`. A refused raise is none: the old limit holds.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= hard || setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        return Ok(soft);
    }
    OPEN_FILES_BEFORE.store(soft, Ordering::Relaxed);
    Ok(hard)
}

/// The limit of open files that children shall have, if it differs from ours.
pub(super) fn open_files_of_children() -> Option<libc::rlimit> {
    let before = OPEN_FILES_BEFORE.load(Ordering::Relaxed);
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    (before < hard).then_some(libc::rlimit { rlim_cur: before, rlim_max: hard })
}

/// How many files this process has open now.
///
/// # Errors
/// `/proc` is not mounted.
pub fn open_files_now() -> io::Result<u64> {
    // The folder that is being read is an open file itself.
    Ok((fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1))
}

/// The limit that stops new processes first, of those that could be read. Other processes use some of it too.
#[must_use]
pub fn processes_max() -> Option<Limit> {
    process_limits().into_iter().min_by_key(|limit| limit.max)
}

/// Every limit on the number of processes that applies to us.
#[must_use]
pub fn process_limits() -> Vec<Limit> {
    let mut limits = Vec::new();
    // The system does not hold root to this one.
    if !nix::unistd::geteuid().is_root()
        && let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NPROC)
        && soft != RLIM_INFINITY
    {
        limits.push(Limit { name: "ulimit -u".to_owned(), max: soft });
    }
    let files = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"].map(PathBuf::from);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for path in files.into_iter().chain(pids_max_files(&groups)) {
        limits.extend(limit_in(&path));
    }
    limits
}

/// A file with one number; `max` and what cannot be read are no limits.
fn limit_in(path: &Path) -> Option<Limit> {
    let max = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    Some(Limit { name: path.display().to_string(), max })
}

/// The `pids.max` of the group that `/proc/self/cgroup` names and of all groups around it (`cgroups(7)`: `0::/path` in
/// version 2, `7:pids:/path` in version 1).
fn pids_max_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let root = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            _ if controllers.split(',').any(|name| name == "pids") => Path::new("/sys/fs/cgroup/pids"),
            _ => continue,
        };
        let group = Path::new(path.trim_start_matches('/'));
        files.extend(group.ancestors().map(|ancestor| root.join(ancestor).join("pids.max")));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_versions_and_all_around_them_are_asked() {
        let files = pids_max_files("7:cpu,pids:/a\n3:memory:/x\n0::/b/c\nnonsense\n");
        let expected = [
            "/sys/fs/cgroup/pids/a/pids.max",
            "/sys/fs/cgroup/pids/pids.max",
            "/sys/fs/cgroup/b/c/pids.max",
            "/sys/fs/cgroup/b/pids.max",
            "/sys/fs/cgroup/pids.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn only_numbers_are_limits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids.max");
        assert_eq!(limit_in(&file), None);
        fs::write(&file, "max\n").unwrap();
        assert_eq!(limit_in(&file), None);
        fs::write(&file, "150\n").unwrap();
        assert_eq!(limit_in(&file), Some(Limit { name: file.display().to_string(), max: 150 }));
    }

    #[test]
    fn the_system_has_limits_and_we_have_files() {
        let tightest = processes_max().unwrap();
        assert!(process_limits().iter().all(|limit| limit.max >= tightest.max));
        let before = open_files_now().unwrap();
        assert!(before >= 3, "{before}");
    }
}
