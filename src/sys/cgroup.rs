//! The control groups that limit this process.

use std::path::{Path, PathBuf};

/// Where the system mounts the groups.
pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// The version of the interface: it decides what the files of a group are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// The folders of the groups that `groups`, the content of `/proc/self/cgroup`, names for a controller, and of all their
/// ancestors (`cgroups(7)`: `0::/path` in version 2, `7:cpu,cpuacct:/path` in version 1).
pub(super) fn folders(groups: &str, root: &Path, controller: &str) -> Vec<(Version, PathBuf)> {
    let mut folders = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (version, first) = match controllers {
            "" => (Version::Two, root.to_owned()),
            _ if controllers.split(',').any(|name| name == controller) => (Version::One, root.join(controller)),
            _ => continue,
        };
        // A group above the root of our namespace is shown as `/../x`, and has no file that we could read.
        let path = if path.split('/').any(|part| part == "..") { "" } else { path.trim_start_matches('/') };
        folders.extend(Path::new(path).ancestors().map(|ancestor| (version, first.join(ancestor))));
    }
    folders
}
