//! How many cores this process may use: its affinity, and the processor quota of its cgroup and of every ancestor.
//!
//! Invariant: reads files of `/proc` and `/sys` alone. A file that cannot be read is no limit.

use super::cgroup::{self, Version};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::fs;
use std::path::{Path, PathBuf};

/// The cores that this process may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsableCores {
    /// At least 1.
    pub count: u32,
    /// Why it is not the number of cores of the machine.
    pub why: Option<String>,
}

/// Asks the system.
#[must_use]
pub fn usable() -> UsableCores {
    let online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten().and_then(|cores| u32::try_from(cores).ok());
    let affinity = affinity();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let quotas = quota_files(&groups, Path::new(cgroup::ROOT));
    smallest(online.unwrap_or(affinity), affinity, quotas.iter().filter_map(|file| Some((file.quota()?, file))))
}

fn affinity() -> u32 {
    let set = sched_getaffinity(Pid::from_raw(0));
    let count = set.map(|set| (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu) == Ok(true)).count());
    // The set has no room for all cores of a very large machine.
    let count = count.or_else(|_| std::thread::available_parallelism().map(usize::from)).unwrap_or(1);
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

/// The smallest limit, and its source if it is below the number of cores.
fn smallest<'a>(online: u32, affinity: u32, quotas: impl Iterator<Item = (Quota, &'a QuotaFile)>) -> UsableCores {
    let mut cores = UsableCores { count: affinity.max(1), why: None };
    if affinity < online {
        cores.why = Some(format!("the affinity allows {affinity} of {online} cores"));
    }
    for (quota, file) in quotas {
        let count = quota.cores();
        if count < cores.count {
            let share = quota.quota_us as f64 / quota.period_us as f64;
            cores.why = Some(format!("{} allows {share:.2} of {online} cores", file.limit.display()));
            cores.count = count;
        }
    }
    cores
}

/// This much processor time in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quota {
    quota_us: u64,
    period_us: u64,
}

impl Quota {
    /// Rounded up: a worker more costs less than a part of a core that stays unused.
    fn cores(self) -> u32 {
        u32::try_from(self.quota_us.div_ceil(self.period_us)).unwrap_or(u32::MAX).max(1)
    }
}

/// Where the quota of a group is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct QuotaFile {
    /// `cpu.max` with quota and period (version 2), or `cpu.cfs_quota_us` (version 1).
    limit: PathBuf,
    /// `cpu.cfs_period_us`, of version 1.
    period: Option<PathBuf>,
}

impl QuotaFile {
    /// `None` if there is no limit, or no such file.
    fn quota(&self) -> Option<Quota> {
        let limit = fs::read_to_string(&self.limit).ok()?;
        let period = self.period.as_ref().map(fs::read_to_string).transpose().ok()?;
        let mut numbers = limit.split_whitespace().chain(period.as_deref().into_iter().flat_map(str::split_whitespace));
        // `max` and -1 are no numbers of this kind.
        let (quota_us, period_us) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        (period_us > 0).then_some(Quota { quota_us, period_us })
    }
}

/// The files of the groups that `/proc/self/cgroup` names and of their ancestors.
fn quota_files(groups: &str, root: &Path) -> Vec<QuotaFile> {
    let file = |(version, folder): (Version, PathBuf)| match version {
        Version::Two => QuotaFile { limit: folder.join("cpu.max"), period: None },
        Version::One => {
            QuotaFile { limit: folder.join("cpu.cfs_quota_us"), period: Some(folder.join("cpu.cfs_period_us")) }
        }
    };
    cgroup::folders(groups, root, "cpu").into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cores of a process in `groups`, with these files below the root of all groups.
    fn cores(groups: &str, files: &[(&str, &str)]) -> UsableCores {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let files = quota_files(groups, root.path());
        let mut cores = smallest(8, 8, files.iter().filter_map(|file| Some((file.quota()?, file))));
        cores.why = cores.why.map(|why| why.replace(root.path().to_str().unwrap(), "ROOT"));
        cores
    }

    #[test]
    fn the_smallest_quota_of_all_ancestors_counts_rounded_up() {
        let why = |why: &str| Some(why.to_owned());
        let table = [
            ("0::/a/b\n", vec![], 8, None),
            ("0::/a/b\n", vec![("a/b/cpu.max", "max 100000\n")], 8, None),
            ("0::/a/b\n", vec![("a/b/cpu.max", "250000 100000\n")], 3, why("ROOT/a/b/cpu.max allows 2.50 of 8 cores")),
            (
                "0::/a/b\n",
                vec![("a/b/cpu.max", "400000 100000\n"), ("a/cpu.max", "150000 100000\n"), ("cpu.max", "max 1000\n")],
                2,
                why("ROOT/a/cpu.max allows 1.50 of 8 cores"),
            ),
            ("0::/\n", vec![("cpu.max", "1000 100000\n")], 1, why("ROOT/cpu.max allows 0.01 of 8 cores")),
            ("0::/../x\n", vec![("cpu.max", "100000 100000")], 1, why("ROOT/cpu.max allows 1.00 of 8 cores")),
            ("0::/\n", vec![("cpu.max", "900000 100000")], 8, None),
            (
                "4:memory:/x\n3:cpu,cpuacct:/g\n",
                vec![("cpu/g/cpu.cfs_quota_us", "-1\n"), ("cpu/g/cpu.cfs_period_us", "100000\n")],
                8,
                None,
            ),
            (
                "3:cpu,cpuacct:/g\n",
                vec![("cpu/cpu.cfs_quota_us", "50000\n"), ("cpu/cpu.cfs_period_us", "25000\n")],
                2,
                why("ROOT/cpu/cpu.cfs_quota_us allows 2.00 of 8 cores"),
            ),
        ];
        for (groups, files, count, why) in table {
            assert_eq!(cores(groups, &files), UsableCores { count, why }, "{groups} {files:?}");
        }
    }

    #[test]
    fn the_affinity_is_a_limit_too() {
        let why = Some("the affinity allows 2 of 8 cores".to_owned());
        assert_eq!(smallest(8, 2, std::iter::empty()), UsableCores { count: 2, why });
        assert!(usable().count >= 1);
    }
}
