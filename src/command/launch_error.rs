//! Why no process was started for an item, and who is to blame.

use super::interpreter;
use crate::sys::spawn::{SpawnError, SpawnStep, is_shortage};
use std::path::Path;

/// Why no process was started for an item. The texts complete "failed to ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// The command of this item cannot be started; that of another item may be.
    #[error("{0}")]
    Item(String),
    /// This item cannot be an argument, however often that is tried.
    #[error("{0}")]
    Unfit(String),
    /// The program that all items have in common cannot be executed. `missing`: it, or its interpreter, is not there.
    #[error("{error}")]
    Program { error: String, missing: bool },
    /// The system is short of processes, descriptors or memory; a later attempt may succeed.
    #[error("{0}")]
    Shortage(String),
    /// The system refuses what the start of any command needs.
    #[error("{0}")]
    Refused(String),
}

/// The item or its program is the cause only if the exec itself fails; a failure before it is a shortage. `common`: all
/// items have this program.
pub(super) fn classify(error: SpawnError, name: &str, path: &Path, common: bool) -> LaunchError {
    let errno = error.errno;
    if error.is_refusal() {
        return LaunchError::Refused(format!("run {name}: {error}"));
    }
    if error.step == SpawnStep::Folder && !is_shortage(errno) {
        return LaunchError::Item(format!("run {name}: {error}"));
    }
    if error.step != SpawnStep::Exec || is_shortage(errno) {
        return LaunchError::Shortage(format!("run {name}: {error}"));
    }
    let text = match errno {
        libc::E2BIG => {
            return LaunchError::Unfit(format!(
                "run {name}: arguments and environment together are longer than the system takes; \
                 --stdin hands the item over whole"
            ));
        }
        libc::ENOENT => match interpreter::missing(path) {
            Some(missing) => format!("run {name}: {missing}"),
            None => format!("run {name}: the file does not exist any more"),
        },
        _ => format!("run {name}: {error}"),
    };
    match errno {
        // It is being written: later may be better.
        libc::ETXTBSY => LaunchError::Item(text),
        _ if common => LaunchError::Program { error: text, missing: errno == libc::ENOENT },
        _ => LaunchError::Item(text),
    }
}

/// The same for a command that is started as xargs starts it.
pub(super) fn classify_plain(error: SpawnError) -> LaunchError {
    match error.step {
        SpawnStep::Exec if !is_shortage(error.errno) => {
            LaunchError::Program { error: io_text(error.errno), missing: error.errno == libc::ENOENT }
        }
        _ if error.is_refusal() => LaunchError::Refused(error.to_string()),
        _ => LaunchError::Shortage(error.to_string()),
    }
}

/// The system's words for an error.
fn io_text(errno: i32) -> String {
    nix::errno::Errno::from_raw(errno).desc().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_of_the_system_is_not_blamed_on_the_item() {
        let nowhere = Path::new("/no/such/file");
        let class = |step, errno| classify(SpawnError { step, errno }, "c", nowhere, true);
        for errno in [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOMEM] {
            assert!(matches!(class(SpawnStep::Clone, errno), LaunchError::Shortage(_)));
            assert!(matches!(class(SpawnStep::Exec, errno), LaunchError::Shortage(_)));
        }
        let kind = |errno, common| classify(SpawnError { step: SpawnStep::Exec, errno }, "c", nowhere, common);
        for errno in [libc::ENOENT, libc::EACCES, libc::ELOOP, libc::ETXTBSY] {
            assert!(matches!(kind(errno, false), LaunchError::Item(_)), "{errno}");
        }
        // It would be refused for ever.
        for (step, call) in
            [(SpawnStep::Clone, "clone"), (SpawnStep::Group, "setpgid"), (SpawnStep::Limit, "setrlimit")]
        {
            for errno in [libc::EPERM, libc::ENOSYS, libc::EINVAL] {
                let LaunchError::Refused(text) = class(step, errno) else { panic!("{call} {errno}") };
                assert!(text.contains(&format!("the system refuses {call} (")), "{text}");
            }
        }
        assert!(matches!(kind(libc::ETXTBSY, true), LaunchError::Item(_)), "it may be complete later");
        assert!(matches!(kind(libc::E2BIG, true), LaunchError::Unfit(_)), "it is as long the next time");
        let text = "run c: the file does not exist any more";
        assert_eq!(kind(libc::ENOENT, true), LaunchError::Program { error: text.into(), missing: true });
        assert!(matches!(kind(libc::EACCES, true), LaunchError::Program { missing: false, .. }));
    }
}
