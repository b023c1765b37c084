//! What the system says about processes, read from `/proc`.

use std::fs;
use std::path::PathBuf;

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessFacts {
    pub pid: u32,
    pub name: String,
    pub parent: u32,
    /// Effective user and group.
    pub uid: u32,
    pub gid: u32,
    /// The process group.
    pub group: u32,
    /// `S` sleeps, `R` runs, `T` is stopped, `Z` has ended and waits for its parent to ask.
    pub state: char,
    pub cwd: PathBuf,
}

impl ProcessFacts {
    /// `None`: there is no such process, or it is hidden.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let number = |name: &str, at: usize| field(name)?.split_whitespace().nth(at)?.parse().ok();
        // The name in `stat` may contain spaces and brackets; the group is the third field behind it.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let group = stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()?;
        Some(Self {
            pid,
            name: field("Name")?.to_owned(),
            parent: number("PPid", 0)?,
            uid: number("Uid", 1)?,
            gid: number("Gid", 1)?,
            group,
            state: field("State")?.chars().next()?,
            cwd: fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default(),
        })
    }

    /// Whether it is there and has not ended.
    #[must_use]
    pub fn lives(pid: u32) -> bool {
        Self::of(pid).is_some_and(|facts| facts.state != 'Z')
    }
}

/// A mapping of a process's memory: a line of `/proc/PID/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryRegion {
    pub start: u64,
    pub end: u64,
    /// Such as `r-xp`.
    pub access: String,
    /// The number of the file that it shows; 0 for memory of no file.
    pub inode: u64,
    /// The file, `[heap]`, `[stack]`, or nothing.
    pub name: String,
}

/// All mappings of a process; empty if they are hidden.
#[must_use]
pub fn memory_regions(pid: u32) -> Vec<MemoryRegion> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines().filter_map(region_of).collect()
}

fn region_of(line: &str) -> Option<MemoryRegion> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let access = fields.next()?.to_owned();
    let inode = fields.nth(2)?.parse().ok()?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let name = fields.collect::<Vec<_>>().join(" ");
    Some(MemoryRegion { start: hex(start)?, end: hex(end)?, access, inode, name })
}

/// The mapping that an address lies in.
#[must_use]
pub fn region_at(regions: &[MemoryRegion], address: u64) -> Option<&MemoryRegion> {
    regions.iter().find(|region| (region.start..region.end).contains(&address))
}

/// A process that waits for a lock which another one holds: from `/proc/locks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockWait {
    pub waiter: u32,
    pub holder: u32,
}

/// Who waits for whom, as the system shows it; `None` if it does not.
#[must_use]
pub fn lock_waits() -> Option<Vec<LockWait>> {
    fs::read_to_string("/proc/locks").ok().map(|locks| lock_waits_in(&locks))
}

/// Below the line of a lock, `N: -> ...` are those that wait for it.
fn lock_waits_in(locks: &str) -> Vec<LockWait> {
    let mut holder = None;
    let mut waits = Vec::new();
    for line in locks.lines() {
        let mut fields = line.split_whitespace().skip(1).peekable();
        let waits_here = fields.next_if(|field| *field == "->").is_some();
        let pid = fields.nth(3).and_then(|pid| pid.parse().ok());
        match (waits_here, pid, holder) {
            (false, pid, _) => holder = pid,
            (true, Some(waiter), Some(holder)) => waits.push(LockWait { waiter, holder }),
            _ => {}
        }
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_described() {
        let own = ProcessFacts::of(std::process::id()).unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert_eq!(own.cwd, std::env::current_dir().unwrap());
        assert!(ProcessFacts::lives(own.pid) && !ProcessFacts::lives(u32::MAX));
    }

    #[test]
    fn a_variable_lies_in_a_region_of_this_process() {
        let (variable, regions) = (7_u8, memory_regions(std::process::id()));
        let region = region_at(&regions, std::ptr::from_ref(&variable).addr() as u64).unwrap();
        assert!(region.access.starts_with("rw"), "{region:?}");
        let line = "7f00-7f10 r-xp 00001000 fe:00 5390 /usr/bin/a b";
        let expected = MemoryRegion {
            start: 0x7f00,
            end: 0x7f10,
            access: "r-xp".into(),
            inode: 5390,
            name: "/usr/bin/a b".into(),
        };
        assert_eq!(region_of(line), Some(expected));
    }

    #[test]
    fn who_waits_is_read_from_the_locks() {
        let locks = "1: FLOCK  ADVISORY  WRITE 10 fe:00:1 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 20 fe:00:1 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 20 fe:00:2 0 0\n2: -> POSIX  ADVISORY  WRITE 10 fe:00:2 0 0\n\
                     3: OFDLCK ADVISORY  READ -1 fe:00:3 0 EOF\n";
        let wait = |waiter, holder| LockWait { waiter, holder };
        assert_eq!(lock_waits_in(locks), [wait(20, 10), wait(10, 20)]);
    }
}
