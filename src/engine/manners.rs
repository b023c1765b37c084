//! What differs between resident workers on our SDK and foreign ones, for their launch spec.

use super::error::EngineError;
use super::fleet::{Handshake, ProgressSource, Stdio};
use crate::command::search;
use crate::model::config::ForeignSpec;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

/// Where the program of these words is.
pub fn program_path(argv: &[OsString]) -> Result<OsString, EngineError> {
    let name = argv.first().map_or_else(|| OsStr::new(""), OsString::as_os_str);
    let path = search::find(name, std::env::var_os("PATH").as_deref())?;
    Ok(OsString::from_vec(path.into_bytes()))
}

/// What differs between a worker on our SDK and a foreign one.
#[derive(Clone, Copy)]
pub struct Manners {
    pub stdio: Stdio,
    pub handshake: Handshake,
    pub progress: ProgressSource,
}

/// Of a worker on our SDK.
pub const OF_SDK: Manners = Manners { stdio: Stdio::Own, handshake: Handshake::Hello, progress: ProgressSource::Page };

/// Of a foreign one.
pub const fn manners_of(spec: &ForeignSpec) -> Manners {
    Manners {
        stdio: if spec.own_fds { Stdio::Own } else { Stdio::Channel },
        handshake: if spec.waits_until_ready { Handshake::Ready } else { Handshake::None },
        progress: ProgressSource::OldestHeld,
    }
}
