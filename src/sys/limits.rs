//! The limits of the system that decide how many workers there can be.
//!
//! The numbers come from `getrlimit(2)`, `/proc/sys/kernel`, and the `pids` controller of our cgroup and its ancestors.
//!
//! Invariant: the only limit that is changed is the soft limit of open files. It is restored when the last
//! [`RaisedOpenFiles`] is dropped, unless other code has changed it meanwhile. Children get the limit from before.

use super::{cgroup, refusal};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A limit on the number of processes, and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLimit {
    /// `ulimit -u`, or a path such as `/proc/sys/kernel/pid_max`.
    pub name: String,
    pub max: u64,
}

/// The raised limit of open files, counted: it belongs to the whole process, in which several runs may be going on.
static RAISED: Mutex<Raised> = Mutex::new(Raised { holders: 0, soft_before: 0, soft_now: 0 });

struct Raised {
    holders: usize,
    soft_before: u64,
    soft_now: u64,
}

/// A share in the raised soft limit of open files, or no share if it was not raised. Dropping the last share restores
/// the limit.
#[derive(Debug)]
#[must_use = "dropping it restores the limit"]
pub struct RaisedOpenFiles {
    limit: u64,
    is_holder: bool,
}

/// Raises the soft limit of open files to the hard one. Children get the limit from before ([`super::spawn`]), because
/// a program that uses `select(2)` breaks with large descriptor numbers.
///
/// # Errors
/// Those of `getrlimit(2)`. A refused raise is no error: the old limit applies. If the system refuses the call itself, the
/// limit counts as infinite.
pub fn raise_open_files() -> io::Result<RaisedOpenFiles> {
    let mut raised = raised();
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        // The limit is not known and stays.
        Err(errno) if refusal::is_refusal(errno) => {
            return Ok(RaisedOpenFiles { limit: RLIM_INFINITY, is_holder: false });
        }
        limits => limits?,
    };
    if raised.holders > 0 {
        raised.holders += 1;
        return Ok(RaisedOpenFiles { limit: soft, is_holder: true });
    }
    if soft >= hard || setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        return Ok(RaisedOpenFiles { limit: soft, is_holder: false });
    }
    *raised = Raised { holders: 1, soft_before: soft, soft_now: hard };
    Ok(RaisedOpenFiles { limit: hard, is_holder: true })
}

/// Has the system make room for this many open files. It does so by steps as their number grows, and each step makes a
/// process with several threads wait for all processors (`expand_fdtable` in the kernel, 10 ms): so it is asked for them
/// before there are threads. Without effect where the system refuses.
pub fn reserve_open_files(count: u64) {
    let highest = count.saturating_sub(1).try_into().unwrap_or(libc::c_int::MAX);
    let duplicate = super::fd::dev_null().and_then(|file| Ok(fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(highest))?));
    // The room stays.
    let _ = duplicate.map(nix::unistd::close);
}

impl RaisedOpenFiles {
    /// The soft limit after the raise.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }
}

impl Drop for RaisedOpenFiles {
    fn drop(&mut self) {
        if !self.is_holder {
            return;
        }
        let mut raised = raised();
        raised.holders -= 1;
        // If other code has changed the limit meanwhile, its value stays.
        if raised.holders == 0
            && let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft == raised.soft_now
        {
            // To lower a soft limit is always allowed.
            let _ = setrlimit(Resource::RLIMIT_NOFILE, raised.soft_before, hard);
        }
    }
}

/// The limit of open files for children: the one from before the raise. `None`: it was not raised.
pub(super) fn open_files_of_children() -> Option<libc::rlimit> {
    let raised = raised();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let differs = raised.holders > 0 && raised.soft_before < hard;
    differs.then_some(libc::rlimit { rlim_cur: raised.soft_before, rlim_max: hard })
}

fn raised() -> MutexGuard<'static, Raised> {
    // No code that holds the lock can panic between two related changes.
    RAISED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The largest file that this process may make (`ulimit -f`), in bytes; `None`: any. It holds for shared memory too.
#[must_use]
pub fn file_bytes_max() -> Option<u64> {
    soft_limit(Resource::RLIMIT_FSIZE)
}

/// The most address space that this process may have (`ulimit -v`), in bytes; `None`: any.
#[must_use]
pub fn address_bytes_max() -> Option<u64> {
    soft_limit(Resource::RLIMIT_AS)
}

