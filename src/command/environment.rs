//! What a command finds in its environment: ours, and who it is.
//!
//! Invariant: nothing of a supervisor above us reaches a command, so that a supervisor run by a
//! supervisor tells its commands about itself alone.

use crate::wire::names;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Set anew for each item, in this order at the head of the environment.
#[derive(Clone, Copy, Debug)]
pub enum Variable {
    /// The item, from 0.
    Item,
    /// The attempt, from 1.
    Attempt,
    /// The slot, from 1.
    Worker,
    /// The item from 1, for scripts that know GNU parallel.
    Sequence,
    /// The slot from 1, likewise.
    JobSlot,
}

/// The names of [`Variable`], by their place in it.
const NAMES: [&str; 5] = [names::ITEM, names::ATTEMPT, names::WORKER, names::PARALLEL_SEQ, names::PARALLEL_JOBSLOT];

/// An environment as `execve` wants it; only what changed since the last item is written anew.
#[derive(Clone, Debug)]
pub struct Environment {
    entries: Vec<CString>,
    /// What the first entries were last set to.
    values: [Option<u64>; NAMES.len()],
}

impl Environment {
    /// `inherited` with this run's own variables in place of those of the same names.
    pub fn new(inherited: impl Iterator<Item = (OsString, OsString)>, run_id: &str) -> Self {
        // Places of the variables that are set for each item.
        let mut entries = vec![CString::default(); NAMES.len()];
        entries.extend(entry(OsStr::new(names::RUN), OsStr::new(run_id)));
        entries
            .extend(entry(OsStr::new(names::PARALLEL_PID), OsStr::new(itoa::Buffer::new().format(std::process::id()))));
        entries.extend(
            inherited.filter(|(name, _)| !names::is_ours(name)).filter_map(|(name, value)| entry(&name, &value)),
        );
        Self { entries, values: [None; NAMES.len()] }
    }

    pub fn set(&mut self, variable: Variable, value: u64) {
        let place = variable as usize;
        if self.values[place] != Some(value) {
            self.values[place] = Some(value);
            let digits = itoa::Buffer::new().format(value).to_owned();
            // Neither the name nor digits hold a NUL, so there is always an entry.
            self.entries[place] = entry(OsStr::new(NAMES[place]), OsStr::new(&digits)).unwrap_or_default();
        }
    }

    /// Each as `NAME=VALUE`.
    pub fn entries(&self) -> &[CString] {
        &self.entries
    }
}

/// `None` if it holds a NUL: no variable does, so there is nothing to pass on.
fn entry(name: &OsStr, value: &OsStr) -> Option<CString> {
    CString::new([name.as_bytes(), value.as_bytes()].join(&b'=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(inherited: &[(&str, &str)]) -> Environment {
        Environment::new(inherited.iter().map(|(name, value)| (name.into(), value.into())), "run-1")
    }

    fn sorted(environment: &Environment) -> Vec<&str> {
        let mut entries: Vec<_> = environment.entries().iter().map(|entry| entry.to_str().unwrap()).collect();
        entries.sort_unstable();
        entries
    }

    #[test]
    fn an_item_is_told_who_it_is_and_nothing_of_a_supervisor_above() {
        let mut environment = environment(&[
            ("HOME", "/root"),
            ("SUPERVISOR_ITEM", "99"),
            ("SUPERVISOR_RUN", "outer"),
            ("SUPERVISOR_FD_IN", "3"),
            ("SUPERVISOR_TOKEN", "secret"),
            ("SUPERVISOR_COLOUR", "kept"),
            ("EMPTY", ""),
        ]);
        environment.set(Variable::Item, 6);
        environment.set(Variable::Attempt, 1);
        environment.set(Variable::Worker, 2);
        environment.set(Variable::Sequence, 7);
        environment.set(Variable::JobSlot, 2);
        let parent = format!("PARALLEL_PID={}", std::process::id());
        let expected = [
            "EMPTY=",
            "HOME=/root",
            "PARALLEL_JOBSLOT=2",
            &parent,
            "PARALLEL_SEQ=7",
            "SUPERVISOR_ATTEMPT=1",
            "SUPERVISOR_COLOUR=kept",
            "SUPERVISOR_ITEM=6",
            "SUPERVISOR_RUN=run-1",
            "SUPERVISOR_WORKER=2",
        ];
        assert_eq!(sorted(&environment), expected);
    }

    #[test]
    fn a_variable_follows_its_last_value() {
        let mut environment = environment(&[]);
        for value in [0, 7, 7, u64::MAX] {
            environment.set(Variable::Item, value);
            assert!(sorted(&environment).contains(&format!("SUPERVISOR_ITEM={value}").as_str()));
        }
    }
}
