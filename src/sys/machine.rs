//! What the machine, or the control group of this process, has to spare: processors and memory.
//!
//! Invariant: reads files of `/proc` and `/sys` alone. A group whose files cannot be read has no limit.

use super::cgroup::{self, Version};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const KIB: u64 = 1024;

/// What there is to spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineState {
    /// Threads of the machine that run, or wait for a processor or a disk, without the one that asks.
    pub running: u32,
    /// Bytes of memory that processes can still be given.
    pub free_bytes: u64,
    /// Of the last 10 s, how many per mille some process waited for memory; 0 where the system does not tell.
    pub memory_waits_per_mille: u32,
}

/// Memory is short while some process waited for it in more than this part of the last 10 s: a tenth.
const WAITED_PER_MILLE_MAX: u32 = 100;

impl MachineState {
    /// Whether processes wait for memory, whatever is free.
    #[must_use]
    pub const fn waits_for_memory(&self) -> bool {
        self.memory_waits_per_mille > WAITED_PER_MILLE_MAX
    }

    /// Asks the system.
    ///
    /// # Errors
    /// `/proc` does not tell.
    pub fn now() -> io::Result<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let folders = cgroup::folders(&groups, Path::new(cgroup::ROOT), "memory");
        Ok(Self {
            running: running_threads()?,
            free_bytes: free_memory(&folders)?,
            memory_waits_per_mille: memory_waits(&folders),
        })
    }
}

/// Threads of the machine that run, or wait for a processor or a disk, at this moment; without the one that asks.
///
/// # Errors
/// `/proc` does not tell.
fn running_threads() -> io::Result<u32> {
    let stat = fs::read_to_string("/proc/stat")?;
    threads(&stat)
        .map(|threads| threads.saturating_sub(1))
        .ok_or_else(|| io::Error::other("/proc/stat has no such line"))
}

/// Both lines are those of `proc_stat(5)`.
fn threads(stat: &str) -> Option<u32> {
    let number = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u32>().ok());
    Some(number("procs_running ")?.saturating_add(number("procs_blocked ").unwrap_or(0)))
}

/// Bytes of memory that processes can still be given without swapping: of the machine, and of the group of this process and
/// of all its ancestors, the least.
///
/// # Errors
/// `/proc` does not tell.
fn free_memory(folders: &[(Version, PathBuf)]) -> io::Result<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let free = available(&meminfo).ok_or_else(|| io::Error::other("/proc/meminfo has no line MemAvailable"))?;
    let of_groups = folders.iter().filter_map(|(version, folder)| free_in_group(*version, folder));
    Ok(of_groups.fold(free, u64::min))
}

/// The most of what the files of pressure of the machine and of the groups tell, as far as there are any.
fn memory_waits(folders: &[(Version, PathBuf)]) -> u32 {
    let of_groups = folders.iter().map(|(_, folder)| folder.join("memory.pressure"));
    let files = [PathBuf::from("/proc/pressure/memory")].into_iter().chain(of_groups);
    files.filter_map(|file| waits_per_mille(&fs::read_to_string(file).ok()?)).max().unwrap_or(0)
}

/// The line of a file of pressure: `some avg10=0.12 avg60=...`, in percent (Documentation/accounting/psi.rst of Linux).
fn waits_per_mille(pressure: &str) -> Option<u32> {
    let line = pressure.lines().find_map(|line| line.strip_prefix("some avg10="))?;
    let percent = line.split(' ').next()?.parse::<f32>().ok().filter(|percent| (0.0..=100.0).contains(percent))?;
    Some((percent * 10.0) as u32)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(KIB)
}

/// `None`: the group has no limit. What it has in its cache of files, and has not used of late, can be taken from it.
fn free_in_group(version: Version, folder: &Path) -> Option<u64> {
    let (limit, used, cache) = match version {
        Version::Two => ("memory.max", "memory.current", "inactive_file "),
        Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
    };
    let number = |file: &str| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    let (limit, used) = (number(limit)?, number(used)?);
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok()).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_proc_are_read() {
        assert_eq!(threads("cpu 1 2\nctxt 9\nprocs_running 3\nprocs_blocked 2\nsoftirq 1\n"), Some(5));
        assert_eq!(threads("cpu 1 2\n"), None);
        assert_eq!(available("MemTotal:  9 kB\nMemAvailable:     12 kB\n"), Some(12 * 1024));
        assert_eq!(available("MemTotal:  9 kB\n"), None);
        running_threads().unwrap();
        assert!(MachineState::now().unwrap().free_bytes > 0);
        assert_eq!(waits_per_mille("some avg10=12.34 avg60=0.00 total=9\nfull avg10=50.00"), Some(123));
        assert_eq!(["", "some avg10=", "some avg10=inf x", "full avg10=1.00"].map(waits_per_mille), [None; 4]);
    }

    #[test]
    fn of_a_group_the_limit_counts_without_what_is_in_use() {
        let place = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(place.path().join(file), text).unwrap();
        assert_eq!(free_in_group(Version::Two, place.path()), None);
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        assert_eq!(free_in_group(Version::Two, place.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(free_in_group(Version::Two, place.path()), Some(300));
        write("memory.stat", "anon 5\ninactive_file 250\nactive_file 9\n");
        assert_eq!(free_in_group(Version::Two, place.path()), Some(550));
        write("memory.max", "100\n");
        assert_eq!(free_in_group(Version::Two, place.path()), Some(0));
        assert_eq!(free_in_group(Version::One, place.path()), None);
    }
}
