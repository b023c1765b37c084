//! The parameters of a worker, read from its environment at its start.
//!
//! Invariant: reads and checks variables; opens no descriptor.

use crate::model::chaos::ChaosPlan;
use crate::model::spec::TransportKind;
use crate::transport;
use crate::wire::names;
use std::ffi::OsString;
use std::os::fd::RawFd;

/// The parameters of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Environment {
    pub transport: TransportKind,
    /// The channel's descriptors. One may serve several variables: a socket is both ends.
    pub fds: Vec<(Vec<&'static str>, RawFd)>,
    /// The channel's variables that hold no descriptor.
    pub variables: Vec<(&'static str, String)>,
    pub fd_progress: RawFd,
    pub token: [u8; 16],
    pub supervisor_pid: u32,
    pub delimiter: u8,
    /// The times of each item are wanted.
    pub timed: bool,
    /// The times of the work on each frame are wanted.
    pub traced: bool,
    /// What happens to its items.
    pub chaos: Option<ChaosPlan>,
}

/// What is wrong with the environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EnvironmentError {
    #[error("run me under supervisor: supervisor --protocol frames -- PROGRAM ({name} is not set)")]
    Missing { name: &'static str },
    #[error("{name} is {value:?}, which makes no sense: this worker and its supervisor are of different versions")]
    Wrong { name: &'static str, value: OsString },
}

impl Environment {
    /// Reads the environment by `lookup`, which is `std::env::var_os` except in tests.
    pub(super) fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, EnvironmentError> {
        let read = VariableReader { lookup };
        // First the variable that every transport sets: without it, no supervisor started this process.
        let transport = read.value(names::TRANSPORT, transport::by_name)?;
        Ok(Self {
            transport,
            fds: read.fds()?,
            variables: read.variables()?,
            fd_progress: read.number(names::FD_PROGRESS)?,
            token: read.value(names::TOKEN, token)?,
            supervisor_pid: read.number(names::PARENT)?,
            delimiter: read.number(names::DELIMITER)?,
            timed: read.is_wanted(names::ITEM_TIMES),
            traced: read.is_wanted(names::WORK_TIMES),
            chaos: read.is_set(names::CHAOS).then(|| read.value(names::CHAOS, |plan| plan.parse().ok())).transpose()?,
        })
    }
}

struct VariableReader<F> {
    lookup: F,
}

impl<F: Fn(&str) -> Option<OsString>> VariableReader<F> {
    fn value<T>(&self, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, EnvironmentError> {
        let value = (self.lookup)(name).ok_or(EnvironmentError::Missing { name })?;
        value.to_str().and_then(parse).ok_or(EnvironmentError::Wrong { name, value })
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, EnvironmentError> {
        self.value(name, |text| text.parse().ok())
    }

    fn is_wanted(&self, name: &str) -> bool {
        (self.lookup)(name).is_some_and(|value| value == "1")
    }

    fn is_set(&self, name: &str) -> bool {
        (self.lookup)(name).is_some()
    }

    fn fds(&self) -> Result<Vec<(Vec<&'static str>, RawFd)>, EnvironmentError> {
        let mut fds: Vec<(Vec<&'static str>, RawFd)> = Vec::new();
        for name in names::TRANSPORT_FDS.into_iter().filter(|name| self.is_set(name)) {
            let number = self.number(name)?;
            match fds.iter_mut().find(|(_, known)| *known == number) {
                Some((names, _)) => names.push(name),
                None => fds.push((vec![name], number)),
            }
        }
        Ok(fds)
    }

    fn variables(&self) -> Result<Vec<(&'static str, String)>, EnvironmentError> {
        let set = names::TRANSPORT_VARIABLES.into_iter().filter(|name| self.is_set(name));
        set.map(|name| Ok((name, self.value(name, |variable| Some(variable.to_owned()))?))).collect()
    }
}

/// 32 hex digits.
fn token(text: &str) -> Option<[u8; 16]> {
    (text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
        .map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 7] = [
        ("SUPERVISOR_FD_IN", "3"),
        ("SUPERVISOR_FD_OUT", "4"),
        ("SUPERVISOR_FD_PROGRESS", "5"),
        ("SUPERVISOR_TOKEN", "000102030405060708090a0b0c0d0eff"),
        ("SUPERVISOR_PARENT", "4123"),
        ("SUPERVISOR_DELIMITER", "10"),
        ("SUPERVISOR_TRANSPORT", "pipe"),
    ];

    fn read(changes: &[(&str, Option<&str>)]) -> Result<Environment, EnvironmentError> {
        Environment::read(|name| {
            let changed = changes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let good = GOOD.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            changed.unwrap_or(good).map(OsString::from)
        })
    }

    #[test]
    fn what_the_supervisor_says_is_read() {
        let expected = Environment {
            transport: TransportKind::Pipe,
            fds: vec![(vec!["SUPERVISOR_FD_IN"], 3), (vec!["SUPERVISOR_FD_OUT"], 4)],
            variables: Vec::new(),
            fd_progress: 5,
            token: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255],
            supervisor_pid: 4123,
            delimiter: b'\n',
            timed: false,
            traced: false,
            chaos: None,
        };
        assert_eq!(read(&[]), Ok(expected.clone()));
        let one = vec![(vec!["SUPERVISOR_FD_IN", "SUPERVISOR_FD_OUT"], 3)];
        assert_eq!(read(&[("SUPERVISOR_FD_OUT", Some("3"))]).unwrap().fds, one);
        let timed = Environment { timed: true, ..expected.clone() };
        assert_eq!(read(&[("SUPERVISOR_ITEM_TIMES", Some("1"))]), Ok(timed));
        assert_eq!(read(&[("SUPERVISOR_WORK_TIMES", Some("1"))]), Ok(Environment { traced: true, ..expected.clone() }));
        let chaos = Environment { chaos: "torn=1%,seed=7".parse().ok(), ..expected };
        assert_eq!(read(&[("SUPERVISOR_CHAOS", Some("torn=1%,seed=7"))]), Ok(chaos));
        assert!(read(&[("SUPERVISOR_CHAOS", Some("torn"))]).is_err());
    }

    #[test]
    fn each_variable_is_needed_and_judged() {
        for (name, _) in GOOD {
            // The transport knows which descriptors it needs.
            if !names::TRANSPORT_FDS.contains(&name) {
                let missing = read(&[(name, None)]);
                assert!(matches!(missing, Err(EnvironmentError::Missing { name: found }) if found == name));
            }
            for value in ["", "-x", "99999999999", "+00102030405060708090a0b0c0d0eff"] {
                let error = read(&[(name, Some(value))]).unwrap_err();
                assert!(matches!(error, EnvironmentError::Wrong { name: found, .. } if found == name), "{error}");
            }
        }
        assert_eq!(
            read(&[("SUPERVISOR_TRANSPORT", None)]).unwrap_err().to_string(),
            "run me under supervisor: supervisor --protocol frames -- PROGRAM (SUPERVISOR_TRANSPORT is not set)"
        );
    }
}
