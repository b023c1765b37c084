//! Which processes are left in a process group, for messages.
//!
//! Invariant: a look at every process of the machine (`/proc`), so it is for rare moments.

use std::fs;

/// A process of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub pid: u32,
    /// The name of its program, at most 15 bytes; it may hold any character.
    pub name: String,
}

/// The processes of a group that run, in the order of the system, at most `count_max`. Without `/proc`: none.
#[must_use]
pub fn running(group: u32, count_max: usize) -> Vec<GroupMember> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        member(pid, &String::from_utf8_lossy(&stat), group)
    })
    .take(count_max)
    .collect()
}

/// Parses `PID (NAME) STATE PARENT GROUP ...`. The name may hold blanks and parentheses.
fn member(pid: u32, stat: &str, group: u32) -> Option<GroupMember> {
    let (start, rest) = stat.rsplit_once(") ")?;
    let (_, name) = start.split_once(" (")?;
    let mut fields = rest.split(' ');
    let is_running = !matches!(fields.next()?, "Z" | "X");
    (is_running && fields.nth(1)?.parse() == Ok(group)).then(|| GroupMember { pid, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn the_name_may_hold_anything_and_the_dead_are_left_out() {
        let found = |stat| member(7, stat, 5).map(|member| member.name);
        assert_eq!(found("7 (sleep) S 1 5 5 0"), Some("sleep".to_owned()));
        assert_eq!(found("7 (a) b) (c) R 1 5 5 0"), Some("a) b) (c".to_owned()));
        assert_eq!((found("7 (sleep) Z 1 5 5 0"), found("7 (sleep) S 5 1 5 0"), found("7")), (None, None, None));
    }

    #[test]
    fn the_processes_of_a_group_are_found() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).process_group(0).spawn().unwrap();
        let group = child.id();
        assert_eq!(running(group, 3), [GroupMember { pid: group, name: "cat".to_owned() }]);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(running(group, 3), []);
    }
}
