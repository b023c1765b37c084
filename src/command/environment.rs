//! The environment of a command: ours, with variables for its item, attempt and slot.
//!
//! Invariant: no variable of an outer supervisor reaches a command: a supervisor that another one has started sets its
//! own variables only.

use crate::wire::names;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The variables that are set for each item, in this order at the beginning of the environment.
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
    /// The slot from 1, for scripts that know GNU parallel.
    JobSlot,
}

/// The name of each [`Variable`], in the same order.
const NAMES: [&str; 5] = [names::ITEM, names::ATTEMPT, names::WORKER, names::PARALLEL_SEQ, names::PARALLEL_JOBSLOT];

/// An environment in the format of `execve`. An entry is rewritten only if its value has changed since the last item.
#[derive(Clone, Debug)]
pub struct CommandEnvironment {
    entries: Vec<CString>,
    /// The present values of the first entries.
    values: [Option<u64>; NAMES.len()],
    /// Another variable for the slot, which is counted from 0 there. Its entry is the last one.
    slot_name: Option<OsString>,
}

impl CommandEnvironment {
    /// `inherited` with this run's own variables in place of those of the same names.
    pub fn new(inherited: impl Iterator<Item = (OsString, OsString)>, run_id: &str) -> Self {
        // Places for the variables that are set for each item.
        let mut entries = vec![CString::default(); NAMES.len()];
        entries.extend(entry(OsStr::new(names::RUN), OsStr::new(run_id)));
        entries
            .extend(entry(OsStr::new(names::PARALLEL_PID), OsStr::new(itoa::Buffer::new().format(std::process::id()))));
        entries.extend(
            inherited.filter(|(name, _)| !names::is_ours(name)).filter_map(|(name, value)| entry(&name, &value)),
        );
        Self { entries, values: [None; NAMES.len()], slot_name: None }
    }

    /// Lets commands have their slot, from 0, in a variable of this name too, which may be none of ours.
    pub fn name_slot(&mut self, name: Option<OsString>) {
        let Some(name) = name.filter(|name| !name.is_empty() && !names::is_ours(name)) else { return };
        self.set_for_all(&name, OsStr::new("0"));
        self.slot_name = Some(name);
    }

    /// Sets a variable for every item, in place of the one that was inherited.
    pub fn set_for_all(&mut self, name: &OsStr, value: &OsStr) {
        let is_it =
            |entry: &CString| entry.to_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
        // Those that are set for each item keep their places.
        self.entries.retain(|entry| !is_it(entry));
        self.entries.extend(entry(name, value));
    }

    pub fn set(&mut self, variable: Variable, value: u64) {
        let place = variable as usize;
        if self.values[place] != Some(value) {
            self.values[place] = Some(value);
            if let Variable::JobSlot = variable
                && let Some(name) = self.slot_name.take()
            {
                let from_0 = itoa::Buffer::new().format(value.saturating_sub(1)).to_owned();
                self.set_for_all(&name, OsStr::new(&from_0));
                self.slot_name = Some(name);
            }
            let digits = itoa::Buffer::new().format(value).to_owned();
            // Neither the name nor digits contain a NUL, so there is always an entry.
            self.entries[place] = entry(OsStr::new(NAMES[place]), OsStr::new(&digits)).unwrap_or_default();
        }
    }

    /// The entries, each as `NAME=VALUE`.
    pub fn entries(&self) -> &[CString] {
        &self.entries
    }
}

/// `None` if it contains a NUL, which a variable of an environment cannot.
fn entry(name: &OsStr, value: &OsStr) -> Option<CString> {
    CString::new([name.as_bytes(), value.as_bytes()].join(&b'=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(inherited: &[(&str, &str)]) -> CommandEnvironment {
        CommandEnvironment::new(inherited.iter().map(|(name, value)| (name.into(), value.into())), "run-1")
    }

    fn sorted(environment: &CommandEnvironment) -> Vec<&str> {
        let mut entries: Vec<_> = environment.entries().iter().map(|entry| entry.to_str().unwrap()).collect();
        entries.sort_unstable();
        entries
    }

    #[test]
    fn a_command_gets_its_own_variables_and_none_of_an_outer_supervisor() {
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
    fn a_variable_for_all_items_takes_the_place_of_the_inherited_one() {
        let mut environment = environment(&[("A", "inherited"), ("AB", "kept"), ("B", "kept")]);
        for value in ["1", "2=3"] {
            environment.set_for_all(OsStr::new("A"), OsStr::new(value));
        }
        environment.set(Variable::Item, 6);
        let sorted = sorted(&environment);
        let of_user: Vec<_> = sorted.into_iter().filter(|entry| entry.starts_with(['A', 'B'])).collect();
        assert_eq!(of_user, ["A=2=3", "AB=kept", "B=kept"]);
        assert_eq!(environment.entries()[0].as_c_str(), c"SUPERVISOR_ITEM=6");
    }

    #[test]
    fn a_slot_has_a_second_name_under_which_it_is_counted_from_0() {
        let mut environment = environment(&[("S", "inherited"), ("SS", "kept")]);
        environment.name_slot(Some("S".into()));
        for slot in [1, 2, 2, 9] {
            environment.set(Variable::Item, 6);
            environment.set(Variable::JobSlot, slot);
            let (sorted, from_0) = (sorted(&environment), format!("S={}", slot - 1));
            let of_user: Vec<_> = sorted.into_iter().filter(|entry| entry.starts_with(['S'])).collect();
            assert_eq!(of_user.iter().filter(|entry| entry.starts_with("S=")).collect::<Vec<_>>(), [&from_0]);
            assert!(of_user.contains(&"SS=kept") && of_user.contains(&"SUPERVISOR_ITEM=6"));
        }
        environment.name_slot(Some("PARALLEL_SEQ".into()));
        environment.set(Variable::Sequence, 7);
        environment.set(Variable::JobSlot, 3);
        assert!(sorted(&environment).contains(&"PARALLEL_SEQ=7"), "ours stay as they are");
    }

    #[test]
    fn a_variable_has_its_latest_value() {
        let mut environment = environment(&[]);
        for value in [0, 7, 7, u64::MAX] {
            environment.set(Variable::Item, value);
            assert!(sorted(&environment).contains(&format!("SUPERVISOR_ITEM={value}").as_str()));
        }
    }
}
