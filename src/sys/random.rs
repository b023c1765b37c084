//! Random bytes and names that cannot be guessed.

use super::refusal;
use nix::errno::Errno;
use std::ffi::CString;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};

/// `N` random bytes from the system.
///
/// # Errors
/// Those of `getrandom(2)`.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let rest = &mut bytes[filled..];
        // SAFETY: writes no more than `rest` holds.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match Errno::result(got) {
            Ok(got) => filled += got.unsigned_abs(),
            Err(Errno::EINTR) => {}
            // Refused: the device gives the same bytes.
            Err(errno) if refusal::is_refusal(errno) => {
                File::open("/dev/urandom")
                    .and_then(|mut device| device.read_exact(rest))
                    .map_err(|_| refusal::of_call("getrandom")(errno))?;
                filled = N;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(bytes)
}

/// A name that cannot be guessed: `prefix` and 32 hex digits.
///
/// # Errors
/// Those of `getrandom(2)`, or there is a NUL in `prefix`.
pub fn name(prefix: &str) -> io::Result<CString> {
    let mut name = prefix.to_owned();
    for byte in bytes::<16>()? {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(CString::new(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let (one, other) = (name("x-").unwrap(), name("x-").unwrap());
        assert_eq!((one.count_bytes(), &one.to_bytes()[..2]), (34, &b"x-"[..]));
        assert_ne!(one, other);
        assert!(name("\0").is_err());
    }
}
