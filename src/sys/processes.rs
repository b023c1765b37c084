//! The processes of this machine as `/proc` shows them: whose child each is, and what it does with signals.
//!
//! Invariant: asks nothing of the processes themselves. One that ends meanwhile is left out.

use crate::model::signal::Signal;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The kernel writes about 1.5 KiB (`proc_pid_status(5)`).
const STATUS_BYTES_MAX: u64 = 1 << 16;
/// As much of the environment is searched.
const ENVIRONMENT_BYTES_MAX: u64 = 1 << 20;

/// Signals, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    #[must_use]
    pub const fn has(self, signal: Signal) -> bool {
        signal.0 > 0 && signal.0 <= 64 && self.0 >> (signal.0 - 1) & 1 == 1
    }

    /// In the order of their numbers.
    pub fn signals(self) -> impl Iterator<Item = Signal> {
        (1..=64).map(Signal).filter(move |signal| self.has(*signal))
    }
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessState {
    pub pid: u32,
    pub parent: u32,
    /// The real user.
    pub user: u32,
    /// The first 15 bytes of the name of its program.
    pub program: String,
    /// `S (sleeping)`, `T (stopped)`.
    pub state: String,
    pub pending: SignalSet,
    pub blocked: SignalSet,
    pub ignored: SignalSet,
    pub handled: SignalSet,
}

impl ProcessState {
    /// `None`: there is no such process, or it is not shown.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let text = read_limited(&format!("/proc/{pid}/status"), STATUS_BYTES_MAX)?;
        let mut found = Self { pid, ..Self::default() };
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            let first = value.split_whitespace().next().unwrap_or_default();
            let set = || SignalSet(u64::from_str_radix(value, 16).unwrap_or(0));
            match name {
                "Name" => value.clone_into(&mut found.program),
                "State" => value.clone_into(&mut found.state),
                "PPid" => found.parent = first.parse().ok()?,
                "Uid" => found.user = first.parse().ok()?,
                // Of one thread, and of the whole process.
                "SigPnd" | "ShdPnd" => found.pending.0 |= set().0,
                "SigBlk" => found.blocked = set(),
                "SigIgn" => found.ignored = set(),
                "SigCgt" => found.handled = set(),
                _ => {}
            }
        }
        Some(found)
    }

    /// All processes that are shown, by pid.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut found: Vec<Self> = pids.filter_map(Self::of).collect();
        found.sort_unstable_by_key(|process| process.pid);
        found
    }

    /// Whether it runs the program of this process, under whatever name.
    #[must_use]
    pub fn runs_own_program(&self) -> bool {
        let file = |pid: &str| fs::metadata(PathBuf::from("/proc").join(pid).join("exe")).ok();
        let own = file("self").map(|own| (own.dev(), own.ino()));
        own.is_some() && own == file(&self.pid.to_string()).map(|other| (other.dev(), other.ino()))
    }

    /// A variable of the environment that it was started with; `None`: it has none, or it is another user's.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let text = read_limited(&format!("/proc/{}/environ", self.pid), ENVIRONMENT_BYTES_MAX)?;
        let value =
            text.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

fn read_limited(path: &str, bytes_max: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(path).ok()?.take(bytes_max).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_shows_what_it_does_with_signals() {
        let trap = "trap '' USR2; trap : USR1; echo ready; read x";
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", trap]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut shell = shell.env("SUPERVISOR_WORKER", "3").spawn().unwrap();
        let mut ready = [0; 6];
        shell.stdout.take().unwrap().read_exact(&mut ready).unwrap();
        let found = ProcessState::of(shell.id()).unwrap();
        assert!(found.ignored.has(Signal::USR2) && found.handled.has(Signal::USR1), "{found:?}");
        assert!(!found.ignored.has(Signal::USR1), "{found:?}");
        assert_eq!((found.parent, found.variable("SUPERVISOR_WORKER").as_deref()), (std::process::id(), Some("3")));
        assert!(!found.runs_own_program() && ProcessState::of(std::process::id()).unwrap().runs_own_program());
        assert!(ProcessState::all().iter().any(|process| process.pid == shell.id()));
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert_eq!(ProcessState::of(u32::MAX), None);
    }
}