fn soft_limit(resource: Resource) -> Option<u64> {
    getrlimit(resource).ok().map(|(soft, _)| soft).filter(|soft| *soft != RLIM_INFINITY)
}

/// The address space that this process has now, in bytes. Without `/proc`: 0.
#[must_use]
pub fn address_bytes_now() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or(0);
    // SAFETY: returns a number.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * u64::try_from(page_bytes).unwrap_or(4096)
}

/// The most bytes that the kernel takes for arguments and environment together, whatever the limit of the stack: 3/4 of
/// `_STK_LIM`, `fs/exec.c`.
const ARGUMENT_LIST_BYTES_MAX: u64 = 6 << 20;

/// The most bytes of the arguments and the environment of a program, each with a NUL behind it and a pointer.
#[must_use]
pub fn argument_list_bytes_max() -> u64 {
    // SAFETY: returns a number.
    let bytes = unsafe { libc::sysconf(libc::_SC_ARG_MAX) };
    u64::try_from(bytes).unwrap_or(128 * 1024).min(ARGUMENT_LIST_BYTES_MAX)
}

/// The most mappings that a process may have; `None`: it cannot be read.
#[must_use]
pub fn mappings_max() -> Option<u64> {
    Some(limit_in(Path::new("/proc/sys/vm/max_map_count"))?.max)
}

/// How many files this process has open now.
#[must_use]
pub fn open_files_now() -> u64 {
    super::open_fds::count()
}

/// The lowest of the limits that could be read. Other processes count towards it too.
#[must_use]
pub fn processes_max() -> Option<ProcessLimit> {
    process_limits().into_iter().min_by_key(|limit| limit.max)
}

/// Every limit on the number of processes that applies to us.
#[must_use]
pub fn process_limits() -> Vec<ProcessLimit> {
    let mut limits = Vec::new();
    // It does not apply to root.
    if !nix::unistd::geteuid().is_root()
        && let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NPROC)
        && soft != RLIM_INFINITY
    {
        limits.push(ProcessLimit { name: "ulimit -u".to_owned(), max: soft });
    }
    let files = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"].map(PathBuf::from);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for path in files.into_iter().chain(pids_max_files(&groups)) {
        limits.extend(limit_in(&path));
    }
    limits
}

/// The number in a file; `None` if it says `max` or cannot be read.
fn limit_in(path: &Path) -> Option<ProcessLimit> {
    let max = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    Some(ProcessLimit { name: path.display().to_string(), max })
}

/// The `pids.max` of the groups that `/proc/self/cgroup` names and of their ancestors.
fn pids_max_files(groups: &str) -> Vec<PathBuf> {
    let folders = cgroup::folders(groups, Path::new(cgroup::ROOT), "pids");
    folders.into_iter().map(|(_, folder)| folder.join("pids.max")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_role, play};
    use super::*;

    #[test]
    fn the_limits_of_groups_and_their_ancestors_are_found_in_both_versions() {
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
        assert_eq!(limit_in(&file), Some(ProcessLimit { name: file.display().to_string(), max: 150 }));
    }

    #[test]
    fn the_system_has_limits_and_we_have_open_files() {
        let tightest = processes_max().unwrap();
        assert!(process_limits().iter().all(|limit| limit.max >= tightest.max));
        let before = open_files_now();
        assert!(before >= 3, "{before}");
    }

    #[test]
    fn the_raised_limit_is_restored_by_the_last_run() {
        const TEST: &str = "sys::limits::tests::the_raised_limit_is_restored_by_the_last_run";
        if !is_role(TEST) {
            assert!(play(TEST).output().unwrap().status.success());
            return;
        }
        let soft = || getrlimit(Resource::RLIMIT_NOFILE).unwrap().0;
        let hard = getrlimit(Resource::RLIMIT_NOFILE).unwrap().1;
        let before = hard / 2;
        setrlimit(Resource::RLIMIT_NOFILE, before, hard).unwrap();
        let (first, second) = (raise_open_files().unwrap(), raise_open_files().unwrap());
        assert_eq!((first.limit(), second.limit(), soft()), (hard, hard, hard));
        drop(first);
        assert_eq!((soft(), open_files_of_children().unwrap().rlim_cur), (hard, before));
        drop(second);
        assert_eq!((soft(), open_files_of_children().is_none()), (before, true));
        let third = raise_open_files().unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, before - 1, hard).unwrap();
        drop(third);
        assert_eq!(soft(), before - 1, "the host has changed it meanwhile");
    }
}
