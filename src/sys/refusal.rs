//! System calls that a container's profile or an emulator may refuse.

use nix::errno::Errno;
use std::io;

/// For `map_err`: an error that names the call, if the system does not allow or does not know it. Any other error is as
/// it was.
pub(super) fn of_call(call: &'static str) -> impl Fn(Errno) -> io::Error {
    move |errno| if is_refusal(errno) { io::Error::other(text(call, errno)) } else { errno.into() }
}

/// Whether this errno may come from a profile that refuses the call itself.
pub(super) const fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::EPERM | Errno::ENOSYS | Errno::EINVAL | Errno::EACCES)
}

pub(super) fn text(call: &str, errno: Errno) -> String {
    format!(
        "the system refuses {call} ({}); allow it in the profile of the container, or use a newer one",
        errno.desc()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_is_named_and_a_shortage_stays_one() {
        let refused = of_call("memfd_create")(Errno::EPERM);
        assert!(refused.to_string().starts_with("the system refuses memfd_create (Operation not permitted); allow it"));
        assert_eq!(of_call("memfd_create")(Errno::EMFILE).raw_os_error(), Some(libc::EMFILE));
    }
}
