//! System calls that a container's profile or an emulator may refuse.

use nix::errno::Errno;
use std::{fmt, io};

/// A call that the system does not allow or does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RefusedCall {
    call: &'static str,
    errno: Errno,
}

impl fmt::Display for RefusedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self.call, self.errno))
    }
}

impl std::error::Error for RefusedCall {}

/// For `map_err`: an error that names the call, if the system does not allow or does not know it. Any other error is as
/// it was.
pub(super) fn of_call(call: &'static str) -> impl Fn(Errno) -> io::Error {
    move |errno| if is_refusal(errno) { io::Error::other(RefusedCall { call, errno }) } else { errno.into() }
}

/// The same for an error of the standard library, which has made the call.
pub fn of_std(call: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) => of_call(call)(errno),
        None => error,
    }
}

/// Whether the error names a refused call.
#[must_use]
pub fn is_named(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<RefusedCall>())
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
        assert!(is_named(&refused) && is_named(&of_std("clone3")(Errno::ENOSYS.into())));
        let shortage = of_call("memfd_create")(Errno::EMFILE);
        assert_eq!((shortage.raw_os_error(), is_named(&shortage)), (Some(libc::EMFILE), false));
    }
}
