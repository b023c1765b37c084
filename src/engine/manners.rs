//! What differs between resident workers on our SDK and foreign ones, for their launch spec; and the folder and the
//! environment that they get.

use super::error::EngineError;
use super::fleet::{Handshake, ProgressSource, Stdio};
use crate::command::search;
use crate::command::workdir::{self, Workdir};
use crate::model::arrangement::Insertion;
use crate::model::config::{Config, ForeignSpec};
use crate::model::spec::TransportSpec;
use crate::model::surroundings::Surroundings;
use crate::wire::names;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Where the program of these words is, from the working directory of workers.
pub fn program_path(argv: &[OsString], config: &Config) -> Result<OsString, EngineError> {
    let name = argv.first().map_or_else(|| OsStr::new(""), OsString::as_os_str);
    let inherited = std::env::var_os("PATH");
    let path = config.surroundings.variable("PATH").or(inherited.as_deref());
    let folder = workdir(config)?.unwrap_or_default();
    let path = search::find(name, path, Path::new(&folder))?;
    Ok(OsString::from_vec(path.into_bytes()))
}

/// What differs between a worker on our SDK and a foreign one.
#[derive(Clone, Copy)]
pub struct Manners {
    pub stdio: Stdio,
    pub handshake: Handshake,
    pub progress: ProgressSource,
    /// Its channel is a terminal of its own.
    pub on_terminal: bool,
}

/// Of a worker on our SDK.
pub const OF_SDK: Manners =
    Manners { stdio: Stdio::Own, handshake: Handshake::Hello, progress: ProgressSource::Page, on_terminal: false };

/// The working directory of workers that stay, if it is not ours.
pub fn workdir(config: &Config) -> Result<Option<OsString>, EngineError> {
    let Some(text) = &config.surroundings.workdir else { return Ok(None) };
    match Workdir::new(text, &Insertion::default()).fixed() {
        Some(folder) => {
            workdir::check(folder)?;
            Ok(Some(text.clone()))
        }
        None => Err(EngineError::WorkdirOfItem { folder: text.to_string_lossy().into_owned() }),
    }
}

/// The surroundings of all workers, with the variables by which libraries of threads are told how many to use, and with the
/// folder of temporary files. A variable that was set by its name counts more.
pub fn surroundings(config: &Config) -> Surroundings {
    let threads = config.threads_per_worker.map(|threads| threads.to_string());
    let of_threads = threads.iter().flat_map(|value| names::THREADS.map(|name| (name.into(), value.into())));
    // Workers may start in another folder.
    let absolute = |folder: &PathBuf| match config.surroundings.workdir {
        Some(_) => std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
        None => folder.clone(),
    };
    let tmpdir = config.tmpdir.as_ref().map(|folder| (names::TMPDIR.into(), absolute(folder).into()));
    let variables = of_threads.chain(tmpdir).chain(config.surroundings.variables.iter().cloned()).collect();
    Surroundings { variables, ..config.surroundings.clone() }
}

/// The environment that all workers share, each variable as `NAME=VALUE`.
pub fn environment(
    config: &Config,
    spec: &TransportSpec,
    manners: Manners,
    delimiter: u8,
    item_times: bool,
) -> Vec<OsString> {
    let own = surroundings(config);
    let inherited = std::env::vars_os().filter(|(name, _)| !names::is_ours(name));
    let kept = inherited.filter(|(name, _)| own.variables.iter().all(|(set, _)| set != name));
    // The last one of a name counts, and there is only one.
    let is_last = |at: usize, name: &OsString| own.variables[at + 1..].iter().all(|(later, _)| later != name);
    let set = own.variables.iter().enumerate().filter(|(at, (name, _))| is_last(*at, name)).map(|(_, set)| set.clone());
    let entry = |(mut variable, value): (OsString, OsString)| {
        variable.push("=");
        variable.push(value);
        variable
    };
    let of_all = [(names::RUN, config.run_id.clone()), (names::PARENT, std::process::id().to_string())];
    let of_sdk = [
        (names::DELIMITER, delimiter.to_string()),
        (names::TRANSPORT, spec.kind.name().to_owned()),
        (names::ITEM_TIMES, u8::from(item_times).to_string()),
        (names::WORK_TIMES, u8::from(config.trace.is_on()).to_string()),
    ];
    // A program that is not on our SDK has no use for what that reads.
    let of_sdk = of_sdk.into_iter().filter(|_| manners.handshake == Handshake::Hello);
    let chaos = config.policy.chaos.filter(|plan| plan.is_about_items() && manners.handshake == Handshake::Hello);
    let of_sdk = of_sdk.chain(chaos.map(|plan| (names::CHAOS, plan.to_string())));
    let of_run = of_all.into_iter().chain(of_sdk).map(|(name, value)| (name.into(), value.into()));
    kept.chain(set).chain(of_run).map(entry).collect()
}

/// Of a foreign one, which has a terminal or not.
pub const fn manners_of(spec: &ForeignSpec, pty: bool) -> Manners {
    Manners {
        stdio: if spec.own_fds { Stdio::Own } else { Stdio::Channel },
        handshake: if spec.waits_until_ready { Handshake::Ready } else { Handshake::None },
        progress: ProgressSource::OldestHeld,
        on_terminal: pty && !spec.own_fds,
    }
}
