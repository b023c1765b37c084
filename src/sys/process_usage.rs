//! What a process uses at the moment, from `/proc`.
//!
//! Invariant: what cannot be read is `None`.

use crate::model::time::Duration;
use nix::unistd::{SysconfVar, sysconf};

/// What a process has used so far, and the memory that it has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessUsage {
    pub rss_bytes: u64,
    /// Of all its threads, in user mode and in the system.
    pub cpu: Duration,
}

impl ProcessUsage {
    /// Of a process of this number. It has to be ours and not reaped: else the number may be another's.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let bytes = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::read(&bytes, per_second(), page_bytes())
    }

    /// Reads `stat` (`proc_pid_stat(5)`). The name of the program, in parentheses, may hold anything.
    fn read(stat: &[u8], ticks_per_second: u64, page_bytes: u64) -> Option<Self> {
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(stat.get(end + 1..)?).ok()?.split_ascii_whitespace().collect();
        // The first field behind the name is the third of all.
        let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
        let ticks = number(14)?.saturating_add(number(15)?);
        let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(ticks_per_second.max(1));
        Some(Self {
            rss_bytes: number(24)?.saturating_mul(page_bytes),
            cpu: Duration(u64::try_from(nanoseconds).unwrap_or(u64::MAX)),
        })
    }
}

fn per_second() -> u64 {
    sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100)
}

fn page_bytes() -> u64 {
    sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let stat = b"7 (a) 1 (b)) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 99 1000 25 18446744073709551615 1";
        let usage = ProcessUsage::read(stat, 100, 4096).unwrap();
        assert_eq!(usage, ProcessUsage { rss_bytes: 25 * 4096, cpu: Duration::from_secs(2) });
        for cut in 0..stat.len() - 30 {
            let _ = ProcessUsage::read(&stat[..cut], 100, 4096);
        }
        assert_eq!(ProcessUsage::read(b"", 100, 4096), None);
        let own = ProcessUsage::of(std::process::id()).unwrap();
        assert!(own.rss_bytes > 0, "{own:?}");
        assert_eq!(ProcessUsage::of(u32::MAX), None);
    }
}
